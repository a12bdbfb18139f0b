//! Values that the controller spells otherwise than the data plane (specification 8.4.6 and 18.1).
//!
//! A type that is annotated `@p4runtime_translation` has numbers of another width on the wire, or strings. Which value means
//! which is not part of the protocol: the operator says so ([`Translation`]). Where nobody does, numbers mean themselves,
//! strings of digits too, and each other new string gets the lowest number that is free, for as long as the pipeline is there.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use vouch_p4runtime::value::{canonical, decode, full_width};

use crate::entity::{hex, value};
use crate::fault::{Fault, Outcome, choices};

/// How many strings of one type get numbers by themselves.
const MAX_NAMES: usize = 65_536;
/// How long such a string may be.
const MAX_NAME: usize = 256;

/// What the values of a translated type mean, as the operator says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    type_or_uri: String,
    values: Vec<(Vec<u8>, u64)>,
    of_ports: bool,
}

impl Translation {
    /// Of a type, by its name in the program or by the URI of its annotation.
    pub fn of(type_or_uri: impl Into<String>) -> Translation {
        Translation { type_or_uri: type_or_uri.into(), ..Translation::default() }
    }

    /// The controller's string for a value of the data plane.
    pub fn name(mut self, name: impl Into<String>, value: u64) -> Translation {
        self.values.push((name.into().into_bytes(), value));
        self
    }

    /// The controller's number for a value of the data plane.
    pub fn number(mut self, number: u64, value: u64) -> Translation {
        self.values.push((canonical(&number.to_be_bytes()).to_vec(), value));
        self
    }

    /// The type is that of ports: replicas and watched ports are spelled like its values.
    pub fn of_ports(mut self) -> Translation {
        self.of_ports = true;
        self
    }

    /// The controller's string for a port, if these are ports' strings.
    pub(crate) fn port_name(&self, port: u16) -> Option<String> {
        let (name, _) = self.values.iter().find(|(_, value)| self.of_ports && *value == u64::from(port))?;
        String::from_utf8(name.clone()).ok()
    }

    pub(crate) fn is_of_ports(&self) -> bool {
        self.of_ports
    }

    /// Whether it is the one for a type of a program.
    pub(crate) fn is_of(&self, name: &str, uri: &str) -> bool {
        self.type_or_uri == name || self.type_or_uri == uri
    }
}

/// A translated type at work.
#[derive(Debug)]
pub(crate) struct Translator {
    name: String,
    /// Of its numbers on the wire; `None`: they are strings.
    sdn_bits: Option<u32>,
    rules: Rules,
}

#[derive(Debug)]
enum Rules {
    /// These values and no others.
    Given { values: BTreeMap<Vec<u8>, u64>, back: BTreeMap<u64, Vec<u8>> },
    /// Numbers mean themselves.
    Same,
    /// Strings get numbers as they come.
    Counted(Mutex<Names>),
}

#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<Vec<u8>, u64>,
    back: HashMap<u64, Vec<u8>>,
    /// All numbers up to this one are taken.
    last: u64,
}

impl Translator {
    /// Of a type with this name and width on the wire.
    pub(crate) fn new(name: &str, sdn_bits: Option<u32>, given: Option<&Translation>) -> Translator {
        let rules = match (given, sdn_bits) {
            (Some(given), _) => Rules::Given {
                values: given.values.iter().cloned().collect(),
                back: given.values.iter().map(|(sdn, value)| (*value, sdn.clone())).collect(),
            },
            (None, Some(_)) => Rules::Same,
            (None, None) => Rules::Counted(Mutex::default()),
        };
        Translator { name: name.into(), sdn_bits, rules }
    }

    /// The value that a controller means, `bits` wide.
    pub(crate) fn decode(&self, sdn: &[u8], bits: u32) -> Outcome<Vec<u8>> {
        // A string is taken as it is, a number in its shortest form.
        let sdn = match self.sdn_bits {
            Some(width) => canonical(&value(sdn, width)?).to_vec(),
            None => sdn.to_vec(),
        };
        let meant = match &self.rules {
            Rules::Same => return value(&sdn, bits),
            Rules::Given { values, .. } => *values.get(&sdn).ok_or_else(|| {
                let all = choices(values.keys().map(|one| self.show(one)));
                Fault::invalid(format!("{} is no {}; there is {all}", self.show(&sdn), self.name))
            })?,
            Rules::Counted(names) => self.count(&mut lock(names), sdn, bits)?,
        };
        full_width(&meant.to_be_bytes(), bits).map_err(|_| {
            Fault::invalid(format!("a {} that stands for {meant}, which does not fit {bits} bits", self.name))
        })
    }

    /// A value as the controller spells it. One that has no spelling is shown as the number it is.
    pub(crate) fn encode(&self, meant: &[u8]) -> Vec<u8> {
        self.spelled(meant).unwrap_or_else(|| canonical(meant).to_vec())
    }

    fn spelled(&self, meant: &[u8]) -> Option<Vec<u8>> {
        let number = to_u64(meant);
        match &self.rules {
            Rules::Same => Some(canonical(meant).to_vec()),
            Rules::Given { back, .. } => back.get(&number?).cloned(),
            Rules::Counted(names) => lock(names).back.get(&number?).cloned(),
        }
    }

    /// Whether the controller's values are numbers, too.
    pub(crate) fn has_numbers(&self) -> bool {
        self.sdn_bits.is_some()
    }

    /// The cell of an array that a controller means by an index of this type.
    pub(crate) fn decode_index(&self, index: u64) -> Outcome<u64> {
        let cell = self.decode(&index.to_be_bytes(), 64)?;
        to_u64(&cell).ok_or_else(|| Fault::invalid(format!("index {index} does not fit 64 bits")))
    }

    /// The index that a controller has for a cell, if any.
    pub(crate) fn encode_index(&self, cell: u64) -> Option<u64> {
        to_u64(&self.spelled(&cell.to_be_bytes())?)
    }

    /// Whether parts of a value mean something: masks and ranges of it.
    pub(crate) fn keeps_order(&self) -> bool {
        matches!(self.rules, Rules::Same)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The number of a string: the one that it says, or else the lowest that is free, but for 0, which programs use for "none".
    fn count(&self, names: &mut Names, name: Vec<u8>, bits: u32) -> Outcome<u64> {
        if let Some(number) = names.numbers.get(&name) {
            return Ok(*number);
        }
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(Fault::invalid(format!("a {} is a string of 1 to {MAX_NAME} bytes", self.name)));
        }
        let fits = |number: u64| bits >= 64 || number >> bits == 0;
        let number = match said(&name) {
            Some(number) if !fits(number) => {
                return Err(Fault::invalid(format!(
                    "{} does not fit the {bits} bits of a {}",
                    self.show(&name),
                    self.name
                )));
            }
            Some(number) => {
                if let Some(other) = names.back.get(&number) {
                    return Err(Fault::invalid(format!(
                        "{number} stands for {} already; say what each {} means where the switch is started",
                        self.show(other),
                        self.name
                    )));
                }
                number
            }
            None => {
                while names.back.contains_key(&(names.last + 1)) {
                    names.last += 1;
                }
                names.last + 1
            }
        };
        if names.numbers.len() >= MAX_NAMES || !fits(number) {
            let most = names.numbers.len();
            return Err(Fault::resource_exhausted(format!("{} has values for {most} strings and no more", self.name)));
        }
        names.back.insert(number, name.clone());
        names.numbers.insert(name, number);
        Ok(number)
    }

    fn show(&self, sdn: &[u8]) -> String {
        match self.sdn_bits {
            Some(_) => hex(sdn),
            None => format!("{:?}", String::from_utf8_lossy(sdn)),
        }
    }
}

/// The number that a string of digits says; one that begins with 0 is no number.
fn said(name: &[u8]) -> Option<u64> {
    let plain = name == b"0" || name.first().is_some_and(|first| (b'1'..=b'9').contains(first));
    if !plain || !name.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(name).ok()?.parse().ok()
}

/// The spelling of a value that may be translated.
pub(crate) fn decode_value(translator: Option<&Translator>, sdn: &[u8], bits: u32) -> Outcome<Vec<u8>> {
    match translator {
        Some(translator) => translator.decode(sdn, bits),
        None => value(sdn, bits),
    }
}

/// The reverse of [`decode_value`].
pub(crate) fn encode_value(translator: Option<&Translator>, meant: &[u8]) -> Vec<u8> {
    translator.map_or_else(|| canonical(meant).to_vec(), |translator| translator.encode(meant))
}

/// The number, if it fits 64 bits.
fn to_u64(bytes: &[u8]) -> Option<u64> {
    u64::try_from(decode(bytes, 64).ok()?).ok()
}

fn lock(names: &Mutex<Names>) -> MutexGuard<'_, Names> {
    // A panic between the two insertions would leave a number unused.
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bytes of a port, however it is spelled.
pub(crate) fn port_bytes(translator: Option<&Translator>, port: u16) -> Vec<u8> {
    encode_value(translator, &port.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(outcome: Outcome<Vec<u8>>) -> String {
        outcome.expect_err("it is refused").message
    }

    #[test]
    fn given_values_go_both_ways_and_no_others_do() {
        let given = Translation::of("port_t").name("eth0", 1).name("cpu", 510);
        let ports = Translator::new("port_t", None, Some(&given));
        assert_eq!(ports.decode(b"cpu", 9), Ok(vec![1, 0xfe]));
        assert_eq!(ports.encode(&[0, 1]), b"eth0");
        assert_eq!(ports.encode(&[0, 7]), [7], "a port without a name");
        assert_eq!(text(ports.decode(b"eth9", 9)), "\"eth9\" is no port_t; there is \"cpu\", \"eth0\"");
        let given = Translation::of("port_t").number(0xffff_fffd, 510);
        let ports = Translator::new("port_t", Some(32), Some(&given));
        assert_eq!(ports.decode(&[0, 0xff, 0xff, 0xff, 0xfd], 9), Ok(vec![1, 0xfe]));
        assert_eq!(text(ports.decode(&[1], 9)), "0x01 is no port_t; there is 0xfffffffd");
        assert_eq!(text(ports.decode(&[1; 5], 9)), "value 0x0101010101 does not fit 32 bits");
    }

    #[test]
    fn numbers_that_nobody_translates_mean_themselves() {
        let tenants = Translator::new("tenant_t", Some(32), None);
        assert_eq!(tenants.decode(&[0, 0, 1, 2], 12), Ok(vec![1, 2]));
        assert_eq!(tenants.encode(&[1, 2]), [1, 2]);
        assert_eq!(text(tenants.decode(&[1, 0, 0], 12)), "value 0x010000 does not fit 12 bits");
    }

    #[test]
    fn strings_that_nobody_translates_are_counted() {
        let hops = Translator::new("hop_t", None, None);
        assert_eq!(hops.decode(b"a", 2), Ok(vec![1]));
        assert_eq!(hops.decode(b"b", 2), Ok(vec![2]));
        assert_eq!(hops.decode(b"a", 2), Ok(vec![1]));
        assert_eq!(hops.encode(&[2]), b"b");
        assert_eq!(text(hops.decode(b"", 2)), "a hop_t is a string of 1 to 256 bytes");
        assert_eq!(hops.decode(b"c", 2), Ok(vec![3]));
        assert_eq!(text(hops.decode(b"d", 2)), "hop_t has values for 3 strings and no more");
    }

    #[test]
    fn strings_of_digits_say_their_numbers() {
        let ports = Translator::new("port_t", None, None);
        assert_eq!(ports.decode(b"2", 9), Ok(vec![0, 2]));
        assert_eq!(ports.decode(b"a", 9), Ok(vec![0, 1]));
        assert_eq!(ports.decode(b"b", 9), Ok(vec![0, 3]), "2 is taken");
        assert_eq!(ports.encode(&[0, 2]), b"2");
        assert_eq!(ports.decode(b"0", 9), Ok(vec![0, 0]));
        assert_eq!(ports.decode(b"01", 9), Ok(vec![0, 4]), "no number but a name");
        assert_eq!(text(ports.decode(b"512", 9)), "\"512\" does not fit the 9 bits of a port_t");
        assert_eq!(
            text(ports.decode(b"3", 9)),
            "3 stands for \"b\" already; say what each port_t means where the switch is started"
        );
    }
}

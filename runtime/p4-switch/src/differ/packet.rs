//! Packets that a program's parser understands, made by walking through its states.

use std::collections::{BTreeSet, HashMap};

use num_bigint::BigUint;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;

/// States that a walk passes at most: parsers may loop.
const MOST_STATES: usize = 24;
/// Bits of headers that a packet has at most.
const MOST_BITS: usize = 2_400;
/// Fields from this width on are likely to be addresses.
pub(super) const ADDRESS_BITS: usize = 24;
/// Tries to find field values that give a variable field a length it can have.
const LENGTH_TRIES: usize = 32;

/// What the generator has to know of a program: its compiled JSON, looked at directly.
pub(super) struct Source {
    json: Value,
    /// Constants of the program by their width in bytes.
    constants: HashMap<usize, Vec<BigUint>>,
    /// What conditions compare each field of a header with.
    compared: HashMap<(String, String), Vec<BigUint>>,
}

/// What most packets of a case have in common, in every other case. Packets without anything in common need more entries, each of
/// them by itself; those that are alike get further with fewer.
pub(super) struct Usual {
    /// Whether packets of this case are alike.
    pub(super) alike: bool,
    /// Values, by header type and field.
    values: HashMap<(String, String), BigUint>,
    /// Ways out of the parser's states, by state.
    ways: HashMap<String, usize>,
}

impl Usual {
    pub(super) fn new(alike: bool) -> Self {
        Self { alike, values: HashMap::new(), ways: HashMap::new() }
    }
}

/// One field of a header type.
struct FieldType<'a> {
    name: &'a str,
    /// `None` where the length varies.
    bits: Option<usize>,
}

impl Source {
    pub(super) fn new(json: Value) -> Self {
        let mut constants = HashMap::<usize, BTreeSet<BigUint>>::new();
        gather(&json, &mut constants);
        let constants = constants.into_iter().map(|(bytes, values)| (bytes, values.into_iter().collect())).collect();
        let mut compared = HashMap::new();
        for pipeline in json["pipelines"].as_array().into_iter().flatten() {
            for conditional in pipeline["conditionals"].as_array().into_iter().flatten() {
                gather_compared(&conditional["expression"], &mut compared);
            }
        }
        Self { json, constants, compared }
    }

    pub(super) fn json(&self) -> &Value {
        &self.json
    }

    /// Whether an action of egress uses registers.
    pub(super) fn egress_has_registers(&self) -> bool {
        let list = |json: &'_ Value, name: &str| json[name].as_array().cloned().unwrap_or_default();
        let egress = list(&self.json, "pipelines").into_iter().filter(|pipeline| pipeline["name"] == "egress");
        let called = egress.flat_map(|egress| list(&egress, "tables")).flat_map(|table| list(&table, "action_ids"));
        let called: Vec<Value> = called.collect();
        let mut actions = list(&self.json, "actions").into_iter().filter(|action| called.contains(&action["id"]));
        actions.any(|action| action["primitives"].to_string().contains("\"register_"))
    }

    /// A value of this width: often one that the program has as well, or that others are likely to be.
    pub(super) fn value(&self, bits: usize, random: &mut StdRng) -> BigUint {
        let mask = (BigUint::from(1_u8) << bits) - 1_u8;
        let constants = self.constants.get(&bits.div_ceil(8));
        let value = match (random.random_range(0..10), constants) {
            (0, _) => BigUint::ZERO,
            (1 | 2, _) => BigUint::from(random.random_range(1..5_u8)),
            (3, _) => mask.clone(),
            (4 | 5, Some(constants)) => constants[random.random_range(0..constants.len())].clone(),
            _ => {
                (0..bits.div_ceil(8)).fold(BigUint::ZERO, |value, _| value << 8 | BigUint::from(random.random::<u8>()))
            }
        };
        value & mask
    }

    fn named<'a>(&'a self, list: &str, name: &str) -> Option<&'a Value> {
        self.json[list].as_array()?.iter().find(|object| object["name"] == name)
    }

    fn fields(&self, header_type: &str) -> Vec<FieldType<'_>> {
        let fields = self.named("header_types", header_type).and_then(|found| found["fields"].as_array());
        let fields = fields.into_iter().flatten();
        fields
            .filter_map(|field| {
                Some(FieldType { name: field[0].as_str()?, bits: field[1].as_u64().map(|bits| bits as usize) })
            })
            .collect()
    }

    fn header_type(&self, list: &str, name: &str) -> Option<&str> {
        self.named(list, name)?["header_type"].as_str()
    }

    /// How many states can come after a transition, with one for the end of parsing.
    fn behind(&self, way: &Value) -> usize {
        let states = self.json["parsers"][0]["parse_states"].as_array().map(Vec::as_slice).unwrap_or_default();
        let (mut found, mut waiting) = (BTreeSet::new(), vec![way]);
        while let Some(way) = waiting.pop() {
            let next = way["next_state"].as_str().filter(|name| found.insert(*name));
            let next = next.and_then(|name| states.iter().find(|state| state["name"] == name));
            waiting.extend(next.and_then(|state| state["transitions"].as_array()).into_iter().flatten());
        }
        found.len() + 1
    }

    /// The values of a header's fields with their widths, from the bytes of the header. What follows a field of varying length is
    /// left out.
    pub(super) fn field_values(&self, header: &str, bytes: &[u8]) -> Vec<(u32, BigUint)> {
        let fields = self.header_type("headers", header).map(|header_type| self.fields(header_type));
        let (value, bits) = (BigUint::from_bytes_be(bytes), 8 * bytes.len());
        let (mut values, mut end) = (Vec::new(), 0);
        for width in fields.into_iter().flatten().map_while(|field| field.bits) {
            end += width;
            let Some(beyond) = bits.checked_sub(end) else { break };
            values.push((width as u32, (&value >> beyond) & ((BigUint::from(1_u8) << width) - 1_u8)));
        }
        values
    }

    /// The headers of a packet by which the parser goes some way, for so many bytes of payload. Its fields often have the usual
    /// values, which become usual when they are first used.
    pub(super) fn headers(&self, payload: usize, usual: &mut Usual, random: &mut StdRng) -> Vec<u8> {
        let mut walk = Walk {
            source: self,
            random,
            usual,
            bits: Vec::new(),
            places: HashMap::new(),
            forced: HashMap::new(),
            elements: HashMap::new(),
            extracted: Vec::new(),
        };
        walk.parser();
        walk.constant_entries();
        walk.lengths(payload);
        walk.checksums();
        let Walk { bits, forced, .. } = walk;
        // What was looked ahead at and never extracted has to be there as well.
        let end = forced.keys().map(|at| at + 1).max().unwrap_or(0).max(bits.len()).min(MOST_BITS);
        let bit = |at: usize| forced.get(&at).or_else(|| bits.get(at)).copied().unwrap_or(false);
        (0..end.div_ceil(8)).map(|byte| (0..8).fold(0, |value, at| value << 1 | u8::from(bit(byte * 8 + at)))).collect()
    }
}

/// Of each part of a condition that compares, the fields and the numbers in it.
fn gather_compared(expression: &Value, compared: &mut HashMap<(String, String), Vec<BigUint>>) {
    fn leaves(expression: &Value, fields: &mut Vec<(String, String)>, numbers: &mut Vec<BigUint>) {
        let value = &expression["value"];
        match expression["type"].as_str() {
            Some("field") => fields.extend(value[0].as_str().zip(value[1].as_str()).map(|(a, b)| (a.into(), b.into()))),
            Some("hexstr") => numbers.extend(value.as_str().and_then(number)),
            Some("expression") => {
                for side in [value, &value["left"], &value["right"]] {
                    leaves(side, fields, numbers);
                }
            }
            _ => {}
        }
    }
    let value = &expression["value"];
    match value["op"].as_str() {
        Some("==" | "!=" | "<" | "<=" | ">" | ">=") => {
            let (mut fields, mut numbers) = (Vec::new(), Vec::new());
            leaves(expression, &mut fields, &mut numbers);
            for field in fields.into_iter().filter(|_| !numbers.is_empty()) {
                compared.entry(field).or_default().extend(numbers.iter().cloned());
            }
        }
        Some(_) => ["left", "right"].iter().for_each(|side| gather_compared(&value[side], compared)),
        None => {}
    }
}

fn gather(json: &Value, constants: &mut HashMap<usize, BTreeSet<BigUint>>) {
    match json {
        Value::Array(values) => values.iter().for_each(|value| gather(value, constants)),
        Value::Object(fields) => {
            if let (Some("hexstr"), Some(text)) =
                (fields.get("type").and_then(Value::as_str), fields.get("value").and_then(Value::as_str))
                && let Some(value) = number(text)
            {
                // A constant is written with the digits of its own width.
                let digits = text.trim_start_matches("0x").len();
                constants.entry(digits.div_ceil(2)).or_default().insert(value);
            }
            fields.values().for_each(|value| gather(value, constants));
        }
        _ => {}
    }
}

fn prefix(length: &Value, width: usize) -> usize {
    length.as_u64().map_or(width, |length| width.min(length as usize))
}

fn number(text: &str) -> Option<BigUint> {
    BigUint::parse_bytes(text.strip_prefix("0x")?.as_bytes(), 16)
}

/// A packet in the making.
struct Walk<'a, 'r> {
    source: &'a Source,
    random: &'r mut StdRng,
    usual: &'r mut Usual,
    bits: Vec<bool>,
    /// Where each field is, the last one extracted by that name: offset and width in bits.
    places: HashMap<(String, String), (usize, usize)>,
    /// Bits that a select needs, also those that are not extracted yet.
    forced: HashMap<usize, bool>,
    /// How many elements of each stack were extracted.
    elements: HashMap<String, usize>,
    /// Each header with where it begins and ends.
    extracted: Vec<(String, usize, usize)>,
}

impl Walk<'_, '_> {
    fn parser(&mut self) {
        let Some(parser) = self.source.json["parsers"].get(0) else { return };
        let mut next = parser["init_state"].as_str();
        for _ in 0..MOST_STATES {
            let states = parser["parse_states"].as_array();
            let state = next.and_then(|name| states?.iter().find(|state| state["name"] == name));
            let Some(state) = state.filter(|_| self.bits.len() < MOST_BITS) else { return };
            for operation in state["parser_ops"].as_array().into_iter().flatten() {
                self.operation(operation);
            }
            next = self.transition(state);
        }
    }

    fn operation(&mut self, operation: &Value) {
        let parameters = &operation["parameters"];
        match operation["op"].as_str() {
            Some("extract" | "extract_VL") => self.extract(&parameters[0], &parameters[1]),
            Some("advance") => {
                let bits = self.evaluate(&parameters[0]).and_then(|bits| usize::try_from(bits).ok());
                for _ in 0..bits.filter(|bits| *bits <= MOST_BITS).unwrap_or(0) {
                    let bit = self.random.random();
                    self.push(bit);
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, bit: bool) {
        let bit = self.forced.get(&self.bits.len()).copied().unwrap_or(bit);
        self.bits.push(bit);
    }

    fn extract(&mut self, header: &Value, length: &Value) {
        let Some(name) = header["value"].as_str() else { return };
        let source = self.source;
        let (header_type, names) = if header["type"] == "stack" {
            let element = self.elements.entry(name.to_owned()).or_default();
            let names = vec![name.to_owned(), format!("{name}[{element}]")];
            *element += 1;
            (source.header_type("header_stacks", name), names)
        } else {
            (source.header_type("headers", name), vec![name.to_owned()])
        };
        let header_type = header_type.unwrap_or_default();
        let fields = source.fields(header_type);
        let start = self.bits.len();
        for attempt in 0..LENGTH_TRIES {
            self.bits.truncate(start);
            let mut fits = true;
            for field in &fields {
                let bits = field.bits.or_else(|| {
                    let bits = usize::try_from(self.evaluate(length)?).ok()?;
                    Some(bits).filter(|bits| bits % 8 == 0 && *bits <= 320)
                });
                fits &= bits.is_some();
                let bits = bits.unwrap_or(0);
                for name in &names {
                    self.places.insert((name.clone(), field.name.to_owned()), (self.bits.len(), bits));
                }
                let mut value = source.value(bits, self.random);
                let place = names.last().map(|name| (name.clone(), field.name.to_owned()));
                if let Some(compared) = place.and_then(|place| source.compared.get(&place))
                    && self.random.random_ratio(1, 4)
                {
                    let mask = (BigUint::from(1_u8) << bits) - 1_u8;
                    value = &compared[self.random.random_range(0..compared.len())] & mask;
                }
                if self.usual.alike && bits >= ADDRESS_BITS {
                    let known = self.usual.values.entry((header_type.to_owned(), field.name.to_owned()));
                    let known = known.or_insert_with(|| value.clone());
                    if self.random.random_ratio(3, 4) {
                        value.clone_from(known);
                    }
                }
                for bit in (0..bits).rev() {
                    self.push(value.bit(bit as u64));
                }
            }
            if fits || attempt + 1 == LENGTH_TRIES {
                self.extracted.extend(names.last().map(|name| (name.clone(), start, self.bits.len())));
                return;
            }
        }
    }

    /// Choose a way out of a state, make its fields so that the parser goes there, and give the next state. Packets that are
    /// alike mostly go where more states follow.
    fn transition<'s>(&mut self, state: &'s Value) -> Option<&'s str> {
        let ways: Vec<&Value> =
            state["transitions"].as_array()?.iter().filter(|way| way["type"] != "parse_vset").collect();
        let behind = ways.iter().map(|way| if self.usual.alike { self.source.behind(way) } else { 1 });
        let behind: Vec<usize> = behind.collect();
        let mut left = self.random.random_range(0..behind.iter().sum::<usize>().max(1));
        let skipped = |states: &&usize| left.checked_sub(**states).map(|less| left = less).is_some();
        let mut chosen = behind.iter().take_while(skipped).count();
        let usual = *self.usual.ways.entry(state["name"].to_string()).or_insert(chosen);
        if self.usual.alike && self.random.random_ratio(3, 4) {
            chosen = usual;
        }
        let way = *ways.get(chosen)?;
        if way["type"] == "hexstr"
            && let Some(value) = way["value"].as_str().and_then(number)
        {
            let mask = way["mask"].as_str().and_then(number);
            self.select(state["transition_key"].as_array()?, &value, mask.as_ref());
        }
        way["next_state"].as_str()
    }

    /// Each part of the key takes whole bytes of the value.
    fn select(&mut self, key: &[Value], value: &BigUint, mask: Option<&BigUint>) {
        let mut below = 0;
        for part in key.iter().rev() {
            let place = match part["type"].as_str() {
                Some("lookahead") => part["value"][0]
                    .as_u64()
                    .zip(part["value"][1].as_u64())
                    .map(|(offset, width)| (self.bits.len() + offset as usize, width as usize)),
                Some("field" | "stack_field") => self.field(&part["value"]),
                _ => None,
            };
            // What is not of this packet is as it is; how many bytes it takes is not known then, and seldom matters.
            let Some((at, width)) = place else { return };
            for bit in (0..width).filter(|bit| mask.is_none_or(|mask| mask.bit((below + bit) as u64))) {
                self.force(at + width - 1 - bit, value.bit((below + bit) as u64));
            }
            below += width.next_multiple_of(8);
        }
    }

    fn force(&mut self, position: usize, wanted: bool) {
        self.forced.insert(position, wanted);
        if let Some(there) = self.bits.get_mut(position) {
            *there = wanted;
        }
    }

    /// What fields are compared with by entries that the program brings itself: often make the fields of this packet as one of
    /// them wants it. What the parser has selected by stays.
    fn constant_entries(&mut self) {
        let source = self.source;
        let list = |json: &'_ Value, name: &str| json[name].as_array().map(Vec::as_slice).unwrap_or_default().to_vec();
        let pipelines = list(&source.json, "pipelines");
        for table in pipelines.iter().flat_map(|pipeline| list(pipeline, "tables")) {
            let entries = list(&table, "entries");
            if entries.is_empty() || self.random.random_ratio(1, 2) {
                continue;
            }
            let entry = &entries[self.random.random_range(0..entries.len())];
            for (key, wanted) in list(&table, "key").iter().zip(list(entry, "match_key")) {
                let constant = |name: &str| wanted[name].as_str().and_then(number);
                let Some((at, width)) = self.field(&key["target"]) else { continue };
                let Some(value) = constant("key").or_else(|| constant("start")) else { continue };
                let (mask, beyond) = (constant("mask"), width - prefix(&wanted["prefix_length"], width));
                for bit in (beyond..width).filter(|bit| mask.as_ref().is_none_or(|mask| mask.bit(*bit as u64))) {
                    let position = at + width - 1 - bit;
                    if !self.forced.contains_key(&position) {
                        self.force(position, value.bit(bit as u64));
                    }
                }
            }
        }
    }

    /// Make most fields right that are called lengths: by what protocols mean with that word, the bytes from where the header
    /// begins, or behind it if it says payload.
    fn lengths(&mut self, payload: usize) {
        let end = self.bits.len() + 8 * payload;
        for (header, from, to) in self.extracted.clone() {
            let of_header = self.places.iter().filter(|((name, _), _)| *name == header);
            let mut lengths: Vec<_> = of_header
                .filter(|((_, field), _)| field.contains("len") || field.contains("bytes"))
                .map(|((_, field), at)| (field.clone(), *at))
                .collect();
            lengths.sort();
            for (name, (at, width)) in lengths {
                // Shorter ones count other things than bytes.
                if width < 16 || self.random.random_ratio(1, 4) {
                    continue;
                }
                let bytes = (end - if name.contains("payload") { to } else { from }) / 8;
                for bit in 0..width {
                    self.force(at + width - 1 - bit, bytes.checked_shr(bit as u32).unwrap_or(0) & 1 == 1);
                }
            }
        }
    }

    /// Make most checksums right that the program verifies. Those of other kinds than the Internet checksum (RFC 1071), or
    /// over a payload, stay as they are.
    fn checksums(&mut self) {
        let source = self.source;
        let list = |name: &str| source.json[name].as_array().into_iter().flatten();
        for checksum in list("checksums") {
            let calculation = list("calculations").find(|calculation| calculation["name"] == checksum["calculation"]);
            let place = self.field(&checksum["target"]);
            let (Some(calculation), Some(place)) = (calculation.filter(|found| found["algo"] == "csum16"), place)
            else {
                continue;
            };
            if self.random.random_ratio(1, 8) {
                continue;
            }
            let mut covered = Vec::new();
            for input in calculation["input"].as_array().into_iter().flatten() {
                match input["type"].as_str() {
                    Some("field") => {
                        let Some((at, width)) = self.field(&input["value"]) else { break };
                        covered.extend(self.bits.get(at..at + width).unwrap_or_default());
                    }
                    Some("hexstr") => {
                        let width = input["bitwidth"].as_u64().unwrap_or(0);
                        let value = input["value"].as_str().and_then(number).unwrap_or_default();
                        covered.extend((0..width).rev().map(|bit| value.bit(bit)));
                    }
                    _ => break,
                }
            }
            let word =
                |bits: &[bool]| (0..16).fold(0u32, |word, at| word << 1 | u32::from(bits.get(at) == Some(&true)));
            let mut sum: u32 = covered.chunks(16).map(word).sum();
            while sum > 0xffff {
                sum = (sum & 0xffff) + (sum >> 16);
            }
            for bit in 0..place.1.min(16) {
                self.force(place.0 + place.1 - 1 - bit, !sum >> bit & 1 == 1);
            }
        }
    }

    fn field(&self, name: &Value) -> Option<(usize, usize)> {
        self.places.get(&(name[0].as_str()?.to_owned(), name[1].as_str()?.to_owned())).copied()
    }

    fn read(&self, (at, width): (usize, usize)) -> BigUint {
        let bits = self.bits.get(at..at + width).unwrap_or_default();
        bits.iter().fold(BigUint::ZERO, |value, bit| value << 1 | BigUint::from(u8::from(*bit)))
    }

    /// What an expression is worth, where it is about this packet's fields only.
    fn evaluate(&self, expression: &Value) -> Option<i64> {
        match expression["type"].as_str()? {
            "hexstr" => i64::try_from(number(expression["value"].as_str()?)?).ok(),
            "field" => i64::try_from(self.read(self.field(&expression["value"])?)).ok(),
            "expression" if expression["value"]["op"].is_null() => self.evaluate(&expression["value"]),
            "expression" => {
                let operation = &expression["value"];
                let (left, right) = (self.evaluate(&operation["left"]), self.evaluate(&operation["right"])?);
                match operation["op"].as_str()? {
                    "+" => left?.checked_add(right),
                    "-" => left?.checked_sub(right),
                    "*" => left?.checked_mul(right),
                    "&" => Some(left? & right),
                    "|" => Some(left? | right),
                    "<<" => left?.checked_shl(u32::try_from(right).ok()?),
                    ">>" => left?.checked_shr(u32::try_from(right).ok()?),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

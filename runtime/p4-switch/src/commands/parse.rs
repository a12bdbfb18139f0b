//! Lines to commands.

use vouch_p4runtime::p4info::{Action, ActionProfile, Register, Table};
use vouch_switch::{CounterData, EntryKey, MeterConfig, ReplicationNode};

use super::catalog::{Catalog, actions_of, find, value_bits};
use super::command::{Call, Cells, Change, Command, Doing, Request, Show};
use super::device::Node;
use super::values::{key_field, list, number, param, priority};
use super::words::{self, BY_TABLE};
use super::{Refused, split};
use crate::thrift::keys;

/// The command of a line; `None` where there is none on it.
///
/// # Errors
/// The command's name and what is wrong with it.
pub fn parse<'c>(catalog: &'c Catalog, line: &str) -> Result<Option<Command<'c>>, Refused> {
    let words = split(line);
    let Some((word, arguments)) = words.split_first() else { return Ok(None) };
    let parsed = match BY_TABLE.iter().find(|(old, _)| old == word) {
        Some((old, new)) => by_table(catalog, old, new, arguments),
        None => Parser { catalog, word }.command(arguments),
    };
    parsed.map(Some).map_err(|refused| format!("{word}: {refused}"))
}

/// An older command, which names a table where its successor names the table's action profile.
fn by_table<'c>(catalog: &'c Catalog, old: &str, new: &str, arguments: &[&str]) -> Result<Command<'c>, Refused> {
    let form = words::find(new).map_or("", |word| word.form);
    let (table, rest) = arguments
        .split_first()
        .ok_or_else(|| format!("expected {old} {}; {new} is its successor", form.replacen("PROFILE", "TABLE", 1)))?;
    let table = catalog.table(table)?;
    let profile = profile_of(catalog, table)?;
    let arguments: Vec<&str> = std::iter::once(profile.name.as_str()).chain(rest.iter().copied()).collect();
    Parser { catalog, word: new }.command(&arguments)
}

/// The action profile of a table that must have one.
fn profile_of<'c>(catalog: &'c Catalog, table: &Table) -> Result<&'c ActionProfile, Refused> {
    let profile = catalog.profile_of(table);
    profile.ok_or_else(|| format!("{} has no action profile; table_add adds its entries", table.name))
}

struct Parser<'c, 'w> {
    catalog: &'c Catalog,
    word: &'w str,
}

impl<'c> Parser<'c, '_> {
    fn command(&self, arguments: &[&str]) -> Result<Command<'c>, Refused> {
        let catalog = self.catalog;
        let change = |change| Ok(Command::Change(change));
        let show = |show| Ok(Command::Show(show));
        match (self.word, arguments) {
            ("show_tables", []) => show(Show::Tables),
            ("show_actions", []) => show(Show::Actions),
            ("table_info", [table]) => show(Show::TableInfo { table: catalog.table(table)? }),
            ("table_show_actions", [table]) => show(Show::TableActions { table: catalog.table(table)? }),
            ("table_add", [table, action, rest @ ..]) => change(self.table_add(table, action, rest)?),
            ("table_modify", [table, action, handle, params @ ..]) => {
                let table = self.direct(table)?;
                // The arrow is the reference's tolerance for those who expect one.
                let params = params.strip_prefix(&["=>"]).unwrap_or(params);
                let call = call(actions_of(table), "the table", action, params)?;
                change(Change::ModifyEntry { table, handle: number(handle)?, call })
            }
            ("table_delete" | "table_indirect_delete", [table, handle]) => {
                change(Change::DeleteEntry { table: catalog.table(table)?, handle: number(handle)? })
            }
            ("table_clear", [table]) => change(Change::ClearTable { table: catalog.table(table)? }),
            ("table_set_default", [table, action, params @ ..]) => {
                let table = self.direct(table)?;
                let call = call(actions_of(table), "the table", action, params)?;
                change(Change::SetDefault { table, doing: Some(Doing::Call(call)) })
            }
            ("table_reset_default" | "table_indirect_reset_default", [table]) => {
                change(Change::SetDefault { table: catalog.table(table)?, doing: None })
            }
            ("table_set_timeout", [table, handle, milliseconds]) => change(Change::SetTimeout {
                table: catalog.table(table)?,
                handle: number(handle)?,
                milliseconds: number(milliseconds)?,
            }),
            ("table_num_entries", [table]) => show(Show::EntryCount { table: catalog.table(table)? }),
            ("table_dump", [table]) => show(Show::Entries { table: catalog.table(table)? }),
            ("table_dump_entry", [table, handle]) => {
                show(Show::Entry { table: catalog.table(table)?, handle: number(handle)? })
            }
            ("table_dump_entry_from_key", [table, rest @ ..]) => {
                let table = catalog.table(table)?;
                let (fields, priority) = split_priority(table, rest)?;
                show(Show::EntryOfKey { table, key: key(table, fields, priority)? })
            }
            ("table_indirect_add", [table, rest @ ..]) => change(self.indirect_add(table, rest, Doing::Member)?),
            ("table_indirect_add_with_group", [table, rest @ ..]) => {
                change(self.indirect_add(table, rest, Doing::Group)?)
            }
            ("table_indirect_set_default", [table, member]) => {
                change(self.indirect_default(table, Doing::Member(id(member)?))?)
            }
            ("table_indirect_set_default_with_group", [table, group]) => {
                change(self.indirect_default(table, Doing::Group(id(group)?))?)
            }
            (word, [profile, rest @ ..]) if word.starts_with("act_prof_") => self.profile(profile, rest),
            ("mirroring_add", [session, port]) => {
                change(Change::MirrorToPort { session: number(session)?, port: number(port)? })
            }
            ("mirroring_add_mc", [session, group]) => {
                change(Change::MirrorToGroup { session: number(session)?, group: number(group)? })
            }
            ("mirroring_delete", [session]) => change(Change::DeleteMirror { session: number(session)? }),
            ("mirroring_get", [session]) => show(Show::Mirror { session: number(session)? }),
            ("mc_mgrp_create", [group]) => change(Change::CreateMulticast { group: number(group)? }),
            ("mc_mgrp_destroy", [group]) => change(Change::DestroyMulticast { group: number(group)? }),
            ("mc_node_create", [instance, ports @ ..]) => {
                let (ports, lags) = ports_and_lags(ports)?;
                let copies = ReplicationNode { instance: number(instance)?, ports };
                change(Change::CreateNode { node: Node { copies, lags } })
            }
            ("mc_node_update", [node, ports @ ..]) => {
                let (ports, lags) = ports_and_lags(ports)?;
                change(Change::UpdateNode { handle: number(node)?, ports, lags })
            }
            ("mc_node_associate", [group, node]) => {
                change(Change::Associate { group: number(group)?, handle: number(node)?, on: true })
            }
            ("mc_node_dissociate", [group, node]) => {
                change(Change::Associate { group: number(group)?, handle: number(node)?, on: false })
            }
            ("mc_node_destroy", [node]) => change(Change::DestroyNode { handle: number(node)? }),
            ("mc_dump", []) => show(Show::Multicast),
            ("counter_read", [counter, index]) => {
                show(Show::Counter { counter: catalog.counter(counter)?, index: number(index)? })
            }
            ("counter_write", [counter, index, packets, bytes]) => change(Change::WriteCounter {
                counter: catalog.counter(counter)?,
                cells: Cells::One(number(index)?),
                data: CounterData { packets: number(packets)?, bytes: number(bytes)? },
            }),
            ("counter_reset", [counter]) => change(Change::WriteCounter {
                counter: catalog.counter(counter)?,
                cells: Cells::All,
                data: CounterData::default(),
            }),
            ("register_read", [register, rest @ ..]) if rest.len() < 2 => {
                let cells = rest.first().map_or(Ok(Cells::All), |index| number(index).map(Cells::One))?;
                show(Show::Register { register: catalog.register(register)?, cells })
            }
            ("register_write", [register, index, value]) => {
                let register = catalog.register(register)?;
                let value = param(value, register_bits(register)?)?;
                change(Change::WriteRegister { register, cells: Cells::One(number(index)?), value })
            }
            ("register_reset", [register]) => {
                let register = catalog.register(register)?;
                register_bits(register)?;
                change(Change::WriteRegister { register, cells: Cells::All, value: vec![0] })
            }
            ("meter_set_rates", [meter, index, committed, peak]) => change(Change::WriteMeter {
                meter: catalog.meter(meter)?,
                cells: Cells::One(number(index)?),
                rates: rates(committed, peak)?,
            }),
            ("meter_array_set_rates", [meter, committed, peak]) => change(Change::WriteMeter {
                meter: catalog.meter(meter)?,
                cells: Cells::All,
                rates: rates(committed, peak)?,
            }),
            ("meter_get_rates", [meter, index]) => {
                show(Show::Meter { meter: catalog.meter(meter)?, index: number(index)? })
            }
            ("show_pvs", []) => show(Show::ValueSets),
            ("pvs_get", [set]) => show(Show::ValueSet { set: catalog.value_set(set)? }),
            ("pvs_add", [set, value]) => change(self.member(set, value, true)?),
            ("pvs_remove", [set, value]) => change(self.member(set, value, false)?),
            ("pvs_clear", [set]) => change(Change::ClearSet { set: catalog.value_set(set)? }),
            ("show_ports", []) => show(Show::Ports),
            ("write_config_to_file", [file]) => Ok(Command::WriteProgram { file: (*file).to_owned() }),
            ("load_new_config_file", [program, rest @ ..]) if rest.len() < 2 => {
                let p4info = rest.first().map(|path| (*path).to_owned());
                Ok(Command::Load { program: (*program).to_owned(), p4info })
            }
            ("swap_configs", []) => Ok(Command::Swap),
            ("help", []) => Ok(Command::Help(None)),
            ("help", [name]) => words::find(name).map(|word| Command::Help(Some(word))).ok_or_else(|| {
                let missing = words::missing();
                format!("`{name}`: {missing}")
            }),
            ("exit" | "quit" | "EOF", []) => Ok(Command::Exit),
            _ => self.request(arguments).map(Command::Request),
        }
    }

    /// What concerns the switch and not its program.
    fn request(&self, arguments: &[&str]) -> Result<Request, Refused> {
        let port = |rest: &[&str]| rest.first().map(|port| number(port)).transpose();
        let priority = |rest: &[&str]| rest.get(1).map(|priority| number(priority)).transpose();
        Ok(match (self.word, arguments) {
            ("set_queue_depth", [packets, rest @ ..]) if rest.len() < 3 => {
                Request::QueueDepth { packets: number(packets)?, port: port(rest)?, priority: priority(rest)? }
            }
            ("set_queue_rate", [packets, rest @ ..]) if rest.len() < 3 => {
                Request::QueueRate { packets: number(packets)?, port: port(rest)?, priority: priority(rest)? }
            }
            ("mc_set_lag_membership", [lag, ports @ ..]) => {
                Request::LagPorts { lag: number(lag)?, ports: numbers(ports)? }
            }
            ("port_add", [interface, port_number, rest @ ..]) if rest.len() < 2 => Request::AddPort {
                interface: (*interface).to_owned(),
                number: number(port_number)?,
                capture: rest.first().map(|path| (*path).to_owned()).unwrap_or_default(),
            },
            ("port_remove", [port_number]) => Request::RemovePort { number: number(port_number)? },
            ("reset_state", []) => Request::Reset,
            ("set_crc16_parameters", [calculation, parameters @ ..]) => {
                let ([polynomial, remainder, xor], reflect) = self.crc(parameters, 16)?;
                let [polynomial, remainder, xor] = [polynomial, remainder, xor].map(|it| it as u16);
                Request::Crc16 { calculation: (*calculation).to_owned(), polynomial, remainder, xor, reflect }
            }
            ("set_crc32_parameters", [calculation, parameters @ ..]) => {
                let ([polynomial, remainder, xor], reflect) = self.crc(parameters, 32)?;
                Request::Crc32 { calculation: (*calculation).to_owned(), polynomial, remainder, xor, reflect }
            }
            ("set_toeplitz_hash_key", [calculation, key]) => {
                Request::ToeplitzKey { calculation: (*calculation).to_owned(), key: hexadecimal(key)? }
            }
            ("get_time_elapsed", []) => Request::Elapsed,
            ("get_time_since_epoch", []) => Request::SinceEpoch,
            ("switch_info", []) => Request::Info,
            ("serialize_state", [file]) => Request::Serialize { file: (*file).to_owned() },
            _ => return Err(self.usage()),
        })
    }

    /// Polynomial, first remainder and last XOR, and whether data and remainder are reflected.
    fn crc(&self, parameters: &[&str], bits: u32) -> Result<([u32; 3], [bool; 2]), Refused> {
        let [polynomial, remainder, xor, data, result] = parameters else { return Err(self.usage()) };
        let value = |text: &str| {
            let value = param(text, bits)?;
            Ok::<_, Refused>(value.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
        };
        let flag = |text: &str| match text {
            "1" | "true" | "True" => Ok(true),
            "0" | "false" | "False" => Ok(false),
            _ => Err(format!("`{text}` is neither true nor false")),
        };
        Ok(([value(polynomial)?, value(remainder)?, value(xor)?], [flag(data)?, flag(result)?]))
    }

    fn member(&self, set: &str, value: &str, on: bool) -> Result<Change<'c>, Refused> {
        let set = self.catalog.value_set(set)?;
        let bits = value_bits(set);
        let value = keys::fit(&param(value, bits)?, bits);
        Ok(Change::SetMember { set, value, on })
    }

    fn usage(&self) -> Refused {
        match words::find(self.word) {
            Some(word) => format!("expected {}", word.usage()),
            None => words::missing(),
        }
    }

    /// A table whose entries have actions of their own.
    fn direct(&self, name: &str) -> Result<&'c Table, Refused> {
        let table = self.catalog.table(name)?;
        match self.catalog.profile_of(table) {
            None => Ok(table),
            Some(profile) => Err(format!(
                "what entries of {} do is in the action profile {}: act_prof_create_member makes a member, \
                 table_indirect_add an entry",
                table.name, profile.name
            )),
        }
    }

    fn table_add(&self, table: &str, action: &str, rest: &[&str]) -> Result<Change<'c>, Refused> {
        let table = self.direct(table)?;
        let (fields, after) = self.arrow(rest)?;
        let (params, priority) = split_priority(table, after)?;
        let key = key(table, fields, priority)?;
        let call = call(actions_of(table), "the table", action, params)?;
        Ok(Change::AddEntry { table, key, doing: Doing::Call(call) })
    }

    fn indirect_add(&self, table: &str, rest: &[&str], to: impl Fn(u32) -> Doing<'c>) -> Result<Change<'c>, Refused> {
        let table = self.catalog.table(table)?;
        profile_of(self.catalog, table)?;
        let (fields, after) = self.arrow(rest)?;
        let (target, priority) = split_priority(table, after)?;
        let [target] = target else { return Err(self.usage()) };
        Ok(Change::AddEntry { table, key: key(table, fields, priority)?, doing: to(id(target)?) })
    }

    fn indirect_default(&self, table: &str, doing: Doing<'c>) -> Result<Change<'c>, Refused> {
        let table = self.catalog.table(table)?;
        profile_of(self.catalog, table)?;
        Ok(Change::SetDefault { table, doing: Some(doing) })
    }

    /// What is before the arrow, and what is after it.
    fn arrow<'a>(&self, words: &'a [&'a str]) -> Result<(&'a [&'a str], &'a [&'a str]), Refused> {
        let at = words.iter().position(|word| *word == "=>").ok_or_else(|| self.usage())?;
        Ok((&words[..at], &words[at + 1..]))
    }

    fn profile(&self, profile: &str, rest: &[&str]) -> Result<Command<'c>, Refused> {
        let profile = self.catalog.profile(profile)?;
        let with_groups = || {
            let none = || format!("{} has no selector, so that it has no groups", profile.name);
            profile.with_selector.then_some(profile).ok_or_else(none)
        };
        let change = |change| Ok(Command::Change(change));
        let show = |show| Ok(Command::Show(show));
        match (self.word, rest) {
            ("act_prof_create_member", [action, params @ ..]) => {
                let call = call(self.catalog.profile_actions(profile), "the action profile", action, params)?;
                change(Change::CreateMember { profile, call })
            }
            ("act_prof_modify_member", [action, member, params @ ..]) => {
                let params = params.strip_prefix(&["=>"]).unwrap_or(params);
                let call = call(self.catalog.profile_actions(profile), "the action profile", action, params)?;
                change(Change::ModifyMember { profile, member: id(member)?, call })
            }
            ("act_prof_delete_member", [member]) => change(Change::DeleteMember { profile, member: id(member)? }),
            ("act_prof_create_group", []) => change(Change::CreateGroup { profile: with_groups()? }),
            ("act_prof_delete_group", [group]) => {
                change(Change::DeleteGroup { profile: with_groups()?, group: id(group)? })
            }
            ("act_prof_add_member_to_group", [member, group]) => {
                change(Change::Membership { profile: with_groups()?, group: id(group)?, member: id(member)?, on: true })
            }
            ("act_prof_remove_member_from_group", [member, group]) => change(Change::Membership {
                profile: with_groups()?,
                group: id(group)?,
                member: id(member)?,
                on: false,
            }),
            ("act_prof_dump", []) => show(Show::Profile { profile }),
            ("act_prof_dump_member", [member]) => show(Show::Member { profile, member: id(member)? }),
            ("act_prof_dump_group", [group]) => show(Show::Group { profile: with_groups()?, group: id(group)? }),
            _ => Err(self.usage()),
        }
    }
}

/// The last word is the priority where entries have one.
fn split_priority<'a>(table: &Table, words: &'a [&'a str]) -> Result<(&'a [&'a str], i32), Refused> {
    if !table.needs_priority() {
        return Ok((words, 0));
    }
    let (last, before) = words.split_last().ok_or("an entry of this table has a priority at its end")?;
    Ok((before, priority(last)?))
}

fn key(table: &Table, texts: &[&str], priority: i32) -> Result<EntryKey, Refused> {
    if texts.len() != table.fields.len() {
        let fields: Vec<_> = table.fields.iter().map(|field| field.name.as_str()).collect();
        let (got, wanted) = (texts.len(), table.fields.len());
        return Err(format!("the key has {wanted} fields ({}), not {got}", list(&fields)));
    }
    let matches: Result<_, _> = table.fields.iter().zip(texts).map(|(field, text)| key_field(field, text)).collect();
    Ok(EntryKey { matches: matches?, priority })
}

fn call<'c>(
    actions: impl IntoIterator<Item = &'c Action>,
    of: &str,
    name: &str,
    params: &[&str],
) -> Result<Call<'c>, Refused> {
    let action = find(&format!("action of {of}"), name, actions, |action| &action.name)?;
    if params.len() != action.params.len() {
        let names: Vec<_> = action.params.iter().map(|param| param.name.as_str()).collect();
        let (got, count) = (params.len(), action.params.len());
        return Err(format!("the action has {count} parameters ({}), not {got}", list(&names)));
    }
    let values = action.params.iter().zip(params).map(|(wanted, text)| param(text, wanted.width));
    Ok(Call { action, params: values.collect::<Result<_, _>>()? })
}

/// The id of a member or group by its handle.
fn id(handle: &str) -> Result<u32, Refused> {
    let too_high = || format!("`{handle}` is not a handle");
    number::<u32>(handle)?.checked_add(1).ok_or_else(too_high)
}

/// What comes before a bar, and after it.
fn ports_and_lags(texts: &[&str]) -> Result<(Vec<u16>, Vec<u16>), Refused> {
    let bar = texts.iter().position(|text| *text == "|");
    let (ports, lags) = bar.map_or((texts, &[][..]), |bar| (&texts[..bar], &texts[bar + 1..]));
    Ok((numbers(ports)?, numbers(lags)?))
}

fn hexadecimal(text: &str) -> Result<Vec<u8>, Refused> {
    let wrong = || format!("`{text}` is not a key of whole words of 4 bytes in hexadecimal");
    let digits: Vec<u32> = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>().ok_or_else(wrong)?;
    if !digits.len().is_multiple_of(8) {
        return Err(wrong());
    }
    Ok(digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect())
}

fn numbers(texts: &[&str]) -> Result<Vec<u16>, Refused> {
    texts.iter().map(|text| number(text)).collect()
}

fn register_bits(register: &Register) -> Result<u32, Refused> {
    register.width().ok_or_else(|| format!("the cells of {} are not numbers", register.name))
}

/// Rates as the reference has them: units per microsecond, and the burst.
fn rates(committed: &str, peak: &str) -> Result<MeterConfig, Refused> {
    let rate = |text: &str| {
        let (rate, burst) = text.split_once(':').ok_or_else(|| format!("`{text}`: a rate is RATE:BURST"))?;
        let wrong = || format!("`{rate}` is not a rate in units per microsecond");
        let rate: f64 = rate.parse().ok().filter(|rate| (0.0..1e12).contains(rate)).ok_or_else(wrong)?;
        Ok::<_, Refused>(((rate * 1e6).round() as u64, number(burst)?))
    };
    let ((cir, cburst), (pir, pburst)) = (rate(committed)?, rate(peak)?);
    Ok(MeterConfig { cir, cburst, pir, pburst })
}

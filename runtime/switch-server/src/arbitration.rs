//! Who may write: the client arbitration of P4Runtime (specification, section 5), as a state machine without sockets.
//!
//! Each role has its own election. The stream whose election id is the highest ever seen for the role is its primary; all
//! others are backups, also after the primary has left: a backup becomes primary by asking again with an id that is at
//! least as high. Streams learn of a change by the messages that every call here returns.

use std::collections::BTreeMap;

use tonic::Code;
use vouch_p4runtime::google::rpc;
use vouch_p4runtime::p4::v1::{MasterArbitrationUpdate, Role, Uint128};

use crate::dialect::Dialect;
use crate::fault::{Fault, Outcome};
use crate::role::{RoleConfig, Scope};

/// Identifies a stream within the server.
pub(crate) type StreamId = u64;

/// Messages to send, each to its stream.
pub(crate) type Notices = Vec<(StreamId, MasterArbitrationUpdate)>;

/// How many streams a device serves at once. A controller that cannot stop dialling must not exhaust the switch.
pub(crate) const MAX_STREAMS: usize = 64;

/// How many roles a device keeps an election for. An election outlasts its streams, as its highest id must.
pub(crate) const MAX_ROLES: usize = 256;

/// The election of one device.
#[derive(Debug)]
pub(crate) struct Arbitration {
    device_id: u64,
    dialect: Dialect,
    roles: BTreeMap<String, Election>,
    streams: BTreeMap<StreamId, String>,
}

#[derive(Debug, Default)]
struct Election {
    /// The highest id seen since the start, whether or not its stream is still there.
    highest: Option<u128>,
    primary: Option<StreamId>,
    /// The role configuration that a primary gave last, and what it says.
    config: Option<prost_types::Any>,
    rules: Option<RoleConfig>,
    candidates: BTreeMap<StreamId, Candidate>,
}

#[derive(Debug)]
struct Candidate {
    election_id: Option<u128>,
    /// As it was given; its configuration is replaced by the primary's in what the stream is told.
    role: Option<Role>,
}

impl Arbitration {
    pub(crate) fn new(device_id: u64, dialect: Dialect) -> Arbitration {
        Arbitration { device_id, dialect, roles: BTreeMap::new(), streams: BTreeMap::new() }
    }

    /// A stream asks for a place in the election, or changes its id. A fault ends the stream.
    pub(crate) fn update(&mut self, stream: StreamId, update: &MasterArbitrationUpdate) -> Outcome<Notices> {
        match self.check_device(update.device_id) {
            Err(fault) if self.streams.contains_key(&stream) => {
                return Err(Fault::failed_precondition(format!(
                    "a stream cannot change its device: {}",
                    fault.message
                )));
            }
            checked => checked?,
        }
        let role = self.name(update.role.as_ref().map_or("", |role| &role.name)).to_owned();
        match self.streams.get(&stream) {
            Some(present) if *present != role => {
                return Err(Fault::failed_precondition(format!(
                    "this stream has role {present:?} and cannot change it to {role:?}: open another stream"
                )));
            }
            Some(_) => {}
            None if self.streams.len() >= MAX_STREAMS => {
                return Err(Fault::resource_exhausted(format!("the device serves at most {MAX_STREAMS} streams")));
            }
            None => {}
        }
        let config = update.role.as_ref().and_then(|role| role.config.clone());
        let rules = match &config {
            Some(config) if !self.dialect.ignores_roles() => Some(RoleConfig::decode_any(config)?),
            Some(_) | None => None,
        };
        self.check_exclusive(&role, rules.as_ref())?;
        if !self.roles.contains_key(&role) && self.roles.len() >= MAX_ROLES {
            return Err(Fault::resource_exhausted(format!("the device knows at most {MAX_ROLES} roles")));
        }
        let election_id = self.id(update.election_id.as_ref());
        let election = self.roles.entry(role.clone()).or_default();
        let taken = |(other, candidate): (&StreamId, &Candidate)| {
            *other != stream && election_id.is_some() && candidate.election_id == election_id
        };
        if election.candidates.iter().any(taken) {
            return Err(Fault::invalid("Election id already exists"));
        }
        self.streams.insert(stream, role);
        election.candidates.insert(stream, Candidate { election_id, role: update.role.clone() });
        let before = (election.primary, election.highest, election.config.clone());
        if self.dialect.promotes_backups() {
            election.elect_highest();
            if election.primary == Some(stream) {
                (election.config, election.rules) = (config, rules);
            }
        } else if election_id.is_some() && election_id >= election.highest {
            election.highest = election_id;
            election.primary = Some(stream);
            (election.config, election.rules) = (config, rules);
        } else if election.primary == Some(stream) {
            election.primary = None;
        }
        let changed = before != (election.primary, election.highest, election.config.clone());
        let told = election.candidates.keys().filter(|other| changed || **other == stream);
        let mut notices: Notices = told.map(|told| (*told, election.notice(self.device_id, *told))).collect();
        // The primary learns last that it is.
        notices.sort_by_key(|(told, _)| election.primary == Some(*told));
        Ok(notices)
    }

    /// A stream has ended.
    pub(crate) fn leave(&mut self, stream: StreamId) -> Notices {
        let Some(election) = self.streams.remove(&stream).and_then(|role| self.roles.get_mut(&role)) else {
            return Notices::new();
        };
        election.candidates.remove(&stream);
        if election.primary != Some(stream) {
            return Notices::new();
        }
        election.primary = None;
        if self.dialect.promotes_backups() {
            election.elect_highest();
        }
        election.candidates.keys().map(|told| (*told, election.notice(self.device_id, *told))).collect()
    }

    /// Whether a request that carries this role and election id comes from the role's primary.
    pub(crate) fn check_primary(&self, role: &str, election_id: Option<&Uint128>) -> Outcome {
        if election_id.is_none() && self.streams.is_empty() && self.dialect.trusts_whoever_is_alone() {
            return Ok(());
        }
        let Some(election) = self.roles.get(self.name(role)) else {
            let message = format!("no stream has taken role {role:?}: arbitrate first");
            // The default role always exists, others only where a stream has named them.
            return Err(if role.is_empty() { Fault::permission_denied(message) } else { Fault::not_found(message) });
        };
        match (election.primary, self.id(election_id)) {
            (Some(_), Some(id)) if Some(id) == election.highest => Ok(()),
            (Some(_), Some(id)) => Err(Fault::permission_denied(format!(
                "election id {id} is not the primary's; only the primary may do this"
            ))),
            (Some(_), None) => {
                Err(Fault::permission_denied("the request has no election id; only the primary may do this"))
            }
            (None, _) => Err(Fault::permission_denied(format!("role {role:?} has no primary at present"))),
        }
    }

    /// The election id that a message means.
    fn id(&self, id: Option<&Uint128>) -> Option<u128> {
        id.map(number).or_else(|| self.dialect.counts_missing_ids().then_some(0))
    }

    /// The role that a name means.
    fn name<'a>(&self, role: &'a str) -> &'a str {
        if self.dialect.ignores_roles() { "" } else { role }
    }

    /// Refuse a request for another device.
    pub(crate) fn check_device(&self, device_id: u64) -> Outcome {
        if device_id == self.device_id {
            return Ok(());
        }
        Err(Fault::not_found(format!("device {device_id} is not here: this is device {}", self.device_id)))
    }

    /// The primaries of all roles: packet-ins, digests and idle notifications go to them.
    pub(crate) fn primaries(&self) -> impl Iterator<Item = StreamId> {
        self.roles.values().filter_map(|election| election.primary)
    }

    /// What a role may do.
    pub(crate) fn scope(&self, role: &str) -> Scope {
        let name = self.name(role);
        let others = self.roles.iter().filter(|(other, _)| *other != name);
        let foreign = others.filter_map(|(_, election)| election.rules.as_ref());
        Scope {
            role: name.to_owned(),
            config: self.roles.get(name).and_then(|election| election.rules.clone()),
            foreign: foreign.flat_map(|rules| rules.exclusive_p4_ids.iter().copied()).collect(),
        }
    }

    /// What a role shows where it is read for; the default role shows everything.
    pub(crate) fn read_scope(&self, role: &str) -> Outcome<Option<Scope>> {
        match self.name(role) {
            "" => Ok(None),
            name if self.roles.contains_key(name) => Ok(Some(self.scope(name))),
            name => Err(Fault::not_found(format!("no stream has taken role {name:?}: arbitrate first"))),
        }
    }

    /// The primaries whose role has something to do with a message.
    pub(crate) fn audience(&self, concerns: impl Fn(&Scope) -> bool) -> Vec<StreamId> {
        // The usual case, which every packet-in comes through.
        if self.roles.values().all(|election| election.rules.is_none()) {
            return self.primaries().collect();
        }
        let primaries = self.roles.iter().filter_map(|(role, election)| Some((role, election.primary?)));
        primaries.filter(|(role, _)| concerns(&self.scope(role))).map(|(_, stream)| stream).collect()
    }

    /// What one role has for itself no other can have.
    fn check_exclusive(&self, role: &str, rules: Option<&RoleConfig>) -> Outcome {
        let taken = rules.map(|rules| rules.exclusive_p4_ids.as_slice()).unwrap_or_default();
        for (other, election) in self.roles.iter().filter(|(other, _)| *other != role) {
            let Some(theirs) = &election.rules else { continue };
            if let Some(id) = taken.iter().find(|id| theirs.exclusive_p4_ids.contains(id)) {
                return Err(Fault::invalid(format!(
                    "role {other:?} has {id:#010x} for itself: share it in both roles"
                )));
            }
        }
        Ok(())
    }

    /// Whether the stream is the primary of its role.
    pub(crate) fn is_primary(&self, stream: StreamId) -> bool {
        self.primaries().any(|primary| primary == stream)
    }
}

impl Election {
    /// Make the candidate with the highest id primary, as PI does, which forgets the ids of those who have left.
    fn elect_highest(&mut self) {
        let highest = self.candidates.iter().filter_map(|(stream, one)| Some((one.election_id?, *stream))).max();
        self.highest = highest.map(|(id, _)| id);
        self.primary = highest.map(|(_, stream)| stream);
    }

    /// What one stream is told: the highest id, and whether it is its own.
    fn notice(&self, device_id: u64, stream: StreamId) -> MasterArbitrationUpdate {
        let (code, message) = match self.primary {
            Some(primary) if primary == stream => (Code::Ok, "you are the primary"),
            Some(_) => (Code::AlreadyExists, "you are a backup: another controller is the primary"),
            None => (Code::NotFound, "you are a backup: there is no primary"),
        };
        MasterArbitrationUpdate {
            device_id,
            role: self
                .candidates
                .get(&stream)
                .and_then(|candidate| candidate.role.clone())
                .map(|role| Role { config: self.config.clone(), ..role }),
            election_id: self.highest.map(|id| Uint128 { high: (id >> 64) as u64, low: id as u64 }),
            status: Some(rpc::Status { code: code as i32, message: message.into(), details: Vec::new() }),
        }
    }
}

fn number(id: &Uint128) -> u128 {
    u128::from(id.high) << 64 | u128::from(id.low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(id: Option<u64>) -> MasterArbitrationUpdate {
        MasterArbitrationUpdate {
            device_id: 1,
            election_id: id.map(|low| Uint128 { high: 0, low }),
            ..Default::default()
        }
    }

    /// (stream, code, highest id) of each message.
    fn summary(notices: Notices) -> Vec<(StreamId, Code, u64)> {
        let code = |update: &MasterArbitrationUpdate| Code::from(update.status.as_ref().expect("a status").code);
        let id = |update: &MasterArbitrationUpdate| update.election_id.as_ref().map_or(0, |id| id.low);
        notices.iter().map(|(stream, update)| (*stream, code(update), id(update))).collect()
    }

    fn update(arbitration: &mut Arbitration, stream: StreamId, id: Option<u64>) -> Vec<(StreamId, Code, u64)> {
        summary(arbitration.update(stream, &ask(id)).expect("the update is valid"))
    }

    fn may_write(arbitration: &Arbitration, id: u64) -> bool {
        arbitration.check_primary("", Some(&Uint128 { high: 0, low: id })).is_ok()
    }

    #[test]
    fn the_highest_id_is_primary_and_the_demoted_learn_of_it() {
        let mut arbitration = Arbitration::new(1, Dialect::Specification);
        assert_eq!(update(&mut arbitration, 10, None), [(10, Code::NotFound, 0)]);
        assert_eq!(update(&mut arbitration, 11, Some(5)), [(10, Code::AlreadyExists, 5), (11, Code::Ok, 5)]);
        assert_eq!(update(&mut arbitration, 12, Some(3)), [(12, Code::AlreadyExists, 5)]);
        assert_eq!(
            update(&mut arbitration, 12, Some(7)),
            [(10, Code::AlreadyExists, 7), (11, Code::AlreadyExists, 7), (12, Code::Ok, 7)]
        );
        assert!(may_write(&arbitration, 7) && !may_write(&arbitration, 5));
    }

    #[test]
    fn a_backup_is_not_promoted_but_may_ask() {
        let mut arbitration = Arbitration::new(1, Dialect::Specification);
        update(&mut arbitration, 10, Some(5));
        update(&mut arbitration, 11, Some(4));
        assert_eq!(summary(arbitration.leave(10)), [(11, Code::NotFound, 5)]);
        assert!(!may_write(&arbitration, 4) && !may_write(&arbitration, 5));
        assert_eq!(update(&mut arbitration, 11, Some(4)), [(11, Code::NotFound, 5)]);
        assert_eq!(update(&mut arbitration, 11, Some(5)), [(11, Code::Ok, 5)]);
        assert!(may_write(&arbitration, 5));
    }

    #[test]
    fn a_primary_that_lowers_its_id_leaves_no_primary() {
        let mut arbitration = Arbitration::new(1, Dialect::Specification);
        update(&mut arbitration, 10, Some(5));
        update(&mut arbitration, 11, Some(4));
        assert_eq!(update(&mut arbitration, 10, Some(1)), [(10, Code::NotFound, 5), (11, Code::NotFound, 5)]);
        assert_eq!(arbitration.primaries().count(), 0);
    }

    #[test]
    fn asking_again_answers_only_the_asker() {
        let mut arbitration = Arbitration::new(1, Dialect::Specification);
        update(&mut arbitration, 10, Some(5));
        update(&mut arbitration, 11, Some(4));
        assert_eq!(update(&mut arbitration, 10, Some(5)), [(10, Code::Ok, 5)]);
        assert!(arbitration.leave(11).is_empty());
        assert!(arbitration.leave(11).is_empty(), "leaving twice is nothing");
    }

    #[test]
    fn roles_have_elections_of_their_own() {
        let mut arbitration = Arbitration::new(1, Dialect::Specification);
        update(&mut arbitration, 10, Some(5));
        let role = Role { name: "telemetry".into(), ..Default::default() };
        let asked = MasterArbitrationUpdate { role: Some(role.clone()), ..ask(Some(5)) };
        let notices = arbitration.update(11, &asked).expect("another role");
        assert_eq!(notices[0].1.role.as_ref(), Some(&role));
        assert_eq!(summary(notices), [(11, Code::Ok, 5)]);
        assert_eq!(arbitration.primaries().collect::<Vec<_>>(), [10, 11]);
    }

    #[test]
    fn in_bmv2s_dialect_a_backup_is_promoted_and_roles_are_one() {
        let mut arbitration = Arbitration::new(1, Dialect::Bmv2);
        update(&mut arbitration, 10, Some(5));
        let role = Some(Role { name: "telemetry".into(), ..Default::default() });
        let asked = MasterArbitrationUpdate { role, ..ask(Some(4)) };
        assert_eq!(summary(arbitration.update(11, &asked).expect("valid")), [(11, Code::AlreadyExists, 5)]);
        assert_eq!(summary(arbitration.leave(10)), [(11, Code::Ok, 4)]);
        assert!(may_write(&arbitration, 4) && !may_write(&arbitration, 5));
        assert!(arbitration.check_primary("another", Some(&Uint128 { high: 0, low: 4 })).is_ok());
    }

    #[test]
    fn faults_say_what_is_wrong() {
        let mut arbitration = Arbitration::new(1, Dialect::Specification);
        update(&mut arbitration, 10, Some(5));
        let mut fault = |stream, asked| {
            let fault = arbitration.update(stream, &asked).expect_err("the update is refused");
            (fault.code, fault.message)
        };
        assert_eq!(fault(11, ask(Some(5))), (Code::InvalidArgument, "Election id already exists".into()));
        assert_eq!(
            fault(11, MasterArbitrationUpdate { device_id: 2, ..ask(Some(6)) }),
            (Code::NotFound, "device 2 is not here: this is device 1".into())
        );
        let role = Some(Role { name: "other".into(), ..Default::default() });
        assert_eq!(
            fault(10, MasterArbitrationUpdate { role, ..ask(Some(5)) }),
            (
                Code::FailedPrecondition,
                "this stream has role \"\" and cannot change it to \"other\": open another stream".into()
            )
        );
        let fault = arbitration.check_primary("x", None).expect_err("no such role");
        assert_eq!(fault.message, "no stream has taken role \"x\": arbitrate first");
        let fault = arbitration.check_primary("", None).expect_err("no id");
        assert_eq!(fault.message, "the request has no election id; only the primary may do this");
    }

    fn role(name: &str, rules: &RoleConfig) -> Option<Role> {
        let config = prost_types::Any {
            type_url: "type.googleapis.com/stratum.P4RoleConfig".into(),
            value: prost::Message::encode_to_vec(rules),
        };
        Some(Role { name: name.into(), config: Some(config), ..Default::default() })
    }

    #[test]
    fn a_role_has_what_its_configuration_says() {
        let mut arbitration = Arbitration::new(1, Dialect::Specification);
        let rules = RoleConfig { exclusive_p4_ids: vec![7], shared_p4_ids: vec![8], ..Default::default() };
        let asked = MasterArbitrationUpdate { role: role("routes", &rules), ..ask(Some(5)) };
        arbitration.update(10, &asked).expect("the scheme is known");
        let has = |scope: Scope| [7, 8, 9].map(|id| scope.has(id));
        assert_eq!(has(arbitration.scope("routes")), [true, true, false]);
        assert_eq!(has(arbitration.scope("")), [false, true, true]);
        assert!(arbitration.audience(|scope| scope.has(9)).is_empty());
        assert_eq!(arbitration.audience(|scope| scope.has(7)), [10]);

        let asked = MasterArbitrationUpdate { role: role("other", &rules), ..ask(Some(5)) };
        let fault = arbitration.update(11, &asked).expect_err("7 is taken");
        assert_eq!(
            (fault.code, fault.message.as_str()),
            (Code::InvalidArgument, "role \"routes\" has 0x00000007 for itself: share it in both roles")
        );
        let mut unknown = role("other", &rules);
        unknown.as_mut().and_then(|role| role.config.as_mut()).expect("it has one").type_url = "x/y.Z".into();
        let fault = arbitration.update(11, &MasterArbitrationUpdate { role: unknown, ..ask(Some(5)) });
        let fault = fault.expect_err("another scheme");
        assert_eq!(
            (fault.code, fault.message.as_str()),
            (
                Code::InvalidArgument,
                "role.config is of type \"y.Z\": give none for access to everything, or stratum.P4RoleConfig"
            )
        );
    }

    #[test]
    fn streams_are_bounded() {
        let mut arbitration = Arbitration::new(1, Dialect::Specification);
        for stream in 0..MAX_STREAMS as u64 {
            update(&mut arbitration, stream, None);
        }
        let fault = arbitration.update(1000, &ask(None)).expect_err("one too many");
        assert_eq!(
            (fault.code, fault.message.as_str()),
            (Code::ResourceExhausted, "the device serves at most 64 streams")
        );
    }

    #[test]
    fn roles_are_bounded() {
        let mut arbitration = Arbitration::new(1, Dialect::Specification);
        let asked =
            |name: String| MasterArbitrationUpdate { role: Some(Role { name, ..Default::default() }), ..ask(Some(5)) };
        for role in 0..MAX_ROLES {
            arbitration.update(1, &asked(role.to_string())).expect("there is room");
            arbitration.leave(1);
        }
        let fault = arbitration.update(1, &asked("one too many".into())).expect_err("there is none");
        assert_eq!(
            (fault.code, fault.message.as_str()),
            (Code::ResourceExhausted, "the device knows at most 256 roles")
        );
        arbitration.update(1, &asked("0".into())).expect("an old role has its election still");
    }
}

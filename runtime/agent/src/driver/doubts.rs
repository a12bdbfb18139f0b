//! Hosts whose entries the switch refused, and what peers must not hear of them meanwhile.
//!
//! A peer must not be told of what is not so: neither while its message waits for a write, nor after the write has failed. Nothing
//! is said of a host in doubt; its place in a list stays empty, and the list's count is one less. Once the switch has taken its
//! entries, those who were not told are reset, and the next list says what is true.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use vouch_mobility::{HostKey, Message, Sync, VtepAddr};

use crate::peering::SessionId;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Doubts {
    hosts: HashSet<HostKey>,
    untold: BTreeSet<(VtepAddr, SessionId)>,
    /// Hosts that were left out of lists that have not ended.
    left_out: BTreeMap<(VtepAddr, SessionId), u64>,
}

impl Doubts {
    /// The switch refused entries of these hosts.
    pub(crate) fn add(&mut self, hosts: impl IntoIterator<Item = HostKey>) {
        self.hosts.extend(hosts);
    }

    /// Everything has been written anew, and of these hosts it was refused again. The sessions that are to be reset because what
    /// they were not told is now true.
    pub(crate) fn only(&mut self, hosts: HashSet<HostKey>) -> Vec<(VtepAddr, SessionId)> {
        let resolved = self.hosts.iter().any(|host| !hosts.contains(host));
        self.hosts = hosts;
        if resolved { std::mem::take(&mut self.untold).into_iter().collect() } else { Vec::new() }
    }

    /// What a peer may be told of a message; nothing, if it is about a host in doubt.
    pub(crate) fn say(&mut self, peer: VtepAddr, session: SessionId, message: Message) -> Option<Message> {
        let session = (peer, session);
        match message {
            Message::Sync(Sync::Start) => {
                self.left_out.remove(&session);
                Some(message)
            }
            Message::Sync(Sync::End { hosts, withheld }) => {
                let left_out = self.left_out.remove(&session).unwrap_or(0);
                Some(Message::Sync(Sync::End { hosts: hosts.saturating_sub(left_out), withheld }))
            }
            _ if !about(&message).is_some_and(|host| self.hosts.contains(&host)) => Some(message),
            Message::Sync(Sync::Host { .. }) => {
                *self.left_out.entry(session).or_default() += 1;
                self.untold.insert(session);
                None
            }
            _ => {
                self.untold.insert(session);
                None
            }
        }
    }

    /// A session is over, and whoever was not told something hears it in the next one.
    pub(crate) fn over(&mut self, peer: VtepAddr) {
        self.untold.retain(|(of, _)| *of != peer);
        self.left_out.retain(|(of, _), _| *of != peer);
    }
}

/// The host that a message is about.
fn about(message: &Message) -> Option<HostKey> {
    match message {
        Message::Advertisement(it) => Some(it.host),
        Message::Reply(it) => Some(it.host),
        Message::Standing(it) => Some(it.host),
        Message::Withdrawal(it) => Some(it.host),
        Message::Sync(Sync::Host { host, .. } | Sync::Yours { host, .. }) => Some(*host),
        Message::Sync(Sync::Start | Sync::End { .. } | Sync::Again) => None,
        Message::Expect(it) => Some(it.host),
        Message::AddressClaim(it) => Some(it.holder),
        Message::AddressReply(it) => Some(it.holder),
    }
}

#[cfg(test)]
mod tests {
    use vouch_mobility::{Sequence, Withdrawal};
    use vouch_net::{MacAddr, Vni};

    use super::*;

    const PEER: VtepAddr = VtepAddr(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)));
    const SESSION: SessionId = SessionId(1);

    fn host(last: u8) -> HostKey {
        HostKey { vni: Vni::MAX, mac: MacAddr([2, 0, 0, 0, 0, last]) }
    }

    fn listed(last: u8) -> Message {
        Message::Sync(Sync::Host { host: host(last), bindings: Vec::new(), sequence: Sequence::FIRST })
    }

    #[test]
    fn nothing_is_said_of_a_host_whose_entries_were_refused_until_they_are_taken() {
        let mut doubts = Doubts::default();
        doubts.add([host(1)]);
        let mut say = |message| doubts.say(PEER, SESSION, message);
        let withdrawal =
            |last| Message::Withdrawal(Withdrawal { host: host(last), sequence: Sequence::FIRST, moved_to: None });
        assert_eq!(say(withdrawal(1)), None);
        assert_eq!(say(withdrawal(2)), Some(withdrawal(2)));
        // A list without it is whole.
        let list =
            [Message::Sync(Sync::Start), listed(1), listed(2), Message::Sync(Sync::End { hosts: 2, withheld: false })];
        let said: Vec<_> = list.clone().into_iter().filter_map(&mut say).collect();
        assert_eq!(said, [list[0].clone(), listed(2), Message::Sync(Sync::End { hosts: 1, withheld: false })]);
        // It is refused again, and then taken.
        assert_eq!(doubts.only([host(1)].into()), []);
        assert_eq!(doubts.only(HashSet::new()), [(PEER, SESSION)]);
        assert_eq!(doubts.only(HashSet::new()), []);
        assert_eq!(doubts.say(PEER, SESSION, withdrawal(1)), Some(withdrawal(1)));
    }

    #[test]
    fn who_has_a_new_session_meanwhile_is_not_reset() {
        let mut doubts = Doubts::default();
        doubts.add([host(1)]);
        assert_eq!(doubts.say(PEER, SESSION, listed(1)), None);
        doubts.over(PEER);
        assert_eq!(doubts.only(HashSet::new()), []);
    }
}

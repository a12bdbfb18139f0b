//! Addresses that one host has and another says that it has (B10).
//!
//! The announcement is held, and whoever has the holder asks it for the address out of its recorded port: this VTEP itself, or the peer that owns the
//! holder. Only proof that the holder has given the address up lets the binding pass. A refused claim is damped like a host's, taken up again by itself
//! when the damping ends, and reported.

use crate::words::config::{Limits, Timers};
use crate::words::ids::{AccessId, ClaimId, FrameId, HostKey};
use crate::words::time::{Instant, Wait};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Who claims which address.
pub(crate) type Key = (HostKey, IpAddr);

#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Disputes {
    all: BTreeMap<Key, Dispute>,
    due: BTreeSet<(Instant, HostKey, IpAddr)>,
    by_port: BTreeMap<AccessId, usize>,
}

#[derive(Debug, Clone, Hash)]
struct Dispute {
    holder: HostKey,
    port: AccessId,
    stage: Stage,
    since: Instant,
    refusals: u32,
    /// Until when it is damped after the last refusal, and for how long that is.
    damped_until: Instant,
    damped_for: Wait,
    timer: Instant,
}

#[derive(Debug, Clone, Hash)]
enum Stage {
    /// The holder is being asked. `claim`: by a peer.
    Open { claim: ClaimId, frame: Option<FrameId> },
    /// It was refused; `again`: heard since then.
    Refused { again: bool },
}

/// An announcement of an address that another host has.
#[derive(Debug)]
pub(crate) struct Announcement {
    pub(crate) key: Key,
    pub(crate) holder: HostKey,
    pub(crate) port: AccessId,
    pub(crate) claim: ClaimId,
    pub(crate) frame: Option<FrameId>,
}

/// What becomes of an announcement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The holder is to be asked.
    Ask,
    /// It is being asked, or was refused only just now.
    Known,
    /// There is no room.
    Full,
}

/// What is over.
#[derive(Debug)]
pub(crate) enum Due {
    /// Nobody has answered: nothing was proved.
    NoAnswer(Key),
    /// The damping is over, and the address was claimed again meanwhile.
    Again(Key, AccessId),
}

/// A claim that was decided.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) holder: HostKey,
    pub(crate) port: AccessId,
    pub(crate) frame: Option<FrameId>,
    /// How many claims of the address from this host were refused before.
    pub(crate) refusals: u32,
}

impl Disputes {
    pub(crate) fn heard(&mut self, heard: &Announcement, now: Instant, timers: &Timers, limits: &Limits) -> Heard {
        let &Announcement { key, holder, port, claim, frame } = heard;
        match self.all.get_mut(&key) {
            Some(dispute) => match &mut dispute.stage {
                Stage::Open { .. } => return Heard::Known,
                Stage::Refused { again } if now < dispute.damped_until => {
                    *again = true;
                    return Heard::Known;
                }
                Stage::Refused { .. } => {
                    dispute.stage = Stage::Open { claim, frame };
                    (dispute.holder, dispute.since) = (holder, now);
                }
            },
            None if self.by_port.get(&port).is_some_and(|&count| count >= limits.refusals_per_port) => {
                return Heard::Full;
            }
            None => {
                *self.by_port.entry(port).or_default() += 1;
                let dispute = Dispute {
                    holder,
                    port,
                    stage: Stage::Open { claim, frame },
                    since: now,
                    refusals: 0,
                    damped_until: now,
                    damped_for: Wait::default(),
                    timer: now,
                };
                self.all.insert(key, dispute);
            }
        }
        self.arm(key, now + timers.claim_give_up);
        Heard::Ask
    }

    /// Whose answer to which claim it is.
    pub(crate) fn of_claim(&self, holder: HostKey, address: IpAddr, claim: ClaimId) -> Option<Key> {
        let is_it = |(key, dispute): (&Key, &Dispute)| {
            let its = matches!(dispute.stage, Stage::Open { claim: its, .. } if its == claim);
            (its && dispute.holder == holder && key.1 == address).then_some(*key)
        };
        self.all.iter().find_map(is_it)
    }

    /// The claim was decided. `None`: there is none.
    pub(crate) fn decide(&mut self, key: Key, given_up: bool, now: Instant, timers: &Timers) -> Option<Decided> {
        let dispute = self.all.get_mut(&key)?;
        let Stage::Open { frame, .. } = &mut dispute.stage else { return None };
        let frame = frame.take();
        let (holder, port) = (dispute.holder, dispute.port);
        if given_up {
            let refusals = dispute.refusals;
            self.forget(key);
            return Some(Decided { holder, port, frame, refusals });
        }
        dispute.refusals += 1;
        let damped_for = dispute.damped_for.longer(timers.refusal_memory, timers.refusal_memory_max);
        dispute.damped_until = (dispute.since + damped_for).max(now);
        dispute.stage = Stage::Refused { again: false };
        let (refusals, until) = (dispute.refusals, dispute.damped_until);
        self.arm(key, until);
        Some(Decided { holder, port, frame, refusals })
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|&(due, ..)| due)
    }

    /// Something that is over at `now`.
    pub(crate) fn take_due(&mut self, now: Instant, timers: &Timers) -> Option<Due> {
        loop {
            let &(_, host, address) = self.due.first().filter(|&&(due, ..)| due <= now)?;
            let key = (host, address);
            let dispute = self.all.get_mut(&key)?;
            let forgotten_at = dispute.since + timers.attack_window;
            match &mut dispute.stage {
                Stage::Open { .. } => {
                    self.arm(key, now + timers.claim_give_up);
                    return Some(Due::NoAnswer(key));
                }
                Stage::Refused { again } => {
                    let taken_up = std::mem::take(again);
                    let port = dispute.port;
                    if now >= forgotten_at {
                        self.forget(key);
                    } else {
                        self.arm(key, forgotten_at);
                    }
                    if taken_up {
                        return Some(Due::Again(key, port));
                    }
                }
            }
        }
    }

    fn arm(&mut self, key: Key, timer: Instant) {
        if let Some(dispute) = self.all.get_mut(&key) {
            self.due.remove(&(dispute.timer, key.0, key.1));
            dispute.timer = timer;
            self.due.insert((timer, key.0, key.1));
        }
    }

    fn forget(&mut self, key: Key) {
        let Some(dispute) = self.all.remove(&key) else { return };
        self.due.remove(&(dispute.timer, key.0, key.1));
        if let Some(count) = self.by_port.get_mut(&dispute.port) {
            *count -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::words::ids::Incarnation;
    use vouch_net::{MacAddr, Vni};

    fn host(last: u8) -> HostKey {
        HostKey { vni: Vni::new(10).expect("fits"), mac: MacAddr([2, 0, 0, 0, 0, last]) }
    }

    fn ms(millis: u64) -> Instant {
        Instant::EPOCH + Duration::from_millis(millis)
    }

    fn announcement(claimant: u8) -> Announcement {
        let claim = ClaimId { incarnation: Incarnation(1), number: u64::from(claimant) };
        let key = (host(claimant), [10, 0, 0, 1].into());
        Announcement { key, holder: host(1), port: AccessId(3), claim, frame: Some(FrameId(7)) }
    }

    #[test]
    fn b10_a_refused_address_is_damped_and_taken_up_again_by_itself() {
        let (timers, limits) = (Timers::default(), Limits::default());
        let mut disputes = Disputes::default();
        let claim = announcement(2);
        assert_eq!(disputes.heard(&claim, ms(0), &timers, &limits), Heard::Ask);
        assert_eq!(disputes.heard(&claim, ms(1), &timers, &limits), Heard::Known);
        let decided = disputes.decide(claim.key, false, ms(2), &timers).expect("it is open");
        assert_eq!((decided.frame, decided.refusals), (Some(FrameId(7)), 1));
        assert_eq!(disputes.next_due(), Some(ms(200)));
        assert_eq!(disputes.heard(&claim, ms(100), &timers, &limits), Heard::Known);
        assert!(matches!(disputes.take_due(ms(200), &timers), Some(Due::Again(key, ..)) if key == claim.key));
        assert_eq!(disputes.heard(&claim, ms(200), &timers, &limits), Heard::Ask);
        disputes.decide(claim.key, false, ms(201), &timers);
        assert_eq!(disputes.next_due(), Some(ms(600)), "twice as long");
        assert!(disputes.take_due(ms(600), &timers).is_none(), "nothing was heard meanwhile");
        assert_eq!(disputes.heard(&claim, ms(601), &timers, &limits), Heard::Ask);
    }

    #[test]
    fn b10_what_nobody_answers_is_told_and_what_is_old_is_forgotten() {
        let (timers, limits) = (Timers::default(), Limits { refusals_per_port: 1, ..Limits::default() });
        let mut disputes = Disputes::default();
        let claim = announcement(2);
        disputes.heard(&claim, ms(0), &timers, &limits);
        assert_eq!(disputes.heard(&announcement(3), ms(0), &timers, &limits), Heard::Full);
        assert!(matches!(disputes.take_due(ms(3_000), &timers), Some(Due::NoAnswer(_))));
        disputes.decide(claim.key, false, ms(3_000), &timers);
        assert!(disputes.take_due(ms(60_000), &timers).is_none());
        assert_eq!(disputes.heard(&announcement(3), ms(60_000), &timers, &limits), Heard::Ask);
    }
}

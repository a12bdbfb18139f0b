//! What a host's logic may use besides its own record, and the few things it can do to the world.

use crate::action::Action;
use crate::config::{Config, VniConfig};
use crate::counters::Counters;
use crate::damping::Damping;
use crate::ids::{AccessId, ClaimId, FrameId, HostKey, VtepAddr};
use crate::index::{Peers, Ports};
use crate::message::{Message, Reply, Verdict, Withdrawal};
use crate::report::Report;
use crate::sequence::Sequence;
use crate::time::Instant;

/// The surroundings of one host during one event.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a Config,
    pub(crate) vni: &'a VniConfig,
    pub(crate) ports: &'a mut Ports,
    pub(crate) peers: &'a Peers,
    pub(crate) damping: &'a mut Damping,
    pub(crate) counters: &'a mut Counters,
    pub(crate) last_claim: &'a mut u64,
    /// How many hosts there are besides this one.
    pub(crate) other_hosts: usize,
    /// Decisions that follow the host's new view.
    pub(crate) out: &'a mut Vec<Action>,
}

impl Context<'_> {
    /// To a peer whose session is down nothing is sent: the list it gets when the session is up says it all.
    pub(crate) fn send(&mut self, to: VtepAddr, message: Message) {
        if self.peers.is_up(to) {
            self.out.push(Action::Send { to, message });
        }
    }

    /// To every peer that has the VNI, except `not`.
    pub(crate) fn send_all(&mut self, not: Option<VtepAddr>, message: &Message) {
        for &peer in &self.vni.peers {
            if Some(peer) != not {
                self.send(peer, message.clone());
            }
        }
    }

    pub(crate) fn reply(&mut self, to: VtepAddr, host: HostKey, claim: ClaimId, sequence: Sequence, verdict: Verdict) {
        self.send(to, Message::Reply(Reply { host, claim, sequence, verdict }));
    }

    pub(crate) fn withdraw(
        &mut self,
        not: Option<VtepAddr>,
        host: HostKey,
        sequence: Sequence,
        moved_to: Option<VtepAddr>,
    ) {
        self.send_all(not, &Message::Withdrawal(Withdrawal { host, sequence, moved_to }));
    }

    pub(crate) fn report(&mut self, report: Report) {
        self.out.push(Action::Report(report));
    }

    pub(crate) fn release(&mut self, frame: Option<FrameId>) {
        self.out.extend(frame.map(|frame| Action::Release { frame }));
    }

    pub(crate) fn drop(&mut self, frame: Option<FrameId>) {
        self.out.extend(frame.map(|frame| Action::Drop { frame }));
    }

    pub(crate) fn new_claim(&mut self) -> ClaimId {
        *self.last_claim += 1;
        ClaimId(*self.last_claim)
    }

    /// The sequence after `sequence`, with an alarm if there is none.
    pub(crate) fn sequence_after(&mut self, host: HostKey, sequence: Sequence) -> Sequence {
        let next = sequence.next();
        if next == Sequence::LAST {
            self.counters.sequences_exhausted += 1;
            self.report(Report::SequenceExhausted { host });
        }
        next
    }

    pub(crate) fn port_is_full(&mut self, port: AccessId) {
        self.counters.limited += 1;
        if self.ports.is_news_that_full(port) {
            self.report(Report::PortFull { port });
        }
    }
}

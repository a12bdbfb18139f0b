//! The host's addresses: they are learned from what it says, confirmed from time to time, and kept against others who say that they have them (B10).

use std::net::IpAddr;

use super::{Confirming, Dispute, MAX_DISPUTES, Owner, drop_frames};
use crate::guards::{Guard, is_out};
use crate::inout::report::Full;
use crate::knowledge::addresses::MAX_PATIENCE;
use crate::knowledge::question::{End, Question, Step};
use crate::roles::fact::{AddressClaimant, HeardAt};
use crate::roles::known::Known;
use crate::roles::world::{Out, World};
use crate::words::config::Timers;
use crate::words::time::Instant;

impl Owner {
    /// Takes in what the host says of its addresses, where it belongs.
    pub(super) fn hears_of_addresses(
        &mut self,
        heard: &HeardAt,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) {
        self.learn_addresses(&heard.addresses, known, world, out);
        known.addresses.said(&heard.addresses, heard.disputed);
    }

    /// Takes in addresses that the host says are its own, where it belongs.
    pub(super) fn learn_addresses(
        &mut self,
        addresses: &[IpAddr],
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) {
        if addresses.is_empty() {
            return;
        }
        let room = world.ports.has_room_for_binding(self.local.port(), world.config);
        let usable: Vec<IpAddr> = addresses
            .iter()
            .copied()
            .filter(|&address| {
                let known_already = known.addresses.has(address);
                let refused = !known_already && !room;
                if refused {
                    out.is_full(Full::Bindings(self.local.port()), None);
                }
                !refused
            })
            .collect();
        known.addresses.confirm(&usable, self.place(), world.now, world.addresses_limit());
    }

    /// Tells the peers what has changed about the host's addresses since they were told last.
    pub(crate) fn tell_addresses(&mut self, known: &Known, out: &mut Out<'_>) {
        if self.told != known.addresses.revision() {
            self.advertise(known, None, out);
        }
    }

    /// It has answered, which is more than to be heard.
    pub(super) fn confirmed(&mut self, address: IpAddr, known: &mut Known, world: &World<'_>) {
        // Of several questions it is not known which one it is the answer to (RFC 6298, section 3).
        let one = self.inquiry.is_none() && self.disputes.is_empty();
        let asked = self.confirming.take().filter(|confirming| one && confirming.asks_only_for(address));
        known.addresses.answered(asked.and_then(|confirming| confirming.left).map(|left| world.now - left));
    }

    /// Asks for an address whose confirmation grows old, so that it is known to answer; not while it is being asked anyway.
    pub(super) fn confirm_if_due(&mut self, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) {
        if self.confirming.is_some() || self.inquiry.is_some() || out.confirmed || !world.may_confirm {
            return;
        }
        let due = known.addresses.next_to_confirm(self.place(), world.timers());
        let Some((target, _)) = due.filter(|&(_, due)| due <= world.now) else { return };
        known.addresses.asked_for(target, world.now);
        let (targets, expected) = match target {
            Some(target) => {
                let expected = known.addresses.expected_for(target, self.place(), world.now, world.timers());
                (vec![target], expected.is_some())
            }
            None => (known.addresses.targets(&[], known.key.mac), false),
        };
        let question = out.new_question();
        out.confirmed = true;
        out.probe(question, 0, known.key, self.place(), true, targets);
        let due = world.now + world.timers().verdict_after;
        let until = world.now + MAX_PATIENCE;
        let alone_for = target.filter(|_| world.now >= self.echoes_until);
        self.confirming = Some(Confirming { question, alone_for, expected, left: None, late: false, until, due });
    }

    /// Asks for all its addresses at once, at an operator's word, whatever it was being asked to confirm; not while it is claimed.
    pub(crate) fn ask_now(&mut self, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) {
        if self.inquiry.is_some() {
            return;
        }
        if self.confirming.is_some() {
            self.echoes_until = world.now + MAX_PATIENCE;
        }
        let targets = known.addresses.targets(&[], known.key.mac);
        let expected = known.addresses.expected_at(self.place(), world.now, world.timers()).is_some();
        for target in &targets {
            known.addresses.asked_for(Some(*target), world.now);
        }
        let question = out.new_question();
        let alone_for = targets.first().copied().filter(|_| targets.len() == 1 && world.now >= self.echoes_until);
        out.probe(question, 0, known.key, self.place(), true, targets);
        let due = world.now + world.timers().verdict_after;
        let until = world.now + MAX_PATIENCE;
        self.confirming = Some(Confirming { question, alone_for, expected, left: None, late: false, until, due });
    }

    /// When the host is to be asked only to confirm what is known of it.
    pub(crate) fn confirm_due(&self, known: &Known, timers: &Timers) -> Option<Instant> {
        if self.confirming.is_some() || self.inquiry.is_some() {
            return None;
        }
        known.addresses.next_to_confirm(self.place(), timers).map(|(_, due)| due)
    }

    /// Somebody says that it has an address of the host's: the host is asked for it, and for another, so that silence can be told from absence.
    pub(crate) fn address_claimed(
        &mut self,
        address: IpAddr,
        by: AddressClaimant,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) {
        if !known.addresses.has(address) {
            out.address_verdict(by, known.key, address, true);
            return;
        }
        if let Some(dispute) = self.disputes.iter_mut().find(|dispute| dispute.address == address) {
            if !dispute.by.contains(&by) && dispute.by.len() < MAX_DISPUTES {
                dispute.by.push(by);
            }
            return;
        }
        if self.disputes.len() >= MAX_DISPUTES {
            out.counters.limited += 1;
            out.address_verdict(by, known.key, address, false);
            return;
        }
        let expected = known.addresses.expected_for(address, self.place(), world.now, world.timers());
        let question = Question::begin(out.new_question(), self.place(), expected, world.now)
            .with_patience(known.addresses.patience());
        self.disputes.push(Dispute { address, by: vec![by], question, alive: false });
        self.advance_disputes(known, world, out);
    }

    pub(super) fn advance_disputes(&mut self, known: &mut Known, world: &World<'_>, out: &mut Out<'_>) {
        let mut ended = Vec::new();
        for (at, dispute) in self.disputes.iter_mut().enumerate() {
            match dispute.question.step(world.now, world.timers()) {
                Step::Wait => {}
                Step::Ask(round) => {
                    let other =
                        known.addresses.iter().find(|other| other.confirmed && other.address != dispute.address);
                    let targets = std::iter::once(dispute.address).chain(other.map(|other| other.address)).collect();
                    out.ask(known.key, &dispute.question, round, true, targets);
                }
                Step::Check => out.check(known.key, &dispute.question),
                Step::End(end) => ended.push((at, end)),
            }
        }
        for (at, end) in ended.into_iter().rev() {
            let dispute = self.disputes.remove(at);
            self.dispute_ended(dispute, &end, known, out);
        }
    }

    /// The host said something: if it was the disputed address, it has that.
    pub(super) fn disputes_answered(&mut self, address: Option<IpAddr>, known: &Known, out: &mut Out<'_>) {
        for dispute in self.disputes.extract_if(.., |dispute| {
            dispute.alive |= address.is_some_and(|address| address != dispute.address);
            Some(dispute.address) == address
        }) {
            for by in dispute.by {
                out.address_verdict(by, known.key, dispute.address, false);
            }
        }
    }

    /// It was not answered for. That it was given up is proved if it was going to be answered for, or if the host answers for others only.
    pub(super) fn dispute_ended(&mut self, dispute: Dispute, end: &End, known: &mut Known, out: &mut Out<'_>) {
        let given_up = match end {
            End::Silent(_) => true,
            End::Unanswered(_) => dispute.alive || is_out(Guard::AddressOnProof),
            End::Disturbed(_) => is_out(Guard::AddressOnProof),
        };
        if given_up {
            known.addresses.remove(dispute.address);
            self.tell_addresses(known, out);
        }
        for by in dispute.by {
            out.address_verdict(by, known.key, dispute.address, given_up);
        }
    }

    /// The host is none: whoever claims it does so in vain.
    pub(crate) fn discard(mut self, known: &Known, out: &mut Out<'_>) {
        self.end_disputes(known, out);
        for claimant in self.inquiry.into_iter().flat_map(|inquiry| inquiry.claimants.into_vec()) {
            drop_frames(claimant, out);
        }
    }

    /// The host is not here to be asked any more: nothing was proved.
    pub(super) fn end_disputes(&mut self, known: &Known, out: &mut Out<'_>) {
        for dispute in self.disputes.drain(..) {
            for by in dispute.by {
                out.address_verdict(by, known.key, dispute.address, false);
            }
        }
    }
}

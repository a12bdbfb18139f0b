//! What follows from an inquiry: claims are refused, the host moves to another port, or is handed over.

use std::time::Duration;

use super::{Became, Heir, Owner, Refused, Taken};
use crate::guards::{Guard, is_out};
use crate::inout::message::{Advertisement, Message, Migration, Verdict};
use crate::inout::report::Report;
use crate::knowledge::aftermath::Aftermath;
use crate::knowledge::damping;
use crate::knowledge::entry::Proof;
use crate::knowledge::routes::outranks;
use crate::roles::claimants::{Answers, Claimant, Claimants, Who};
use crate::roles::inquiry::{self, Inquiry, Subject};
use crate::roles::known::Known;
use crate::roles::world::{Memory, Out, World};
use crate::words::ids::Location;
use crate::words::sequence::Sequence;

impl Owner {
    pub(super) fn subject<'a>(&'a self, known: &'a Known) -> Subject<'a> {
        Subject { local: &self.local, stay: &self.stay, known }
    }

    pub(super) fn follow(
        mut self,
        verdict: inquiry::Verdict,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        match verdict {
            inquiry::Verdict::Open { inquiry, refused } => {
                if !refused.is_empty() {
                    self.refuse(refused, true, known, world, out);
                }
                self.inquiry = Some(inquiry);
                Became::Owner(self)
            }
            inquiry::Verdict::Stays { claimants, settled } => {
                if settled {
                    out.report(Report::Settled { host: known.key, kept: self.place() });
                }
                self.refuse(claimants, !settled, known, world, out);
                Became::Owner(self)
            }
            inquiry::Verdict::Moves { winner, others, proof, settled } => {
                if settled {
                    out.report(Report::Settled { host: known.key, kept: winner.location() });
                }
                self.moves(winner, others, &proof, known, world, out)
            }
            inquiry::Verdict::Gone { claimants, proof } => {
                for claimant in claimants {
                    out.counters.abandoned += 1;
                    drop_frames(claimant, out);
                }
                out.counters.removed += 1;
                out.report(Report::Removed { host: known.key, last: self.place() });
                out.withdraw(None, known.key, self.local.sequence(), None);
                self.end_disputes(known, out);
                Became::Nothing(self.local.removed(&proof))
            }
            inquiry::Verdict::Unknown => Became::Owner(self),
        }
    }

    /// The host is here: the entry does not change, every claim is refused (M4), and the refusal outranks them (B4).
    pub(super) fn refuse(
        &mut self,
        claimants: Vec<Claimant>,
        counts: bool,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) {
        // What peers were not told of they believe of whoever says that he has it.
        let heard_of = |claimant: &Claimant| match claimant.who {
            Who::Peer { .. } => !claimant.damped,
            Who::Rival { .. } => true,
            Who::Port { .. } => false,
        };
        let again = self.withheld && claimants.iter().any(heard_of);
        self.withheld &= !again || is_out(Guard::ToldAgain);
        // A rival that learned the host ordinarily is not outranked: it would then outrank us in turn, for ever. What was only asked in passing, nobody
        // has heard of.
        let claimed = claimants.iter().filter_map(|claimant| match claimant.who {
            Who::Peer { sequence, .. } if !claimant.damped => Some(sequence),
            Who::Rival { sequence, migration, .. } if migration || again => Some(sequence),
            Who::Peer { .. } | Who::Rival { .. } | Who::Port { .. } => None,
        });
        let highest = claimed.max();
        if let Some(highest) = highest {
            let sequence = out.sequence_after(known.key, highest.max(self.local.sequence()));
            self.local.raise(sequence);
        }
        let kept = self.place();
        self.answered.clear();
        for claimant in claimants {
            let (claimed, since, damped) = (claimant.location(), claimant.since, claimant.damped);
            let earned = claimant.tenure > Duration::ZERO || known.is_announced_at(claimed, world.now);
            match claimant.who {
                Who::Port { port, ref addresses, again, .. } => {
                    let addresses = addresses.clone();
                    drop_frames(claimant, out);
                    let claim = damping::Claim { host: known.key, port, heard: since, addresses };
                    if damped {
                        out.memories.push(Memory::AgainUndamped(claim));
                    } else {
                        out.counters.refused += 1;
                        out.memories.push(Memory::Refused(claim.clone(), counts && !earned));
                        out.memories.extend(again.then_some(Memory::AgainUndamped(claim)));
                    }
                }
                Who::Peer { vtep, claim, sequence } => {
                    out.reply(vtep, known.key, claim, self.local.sequence(), Verdict::Stayed);
                    self.answered.push(Refused { vtep, claim, sequence });
                }
                Who::Rival { vtep, .. } => {
                    out.counters.duplicates += 1;
                    out.report(Report::Duplicate { host: known.key, port: self.local.port(), other: vtep });
                    self.settle_dispute(known, vtep, out);
                    out.answers_here(vtep, known.key, world.config);
                }
            }
            if !damped {
                out.report(Report::Stayed { host: known.key, kept, claimed, took: world.now - since });
            }
        }
        if highest.is_some() {
            self.advertise(known, None, out);
        }
    }

    /// The host is gone from where it was: it is where `winner` says (M5), the others have to claim it there.
    pub(super) fn moves(
        self,
        winner: Claimant,
        others: Vec<Claimant>,
        proof: &Proof,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        let (to, since) = (winner.location(), winner.since);
        let mut became = match winner.who {
            Who::Port { port, frame, addresses, requests, .. } => {
                let (from, tenure) = (self.place(), self.stay.tenure(world.now));
                let old_port = self.local.port();
                let before = Some((from, tenure));
                let because = proof.because();
                let taken = Taken { local: self.local.moved(port, proof), before, credit: winner.tenure, because };
                if winner.answers == Answers::Yes {
                    known.addresses.answered(None);
                }
                let mut owner = Self::take_over(taken, known, world, out);
                known.aftermath = Some(Aftermath::of_move(old_port, tenure, world.now, world.timers()));
                // Who moves unasked may do so, but not at any rate.
                let claim = damping::Claim { host: known.key, port: old_port, heard: world.now, addresses: Vec::new() };
                if Proof::by_configuration(known.key, world.config, world.vni).is_some() {
                    out.memories.push(Memory::Paused(claim, false));
                }
                out.release(frame);
                out.release(requests.into_frames());
                owner.learn_addresses(&addresses, known, world, out);
                out.counters.moves += 1;
                out.report(Report::Moved { host: known.key, from, to, because, took: world.now - since });
                Became::Owner(owner)
            }
            Who::Peer { vtep, claim, sequence } => {
                self.hand_over(Heir { vtep, sequence, claim: Some(claim), since }, proof, known, world, out)
            }
            Who::Rival { vtep, sequence, .. } => {
                self.hand_over(Heir { vtep, sequence, claim: None, since }, proof, known, world, out)
            }
        };
        let (place, sequence) = match &became {
            Became::Owner(owner) => (world.config.me, owner.local.sequence()),
            Became::Observer(remote) => {
                (remote.vtep(), known.routes.of(remote.vtep()).map_or(Sequence::FIRST, |route| route.sequence))
            }
            Became::Nothing(_) => return became,
        };
        let mut rivals = Claimants::default();
        for loser in others {
            match loser.who {
                Who::Port { .. } => {
                    out.counters.abandoned += 1;
                    drop_frames(loser, out);
                }
                Who::Peer { vtep, claim, .. } => {
                    out.reply(vtep, known.key, claim, sequence, Verdict::Elsewhere(place));
                }
                Who::Rival { .. } => rivals.push(loser),
            }
        }
        if let Became::Owner(owner) = became {
            // The rival still says that it has the host, and at the new port nobody has been asked yet.
            became = if rivals.is_empty() {
                Became::Owner(owner)
            } else {
                let verdict = Inquiry::begin(rivals, &owner.subject(known), world, out);
                owner.follow(verdict, known, world, out)
            };
        }
        became
    }

    /// Gives the host to another VTEP. For a while what still comes here for it is sent on (B8), and the old port is watched (B7).
    pub(super) fn hand_over(
        mut self,
        heir: Heir,
        proof: &Proof,
        known: &mut Known,
        world: &World<'_>,
        out: &mut Out<'_>,
    ) -> Became {
        let Heir { vtep: to, sequence: claimed, claim: reply, since } = heir;
        self.end_disputes(known, out);
        let sequence = if outranks(claimed, self.local.sequence()) {
            claimed
        } else {
            out.sequence_after(known.key, self.local.sequence())
        };
        let (from, tenure) = (self.place(), self.stay.tenure(world.now));
        known.aftermath = Some(Aftermath::of_move(self.local.port(), tenure, world.now, world.timers()));
        known.forget_announcement();
        let remote = self.local.given_up(to, proof);
        known.routes.insert(world.firm_route(to, sequence), true);
        out.counters.moves += 1;
        out.report(Report::Moved {
            host: known.key,
            from,
            to: Location::Remote(to),
            because: proof.because(),
            took: world.now - since,
        });
        if let Some(claim) = reply {
            out.reply(to, known.key, claim, sequence, Verdict::Moved { tenure });
        }
        // Whom the reply tells need not be told again.
        out.withdraw(reply.map(|_| to), known.key, sequence, Some(to));
        Became::Observer(remote)
    }

    /// Tells every peer that the host is here; that it has come here by a verdict in any case, as who gave it away points here.
    pub(crate) fn advertise(&mut self, known: &Known, migration: Option<Migration>, out: &mut Out<'_>) {
        self.told = known.addresses.revision();
        if self.withheld && migration.is_none() {
            return;
        }
        out.send_all(None, &Message::Advertisement(self.advertisement(known, migration)));
    }

    pub(super) fn advertisement(&self, known: &Known, migration: Option<Migration>) -> Advertisement {
        let sequence = self.local.sequence();
        Advertisement { host: known.key, bindings: known.addresses.bindings(), sequence, migration }
    }
}

/// A claimed port's frames go nowhere.
pub(super) fn drop_frames(claimant: Claimant, out: &mut Out<'_>) {
    if let Who::Port { frame, requests, .. } = claimant.who {
        out.drop(frame);
        out.drop(requests.into_frames());
    }
}

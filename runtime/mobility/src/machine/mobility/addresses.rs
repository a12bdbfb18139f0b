//! Addresses of all hosts: whose each is, who else says that he has it (B10), and who is answered for (B11).

use std::net::IpAddr;

use vouch_net::{MacAddr, Vni};

use super::Mobility;
use crate::guards::{Guard, is_out};
use crate::inout::action::Action;
use crate::inout::message::{AddressClaim, AddressReply, Message};
use crate::inout::report::{Full, Report};
use crate::inout::view::BindingView;
use crate::machine::disputes::{Announcement, Due, Heard, Key};
use crate::machine::host::Role;
use crate::machine::slot::Slot;
use crate::roles::fact::{AddressClaimant, Fact, HeardAt};
use crate::roles::world::Out;
use crate::words::ids::{AccessId, FrameId, HostKey, Location, VtepAddr};
use crate::words::time::Instant;

impl Mobility {
    /// Whether another host has the address.
    pub(super) fn is_anothers(&self, host: HostKey, address: IpAddr) -> bool {
        self.bindings.get(&(host.vni, address)).is_some_and(|&mac| mac != host.mac)
    }

    /// Whether addresses like this are bound to hosts at all.
    fn is_bound(&self, host: HostKey, address: IpAddr) -> bool {
        let Some(vni) = self.config.vnis.get(&host.vni) else { return false };
        let shared = vni.shared.iter().any(|prefix| prefix.contains(&address));
        let moves_freely = vni.trusted_moves.iter().any(|prefix| prefix.contains(host.mac));
        vni.bindings && !shared && !moves_freely && self.config.verify
    }

    /// Brings the bindings up to date with the host's addresses. Of two hosts with one address, the first keeps it.
    pub(super) fn bind(&mut self, host: HostKey, slot: &mut Slot, gone: bool) {
        let revision = slot.known.addresses.revision();
        let mute = slot.known.addresses.is_mute() && !is_out(Guard::MuteIsRemembered);
        let answers = !matches!(slot.role, Role::Owner(_)) || !mute;
        if !gone && slot.bound_revision == revision && slot.bound_answers == answers {
            return;
        }
        slot.bound_revision = revision;
        let news = std::mem::replace(&mut slot.bound_answers, answers) != answers;
        let wanted: Vec<_> = if gone {
            Vec::new()
        } else {
            slot.known.addresses.iter().filter(|it| self.is_bound(host, it.address)).collect()
        };
        let mut freed = Vec::new();
        for before in &slot.bound {
            let key = (host.vni, before.address);
            let kept = wanted.iter().any(|binding| binding.address == before.address);
            if !kept && self.bindings.get(&key) == Some(&host.mac) {
                self.bindings.remove(&key);
                self.actions.push_back(Action::Bind { vni: host.vni, address: before.address, binding: None });
                freed.push(before.address);
            }
        }
        slot.bound = wanted
            .into_iter()
            .filter(|binding| {
                let holder = *self.bindings.entry((host.vni, binding.address)).or_insert(host.mac);
                let its = holder == host.mac;
                if !its {
                    self.unbound.insert((host.vni, binding.address, host.mac));
                } else if !slot.bound.contains(binding) || (news && binding.confirmed) {
                    let view = BindingView { mac: host.mac, confirmed: binding.confirmed && answers };
                    let (vni, address) = (host.vni, binding.address);
                    self.actions.push_back(Action::Bind { vni, address, binding: Some(view) });
                }
                its
            })
            .collect();
        for address in freed {
            self.bind_to_next(host.vni, address);
        }
    }

    /// An address is free: whoever else is known to have it gets it.
    fn bind_to_next(&mut self, vni: Vni, address: IpAddr) {
        let of_address = (vni, address, MacAddr::ZERO)..=(vni, address, MacAddr::BROADCAST);
        let next: Vec<_> = self.unbound.range(of_address).copied().collect();
        for (vni, address, mac) in next {
            self.unbound.remove(&(vni, address, mac));
            let host = HostKey { vni, mac };
            if let Some(mut slot) = self.hosts.remove(&host) {
                slot.bound_revision = slot.known.addresses.revision().wrapping_sub(1);
                self.bind(host, &mut slot, false);
                self.hosts.insert(host, slot);
            }
        }
    }

    /// A host asks for somebody. If a verified binding says who that is, it is told (B11); it then asks nobody else.
    pub(super) fn requested(
        &mut self,
        host: HostKey,
        port: AccessId,
        address: Option<IpAddr>,
        target: IpAddr,
        frame: FrameId,
        now: Instant,
    ) {
        if self.is_reserved(host) || !self.config.vnis.contains_key(&host.vni) {
            self.counters.reserved_ignored += 1;
            return self.drop(Some(frame));
        }
        if let Some(address) = address.filter(|&address| self.is_anothers(host, address)) {
            // It would teach whoever gets it that the address is this host's.
            let heard = HeardAt { disputed: Some(address), ..HeardAt::arp(port, None, None) };
            self.tell(host, Fact::Heard(heard), now);
            return self.address_disputed(host, address, port, Some(frame), now);
        }
        match self.verified_holder(host, target) {
            Some(mac) => {
                self.counters.requests_answered += 1;
                self.actions.push_back(Action::Answer { frame, target, mac });
                self.tell(host, Fact::Seen { port, address }, now);
            }
            None => self.tell(host, Fact::Requests { port, address, target, frame }, now),
        }
    }

    /// Who has the address for certain: it was confirmed, and nobody is claiming its host.
    pub(super) fn verified_holder(&self, asker: HostKey, target: IpAddr) -> Option<MacAddr> {
        let mac = *self.bindings.get(&(asker.vni, target))?;
        let slot = self.hosts.get(&HostKey { vni: asker.vni, mac })?;
        let confirmed = slot.bound.iter().any(|binding| binding.address == target && binding.confirmed);
        let settled = match &slot.role {
            Role::Owner(owner) => owner.inquiry().is_none(),
            Role::Observer(_) => true,
            Role::Absent(_) | Role::Sought(_) | Role::Claimant(_) => false,
        };
        (confirmed && settled && mac != asker.mac).then_some(mac)
    }

    /// A host says that it has an address that another has. What it said goes nowhere before that is decided.
    pub(super) fn address_disputed(
        &mut self,
        claimant: HostKey,
        address: IpAddr,
        port: AccessId,
        frame: Option<FrameId>,
        now: Instant,
    ) {
        let here = self.hosts.get(&claimant).and_then(|slot| slot.location()) == Some(Location::Local(port));
        let Some(&mac) = self.bindings.get(&(claimant.vni, address)).filter(|_| here) else {
            // A host that is not where it belongs has no say in addresses.
            return self.drop(frame);
        };
        let holder = HostKey { vni: claimant.vni, mac };
        let vni = &self.config.vnis[&claimant.vni];
        let claim = Out::new(&mut self.counters, &mut self.ids, &self.peers, vni).new_claim(&self.config);
        let announcement = Announcement { key: (claimant, address), holder, port, claim, frame };
        match self.disputes.heard(&announcement, now, &self.config.timers, &self.config.limits) {
            Heard::Ask => {}
            Heard::Known => {
                self.counters.damped += 1;
                return self.drop(frame);
            }
            Heard::Full => {
                self.drop(frame);
                return self.is_full(Full::Bindings(port), None, now);
            }
        }
        self.counters.address_claims += 1;
        let vni = claimant.vni;
        self.actions.push_back(Action::Report(Report::AddressClaimed { vni, address, holder, claimant, port }));
        let by = AddressClaimant::Here(claimant);
        match self.hosts.get(&holder).and_then(|slot| slot.location()) {
            Some(Location::Remote(owner)) if self.peers.is_up(owner) => {
                let message = Message::AddressClaim(AddressClaim { holder, address, claim });
                self.actions.push_back(Action::Send { to: owner, message });
            }
            // Nobody can be asked: nothing is proved.
            Some(Location::Remote(_)) => self.address_decided((claimant, address), false, now),
            Some(Location::Local(_)) | None => self.tell(holder, Fact::AddressClaimed { address, by }, now),
        }
    }

    /// A peer wants to know whether one of our hosts still has an address.
    pub(super) fn address_claimed(&mut self, from: VtepAddr, claim: AddressClaim, now: Instant) {
        let AddressClaim { holder, address, claim } = claim;
        let by = AddressClaimant::Peer(from, claim);
        self.tell_from(from, holder, Fact::AddressClaimed { address, by }, now);
    }

    pub(super) fn address_replied(&mut self, from: VtepAddr, reply: AddressReply, now: Instant) {
        let AddressReply { holder, address, claim, given_up } = reply;
        let of_peer = self.hosts.get(&holder).and_then(|slot| slot.location()) == Some(Location::Remote(from));
        match self.disputes.of_claim(holder, address, claim).filter(|_| of_peer) {
            Some(key) => self.address_decided(key, given_up, now),
            None => self.counters.stale_messages += 1,
        }
    }

    pub(super) fn address_decided(&mut self, key: Key, given_up: bool, now: Instant) {
        let (claimant, address) = key;
        let Some(decided) = self.disputes.decide(key, given_up, now, &self.config.timers) else { return };
        let (holder, port) = (decided.holder, decided.port);
        if !given_up {
            self.counters.addresses_refused += 1;
            self.counters.attacks += u64::from(decided.refusals == self.config.timers.attack_refusals);
            self.drop(decided.frame);
            let refusals = decided.refusals;
            self.actions.push_back(Action::Report(Report::AddressKept { address, holder, claimant, port, refusals }));
            return;
        }
        if let Some(mut slot) = self.hosts.remove(&holder) {
            slot.known.addresses.remove(address);
            self.put_back(holder, slot, now);
        }
        self.counters.addresses_moved += 1;
        self.actions.push_back(Action::Report(Report::AddressMoved { address, from: holder, to: claimant }));
        self.tell(claimant, Fact::Seen { port, address: Some(address) }, now);
        self.actions.extend(decided.frame.map(|frame| Action::Release { frame }));
    }

    pub(super) fn disputes_due(&mut self, now: Instant) {
        while let Some(due) = self.disputes.take_due(now, &self.config.timers) {
            match due {
                Due::NoAnswer(key) => self.address_decided(key, false, now),
                Due::Again((claimant, address), port) => {
                    self.counters.taken_up_again += 1;
                    self.address_disputed(claimant, address, port, None, now);
                }
            }
        }
    }
}

//! Next hops that are known by their IP addresses: what the machine of `vouch-underlay` hears and says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vouch_mobility::Instant;
use vouch_net::MacAddr;
use vouch_tables::{EntryAction, EntryKey, PacketOut, Port, PuntReason};
use vouch_underlay::bfd::BfdTimers;
use vouch_underlay::{Action, Asking, Link, NextHop as Hop, Time, Underlay};

use super::super::log::say;
use super::Core;
use super::reporting::Said;
use super::restore::prior_next_hops;
use crate::config::{NextHop, Route, UnderlayConfig};
use crate::events::AgentEventKind;

/// The machine of a configuration, which knows of no next hop yet. `seed` tells the BFD sessions of this life from those before.
pub(super) fn machine(underlay: &UnderlayConfig, seed: u64, now: Instant) -> Underlay {
    let links = underlay.ports.iter().filter_map(|port| {
        let bfd = port.bfd.map(|bfd| BfdTimers { interval: bfd.interval, multiplier: bfd.misses });
        Some((port.port.get(), Link { mac: port.mac, address: port.address?.address(), bfd }))
    });
    let named = underlay.routes.iter().flat_map(Route::all_hops).filter_map(|hop| by_address(underlay, hop));
    // Who has routes by us is not answered otherwise, and uses none of them.
    let watched = underlay.ports.iter().filter(|port| port.bfd.is_some());
    let watched = watched.filter_map(|it| Some(Hop { port: it.port.get(), address: it.address?.other_end()? }));
    let hops: BTreeSet<Hop> = named.chain(watched).collect();
    let asking = Asking { every: underlay.neighbours.ask_every, misses: underlay.neighbours.misses };
    // As many bits as a session's number has room for beside it.
    Underlay::new(links.collect(), hops, asking, seed as u32, time(now))
}

/// A next hop as the machine knows it, if it does.
fn by_address(underlay: &UnderlayConfig, hop: NextHop) -> Option<Hop> {
    match hop {
        NextHop::Address(address) => Some(Hop { port: underlay.port_of(hop)?.port.get(), address }),
        NextHop::At { .. } => None,
    }
}

fn time(now: Instant) -> Time {
    Duration::from_micros(now.as_micros())
}

impl Core {
    /// What a neighbour says on a link.
    pub(crate) fn neighbour(&mut self, port: Port, frame: &[u8], now: Instant) {
        *self.punts.entry(PuntReason::Neighbour).or_default() += 1;
        if let Err(refused) = self.underlay.handle(port.get(), frame, time(now)) {
            self.counters.neighbours_refused += 1;
            if let Some(times) = self.said.say(Said::Neighbour(port.get()), now) {
                tracing::warn!(
                    agent = self.config.name, port = port.get(), times, %refused,
                    "said on a link of the underlay, and not believed"
                );
            }
        }
        self.follow_underlay(now);
    }

    /// Takes over what the switch had in use.
    pub(super) fn restore_next_hops(&mut self, actual: &BTreeMap<EntryKey, EntryAction>, now: Instant) {
        for (hop, mac) in prior_next_hops(&self.config.underlay, actual) {
            if let Some(hop) = by_address(&self.config.underlay, hop) {
                self.underlay.restored(hop, mac, time(now));
            }
        }
        self.follow_underlay(now);
    }

    /// Does what is due.
    pub(super) fn ask_next_hops(&mut self, now: Instant) {
        self.underlay.timeout(time(now));
        self.follow_underlay(now);
    }

    /// When [`Self::ask_next_hops`] is to be called next.
    pub(super) fn next_hops_due(&self) -> Option<Instant> {
        self.underlay.next_deadline().map(|due| Instant::EPOCH + due)
    }

    /// The next hops that are known by their addresses, with the MAC addresses of those that are used.
    pub(crate) fn next_hops(&self) -> impl Iterator<Item = (Hop, Option<MacAddr>)> {
        self.underlay.next_hops()
    }

    fn follow_underlay(&mut self, now: Instant) {
        while let Some(action) = self.underlay.poll_action() {
            match action {
                Action::Send { port, frame } => {
                    if let Some(port) = Port::new(port) {
                        self.at_once.push_back((PacketOut::Link { port }, frame));
                    }
                }
                Action::Up { hop, mac } => self.next_hop(hop, Some(mac), None, now),
                Action::Down { hop, why } => self.next_hop(hop, None, Some(why.to_string()), now),
            }
        }
    }

    /// Takes a next hop into use, or out of it.
    fn next_hop(&mut self, hop: Hop, mac: Option<MacAddr>, why: Option<String>, now: Instant) {
        let Hop { port, address } = hop;
        self.wanted.set_next_hop(address, mac, &self.config, &self.numbering);
        let of = NextHop::Address(address);
        let routes = || self.config.underlay.routes.iter().filter(|route| route.all_hops().any(|it| it == of));
        let event = AgentEventKind::NextHop {
            port,
            address,
            mac,
            why,
            routes: routes().map(|route| route.prefix).collect(),
            without: routes()
                .filter(|route| !self.wanted.leads_on(route, &self.config))
                .map(|route| route.prefix)
                .collect(),
        };
        match mac {
            Some(_) => self.inform(&event, now),
            None => {
                self.say_unsaid(now);
                let line = self.line_of(&event);
                if self.floods.admits(line.kind) {
                    say!(warn, self.config.name, line, |place| self.words(place), None::<u64>);
                }
            }
        }
        self.events.push_back(event);
    }
}

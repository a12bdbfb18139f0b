//! How much room there is for another host: nobody may fill what others need.
//!
//! Half of all room is shared out in equal parts to the VNIs, the other half goes to who comes first. A peer may have nine tenths of a VNI's
//! room, so that what is heard here always finds some.

use std::collections::BTreeMap;

use vouch_net::Vni;

use crate::guards::{Guard, is_out};
use crate::inout::report::Full;
use crate::words::config::Config;
use crate::words::ids::{AccessId, Location, VtepAddr};

/// How many hosts there are, by VNI, and by the peer that has them.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Shares {
    total: usize,
    vnis: BTreeMap<Vni, usize>,
    peers: BTreeMap<VtepAddr, usize>,
}

impl Shares {
    /// Whether a host of the VNI may be added; who is full if not. The room of ports is looked after elsewhere.
    pub(crate) fn room(&self, vni: Vni, at: Location, config: &Config) -> Result<(), Full> {
        let total = config.limits.hosts;
        let part = total / 2 / config.vnis.len().max(1);
        let of = |vni: &Vni| self.vnis.get(vni).copied().unwrap_or(0);
        if config.vnis.get(&vni).and_then(|vni| vni.hosts).is_some_and(|most| of(&vni) >= most) {
            return Err(Full::Vni(vni));
        }
        if of(&vni) >= part && !is_out(Guard::Shares) {
            // What others have not taken of their parts is theirs.
            let kept: usize =
                config.vnis.keys().filter(|other| **other != vni).map(|other| part.saturating_sub(of(other))).sum();
            if self.total + kept >= total {
                return Err(Full::Vni(vni));
            }
        }
        match at {
            Location::Remote(peer) if self.peers.get(&peer).copied().unwrap_or(0) >= total - total / 10 => {
                Err(Full::Peer(peer))
            }
            Location::Remote(_) | Location::Local(_) => Ok(()),
        }
    }

    pub(crate) fn add(&mut self, vni: Vni, at: Option<VtepAddr>) {
        self.total += 1;
        *self.vnis.entry(vni).or_default() += 1;
        if let Some(peer) = at {
            *self.peers.entry(peer).or_default() += 1;
        }
    }

    pub(crate) fn remove(&mut self, vni: Vni, at: Option<VtepAddr>) {
        self.total = self.total.saturating_sub(1);
        if let Some(count) = self.vnis.get_mut(&vni) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = at.and_then(|peer| self.peers.get_mut(&peer)) {
            *count = count.saturating_sub(1);
        }
    }
}

/// What was refused for want of room, so that it is said once, and asked for again when there is room (B13).
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Refusals {
    full: BTreeMap<Full, std::collections::BTreeSet<VtepAddr>>,
}

impl Refusals {
    /// `what` was full when `by` (a peer, or a port of ours) wanted more. Whether that is news.
    pub(crate) fn note(&mut self, what: Full, by: Option<VtepAddr>) -> bool {
        let news = !self.full.contains_key(&what);
        self.full.entry(what).or_default().extend(by);
        news
    }

    /// What is full by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = Full> {
        self.full.keys().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.full.is_empty()
    }

    /// There is room again: the peers to ask.
    pub(crate) fn take(&mut self, what: Full) -> Vec<VtepAddr> {
        self.full.remove(&what).map(|peers| peers.into_iter().collect()).unwrap_or_default()
    }

    /// A port is no longer there to be full.
    pub(crate) fn forget_port(&mut self, port: AccessId) {
        self.full
            .retain(|what, _| !matches!(*what, Full::Hosts(of) | Full::Claims(of) | Full::Bindings(of) if of == port));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::config::{Limits, VniConfig};

    const HERE: Location = Location::Local(AccessId(1));

    fn vni(number: u32) -> Vni {
        Vni::new(number).expect("fits")
    }

    fn config() -> Config {
        let mut config = Config::new(VtepAddr([10, 0, 0, 1].into()));
        config.limits = Limits { hosts: 40, ..Limits::default() };
        config.vnis = [1, 2].map(|number| (vni(number), VniConfig::default())).into();
        config
    }

    #[test]
    fn a_vni_that_takes_all_it_can_leaves_the_others_their_part() {
        let (config, mut shares) = (config(), Shares::default());
        let mut taken = 0;
        while shares.room(vni(1), HERE, &config).is_ok() {
            shares.add(vni(1), None);
            taken += 1;
        }
        assert_eq!(taken, 30, "its own part, and the half for who comes first");
        for _ in 0..10 {
            assert_eq!(shares.room(vni(2), HERE, &config), Ok(()));
            shares.add(vni(2), None);
        }
        assert_eq!(shares.room(vni(2), HERE, &config), Err(Full::Vni(vni(2))));
        shares.remove(vni(1), None);
        assert_eq!(shares.room(vni(2), HERE, &config), Ok(()), "what is free goes to who comes first");
    }

    #[test]
    fn a_peer_cannot_have_everything() {
        let (mut config, mut shares) = (config(), Shares::default());
        config.vnis.remove(&vni(2));
        let peer = VtepAddr([10, 0, 0, 2].into());
        for _ in 0..36 {
            assert_eq!(shares.room(vni(1), Location::Remote(peer), &config), Ok(()));
            shares.add(vni(1), Some(peer));
        }
        assert_eq!(shares.room(vni(1), Location::Remote(peer), &config), Err(Full::Peer(peer)));
        assert_eq!(shares.room(vni(1), HERE, &config), Ok(()));
    }
}

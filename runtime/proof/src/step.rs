//! What may happen in a state, and what comes of it.

use std::sync::Arc;

use vouch_mobility::{AccessId, Event, Evidence, HostKey, Location};
use vouch_net::MacAddr;

use crate::act::Act;
use crate::scene::{Budget, Place, Scene, VTEPS, address, vni};
use crate::world::{World, ip};

impl World {
    /// All that may happen now.
    pub(crate) fn acts(&self, scene: &Scene, acts: &mut Vec<Act>) {
        if self.ended || self.ghosts.violation.is_some() {
            return;
        }
        let next = self.next_time();
        let late = next.is_none_or(|next| next - self.begun > scene.horizon);
        self.arrivals(acts);
        let quiet = acts.is_empty();
        if !late && next.is_some_and(|next| self.may_wait_until(next)) {
            acts.push(Act::Tick);
        }
        let spent = self.left == Budget::default();
        if !spent && self.now - self.begun <= scene.horizon {
            self.deeds(scene, acts);
        }
        // Once nothing can happen any more but what has to, that happens at once.
        if quiet && (late || (spent && self.is_settled())) {
            acts.retain(|act| !matches!(act, Act::Tick));
            acts.push(Act::Calm);
        }
    }

    fn is_settled(&self) -> bool {
        let settled = |info: vouch_mobility::HostInfo| info.phase == vouch_mobility::Phase::Settled;
        self.vteps.iter().all(|vtep| vtep.alive && vtep.machine.hosts().all(settled))
    }

    /// What is on its way may arrive, or not.
    fn arrivals(&self, acts: &mut Vec<Act>) {
        for from in 0..VTEPS {
            for to in (0..VTEPS).filter(|&to| to != from) {
                let waiting = self.parcels.iter().filter(|parcel| (parcel.from, parcel.to) == (from, to)).count();
                if waiting > 0 {
                    acts.push(Act::Deliver { from, to });
                }
                if waiting > 0 && self.left.losses > 0 {
                    acts.push(Act::Lose { from, to });
                }
                if waiting > 0 && self.left.doubles > 0 {
                    acts.push(Act::Double { from, to });
                }
                if waiting > 1 && self.left.swaps > 0 {
                    acts.push(Act::Overtake { from, to });
                }
            }
        }
        for (number, answer) in self.answers.iter().enumerate() {
            if answer.from > self.now || self.answers[..number].contains(answer) {
                continue;
            }
            acts.push(Act::Answer(number));
            if self.left.lost_answers > 0 {
                acts.push(Act::LoseAnswer(number));
            }
        }
    }

    /// What anybody may do.
    fn deeds(&self, scene: &Scene, acts: &mut Vec<Act>) {
        let left = &self.left;
        let hosts = scene.hosts.len();
        let impostors = hosts..hosts + scene.impostors.len();
        let stranger = hosts + scene.impostors.len();
        if left.forged > 0 {
            for device in impostors {
                acts.extend(scene.evidence.iter().map(|&evidence| Act::Say { device, evidence }));
            }
        }
        if left.lies > 0 {
            // At the VTEP that asks, who answers is there.
            let home = scene.hosts[0].0.vtep;
            let elsewhere = (hosts..stranger).filter(|&device| self.devices[device].place.vtep != home);
            acts.extend(elsewhere.map(|device| Act::Lie { device }));
        }
        if left.says > 0 {
            for device in 0..hosts {
                acts.extend(scene.speech.iter().map(|&evidence| Act::Say { device, evidence }));
            }
        }
        if scene.stranger.is_some() {
            if left.poisons > 0 {
                acts.push(Act::Poison { device: stranger });
            }
            if left.floods > 0 {
                acts.push(Act::Flood { device: stranger });
            }
        }
        if left.moves > 0 {
            let places = scene.places.iter().filter(|&&place| place != self.devices[0].place);
            acts.extend(places.map(|&to| Act::Move { to }));
        }
        if left.readdresses > 0 {
            acts.push(Act::Readdress);
        }
        if left.gives_up > 0 && self.devices[0].addresses.count_ones() > 1 {
            acts.push(Act::GiveUp);
        }
        if left.habits > 0 {
            let habits = scene.habits.iter().filter(|&&habit| habit != self.devices[0].habit);
            acts.extend(habits.map(|&habit| Act::Change { habit }));
        }
        let home = self.devices[0].place;
        for &vtep in scene.failing {
            match (self.vteps[vtep].alive, self.vteps[vtep].deaf) {
                (false, _) => acts.push(Act::Start { vtep }),
                (true, deaf) => {
                    if left.kills > 0 {
                        acts.push(Act::Kill { vtep });
                    }
                    if left.reboots > 0 {
                        acts.push(Act::Reboot { vtep });
                    }
                    if deaf {
                        acts.push(Act::Hear { vtep });
                    } else if left.deaf > 0 {
                        acts.push(Act::Deafen { vtep });
                    }
                }
            }
            if left.idles > 0 && self.vteps[vtep].alive && vtep == home.vtep {
                acts.push(Act::Idle { vtep });
            }
        }
        for a in 0..VTEPS {
            for b in a + 1..VTEPS {
                if !scene.failing.contains(&a) || !self.vteps[a].alive || !self.vteps[b].alive {
                    continue;
                }
                match self.is_up(a, b) {
                    true if left.breaks > 0 => acts.push(Act::Break { a, b }),
                    false if scene.mends => acts.push(Act::Mend { a, b }),
                    true | false => {}
                }
            }
        }
        let unlinked = self.vteps[home.vtep].unlinked.contains(&home.port);
        if left.unplugs > 0 && !unlinked {
            acts.push(Act::Unplug);
        }
        if left.relinks > 0 && unlinked {
            acts.push(Act::Relink);
        }
        if left.drains > 0 && self.vteps[home.vtep].alive && !self.is_draining(home.vtep) {
            acts.push(Act::Drain);
        }
        acts.extend((0..VTEPS).filter(|&vtep| self.is_draining(vtep)).map(|vtep| Act::Use { vtep }));
        if left.expects > 0 {
            acts.extend(scene.places.iter().map(|&to| Act::Expect { to }));
        }
    }

    /// Does it. Whether anything came of it.
    pub(crate) fn act(&mut self, scene: &Scene, act: Act) -> bool {
        self.ghosts.happened = 0;
        let changed = self.perform(scene, act);
        if changed && !self.ended {
            self.look_around(scene);
        }
        changed
    }

    fn take_parcel(&mut self, from: usize, to: usize, nth: usize) -> Option<crate::world::Parcel> {
        let mut its = self.parcels.iter().enumerate().filter(|(_, parcel)| (parcel.from, parcel.to) == (from, to));
        let at = its.nth(nth)?.0;
        Some(self.parcels.remove(at))
    }

    fn perform(&mut self, scene: &Scene, act: Act) -> bool {
        match act {
            Act::Deliver { from, to } | Act::Overtake { from, to } => {
                let overtakes = matches!(act, Act::Overtake { .. });
                self.left.swaps -= u8::from(overtakes);
                let Some(parcel) = self.take_parcel(from, to, usize::from(overtakes)) else { return false };
                self.deliver(scene, parcel);
            }
            Act::Lose { from, to } => {
                self.left.losses -= 1;
                return self.take_parcel(from, to, 0).is_some();
            }
            Act::Double { from, to } => {
                self.left.doubles -= 1;
                let first = self.parcels.iter().find(|parcel| (parcel.from, parcel.to) == (from, to)).cloned();
                let Some(parcel) = first else { return false };
                self.deliver(scene, parcel);
            }
            Act::Answer(number) => {
                let answer = self.answers.remove(number);
                self.answer(scene, answer);
            }
            Act::LoseAnswer(number) => {
                self.left.lost_answers -= 1;
                let answer = self.answers.remove(number);
                for asked in &mut Arc::make_mut(&mut self.vteps[answer.to]).asked {
                    asked.lost = true;
                }
            }
            Act::Lie { device } => {
                self.left.lies -= 1;
                let (home, liar) = (scene.hosts[0].0.vtep, self.devices[device]);
                let via = Location::Remote(address(liar.place.vtep));
                let Some(address) = liar.first() else { return false };
                let (from, until) = (self.now, self.now);
                self.answer(scene, crate::world::Pending { device, to: home, via, address, from, until });
            }
            Act::Tick => {
                let Some(next) = self.next_time() else { return false };
                self.pass(scene, next);
            }
            Act::Say { device, evidence } => return self.say(scene, device, evidence),
            Act::Poison { device } => {
                self.left.poisons -= 1;
                let (place, who) = (self.devices[device].place, self.devices[device].host);
                let address = scene.hosts[0].1.trailing_zeros() as u8;
                return self.frame(scene, place, who, Evidence::Arp, Some(ip(address)));
            }
            Act::Flood { device } => {
                self.left.floods -= 1;
                let place = self.devices[device].place;
                for last in 0..4 {
                    let mac = MacAddr([2, 0, 0, 0, 1 + self.left.floods, last]);
                    self.frame(scene, place, HostKey { vni: vni(), mac }, Evidence::Data, None);
                }
            }
            Act::Move { to } => {
                self.left.moves -= 1;
                self.first_comes_to(to);
            }
            Act::Readdress => {
                self.left.readdresses -= 1;
                let device = &mut self.devices[0];
                let next = 1 << (8 - device.addresses.leading_zeros());
                device.addresses = next;
                let (place, who, address) = (device.place, device.host, device.first());
                self.answers.retain(|answer| answer.device != 0);
                let heard = self.frame(scene, place, who, Evidence::Arp, address);
                self.ghosts.hosts[0].announced = heard;
            }
            Act::GiveUp => {
                self.left.gives_up -= 1;
                self.devices[0].addresses &= self.devices[0].addresses - 1;
                self.answers.retain(|answer| answer.device != 0);
            }
            Act::Change { habit } => {
                self.left.habits -= 1;
                let device = &mut self.devices[0];
                (device.habit, device.since) = (habit, self.now);
                self.ghosts.hosts[0].excused = true;
                self.ghosts.hosts[0].announced &= habit == crate::scene::Habit::Never;
                self.answers.retain(|answer| answer.device != 0);
            }
            Act::Kill { vtep } => {
                self.left.kills -= 1;
                self.kill(scene, vtep);
                self.ghosts.unheard();
            }
            Act::Start { vtep } => self.start(vtep, true, scene),
            Act::Reboot { vtep } => {
                self.left.reboots -= 1;
                self.start(vtep, false, scene);
                self.ghosts.unheard();
            }
            Act::Break { a, b } => {
                self.left.breaks -= 1;
                self.set_session(scene, a, b, false);
            }
            Act::Mend { a, b } => self.set_session(scene, a, b, true),
            Act::Deafen { vtep } => {
                self.left.deaf -= 1;
                Arc::make_mut(&mut self.vteps[vtep]).deaf = true;
            }
            Act::Hear { vtep } => Arc::make_mut(&mut self.vteps[vtep]).deaf = false,
            Act::Unplug => {
                self.left.unplugs -= 1;
                self.ghosts.hosts[0].excused = true;
                self.ghosts.hosts[0].announced = false;
                let place = self.devices[0].place;
                self.answers.retain(|answer| answer.device != 0);
                self.link(scene, place, false);
            }
            Act::Relink => {
                self.left.relinks -= 1;
                let Place { vtep, port } = self.devices[0].place;
                self.link_unknown(scene, vtep, port);
                self.devices[0].since = self.now;
            }
            Act::Idle { vtep } => {
                self.left.idles -= 1;
                let host = self.devices[0].host;
                self.ghosts.hosts[0].excused |= self.devices[0].habit != crate::scene::Habit::InTime;
                self.feed(scene, vtep, Event::Idle { host });
            }
            Act::Expect { to } => {
                self.left.expects -= 1;
                let (host, at) = (self.devices[0].host, self.devices[0].place.vtep);
                let until = self.now + scene.horizon;
                self.ghosts.expects(to, until);
                let to = match to {
                    Place { vtep, port } if vtep == at => Location::Local(port),
                    Place { vtep, .. } => Location::Remote(address(vtep)),
                };
                if !self.vteps[at].alive {
                    return false;
                }
                self.feed(scene, at, Event::MoveExpected { host, to, until });
            }
            Act::Drain => {
                self.left.drains -= 1;
                self.drain(scene, self.devices[0].place.vtep, true);
            }
            Act::Use { vtep } => self.drain(scene, vtep, false),
            Act::Calm => self.calm(scene),
        }
        true
    }

    fn first_comes_to(&mut self, to: Place) {
        let device = &mut self.devices[0];
        (device.place, device.since) = (to, self.now);
        self.answers.retain(|answer| answer.device != 0);
        let ghost = &mut self.ghosts.hosts[0];
        (ghost.settled, ghost.moved, ghost.announced) = (false, true, false);
    }

    fn say(&mut self, scene: &Scene, number: usize, evidence: Evidence) -> bool {
        let device = self.devices[number];
        if device.genuine {
            self.left.says -= 1;
        } else {
            self.left.forged -= 1;
        }
        let Place { vtep, port } = device.place;
        if self.vteps[vtep].unlinked.contains(&AccessId(port.0)) {
            return false;
        }
        let heard = self.frame(scene, device.place, device.host, evidence, device.first());
        if heard && evidence != Evidence::Dad {
            self.ghosts.announces(device.place, self.now);
            if device.genuine {
                self.ghosts.hosts[number].announced = true;
            }
        }
        heard
    }
}

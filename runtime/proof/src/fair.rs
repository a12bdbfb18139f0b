//! Fair weather: before anything happens, and when nothing happens any more.

use std::sync::Arc;
use std::time::Duration;

use vouch_mobility::{Event, Evidence, Location};

use crate::scene::{Habit, Place, Scene, VTEPS, at};
use crate::world::World;

/// For how long a VTEP is new.
const YOUNG: Duration = Duration::from_secs(31);

impl World {
    /// The sessions come up, the VTEPs grow old enough to know what there is to know, the hosts say who they are, and are asked.
    pub(crate) fn prelude(&mut self, scene: &Scene) {
        for a in 0..VTEPS {
            for b in a + 1..VTEPS {
                self.set_session(scene, a, b, true);
            }
        }
        self.fair(scene, YOUNG);
        for number in 0..scene.hosts.len() {
            self.introduce(scene, number);
        }
        self.fair(scene, Duration::from_secs(5));
        self.look_around(scene);
    }

    /// A host says which addresses it has.
    fn introduce(&mut self, scene: &Scene, number: usize) {
        let device = self.devices[number];
        for bit in (1..8).filter(|bit| device.addresses & (1 << bit) != 0) {
            self.frame(scene, device.place, device.host, Evidence::Arp, Some(crate::world::ip(bit)));
        }
    }

    /// Everything arrives, everybody who answers does.
    pub(crate) fn fair(&mut self, scene: &Scene, time: Duration) {
        let end = self.now + time;
        let mut steps = 0;
        loop {
            steps += 1;
            if steps > 20_000 {
                return self.ghosts.never_rests(0);
            }
            if !self.parcels.is_empty() {
                let parcel = self.parcels.remove(0);
                self.deliver(scene, parcel);
            } else if let Some(at) = self.answers.iter().position(|answer| answer.from <= self.now) {
                let answer = self.answers.remove(at);
                self.answer(scene, answer);
            } else {
                match self.next_time().filter(|&next| next <= end) {
                    Some(next) => self.pass(scene, next),
                    None => break,
                }
            }
            if self.ghosts.violation.is_some() {
                return;
            }
        }
        self.now = end;
    }

    /// Who took a host while it was nowhere, and never says anything, has it until it ages (4a). So has a VTEP that has forgotten how it answered.
    fn impostors_age(&mut self, scene: &Scene) {
        let mut aged = false;
        let host = self.devices[0].host;
        for vtep in 0..VTEPS {
            let Some(Location::Local(port)) = self.vteps[vtep].location(&host) else { continue };
            let mut there = self.devices.iter().filter(|device| device.place == Place { vtep, port });
            let unheard = there.clone().all(|device| !device.genuine && device.habit == Habit::Never);
            if unheard && (there.next().is_some() || self.vteps[vtep].forgetful) {
                self.feed(scene, vtep, Event::Idle { host });
                aged = true;
            }
        }
        if aged {
            self.fair(scene, Duration::from_secs(6));
        }
    }

    /// What is broken is repaired, nobody lies any more, the hosts say where they are, and it is waited.
    pub(crate) fn calm(&mut self, scene: &Scene) {
        self.ended = true;
        for vtep in 0..VTEPS {
            if !self.vteps[vtep].alive {
                self.start(vtep, true, scene);
            }
            if self.vteps[vtep].deaf {
                Arc::make_mut(&mut self.vteps[vtep]).deaf = false;
            }
            for port in self.vteps[vtep].unlinked.clone() {
                self.link(scene, Place { vtep, port }, true);
            }
        }
        for a in 0..VTEPS {
            for b in a + 1..VTEPS {
                if scene.is_lossy() {
                    self.set_session(scene, a, b, false);
                }
                self.set_session(scene, a, b, true);
            }
        }
        // Who has fallen silent is back.
        let pauses = scene.budget.habits > 0;
        for device in self.devices.iter_mut().filter(|device| device.genuine && pauses && device.habit == Habit::Never)
        {
            device.habit = Habit::InTime;
            self.ghosts.hosts[0].announced = false;
        }
        // Who has announced where he is need not do so again: what was damped, or lost on its way to a peer, is made good by itself.
        for number in 0..scene.hosts.len() {
            if self.ghosts.hosts[number].announced {
                continue;
            }
            self.introduce(scene, number);
        }
        if scene.other_vni {
            self.frame(scene, at(0, 1), Self::other_host(), Evidence::Arp, Some(crate::world::ip(7)));
        }
        self.fair(scene, Duration::from_secs(8));
        self.nobody_is_misled();
        self.impostors_age(scene);
        if self.ghosts.violation.is_none() {
            self.look_around(scene);
            self.look_back(scene);
        }
    }
}

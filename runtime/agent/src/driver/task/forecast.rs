//! What would happen if a host were claimed now: the method, applied to what is known of the host.

use std::time::Duration;

use vouch_mobility::{
    Contested, During, Escalation, ExpectedAt, HostDetail, Location, Unproven, UnreachableOwner, VtepAddr,
};

use super::super::core::Core;
use super::super::words::time;

impl Core {
    /// In the order in which it would happen. `is_up`: whether there is a session with a peer.
    pub(super) fn forecast(&self, detail: &HostDetail, is_up: impl Fn(VtepAddr) -> bool) -> Vec<String> {
        let (config, host) = (self.machine().config(), detail.info.host);
        let Some(vni) = config.vnis.get(&host.vni) else { return vec!["The VNI is none of this agent's.".to_owned()] };
        let mut told = Vec::new();
        if !config.verify {
            return vec!["Whoever claims it has it: verification is switched off (`verify: false`).".to_owned()];
        }
        if vni.trusted_moves.iter().any(|prefix| prefix.contains(host.mac)) {
            return vec!["Whoever claims it has it: its address is in `trusted_moves`.".to_owned()];
        }
        for (port, left) in &detail.quarantined {
            let place = self.words(self.place(Location::Local(*port)));
            told.push(format!(
                "On {place} nothing would be heard of it: the port is shut for it for {} more.",
                time(*left)
            ));
        }
        for refused in detail.refused.iter().filter(|refused| !refused.damped_for.is_zero()) {
            let place = self.words(self.place(Location::Local(refused.port)));
            told.push(format!(
                "On {place} it would only be seen in passing whether it has fallen silent: a claim there was refused, for {} more.",
                time(refused.damped_for)
            ));
        }
        if let Some((expected, left)) = detail.expected {
            let place = match expected {
                ExpectedAt::At(place) => self.words(self.place(place)),
                ExpectedAt::Here => "a port here".to_owned(),
            };
            told.push(format!("Its move to {place} is announced, for {} more: there it would be believed as soon as an answer is overdue, elsewhere only what is proved.", time(left)));
        }
        match detail.info.location {
            Some(Location::Local(_)) => self.if_owned(detail, vni.during, vni.unproven, vni.contested, &mut told),
            Some(Location::Remote(owner)) => {
                let name = self.vtep_name(owner);
                if is_up(owner) {
                    told.push(format!("Heard here, {name} would be asked to ask it: what comes of that only {name} can say (`vouch why` there)."));
                } else {
                    let then = match vni.unreachable_owner {
                        UnreachableOwner::Accept => "it would be ours (`owner_unreachable: accept`)",
                        UnreachableOwner::Hold => "its entry would stay as it is (`owner_unreachable: hold`)",
                    };
                    told.push(format!("Heard here, {name} could not be asked, as there is no session: it would be asked through the tunnel, and if it were silent, {then}."));
                }
            }
            None => told.push(
                "It is being looked for at all ports after a restart: the place that answers would have it.".to_owned(),
            ),
        }
        told
    }

    fn if_owned(
        &self,
        detail: &HostDetail,
        during: During,
        unproven: Unproven,
        contested: Contested,
        told: &mut Vec<String>,
    ) {
        let timers = &self.machine().config().timers;
        let place = detail.info.location.map_or_else(String::new, |place| self.words(self.place(place)));
        if detail.no_link {
            told.push(format!("It would be given away at once: {place} has no link."));
            return;
        }
        let targets: Vec<String> = detail.addresses.iter().map(|known| known.address.to_string()).collect();
        let targets = match targets.as_slice() {
            [] => "the link-local address of its MAC, as no address of its is known".to_owned(),
            targets => targets.join(", "),
        };
        told.push(format!(
            "It would be asked on {place} for {targets}: an answer, or any frame of its from there, refuses the claim."
        ));
        let overdue = overdue(timers.escalate, detail.overdue_after);
        told.push(match during {
            During::Hold => "Meanwhile its traffic would go to the old place only (`hold`).".to_owned(),
            During::Both => "Meanwhile its traffic would go to both places (`both`).".to_owned(),
            During::Escalate => {
                format!("Meanwhile its traffic would go to the old place, and to both once an answer is overdue, after {} (`escalate`).", time(overdue))
            }
        });
        if detail.answers {
            told.push(format!(
                "Its silence for {} would prove that it is gone: it was going to answer. It would move.",
                time(timers.verdict_after)
            ));
        } else {
            let why = if detail.mute {
                "it leaves questions unanswered"
            } else {
                "no address of its was confirmed there lately"
            };
            told.push(format!(
                "Its silence would prove nothing, because {why}: {}",
                match unproven {
                    Unproven::Wait => "the claim would stay unproven, and it would be asked again until something proves where it is (`unproven: wait`).",
                    Unproven::Move => "it would move all the same (`unproven: move`).",
                    Unproven::Refuse => "the claim would be refused (`unproven: refuse`).",
                }
            ));
        }
        if let Some(left) = detail.stay.and_then(|stay| stay.probation) {
            let before = detail.stay.and_then(|stay| stay.before);
            let from =
                before.map_or_else(|| "where it was before".to_owned(), |(place, _)| self.words(self.place(place)));
            told.push(format!(
                "It is on probation for {} more: if it answered at {from} too, it would be contested, and {}",
                time(left),
                match contested {
                    Contested::Both => "both places would receive (`contested: both`).",
                    Contested::Settled => "the older place would keep it (`contested: settled`).",
                    Contested::Newcomer => "the latest place would get it (`contested: newcomer`).",
                }
            ));
        }
    }
}

fn overdue(escalate: Escalation, usual: Option<Duration>) -> Duration {
    match escalate {
        Escalation::After(time) => time,
        Escalation::Auto { min, max } => usual.map_or(max, |usual| usual.max(min).min(max)),
    }
}

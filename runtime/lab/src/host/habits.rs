//! How a host behaves that is not like most: how it answers, which addresses it has, how it makes itself known.

use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use super::{Announcement, HostSpec};

/// How a host answers when it is asked for its address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// As soon as it can.
    #[default]
    AtOnce,
    /// Always so much later.
    After(Duration),
    /// Never, as with `arp_ignore` or a firewall.
    Never,
}

/// How a host is from the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Habits {
    /// How it answers.
    pub answers: Answers,
    /// It has no IPv4 address.
    pub ipv6_only: bool,
}

/// How a host tells everybody that it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Introduction {
    /// By announcements.
    Announcements(&'static [Announcement]),
    /// By data alone: somebody who never speaks of its addresses.
    Greeting,
}

impl Habits {
    /// The addresses that a host of these habits has.
    pub fn addresses(self, spec: &HostSpec) -> Vec<IpAddr> {
        match self.ipv6_only {
            true => vec![spec.ipv6.into()],
            false => vec![spec.ipv4.into(), spec.ipv6.into()],
        }
    }

    /// The address that others send to.
    pub fn address(self, spec: &HostSpec) -> IpAddr {
        if self.ipv6_only { spec.ipv6.into() } else { spec.ipv4.into() }
    }

    pub(crate) fn introduction(self) -> Introduction {
        match (self.answers, self.ipv6_only) {
            (Answers::Never, _) => Introduction::Greeting,
            (Answers::AtOnce | Answers::After(_), true) => {
                Introduction::Announcements(&[Announcement::UnsolicitedAdvertisement])
            }
            (Answers::AtOnce | Answers::After(_), false) => {
                Introduction::Announcements(&[Announcement::GratuitousRequest, Announcement::UnsolicitedAdvertisement])
            }
        }
    }
}

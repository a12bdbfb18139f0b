//! The IP addresses of a host: what it can be asked for.

use std::net::{IpAddr, Ipv6Addr};

use vouch_net::MacAddr;

/// A bounded set, in ascending order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Addresses(Vec<IpAddr>);

/// What came of adding addresses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Added {
    pub(crate) new: bool,
    pub(crate) refused: u64,
}

impl Addresses {
    /// Adds what can be the address of one host, up to `limit` in all.
    pub(crate) fn add(&mut self, addresses: &[IpAddr], limit: usize) -> Added {
        let mut added = Added::default();
        for &address in addresses.iter().filter(|address| is_host_address(address)) {
            if let Err(place) = self.0.binary_search(&address) {
                if self.0.len() < limit {
                    self.0.insert(place, address);
                    added.new = true;
                } else {
                    added.refused += 1;
                }
            }
        }
        added
    }

    pub(crate) fn as_slice(&self) -> &[IpAddr] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn to_vec(&self) -> Vec<IpAddr> {
        self.0.clone()
    }

    /// What to ask `mac` for: these and the `claimed` addresses. A host of which no address is known is asked for the link-local address that
    /// its MAC address forms (RFC 4291, appendix A); if it does not use that, only a frame of its own shows that it is there.
    pub(crate) fn targets(&self, claimed: &Self, mac: MacAddr) -> Vec<IpAddr> {
        let mut targets = self.0.clone();
        targets.extend(claimed.0.iter().filter(|address| self.0.binary_search(address).is_err()));
        if targets.is_empty() {
            targets.push(link_local(mac));
        }
        targets
    }
}

fn is_host_address(address: &IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !address.is_loopback() && !broadcast
}

fn link_local(mac: MacAddr) -> IpAddr {
    let [a, b, c, d, e, f] = mac.octets();
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn only_host_addresses_are_kept_and_not_too_many() {
        let mut addresses = Addresses::default();
        assert_eq!(
            addresses.add(&[ip("0.0.0.0"), ip("::"), ip("224.0.0.1"), ip("255.255.255.255")], 2),
            Added::default()
        );
        let added = addresses.add(&[ip("10.0.0.2"), ip("10.0.0.1"), ip("10.0.0.2"), ip("fe80::1")], 2);
        assert_eq!(added, Added { new: true, refused: 1 });
        assert_eq!(addresses.as_slice(), [ip("10.0.0.1"), ip("10.0.0.2")]);
    }

    #[test]
    fn a_host_without_known_addresses_is_asked_for_its_link_local_one() {
        let none = Addresses::default();
        let mac = MacAddr([0x02, 0, 0, 0, 0, 7]);
        assert_eq!(none.targets(&none, mac), [ip("fe80::ff:fe00:7")]);
        let mut claimed = Addresses::default();
        claimed.add(&[ip("10.0.0.9")], 4);
        assert_eq!(none.targets(&claimed, mac), [ip("10.0.0.9")]);
    }
}

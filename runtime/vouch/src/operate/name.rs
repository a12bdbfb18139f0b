//! How a host is named on the command line.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use vouch_agent::management::v1;

/// The ways to name one.
pub(crate) const SYNTAX: &str = "[VNI/]MAC|IP";

/// A host by its MAC or IP address, in one VNI or in any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostName {
    vni: Option<u32>,
    address: Address,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Mac(String),
    Ip(IpAddr),
}

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` names no host: give its MAC or IP address, with its VNI if there are several, as 5001/02:00:00:00:00:01 or 192.168.1.1"
            )
        };
        let (vni, address) = match text.split_once('/') {
            None => (None, text),
            Some((vni, address)) => (Some(vni.parse().map_err(|_| wrong())?), address),
        };
        let address = match address.parse() {
            Ok(ip) => Address::Ip(ip),
            // Whether it is a MAC the agent says, which knows what one is; and it knows which are nearly so.
            Err(_) if address.contains(':') || address.contains('-') => {
                Address::Mac(address.replace('-', ":").to_lowercase())
            }
            Err(_) => return Err(wrong()),
        };
        Ok(Self { vni, address })
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(vni) = self.vni {
            write!(f, "{vni}/")?;
        }
        match &self.address {
            Address::Mac(mac) => f.write_str(mac),
            Address::Ip(ip) => write!(f, "{ip}"),
        }
    }
}

impl HostName {
    /// The question for it.
    pub(crate) fn explain(&self) -> v1::ExplainHostRequest {
        let (mac, ip) = match &self.address {
            Address::Mac(mac) => (mac.clone(), String::new()),
            Address::Ip(ip) => (String::new(), ip.to_string()),
        };
        v1::ExplainHostRequest { mac, vni: self.vni, ip }
    }

    /// The host, if it is named so that there can be only one.
    pub(crate) fn exact(&self) -> Option<v1::Host> {
        match (&self.address, self.vni) {
            (Address::Mac(mac), Some(vni)) => Some(v1::Host { vni, mac: mac.clone() }),
            (Address::Mac(_), None) | (Address::Ip(_), _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_named_by_mac_or_ip_in_a_vni_or_in_any() {
        let exact = |text: &str| text.parse::<HostName>().map(|name| name.exact());
        let host = v1::Host { vni: 5001, mac: "02:00:00:00:00:01".to_owned() };
        assert_eq!(exact("5001/02:00:00:00:00:01"), Ok(Some(host.clone())));
        assert_eq!(exact("5001/02-00-00-00-00-01"), Ok(Some(host)));
        assert_eq!(exact("02:00:00:00:00:01"), Ok(None));
        assert_eq!(exact("5001/192.168.1.1"), Ok(None));
        assert_eq!(exact("fe80::1"), Ok(None));
        for wrong in ["", "red1", "x/02:00:00:00:00:01", "192.168.1"] {
            assert!(exact(wrong).is_err(), "{wrong}");
        }
    }
}

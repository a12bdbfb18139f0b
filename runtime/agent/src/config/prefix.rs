//! IP prefixes of either family.

use std::net::IpAddr;

use vouch_mobility::IpPrefix;

use super::reader::{Field, Reader};

/// The prefixes of a list; one address alone is a prefix of all its bits.
pub(super) fn list(reader: &mut Reader, field: &Field<'_>) -> Vec<IpPrefix> {
    let items = reader.list(field, "IP prefixes, as `192.168.1.0/24`");
    items.iter().filter_map(|item| prefix(reader, item)).collect()
}

fn prefix(reader: &mut Reader, field: &Field<'_>) -> Option<IpPrefix> {
    const WHAT: &str = "an IP prefix, as `192.168.1.0/24` or `fd00::/64`, or one address";
    let text = reader.text(field, WHAT)?;
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let parsed = address.parse::<IpAddr>().ok().and_then(|address| {
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok()?,
            Some(_) => return None,
            None => all,
        };
        (bits <= all).then_some(IpPrefix { address, bits })
    });
    let Some(prefix) = parsed else {
        reader.bad(field, text, WHAT);
        return None;
    };
    let network = network(prefix);
    if network != prefix.address {
        let what = format!("`{text}` has bits beyond its length");
        reader.error(field.node.at, &field.path, what, format!("it is `{network}/{}`", prefix.bits));
        return None;
    }
    Some(prefix)
}

/// The address without the bits beyond the length.
fn network(prefix: IpPrefix) -> IpAddr {
    let beyond = |all: u32| all.saturating_sub(u32::from(prefix.bits));
    match prefix.address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(beyond(32)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(beyond(128)).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

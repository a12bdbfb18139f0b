//! `encapsulate`: what do a tunnel's outer headers say?

use std::net::{Ipv4Addr, Ipv6Addr};

use vouch_net::MacAddr;

use crate::codec::table;
use crate::types::{Dscp, LocationId};

table! {
    table "encapsulate";

    /// A tunnel. Without entry, a frame is dropped as `NO_ENCAPSULATION`.
    key EncapsulateKey {
        /// The tunnel.
        location: LocationId,
    }

    /// Its outer headers.
    action EncapsulateAction as EncapsulateAction {
        /// VXLAN over IPv4.
        "encapsulate" Encapsulate {
            /// Our tunnel address.
            src_ip: Ipv4Addr,
            /// The peer's.
            dst_ip: Ipv4Addr,
            /// Our address on the link to the next hop; of several, the one that copies take.
            src_mac: MacAddr,
            /// The next hop's.
            dst_mac: MacAddr,
            /// Outer time to live.
            ttl: u8,
            /// Outer code point.
            dscp: Dscp,
            /// The longest frame, in bytes, without a tag, that the underlay carries. What is longer is dropped as `EXCEEDS_MTU`.
            max_frame_bytes: u16,
        },
        /// VXLAN over IPv6.
        "encapsulate_ipv6" [Ipv6Underlay] EncapsulateIpv6 {
            /// Our tunnel address.
            src_ip: Ipv6Addr,
            /// The peer's.
            dst_ip: Ipv6Addr,
            /// Our address on the link to the next hop; of several, the one that copies take.
            src_mac: MacAddr,
            /// The next hop's.
            dst_mac: MacAddr,
            /// Outer hop limit.
            hop_limit: u8,
            /// Outer code point.
            dscp: Dscp,
            /// The longest frame, in bytes, without a tag, that the underlay carries. What is longer is dropped as `EXCEEDS_MTU`.
            max_frame_bytes: u16,
        },
    }
}

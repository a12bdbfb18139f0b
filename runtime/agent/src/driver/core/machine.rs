//! The machine's part of the configuration.

use vouch_mobility::{self as mobility, Incarnation};

use super::super::numbering::Numbering;
use crate::config::{ClaimantData, Config, ProbeAs, VniConfig, VtepConfig, default_probe_mac};

/// A switch that is no VTEP gets a machine without VNIs, which ignores all.
pub(super) fn mobility_config(config: &Config, numbering: &Numbering, incarnation: Incarnation) -> mobility::Config {
    let Some(vtep) = &config.vtep else {
        return mobility::Config::new(mobility::VtepAddr(std::net::Ipv4Addr::UNSPECIFIED.into()));
    };
    mobility::Config {
        me: vtep.address,
        incarnation,
        vnis: vtep.vnis.iter().map(|vni| (vni.vni, vni_config(vtep, vni, numbering))).collect(),
        timers: vtep.timers.clone(),
        limits: vtep.limits.clone(),
        port_limits: vtep
            .vnis
            .iter()
            .flat_map(|vni| &vni.port_limits)
            .filter_map(|(interface, limits)| Some((numbering.access(*interface)?, *limits)))
            .collect(),
        verify: vtep.verify,
    }
}

fn vni_config(vtep: &VtepConfig, vni: &VniConfig, numbering: &Numbering) -> mobility::VniConfig {
    mobility::VniConfig {
        access: vni.access.iter().filter_map(|interface| numbering.access(*interface)).collect(),
        peers: vtep.peers.iter().filter(|peer| peer.has_vni(vni.vni)).map(|peer| peer.address).collect(),
        ask_as_gateway: matches!(vni.probe_as, ProbeAs::Gateway { .. }),
        advertise: vni.advertise,
        during: vni.during_verification,
        unreachable_owner: vni.owner_unreachable,
        unproven: vni.unproven,
        contested: vni.contested,
        bindings: vni.bindings.on(),
        shared: vni.bindings.shared().to_vec(),
        suppress: vni.suppress,
        // No host may pass for a VTEP: answers to probes would go to it. What a peer really uses is heard from it.
        reserved: vni
            .reserved_macs
            .iter()
            .copied()
            .chain([vtep.probe_mac])
            .chain(vtep.peers.iter().map(|peer| default_probe_mac(peer.address)))
            .collect(),
        trusted_moves: vni.trusted_moves.clone(),
        forward_pending: vni.claimant_data == ClaimantData::Forward,
        hosts: vni.limits.hosts,
        quarantine: vtep.quarantine.enabled.then_some(vtep.quarantine.duration),
    }
}

//! `vni_to_bd`: which bridge domain does a decapsulated frame belong to?

use vouch_net::Vni;

use crate::codec::table;
use crate::types::Bd;

table! {
    table "vni_to_bd";

    /// A VNI that this VTEP serves. Without entry, a packet is dropped as `UNKNOWN_VNI`.
    key VniToBdKey {
        /// As in the VXLAN header.
        vni: Vni,
    }

    /// Where the VNI is bridged.
    action VniToBdAction as VniToBdAction {
        /// In this bridge domain.
        "bridge" Bridge {
            /// This switch's number for the VNI; `bd_vni` has the reverse.
            bd: Bd,
        },
    }
}

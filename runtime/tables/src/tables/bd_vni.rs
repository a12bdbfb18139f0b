//! `bd_vni`: what does a bridge domain's VXLAN header say?

use vouch_net::Vni;

use crate::codec::table;
use crate::types::Bd;

table! {
    table "bd_vni";

    /// A bridge domain. Without entry, a frame to a tunnel is dropped as `NO_VNI`.
    key BdVniKey {
        /// The bridge domain.
        bd: Bd,
    }

    /// Its name on the wire.
    action BdVniAction as BdVniAction {
        /// The VNI; `vni_to_bd` has the reverse.
        "vni" Vni {
            /// As in the VXLAN header.
            vni: Vni,
        },
    }
}

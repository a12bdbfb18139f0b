//! What the program counts: frames of each host and interface, and each reason to drop one.

use std::fmt;

use vouch_p4runtime::p4::v1::{CounterData, CounterEntry, DirectCounterEntry, Entity, Index, TableEntry, entity};

use crate::bind::Tables;
use crate::codec::decode_key;
use crate::entry::{INGRESS_INTERFACE, SOURCE};
use crate::error::DecodeError;
use crate::punt::PuntMeter;
use crate::tables::{IngressInterfaceKey, SourceKey};
use crate::types::LocationId;

/// Packets and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Frames.
    pub packets: u64,
    /// Their bytes, as they came in.
    pub bytes: u64,
}

impl From<&CounterData> for Count {
    fn from(data: &CounterData) -> Self {
        // Counters start at zero and rise; a negative one is a switch's fault that nobody can act on here.
        let positive = |number: i64| u64::try_from(number).unwrap_or(0);
        Self { packets: positive(data.packet_count), bytes: positive(data.byte_count) }
    }
}

/// Which half of the switch dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pipeline {
    /// Counter `drops`.
    Ingress,
    /// Counter `egress_drops`.
    Egress,
}

/// What a count is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counted {
    /// Frames of a host at a place: evidence that it lives.
    Source(SourceKey),
    /// Frames that came in by an interface.
    IngressInterface(IngressInterfaceKey),
    /// Frames dropped.
    Drop(Pipeline, DropReason),
    /// Copies, and frames for the controller only, that were over this budget.
    Policed(PuntMeter),
    /// Frames that came in here and were too long for the underlay.
    ExceedsMtu(LocationId),
}

impl Tables {
    /// Reads of every counter but those of [`Tables::read_policed`] and [`Tables::read_exceeds_mtu`], of which there are
    /// thousands. What comes back is for [`Tables::decode_count`].
    pub fn read_counters(&self) -> Vec<Entity> {
        let direct = [SOURCE, INGRESS_INTERFACE].into_iter().filter_map(|table| self.table(table)).map(|table| {
            let table_entry = TableEntry { table_id: table.id, ..TableEntry::default() };
            let entry = DirectCounterEntry { table_entry: Some(table_entry), data: None };
            entity::Entity::DirectCounterEntry(entry)
        });
        let indexed = [self.drops, self.egress_drops]
            .map(|counter_id| entity::Entity::CounterEntry(CounterEntry { counter_id, index: None, data: None }));
        direct.chain(indexed).map(|entity| Entity { entity: Some(entity) }).collect()
    }

    /// Reads of what was over these budgets: could an answer have been lost? What comes back is for
    /// [`Tables::decode_count`], as [`Counted::Policed`].
    pub fn read_policed(&self, cells: impl IntoIterator<Item = PuntMeter>) -> Vec<Entity> {
        cells.into_iter().map(|cell| read_cell(self.punt_budgets.counter, self.punt_budgets.index(cell))).collect()
    }

    /// The read of how many frames were dropped for this reason, as [`Counted::Drop`].
    pub fn read_drop(&self, pipeline: Pipeline, reason: DropReason) -> Entity {
        let counter = match pipeline {
            Pipeline::Ingress => self.drops,
            Pipeline::Egress => self.egress_drops,
        };
        read_cell(counter, reason.index())
    }

    /// Reads of what came in at these places and was too long for the underlay. What comes back is for
    /// [`Tables::decode_count`], as [`Counted::ExceedsMtu`].
    pub fn read_exceeds_mtu(&self, places: impl IntoIterator<Item = LocationId>) -> Vec<Entity> {
        let (counter, cells) = self.exceeds_mtu;
        places.into_iter().map(|place| read_cell(counter, cells.index(place))).collect()
    }

    /// What a switch counted. None for a cell that stands for no reason.
    pub fn decode_count(&self, entity: &Entity) -> Result<Option<(Counted, Count)>, DecodeError> {
        match &entity.entity {
            Some(entity::Entity::DirectCounterEntry(found)) => {
                let entry = found.table_entry.as_ref().ok_or(DecodeError::Missing("the table entry of a counter"))?;
                let count = found.data.as_ref().map_or(Count::default(), Count::from);
                let counted = if let Some(table) = self.table_with(SOURCE, entry.table_id) {
                    Counted::Source(decode_key(table, entry)?)
                } else if let Some(table) = self.table_with(INGRESS_INTERFACE, entry.table_id) {
                    Counted::IngressInterface(decode_key(table, entry)?)
                } else {
                    return Err(DecodeError::UnknownId { what: "counted table", id: entry.table_id });
                };
                Ok(Some((counted, count)))
            }
            Some(entity::Entity::CounterEntry(found)) => {
                let index = found.index.as_ref().map_or(0, |index| index.index);
                let dropped = |pipeline| DropReason::from_index(index).map(|reason| Counted::Drop(pipeline, reason));
                let counted = match found.counter_id {
                    id if id == self.drops => dropped(Pipeline::Ingress),
                    id if id == self.egress_drops => dropped(Pipeline::Egress),
                    id if id == self.punt_budgets.counter => self.punt_budgets.cell(index).map(Counted::Policed),
                    id if id == self.exceeds_mtu.0 => self.exceeds_mtu.1.place(index).map(Counted::ExceedsMtu),
                    id => return Err(DecodeError::UnknownId { what: "counter", id }),
                };
                let count = found.data.as_ref().map_or(Count::default(), Count::from);
                Ok(counted.map(|counted| (counted, count)))
            }
            _ => Err(DecodeError::Foreign("an entity that counts nothing")),
        }
    }
}

fn read_cell(counter_id: u32, index: i64) -> Entity {
    let entry = CounterEntry { counter_id, index: Some(Index { index }), data: None };
    Entity { entity: Some(entity::Entity::CounterEntry(entry)) }
}

/// The reasons, with the numbers and names of `drop_reason_t` in `p4src/parts/metadata.p4`, which says why each exists.
macro_rules! drop_reasons {
    ($( $number:literal $Reason:ident $name:literal $doc:literal, )+) => {
        /// Why the program dropped a frame. `drop_reason_t` in `p4src/parts/metadata.p4`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DropReason {
            $( #[doc = $doc] $Reason = $number, )+
        }

        impl DropReason {
            /// Every reason, by number.
            pub const ALL: &'static [Self] = &[$(Self::$Reason),+];

            /// The name in the program.
            pub const fn name(self) -> &'static str {
                match self {
                    $( Self::$Reason => $name, )+
                }
            }

            /// Of what it is that such a frame was dropped.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $( Self::$Reason => $doc, )+
                }
            }
        }
    };
}

drop_reasons! {
    1 Malformed "MALFORMED" "Shorter than its own headers, or an ARP that is not Ethernet/IPv4.",
    2 TooLong "TOO_LONG" "Too long to encapsulate.",
    3 UnknownInterface "UNKNOWN_INTERFACE" "Nothing is configured for its port and VLAN.",
    4 BadSourceMac "BAD_SOURCE_MAC" "From a multicast or zero address.",
    5 LinkLocal "LINK_LOCAL" "To an address that bridges never forward.",
    6 StackedTag "STACKED_TAG" "A second VLAN tag, or a tag on a frame from the controller.",
    7 NotRouterMac "NOT_ROUTER_MAC" "On the underlay, to another router's MAC.",
    8 UnderlayNotIp "UNDERLAY_NOT_IP" "On the underlay, not well-formed IPv4, nor IPv6 where the program takes that.",
    9 OuterChecksum "OUTER_CHECKSUM" "Outer IPv4 header checksum wrong.",
    10 OuterFragment "OUTER_FRAGMENT" "To our tunnel address in fragments.",
    11 NotVxlan "NOT_VXLAN" "To our tunnel address, not VXLAN.",
    12 VxlanTooShort "VXLAN_TOO_SHORT" "VXLAN shorter than its headers or lengths.",
    13 VxlanFlags "VXLAN_FLAGS" "VXLAN without the I flag.",
    14 UnknownPeer "UNKNOWN_PEER" "VXLAN from an address that is no peer's.",
    15 UnknownVni "UNKNOWN_VNI" "VXLAN for a VNI that is not served here.",
    16 InnerTag "INNER_TAG" "VXLAN with a tagged inner frame.",
    17 EcnNotCapable "ECN_NOT_CAPABLE" "Congestion marked on a transport that is not ECN-capable.",
    18 TtlExpired "TTL_EXPIRED" "Transit packet at the end of its life.",
    19 NoRoute "NO_ROUTE" "Transit packet without route.",
    20 Quarantined "QUARANTINED" "From a quarantined host and port.",
    21 ClaimHeld "CLAIM_HELD" "Announcement of a claim that is being verified.",
    22 ClaimData "CLAIM_DATA" "Data of a claimant where policy drops it.",
    23 NoLocationPort "NO_LOCATION_PORT" "To a place without port.",
    24 NoFloodGroup "NO_FLOOD_GROUP" "To flood in a bridge domain without group.",
    25 BackToOrigin "BACK_TO_ORIGIN" "Known unicast to where it came from.",
    26 TunnelToTunnel "TUNNEL_TO_TUNNEL" "Known unicast from tunnel to tunnel without hairpin.",
    27 BadPacketOut "BAD_PACKET_OUT" "From the controller, with an unknown mode.",
    28 ArpSender "ARP_SENDER" "An ARP that names another sender than its Ethernet source.",
    29 NoNextHop "NO_NEXT_HOP" "To a way none of whose next hops is there.",
    32 NoEncapsulation "NO_ENCAPSULATION" "To a tunnel without encapsulation.",
    33 NoVni "NO_VNI" "To a tunnel from a bridge domain without VNI.",
    34 NoAccessTag "NO_ACCESS_TAG" "To an access interface without tag rule.",
    35 ExceedsMtu "EXCEEDS_MTU" "To a tunnel, longer than the underlay carries.",
}

impl DropReason {
    /// Cells of each drop counter.
    pub(crate) const CELLS: u64 = 64;

    /// The reason of a cell.
    pub fn from_index(index: i64) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| *reason as i64 == index)
    }

    /// The cell of a reason.
    pub const fn index(self) -> i64 {
        self as i64
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The program's own list, read from its source.
    #[test]
    fn reasons_are_those_of_the_program() {
        let source = include_str!("../../../p4src/parts/metadata.p4");
        let list = source.split("drop_reason_t {").nth(1).and_then(|rest| rest.split('}').next()).unwrap();
        let reasons = list.lines().map(str::trim).filter(|line| !line.starts_with("//") && line.contains('='));
        let theirs: Vec<(String, i64)> = reasons
            .map(|line| line.trim_end_matches(',').split_once(" = ").unwrap())
            .map(|(name, number)| (name.to_owned(), number.parse().unwrap()))
            .filter(|(_, number)| *number != 0)
            .collect();
        let ours: Vec<(String, i64)> =
            DropReason::ALL.iter().map(|reason| (reason.name().to_owned(), reason.index())).collect();
        assert_eq!(ours, theirs);
    }
}

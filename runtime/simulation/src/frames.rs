//! The frames of hosts: announcements, answers, and numbered data.

use std::net::Ipv4Addr;

use smoltcp::wire::{ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr};
use vouch_net::MacAddr;

/// The EtherType of numbered data: one for local experiments (IEEE 802).
const DATA: u16 = 0x88b5;
const RARP: u16 = 0x8035;
/// The operation of a RARP request (RFC 903).
const REVERSE_REQUEST: u16 = 3;
/// The shortest Ethernet frame, without its frame check sequence.
const SHORTEST: usize = 60;

/// The ways in which somebody says that a host is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announcement {
    /// A gratuitous ARP request.
    Request,
    /// A gratuitous ARP reply.
    Reply,
    /// RARP, as QEMU announces a finished migration.
    Rarp,
    /// A frame with data.
    Data,
}

impl Announcement {
    pub(crate) const ALL: [Self; 4] = [Self::Request, Self::Reply, Self::Rarp, Self::Data];

    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Request => "a gratuitous ARP request",
            Self::Reply => "a gratuitous ARP reply",
            Self::Rarp => "a RARP",
            Self::Data => "a frame with data",
        }
    }

    /// The frame.
    pub(crate) fn frame(self, mac: MacAddr, address: Ipv4Addr) -> Vec<u8> {
        let everybody = MacAddr::BROADCAST;
        match self {
            Self::Request => arp(ArpOperation::Request, (mac, address), (MacAddr::ZERO, address), everybody),
            Self::Reply => arp(ArpOperation::Reply, (mac, address), (everybody, address), everybody),
            Self::Rarp => {
                let nobody = Ipv4Addr::UNSPECIFIED;
                let operation = ArpOperation::Unknown(REVERSE_REQUEST);
                let mut frame = arp(operation, (mac, nobody), (mac, nobody), everybody);
                EthernetFrame::new_unchecked(&mut frame).set_ethertype(EthernetProtocol::Unknown(RARP));
                frame
            }
            Self::Data => data(mac, everybody, 0),
        }
    }
}

/// A request that somebody may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) asker: (MacAddr, Ipv4Addr),
    pub(crate) target: Ipv4Addr,
}

/// What is in a frame that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// An ARP request.
    Question(Question),
    /// Numbered data.
    Data(u64),
    /// Something else.
    Other,
}

/// Reads a frame, and to whom it is.
pub(crate) fn read(frame: &[u8]) -> Option<(MacAddr, Arrival)> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    let to = MacAddr(ethernet.dst_addr().0);
    let arrival = match ethernet.ethertype() {
        EthernetProtocol::Arp => {
            let packet = ArpPacket::new_checked(ethernet.payload()).ok()?;
            match ArpRepr::parse(&packet).ok()? {
                ArpRepr::EthernetIpv4 {
                    operation: ArpOperation::Request,
                    source_hardware_addr,
                    source_protocol_addr,
                    target_protocol_addr,
                    ..
                } => {
                    let asker = (MacAddr(source_hardware_addr.0), source_protocol_addr);
                    Arrival::Question(Question { asker, target: target_protocol_addr })
                }
                _ => Arrival::Other,
            }
        }
        EthernetProtocol::Unknown(DATA) => {
            let number = ethernet.payload().first_chunk()?;
            Arrival::Data(u64::from_be_bytes(*number))
        }
        _ => Arrival::Other,
    };
    Some((to, arrival))
}

/// The answer to a question.
pub(crate) fn answer(mac: MacAddr, question: Question) -> Vec<u8> {
    arp(ArpOperation::Reply, (mac, question.target), question.asker, question.asker.0)
}

/// Numbered data.
pub(crate) fn data(from: MacAddr, to: MacAddr, number: u64) -> Vec<u8> {
    let mut frame = ethernet(from, to, EthernetProtocol::Unknown(DATA));
    frame[EthernetFrame::<&[u8]>::header_len()..][..8].copy_from_slice(&number.to_be_bytes());
    frame
}

fn ethernet(from: MacAddr, to: MacAddr, ethertype: EthernetProtocol) -> Vec<u8> {
    let mut frame = vec![0; SHORTEST];
    let address = |mac: MacAddr| EthernetAddress(mac.octets());
    EthernetRepr { src_addr: address(from), dst_addr: address(to), ethertype }
        .emit(&mut EthernetFrame::new_unchecked(&mut frame));
    frame
}

fn arp(operation: ArpOperation, from: (MacAddr, Ipv4Addr), target: (MacAddr, Ipv4Addr), to: MacAddr) -> Vec<u8> {
    let mut frame = ethernet(from.0, to, EthernetProtocol::Arp);
    let repr = ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: EthernetAddress(from.0.octets()),
        source_protocol_addr: from.1,
        target_hardware_addr: EthernetAddress(target.0.octets()),
        target_protocol_addr: target.1,
    };
    repr.emit(&mut ArpPacket::new_unchecked(&mut frame[EthernetFrame::<&[u8]>::header_len()..]));
    frame
}

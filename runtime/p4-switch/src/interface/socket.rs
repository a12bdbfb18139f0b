//! A raw packet socket on one interface: whole Ethernet frames, as they would be on the wire, in batches.
//!
//! The kernel hands a frame over in three pieces, which are put together here: what it left to the card (see
//! [`Offload`]), the outermost VLAN tag, and the rest.
#![allow(unsafe_code)] // The standard library has no packet sockets: each `unsafe` block is one system call around it.

use std::ffi::CString;
use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use vouch_switch_server::{Frames, MAX_FRAME};

use super::offload::Offload;

/// Frames that one system call receives or sends at most.
pub(super) const BATCH: usize = 32;
/// Room for the longest frame, which the kernel may hand over without its Ethernet header counted.
const ROOM: usize = MAX_FRAME + 64;
/// Buffers of a socket. A burst of a few thousand frames must survive a moment in which nobody reads.
const SOCKET_BUFFER: libc::c_int = 8 << 20;
/// Destination and source MAC address: a VLAN tag comes right behind them.
const MAC_ADDRESSES: usize = 12;
/// `PACKET_VNET_HDR` of `linux/if_packet.h`, which `libc` lacks.
const PACKET_VNET_HDR: libc::c_int = 15;

/// A socket that sees everything that comes in at one interface, and nothing of what goes out.
#[derive(Debug)]
pub(super) struct PacketSocket {
    fd: OwnedFd,
}

impl AsRawFd for PacketSocket {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.fd.as_raw_fd()
    }
}

impl PacketSocket {
    /// A socket that is at no interface yet. Reads and writes never block.
    pub(super) fn open() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // Protocol 0 receives nothing yet: without it, frames of all interfaces would come in until `attach`.
        // SAFETY: `socket` takes no pointers.
        let fd = checked(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
        // SAFETY: the descriptor was just made, and nobody else has it.
        let socket = Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } };
        let on = libc::c_int::from(true);
        socket.set(libc::SOL_PACKET, libc::PACKET_AUXDATA, &on)?;
        socket.set(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &on)?;
        socket.set(libc::SOL_PACKET, PACKET_VNET_HDR, &on)?;
        for (forced, polite) in [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)] {
            // Without CAP_NET_ADMIN the system's limit has to do.
            socket
                .set(libc::SOL_SOCKET, forced, &SOCKET_BUFFER)
                .or_else(|_| socket.set(libc::SOL_SOCKET, polite, &SOCKET_BUFFER))?;
        }
        Ok(socket)
    }

    /// The socket with a way to wait for frames. Must be called inside a tokio runtime.
    pub(super) fn asynchronous(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: the descriptor stays open, and the same, for as long as `AsyncFd` owns the socket.
        Ok(unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) }?)
    }

    /// Go to the interface with this index, and keep it in promiscuous mode while the socket is there.
    pub(super) fn attach(&self, index: libc::c_int) -> io::Result<()> {
        let promiscuous = libc::packet_mreq {
            mr_ifindex: index,
            mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        self.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &promiscuous)?;
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as libc::c_ushort,
            sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
            sll_ifindex: index,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        let length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: pointer and length are those of `address`, which is only read.
        checked(unsafe { libc::bind(self.as_raw_fd(), (&raw const address).cast(), length) }).map(drop)
    }

    /// Receive frames into `slots`, at most `max`, and give their number; `WouldBlock` where there is none.
    pub(super) fn receive(&self, slots: &mut Slots, max: usize) -> io::Result<usize> {
        let max = max.min(BATCH);
        // SAFETY: all zero is a valid value of these plain structures: no name, no data, no control.
        let (mut parts, mut messages): ([[libc::iovec; 2]; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { (zeroed(), zeroed()) };
        for (slot, (parts, message)) in slots.0.iter_mut().zip(parts.iter_mut().zip(&mut messages)).take(max) {
            *parts = [
                libc::iovec { iov_base: slot.offload.as_mut_ptr().cast(), iov_len: slot.offload.len() },
                libc::iovec { iov_base: slot.bytes.as_mut_ptr().cast(), iov_len: slot.bytes.len() },
            ];
            message.msg_hdr.msg_iov = parts.as_mut_ptr();
            message.msg_hdr.msg_iovlen = parts.len();
            message.msg_hdr.msg_control = (&raw mut slot.control).cast();
            message.msg_hdr.msg_controllen = size_of_val(&slot.control);
        }
        // SAFETY: the first `max` messages point to buffers of `slots` with their lengths, which outlive the call.
        let received =
            unsafe { libc::recvmmsg(self.as_raw_fd(), messages.as_mut_ptr(), max as libc::c_uint, 0, ptr::null_mut()) };
        let received = checked(received)? as usize;
        for (slot, message) in slots.0.iter_mut().zip(&messages).take(received) {
            slot.length = (message.msg_len as usize).saturating_sub(Offload::BYTES).min(slot.bytes.len());
            slot.whole = message.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
            slot.tag = VlanTag::of(&message.msg_hdr);
        }
        Ok(received)
    }

    /// Send frames one after the other, and give how many were taken before the first that was not.
    pub(super) fn send<'f>(&self, frames: impl Iterator<Item = &'f [u8]>) -> io::Result<usize> {
        let nothing_is_left_to_do = [0u8; Offload::BYTES];
        // SAFETY: as in `receive`.
        let (mut parts, mut messages): ([[libc::iovec; 2]; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { (zeroed(), zeroed()) };
        let mut count = 0;
        for ((parts, message), frame) in parts.iter_mut().zip(&mut messages).zip(frames) {
            *parts = [
                libc::iovec {
                    iov_base: nothing_is_left_to_do.as_ptr().cast_mut().cast(),
                    iov_len: nothing_is_left_to_do.len(),
                },
                libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() },
            ];
            message.msg_hdr.msg_iov = parts.as_mut_ptr();
            message.msg_hdr.msg_iovlen = parts.len();
            count += 1;
        }
        // SAFETY: the first `count` messages point to `frames` and the header with their lengths; both are only read.
        checked(unsafe { libc::sendmmsg(self.as_raw_fd(), messages.as_mut_ptr(), count, 0) }).map(|sent| sent as usize)
    }

    fn set<T>(&self, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
        let length = size_of::<T>() as libc::socklen_t;
        // SAFETY: pointer and length are those of `value`, which is only read. A type that the option does not expect is
        // an error of the call, not an access outside of it.
        let result = unsafe { libc::setsockopt(self.as_raw_fd(), level, option, ptr::from_ref(value).cast(), length) };
        checked(result).map(drop)
    }
}

/// Buffers for one batch, made once.
#[derive(Debug)]
pub(super) struct Slots(Vec<Slot>);

#[derive(Debug)]
struct Slot {
    offload: [u8; Offload::BYTES],
    bytes: Box<[u8]>,
    control: Control,
    length: usize,
    whole: bool,
    tag: Option<VlanTag>,
}

/// A frame in its slot.
pub(super) struct Received<'a> {
    pub(super) offload: [u8; Offload::BYTES],
    /// Without the tag.
    pub(super) bytes: &'a mut [u8],
    pub(super) tag: Option<VlanTag>,
    /// It had room.
    pub(super) whole: bool,
}

impl Slots {
    pub(super) fn new() -> Self {
        let slot = || Slot {
            offload: [0; Offload::BYTES],
            bytes: vec![0; ROOM].into(),
            control: Control([0; 64]),
            length: 0,
            whole: true,
            tag: None,
        };
        Self((0..BATCH).map(|_| slot()).collect())
    }

    /// What the last call of [`PacketSocket::receive`] has put into the first `count` slots.
    pub(super) fn frames(&mut self, count: usize) -> impl Iterator<Item = Received<'_>> {
        self.0.iter_mut().take(count).map(|slot| Received {
            offload: slot.offload,
            bytes: &mut slot.bytes[..slot.length],
            tag: slot.tag,
            whole: slot.whole,
        })
    }
}

/// Room for the control messages of one frame, aligned as they must be.
#[derive(Debug)]
#[repr(align(8))]
struct Control(#[expect(dead_code, reason = "written by the kernel, read through `CMSG_FIRSTHDR`")] [u8; 64]);

/// The VLAN tag that the kernel took out of a frame (IEEE 802.1Q, section 9).
#[derive(Clone, Copy, Debug)]
pub(super) struct VlanTag {
    protocol: u16,
    control: u16,
}

impl VlanTag {
    /// Append the frame with its tag where it was. A switch that did not see it would be on another LAN.
    pub(super) fn put_back(self, frame: &[u8], to: &mut Frames) {
        let (addresses, rest) = frame.split_at(MAC_ADDRESSES.min(frame.len()));
        let ([a, b], [c, d]) = (self.protocol.to_be_bytes(), self.control.to_be_bytes());
        to.push_parts(&[addresses, &[a, b, c, d], rest]);
    }

    fn of(message: &libc::msghdr) -> Option<Self> {
        // SAFETY: `message` was filled by `recvmmsg`, so its control buffer and length describe what the kernel wrote.
        let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
        while !header.is_null() {
            // SAFETY: not null, hence inside the control buffer.
            let (level, kind) = unsafe { ((*header).cmsg_level, (*header).cmsg_type) };
            if (level, kind) == (libc::SOL_PACKET, libc::PACKET_AUXDATA) {
                // SAFETY: this kind of message carries a `tpacket_auxdata`; its alignment is not relied on.
                let data = unsafe { ptr::read_unaligned(libc::CMSG_DATA(header).cast::<libc::tpacket_auxdata>()) };
                return Self::from_auxiliary(&data);
            }
            // SAFETY: as for the first one.
            header = unsafe { libc::CMSG_NXTHDR(message, header) };
        }
        None
    }

    fn from_auxiliary(data: &libc::tpacket_auxdata) -> Option<Self> {
        if data.tp_status & libc::TP_STATUS_VLAN_VALID == 0 {
            return None;
        }
        let named = data.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
        let protocol = if named { data.tp_vlan_tpid } else { libc::ETH_P_8021Q as u16 };
        Some(Self { protocol, control: data.tp_vlan_tci })
    }
}

/// The index of an interface of this network namespace.
pub(super) fn interface_index(interface: &str) -> io::Result<libc::c_int> {
    let name = CString::new(interface)?;
    // SAFETY: `name` ends in a null byte and outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    libc::c_int::try_from(index).map_err(io::Error::other)
}

pub(super) fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

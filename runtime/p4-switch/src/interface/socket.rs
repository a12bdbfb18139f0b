//! A raw packet socket on one interface: whole Ethernet frames, as they would be on the wire.
//!
//! The kernel hands a frame over in three pieces: what it left to the card (see [`Offload`]), the outermost VLAN tag, and the
//! rest.
#![allow(unsafe_code)] // The standard library has no packet sockets: each `unsafe` block is one system call around it.

use std::ffi::CString;
use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::Arc;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use vouch_switch_server::{Frames, MAX_FRAME};

use super::offload::Offload;

/// Frames that one system call sends at most.
pub(super) const BATCH: usize = 32;
/// Room for the longest frame, which the kernel may hand over without its Ethernet header counted, and for what is left to do.
pub(super) const QUEUED: usize = Offload::BYTES + MAX_FRAME + 64;
/// The queue of received frames that are too long for the ring, in bytes. That of what is being sent is left as the system has it:
/// a few frames. What an interface does not take is to wait in the switch, where programs see it.
const RECEIVE_BUFFER: libc::c_int = 8 << 20;
/// Destination and source MAC address: a VLAN tag comes right behind them.
const MAC_ADDRESSES: usize = 12;

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
        socket.set(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &on)?;
        socket.set(libc::SOL_PACKET, libc::PACKET_VNET_HDR, &on)?;
        // Without CAP_NET_ADMIN the system's limit has to do.
        socket
            .set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &RECEIVE_BUFFER)
            .or_else(|_| socket.set(libc::SOL_SOCKET, libc::SO_RCVBUF, &RECEIVE_BUFFER))?;
        Ok(socket)
    }

    /// Wait until the kernel has room for more of what is to be sent. That is not asked of the socket itself: whoever waits for it
    /// there is told of every frame that leaves.
    pub(super) async fn writable(&self) -> io::Result<()> {
        let same = self.fd.try_clone()?;
        // SAFETY: the descriptor stays open, and the same, for as long as `AsyncFd` owns it.
        let same = unsafe { AsyncFd::register_with_interest(same, Interest::WRITABLE) }?;
        same.writable().await.map(drop)
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

    /// Take a frame from the queue: what is left to do with it, and its bytes. `None` where it is longer than `buffer`.
    pub(super) fn queued<'b>(&self, buffer: &'b mut [u8]) -> io::Result<Option<([u8; Offload::BYTES], &'b mut [u8])>> {
        let mut receive = || {
            // SAFETY: pointer and length are those of `buffer`.
            let length =
                unsafe { libc::recv(self.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_TRUNC) };
            usize::try_from(length).map_err(|_| io::Error::last_os_error())
        };
        // An error of the interface is said once, before any frame.
        let length = receive().or_else(|_| receive())?;
        let frame = buffer.get_mut(..length).and_then(|frame| frame.split_first_chunk_mut());
        Ok(frame.map(|(offload, bytes)| (*offload, bytes)))
    }

    /// What went wrong meanwhile, if anything did.
    pub(super) fn pending_error(&self) -> Option<io::Error> {
        let mut error: libc::c_int = 0;
        self.get(libc::SOL_SOCKET, libc::SO_ERROR, &mut error).ok()?;
        (error != 0).then(|| io::Error::from_raw_os_error(error))
    }

    /// How many frames had no room since this was last asked.
    pub(super) fn drops_since_asked(&self) -> u64 {
        let mut statistics = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let read = self.get(libc::SOL_PACKET, libc::PACKET_STATISTICS, &mut statistics);
        read.map_or(0, |()| statistics.tp_drops.into())
    }

    /// Send frames one after the other, and give how many were taken before the first that was not.
    pub(super) fn send<'f>(&self, frames: impl Iterator<Item = &'f [u8]>) -> io::Result<usize> {
        let nothing_is_left_to_do = [0u8; Offload::BYTES];
        // SAFETY: all zero is a valid value of these plain structures: no name, no data, no control.
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

    /// Set an option.
    pub(super) fn set<T>(&self, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
        let length = size_of::<T>() as libc::socklen_t;
        // SAFETY: pointer and length are those of `value`, which is only read. A type that the option does not expect is
        // an error of the call, not an access outside of it.
        let result = unsafe { libc::setsockopt(self.as_raw_fd(), level, option, ptr::from_ref(value).cast(), length) };
        checked(result).map(drop)
    }

    /// Read an option into a value of numbers.
    fn get<T>(&self, level: libc::c_int, option: libc::c_int, value: &mut T) -> io::Result<()> {
        let mut length = size_of::<T>() as libc::socklen_t;
        // SAFETY: pointer and length are those of `value`. Every value of the callers' types is valid.
        checked(unsafe {
            libc::getsockopt(self.as_raw_fd(), level, option, ptr::from_mut(value).cast(), &raw mut length)
        })
        .map(drop)
    }
}

/// A way to wait for what a socket receives. Must be called inside the tokio runtime that is to wait.
pub(super) fn arrivals(socket: Arc<PacketSocket>) -> io::Result<AsyncFd<Arc<PacketSocket>>> {
    // SAFETY: the descriptor stays open, and the same, for as long as `AsyncFd` has its share of the socket.
    Ok(unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE | Interest::ERROR) }?)
}

/// The VLAN tag that the kernel took out of a frame (IEEE 802.1Q, section 9).
#[derive(Clone, Copy, Debug)]
pub(super) struct VlanTag {
    /// 802.1Q's, or that of a service provider's tag.
    pub(super) protocol: u16,
    /// Priority, drop eligibility, and the VLAN.
    pub(super) control: u16,
}

impl VlanTag {
    /// Append the frame with its tag where it was. A switch that did not see it would be on another LAN.
    pub(super) fn put_back(self, frame: &[u8], to: &mut Frames) {
        let (addresses, rest) = frame.split_at(MAC_ADDRESSES.min(frame.len()));
        let ([a, b], [c, d]) = (self.protocol.to_be_bytes(), self.control.to_be_bytes());
        to.push_parts(&[addresses, &[a, b, c, d], rest]);
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

//! A raw packet socket on one interface: whole Ethernet frames, as they are on the wire.
//!
//! The system calls live here and nowhere else; each `unsafe` block is one of them.
#![allow(unsafe_code)] // The standard library has no packet sockets.

use std::ffi::CString;
use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

/// Destination and source MAC address: a VLAN tag comes right behind them.
const MAC_ADDRESSES: usize = 12;
/// Receive buffer of a socket. A burst of a few thousand frames must survive a moment in which nobody reads.
const RECEIVE_BUFFER: libc::c_int = 8 << 20;

/// A socket that is bound to one interface and sees everything that comes in there, and nothing of what goes out.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    fd: AsyncFd<OwnedFd>,
}

impl PacketSocket {
    /// Open a socket on an interface of this network namespace, and set the interface to promiscuous mode while it is
    /// open. Reads never block. Must be called inside a tokio runtime.
    pub(crate) fn open(interface: &str) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // Protocol 0 receives nothing yet: without it, frames of all interfaces would come in until `bind`.
        // SAFETY: `socket` takes no pointers.
        let fd = checked(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
        // SAFETY: the descriptor was just made, and nobody else has it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: the descriptor stays open, and the same, for as long as `AsyncFd` owns it.
        let socket = Self { fd: unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }? };

        let index = interface_index(interface)?;
        socket.set(libc::SOL_PACKET, libc::PACKET_AUXDATA, &libc::c_int::from(true))?;
        socket.set(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &libc::c_int::from(true))?;
        socket.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &RECEIVE_BUFFER)?;
        let promiscuous = libc::packet_mreq {
            mr_ifindex: index,
            mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        socket.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &promiscuous)?;
        socket.bind(index)?;
        Ok(socket)
    }

    /// Wait until there may be something to read. An attempt that finds nothing has to be made through the guard.
    pub(crate) async fn readable(&self) -> io::Result<AsyncFdReadyGuard<'_, OwnedFd>> {
        self.fd.readable().await
    }

    /// Read one frame into `buffer`, which has room for a frame and a VLAN tag, and give its length.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() - VlanTag::BYTES };
        let mut control = Control { bytes: [0; 64] };
        // SAFETY: all zero is a valid `msghdr`: no name, no data, no control.
        let mut message: libc::msghdr = unsafe { zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut control).cast();
        message.msg_controllen = size_of_val(&control);
        // SAFETY: `message` points to `buffer` (less than its length) and to `control`, which both outlive the call.
        let length = unsafe { libc::recvmsg(self.fd.as_raw_fd(), &raw mut message, 0) };
        let Ok(mut length) = usize::try_from(length) else { return Err(io::Error::last_os_error()) };
        if message.msg_flags & libc::MSG_TRUNC != 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame longer than the buffer"));
        }
        // The kernel takes the outermost VLAN tag out of the frame; a switch that did not see it would be on another LAN.
        if let Some(tag) = VlanTag::of(&message)
            && length >= MAC_ADDRESSES
        {
            buffer.copy_within(MAC_ADDRESSES..length, MAC_ADDRESSES + VlanTag::BYTES);
            buffer[MAC_ADDRESSES..][..VlanTag::BYTES].copy_from_slice(&tag.bytes());
            length += VlanTag::BYTES;
        }
        Ok(length)
    }

    /// Send one frame.
    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: pointer and length are those of `frame`, which is only read.
        let sent = unsafe { libc::send(self.fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn set<T>(&self, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
        let length = size_of::<T>() as libc::socklen_t;
        // SAFETY: pointer and length are those of `value`, which is only read. A type that the option does not expect is
        // an error of the call, not an access outside of it.
        let result =
            unsafe { libc::setsockopt(self.fd.as_raw_fd(), level, option, ptr::from_ref(value).cast(), length) };
        checked(result).map(drop)
    }

    fn bind(&self, index: libc::c_int) -> io::Result<()> {
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
        checked(unsafe { libc::bind(self.fd.as_raw_fd(), (&raw const address).cast(), length) }).map(drop)
    }
}

/// Room for the control messages of one frame, aligned as they must be.
#[repr(align(8))]
struct Control {
    #[expect(dead_code, reason = "written by the kernel, read through `CMSG_FIRSTHDR`")]
    bytes: [u8; 64],
}

/// The VLAN tag that the kernel took out of a frame (IEEE 802.1Q, section 9).
#[derive(Clone, Copy)]
struct VlanTag {
    protocol: u16,
    control: u16,
}

impl VlanTag {
    const BYTES: usize = 4;

    fn of(message: &libc::msghdr) -> Option<Self> {
        // SAFETY: `message` was filled by `recvmsg`, so its control buffer and length describe what the kernel wrote.
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

    fn bytes(self) -> [u8; Self::BYTES] {
        let ([a, b], [c, d]) = (self.protocol.to_be_bytes(), self.control.to_be_bytes());
        [a, b, c, d]
    }
}

fn interface_index(interface: &str) -> io::Result<libc::c_int> {
    let name = CString::new(interface)?;
    // SAFETY: `name` ends in a null byte and outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    libc::c_int::try_from(index).map_err(io::Error::other)
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

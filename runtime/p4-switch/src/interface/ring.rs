//! The frames that a packet socket has received, in memory that the kernel and this process share (packet(7),
//! `Documentation/networking/packet_mmap.rst` of the kernel).
//!
//! The memory is a ring of slots of one size. A slot belongs to the kernel until it has put a frame into it, and then to
//! us until we give it back; which of the two is the first word of the slot, and nobody looks into the other's slots. This
//! is `TPACKET_V2`. Version 3 packs frames closer together, but tells of them only when a block is full or its time is up,
//! which is a millisecond at least: a single frame over veth could be read 920 us after it was sent, here 8 us.
//!
//! A frame longer than a slot comes whole by the socket's ordinary queue (`PACKET_COPY_THRESH`), in its turn: segments that
//! the kernel has not cut yet do.
//!
//! Linux (6.18 and before) has a flaw here: a frame that it cannot describe, a UDP datagram that is still to be cut into IP
//! fragments or an uncut SCTP packet, keeps its slot from being filled ever after, and everything is dropped from then on.
//! A ring that is empty while frames are dropped is therefore replaced, see `Incoming::unstick`.
#![allow(unsafe_code)] // The standard library cannot map memory: `unsafe` is what makes slices of it, and what maps it.

use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use super::offload::Offload;
use super::socket::{PacketSocket, VlanTag};

/// Memory of one ring. With the usual MTU it has room for 4,096 frames: a burst of a few thousand must survive a moment in
/// which nobody reads. What comes then must survive that it is not read quickly: see [`Backlog`](super::backlog).
const RING: usize = 8 << 20;
/// What the kernel allocates in one piece. All slots lie within one.
const BLOCK: usize = 64 << 10;
/// The smallest slot; one for the usual MTU.
const SMALLEST: usize = 2048;
/// Bytes of a slot in front of a frame, at most, and of its Ethernet header and VLAN tags.
const BEFORE: usize = 128;

/// The ring of one socket.
#[derive(Debug)]
pub(super) struct Ring {
    memory: NonNull<u8>,
    /// Bytes of each slot; a power of two, so that blocks follow each other without a gap.
    slot: usize,
    /// The slot that the kernel fills next, or has filled.
    next: usize,
    /// Frames that were in it so far.
    handed_over: u64,
}

// SAFETY: the memory is this value's alone among all of the process, and not bound to a thread.
unsafe impl Send for Ring {}

/// A frame in its slot.
pub(super) struct Received<'a> {
    pub(super) offload: [u8; Offload::BYTES],
    /// Without the tag.
    pub(super) bytes: &'a mut [u8],
    pub(super) tag: Option<VlanTag>,
    /// Where there was no room in the slot.
    pub(super) rest: Rest,
}

/// What is not in the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing: the frame is whole.
    Nothing,
    /// The whole frame waits in the socket's queue.
    Queued,
    /// The queue was full as well.
    Lost,
}

impl Ring {
    /// Let a socket receive into a ring from now on. Slots are made for frames of this MTU. A ring that the socket had before
    /// must have been dropped.
    pub(super) fn of(socket: &PacketSocket, mtu: usize) -> io::Result<Self> {
        let slot = (mtu + BEFORE).next_power_of_two().clamp(SMALLEST, BLOCK);
        let none = libc::tpacket_req { tp_block_size: 0, tp_block_nr: 0, tp_frame_size: 0, tp_frame_nr: 0 };
        socket.set(libc::SOL_PACKET, libc::PACKET_RX_RING, &none)?;
        socket.set(libc::SOL_PACKET, libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V2 as libc::c_int))?;
        // Frames are queued where they are longer than a slot and this is not zero.
        socket.set(libc::SOL_PACKET, libc::PACKET_COPY_THRESH, &1)?;
        let request = libc::tpacket_req {
            tp_block_size: BLOCK as libc::c_uint,
            tp_block_nr: (RING / BLOCK) as libc::c_uint,
            tp_frame_size: slot as libc::c_uint,
            tp_frame_nr: (RING / slot) as libc::c_uint,
        };
        socket.set(libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        let (protection, fd) = (libc::PROT_READ | libc::PROT_WRITE, socket.as_raw_fd());
        // SAFETY: a new mapping, at an address that the kernel chooses, replaces no other memory.
        let memory = unsafe { libc::mmap(ptr::null_mut(), RING, protection, libc::MAP_SHARED, fd, 0) };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or_else(|| io::Error::other("memory was mapped at address 0"))?;
        Ok(Self { memory, slot, next: 0, handed_over: 0 })
    }

    /// How many frames were in it so far.
    pub(super) fn handed_over(&self) -> u64 {
        self.handed_over
    }

    /// Whether no frame waits.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_ours(self.next)
    }

    /// Whether frames wait in half of the slots.
    pub(super) fn is_half_full(&self) -> bool {
        self.is_ours((self.next + self.slots() / 2) % self.slots())
    }

    fn slots(&self) -> usize {
        RING / self.slot
    }

    fn is_ours(&self, slot: usize) -> bool {
        self.status(slot).load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
    }

    /// The word of a slot, counted from 0 to [`Self::slots`], that says whose it is.
    fn status(&self, slot: usize) -> &AtomicU32 {
        assert!(slot < self.slots(), "the ring has no slot {slot}");
        let slot = self.memory.as_ptr().wrapping_add(slot * self.slot);
        // SAFETY: the ring has this slot, so the pointer is inside of the mapping, which lives as long as `self`; it is
        // aligned, as mappings are to pages and slots to their size. The kernel writes the word at any time, with an
        // instruction that makes it whole.
        unsafe { AtomicU32::from_ptr(slot.add(offset_of!(libc::tpacket2_hdr, tp_status)).cast()) }
    }

    /// Hand the next frame to `use_it`, and its slot back to the kernel; `None` where there is no frame.
    pub(super) fn next<T>(&mut self, use_it: impl FnOnce(Received<'_>) -> T) -> Option<T> {
        // What the kernel has written before the status is seen after it.
        let flags = self.status(self.next).load(Ordering::Acquire);
        if flags & libc::TP_STATUS_USER == 0 {
            return None;
        }
        let slot = self.memory.as_ptr().wrapping_add(self.next * self.slot);
        // SAFETY: `next` counts slots of the ring, so this is inside of the mapping, behind the status, to which a reference may
        // be had at the same time. The slot is ours until its status says otherwise, and `&mut self` keeps it from being used twice. All its
        // bytes are initialised: the kernel maps memory that it has zeroed.
        let bytes = unsafe { std::slice::from_raw_parts_mut(slot.add(size_of::<u32>()), self.slot - size_of::<u32>()) };
        let outcome = use_it(Received::parse(flags, bytes));
        self.status(self.next).store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.next = (self.next + 1) % self.slots();
        self.handed_over += 1;
        Some(outcome)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: this very mapping was made with this length, and nothing borrowed from it outlives `self`. It ends whatever
        // becomes of the call.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), RING) };
    }
}

impl<'a> Received<'a> {
    /// Read what the kernel has written behind the status. Whatever that is, no access is outside of `slot`.
    fn parse(flags: u32, slot: &'a mut [u8]) -> Self {
        let at = |offset: usize| offset - size_of::<u32>();
        let word = |offset| u32::from_ne_bytes(array(slot, at(offset)));
        let half = |offset| u16::from_ne_bytes(array(slot, at(offset)));
        let length = word(offset_of!(libc::tpacket2_hdr, tp_len)) as usize;
        let taken = word(offset_of!(libc::tpacket2_hdr, tp_snaplen)) as usize;
        let start = at(usize::from(half(offset_of!(libc::tpacket2_hdr, tp_mac))).max(size_of::<u32>()));
        let tag = (flags & libc::TP_STATUS_VLAN_VALID != 0).then(|| VlanTag {
            // Kernels before 3.14 do not say the protocol, and know one only.
            protocol: match flags & libc::TP_STATUS_VLAN_TPID_VALID {
                0 => libc::ETH_P_8021Q as u16,
                _named => half(offset_of!(libc::tpacket2_hdr, tp_vlan_tpid)),
            },
            control: half(offset_of!(libc::tpacket2_hdr, tp_vlan_tci)),
        });
        let rest = match (flags & libc::TP_STATUS_COPY != 0, taken < length) {
            (true, _) => Rest::Queued,
            (false, true) => Rest::Lost,
            (false, false) => Rest::Nothing,
        };
        // In front of the frame.
        let offload = array(slot, start.saturating_sub(Offload::BYTES));
        let bytes = slot.get_mut(start..start + taken).unwrap_or_default();
        Self { offload, bytes, tag, rest }
    }
}

/// The bytes at a place; zeros where they are outside.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; N])
}

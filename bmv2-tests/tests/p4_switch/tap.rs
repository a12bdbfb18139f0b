//! A tap interface, as virtual machines have it: what its other end writes can be left to the card to finish.
#![allow(unsafe_code)] // The standard library has no ioctls.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::mem::zeroed;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use tokio::time::timeout;
use vouch_bmv2_tests::harness::TestResult;
use vouch_bmv2_tests::namespace::ip;
use vouch_bmv2_tests::rig::PATIENCE;
use vouch_bmv2_tests::{InterfacePort, Processes};
use vouch_switch_server::{Frames, Port};

/// The `virtio_net_hdr` of a frame that is complete.
const COMPLETE: [u8; 10] = [0; 10];

/// The machine's end. The interface goes with it.
struct Tap(File);

impl Tap {
    fn open(name: &str) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
        // SAFETY: all zero is a valid `ifreq`.
        let mut request: libc::ifreq = unsafe { zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as libc::c_short;
        // SAFETY: the request has the type that this ioctl reads and writes.
        if unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) } < 0 {
            return Err(io::Error::last_os_error());
        }
        ip(&[format!("link set {name} up")])?;
        Ok(Self(file))
    }

    fn write(&mut self, header: [u8; 10], frame: &[u8]) -> io::Result<()> {
        self.0.write_all(&[&header[..], frame].concat())
    }
}

/// A datagram that is to be cut into IP fragments, which the kernel has no way to describe any more, costs no frame but
/// itself and those of the moment in which that is noticed; they are counted.
pub(crate) async fn fragments(_: Arc<Processes>) -> TestResult {
    let mut tap = match Tap::open("tap") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("skipped: this machine has no tap interfaces (/dev/net/tun): {error}");
            return Ok(());
        }
        opened => opened?,
    };
    let port = InterfacePort::open("tap")?;
    let plain = [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5][..], &[7; 66]].concat();
    let mut batch = Frames::new();
    tap.write(COMPLETE, &plain)?;
    until(&port, &plain, &mut batch).await?;

    let mut datagram = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    datagram.extend([0x45, 0, 0x0b, 0xaa, 0, 7, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    datagram.extend([0x12, 0x34, 0, 80, 0x0b, 0x96, 0, 0]);
    datagram.resize(3000, 1);
    let [(a, b), (c, d), (e, f), (g, h)] = [42u16, 1000, 34, 6].map(|number| {
        let [low, high] = number.to_ne_bytes();
        (low, high)
    });
    // The checksum is missing, and fragmentation (VIRTIO_NET_HDR_GSO_UDP).
    tap.write([1, 3, a, b, c, d, e, f, g, h], &datagram)?;
    let passes = async {
        loop {
            tap.write(COMPLETE, &plain)?;
            let arrives = until(&port, &plain, &mut batch);
            if let Ok(arrived) = timeout(std::time::Duration::from_millis(20), arrives).await {
                return arrived;
            }
        }
    };
    timeout(PATIENCE, passes).await.map_err(|_| "nothing passes any more")??;
    if port.counters().missed == 0 { Err("what was lost is not counted".into()) } else { Ok(()) }
}

async fn until(port: &InterfacePort, frame: &[u8], batch: &mut Frames) -> TestResult {
    while !batch.iter().any(|received| received == frame) {
        timeout(PATIENCE, port.receive(batch, 32)).await.map_err(|_| "the frame does not arrive")??;
    }
    batch.clear();
    Ok(())
}

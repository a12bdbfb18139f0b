//! What the kernel does to frames, undone.

use std::io;
use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use vouch_bmv2_tests::harness::{Failure, TestResult};
use vouch_bmv2_tests::namespace::ip;
use vouch_bmv2_tests::{InterfacePort, Processes, SwitchProgram};
use vouch_switch_server::port::PortCounters;
use vouch_switch_server::{Frames, Port, PortStatus};

use crate::switch::{Pairs, Switch, far_command, patch};

/// How long anything may take that does not fail.
const PATIENCE: Duration = Duration::from_secs(20);

fn start(arguments: &[&str]) -> Result<Switch, Failure> {
    let program = patch();
    Switch::start(&[&[program.to_str().ok_or("a strange path")?], arguments].concat())
}

/// A frame of an experimental ethertype, in VLANs.
fn frame(tags: &[[u8; 4]], payload: u8) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    frame.extend(tags.as_flattened());
    frame.extend([0x88, 0xb5, payload]);
    frame.resize(80, 0);
    frame
}

/// The first frame that is not the kernel's own.
async fn receive(port: &InterfacePort) -> Result<Vec<u8>, Failure> {
    let wanted = async {
        let mut batch = Frames::new();
        loop {
            port.receive(&mut batch, 1).await?;
            if let Some(frame) = batch.iter().find(|frame| frame.starts_with(&[2, 0, 0, 0, 0, 2])) {
                return Ok::<_, Failure>(frame.to_vec());
            }
            batch.clear();
        }
    };
    timeout(PATIENCE, wanted).await.map_err(|_| "nothing comes out")?
}

/// Frames with no, one and two tags leave as they came in, priority and all.
pub(crate) async fn vlan_tag(_: Arc<Processes>) -> TestResult {
    let _pairs = Pairs::here()?;
    let _switch = start(&[])?;
    let (near, far) = (InterfacePort::open("near")?, InterfacePort::open("far")?);
    let (vlan, service) = ([0x81, 0, 0x60, 100], [0x88, 0xa8, 0, 200]);
    for tags in [&[][..], &[vlan], &[service, vlan]] {
        let sent = frame(tags, 1);
        near.send(&sent)?;
        let received = receive(&far).await?;
        if received != sent {
            return Err(format!("sent {sent:02x?}, received {received:02x?}").into());
        }
    }
    Ok(())
}

/// A TCP connection between two kernel stacks, whose segments come uncut and without checksums.
pub(crate) async fn connection(_: Arc<Processes>) -> TestResult {
    let _pairs = Pairs::apart()?;
    let _switch = start(&[])?;
    let listener = TcpListener::bind("10.7.0.1:5001").await?;
    let received = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut text = Vec::new();
        loop {
            stream.readable().await?;
            match stream.try_read_buf(&mut text) {
                Ok(0) => return Ok::<_, io::Error>(text),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    });
    let sender = tokio::task::spawn_blocking(|| {
        far_command("timeout", &["15", "bash", "-c", "seq 1 200000 > /dev/tcp/10.7.0.1/5001"])
    });
    timeout(PATIENCE, sender).await.map_err(|_| "the connection hangs")???;
    let received = timeout(PATIENCE, received).await.map_err(|_| "the connection does not end")???;
    let sent: String = (1..=200_000).map(|number| format!("{number}\n")).collect();
    if received != sent.as_bytes() {
        return Err(format!("{} of {} bytes arrived", received.len(), sent.len()).into());
    }
    Ok(())
}

/// A UDP datagram's checksum is complete: the receiving stack drops others.
pub(crate) async fn datagram(_: Arc<Processes>) -> TestResult {
    let _pairs = Pairs::apart()?;
    let _switch = start(&[])?;
    let socket = UdpSocket::bind("10.7.0.1:5001")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let received = tokio::task::spawn_blocking(move || {
        let mut buffer = [0; 64];
        socket.recv(&mut buffer).map(|length| buffer[..length].to_vec())
    });
    let sender = tokio::task::spawn_blocking(|| far_command("bash", &["-c", "echo -n odd > /dev/udp/10.7.0.1/5001"]));
    sender.await??;
    let received = received.await??;
    if received == b"odd" { Ok(()) } else { Err(format!("{received:?} arrived").into()) }
}

/// `--pcap` has each direction of each interface in a file of its own.
pub(crate) async fn captures(_: Arc<Processes>) -> TestResult {
    let _pairs = Pairs::here()?;
    let folder = tempfile::tempdir()?;
    let switch = start(&[&format!("--pcap={}", folder.path().display())])?;
    let (near, far) = (InterfacePort::open("near")?, InterfacePort::open("far")?);
    let sent = frame(&[[0x81, 0, 0, 7]], 9);
    near.send(&sent)?;
    receive(&far).await?;
    drop(switch);
    for (name, expected) in [("s1_in", true), ("s1_out", false), ("s2_in", false), ("s2_out", true)] {
        let bytes = std::fs::read(folder.path().join(format!("{name}.pcap")))?;
        let found = bytes.windows(sent.len()).any(|window| window == sent);
        if found != expected {
            return Err(format!("the frame is in {name}.pcap: {found}").into());
        }
    }
    Ok(())
}

/// Frames longer than a slot of the ring come whole and in their turn, alone and between others.
pub(crate) async fn longer_than_a_slot(_: Arc<Processes>) -> TestResult {
    let _pairs = Pairs::here()?;
    // Slots are made for the MTU of the moment, which is 1,500 bytes.
    let _switch = start(&[])?;
    let (near, far) = (InterfacePort::open("near")?, InterfacePort::open("far")?);
    ip(&["near", "s1", "s2", "far"].map(|name| format!("link set {name} mtu 65000")))?;
    let sent: Vec<_> = [80, 1_900, 1_970, 1_990, 2_100, 64_000, 80, 9_000, 9_000, 80]
        .into_iter()
        .zip(1..)
        .map(|(length, number)| {
            let mut frame = frame(if number % 2 == 0 { &[[0x81, 0, 0, 7]] } else { &[] }, number);
            frame.extend((frame.len()..length).map(|at| (at % 251) as u8));
            frame
        })
        .collect();
    for frame in &sent {
        near.send(frame)?;
    }
    for frame in &sent {
        let received = receive(&far).await?;
        if received != *frame {
            let (a, b) = (frame.len(), received.len());
            return Err(format!("of {a} bytes sent, {b} came, or others than these").into());
        }
    }
    Ok(())
}

/// What comes in while nobody reads is received afterwards or counted.
pub(crate) async fn burst(_: Arc<Processes>) -> TestResult {
    // More than the ring (4,096) and what waits behind it (16,384) hold together.
    const FRAMES: u64 = 30_000;
    let _pairs = Pairs::here()?;
    let (near, s1) = (InterfacePort::open("near")?, InterfacePort::open("s1")?.gathering());
    let before = lost("near")?;
    let sent = frame(&[], 3);
    for _ in 0..FRAMES {
        s1.send(&sent)?;
    }
    s1.flush();
    let mut batch = Frames::new();
    let mut received = 0;
    let all = async {
        // The kernel has a queue of its own in front of the socket's.
        while received + near.counters().missed + lost("near")? - before < FRAMES {
            if timeout(Duration::from_millis(100), near.receive(&mut batch, 32)).await.is_ok() {
                received += batch.iter().filter(|frame| **frame == sent).count() as u64;
                batch.clear();
            }
        }
        Ok::<_, Failure>(())
    };
    timeout(PATIENCE, all).await.map_err(|_| "frames are neither received nor counted")??;
    let missed = near.counters().missed;
    if missed == 0 || received == 0 || received + missed + lost("near")? - before != FRAMES {
        return Err(format!("of {FRAMES} frames, {received} were received and {missed} counted as missed").into());
    }
    // There is room again.
    s1.send(&sent)?;
    s1.flush();
    if receive(&near).await? == sent { Ok(()) } else { Err("another frame arrived".into()) }
}

/// A server's worth of hosts, which all announce themselves at once: what comes in is read, but not as quickly.
pub(crate) async fn slowly_read(_: Arc<Processes>) -> TestResult {
    // More than the ring has room for (4,096), and in the end more than can wait behind it (16,384).
    const BURSTS: u64 = 16;
    const BURST: u64 = 2_000;
    // What stays in the ring: half of it. With one burst more it is not full.
    const LEFT: u64 = 2_048;
    let _pairs = Pairs::here()?;
    let (near, s1) = (InterfacePort::open("near")?, InterfacePort::open("s1")?.gathering());
    let before = lost("near")?;
    let mut batch = Frames::new();
    for number in 0..BURSTS {
        for _ in 0..BURST {
            s1.send(&frame(&[], number as u8))?;
        }
        s1.flush();
        // Half of what comes is read, so that some always wait.
        let read = batch.len() + BURST as usize / 2;
        while batch.len() < read {
            timeout(PATIENCE, near.receive(&mut batch, 32)).await.map_err(|_| "nothing arrives")??;
        }
        // The machine may stall at any moment, so nothing more is sent before the keeper of the ring has had its turn.
        let sent = (number + 1) * BURST;
        let room = async {
            loop {
                let PortCounters { received, missed, .. } = near.counters();
                if received + missed + lost("near")? - before + LEFT >= sent {
                    return Ok::<_, Failure>(());
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, room).await.map_err(|_| "nobody makes room in the ring")??;
    }
    let received = |batch: &Frames| batch.iter().filter(|it| it.starts_with(&[2, 0, 0, 0, 0, 2])).count() as u64;
    while received(&batch) + near.counters().missed + lost("near")? - before < BURSTS * BURST {
        timeout(PATIENCE, near.receive(&mut batch, 32))
            .await
            .map_err(|_| "frames are neither received nor counted")??;
    }
    let missed = near.counters().missed;
    if missed > 0 {
        return Err(format!("{missed} of {} frames had no room", BURSTS * BURST).into());
    }
    let order: Vec<u8> = batch.iter().filter(|it| it.starts_with(&[2, 0, 0, 0, 0, 2])).map(|it| it[14]).collect();
    if order.is_sorted() { Ok(()) } else { Err("frames have overtaken each other".into()) }
}

/// Neither sending nor receiving frames takes memory, once their buffers have seen a batch.
pub(crate) async fn no_allocations(_: Arc<Processes>) -> TestResult {
    let _pairs = Pairs::here()?;
    // Counted is what one thread does, so that one does everything.
    let count = tokio::task::spawn_blocking(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let enter = runtime.enter();
        let (near, s1) = (InterfacePort::open("near")?, InterfacePort::open("s1")?.gathering());
        drop(enter);
        let mut batch = Frames::new();
        runtime.block_on(batches(&s1, &near, &mut batch))?;
        let mut outcome = Ok(());
        let count = measure(|| outcome = runtime.block_on(batches(&s1, &near, &mut batch)));
        outcome.map(|()| count.count_total)
    });
    let count = count.await??;
    // Each time somebody waits for frames, that is a future, and the time limit around it.
    let allowed = 4 * BATCHES;
    if count <= allowed { Ok(()) } else { Err(format!("{count} allocations in {BATCHES} batches").into()) }
}

/// Batches that are sent and received, and the frames of each.
const BATCHES: u64 = 50;
const BATCH: usize = 32;

async fn batches(from: &InterfacePort, to: &InterfacePort, batch: &mut Frames) -> TestResult {
    let sent = frame(&[[0x81, 0, 0, 7]], 1);
    for _ in 0..BATCHES {
        for _ in 0..BATCH {
            from.send(&sent)?;
        }
        from.flush();
        while batch.iter().filter(|frame| **frame == sent).count() < BATCH {
            timeout(PATIENCE, to.receive(batch, BATCH)).await.map_err(|_| "frames do not arrive")??;
        }
        batch.clear();
    }
    Ok(())
}

/// Frames that came in at an interface and reached no socket, by the kernel's count.
fn lost(interface: &str) -> Result<u64, Failure> {
    let text = std::fs::read_to_string("/proc/net/dev")?;
    let line = text.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.trim() == interface);
    // Bytes, packets, errors, drops.
    let count = line.and_then(|(_, counts)| counts.split_whitespace().nth(3)?.parse().ok());
    count.ok_or_else(|| format!("/proc/net/dev has no count of drops for {interface}").into())
}

/// An interface that was down carries frames again when it is up, in both directions.
pub(crate) async fn down_and_up(_: Arc<Processes>) -> TestResult {
    let _pairs = Pairs::here()?;
    let _switch = start(&[])?;
    let (near, far) = (InterfacePort::open("near")?, InterfacePort::open("far")?);
    for number in 1..=3 {
        ip(&["link set s1 down".to_owned()])?;
        let mut status = near.status();
        let down = status.wait_for(|status| *status == PortStatus::Down);
        timeout(PATIENCE, down).await.map_err(|_| "it stays up without a carrier")??;
        ip(&["link set s1 up".to_owned()])?;
        timeout(PATIENCE, status.wait_for(|status| *status == PortStatus::Up)).await.map_err(|_| "it stays down")??;
        for (from, to) in [(&near, &far), (&far, &near)] {
            let sent = frame(&[], number);
            from.send(&sent)?;
            let received = receive(to).await?;
            if received != sent {
                return Err(format!("sent {sent:02x?}, received {received:02x?}").into());
            }
        }
    }
    Ok(())
}

/// A signal ends the switch in order, under traffic too, and its ports are free.
pub(crate) async fn signals(_: Arc<Processes>) -> TestResult {
    let _pairs = Pairs::here()?;
    for signal in ["TERM", "INT"] {
        let switch = start(&[])?;
        let (near, far) = (InterfacePort::open("near")?.gathering(), InterfacePort::open("far")?);
        let traffic = tokio::spawn(async move {
            loop {
                // A switch that is gone takes none.
                let _ = near.send(&frame(&[], 1));
                tokio::task::yield_now().await;
            }
        });
        receive(&far).await?;
        let ended = tokio::task::spawn_blocking(move || switch.end(signal));
        let ended = timeout(PATIENCE, ended).await.map_err(|_| format!("SIG{signal} does not end it"))??;
        traffic.abort();
        let status = ended?;
        if !status.success() {
            return Err(format!("SIG{signal} ends it with {status}").into());
        }
    }
    Ok(())
}

/// A port goes by its interface's name: it is down while there is none, and another of that name is the same port.
pub(crate) async fn comes_back(_: Arc<Processes>) -> TestResult {
    let pairs = Pairs::here()?;
    let near = InterfacePort::open("near")?;
    let wait = async |wanted| {
        let mut status = near.status();
        timeout(PATIENCE, status.wait_for(|status| *status == wanted)).await.map(|_| ())
    };
    wait(PortStatus::Up).await.map_err(|_| "it is not up at first")?;
    ip(&["link set s1 down".to_owned()])?;
    wait(PortStatus::Down).await.map_err(|_| "it stays up without a carrier")?;
    ip(&["link delete near".to_owned()])?;
    drop(pairs);
    let _pairs = Pairs::here()?;
    wait(PortStatus::Up).await.map_err(|_| "it does not come back")?;
    let other = InterfacePort::open("s1")?;
    let sent = frame(&[], 5);
    // The socket follows a moment after the interface is there.
    let arrives = async {
        loop {
            let _ = near.send(&sent);
            if let Ok(frame) = timeout(Duration::from_millis(100), receive(&other)).await {
                return frame;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    let received = timeout(PATIENCE, arrives).await.map_err(|_| "nothing passes after it came back")??;
    if received == sent { Ok(()) } else { Err(format!("{received:02x?} arrived").into()) }
}

/// Without CAP_NET_RAW the message says what is missing.
pub(crate) async fn without_right(_: Arc<Processes>) -> TestResult {
    let _pairs = Pairs::here()?;
    let switch = SwitchProgram::P4Switch.command(0)?;
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-net_raw", "--inh-caps=-net_raw"]);
    command.arg(switch.get_program()).args(switch.get_args());
    command.envs(switch.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.args(["--no-p4", "-i", "1@s1"]).output()?;
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = "p4-switch: port 1: raw access to interfaces takes the capability CAP_NET_RAW: run as root, or \
                    `setcap cap_net_raw+ep` the program\n";
    if output.status.code() == Some(1) && message == expected { Ok(()) } else { Err(message.into()) }
}

//! What the kernel does to frames, undone.

use std::io;
use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use vouch_bmv2_tests::harness::{Failure, TestResult};
use vouch_bmv2_tests::namespace::ip;
use vouch_bmv2_tests::{InterfacePort, Processes, SwitchProgram};
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
    let switch = SwitchProgram::P4Switch.command()?;
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

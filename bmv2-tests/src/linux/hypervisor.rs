//! A hypervisor: a namespace whose card is plugged into a switch port, a bridge behind it, and QEMU on a tap interface.
//!
//! ```text
//!   switch port ── panel ── eth0 ┐
//!                                br0
//!                 QEMU ──── vm0  ┘
//! ```
//!
//! The machine is emulated in software, so it runs in a machine that is virtual itself. Its memory is a file that all hypervisors have, and a
//! migration hands over the rest of its state: when QEMU 7.2 copies the memory of a machine that it emulates, one in ten or so comes out with
//! a card that no longer works (`output.0:id 1 is not a head!`), which is no fault of the network.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use p4_switch::process::{bound, tail};
use serde_json::json;
use vouch_lab::HostSpec;

use super::Failure;
use super::floor::Floor;
use super::image::Image;
use super::netns::Namespace;
use super::node::Running;
use super::plan::Access;
use super::qmp::Qmp;

/// The emulator.
pub(super) const QEMU: &str = "qemu-system-x86_64";
/// Megabytes of a machine's memory: with 64 this kernel does not boot.
const MEMORY: &str = "80";
/// How long QEMU may stop a machine for what is left to copy, in milliseconds.
const DOWNTIME: u64 = 50;
/// How many bytes a second a migration may take: nothing holds it up.
const BANDWIDTH: u64 = 1 << 30;

/// A hypervisor with at most one machine. The fields are dropped in this order.
#[derive(Debug)]
pub struct Hypervisor {
    /// What its cable is called.
    pub name: &'static str,
    /// Where it is plugged in.
    pub access: Access,
    machine: Option<Machine>,
    namespace: Namespace,
    folder: PathBuf,
}

/// A running QEMU.
#[derive(Debug)]
struct Machine {
    process: Running,
    monitor: Qmp,
}

/// What a machine is to know.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Who it is.
    pub spec: HostSpec,
    /// Whom it need not ask for.
    pub peer: HostSpec,
}

impl Hypervisor {
    /// Make one without a machine, and plug it in.
    ///
    /// # Errors
    /// What could not be made.
    pub fn start(floor: &Floor, name: &'static str, access: Access) -> Result<Self, Failure> {
        let namespace = Namespace::create(name)?;
        floor.panel.add_trunk(name, &namespace)?;
        floor.panel.plug(name, Some(access.clone()));
        namespace.ip(&[
            "link add br0 type bridge mcast_snooping 0".to_owned(),
            "tuntap add vm0 mode tap".to_owned(),
            "link set eth0 master br0".to_owned(),
            "link set vm0 mtu 1450 master br0 up".to_owned(),
            // A bridge that learns believes whoever sends from the machine's address; libvirt's, with `macTableManager`, does not.
            "link set eth0 type bridge_slave learning off".to_owned(),
            "link set vm0 type bridge_slave learning off".to_owned(),
            "link set br0 up".to_owned(),
        ])?;
        Ok(Self { name, access, machine: None, namespace, folder: floor.folder.path().to_owned() })
    }

    /// Boot a machine.
    ///
    /// # Errors
    /// QEMU does not run.
    pub async fn boot(&mut self, image: &Image, guest: &Guest) -> Result<(), Failure> {
        self.run(image, guest, None).await
    }

    /// Wait for a machine.
    ///
    /// # Errors
    /// QEMU does not run.
    pub async fn expect(&mut self, image: &Image, guest: &Guest) -> Result<(), Failure> {
        self.run(image, guest, Some(&self.way_in())).await
    }

    /// Its monitor.
    ///
    /// # Errors
    /// It has no machine.
    pub fn monitor(&mut self) -> Result<&mut Qmp, Failure> {
        let machine = self.machine.as_mut().ok_or_else(|| format!("{} has no machine", self.name))?;
        Ok(&mut machine.monitor)
    }

    /// Begin to send the machine to another hypervisor, which expects it. `pause` stops it for so long before it goes on there, as
    /// hypervisors do that have more to hand over.
    ///
    /// # Errors
    /// QEMU refuses.
    pub async fn send(&mut self, to: &Self, pause: Option<Duration>) -> Result<(), Failure> {
        let uri = format!("unix:{}", to.way_in().display());
        let monitor = self.monitor()?;
        capabilities(monitor, &[("events", true), ("pause-before-switchover", pause.is_some())]).await?;
        let limits = json!({ "downtime-limit": DOWNTIME, "max-bandwidth": BANDWIDTH });
        monitor.execute("migrate-set-parameters", limits).await?;
        monitor.execute("migrate", json!({ "uri": uri })).await?;
        Ok(())
    }

    /// End the machine.
    pub fn end(&mut self) {
        self.machine = None;
    }

    fn way_in(&self) -> PathBuf {
        self.folder.join(format!("{}-in.sock", self.name))
    }

    async fn run(&mut self, image: &Image, guest: &Guest, incoming: Option<&Path>) -> Result<(), Failure> {
        self.end();
        let socket = self.folder.join(format!("{}-qmp.sock", self.name));
        for socket in [&socket, &self.way_in()] {
            if socket.exists() {
                std::fs::remove_file(socket)?;
            }
        }
        let Guest { spec, peer } = guest;
        let words = format!(
            "console=ttyS0 quiet panic=-1 nokaslr mitigations=off ipv6.disable=1 address={}/16 peer={} peer_mac={}",
            spec.ipv4, peer.ipv4, peer.mac
        );
        let console = self.folder.join(format!("{}-console.log", self.name));
        let mut command = bound(QEMU);
        let memory = self.folder.join("memory");
        let backend = format!("memory-backend-file,id=memory,size={MEMORY}M,share=on,mem-path={}", memory.display());
        command.args(["-accel", "tcg", "-machine", "q35,memory-backend=memory", "-object", &backend, "-m", MEMORY]);
        command.args(["-nodefaults", "-no-reboot"]);
        command.args(["-display", "none", "-append", &words]);
        command.arg("-kernel").arg(&image.kernel).arg("-initrd").arg(&image.root);
        command.args(["-chardev", &format!("file,id=console,path={},append=on", console.display())]);
        command.args(["-serial", "chardev:console"]);
        command.args(["-netdev", "tap,id=net,ifname=vm0,script=no,downscript=no"]);
        command.args(["-device", &format!("virtio-net-pci,netdev=net,romfile=,mac={}", spec.mac)]);
        command.args(["-qmp", &format!("unix:{},server=on,wait=off", socket.display())]);
        if let Some(incoming) = incoming {
            command.args(["-incoming", &format!("unix:{}", incoming.display())]);
        }
        let mut command: Command = self.namespace.command(&command);
        let log = self.folder.join(format!("{}-qemu.log", self.name));
        let output = OpenOptions::new().create(true).append(true).open(&log)?;
        let child = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).spawn()?;
        let mut process = Running(child);
        let ended = || {
            let status = process.0.try_wait().ok()??;
            Some(format!("QEMU has ended ({status}); it said:\n{}", tail(&log)))
        };
        let mut monitor = Qmp::connect(&socket, ended).await?;
        // What comes has to agree with what is expected.
        capabilities(&mut monitor, &[("x-ignore-shared", true)]).await?;
        self.machine = Some(Machine { process, monitor });
        Ok(())
    }

    /// Why the machine no longer runs, if it has ended.
    pub fn ended(&mut self) -> Option<String> {
        let machine = self.machine.as_mut()?;
        let status = machine.process.0.try_wait().ok()??;
        let log = tail(&self.folder.join(format!("{}-qemu.log", self.name)));
        Some(format!("QEMU has ended ({status}); it said:\n{log}"))
    }
}

/// Say how migrations go.
async fn capabilities(monitor: &mut Qmp, capabilities: &[(&str, bool)]) -> Result<(), Failure> {
    let one = |(name, state): &(&str, bool)| json!({ "capability": name, "state": state });
    let capabilities: Vec<_> = capabilities.iter().map(one).collect();
    monitor.execute("migrate-set-capabilities", json!({ "capabilities": capabilities })).await?;
    Ok(())
}

//! What a virtual machine boots: Debian's kernel, and a root filesystem in memory, put together from Debian's packages.
//!
//! The packages are downloaded and unpacked into a folder, and not installed: this machine's own boot has nothing to do with it. The
//! machine has a card, answers ARP and ICMP with its kernel, and does nothing by itself.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use p4_switch::process::find;

use super::Failure;

/// The package that depends on the newest kernel for virtual machines.
const KERNEL: &str = "linux-image-cloud-amd64";
/// The package with a shell, and all that is called from it, in one file that needs no libraries.
const SHELL: &str = "busybox-static";
/// What it takes to have a card, in the order in which they are loaded.
const MODULES: [&str; 8] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "failover",
    "net_failover",
    "virtio_net",
];

/// What the kernel starts. It hands over what stands on its command line as variables.
const INIT: &str = r#"#!/bin/busybox sh
mkdir() { /bin/busybox mkdir "$@"; }
ip() { /bin/busybox ip "$@"; }
mkdir -p /proc
/bin/busybox mount -t proc proc /proc
for module in MODULES; do /bin/busybox insmod "/modules/$module.ko"; done
ip link set lo up
ip address add "$address" dev eth0
ip link set eth0 up
/bin/busybox arp -i eth0 -s "$peer" "$peer_mac"
echo "the machine is up"
while :; do /bin/busybox sleep 100000; done
"#;

/// Why no virtual machine can be run here; `None` where one can.
pub fn missing() -> Option<String> {
    let tools = [(super::hypervisor::QEMU, "qemu-system-x86"), ("apt-get", "apt"), ("dpkg", "dpkg")];
    let lacks = tools.iter().filter(|(tool, _)| find(tool).is_none());
    let lacks: Vec<_> = lacks.map(|(tool, package)| format!("`{tool}` (package {package})")).collect();
    (!lacks.is_empty()).then(|| format!("there is no {}", lacks.join(", and no ")))
}

/// A kernel and its root filesystem, as files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The kernel.
    pub kernel: PathBuf,
    /// The archive with the root filesystem.
    pub root: PathBuf,
}

impl Image {
    /// Fetch the packages and put the image together, in this folder.
    ///
    /// # Errors
    /// Which package cannot be had, or lacks what.
    pub fn assemble(folder: &Path) -> Result<Self, Failure> {
        let unpacked = folder.join("packages");
        fetch(folder, &unpacked)?;
        Self::of(&unpacked, folder)
    }

    /// Put it together from unpacked packages.
    fn of(packages: &Path, folder: &Path) -> Result<Self, Failure> {
        let kernels = std::fs::read_dir(packages.join("boot")).map_err(|error| format!("{KERNEL}: boot: {error}"))?;
        let kernel = kernels.flatten().map(|it| it.path()).find(|it| named(it).starts_with("vmlinuz-"));
        let kernel = kernel.ok_or_else(|| format!("{KERNEL} has no kernel below boot"))?;
        let shell = either(packages, "bin/busybox").ok_or_else(|| format!("{SHELL} has no bin/busybox"))?;
        let mut files = Vec::new();
        walk(&either(packages, "lib/modules").ok_or_else(|| format!("{KERNEL} has no lib/modules"))?, &mut files)?;

        let mut archive = Archive::default();
        for folder in ["bin", "dev", "modules"] {
            archive.add(folder, FOLDER | 0o755, (0, 0), b"");
        }
        // Without it, nothing that is printed is seen.
        archive.add("dev/console", CHARACTERS | 0o600, (5, 1), b"");
        archive.add("bin/busybox", FILE | 0o755, (0, 0), &std::fs::read(shell)?);
        let mut modules = Vec::new();
        for module in MODULES {
            // What is not a file is part of the kernel itself.
            if let Some(path) = files.iter().find(|it| named(it).split(".ko").next() == Some(module)) {
                archive.add(&format!("modules/{module}.ko"), FILE | 0o644, (0, 0), &unpack(path)?);
                modules.push(module);
            }
        }
        archive.add("init", FILE | 0o755, (0, 0), INIT.replace("MODULES", &modules.join(" ")).as_bytes());
        let root = folder.join("root.cpio");
        std::fs::write(&root, archive.end())?;
        Ok(Self { kernel, root })
    }
}

/// Download and unpack the packages.
fn fetch(folder: &Path, unpacked: &Path) -> Result<(), Failure> {
    let told = run(Command::new("apt-cache").args(["depends", KERNEL]))?;
    let kernel = told.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    let kernel = kernel.ok_or_else(|| format!("apt knows no package {KERNEL}: `apt-get update` may help"))?;
    run(Command::new("apt-get").args(["download", "--quiet", kernel, SHELL]).current_dir(folder))?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "deb") {
            run(Command::new("dpkg").arg("--extract").arg(&path).arg(unpacked))?;
        }
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<String, Failure> {
    let shown = format!("{} {:?}", command.get_program().display(), command.get_args().collect::<Vec<_>>());
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{shown}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{shown} failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A module as the shell can load it.
fn unpack(path: &Path) -> Result<Vec<u8>, Failure> {
    if path.extension().is_some_and(|it| it == "ko") {
        return Ok(std::fs::read(path)?);
    }
    let output = Command::new("xz").args(["--decompress", "--stdout"]).arg(path).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("xz, for {}: {error} (package xz-utils)", path.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} cannot be unpacked: {}", path.display(), said.trim()).into());
    }
    Ok(output.stdout)
}

/// A path in unpacked packages, or below `usr`, where newer ones have everything.
fn either(packages: &Path, path: &str) -> Option<PathBuf> {
    [packages.join(path), packages.join("usr").join(path)].into_iter().find(|it| it.exists())
}

fn named(path: &Path) -> &str {
    path.file_name().and_then(|it| it.to_str()).unwrap_or_default()
}

/// All files below a folder.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => walk(&entry.path(), files)?,
            false => files.push(entry.path()),
        }
    }
    Ok(())
}

/// The types of files, in their modes (`S_IFMT`).
const FILE: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
const CHARACTERS: u32 = 0o020_000;

/// An archive in the format that the kernel unpacks (cpio's "newc"; the kernel's documentation, initramfs-buffer-format).
#[derive(Debug, Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// The last entry has this name.
    const LAST: &'static str = "TRAILER!!!";

    fn add(&mut self, name: &str, mode: u32, (major, minor): (u32, u32), data: &[u8]) {
        self.entries += 1;
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        self.bytes.extend(b"070701");
        // Number, mode, owner, group, links, time, length, device, what it is the device of, length of the name, checksum.
        let (data_length, name_length) = (length(data.len()), length(name.len() + 1));
        for field in [self.entries, mode, 0, 0, 1, 0, data_length, 0, 0, major, minor, name_length, 0] {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(name.bytes().chain([0]));
        self.align();
        self.bytes.extend(data);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn end(mut self) -> Vec<u8> {
        self.add(Self::LAST, 0, (0, 0), b"");
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_as_the_kernel_reads_it() {
        let mut archive = Archive::default();
        archive.add("dev/console", CHARACTERS | 0o600, (5, 1), b"");
        archive.add("init", FILE | 0o755, (0, 0), b"#!x\n!");
        let bytes = archive.end();
        let header = "070701000000010000218000000000000000000000000100000000000000000000000000000000000000050000000100\
            00000c00000000dev/console\0\0\0";
        assert_eq!(&bytes[..header.len()], header.as_bytes());
        let rest = &bytes[header.len()..];
        assert!(rest.starts_with(b"070701"), "{}", String::from_utf8_lossy(rest));
        assert!(rest[110..].starts_with(b"init\0\0#!x\n!\0\0\x00070701"), "{}", String::from_utf8_lossy(rest));
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn what_a_package_lacks_is_said_with_its_name() -> Result<(), Failure> {
        let folder = tempfile::tempdir()?;
        let lacks = || Image::of(folder.path(), folder.path()).map_err(|error| error.to_string()).unwrap_err();
        assert!(lacks().starts_with("linux-image-cloud-amd64: boot"), "{}", lacks());
        std::fs::create_dir(folder.path().join("boot"))?;
        assert_eq!(lacks(), "linux-image-cloud-amd64 has no kernel below boot");
        std::fs::write(folder.path().join("boot/vmlinuz-1"), "")?;
        assert_eq!(lacks(), "busybox-static has no bin/busybox");
        std::fs::create_dir_all(folder.path().join("usr/bin"))?;
        std::fs::write(folder.path().join("usr/bin/busybox"), "")?;
        assert_eq!(lacks(), "linux-image-cloud-amd64 has no lib/modules");
        std::fs::create_dir_all(folder.path().join("usr/lib/modules/1/net"))?;
        std::fs::write(folder.path().join("usr/lib/modules/1/net/virtio_net.ko"), "the module")?;
        let image = Image::of(folder.path(), folder.path())?;
        let archive = std::fs::read(image.root)?;
        let archive = String::from_utf8_lossy(&archive);
        assert!(archive.contains("the module") && archive.contains("for module in virtio_net; do"), "{archive}");
        Ok(())
    }
}

//! Named network namespaces that carry the number of the process that made them, `vf-PID-NAME`, and go with it.
//!
//! `ip netns exec vf-PID-NAME` looks into one while it stands. A process that is killed leaves the names; whoever comes next takes
//! away those whose owner is gone, and nothing else.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, id};
use std::thread;

use crate::sys::{self, Signal};

/// Where `ip netns` keeps the names.
const FOLDER: &str = "/run/netns";
/// What all our names begin with.
const PREFIX: &str = "vf-";
/// The namespace that its owner is in: by this an owner is told from a process that has its number by chance.
const HOME: &str = "net";

/// A network namespace, which is taken away with this value.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    file: File,
}

impl Namespace {
    /// Make one. Its loopback is up, and its kernel sends no IPv6 of its own.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn create(what: &str) -> io::Result<Self> {
        let name = format!("{PREFIX}{}-{what}", id());
        ip(&["netns", "add", &name])?;
        let file = File::open(Path::new(FOLDER).join(&name))?;
        let namespace = Self { name, file };
        namespace.quiet(true)?;
        namespace.ip(&["link set lo up".to_owned()])?;
        Ok(namespace)
    }

    /// Make the namespace that this process is in from now on. To be called before there are other threads.
    ///
    /// # Errors
    /// What could not be done.
    pub fn settle() -> io::Result<(Self, Outside)> {
        let outside = Outside(File::open("/proc/self/ns/net")?);
        // Until this process is in it, nobody can see whose it is.
        let _alone = alone()?;
        let home = Self::create(HOME)?;
        sys::enter(&home.file)?;
        Ok((home, outside))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Switch IPv6 off, or on.
    ///
    /// # Errors
    /// The kernel's.
    pub fn quiet(&self, quiet: bool) -> io::Result<()> {
        for scope in ["all", "default"] {
            let setting = format!("ipv6/conf/{scope}/disable_ipv6");
            if Path::new("/proc/sys/net").join(&setting).exists() {
                self.set(&setting, if quiet { "1" } else { "0" })?;
            }
        }
        Ok(())
    }

    /// Set a value below `/proc/sys/net`.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set(&self, setting: &str, value: &str) -> io::Result<()> {
        let path = Path::new("/proc/sys/net").join(setting);
        self.inside(|| fs::write(&path, value))?
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    /// Do something on a thread that is in it. What is opened there stays in it.
    ///
    /// # Errors
    /// It could not be entered.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        inside(&self.file, work)
    }

    /// Run commands of `ip` in it, one per line.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn ip(&self, lines: &[String]) -> io::Result<()> {
        self.inside(|| crate::namespace::ip(lines))?
    }

    /// This command, in it.
    pub fn command(&self, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.name]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }
}

/// The namespace that this process was in at first, in which the rest of the world is.
#[derive(Debug)]
pub struct Outside(File);

impl Outside {
    /// Do something on a thread that is in it.
    ///
    /// # Errors
    /// It could not be entered.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        inside(&self.0, work)
    }
}

fn inside<T: Send>(namespace: &File, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let entered = || sys::enter(namespace).map(|()| work());
    thread::scope(|scope| scope.spawn(entered).join()).map_err(|_| io::Error::other("a thread panicked"))?
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Whatever fails here is seen, and done, by the next run.
        let _ = ip(&["netns", "delete", &self.name]);
    }
}

/// Take away what runs that were killed have left: their namespaces, the processes in these, and their folders.
///
/// # Errors
/// What could not be read.
pub fn clean_up(folders: &Path) -> io::Result<Vec<String>> {
    let _alone = alone()?;
    let mut gone = Vec::new();
    for (name, path) in ours(Path::new(FOLDER))? {
        end_processes(&path)?;
        ip(&["netns", "delete", &name])?;
        gone.push(name);
    }
    for (name, path) in ours(folders)? {
        fs::remove_dir_all(&path)?;
        gone.push(name);
    }
    Ok(gone)
}

/// While it is held, no other process makes its namespace or cleans up: a lock on the folder above the namespaces' names.
fn alone() -> io::Result<File> {
    let folder = File::open("/run")?;
    folder.lock()?;
    Ok(folder)
}

/// The namespaces of this name, of processes that live, with these.
///
/// # Errors
/// What could not be read.
pub fn standing(what: &str) -> io::Result<Vec<(u32, String)>> {
    let mut found = Vec::new();
    for (owner, name, _) in named(Path::new(FOLDER))? {
        if is_alive(owner) && name == format!("{PREFIX}{owner}-{what}") {
            found.push((owner, name));
        }
    }
    Ok(found)
}

/// The processes that have such namespaces, and live.
///
/// # Errors
/// What could not be read.
pub fn owners() -> io::Result<BTreeSet<u32>> {
    Ok(named(Path::new(FOLDER))?.into_iter().map(|(owner, _, _)| owner).filter(|owner| is_alive(*owner)).collect())
}

/// Tell a process to end (SIGTERM).
///
/// # Errors
/// The kernel's.
pub fn tell_to_end(owner: u32) -> io::Result<()> {
    sys::signal(owner, Signal::End)
}

/// The name of a folder of this process, for [`clean_up`] to recognise.
pub fn folder_prefix() -> String {
    format!("{PREFIX}{}-", id())
}

/// What carries our prefix and has no owner any more.
fn ours(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let dead = named(folder)?.into_iter().filter(|(owner, _, _)| !is_alive(*owner));
    Ok(dead.map(|(_, name, path)| (name, path)).collect())
}

/// What carries our prefix, and whose it is.
fn named(folder: &Path) -> io::Result<Vec<(u32, String, PathBuf)>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner =
            name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-')).and_then(|(pid, _)| pid.parse().ok());
        if let Some(owner) = owner {
            found.push((owner, name, entry.path()));
        }
    }
    Ok(found)
}

/// Whether the process of this number is one that makes such namespaces: it is in its own.
fn is_alive(owner: u32) -> bool {
    let inode = |path: String| fs::metadata(path).map(|it| it.ino()).ok();
    let home = inode(format!("{FOLDER}/{PREFIX}{owner}-{HOME}"));
    owner == id() || (home.is_some() && inode(format!("/proc/{owner}/ns/net")) == home)
}

fn end_processes(namespace: &Path) -> io::Result<()> {
    let wanted = fs::metadata(namespace)?.ino();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process that has ended meanwhile is none.
        if fs::metadata(entry.path().join("ns/net")).is_ok_and(|it| it.ino() == wanted) {
            let _ = sys::signal(process, Signal::Kill);
        }
    }
    Ok(())
}

fn ip(arguments: &[&str]) -> io::Result<()> {
    let output = Command::new("ip").args(arguments).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("`ip {}` failed: {}", arguments.join(" "), said.trim())))
}

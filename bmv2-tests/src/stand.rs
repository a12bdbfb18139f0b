//! A fabric that stands until somebody ends it, to play with.

use std::io::BufRead as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::str::FromStr;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use vouch_lab::Announcement;

use crate::linux::Failure;
use crate::linux::netns::{self, clean_up};
use crate::linux::plan::{Access, NODES, Plan, SPINE};
use crate::linux::world::{Site, World};
use crate::rows::cast::{self, MALLORY, PEER};

/// The command that has a fabric stand, by which [`down`] knows whom to end.
pub const UP: &str = "up";
/// Hosts behind the first VTEP.
const HOSTS: u8 = 4;
/// Ports where nobody is, at each VTEP.
const FREE: [u16; 2] = [8, 9];
/// How long a fabric may take to go.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

const ORDERS: &str = "\
    move HOST VTEP PORT    plug a host in elsewhere, where it announces itself: move red1 vtep2 8
forge WHO VICTIM       somebody announces that it is the victim: forge mallory red1
answer WHO VICTIM      and answers ARP requests for it from now on
check                  which VTEPs have a host where it is not
end                    so does Ctrl-C";

/// What can be typed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Order {
    Move { host: String, to: Access },
    Forge { who: String, victim: String },
    Answer { who: String, victim: String },
    Check,
    End,
}

impl FromStr for Order {
    type Err = Failure;

    fn from_str(line: &str) -> Result<Self, Failure> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Ok(match words.as_slice() {
            ["move", host, vtep, port] => {
                let number = NODES.iter().filter(|name| **name != SPINE).position(|name| name == vtep);
                let number = number.and_then(|it| u8::try_from(it + 1).ok());
                let number = number.ok_or_else(|| format!("there is no {vtep}; there are vtep1, vtep2 and vtep3"))?;
                let port = port.parse().map_err(|_| format!("{port} is no port: it is a number, as 8"))?;
                Self::Move { host: (*host).to_owned(), to: Access::red(number, port) }
            }
            ["forge", who, victim] => Self::Forge { who: (*who).to_owned(), victim: (*victim).to_owned() },
            ["answer", who, victim] => Self::Answer { who: (*who).to_owned(), victim: (*victim).to_owned() },
            ["check"] => Self::Check,
            ["end"] => Self::End,
            _ => return Err(format!("that is none of\n{ORDERS}").into()),
        })
    }
}

/// Bring a fabric up and do with it what is typed, until the end is.
///
/// # Errors
/// It does not come up.
pub async fn stand(site: &Site, during: &'static str) -> Result<(), Failure> {
    let mut plan = cast::plan(HOSTS);
    plan.during = during;
    for port in FREE {
        plan = [1, 2, 3].into_iter().fold(plan, |plan, vtep| plan.free(Access::red(vtep, port)));
    }
    let mut world = World::start(site, plan.clone()).await?;
    describe(&mut world, &plan)?;
    let mut lines = typed();
    // Nobody types where there is no terminal, and the fabric stands all the same.
    while let Some(line) = lines.recv().await {
        match line.parse() {
            Ok(Order::End) => return Ok(()),
            Ok(order) => match obey(&mut world, &plan, order).await {
                Ok(said) => println!("{said}"),
                Err(error) => println!("{error}"),
            },
            Err(error) => println!("{error}"),
        }
    }
    std::future::pending().await
}

fn describe(world: &mut World, plan: &Plan) -> Result<(), Failure> {
    println!("host      address        MAC address        behind");
    for it in &plan.residents {
        let (spec, at) = (&it.spec, &it.access.at);
        println!("{:<9} {:<14} {:<18} {} port {}", spec.name, spec.ipv4, spec.mac, at.switch, at.port);
    }
    println!("\nfree: ports {FREE:?} of each VTEP. The agents' sockets:");
    for vtep in NODES.into_iter().filter(|name| *name != SPINE) {
        println!("    vouch hosts --socket {}", world.node(vtep)?.socket().display());
    }
    println!("In another terminal:\n    fabric shell {PEER} ping {}", world.spec("red1")?.ipv4);
    println!("    fabric shell {MALLORY}\n\n{ORDERS}\n\nThe fabric stands.");
    Ok(())
}

async fn obey(world: &mut World, plan: &Plan, order: Order) -> Result<String, Failure> {
    match order {
        Order::Move { host, to } => {
            world.spec(&host)?;
            let known = plan.free.iter().chain(plan.residents.iter().map(|it| &it.access)).any(|it| *it == to);
            if !known {
                return Err(format!("{} has no access port {}", to.at.switch, to.at.port).into());
            }
            world.plug(&host, Some(to));
            world.announce(&host, Announcement::GratuitousRequest)?;
            Ok(format!("{host} has moved"))
        }
        Order::Forge { who, victim } => {
            world.host(&who)?;
            world.forge(&who, Announcement::GratuitousReply, &victim)?;
            Ok(format!("{who} has said that it is {victim}"))
        }
        Order::Answer { who, victim } => {
            world.host(&who)?;
            world.impersonate(&who, &victim, true)?;
            Ok(format!("{who} answers for {victim}"))
        }
        Order::Check => {
            let names: Vec<&str> = plan.residents.iter().map(|it| it.spec.name.as_str()).collect();
            let wrong: Vec<String> = world.wrong(&names).await?.into_iter().map(|(_, what)| what).collect();
            Ok(if wrong.is_empty() { "every VTEP has every host where it is".to_owned() } else { wrong.join("\n") })
        }
        Order::End => Ok(String::new()),
    }
}

/// What is typed, line by line.
fn typed() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(16);
    // It ends with the process: nothing takes a thread away from the terminal.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Become a command, or a shell, on a host of the fabric that stands; of that of process `of` where there are several.
///
/// # Errors
/// There is no such host, or several, or it did not work. It returns only then.
pub fn shell(host: &str, of: Option<u32>, command: &[String]) -> Failure {
    match enter(host, of, command) {
        Err(error) => error,
        Ok(never) => match never {},
    }
}

fn enter(host: &str, of: Option<u32>, command: &[String]) -> Result<std::convert::Infallible, Failure> {
    let mut found = netns::standing(host)?;
    found.retain(|(owner, _)| of.is_none_or(|of| of == *owner));
    let name = match found.as_slice() {
        [(_, name)] => name,
        [] => return Err(format!("no fabric with a host {host} stands; `fabric {UP}` brings one up").into()),
        several => {
            let owners: Vec<_> = several.iter().map(|(owner, _)| owner.to_string()).collect();
            return Err(
                format!("several fabrics have {host}: say which with --of, one of {}", owners.join(", ")).into()
            );
        }
    };
    let shell = [std::env::var("SHELL").unwrap_or_else(|_| "sh".to_owned())];
    let command = if command.is_empty() { &shell[..] } else { command };
    // It returns only if it fails.
    Err(Command::new("ip").args(["netns", "exec", name]).args(command).exec().into())
}

/// End the fabrics that stand, and take away what killed processes have left. What has gone, by name.
///
/// # Errors
/// One does not go.
pub fn down() -> Result<Vec<String>, Failure> {
    let owners: Vec<u32> = netns::owners()?.into_iter().filter(|owner| stands(*owner)).collect();
    for owner in &owners {
        netns::tell_to_end(*owner)?;
    }
    let deadline = Instant::now() + PATIENCE;
    while let Some(owner) = netns::owners()?.into_iter().find(|owner| owners.contains(owner)) {
        if Instant::now() >= deadline {
            return Err(format!("the fabric of process {owner} does not end").into());
        }
        std::thread::sleep(LOOK);
    }
    let mut gone: Vec<String> = owners.iter().map(|owner| format!("the fabric of process {owner}")).collect();
    gone.extend(clean_up(&std::env::temp_dir())?);
    Ok(gone)
}

/// Whether a process has a fabric stand: others play something, and end by themselves.
fn stands(owner: u32) -> bool {
    let line = std::fs::read(Path::new("/proc").join(owner.to_string()).join("cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).nth(1) == Some(UP.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_understood_or_refused_with_what_there_is() {
        let order = |line: &str| line.parse::<Order>().map_err(|error| error.to_string());
        assert_eq!(order(" move red1  vtep2 8"), Ok(Order::Move { host: "red1".into(), to: Access::red(2, 8) }));
        let forge = Order::Forge { who: "mallory".into(), victim: "red1".into() };
        assert_eq!(order("forge mallory red1"), Ok(forge));
        assert_eq!(order("move red1 spine 8"), Err("there is no spine; there are vtep1, vtep2 and vtep3".into()));
        assert_eq!(order("move red1 vtep2 x"), Err("x is no port: it is a number, as 8".into()));
        assert!(order("fly").is_err_and(|error| error.contains("forge WHO VICTIM")));
    }
}

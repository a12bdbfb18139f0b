//! `vouch status`, `why` and the other commands that ask running agents and tell them what to do.
//!
//! The fabric, not a switch, is what people think in: each command takes several agents, asks them side by side, and puts their answers
//! together. An agent that cannot be asked is told on standard error; the others' answers are shown all the same.
//!
//! | file | what it is |
//! |---|---|
//! | `operate` | the commands |
//! | `operate/agents` | which agents there are, and asking all of them |
//! | `operate/name` | how a host is named on the command line |
//! | `operate/status`, `operate/hosts`, `operate/story`, `operate/lists` | answers as text |
//! | `operate/packet` | what becomes of a frame |
//! | `operate/reload` | files that are read again |
//! | `operate/text` | columns, times, places |

mod agents;
mod hosts;
mod lists;
mod name;
mod packet;
mod reload;
mod status;
mod story;
mod text;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use tokio::sync::mpsc;
use vouch_agent::Place;
use vouch_agent::management::{json, v1};

pub(crate) use self::agents::SOCKETS;
use self::agents::{Agents, Asked};
use self::name::HostName;

/// Something needs attention, but the agents do their work.
const ATTENTION: u8 = 3;

#[derive(Debug, Subcommand)]
pub(crate) enum Operate {
    /// Say how agents are: switch, peers, hosts, what is wrong and what to do about it
    ///
    /// With several agents it is also said where two of them disagree about a host.
    ///
    /// The exit status is 0 if nothing is wrong, 3 if something needs attention, and 1 if an agent cannot be reached or
    /// cannot do its work.
    Status {
        #[command(flatten)]
        agents: Agents,
    },
    /// List hosts: where they are, what is going on with them, and their addresses
    Hosts {
        #[command(flatten)]
        agents: Agents,
        /// Only of this VNI
        #[arg(long, value_name = "VNI")]
        vni: Option<u32>,
        /// Only with this MAC address
        #[arg(long, value_name = "MAC", default_value = "", hide_default_value = true)]
        mac: String,
        /// Only with this IP address
        #[arg(long, value_name = "IP", default_value = "", hide_default_value = true)]
        ip: String,
        /// Only on this port of the agent's own switch
        #[arg(long, value_name = "PORT")]
        port: Option<u32>,
        /// Only in this state
        #[arg(long, value_enum, value_name = "STATE")]
        state: Option<HostState>,
    },
    /// List what became of claims, and what that rests on
    Moves {
        #[command(flatten)]
        agents: Agents,
        /// Only the latest so many of each agent
        #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
        last: u32,
    },
    /// Tell a host's story: heard where, asked when, answered how quickly, what was written and told, and what would happen if
    /// it were claimed now
    ///
    /// With --packet it is a frame's story: what the program does with it, state by state and table by table, by the entries that the switch
    /// has now, and what leaves where. It is played in this process, and the switch hears nothing of it.
    ///
    /// The exit status is 0 if some agent knows the host, or the frame could be played, and 1 if not.
    Why {
        /// The host
        #[arg(value_name = name::SYNTAX, required_unless_present = "packet", conflicts_with = "packet")]
        host: Option<HostName>,
        /// A frame in hexadecimal digits, or a file with one, or a capture in pcap's format
        #[arg(long, value_name = "FILE|HEX", requires = "port")]
        packet: Option<String>,
        /// The port that the frame comes in by
        #[arg(long, value_name = "PORT", requires = "packet")]
        port: Option<u16>,
        #[command(flatten)]
        agents: Agents,
    },
    /// Show what happens, as it happens, until interrupted
    ///
    /// Whoever reads too slowly misses events, and is told how many; no agent waits for it.
    Watch {
        /// Only about this host
        #[arg(value_name = name::SYNTAX)]
        host: Option<HostName>,
        #[command(flatten)]
        agents: Agents,
        /// Only events of this kind; may be repeated. One that does not exist lists those that do
        #[arg(long = "kind", value_name = "KIND")]
        kinds: Vec<String>,
    },
    /// List hosts whose place is in question, and who claims them
    Claims {
        #[command(flatten)]
        agents: Agents,
    },
    /// List the sessions between agents
    Peers {
        #[command(flatten)]
        agents: Agents,
    },
    /// List access interfaces and ports of the underlay: links, hosts, claims, and what was lost there
    Ports {
        #[command(flatten)]
        agents: Agents,
    },
    /// List addresses and the hosts that they are bound to
    Bindings {
        #[command(flatten)]
        agents: Agents,
        /// Only of this VNI
        #[arg(long, value_name = "VNI")]
        vni: Option<u32>,
    },
    /// List ports that claim hosts in vain, ports that are shut for hosts, and the attacks that were reported
    Attacks {
        #[command(flatten)]
        agents: Agents,
    },
    /// List what the switch and the agent have counted, each with what it means
    Counters {
        #[command(flatten)]
        agents: Agents,
        /// Also those that are zero
        #[arg(long)]
        all: bool,
    },
    /// Compare what the switch has with what it should have
    ///
    /// The exit status is 0 if they are the same, 3 if they differ, and 1 if that cannot be found out.
    Tables {
        #[command(flatten)]
        agents: Agents,
    },
    /// Ask a host now whether it is there, through the agent that has it
    ///
    /// The exit status is 0 if it answers, and 1 if not.
    Probe {
        /// The host
        #[arg(value_name = name::SYNTAX)]
        host: HostName,
        #[command(flatten)]
        agents: Agents,
    },
    /// Have something of a host's past forgotten
    Clear {
        /// What
        #[arg(value_enum)]
        what: What,
        /// The host
        #[arg(value_name = name::SYNTAX)]
        host: HostName,
        #[command(flatten)]
        agents: Agents,
    },
    /// Take a VTEP out of use, before its switch is replaced or restarted
    ///
    /// Peers are told no more of the hosts behind it: within seconds they forget them, and learn each anew, without a question, wherever
    /// it is heard next. Here nothing changes: hosts that are still here stay in the switch and reach each other, and what others send
    /// them is flooded to them. If somebody else says he has a host that still answers here, that is reported, and peers are told of it
    /// again. The switch forwards until it is stopped itself. `vouch status` says how many hosts are left.
    ///
    /// It holds until --undo, or until the agent is started anew.
    Drain {
        /// Take it back into use: peers are told of its hosts again
        #[arg(long)]
        undo: bool,
        #[command(flatten)]
        agents: Agents,
    },
    /// Have the configuration files read again, and print what is different
    ///
    /// All files of the agent's process are taken, or, if anything is wrong with any of them, none: then that is printed, and everything
    /// goes on as before. Agents whose configuration is another one are stopped and started with it, while their switches forward; the
    /// others read their certificates again. SIGHUP does the same.
    ///
    /// The exit status is 0 if the files are right, and the agent that was asked answers again; else 1.
    Reload {
        /// Print what would be different, and do nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        agents: Agents,
    },
    /// Decide where a host belongs that answers at two places
    Settle {
        /// The host
        #[arg(value_name = name::SYNTAX)]
        host: HostName,
        /// Where it stays: a VTEP by its tunnel address, or an access interface of the agent that has it
        #[arg(long, value_name = "VTEP|PORT[.VLAN]")]
        keep: Place,
        #[command(flatten)]
        agents: Agents,
    },
}

/// What is going on with a host.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum HostState {
    /// It is where the table has it
    Settled,
    /// It is being asked whether it is still there
    Verifying,
    /// Somebody claims it, and nothing proves who is right
    Unproven,
    /// It answers at two places
    Contested,
    /// It was here before a restart, and is being looked for
    Sought,
    /// The agent claims it, and waits for its owner's verdict
    Claiming,
    /// The owner is unreachable, and the host is asked through the tunnel
    ProbingThroughTunnel,
}

/// What can be forgotten.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum What {
    /// Refused claims: the next is taken up as if it were the first
    Refusals,
    /// Reported attacks; the claims stay damped
    Attack,
    /// Ports that are shut for it
    Quarantine,
}

impl From<HostState> for v1::HostState {
    fn from(state: HostState) -> Self {
        match state {
            HostState::Settled => Self::Settled,
            HostState::Verifying => Self::Verifying,
            HostState::Unproven => Self::Unproven,
            HostState::Contested => Self::Contested,
            HostState::Sought => Self::Sought,
            HostState::Claiming => Self::Claiming,
            HostState::ProbingThroughTunnel => Self::ProbingThroughTunnel,
        }
    }
}

/// Carries a command out.
pub(crate) async fn run(command: Operate) -> ExitCode {
    match command {
        Operate::Status { agents } => {
            let asked = agents.ask(async |agent| agent.status().await).await;
            let disagreements = match asked.answers.len() {
                0 | 1 => Vec::new(),
                _ => {
                    hosts::disagreements(&agents.ask(async |agent| agent.hosts(Default::default()).await).await.answers)
                }
            };
            let failed = asked.tell_failures();
            if agents.json {
                print_json(&asked.answers);
            } else {
                print(&status::text(&asked.answers, &disagreements));
            }
            status::exit(&asked.answers, failed, !disagreements.is_empty())
        }
        Operate::Hosts { agents, vni, mac, ip, port, state } => {
            let state = state.map_or(v1::HostState::Unspecified, Into::into).into();
            let request = v1::ListHostsRequest { vni, mac, ip, port, state };
            let asked = agents.ask(async |agent| agent.hosts(request.clone()).await).await;
            show(&agents, asked, hosts::text)
        }
        Operate::Moves { agents, last } => {
            let asked = agents.ask(async |agent| agent.moves(last).await).await;
            show(&agents, asked, story::moves)
        }
        Operate::Why { host: None, packet, port, agents } => {
            packet::why(agents, &packet.unwrap_or_default(), port.unwrap_or_default()).await
        }
        Operate::Why { host: Some(host), agents, .. } => {
            let asked = agents.ask(async |agent| agent.explain(host.explain()).await).await;
            let failed = asked.tell_failures();
            let stories: Vec<v1::Story> = asked.answers.into_iter().flatten().collect();
            let known = stories.iter().any(|story| story.host.is_some());
            if agents.json {
                print_json(&stories);
            } else if known {
                print(&story::text(&stories));
            } else if !stories.is_empty() {
                eprint!("{}", story::unknown(&host, &stories));
            }
            if known && !failed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Operate::Watch { host, agents, kinds } => watch(agents, host, kinds).await,
        Operate::Claims { agents } => {
            let asked = agents.ask(async |agent| agent.claims().await).await;
            show(&agents, asked, lists::claims)
        }
        Operate::Peers { agents } => {
            let asked = agents.ask(async |agent| agent.peers().await).await;
            show(&agents, asked, lists::peers)
        }
        Operate::Ports { agents } => {
            let asked = agents.ask(async |agent| agent.ports().await).await;
            show(&agents, asked, lists::ports)
        }
        Operate::Bindings { agents, vni } => {
            let request = v1::ListHostsRequest { vni, ..Default::default() };
            let asked = agents.ask(async |agent| agent.hosts(request.clone()).await).await;
            show(&agents, asked, hosts::bindings)
        }
        Operate::Attacks { agents } => {
            let asked = agents.ask(async |agent| agent.attacks().await).await;
            show(&agents, asked, lists::attacks)
        }
        Operate::Counters { agents, all } => {
            let asked = agents.ask(async |agent| agent.counters().await).await;
            let incomplete = asked.answers.iter().any(|list| !list.error.is_empty());
            let status = show(&agents, asked, |lists| lists::counters(lists, all));
            if incomplete { ExitCode::FAILURE } else { status }
        }
        Operate::Tables { agents } => {
            let asked = agents.ask(async |agent| agent.tables().await).await;
            let unread = asked.answers.iter().any(|tables| !tables.error.is_empty());
            let differ = asked.answers.iter().any(|it| !it.differences.is_empty() || !it.meaningless.is_empty());
            let failed = asked.tell_failures();
            if agents.json {
                print_json(&asked.answers);
            } else if !asked.answers.is_empty() {
                print(&lists::tables(&asked.answers));
            }
            match (failed || unread, differ) {
                (true, _) => ExitCode::FAILURE,
                (false, true) => ExitCode::from(ATTENTION),
                (false, false) => ExitCode::SUCCESS,
            }
        }
        Operate::Probe { host, agents } => probe(agents, host).await,
        Operate::Clear { what, host, agents } => clear(agents, what, host).await,
        Operate::Drain { undo, agents } => {
            let asked = agents.ask(async |agent| agent.drain(undo).await).await;
            show(&agents, asked, lists::drained)
        }
        Operate::Reload { dry_run, agents } => reload::reload(agents, dry_run).await,
        Operate::Settle { host, keep, agents } => settle(agents, host, keep).await,
    }
}

/// Prints answers, and says who did not answer.
fn show<T>(agents: &Agents, asked: Asked<T>, text: impl Fn(&[T]) -> String) -> ExitCode
where
    T: prost::Message + prost::Name,
{
    let failed = asked.tell_failures();
    if agents.json {
        print_json(&asked.answers);
    } else if !asked.answers.is_empty() {
        print(&text(&asked.answers));
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn print(text: &str) {
    // Whoever closed our output has seen enough; the status still tells.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// One message a line.
fn print_json<T: prost::Message + prost::Name>(messages: &[T]) {
    let lines: Vec<String> = messages.iter().map(|message| json(message) + "\n").collect();
    print(&lines.concat());
}

async fn watch(agents: Agents, host: Option<HostName>, kinds: Vec<String>) -> ExitCode {
    let host = match host {
        None => None,
        Some(host) => match the_host(&agents, &host).await {
            Ok(host) => Some(host),
            Err(status) => return status,
        },
    };
    let request = v1::WatchRequest { host, kinds };
    let asked = agents.ask(async |agent| agent.watch(request.clone()).await).await;
    if asked.tell_failures() && asked.answers.is_empty() {
        return ExitCode::FAILURE;
    }
    let (sender, mut responses) = mpsc::channel(64);
    for mut stream in asked.answers {
        let sender = sender.clone();
        tokio::spawn(async move {
            loop {
                let next = stream.message().await;
                let over = !matches!(next, Ok(Some(_)));
                if sender.send(next).await.is_err() || over {
                    return;
                }
            }
        });
    }
    drop(sender);
    let mut status = ExitCode::SUCCESS;
    while let Some(next) = responses.recv().await {
        let response = match next {
            Ok(Some(response)) => response,
            Ok(None) => {
                eprintln!("an agent has stopped");
                continue;
            }
            Err(error) => {
                eprintln!("an agent is not heard any more: {}", error.message());
                status = ExitCode::FAILURE;
                continue;
            }
        };
        let line = if agents.json { json(&response) + "\n" } else { story::watched(&response) };
        let mut out = std::io::stdout();
        if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    status
}

/// The one host that is meant, by number and address; or the exit status, after it has been said why there is none.
async fn the_host(agents: &Agents, name: &HostName) -> Result<v1::Host, ExitCode> {
    if let Some(host) = name.exact() {
        return Ok(host);
    }
    let asked = agents.ask(async |agent| agent.explain(name.explain()).await).await;
    asked.tell_failures();
    let stories: Vec<v1::Story> = asked.answers.into_iter().flatten().collect();
    let mut hosts: Vec<v1::Host> = stories.iter().filter_map(|story| story.host.as_ref()?.host.clone()).collect();
    hosts.sort_by(|a, b| (a.vni, &a.mac).cmp(&(b.vni, &b.mac)));
    hosts.dedup();
    match hosts.as_slice() {
        [host] => Ok(host.clone()),
        [] => {
            eprint!("{}", story::unknown(name, &stories));
            Err(ExitCode::FAILURE)
        }
        several => {
            let names: Vec<String> = several.iter().map(|host| format!("{}/{}", host.vni, host.mac)).collect();
            eprintln!("`{name}` may be any of {}: say which", names.join(", "));
            Err(ExitCode::FAILURE)
        }
    }
}

async fn probe(agents: Agents, name: HostName) -> ExitCode {
    let host = match the_host(&agents, &name).await {
        Ok(host) => host,
        Err(status) => return status,
    };
    let asked = agents.ask(async |agent| agent.probe(host.clone()).await).await;
    asked.tell_failures();
    if agents.json {
        print_json(&asked.answers);
    } else {
        print(&lists::probes(&asked.answers));
    }
    let answered = asked.answers.iter().any(|response| response.answered);
    if answered { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn clear(agents: Agents, what: What, name: HostName) -> ExitCode {
    use v1::clear_host_request::What as Wire;
    let host = match the_host(&agents, &name).await {
        Ok(host) => host,
        Err(status) => return status,
    };
    let what = match what {
        What::Refusals => Wire::Refusals,
        What::Attack => Wire::Attack,
        What::Quarantine => Wire::Quarantine,
    };
    let request = v1::ClearHostRequest { host: Some(host), what: what.into() };
    let asked = agents.ask(async |agent| agent.clear(request.clone()).await).await;
    show(&agents, asked, lists::cleared)
}

async fn settle(agents: Agents, name: HostName, keep: Place) -> ExitCode {
    let host = match the_host(&agents, &name).await {
        Ok(host) => host,
        Err(status) => return status,
    };
    // Who has it decides; the others have nothing to decide.
    let request = v1::ListHostsRequest { vni: Some(host.vni), mac: host.mac.clone(), ..Default::default() };
    let mut failed = false;
    let mut owners = 0;
    for mut agent in agents.connect().await.tell() {
        let found = match agent.client.hosts(request.clone()).await {
            Ok(found) => found,
            Err(error) => {
                eprintln!("{}: {error}", agent.name);
                failed = true;
                continue;
            }
        };
        let here = found.hosts.iter().any(|entry| text::is_here(entry.place.as_ref()));
        if !here {
            continue;
        }
        owners += 1;
        match agent.client.settle_of(host.clone(), keep).await {
            Ok(()) => print(&format!("{}: {} {} stays at {}\n", found.agent, host.vni, host.mac, text::place_of(keep))),
            Err(error) => {
                eprintln!("{}: {error}", found.agent);
                failed = true;
            }
        }
    }
    if owners == 0 {
        eprintln!("none of these agents has {} {}: ask the agent that has it", host.vni, host.mac);
    }
    if failed || owners == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

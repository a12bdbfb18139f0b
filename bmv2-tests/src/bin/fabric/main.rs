//! Plays scenarios, with the demo's hosts and with Linux hosts, on each kind of switch.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("fabric: network namespaces are Linux's");
    ExitCode::from(2)
}

/// That of `p4-switch`, which this program is as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(target_os = "linux")]
mod linux {
    use std::path::{Path, PathBuf};
    use std::process::ExitCode;
    use std::time::Duration;

    use clap::{Parser, Subcommand, ValueEnum};
    use p4_switch::process::bound;
    use tokio::signal::unix::{SignalKind, signal};
    use vouch_bmv2_tests::beside::{STEPS, Step, table};
    use vouch_bmv2_tests::linux::agent::become_agent;
    use vouch_bmv2_tests::linux::evpn;
    use vouch_bmv2_tests::linux::image::{self, Image};
    use vouch_bmv2_tests::linux::netns::{clean_up, folder_prefix};
    use vouch_bmv2_tests::linux::world::Site;
    use vouch_bmv2_tests::linux::{Failure, missing};
    use vouch_bmv2_tests::live::{self, Scene};
    use vouch_bmv2_tests::rows::report::{HEADER, Line};
    use vouch_bmv2_tests::rows::{CASES, Case, Extent, Stage};
    use vouch_bmv2_tests::scenarios::{On, Played, Staged};
    use vouch_bmv2_tests::uplinks::{self, Cut, Outcome};
    use vouch_bmv2_tests::{SwitchProgram, harness, process, stand};

    /// Play attacks, moves and failures on a fabric with Linux hosts
    ///
    /// Three VTEPs and a spine as switch processes, an agent process for each, and hosts with the kernel's IP stack, all in network
    /// namespaces. Takes root. Namespaces that a killed run has left are taken away by the next.
    #[derive(Debug, Parser)]
    #[command(name = "fabric")]
    struct Arguments {
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Debug, Subcommand)]
    enum Command {
        /// What there is to play
        List,
        /// Play scenarios, and say what became of packets and tables
        ///
        /// Those with a name are the demo's, with its hosts, on embedded switches and on processes; those with a number have
        /// Linux hosts, and kill and stop processes. The exit status is 0 only if every expectation held.
        Run {
            /// What the switches are [default: all that are there]
            #[arg(long, value_enum)]
            target: Option<Ground>,
            /// Whose network stacks the hosts have [default: either]
            #[arg(long, value_enum)]
            hosts: Option<Hosts>,
            /// How often each is played
            #[arg(long, default_value_t = 1)]
            repeat: u32,
            /// How many rounds of chaos
            #[arg(long)]
            rounds: Option<u32>,
            /// Of those with Linux hosts play only what is played in every test run, and less of it; and judge no times
            #[arg(long)]
            quick: bool,
            /// The agents' program [default: this one, which has the agent in it]
            #[arg(long, value_name = "VOUCH")]
            vouch: Option<PathBuf>,
            /// Leave logs and configurations below this folder
            #[arg(long, value_name = "FOLDER")]
            keep: Option<PathBuf>,
            /// Names, such as spoof, or numbers, such as 4, or cases of one, such as 4a, or files with scenarios, as in
            /// configs/scenarios [default: all that have names]
            #[arg(value_name = "SCENARIO")]
            names: Vec<String>,
        },
        /// Play one of the demo's scenarios in this process, which moves into a network namespace of its own for it
        #[command(hide = true)]
        Scenario {
            #[arg(value_enum)]
            target: Ground,
            name: String,
            /// As which of its configurations
            number: usize,
            #[arg(long)]
            untimed: bool,
            #[arg(long)]
            keep: Option<PathBuf>,
        },
        /// Migrate a virtual machine between two hypervisors to and fro, and say what its client had of it
        ///
        /// QEMU emulates the machine in software. Takes Debian's qemu-system-x86, and downloads a kernel and busybox.
        /// The exit status is 0 only if every expectation held.
        Migrate {
            /// What the switches are [default: all that are there]
            #[arg(long, value_enum)]
            target: Option<Target>,
            /// Where the machine's traffic goes while a migration is verified; may be repeated [default: each]
            #[arg(long, value_enum)]
            mode: Vec<Mode>,
            /// When an attacker claims to be the machine; may be repeated [default: each]
            #[arg(long, value_enum)]
            attack: Vec<Attack>,
            /// How many migrations of each kind
            #[arg(long, default_value_t = 5)]
            rounds: u32,
            /// For how long QEMU is held up once it has stopped the machine, in milliseconds [default: 100 if it is attacked then]
            #[arg(long, value_name = "MS")]
            pause: Option<u64>,
            /// Judge no times: they say something only of a machine that does nothing else
            #[arg(long)]
            untimed: bool,
            /// The agents' program [default: this one, which has the agent in it]
            #[arg(long, value_name = "VOUCH")]
            vouch: Option<PathBuf>,
            /// Leave logs and configurations below this folder
            #[arg(long, value_name = "FOLDER")]
            keep: Option<PathBuf>,
        },
        /// Send 1,000 flows over shared uplinks, cut one under a stream, and say what becomes of both
        ///
        /// Two racks and two or four spines. The exit status is 0 only if the flows are shared within a tenth of even, those of
        /// uplinks that are whole stay there, and all are as before when the cut one is back.
        Uplinks {
            /// What the switches are [default: all that are there]
            #[arg(long, value_enum)]
            target: Option<Ground>,
            /// How many spines; may be repeated [default: 2 and 4]
            #[arg(long, value_parser = clap::value_parser!(u16).range(2..=8))]
            spines: Vec<u16>,
        },
        /// Leave a fabric standing to play with, until Ctrl-C
        ///
        /// It says who its hosts are, and takes orders. `fabric shell HOST` goes to a host of it.
        Up {
            /// What its switches are
            #[arg(long, value_enum, default_value = "p4-switch")]
            target: Target,
            /// Where traffic goes during a verification: hold, escalate or both
            #[arg(long, value_parser = ["hold", "escalate", "both"], default_value = "escalate")]
            during: String,
            /// The agents' program [default: this one, which has the agent in it]
            #[arg(long, value_name = "VOUCH")]
            vouch: Option<PathBuf>,
        },
        /// End the fabrics that `up` has left standing, and take away what killed runs have left
        Down,
        /// A shell, or a command, on a host of a fabric that stands
        Shell {
            /// The process whose fabric it is, if there are several
            #[arg(long, value_name = "PID")]
            of: Option<u32>,
            /// The host, as red1
            host: String,
            /// The command [default: $SHELL]
            #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
            command: Vec<String>,
        },
        /// Do the same to Vouch, on p4-switch, and to BGP EVPN with FRR and Linux bridges, and print both as one table
        ///
        /// Nothing is judged: the exit status is 0 if every step could be played.
        Beside {
            /// To how many hosts each step is done, one after the other; and how often a crowd moves
            #[arg(long, default_value_t = 5)]
            hosts: usize,
            /// Steps, such as receives [default: all]; a name that does not exist lists those that do
            #[arg(value_name = "STEP")]
            steps: Vec<String>,
        },
    }

    /// Play steps on both fabrics, and print what came of them. Whether all of them were played.
    fn compare(steps: &[Step], hosts: usize) -> Result<bool, Failure> {
        if let Some(reason) = missing().or_else(evpn::missing) {
            return Err(format!("nothing can be compared here: {reason}").into());
        }
        clean_up(&std::env::temp_dir())?;
        let mut site = Site::prepare(None, None)?;
        site.terse = true;
        let mut all = true;
        println!("{}", table::HEADER);
        for step in steps {
            for on in step.contenders {
                let played = in_runtime(step.play(&site, *on, hosts))?;
                match played {
                    Ok(outcomes) => println!("{}", table::Line { step: *step, on: *on, outcomes }),
                    Err(error) => {
                        all = false;
                        println!("| {} | {} | not played: {error} | | | |", step.what, on.name());
                    }
                }
            }
        }
        Ok(all)
    }

    #[derive(Clone, Copy, Debug, ValueEnum)]
    enum Mode {
        /// The old place only
        Hold,
        /// The new one as well, once an answer is overdue
        Escalate,
        /// Both
        Both,
        /// As `escalate`, and the migration is announced by the hook for libvirt
        Announced,
    }

    impl Mode {
        fn mode(self) -> live::Mode {
            match self {
                Self::Hold => live::Mode::Hold,
                Self::Escalate => live::Mode::Escalate,
                Self::Both => live::Mode::Both,
                Self::Announced => live::Mode::Announced,
            }
        }
    }

    #[derive(Clone, Copy, Debug, ValueEnum)]
    enum Attack {
        /// Nobody does
        Never,
        /// Until the machine is stopped
        Stays,
        /// From then on, and answers for it, behind a switch where the machine never was
        Paused,
        /// The same, behind the switch that the machine goes to
        Beside,
    }

    impl Attack {
        fn attack(self) -> live::Attack {
            match self {
                Self::Never => live::Attack::Never,
                Self::Stays => live::Attack::Stays,
                Self::Paused => live::Attack::Paused,
                Self::Beside => live::Attack::Beside,
            }
        }
    }

    /// Share uplinks and cut them, and print what became of it. Whether all expectations held.
    fn share(target: Option<Ground>, spines: &[u16]) -> Result<bool, Failure> {
        let (entered, mut held) = (harness::enter(), true);
        println!("| uplinks | switches | flows on each | one is cut: | sent | lost | interruption |");
        println!("|---|---|---|---|---|---|---|");
        for ground in target.map_or(Ground::value_variants().to_vec(), |target| vec![target]) {
            let (on, name) = (ground.on(), ground.on().name());
            if let On::Processes(program) = on {
                let lacks = program.missing().map(|reason| format!("{reason} (package p4lang-bmv2)"));
                if let Some(reason) = entered.as_ref().err().map(ToString::to_string).or(lacks) {
                    println!("| | {name} | not run: {reason} | | | | |");
                    continue;
                }
            }
            for (spines, cut) in spines.iter().flat_map(|spines| Cut::ALL.map(|cut| (*spines, cut))) {
                let target = on.target()?;
                let Outcome { shares, stream, problems } = match in_runtime(uplinks::play(&*target, spines, cut))? {
                    Ok(outcome) => outcome,
                    Err(error) => {
                        held = false;
                        println!("| {spines} | {name} | not played: {error} | {cut} | | | |");
                        continue;
                    }
                };
                let shares: Vec<_> = shares.iter().map(ToString::to_string).collect();
                let (sent, lost, ms) = (stream.sent, stream.lost, stream.longest_loss_ms);
                println!("| {spines} | {name} | {} | {cut} | {sent} | {lost} | {ms:.0} ms |", shares.join(", "));
                for problem in problems {
                    held = false;
                    eprintln!("NOT OK: {problem}");
                }
            }
        }
        Ok(held)
    }

    /// Have a fabric stand until it is ended.
    fn up(program: SwitchProgram, during: &str, vouch: Option<PathBuf>) -> Result<bool, Failure> {
        let lacks = program.missing().map(|reason| format!("{reason} (package p4lang-bmv2)"));
        if let Some(reason) = missing().or(lacks) {
            return Err(format!("no fabric can be brought up here: {reason}").into());
        }
        clean_up(&std::env::temp_dir())?;
        let during = ["hold", "both"].into_iter().find(|it| *it == during).unwrap_or("escalate");
        let site = Site::prepare(vouch, None)?.on(program);
        match in_runtime(stand::stand(&site, during)) {
            Ok(stood) => stood?,
            // That is how it is meant to end.
            Err(error) if error.is::<Interrupted>() => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Migrate, and print what became of it. Whether all expectations held.
    fn migrate(
        targets: &[SwitchProgram],
        scenes: &[Scene],
        timed: bool,
        vouch: Option<PathBuf>,
        keep: Option<PathBuf>,
    ) -> Result<bool, Failure> {
        if let Some(reason) = missing() {
            return Err(format!("no fabric can be brought up here: {reason}").into());
        }
        println!("{}", live::report::HEADER);
        if let Some(reason) = image::missing() {
            println!("| not run: {reason} | | | | | | | | | | |");
            return Ok(true);
        }
        clean_up(&std::env::temp_dir())?;
        let mut site = Site::prepare(vouch, keep)?;
        let folder = tempfile::Builder::new().prefix(&folder_prefix()).tempdir()?;
        let image = site.outside().inside(|| Image::assemble(folder.path()))??;
        let mut held = true;
        for target in targets {
            if let Some(reason) = target.missing() {
                println!("| {} | not run: {reason} (package p4lang-bmv2) | | | | | | | | | |", target.name());
                continue;
            }
            site = site.on(*target);
            for scene in scenes {
                let migrations = in_runtime(live::play(&site, &image, *scene))??;
                let line = live::report::Line { target: target.name(), scene: *scene, migrations: &migrations };
                println!("{line}");
                for problem in line.problems(timed) {
                    held = false;
                    eprintln!("NOT OK: {problem}");
                }
            }
        }
        Ok(held)
    }

    /// Somebody wants this process to end.
    #[derive(Clone, Copy, Debug, thiserror::Error)]
    #[error("{0}")]
    struct Interrupted(&'static str);

    /// Do something in a runtime of its own, with which everything ends that it has begun. An error if it is interrupted.
    fn in_runtime<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(async {
            let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            tokio::select! {
                result = work => Ok(result),
                _ = interrupt.recv() => Err(Interrupted("interrupted").into()),
                _ = terminate.recv() => Err(Interrupted("told to end").into()),
            }
        })
    }

    /// What a scenario can be played on.
    #[derive(Clone, Copy, Debug, ValueEnum)]
    enum Ground {
        /// Switches in this process
        Embedded,
        /// p4-switch
        P4Switch,
        /// BMv2's simple_switch_grpc
        Bmv2,
    }

    impl Ground {
        fn on(self) -> On {
            match self {
                Self::Embedded => On::Embedded,
                Self::P4Switch => On::Processes(SwitchProgram::P4Switch),
                Self::Bmv2 => On::Processes(SwitchProgram::Bmv2),
            }
        }
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
    enum Hosts {
        /// The demo's
        Demo,
        /// The kernel's
        Linux,
    }

    #[derive(Clone, Copy, Debug, ValueEnum)]
    enum Target {
        /// p4-switch
        P4Switch,
        /// BMv2's simple_switch_grpc
        Bmv2,
    }

    impl Target {
        fn program(self) -> SwitchProgram {
            match self {
                Self::P4Switch => SwitchProgram::P4Switch,
                Self::Bmv2 => SwitchProgram::Bmv2,
            }
        }
    }

    pub(super) fn main() -> ExitCode {
        if let Some(status) = process::become_switch().or_else(become_agent) {
            return status;
        }
        match Arguments::parse().command {
            Command::List => {
                for staged in Staged::all() {
                    println!("{:<22} {}", staged.to_string(), staged.about());
                }
                for case in CASES {
                    println!("{:<22} {}", case.name, case.what);
                }
                ExitCode::SUCCESS
            }
            Command::Beside { hosts, steps } => {
                if let Some(step) = steps.iter().find(|step| !STEPS.iter().any(|it| it.name == **step)) {
                    let names: Vec<_> = STEPS.iter().map(|it| it.name).collect();
                    eprintln!("fabric: there is no step {step}; there are {}", names.join(", "));
                    return ExitCode::from(2);
                }
                let wanted = |it: &&Step| steps.is_empty() || steps.iter().any(|step| it.name == *step);
                let steps: Vec<Step> = STEPS.iter().filter(wanted).copied().collect();
                ended(compare(&steps, hosts))
            }
            Command::Migrate { target, mode, attack, rounds, pause, untimed, vouch, keep } => {
                let modes =
                    if mode.is_empty() { live::Mode::ALL.to_vec() } else { mode.into_iter().map(Mode::mode).collect() };
                let attacks = if attack.is_empty() {
                    live::Attack::ALL.to_vec()
                } else {
                    attack.into_iter().map(Attack::attack).collect()
                };
                let scene = |mode, attack: live::Attack| {
                    let unsaid = attack.takes_a_pause().then_some(100);
                    Scene { mode, attack, rounds, pause: pause.or(unsaid).map(Duration::from_millis) }
                };
                let scenes: Vec<_> =
                    modes.iter().flat_map(|mode| attacks.iter().map(|attack| scene(*mode, *attack))).collect();
                let targets = target.map_or(SwitchProgram::ALL.to_vec(), |target| vec![target.program()]);
                ended(migrate(&targets, &scenes, !untimed, vouch, keep))
            }
            Command::Uplinks { target, spines } => {
                let spines = if spines.is_empty() { vec![2, 4] } else { spines };
                ended(share(target, &spines))
            }
            Command::Up { target, during, vouch } => ended(up(target.program(), &during, vouch)),
            Command::Down => ended(stand::down().map(|gone| {
                gone.iter().for_each(|what| println!("gone: {what}"));
                true
            })),
            Command::Shell { of, host, command } => ended(Err(stand::shell(&host, of, &command))),
            Command::Run { target, hosts, repeat, rounds, quick, vouch, keep, names } => {
                let mut extent = if quick { Extent::QUICK } else { Extent::WHOLE };
                extent.rounds = rounds.unwrap_or(extent.rounds);
                let wanted = match Wanted::of(&names, hosts, quick) {
                    Ok(wanted) => wanted,
                    Err(error) => {
                        eprintln!("fabric: {error}");
                        return ExitCode::from(2);
                    }
                };
                ended(play(&wanted, target, repeat, extent, vouch, keep))
            }
            Command::Scenario { target, name, number, untimed, keep } => {
                ended(scenario(target.on(), &name, number, !untimed, keep))
            }
        }
    }

    /// The exit status: whether all held, or what went wrong.
    fn ended(all: Result<bool, Failure>) -> ExitCode {
        match all {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("fabric: {error}");
                ExitCode::from(2)
            }
        }
    }

    /// What is to be played.
    struct Wanted {
        scenarios: Vec<Staged>,
        cases: Vec<Case>,
    }

    impl Wanted {
        fn of(names: &[String], hosts: Option<Hosts>, quick: bool) -> Result<Self, String> {
            let all = names.is_empty();
            let mut scenarios = if all { Staged::all().collect() } else { Vec::new() };
            for name in names {
                let found = Staged::named(name).map_err(|error| error.to_string())?;
                if found.is_empty() && !CASES.iter().any(|case| case.is_of(name)) {
                    return Err(format!(
                        "there is no scenario {name}; `fabric list` shows those that there are, and a file's name ends in `.yaml`"
                    ));
                }
                scenarios.extend(found);
            }
            let named = |case: &&Case| names.iter().any(|name| case.is_of(name));
            let mut wanted = Self {
                scenarios,
                cases: CASES
                    .iter()
                    .filter(|case| if all { case.quick || !quick } else { named(case) })
                    .copied()
                    .collect(),
            };
            match hosts {
                Some(Hosts::Demo) => wanted.cases.clear(),
                Some(Hosts::Linux) => wanted.scenarios.clear(),
                None => {}
            }
            Ok(wanted)
        }
    }

    /// How many of how many were as expected.
    #[derive(Default)]
    struct Score {
        played: usize,
        held: usize,
    }

    impl Score {
        fn add(&mut self, held: bool) {
            self.played += 1;
            self.held += usize::from(held);
        }
    }

    fn play(
        wanted: &Wanted,
        target: Option<Ground>,
        repeat: u32,
        extent: Extent,
        vouch: Option<PathBuf>,
        keep: Option<PathBuf>,
    ) -> Result<bool, Failure> {
        let lacking = missing();
        let gone = if lacking.is_none() { clean_up(&std::env::temp_dir())? } else { Vec::new() };
        if !gone.is_empty() {
            eprintln!("fabric: took away what a killed run had left: {}", gone.join(", "));
        }
        let (mut site, mut score) = (None, Score::default());
        println!("{HEADER}");
        for ground in target.map_or(Ground::value_variants().to_vec(), |target| vec![target]) {
            let on = ground.on();
            if let On::Processes(program) = on {
                let lacks = program.missing().map(|reason| format!("{reason} (package p4lang-bmv2)"));
                if let Some(reason) = lacking.clone().or(lacks) {
                    not_run("", on, &reason);
                    continue;
                }
            }
            each(&wanted.scenarios, repeat, |staged| {
                match staged.lacks(on) {
                    Some(reason) => not_run(&staged.to_string(), on, reason),
                    None => score.add(play_apart(staged, ground, extent.timed, keep.as_deref())?),
                }
                Ok(())
            })?;
            if wanted.cases.is_empty() {
                continue;
            }
            let On::Processes(program) = on else {
                not_run("", on, "what has a number kills and stops switches that are processes");
                continue;
            };
            let there = match site.take() {
                Some(site) => site,
                None => Site::prepare(vouch.clone(), keep.clone())?,
            };
            let stage = Stage::new(there.on(program), extent);
            each(&wanted.cases, repeat, |case| {
                let result = in_runtime(case.play(&stage))?;
                let line = Line {
                    name: case.name.to_owned(),
                    what: case.what.to_owned(),
                    target: on.name().to_owned(),
                    result,
                };
                println!("{line}");
                score.add(line.held());
                Ok(())
            })?;
            site = Some(stage.into_site());
        }
        if score.played == 0 {
            return Err("nothing was played".into());
        }
        println!("{} of {} as expected", score.held, score.played);
        Ok(score.held == score.played)
    }

    fn not_run(name: &str, on: On, reason: &str) {
        println!("{name:<22} {:<10} not run: {reason}", on.name());
    }

    /// Each of them so often.
    fn each<T>(all: &[T], times: u32, play: impl FnMut(&T) -> Result<(), Failure>) -> Result<(), Failure> {
        all.iter().flat_map(|one| std::iter::repeat_n(one, times as usize)).try_for_each(play)
    }

    /// Play a scenario in a process of its own, which prints what came of it. Whether that was as expected.
    fn play_apart(staged: &Staged, ground: Ground, timed: bool, keep: Option<&Path>) -> Result<bool, Failure> {
        let named = ground.to_possible_value().ok_or("it has no name on the command line")?;
        let mut child = bound(std::env::current_exe()?);
        let (source, number) = staged.found_by();
        child.args(["scenario", named.get_name(), source, &number.to_string()]).args((!timed).then_some("--untimed"));
        if let Some(folder) = keep {
            child.arg("--keep").arg(folder);
        }
        let status = child.status()?;
        match status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            Some(_) | None => Err(format!("{staged} on {}: {status}", ground.on().name()).into()),
        }
    }

    /// Play a scenario here. Whether all was as expected.
    fn scenario(on: On, name: &str, number: usize, timed: bool, keep: Option<PathBuf>) -> Result<bool, Failure> {
        if on != On::Embedded {
            harness::enter()?;
        }
        let staged = Staged::named(name)?.into_iter().nth(number).ok_or("there is no such scenario")?;
        let target = on.target()?;
        let Played { mut line, story } = in_runtime(staged.play(&*target, timed))?;
        on.name().clone_into(&mut line.target);
        println!("{line}");
        if let Some(folder) = keep {
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join(format!("{}-{staged}.txt", on.name())), story)?;
        }
        Ok(line.held())
    }
}

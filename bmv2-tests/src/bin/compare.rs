//! Measures BMv2 and the embedded switch side by side.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("compare: veth pairs and network namespaces are Linux's");
    ExitCode::from(2)
}

/// That of `p4-switch`, which this program is as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(target_os = "linux")]
mod linux {
    use std::path::PathBuf;
    use std::process::ExitCode;

    use clap::{Parser, ValueEnum};
    use vouch_bmv2_tests::compare::{Contestant, Failure, Options, Part, Processors, run};
    use vouch_bmv2_tests::{harness, process};

    /// Measure BMv2 and the embedded switch side by side, through the same veth pairs with the same generator
    ///
    /// Prints throughput, the highest rate without loss, latency and the rate of P4Runtime writes as one table, after some five
    /// minutes. The generator has the first processor, the switch the others. Takes root. A BMv2 that is missing lacks its column, and
    /// the table says so.
    #[derive(Debug, Parser)]
    #[command(name = "compare")]
    struct Arguments {
        /// A BMv2 to measure, by the name of its column; may be repeated [default: BMv2=simple_switch_grpc]
        #[arg(long = "bmv2", value_name = "[LABEL=]PATH", value_parser = bmv2)]
        bmv2: Vec<Contestant>,
        /// Measure just enough to see that everything works
        #[arg(long, conflicts_with = "thorough")]
        quick: bool,
        /// Measure longer, and frames of more lengths
        #[arg(long)]
        thorough: bool,
        /// Measure only this part
        #[arg(long, value_enum)]
        only: Option<Only>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    }

    #[derive(Clone, Copy, Debug, ValueEnum)]
    enum Only {
        /// Throughput and latency
        Packets,
        /// The rate of P4Runtime writes
        Writes,
    }

    fn bmv2(text: &str) -> Result<Contestant, String> {
        let (label, path) = text.split_once('=').unwrap_or(("BMv2", text));
        if label.is_empty() || path.is_empty() {
            return Err("expected LABEL=PATH, as in fast=/opt/bmv2/bin/simple_switch_grpc".to_owned());
        }
        Ok(Contestant { label: label.to_owned(), bmv2: Some(PathBuf::from(path)) })
    }

    pub(super) fn main() -> ExitCode {
        if let Some(status) = process::become_switch() {
            return status;
        }
        let arguments = Arguments::parse();
        // Starts this process anew, so nothing may come before.
        if let Err(reason) = harness::enter() {
            eprintln!("compare: {reason}");
            return ExitCode::from(2);
        }
        match measure(arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("compare: {error}");
                ExitCode::from(2)
            }
        }
    }

    fn measure(arguments: Arguments) -> Result<(), Failure> {
        let mut contestants = vec![Contestant::p4_switch()];
        if arguments.bmv2.is_empty() {
            contestants.push(Contestant { label: "BMv2".to_owned(), bmv2: Some("simple_switch_grpc".into()) });
        }
        contestants.extend(arguments.bmv2);
        let mut options = match (arguments.quick, arguments.thorough) {
            (true, _) => Options::quick(contestants),
            (false, true) => Options::thorough(contestants),
            (false, false) => Options::usual(contestants),
        };
        options.processors = Processors::divide()?;
        match arguments.only {
            Some(Only::Packets) => options.parts = vec![Part::Packets],
            Some(Only::Writes) => options.parts = vec![Part::Writes],
            None => {}
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        // Measuring blocks this thread: the runtime's own take frames in and talk to the switches.
        let report = runtime.block_on(run(&options, |step| eprintln!("{step}")))?;
        if arguments.json {
            println!("{:#}", report.to_json());
        } else {
            print!("{report}");
        }
        Ok(())
    }
}

//! The test harness: cargo's output and options, and what these tests need around them.
//!
//! `main` of each test binary calls [`run`]. Where a requirement is missing, every test is reported as ignored, with the
//! reason on a line of its own. Otherwise the process moves into its own network namespace first.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Builder;
use vouch_lab::target::BoxFuture;

use crate::namespace;
use crate::process::{SwitchProgram, become_switch};
use crate::target::Processes;

/// What a test returns: on failure, what went wrong, for people.
pub type TestResult = Result<(), Failure>;

/// Whatever went wrong in a test.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A test with switches that are processes.
pub struct Test {
    name: String,
    program: SwitchProgram,
    body: Body,
}

type Body = Box<dyn FnOnce(Arc<Processes>) -> BoxFuture<'static, TestResult> + Send>;

impl Test {
    /// A test of this name, with BMv2.
    pub fn new<F>(name: &str, body: impl FnOnce(Arc<Processes>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = TestResult> + Send + 'static,
    {
        Self::on(SwitchProgram::Bmv2, name, body)
    }

    /// A test of this name, with switches of `program`.
    pub fn on<F>(program: SwitchProgram, name: &str, body: impl FnOnce(Arc<Processes>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = TestResult> + Send + 'static,
    {
        Self { name: name.to_owned(), program, body: Box::new(|switches| Box::pin(body(switches))) }
    }
}

/// Run the tests that the command line asks for, one after the other.
pub fn run(tests: Vec<Test>) -> ExitCode {
    if let Some(status) = become_switch() {
        return status;
    }
    let mut arguments = Arguments::from_args();
    // Interfaces and ports have the same names in every test.
    arguments.test_threads = Some(1);
    let entered = if arguments.list { Ok(()) } else { enter() };
    let missing = match entered {
        Ok(()) => None,
        Err(CannotRun::Missing(reason)) => Some(reason),
        Err(broken @ CannotRun::Namespace(_)) => {
            eprintln!("{broken}");
            return ExitCode::FAILURE;
        }
    };
    let lacks = SwitchProgram::ALL.map(|program| (program, missing.clone().or_else(|| program.missing())));
    for (program, reason) in &lacks {
        if let Some(reason) = reason
            && tests.iter().any(|test| test.program == *program)
        {
            println!("skipped on {}: {reason}", program.name());
        }
    }
    let trials = tests.into_iter().map(|Test { name, program, body }| {
        let missing = lacks.iter().find_map(|(lacking, reason)| reason.clone().filter(|_| *lacking == program));
        let skipped = missing.is_some();
        let body = move || missing.map_or_else(|| play(program, body), |reason| Err(reason.into()));
        Trial::test(name, body).with_ignored_flag(skipped)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Move this process into a network namespace of its own, by starting it anew there, so that switches can run in it. To be called
/// first thing in `main`, before there are threads.
///
/// # Errors
/// What this machine lacks, or why it did not work.
pub fn enter() -> Result<(), CannotRun> {
    namespace::missing().map_or(Ok(()), |reason| Err(CannotRun::Missing(reason)))?;
    namespace::enter().map_err(CannotRun::Namespace)
}

/// Why switches cannot run here.
#[derive(Debug, thiserror::Error)]
pub enum CannotRun {
    /// The machine lacks something.
    #[error("{0}")]
    Missing(String),
    /// It lacks nothing, but failed.
    #[error("cannot enter a network namespace: {0}")]
    Namespace(std::io::Error),
}

/// Run one test in a runtime of its own, and add the switches' logs to its failure.
fn play(program: SwitchProgram, body: Body) -> Result<(), Failed> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let switches = Arc::new(Processes::new(program)?);
    // As a task, so that a panic comes back as a value.
    let task = body(Arc::clone(&switches));
    let failure = match runtime.block_on(async { tokio::spawn(task).await }) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(failure)) => failure.to_string(),
        Err(panic) => panic.to_string(),
    };
    Err(format!("{failure}\n{}", switches.logs()).into())
}

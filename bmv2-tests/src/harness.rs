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
use crate::target::Bmv2;

/// What a test returns: on failure, what went wrong, for people.
pub type TestResult = Result<(), Failure>;

/// Whatever went wrong in a test.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A test with BMv2.
pub struct Test {
    name: &'static str,
    body: Box<dyn FnOnce(Arc<Bmv2>) -> BoxFuture<'static, TestResult> + Send>,
}

impl Test {
    /// A test of this name.
    pub fn new<F>(name: &'static str, body: impl FnOnce(Arc<Bmv2>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = TestResult> + Send + 'static,
    {
        Self { name, body: Box::new(|bmv2| Box::pin(body(bmv2))) }
    }
}

/// Run the tests that the command line asks for, one after the other.
pub fn run(tests: Vec<Test>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Interfaces and ports have the same names in every test.
    arguments.test_threads = Some(1);
    let entered = if arguments.list { Ok(()) } else { enter() };
    let missing = match entered {
        Ok(()) => None,
        Err(CannotRun::Missing(reason)) => {
            println!("skipped: {reason}");
            Some(reason)
        }
        Err(broken @ CannotRun::Namespace(_)) => {
            eprintln!("{broken}");
            return ExitCode::FAILURE;
        }
    };
    let trials = tests.into_iter().map(|Test { name, body }| {
        let missing = missing.clone();
        let skipped = missing.is_some();
        Trial::test(name, move || missing.map_or_else(|| play(body), |reason| Err(reason.into())))
            .with_ignored_flag(skipped)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Move this process into a network namespace of its own, by starting it anew there, so that BMv2 can run in it. To be called
/// first thing in `main`, before there are threads.
///
/// # Errors
/// What this machine lacks, or why it did not work.
pub fn enter() -> Result<(), CannotRun> {
    namespace::missing().map_or(Ok(()), |reason| Err(CannotRun::Missing(reason)))?;
    namespace::enter().map_err(CannotRun::Namespace)
}

/// Why BMv2 cannot run here.
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
fn play(body: impl FnOnce(Arc<Bmv2>) -> BoxFuture<'static, TestResult>) -> Result<(), Failed> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let bmv2 = Arc::new(Bmv2::new()?);
    // As a task, so that a panic comes back as a value.
    let task = body(Arc::clone(&bmv2));
    let failure = match runtime.block_on(async { tokio::spawn(task).await }) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(failure)) => failure.to_string(),
        Err(panic) => panic.to_string(),
    };
    Err(format!("{failure}\n{}", bmv2.logs()).into())
}

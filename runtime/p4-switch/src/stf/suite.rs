//! Many tests: of one program, or each of a program of its own.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vouch_p4runtime::P4Info;
use vouch_switch::{LoadErrorKind, SwitchConfig};

use super::bench::{Bench, Problem};
use super::embedded::Embedded;
use super::parse::{COMMAND, parse};
use super::play::{Options, Player};
use super::report::{Failure, Outcome};
use super::rules::Rules;

/// A program with the switch that its tests are played on.
pub struct Program {
    player: Player,
    bench: Box<dyn Bench>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("bench", &self.bench.name()).finish_non_exhaustive()
    }
}

impl Program {
    /// A program on any switch.
    pub fn new(rules: Rules, bench: Box<dyn Bench>, options: Options) -> Self {
        Self { player: Player::new(rules, options), bench }
    }

    /// A program on the embedded switch, without a server.
    pub fn embedded(rules: Rules, options: Options) -> Self {
        let bench = Embedded::new(&rules, SwitchConfig::default());
        Self::new(rules, Box::new(bench), options)
    }

    /// The rules of a program.
    ///
    /// # Errors
    /// What the packet engine does not know is [`Problem::Unsupported`].
    pub fn rules(json: &[u8], info: Option<Arc<P4Info>>) -> Result<Rules, Problem> {
        let program = vouch_switch::Program::load(json).map_err(|error| match error.kind {
            LoadErrorKind::Unsupported { .. } => Problem::Unsupported(format!("the program: {error}")),
            _ => Problem::wrong(format!("the program: {error}")),
        })?;
        Rules::new(Arc::new(program), info)
    }

    /// Play the test in a file.
    pub fn play(&mut self, path: &Path) -> Outcome {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return broken(format!("cannot be read: {error}")),
        };
        match parse(&text) {
            Ok(test) => self.player.play(&test, &mut *self.bench),
            // An unknown command says nothing about the program; a mistake in a known one has to be seen.
            Err(error) if error.expected.starts_with(COMMAND) => {
                Outcome::NotRun(format!("line {}: {} is no command", error.line, error.what))
            }
            Err(error) => broken(error.to_string()),
        }
    }
}

fn broken(problem: String) -> Outcome {
    Outcome::Failed(vec![Failure::Broken(problem)])
}

/// How many tests ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Passed.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
    /// Not run.
    pub skipped: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Plays files and says how each ended.
#[derive(Debug)]
pub struct Suite<W> {
    out: W,
    dumps: bool,
    summary: Summary,
}

impl<W: std::io::Write> Suite<W> {
    /// A suite that writes a line for each test that did not pass, and if asked for, the bytes in question.
    pub fn new(out: W, dumps: bool) -> Self {
        Self { out, dumps, summary: Summary::default() }
    }

    /// Play tests of one program, in the order of their names; folders are searched for files that end in `.stf`.
    ///
    /// # Errors
    /// A path that cannot be read, or a line that cannot be written.
    pub fn play(&mut self, program: &mut Program, paths: &[PathBuf]) -> std::io::Result<()> {
        for path in tests(paths)? {
            let outcome = program.play(&path);
            self.note(&path, outcome)?;
        }
        Ok(())
    }

    /// Play tests each of which has a program of its own: `NAME.stf` tests `NAME.json` of another folder.
    ///
    /// # Errors
    /// A path that cannot be read, or a line that cannot be written.
    pub fn play_programs(&mut self, folder: &Path, jsons: &Path, options: Options) -> std::io::Result<()> {
        for path in tests(&[folder.to_owned()])? {
            let json = jsons.join(path.file_name().unwrap_or_default()).with_extension("json");
            let outcome = match fs::read(&json) {
                Err(error) => Outcome::NotRun(format!("{}: {error}", json.display())),
                Ok(json) => match Program::rules(&json, None) {
                    Ok(rules) => Program::embedded(rules, options).play(&path),
                    Err(Problem::Wrong(problem)) => broken(problem),
                    Err(problem) => Outcome::NotRun(problem.to_string()),
                },
            };
            self.note(&path, outcome)?;
        }
        Ok(())
    }

    /// Write the closing line.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn close(mut self) -> std::io::Result<Summary> {
        writeln!(self.out, "{}", self.summary)?;
        Ok(self.summary)
    }

    fn note(&mut self, path: &Path, outcome: Outcome) -> std::io::Result<()> {
        match outcome {
            Outcome::Passed => self.summary.passed += 1,
            Outcome::NotRun(reason) => {
                self.summary.skipped += 1;
                writeln!(self.out, "not run: {}: {reason}", path.display())?;
            }
            Outcome::Failed(failures) => {
                self.summary.failed += 1;
                let reasons: Vec<_> = failures.iter().map(Failure::to_string).collect();
                writeln!(self.out, "failed: {}: {}", path.display(), reasons.join("; "))?;
                for failure in failures.iter().filter(|_| self.dumps) {
                    for row in failure.dump().lines() {
                        writeln!(self.out, "    {row}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The files of these paths, in the order of their names within each folder.
fn tests(paths: &[PathBuf]) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries: std::io::Result<Vec<_>> = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect();
        let mut found: Vec<_> =
            entries?.into_iter().filter(|path| path.extension().is_some_and(|end| end == "stf")).collect();
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

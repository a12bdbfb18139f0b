//! Lines, carried out on a switch.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vouch_p4runtime::P4Info;
use vouch_p4runtime::client::Pipeline;

use crate::commands::{Catalog, Command, Interpreter, Refused, Remote, WORDS, Word, parse, split};

/// A switch, and what commands have left to remember.
#[derive(Debug)]
pub struct Shell {
    interpreter: Interpreter<Remote>,
    has_program: bool,
    loaded: Option<Pipeline>,
}

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out; this is to be printed.
    Done(String),
    /// It ends the session.
    Exit,
}

impl Shell {
    /// A shell for this switch.
    pub fn new(remote: Remote) -> Self {
        let has_program = !remote.catalog().tables.is_empty();
        Self { interpreter: Interpreter::new(remote), has_program, loaded: None }
    }

    /// What can be named.
    pub fn catalog(&mut self) -> Arc<Catalog> {
        self.interpreter.device().catalog()
    }

    /// Carry out a line.
    ///
    /// # Errors
    /// The command and why it was refused.
    pub fn line(&mut self, line: &str) -> Result<Outcome, Refused> {
        let catalog = self.catalog();
        let command = parse(&catalog, line).map_err(|refused| match (self.has_program, self.loaded.is_some()) {
            (true, _) => refused,
            (false, false) => format!("{refused}; the switch runs no program: load_new_config_file reads one"),
            (false, true) => format!("{refused}; the switch runs no program: swap_configs runs the one that was read"),
        })?;
        let Some(command) = command else { return Ok(Outcome::Done(String::new())) };
        let done = match command {
            Command::Change(change) => {
                let said = self.interpreter.change(&catalog, &change);
                said.map(|said| said.map_or_else(String::new, |said| format!("{said}\n")))
            }
            Command::Show(show) => self.interpreter.show(&catalog, &show),
            Command::Load { program, p4info } => self.load(Path::new(&program), p4info.as_ref().map(Path::new)),
            Command::Swap => self.swap(),
            Command::Help(word) => Ok(help(word)),
            Command::Exit => return Ok(Outcome::Exit),
        };
        let word = split(line).first().copied().unwrap_or_default();
        done.map(Outcome::Done).map_err(|refused| format!("{word}: {refused}"))
    }

    /// Run a program where the switch has none; whether it had one.
    ///
    /// # Errors
    /// The program cannot be read, or the switch does not take it.
    pub fn start_with(&mut self, program: &Path, p4info: Option<&Path>) -> Result<bool, Refused> {
        let pipeline = read_pipeline(program, p4info)?;
        if self.interpreter.device().running()?.is_some() {
            return Ok(true);
        }
        self.run(&pipeline)?;
        Ok(false)
    }

    /// Leave the switch to other controllers until the next change.
    pub fn rest(&mut self) {
        self.interpreter.device().rest();
    }

    fn load(&mut self, program: &Path, p4info: Option<&Path>) -> Result<String, Refused> {
        self.loaded = Some(read_pipeline(program, p4info)?);
        Ok(String::new())
    }

    fn swap(&mut self) -> Result<String, Refused> {
        let pipeline = self.loaded.take().ok_or("there is no other program: load_new_config_file reads one")?;
        if let Err(refused) = self.run(&pipeline) {
            self.loaded = Some(pipeline);
            return Err(refused);
        }
        Ok(String::new())
    }

    fn run(&mut self, pipeline: &Pipeline) -> Result<(), Refused> {
        self.interpreter.device().run(pipeline)?;
        self.interpreter.forget();
        self.has_program = true;
        Ok(())
    }
}

/// The names that a P4Info may have beside its program.
const BESIDE: [&str; 2] = ["p4info.txtpb", "p4info.txt"];

fn read_pipeline(program: &Path, p4info: Option<&Path>) -> Result<Pipeline, Refused> {
    let json = read(program)?;
    let beside = || {
        let found = BESIDE.iter().map(|extension| program.with_extension(extension)).find(|path| path.is_file());
        found.ok_or_else(|| {
            format!("{}: there is no {} beside it: name its P4Info", program.display(), BESIDE.join(" or "))
        })
    };
    let path: PathBuf = p4info.map_or_else(beside, |path| Ok(path.to_owned()))?;
    let bytes = read(&path)?;
    let info = match std::str::from_utf8(&bytes) {
        Ok(text) => P4Info::from_text(text),
        Err(_) => P4Info::from_binary(&bytes),
    };
    let info = info.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Pipeline::new(Arc::new(info), json))
}

fn read(path: &Path) -> Result<Vec<u8>, Refused> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn help(word: Option<&Word>) -> String {
    match word {
        Some(word) => format!("{}\n    {}\n", word.usage(), word.help),
        None => WORDS.iter().map(|word| format!("{}\n    {}\n", word.usage(), word.help)).collect(),
    }
}

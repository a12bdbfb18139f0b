//! Lines, carried out on a switch.

use std::path::Path;
use std::sync::Arc;

use crate::commands::{
    Catalog, Command, CommandWord, Interpreter, Refused, Remote, Request, Target, WORDS, parse, split,
};

/// A switch, and what commands have left to remember.
#[derive(Debug)]
pub struct Shell<D = Remote> {
    interpreter: Interpreter<D>,
    has_program: bool,
    has_loaded: bool,
}

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out; this is to be printed.
    Done(String),
    /// It ends the session.
    Exit,
}

impl<D: Target> Shell<D> {
    /// A shell for this switch.
    pub fn new(device: D) -> Self {
        let has_program = device.catalog().info().tables().next().is_some();
        Self { interpreter: Interpreter::new(device), has_program, has_loaded: false }
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
        let command = parse(&catalog, line).map_err(|refused| match (self.has_program, self.has_loaded) {
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
            Command::Request(request) => self.request(&request),
            Command::Load { program, p4info } => self.load(Path::new(&program), p4info.as_ref().map(Path::new)),
            Command::Swap => self.swap(),
            Command::WriteProgram { file } => self.write_program(&file),
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
        if self.interpreter.device().runs()? {
            return Ok(true);
        }
        self.load(program, p4info)?;
        self.swap()?;
        Ok(false)
    }

    /// Leave the switch to other controllers until the next change.
    pub fn rest(&mut self) {
        self.interpreter.device().rest();
    }

    fn request(&mut self, request: &Request) -> Result<String, Refused> {
        let said = self.interpreter.device().request(request)?;
        if *request == Request::Reset {
            self.interpreter.forget();
        }
        Ok(said)
    }

    fn load(&mut self, program: &Path, p4info: Option<&Path>) -> Result<String, Refused> {
        self.interpreter.device().load(program, p4info)?;
        self.has_loaded = true;
        Ok(String::new())
    }

    fn swap(&mut self) -> Result<String, Refused> {
        self.interpreter.device().swap()?;
        self.interpreter.forget();
        (self.has_program, self.has_loaded) = (true, false);
        Ok(String::new())
    }

    fn write_program(&mut self, file: &str) -> Result<String, Refused> {
        let program = self.interpreter.device().program()?;
        std::fs::write(file, program).map_err(|error| format!("{file}: {error}"))?;
        Ok(String::new())
    }
}

fn help(word: Option<&CommandWord>) -> String {
    match word {
        Some(word) => format!("{}\n    {}\n", word.usage(), word.help),
        None => WORDS.iter().map(|word| format!("{}\n    {}\n", word.usage(), word.help)).collect(),
    }
}

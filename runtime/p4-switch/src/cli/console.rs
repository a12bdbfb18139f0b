//! The lines of a person.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use reedline::{
    ColumnarMenu, Completer, Emacs, KeyCode, KeyModifiers, MenuBuilder, Prompt, PromptEditMode, PromptHistorySearch,
    Reedline, ReedlineEvent, ReedlineMenu, Signal, Span, Suggestion, default_emacs_keybindings,
};

use super::complete::complete;
use super::shell::{Outcome, Shell};
use crate::Failure;
use crate::commands::{Catalog, Target};

/// The list of how a word can go on.
const MENU: &str = "completion_menu";

/// Ask for lines until the session ends. What is refused is told, and does no harm.
pub(super) fn talk<D: Target>(shell: &mut Shell<D>) -> Result<(), Failure> {
    let catalog = Arc::new(Mutex::new(shell.catalog()));
    let mut editor = editor(Names(catalog.clone()));
    loop {
        let line = match editor.read_line(&RuntimeCmd)? {
            Signal::Success(line) => line,
            Signal::CtrlD => return Ok(()),
            // An interrupt gives up the line, as anything else does that is no line.
            _ => continue,
        };
        match shell.line(&line) {
            Ok(Outcome::Done(text)) => print!("{text}"),
            Ok(Outcome::Exit) => return Ok(()),
            Err(refused) => println!("{refused}"),
        }
        // A person may think for long, and a controller come meanwhile.
        shell.rest();
        *catalog.lock().unwrap_or_else(PoisonError::into_inner) = shell.catalog();
    }
}

fn editor(names: Names) -> Reedline {
    let mut keys = default_emacs_keybindings();
    let tab = vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext];
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(tab));
    Reedline::create()
        .with_completer(Box::new(names))
        .with_partial_completions(true)
        .with_quick_completions(true)
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(ColumnarMenu::default().with_name(MENU))))
        .with_edit_mode(Box::new(Emacs::new(keys)))
}

/// Completes names; which there are changes with the program.
struct Names(Arc<Mutex<Arc<Catalog>>>);

impl Completer for Names {
    fn complete(&mut self, line: &str, position: usize) -> Vec<Suggestion> {
        let catalog = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, words) = complete(&catalog, &line[..position]);
        let suggestion = |value| Suggestion {
            value,
            span: Span::new(start, position),
            append_whitespace: true,
            ..Suggestion::default()
        };
        words.into_iter().map(suggestion).collect()
    }
}

/// The reference's prompt.
struct RuntimeCmd;

impl Prompt for RuntimeCmd {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed("RuntimeCmd")
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed(": ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!(" (search: {}): ", search.term))
    }
}

//! Errors and foreign words, fit for a log.

use std::error::Error;

/// The error and what caused it, in one line.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Foreign text, bounded and in one line.
pub(super) fn printable(text: &str) -> String {
    text.chars().take(200).collect::<String>().escape_debug().to_string()
}

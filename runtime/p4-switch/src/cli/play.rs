//! The lines of a file or pipe.

use std::io::{self, BufRead, Write};

use super::shell::{Outcome, Shell};
use crate::commands::Target;

/// Carry out the lines of `input`, up to the first that is refused, or all of them where it is to keep going. What is refused
/// goes to `errors`, with its line. Whether nothing was refused.
///
/// # Errors
/// What keeps lines from being read or printed; a reader of the output that has left has seen enough.
pub fn play<D: Target>(
    shell: &mut Shell<D>,
    input: impl BufRead,
    keep_going: bool,
    out: &mut impl Write,
    errors: &mut impl Write,
) -> io::Result<bool> {
    let mut whole = true;
    for (number, line) in (1..).zip(input.lines()) {
        match shell.line(&line?) {
            Ok(Outcome::Done(text)) => match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                written => written?,
            },
            Ok(Outcome::Exit) => break,
            Err(refused) => {
                writeln!(errors, "line {number}: {refused}")?;
                whole = false;
                if !keep_going {
                    break;
                }
            }
        }
    }
    Ok(whole)
}

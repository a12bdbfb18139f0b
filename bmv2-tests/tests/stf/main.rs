//! The STF reader: every statement, and every mistake.

mod grammar;

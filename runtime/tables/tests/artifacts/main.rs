//! The committed artifacts are those of the committed sources.
//!
//! The stamp beside each set of them is a hash of sources and artifacts and is always checked. Where the compiler is on the
//! path, the program is compiled again and compared. `UPDATE_ARTIFACTS=1 cargo test -p vouch-tables --test artifacts`
//! compiles what it can, and writes artifacts and stamps.

mod set;

mod v1model;

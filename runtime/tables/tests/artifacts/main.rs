//! The committed artifacts are those of the committed sources.
//!
//! The stamp beside each set of them is a hash of sources and artifacts and is always checked. Where the compiler is on the
//! path, the program is compiled again and compared. `UPDATE_ARTIFACTS=1 cargo test -p vouch-tables --test artifacts`
//! compiles what it can, and writes artifacts and stamps.

mod corpus;
mod fit;
mod set;
mod tofino;

mod v1model;

use std::fs;

use set::p4src;

/// Both programs are one: what an architecture forces is the smaller part.
#[test]
fn two_thirds_of_the_program_are_shared() {
    let lines = |names: Vec<String>| -> usize {
        names.iter().map(|name| fs::read_to_string(p4src().join(name)).expect("a source").lines().count()).sum()
    };
    let shared = lines(set::sources("parts/"));
    let tops = lines(["vtep.p4", "v1model_arch.p4", "vtep_tna.p4", "tna_arch.p4"].map(str::to_owned).to_vec());
    assert!(shared >= 2 * tops, "{shared} lines in parts/, {tops} in the tops");
}

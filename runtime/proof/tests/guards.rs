//! Each guard is taken out, and something goes wrong, as the table in `runtime/mobility/README.md` says.

use std::path::Path;

use vouch_proof::guards::{Caught, table, try_all};

const BEGIN: &str = "<!-- made by `UPDATE_GUARDS=1 cargo test -p vouch-proof --test guards` -->\n";
const END: &str = "<!-- end -->\n";

#[test]
fn a_guard_that_is_taken_out_is_missed() {
    let all = try_all();
    for Caught { guard, failure, .. } in &all {
        if let Some(failure) = failure {
            println!(
                "\n{guard:?} ({}): {}\n{}",
                guard.place(),
                failure.violation.property.words(),
                failure.trace.join("\n")
            );
        }
    }
    let unnoticed: Vec<_> =
        all.iter().filter(|one| one.failure.is_none() == one.why.is_empty()).map(|one| one.guard).collect();
    assert!(
        unnoticed.is_empty(),
        "nothing goes wrong without {unnoticed:?}, or something does, which was not to be expected"
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mobility/README.md");
    let readme = std::fs::read_to_string(&path).expect("it is there");
    let (before, rest) = readme.split_once(BEGIN).expect("the table has its place");
    let (now, after) = rest.split_once(END).expect("the table has an end");
    let wanted = format!("\n{}\n", table(&all));
    if std::env::var_os("UPDATE_GUARDS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).expect("it can be written");
    } else {
        assert_eq!(now, wanted, "run it with UPDATE_GUARDS=1");
    }
}

//! The command, and the program that it brings along.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

const P4C: &str = "p4c-bm2-ss";

/// Exit code and output of the command with these arguments, played on the VTEP program.
fn stf(arguments: &[&str]) -> (Option<i32>, String) {
    let json = concat!(env!("CARGO_MANIFEST_DIR"), "/../p4src/build/vtep.json");
    let command = &mut Command::new(env!("CARGO_BIN_EXE_stf"));
    let output = command.args(["--json", json]).args(arguments).output().expect("the command runs");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_exit_code_says_whether_any_test_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("a path in UTF-8").to_owned()
    };
    let (good, bad, unknown) =
        (write("a.stf", "packet 1 00\n"), write("b.stf", "expect 1 00\n"), write("c.stf", "x\n"));
    assert_eq!(
        stf(&[&good, &unknown]),
        (Some(0), format!("not run: {unknown}: line 1: `x` is no command\n1 passed, 0 failed, 1 skipped\n"))
    );
    let failed = format!("failed: {bad}: line 1: no frame out of port 1; expected one of at least 1 bytes\n");
    assert_eq!(stf(&[&good, &bad]), (Some(1), format!("{failed}1 passed, 1 failed, 0 skipped\n")));
    assert_eq!(stf(&["-v", &bad]), (Some(1), format!("{failed}    0000  want  00\n0 passed, 1 failed, 0 skipped\n")));
    assert_eq!(stf(&["/nowhere.stf"]).0, Some(1));
    assert_eq!(stf(&["--target", "server", &good]).0, Some(2), "without a P4Info");
}

/// Where p4c is on the path, `reflect` is compiled again and compared; with `UPDATE_ARTIFACTS` set it is written.
#[test]
fn the_reflecting_program_is_what_its_source_compiles_to() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/stf/reflect");
    let found =
        env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(P4C).is_file()));
    if !found {
        println!("skipped: {P4C} is not on the path");
        return;
    }
    let scratch = tempfile::tempdir().expect("a folder");
    let [json, info] = ["reflect.json", "reflect.p4info.txtpb"];
    let output = Command::new(P4C)
        .current_dir(&folder)
        .args(["--arch", "v1model", "reflect.p4", "-o"])
        .arg(scratch.path().join(json))
        .arg("--p4runtime-files")
        .arg(scratch.path().join(info))
        .output()
        .expect("p4c runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    if env::var_os("UPDATE_ARTIFACTS").is_some() {
        for name in [json, info] {
            fs::copy(scratch.path().join(name), folder.join(name)).expect("the source folder can be written");
        }
    }
    assert!(
        normalised(&scratch.path().join(json)) == normalised(&folder.join(json)),
        "{json} is not what {P4C} makes of reflect.p4: set UPDATE_ARTIFACTS=1"
    );
}

/// A program without the version of its format, in which two compilers differ.
fn normalised(path: &Path) -> serde_json::Value {
    let text = fs::read(path).expect("a file");
    let mut json: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    json.as_object_mut().expect("an object").remove("__meta__");
    json
}

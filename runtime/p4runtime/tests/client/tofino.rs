//! Device configurations of Tofino: what is written can be read, byte for byte as documented, and damage is told by name.

use proptest::prelude::*;
use vouch_p4runtime::tofino::{MAX_NAME, TofinoProgram, TofinoProgramError};

fn program() -> TofinoProgram {
    TofinoProgram::new("vtep", vec![0xb1, 0xff], b"{}".to_vec()).expect("it is whole")
}

fn refused(blob: &[u8]) -> String {
    TofinoProgram::from_sde(blob).expect_err("it is damaged").to_string()
}

#[test]
fn the_form_of_the_sde_is_three_parts_behind_their_lengths() {
    let blob = b"\x04\0\0\0vtep\x02\0\0\0\xb1\xff\x02\0\0\0{}";
    assert_eq!(program().to_sde(), blob);
    assert_eq!(TofinoProgram::from_sde(blob), Ok(program()));
}

#[test]
fn the_form_of_stratum_is_its_message() {
    let program = program().with_bfrt(b"[]".to_vec()).expect("it is JSON");
    let blob = program.to_stratum().expect("it has everything");
    let profile = b"\x0a\x04pipe\x12\x02{}\x1a\x02\xb1\xff\x22\x04\0\x01\x02\x03";
    let expected = [b"\x0a\x04vtep\x12\x02[]\x1a".as_slice(), &[profile.len() as u8], profile].concat();
    assert_eq!(blob, expected);
    assert_eq!(TofinoProgram::from_stratum(&blob), Ok(program));
}

#[test]
fn damage_is_told_by_name() {
    assert_eq!(refused(b""), "it ends in the length of the name: 4 bytes are wanted, 0 are left");
    assert_eq!(refused(b"\x04\0\0\0vt"), "it ends in the name: 4 bytes are wanted, 2 are left");
    let blob = program().to_sde();
    assert_eq!(refused(&blob[..blob.len() - 1]), "it ends in the context.json: 2 bytes are wanted, 1 are left");
    assert_eq!(refused(&[&blob, b"x".as_slice()].concat()), "1 bytes follow the context.json, which is the last part");
    assert_eq!(refused(b"\x65\0\0\0"), "the program's name has 101 bytes; it has 1 to 100");
    assert_eq!(refused(b"\0\0\0\0"), "the program's name has 0 bytes; it has 1 to 100");
    assert_eq!(refused(b"\x01\0\0\0\xff\x01\0\0\0x\x02\0\0\0{}"), "the program's name is not UTF-8");
    assert_eq!(refused(b"\x01\0\0\0v\0\0\0\0\x02\0\0\0{}"), "the tofino.bin is empty");
    assert_eq!(
        refused(b"\x01\0\0\0v\x01\0\0\0x\x01\0\0\0{"),
        "the context.json is not JSON: EOF while parsing an object at line 1 column 1"
    );
    assert_eq!(
        refused(include_bytes!("../../../../p4src/build/vtep.json")),
        "it is JSON, as for BMv2, where a Tofino takes the program's name, tofino.bin and context.json"
    );
}

#[test]
fn each_form_refuses_the_other() {
    let program = program();
    assert_eq!(program.to_stratum(), Err(TofinoProgramError::NoBfrt));
    let stratum = program.clone().with_bfrt(b"{}".to_vec()).and_then(|program| program.to_stratum());
    assert!(refused(&stratum.expect("it has everything")).starts_with("the program's name has "));
    let error = TofinoProgram::from_stratum(&program.to_sde()).expect_err("it is no message");
    assert!(matches!(error, TofinoProgramError::NotAMessage(_)), "{error}");
    // Nothing at all is an empty message.
    assert_eq!(TofinoProgram::from_stratum(b""), Err(TofinoProgramError::Profiles(0)));
}

proptest! {
    #[test]
    fn what_is_written_can_be_read(
        name in "[a-z]{1,100}",
        binary in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        let program = TofinoProgram::new(&name, binary, b"{\"a\": 1}".to_vec()).expect("it is whole");
        prop_assert!(program.name().len() <= MAX_NAME);
        prop_assert_eq!(TofinoProgram::from_sde(&program.to_sde()), Ok(program));
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = TofinoProgram::from_sde(&noise);
        let _ = TofinoProgram::from_stratum(&noise);
    }
}

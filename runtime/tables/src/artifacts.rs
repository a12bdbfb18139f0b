//! The compiled program, built in.

use vouch_p4runtime::P4Info;

/// The P4Info of the compiled program, as text.
pub const P4INFO_TEXT: &str = include_str!("../../../p4src/build/vtep.p4info.txtpb");

/// The compiled program, as v1model targets load it (`p4_device_config`).
pub const DEVICE_CONFIG: &[u8] = include_bytes!("../../../p4src/build/vtep.json");

/// The P4Info of the program for Tofino, as text: the same names, other sizes.
pub const TOFINO_P4INFO_TEXT: &str = include_str!("../../../p4src/build/tofino/vtep.p4info.txtpb");

/// The program for Tofino in a model of the hardware around it (`p4src/tna_model`), as v1model targets load it.
pub const TOFINO_MODEL: &[u8] = include_bytes!("../../../p4src/build/tofino/vtep_model.json");

/// The P4Info of the compiled program.
pub fn p4info() -> P4Info {
    P4Info::from_text(P4INFO_TEXT).expect("the committed P4Info is read by this crate's tests")
}

/// The P4Info of the program for Tofino.
pub fn tofino_p4info() -> P4Info {
    P4Info::from_text(TOFINO_P4INFO_TEXT).expect("the committed P4Info is read by this crate's tests")
}

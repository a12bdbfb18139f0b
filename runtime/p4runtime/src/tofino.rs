//! The device configuration of a Tofino: one compiled program, in the forms that P4Runtime servers take.
//!
//! The compiler writes `tofino.bin` (what the chip runs), `context.json` (what its driver must know of it) and `bfrt.json`
//! (what there is to control). `p4_device_config` is opaque to P4Runtime, and the servers do not agree on it:
//!
//! - The server of the SDE, which is PI, takes name, binary and context one after the other, each behind its length
//!   ([`TofinoProgram::to_sde`]). ONOS' `TofinoPipelineProgrammable` and p4lang's Tofino tools write the same.
//! - Stratum takes a protobuf message that holds the `bfrt.json` too ([`TofinoProgram::to_stratum`]), and since it left PI
//!   nothing else (`stratum/hal/lib/barefoot/bf.proto`, `bf_pipeline_utils.cc`).
//!
//! A [`TofinoProgram`] has been looked at: what can be known to be wrong without a chip is refused when it is made.

use prost::Message;
use serde::de::IgnoredAny;
use thiserror::Error;

/// The longest name of a program.
pub const MAX_NAME: usize = 100;

/// The part of a chip that a program controls in the compiler's own `.conf` file: all four pipes that a Tofino can have.
const ALL_PIPES: [u32; 4] = [0, 1, 2, 3];

/// What the compiler calls the pipeline of a program that has only one.
const PIPE: &str = "pipe";

/// A program for Tofino as its compiler made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TofinoProgram {
    name: String,
    binary: Vec<u8>,
    context: Vec<u8>,
    bfrt: Option<Vec<u8>>,
}

/// A device configuration that no Tofino can run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TofinoProgramError {
    /// It is for another kind of switch.
    #[error("it is JSON, as for BMv2, where a Tofino takes the program's name, tofino.bin and context.json")]
    Json,
    /// A part is not where its length says.
    #[error("it ends in the {part}: {expected} bytes are wanted, {left} are left")]
    Truncated {
        /// The part.
        part: &'static str,
        /// How long it claims to be.
        expected: usize,
        /// What there is of it.
        left: usize,
    },
    /// Something follows the last part.
    #[error("{0} bytes follow the context.json, which is the last part")]
    Overlong(usize),
    /// The name is empty, or too long.
    #[error("the program's name has {0} bytes; it has 1 to {MAX_NAME}")]
    NameLength(usize),
    /// The name is no text.
    #[error("the program's name is not UTF-8")]
    NameNotText,
    /// A part has no content.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// A part that is to be JSON is none.
    #[error("the {part} is not JSON: {reason}")]
    NotJson {
        /// The part.
        part: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// Stratum's form, without the message that it is.
    #[error("it is no `BfPipelineConfig` message: {0}")]
    NotAMessage(String),
    /// Stratum's form needs exactly one profile.
    #[error("the `BfPipelineConfig` has {0} profiles; one is what can be run here")]
    Profiles(usize),
    /// Stratum's form needs the `bfrt.json`.
    #[error("Stratum needs the program's bfrt.json as well")]
    NoBfrt,
}

impl TofinoProgram {
    /// What the compiler wrote, under a name that the switch will show.
    pub fn new(name: &str, binary: Vec<u8>, context: Vec<u8>) -> Result<Self, TofinoProgramError> {
        if !(1..=MAX_NAME).contains(&name.len()) {
            return Err(TofinoProgramError::NameLength(name.len()));
        }
        if binary.is_empty() {
            return Err(TofinoProgramError::Empty("tofino.bin"));
        }
        json("context.json", &context)?;
        Ok(Self { name: name.to_owned(), binary, context, bfrt: None })
    }

    /// The same with its `bfrt.json`.
    pub fn with_bfrt(self, bfrt: Vec<u8>) -> Result<Self, TofinoProgramError> {
        json("bfrt.json", &bfrt)?;
        Ok(Self { bfrt: Some(bfrt), ..self })
    }

    /// The program's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the chip runs.
    pub fn binary(&self) -> &[u8] {
        &self.binary
    }

    /// What the driver must know of it.
    pub fn context(&self) -> &[u8] {
        &self.context
    }

    /// What there is to control.
    pub fn bfrt(&self) -> Option<&[u8]> {
        self.bfrt.as_deref()
    }

    /// The form of the SDE's server: name, binary, context, each behind its length as a little-endian `u32`.
    pub fn to_sde(&self) -> Vec<u8> {
        let parts = [self.name.as_bytes(), &self.binary, &self.context];
        let mut blob = Vec::with_capacity(parts.iter().map(|part| 4 + part.len()).sum());
        for part in parts {
            // Longer than any message of gRPC; the message's limit speaks before this one would.
            blob.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            blob.extend(part);
        }
        blob
    }

    /// Reads the form of the SDE's server.
    pub fn from_sde(blob: &[u8]) -> Result<Self, TofinoProgramError> {
        // No name is as long as this byte would say.
        if blob.first() == Some(&b'{') {
            return Err(TofinoProgramError::Json);
        }
        let mut rest = blob;
        let length = take_length(&mut rest, "length of the name")?;
        if !(1..=MAX_NAME).contains(&length) {
            return Err(TofinoProgramError::NameLength(length));
        }
        let name = take(&mut rest, "name", length)?;
        let name = std::str::from_utf8(name).map_err(|_| TofinoProgramError::NameNotText)?;
        let length = take_length(&mut rest, "length of the tofino.bin")?;
        let binary = take(&mut rest, "tofino.bin", length)?.to_vec();
        let length = take_length(&mut rest, "length of the context.json")?;
        let context = take(&mut rest, "context.json", length)?.to_vec();
        if !rest.is_empty() {
            return Err(TofinoProgramError::Overlong(rest.len()));
        }
        Self::new(name, binary, context)
    }

    /// The form of Stratum.
    pub fn to_stratum(&self) -> Result<Vec<u8>, TofinoProgramError> {
        let bfruntime_info = self.bfrt.clone().ok_or(TofinoProgramError::NoBfrt)?;
        let profile = Profile {
            profile_name: PIPE.to_owned(),
            context: self.context.clone(),
            binary: self.binary.clone(),
            pipe_scope: ALL_PIPES.to_vec(),
        };
        let message = BfPipelineConfig { p4_name: self.name.clone(), bfruntime_info, profiles: vec![profile] };
        Ok(message.encode_to_vec())
    }

    /// Reads the form of Stratum.
    pub fn from_stratum(blob: &[u8]) -> Result<Self, TofinoProgramError> {
        if blob.first() == Some(&b'{') {
            return Err(TofinoProgramError::Json);
        }
        let message =
            BfPipelineConfig::decode(blob).map_err(|error| TofinoProgramError::NotAMessage(error.to_string()))?;
        let count = message.profiles.len();
        let [profile] = <[Profile; 1]>::try_from(message.profiles).map_err(|_| TofinoProgramError::Profiles(count))?;
        Self::new(&message.p4_name, profile.binary, profile.context)?.with_bfrt(message.bfruntime_info)
    }
}

fn take_length(rest: &mut &[u8], part: &'static str) -> Result<usize, TofinoProgramError> {
    let bytes = take(rest, part, 4)?;
    let length = bytes.iter().rev().fold(0_u32, |length, &byte| length << 8 | u32::from(byte));
    Ok(usize::try_from(length).unwrap_or(usize::MAX))
}

fn take<'a>(rest: &mut &'a [u8], part: &'static str, expected: usize) -> Result<&'a [u8], TofinoProgramError> {
    let left = rest.len();
    let (taken, after) =
        rest.split_at_checked(expected).ok_or(TofinoProgramError::Truncated { part, expected, left })?;
    *rest = after;
    Ok(taken)
}

fn json(part: &'static str, bytes: &[u8]) -> Result<(), TofinoProgramError> {
    if bytes.is_empty() {
        return Err(TofinoProgramError::Empty(part));
    }
    let parsed: Result<IgnoredAny, _> = serde_json::from_slice(bytes);
    parsed.map(|_| ()).map_err(|error| TofinoProgramError::NotJson { part, reason: error.to_string() })
}

/// Stratum's message, field by field as its `bf.proto` numbers them.
#[derive(Clone, PartialEq, Message)]
struct BfPipelineConfig {
    #[prost(string, tag = "1")]
    p4_name: String,
    #[prost(bytes = "vec", tag = "2")]
    bfruntime_info: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    profiles: Vec<Profile>,
}

/// One pipeline of the program, and the pipes of the chip that run it.
#[derive(Clone, PartialEq, Message)]
struct Profile {
    #[prost(string, tag = "1")]
    profile_name: String,
    #[prost(bytes = "vec", tag = "2")]
    context: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    binary: Vec<u8>,
    #[prost(uint32, repeated, tag = "4")]
    pipe_scope: Vec<u32>,
}

//! Compiles the peer protocol and the management service to Rust, client and server code, without needing `protoc`.

use std::{env, error::Error, fs, path::PathBuf};

use protox::Compiler;

const PROTOS: [&str; 2] = ["vouch/peer/v2/peer.proto", "vouch/management/v1/management.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut compiler = Compiler::new(["proto"])?;
    compiler.include_imports(true).open_files(PROTOS)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Answers are printed as JSON by what the descriptors say of them.
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    let mut generator = tonic_prost_build::configure();
    // Messages know their names.
    let mut prost = tonic_prost_build::Config::new();
    prost.enable_type_names();
    generator = generator.build_client(true).build_server(true);
    generator.compile_fds_with_config(compiler.file_descriptor_set(), prost)?;
    Ok(())
}

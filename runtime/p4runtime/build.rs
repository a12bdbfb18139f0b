//! Compiles `proto/` to Rust, client and server code, without needing `protoc`.

use std::{env, error::Error, fs, path::PathBuf};

use protox::Compiler;

const PROTOS: [&str; 5] = [
    "p4/v1/p4runtime.proto",
    "p4/config/v1/p4info.proto",
    "p4/bm/dataplane.proto",
    "google/rpc/code.proto",
    "gnmi/gnmi.proto",
];

/// Fields worth sharing rather than copying. Keys and action data are a few bytes and live long, where a slice of the
/// received buffer would keep all of it alive; these are big or pass through.
const SHARED_BYTES: [&str; 3] =
    [".p4.v1.PacketIn.payload", ".p4.v1.PacketOut.payload", ".p4.v1.ForwardingPipelineConfig.p4_device_config"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut compiler = Compiler::new(["proto"])?;
    compiler.include_imports(true).open_files(PROTOS)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    // Ordered maps, so that equal messages encode to equal bytes.
    let mut generator = tonic_prost_build::configure().build_client(true).build_server(true).btree_map(".");
    generator = generator.codec_path("crate::codec::WholeMessages");
    for field in SHARED_BYTES {
        generator = generator.bytes(field);
    }
    generator.compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

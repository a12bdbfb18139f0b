//! Generated bindings, in modules that follow the protobuf packages.

/// `google.rpc`: status with details, and canonical codes.
pub mod google {
    /// Package `google.rpc`.
    #[allow(missing_docs, unreachable_pub, clippy::all, rustdoc::all)]
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
}

/// `p4`: the P4Runtime service and P4Info, and BMv2's ports.
pub mod p4 {
    /// Package `p4.bm`: a switch's ports over gRPC.
    #[allow(missing_docs, unreachable_pub, clippy::all, rustdoc::all)]
    pub mod bm {
        tonic::include_proto!("p4.bm");
    }
    /// Package `p4.v1`: the service, entities, stream messages.
    #[allow(missing_docs, unreachable_pub, clippy::all, rustdoc::all)]
    pub mod v1 {
        tonic::include_proto!("p4.v1");
    }
    /// Configuration of the pipeline.
    pub mod config {
        /// Package `p4.config.v1`: P4Info.
        #[allow(missing_docs, unreachable_pub, clippy::all, rustdoc::all)]
        pub mod v1 {
            tonic::include_proto!("p4.config.v1");
        }
    }
}

/// Package `gnmi`, the part that port state needs.
#[allow(missing_docs, unreachable_pub, clippy::all, rustdoc::all)]
pub mod gnmi {
    tonic::include_proto!("gnmi");
}

/// The descriptors of everything in this module, as an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

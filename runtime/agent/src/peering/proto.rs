//! The generated form of `proto/vouch/peer/v2/peer.proto`, where each part is explained.
#![allow(missing_docs, unreachable_pub, clippy::all)]

tonic::include_proto!("vouch.peer.v2");

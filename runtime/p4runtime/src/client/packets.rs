//! Packets to the switch, and acknowledgements of digests.

use prost::bytes::Bytes;

use super::{RpcError, Session, Standing};
use crate::p4::v1::{DigestList, DigestListAck, PacketMetadata, PacketOut, stream_message_request::Update as Outgoing};

impl Session {
    /// Hands a packet to the stream; waits where the queue is full. [`crate::p4info::PacketHeader::encode`] makes the
    /// metadata. That the switch refused it is heard as [`super::Event::StreamError`], if the switch says so at all.
    pub async fn packet_out(&self, payload: impl Into<Bytes>, metadata: Vec<PacketMetadata>) -> Result<(), RpcError> {
        let packet = PacketOut { payload: payload.into(), metadata };
        self.send("PacketOut", Outgoing::Packet(packet)).await
    }

    /// Like [`Self::packet_out`], but never waits: a packet that has no room in the queue is refused, and so is one that
    /// no primary sends.
    pub fn try_packet_out(&self, payload: impl Into<Bytes>, metadata: Vec<PacketMetadata>) -> Result<(), RpcError> {
        const RPC: &str = "PacketOut";
        if self.standing() != Standing::Primary {
            return Err(RpcError::NotConnected { rpc: RPC });
        }
        let packet = PacketOut { payload: payload.into(), metadata };
        self.try_send(RPC, Outgoing::Packet(packet))
    }

    /// Tells the switch that these digests have arrived, so that it reports further ones like them.
    pub async fn ack_digest(&self, digests: &DigestList) -> Result<(), RpcError> {
        let ack = DigestListAck { digest_id: digests.digest_id, list_id: digests.list_id };
        self.send("DigestListAck", Outgoing::DigestAck(ack)).await
    }
}

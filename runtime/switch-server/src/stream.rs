//! The stream channel: one task per controller that reads what it says.

use std::sync::Arc;

use futures::FutureExt as _;
use prost::Message as _;
use tonic::{Status, Streaming};
use vouch_p4runtime::p4::v1::stream_error::Details;
use vouch_p4runtime::p4::v1::stream_message_request::Update as Incoming;
use vouch_p4runtime::p4::v1::stream_message_response::Update as Outgoing;
use vouch_p4runtime::p4::v1::{
    DigestListAck, DigestListAckError, PacketOut, PacketOutError, StreamError, StreamMessageRequest,
    StreamMessageResponse, StreamOtherError,
};

use crate::arbitration::StreamId;
use crate::counters::Counters;
use crate::dataplane::Forwarder;
use crate::device::{Device, Messages};
use crate::fault::{Fault, Outcome};
use crate::frames::Frames;
use crate::packet_io::encode_packet_out;

/// Serve one controller until it leaves, breaks the rules of arbitration, or the switch stops.
pub(crate) async fn run(device: Arc<Device>, messages: Messages, incoming: Streaming<StreamMessageRequest>) {
    let stream = device.open_stream(messages.clone());
    let mut session = Session {
        stream,
        forwarder: Forwarder::new(device.clone()),
        device: device.clone(),
        messages: messages.clone(),
        frames: Frames::new(),
    };
    let status = session.serve(incoming).await;
    device.close_stream(stream);
    messages.finish(status);
}

/// How many frames go through the pipeline together at most.
const BATCH: usize = 32;

struct Session {
    stream: StreamId,
    device: Arc<Device>,
    messages: Messages,
    forwarder: Forwarder,
    /// Of packet-outs, not sent yet.
    frames: Frames,
}

impl Session {
    /// The status with which the stream ends, `None` for a good end.
    async fn serve(&mut self, mut incoming: Streaming<StreamMessageRequest>) -> Option<Status> {
        let device = self.device.clone();
        let stopped = device.stopped();
        tokio::pin!(stopped);
        loop {
            // Frames that have come together go through the pipeline together.
            let more = match self.frames.len() {
                0 => None,
                1..BATCH => incoming.message().now_or_never(),
                _full => {
                    self.forward();
                    continue;
                }
            };
            let request = match more {
                Some(request) => request,
                None => {
                    self.forward();
                    tokio::select! {
                        () = &mut stopped => return Some(Status::unavailable("the switch is shutting down")),
                        request = incoming.message() => request,
                    }
                }
            };
            if !matches!(&request, Ok(Some(StreamMessageRequest { update: Some(Incoming::Packet(_)) }))) {
                self.forward();
            }
            match request {
                Ok(Some(request)) => {
                    if let Err(fault) = self.handle(request) {
                        return Some(fault.into());
                    }
                }
                Ok(None) => return None,
                // The connection broke; nobody is left to be told.
                Err(_) => return None,
            }
        }
    }

    /// Act on one message. A fault ends the stream; lesser mistakes are answered with a stream error.
    fn handle(&mut self, request: StreamMessageRequest) -> Outcome {
        match request.update {
            Some(Incoming::Arbitration(update)) => self.device.arbitrate(self.stream, &update)?,
            Some(Incoming::Packet(packet)) => {
                if let Err(fault) = self.packet_out(&packet) {
                    self.refuse(fault, Details::PacketOut(PacketOutError { packet_out: Some(packet) }));
                }
            }
            Some(Incoming::DigestAck(ack)) => {
                if let Err(fault) = self.acknowledge(&ack) {
                    self.refuse(fault, Details::DigestListAck(DigestListAckError { digest_list_ack: Some(ack) }));
                }
            }
            Some(Incoming::Other(other)) => {
                let fault = Fault::unimplemented(format!("messages of type {}", other.type_url));
                self.refuse(fault, Details::Other(StreamOtherError { other: Some(other) }));
            }
            None => self.refuse(Fault::invalid("the message is empty"), Details::Other(StreamOtherError::default())),
        }
        Ok(())
    }

    fn packet_out(&mut self, packet: &PacketOut) -> Outcome {
        self.check_primary()?;
        let pipeline = self.device.running()?;
        if self.device.cpu_port.is_none() {
            return Err(Fault::failed_precondition(
                "this switch was started without a CPU port, so packets cannot be sent through it",
            ));
        }
        let fill = self.device.dialect.fills_metadata();
        let frame = encode_packet_out(pipeline.schema.packet_out.as_ref(), packet, fill)?;
        Counters::add(&self.device.counters.packet_outs, 1);
        self.frames.push(&frame);
        Ok(())
    }

    /// Put what was gathered through the pipeline.
    fn forward(&mut self) {
        // There is one, or nothing was gathered.
        if let Some(cpu_port) = self.device.cpu_port.filter(|_| !self.frames.is_empty()) {
            self.forwarder.forward(cpu_port, &self.frames);
            self.frames.clear();
        }
    }

    fn acknowledge(&mut self, ack: &DigestListAck) -> Outcome {
        self.check_primary()?;
        let pipeline = self.device.running()?;
        pipeline.schema.digest(ack.digest_id).map_err(|fault| Fault::invalid(fault.message))?;
        pipeline.digests().acknowledge(ack.digest_id, ack.list_id);
        Ok(())
    }

    fn check_primary(&self) -> Outcome {
        if self.device.is_primary(self.stream) {
            return Ok(());
        }
        Err(Fault::permission_denied("only the primary may send this; this stream is a backup or has not arbitrated"))
    }

    fn refuse(&self, fault: Fault, details: Details) {
        Counters::add(&self.device.counters.stream_errors, 1);
        let error = StreamError {
            canonical_code: fault.code as i32,
            message: fault.message,
            details: Some(details),
            ..Default::default()
        };
        // A controller that makes mistakes faster than it reads does not learn of all of them.
        let message = StreamMessageResponse { update: Some(Outgoing::Error(error)) };
        let bytes = message.encoded_len();
        let _ = self.messages.offer(message, bytes);
    }
}

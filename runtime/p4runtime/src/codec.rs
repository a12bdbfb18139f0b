//! How messages are read out of gRPC's frames.

use std::marker::PhantomData;

use prost::Message;
use prost::bytes::{Buf, BufMut};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic_prost::ProstEncoder;

/// tonic's codec for protobuf, but that a message is cut off the receive buffer once, not field by field: a batch of updates
/// has thousands of short fields, and to move such a buffer's start costs more than to read what is there.
#[derive(Debug)]
pub(crate) struct WholeMessages<T, U>(PhantomData<fn(T) -> U>);

impl<T, U> Default for WholeMessages<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + 'static, U: Message + Default + 'static> Codec for WholeMessages<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = WholeDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        WholeDecoder(PhantomData)
    }
}

/// The half of [`WholeMessages`] that reads.
#[derive(Debug)]
pub(crate) struct WholeDecoder<U>(PhantomData<fn() -> U>);

impl<U: Message + Default> Decoder for WholeDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let whole = buf.copy_to_bytes(buf.remaining());
        U::decode(whole).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

/// The same for a request that its caller has encoded, and keeps.
#[derive(Debug)]
pub(crate) struct Encoded<U>(PhantomData<fn() -> U>);

impl<U> Default for Encoded<U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<U: Message + Default + 'static> Codec for Encoded<U> {
    type Encode = Vec<u8>;
    type Decode = U;
    type Encoder = Verbatim;
    type Decoder = WholeDecoder<U>;

    fn encoder(&mut self) -> Verbatim {
        Verbatim
    }

    fn decoder(&mut self) -> WholeDecoder<U> {
        WholeDecoder(PhantomData)
    }
}

/// The half of [`Encoded`] that writes.
#[derive(Debug)]
pub(crate) struct Verbatim;

impl Encoder for Verbatim {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buf.put_slice(&message);
        Ok(())
    }
}

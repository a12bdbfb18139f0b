//! Messages as JSON, by the mapping that protobuf defines, with the names of the fields as the schema has them.

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

/// What the schema says of every message.
static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let descriptors = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
    DescriptorPool::decode(descriptors.as_slice()).expect("the build has compiled them")
});

/// A message as one line of JSON. Fields that are not set are left out; numbers are numbers, times as protobuf has them.
pub fn json<M: Message + Name>(message: &M) -> String {
    let described =
        POOL.get_message_by_name(&M::full_name()).expect("every message is generated from these descriptors");
    let message = DynamicMessage::decode(described, message.encode_to_vec().as_slice());
    let message = message.expect("it was encoded by the same schema");
    let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    let mut text = serde_json::Serializer::new(Vec::new());
    message.serialize_with_options(&mut text, &options).expect("protobuf has a JSON form for everything");
    String::from_utf8(text.into_inner()).expect("JSON is text")
}

#[cfg(test)]
mod tests {
    use super::super::v1;
    use super::*;

    #[test]
    fn names_are_those_of_the_schema() {
        let entry = v1::HostEntry {
            host: Some(v1::Host { vni: 5001, mac: "02:00:00:00:00:01".to_owned() }),
            state: v1::HostState::Contested.into(),
            ..v1::HostEntry::default()
        };
        let expected = r#"{"host":{"vni":5001,"mac":"02:00:00:00:00:01"},"state":"HOST_STATE_CONTESTED"}"#;
        assert_eq!(json(&entry), expected);
        let took = Some(prost_types::Duration { seconds: 0, nanos: 304_000_000 });
        let event = v1::Event { number: 7, took, ..v1::Event::default() };
        assert_eq!(json(&event), r#"{"number":7,"took":"0.304s"}"#);
    }
}

//! A device config inside of a message, as controllers send it that were written for the P4Runtime drafts.
//!
//! Then the JSON came in a `p4.tmp.P4DeviceConfig`, and BMv2's server has taken both ever since; the p4lang tutorials and PTF
//! suites send the message to this day.

use prost::Message;
use prost::bytes::Bytes;

/// What is known of the message: the other fields say nothing about the program.
#[derive(Clone, PartialEq, Message)]
struct P4DeviceConfig {
    #[prost(bytes = "bytes", tag = "3")]
    device_data: Bytes,
}

/// The JSON, whether it is inside of the message or by itself.
pub(crate) fn device_data(config: &Bytes) -> Bytes {
    // No text begins with the tag of a field; what is neither JSON nor the message is told of as JSON that it is not.
    let is_text = config.first().is_none_or(|first| *first == b'{' || first.is_ascii_whitespace());
    if is_text {
        return config.clone();
    }
    match P4DeviceConfig::decode(config.clone()) {
        Ok(message) if !message.device_data.is_empty() => message.device_data,
        Ok(_) | Err(_) => config.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_found_in_the_message_and_by_itself() {
        let json = Bytes::from_static(b"{\"a\": 1}");
        let wrapped = |reassign: &[u8]| {
            let mut bytes = reassign.to_vec();
            bytes.extend([0x1a, json.len() as u8]);
            bytes.extend_from_slice(&json);
            Bytes::from(bytes)
        };
        assert_eq!(device_data(&json), json);
        assert_eq!(device_data(&wrapped(&[])), json);
        assert_eq!(device_data(&wrapped(&[0x08, 1])), json, "with `reassign`");
        assert_eq!(device_data(&wrapped(&[0x12, 2, 0x0a, 0])), json, "with `extras`");
        let lines = Bytes::from_static(b"\n{}");
        assert_eq!(device_data(&lines), lines);
    }

    #[test]
    fn what_is_neither_stays_as_it_is() {
        for bytes in [&b""[..], b"\x1a", b"\x1a\xff\xff\xff\xff\x0f{", b"\x1a\x00", b"\x08\x01", b"program"] {
            let bytes = Bytes::copy_from_slice(bytes);
            assert_eq!(device_data(&bytes), bytes);
        }
    }
}

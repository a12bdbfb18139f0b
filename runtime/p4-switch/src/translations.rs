//! What values of translated types mean, from a file: `{"port_id_t": {"ports": true, "values": {"Ethernet0": 1}}}`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use vouch_switch_server::Translation;

use crate::Failure;

/// Read what a file says of each type, by its name or the URI of its annotation.
pub(crate) fn read(path: &Path) -> Result<Vec<Translation>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn parse(text: &str) -> Result<Vec<Translation>, String> {
    let types: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    types.iter().map(|(name, about)| translation(name, about)).collect()
}

fn translation(name: &str, about: &Value) -> Result<Translation, String> {
    let form = || format!("{name}: expected {{\"ports\": true or false, \"values\": {{\"STRING\": NUMBER, ...}}}}");
    let values = about["values"].as_object().ok_or_else(form)?;
    let mut translation = Translation::of(name);
    for (string, number) in values {
        translation = translation.name(string, number.as_u64().ok_or_else(form)?);
    }
    match &about["ports"] {
        Value::Bool(true) => Ok(translation.of_ports()),
        Value::Bool(false) | Value::Null => Ok(translation),
        _ => Err(form()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_values() {
        let text = r#"{"port_t": {"ports": true, "values": {"Ethernet0": 1}}, "vrf_t": {"values": {"red": 7}}}"#;
        let ports = Translation::of("port_t").name("Ethernet0", 1).of_ports();
        assert_eq!(parse(text), Ok(vec![ports, Translation::of("vrf_t").name("red", 7)]));
    }

    #[test]
    fn other_forms_are_told_what_would_be_right() {
        let right = "port_t: expected {\"ports\": true or false, \"values\": {\"STRING\": NUMBER, ...}}";
        for text in
            [r#"{"port_t": 1}"#, r#"{"port_t": {"values": {"a": "b"}}}"#, r#"{"port_t": {"ports": 1, "values": {}}}"#]
        {
            assert_eq!(parse(text), Err(right.to_owned()), "{text}");
        }
        assert!(parse("[").is_err());
    }
}

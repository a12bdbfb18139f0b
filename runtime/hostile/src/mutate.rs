//! Changes that keep a form: JSON stays JSON, a protobuf message stays one.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use serde_json::{Map, Value, json};

/// Change one place of a JSON document, or a few.
pub(crate) fn json(document: &mut Value, random: &mut StdRng) {
    for _ in 0..random.random_range(1..4) {
        let nodes = count(document);
        let other = node(document, random.random_range(0..nodes)).cloned().unwrap_or_default();
        let place = random.random_range(0..nodes);
        if let Some(place) = node_mut(document, place) {
            change(place, other, random);
        }
    }
}

fn change(place: &mut Value, other: Value, random: &mut StdRng) {
    match (random.random_range(0..8), &mut *place) {
        // Something from elsewhere in the document, or in a place of its own.
        (0, _) => *place = other,
        (1, _) => *place = oddity(random),
        (2, _) => {
            for _ in 0..random.random_range(1..200) {
                let inner = place.take();
                *place = if random.random() { json!([inner]) } else { json!({"type": "expression", "value": inner}) };
            }
        }
        (_, Value::Number(number)) => {
            let number = number.as_i64().unwrap_or(0);
            *place = match random.random_range(0..4) {
                0 => json!(number.wrapping_add(1)),
                1 => json!(number.wrapping_sub(1)),
                2 => json!(number.wrapping_mul(random.random_range(2..100_000))),
                _ => json!(random.random_range(-2..100)),
            };
        }
        (_, Value::String(text)) => match other {
            Value::String(other) => *text = other,
            other => text.push_str(&other.to_string().chars().take(40).collect::<String>()),
        },
        (3, Value::Array(items)) if !items.is_empty() => {
            let which = random.random_range(0..items.len());
            let copies = random.random_range(1..20);
            let copy = items[which].clone();
            items.splice(which..which, std::iter::repeat_n(copy, copies));
        }
        (4, Value::Array(items)) if !items.is_empty() => {
            let (a, b) = (random.random_range(0..items.len()), random.random_range(0..items.len()));
            items.swap(a, b);
        }
        (5, Value::Array(items)) => items.push(other),
        (_, Value::Array(items)) if !items.is_empty() => {
            items.remove(random.random_range(0..items.len()));
        }
        (_, Value::Object(members)) if !members.is_empty() => member(members, other, random),
        _ => *place = other,
    }
}

fn member(members: &mut Map<String, Value>, other: Value, random: &mut StdRng) {
    let which = random.random_range(0..members.len());
    let Some(name) = members.keys().nth(which).cloned() else { return };
    if random.random() {
        members.remove(&name);
    } else {
        members.insert(name, other);
    }
}

fn oddity(random: &mut StdRng) -> Value {
    match random.random_range(0..14) {
        0 => Value::Null,
        1 => json!(random.random::<bool>()),
        2 => json!([]),
        3 => json!({}),
        4 => json!(""),
        5 => json!("0x0"),
        6 => json!(format!("0x{}", "f".repeat(random.random_range(1..5000)))),
        7 => json!(format!("-0x{:x}", random.random::<u64>())),
        8 => json!(1u64 << random.random_range(0..64)),
        9 => json!((1u64 << random.random_range(1..64)) - 1),
        10 => json!(-1),
        11 => json!(random.random::<i64>()),
        12 => json!(1.5),
        _ => json!("*"),
    }
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) => Box::new(members.values()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Box::new(std::iter::empty()),
    }
}

/// How many values the document has, itself included.
fn count(value: &Value) -> usize {
    1 + children(value).map(count).sum::<usize>()
}

/// The value with this number, from the root down.
fn node(value: &Value, mut number: usize) -> Option<&Value> {
    if number == 0 {
        return Some(value);
    }
    number -= 1;
    for child in children(value) {
        let within = count(child);
        if number < within {
            return node(child, number);
        }
        number -= within;
    }
    None
}

fn node_mut(value: &mut Value, mut number: usize) -> Option<&mut Value> {
    if number == 0 {
        return Some(value);
    }
    number -= 1;
    let children: Box<dyn Iterator<Item = &mut Value>> = match value {
        Value::Array(items) => Box::new(items.iter_mut()),
        Value::Object(members) => Box::new(members.values_mut()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
    };
    for child in children {
        let within = count(child);
        if number < within {
            return node_mut(child, number);
        }
        number -= within;
    }
    None
}

/// A field of a protobuf message as it is on the wire.
#[derive(Clone)]
struct Field {
    number: u64,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Varint(u64),
    /// Four or eight bytes.
    Fixed(Vec<u8>),
    /// A string, or a message, which is not told apart here.
    Bytes(Vec<u8>),
}

/// Change one place of a message, of whatever type, or a few.
pub(crate) fn message(bytes: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut all = Vec::new();
    gather(bytes, &mut all);
    let mut changed = bytes.to_vec();
    for _ in 0..random.random_range(1..4) {
        changed = change_message(&changed, &all, random);
    }
    changed
}

/// Every field of the message and of the messages in it.
fn gather(bytes: &[u8], all: &mut Vec<Field>) {
    for field in fields(bytes).unwrap_or_default() {
        if let Content::Bytes(inner) = &field.content {
            gather(inner, all);
        }
        all.push(field);
    }
}

fn change_message(bytes: &[u8], all: &[Field], random: &mut StdRng) -> Vec<u8> {
    let Some(mut message) = fields(bytes) else { return change_bytes(bytes, random) };
    let other = all.get(random.random_range(0..all.len().max(1))).cloned();
    let Some(which) = (!message.is_empty()).then(|| random.random_range(0..message.len())) else {
        message.extend(other);
        return encode(&message);
    };
    if let Content::Bytes(inner) = &message[which].content
        && random.random_range(0..4) != 0
    {
        message[which].content = Content::Bytes(change_message(inner, all, random));
        return encode(&message);
    }
    match random.random_range(0..8) {
        0 => {
            message.remove(which);
        }
        1 => message.insert(which, message[which].clone()),
        2 => message.extend(other),
        3 => message[which].number = random.random_range(1..16),
        // What has the same number elsewhere is often of the same type.
        4 | 5 => {
            let number = message[which].number;
            let alike: Vec<&Field> = all.iter().filter(|field| field.number == number).collect();
            if !alike.is_empty() {
                message[which] = alike[random.random_range(0..alike.len())].clone();
            }
        }
        _ => {
            let content = match &message[which].content {
                Content::Varint(number) => Content::Varint(change_number(*number, random)),
                Content::Fixed(bytes) => Content::Fixed((0..bytes.len()).map(|_| random.random()).collect()),
                Content::Bytes(bytes) => Content::Bytes(change_bytes(bytes, random)),
            };
            message[which].content = content;
        }
    }
    encode(&message)
}

fn change_number(number: u64, random: &mut StdRng) -> u64 {
    match random.random_range(0..8) {
        0 => number.wrapping_add(1),
        1 => number.wrapping_sub(1),
        2 => 0,
        3 => 1 << random.random_range(0..64),
        4 => (1u64 << random.random_range(1..64)) - 1,
        5 => random.next_u64(),
        // Negative numbers of 32 bits are sent as 64.
        6 => -(random.random_range(1..100i64)) as u64,
        _ => random.random_range(0..16),
    }
}

fn change_bytes(bytes: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    match random.random_range(0..5) {
        0 => bytes.insert(0, random.random_range(0..2)),
        1 => bytes.push(random.random()),
        2 => {
            bytes.pop();
        }
        3 => bytes.clear(),
        _ if bytes.is_empty() => bytes.extend((0..random.random_range(1..20)).map(|_| random.random::<u8>())),
        _ => {
            let which = random.random_range(0..bytes.len());
            bytes[which] = random.random();
        }
    }
    bytes
}

/// The bytes as a message, if they can be one.
fn fields(mut bytes: &[u8]) -> Option<Vec<Field>> {
    let mut message = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let content = match key & 7 {
            0 => Content::Varint(varint(&mut bytes)?),
            1 => Content::Fixed(take(&mut bytes, 8)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                Content::Bytes(take(&mut bytes, length)?)
            }
            5 => Content::Fixed(take(&mut bytes, 4)?),
            _ => return None,
        };
        if key >> 3 == 0 {
            return None;
        }
        message.push(Field { number: key >> 3, content });
    }
    Some(message)
}

fn take(bytes: &mut &[u8], count: usize) -> Option<Vec<u8>> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken.to_vec())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    prost::encoding::decode_varint(bytes).ok()
}

fn encode(message: &[Field]) -> Vec<u8> {
    use prost::encoding::encode_varint;
    let mut bytes = Vec::new();
    for Field { number, content } in message {
        match content {
            Content::Varint(value) => {
                encode_varint(number << 3, &mut bytes);
                encode_varint(*value, &mut bytes);
            }
            Content::Fixed(content) => {
                encode_varint(number << 3 | if content.len() == 8 { 1 } else { 5 }, &mut bytes);
                bytes.extend(content);
            }
            Content::Bytes(content) => {
                encode_varint(number << 3 | 2, &mut bytes);
                encode_varint(content.len() as u64, &mut bytes);
                bytes.extend(content);
            }
        }
    }
    bytes
}

//! Our protos against the published ones: every message, field, number, type, oneof, enum value and rpc.
//!
//! `tests/data/*.json` holds the facts that `tests/extract_descriptors.py` read out of the Python packages `p4runtime`
//! and `pygnmi`. `UPDATE_DESCRIPTOR_FACTS=1 cargo test -p vouch-p4runtime --test descriptors` writes them anew; where the
//! packages are installed they are also compared with the files on each run. `PYTHON` names the interpreter.

use std::{collections::BTreeSet, env, fs, path::PathBuf, process::Command};

use prost::Message;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};

type Facts = BTreeSet<String>;

#[test]
fn p4runtime_is_complete_and_exact() {
    // No published package has `p4.bm`: the tests with BMv2 show that it is right.
    let p4runtime = |package: &str| package.starts_with("p4.") && package != "p4.bm";
    let ours = our_facts(|package| p4runtime(package) || package == "google.rpc");
    let published = published_facts("p4runtime");
    assert_eq!(difference(&published, &ours), NONE, "published, but not in proto/");
    assert_eq!(difference(&ours, &published), NONE, "in proto/, but not published");
}

#[test]
fn gnmi_is_a_subset_without_extensions() {
    let ours = our_facts(|package| package == "gnmi");
    let published = published_facts("gnmi");
    assert_eq!(difference(&ours, &published), NONE, "in proto/, but not published");
    let left_out: Vec<_> =
        difference(&published, &ours).into_iter().filter(|fact| !fact.contains("gnmi_ext.")).collect();
    assert_eq!(left_out, NONE, "published, but not in proto/");
}

const NONE: [&str; 0] = [];

fn difference<'a>(a: &'a Facts, b: &'a Facts) -> Vec<&'a str> {
    a.difference(b).map(String::as_str).collect()
}

/// The committed facts, checked against the installed package where there is one.
fn published_facts(package: &str) -> Facts {
    let file = tests_dir().join(format!("data/{package}.json"));
    let live = extract(package);
    if env::var_os("UPDATE_DESCRIPTOR_FACTS").is_some() {
        let text = live.as_ref().expect("UPDATE_DESCRIPTOR_FACTS needs python and the package");
        fs::write(&file, text).expect("tests/data is writable");
    }
    let committed = parse(&fs::read_to_string(&file).expect("committed with the sources"));
    match live {
        Ok(text) => assert_eq!(parse(&text), committed, "the installed package differs from {}", file.display()),
        Err(reason) => eprintln!("SKIPPED: comparison with the installed package {package}: {reason}"),
    }
    committed
}

fn extract(package: &str) -> Result<String, String> {
    let python = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python)
        .arg(tests_dir().join("extract_descriptors.py"))
        .arg(package)
        .output()
        .map_err(|error| format!("no python: {error}"))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(|error| error.to_string());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    match output.status.code() {
        Some(3) => Err(stderr),
        code => panic!("extract_descriptors.py {package} failed ({code:?}): {stderr}"),
    }
}

fn tests_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn parse(json: &str) -> Facts {
    serde_json::from_str(json).expect("a JSON list of strings")
}

fn our_facts(wanted: impl Fn(&str) -> bool) -> Facts {
    let set = FileDescriptorSet::decode(vouch_p4runtime::FILE_DESCRIPTOR_SET).expect("made by our build script");
    let mut facts = Facts::new();
    for file in set.file.iter().filter(|file| wanted(file.package())) {
        file_facts(file, &mut facts);
    }
    facts
}

fn file_facts(file: &FileDescriptorProto, facts: &mut Facts) {
    let package = file.package();
    for message in &file.message_type {
        message_facts(package, message, facts);
    }
    for enumeration in &file.enum_type {
        enum_facts(package, enumeration, facts);
    }
    for service in &file.service {
        for method in &service.method {
            let stream = |yes| if yes { "stream " } else { "" };
            facts.insert(format!(
                "{package}.{}: rpc {}({}{}) returns ({}{})",
                service.name(),
                method.name(),
                stream(method.client_streaming()),
                bare(method.input_type()),
                stream(method.server_streaming()),
                bare(method.output_type()),
            ));
        }
    }
}

fn message_facts(scope: &str, message: &DescriptorProto, facts: &mut Facts) {
    let name = format!("{scope}.{}", message.name());
    facts.insert(format!("{name}: message"));
    for field in &message.field {
        let repeated = if field.label() == Label::Repeated { "repeated " } else { "" };
        let kind = match field.r#type() {
            Type::Message | Type::Enum => bare(field.type_name()).to_owned(),
            scalar => scalar.as_str_name().trim_start_matches("TYPE_").to_lowercase(),
        };
        let oneof = field.oneof_index.map_or(String::new(), |index| {
            let index = usize::try_from(index).expect("an index");
            format!(" in {}", message.oneof_decl[index].name())
        });
        facts.insert(format!("{name}: {repeated}{kind} {} = {}{oneof}", field.name(), field.number()));
    }
    for enumeration in &message.enum_type {
        enum_facts(&name, enumeration, facts);
    }
    for nested in &message.nested_type {
        message_facts(&name, nested, facts);
    }
}

fn enum_facts(scope: &str, enumeration: &EnumDescriptorProto, facts: &mut Facts) {
    for value in &enumeration.value {
        facts.insert(format!("{scope}.{}: {} = {}", enumeration.name(), value.name(), value.number()));
    }
}

fn bare(name: &str) -> &str {
    name.trim_start_matches('.')
}

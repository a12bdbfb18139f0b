//! Turns the interfaces in `thrift/` into types, with how they are read and written, a trait for each service, with how its
//! calls are taken apart, and a function for each method, with which a client makes its call.
//!
//! The generated code stands on `src/thrift/wire.rs` and `src/thrift/client.rs`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use pilota_thrift_parser::{Attribute, Enum, Field, FileParser, FileSource, Function, Item, Service, StructLike, Ty};

const INTERFACES: [&str; 4] = ["standard", "simple_pre", "simple_pre_lag", "simple_switch"];

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    for name in INTERFACES {
        let path = format!("thrift/{name}.thrift");
        println!("cargo::rerun-if-changed={path}");
        let code = generate(name, Path::new(&path));
        fs::write(out.join(format!("{name}.rs")), code).expect("cargo's folder can be written");
    }
}

fn generate(interface: &str, path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = FileParser::new(FileSource::new(&text)).parse();
    let file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut code = String::new();
    for item in &file.items {
        match item {
            Item::Enum(it) => numbers(it, &mut code),
            Item::Struct(it) => structure(it, &mut code),
            Item::Exception(it) => structure(it, &mut code),
            Item::Service(it) => {
                service(it, &mut code);
                it.functions.iter().for_each(|function| call(interface, function, &mut code));
            }
            other => panic!("{}: nothing is made of {other:?}", path.display()),
        }
    }
    code
}

macro_rules! line {
    ($code:expr, $($text:tt)*) => { writeln!($code, $($text)*).expect("a string takes everything") };
}

fn numbers(it: &Enum, code: &mut String) {
    let name = &*it.name.0;
    line!(code, "#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]\npub(crate) enum {name} {{");
    let values: Vec<(String, i64)> = (it.values.iter())
        .map(|value| (camel(&value.name.0), value.value.as_ref().expect("each value has a number").0))
        .collect();
    for (position, (value, number)) in values.iter().enumerate() {
        line!(code, "{} {value} = {number},", if position == 0 { "#[default]" } else { "" });
    }
    line!(code, "}}\nimpl Value for {name} {{\nconst TYPE: TType = TType::I32;");
    line!(code, "fn read(from: &mut dyn TInputProtocol) -> thrift::Result<Self> {{\nOk(match from.read_i32()? {{");
    for (value, number) in &values {
        line!(code, "{number} => Self::{value},");
    }
    line!(code, "other => return Err(no_such_number({name:?}, other)),\n}})\n}}");
    line!(
        code,
        "fn write(&self, to: &mut dyn TOutputProtocol) -> thrift::Result<()> {{ to.write_i32(*self as i32) }}\n}}"
    );
}

fn structure(it: &StructLike, code: &mut String) {
    let name = &*it.name.0;
    line!(code, "#[derive(Clone, Debug, Default, PartialEq)]\npub(crate) struct {name} {{");
    for field in &it.fields {
        let ty = rust(&field.ty);
        let ty = if is_optional(field) { format!("Option<{ty}>") } else { ty };
        line!(code, "pub(crate) {}: {ty},", ident(field));
    }
    line!(code, "}}\nimpl Value for {name} {{\nconst TYPE: TType = TType::Struct;");
    line!(code, "fn read(from: &mut dyn TInputProtocol) -> thrift::Result<Self> {{\nlet mut it = Self::default();");
    read(&it.fields, "it.", code);
    line!(code, "Ok(it)\n}}\nfn write(&self, to: &mut dyn TOutputProtocol) -> thrift::Result<()> {{");
    for field in &it.fields {
        let (id, name) = (field.id, ident(field));
        if is_optional(field) {
            line!(code, "if let Some(value) = &self.{name} {{ write_field(to, {id}, value)?; }}");
        } else {
            line!(code, "write_field(to, {id}, &self.{name})?;");
        }
    }
    line!(code, "to.write_field_stop()\n}}\n}}");
}

/// Read fields into the variables or members of their names. Fields that are unknown, or not of their type, are skipped.
fn read(fields: &[Field], owner: &str, code: &mut String) {
    line!(code, "read_fields(from, |from, id, kind| {{\nmatch id {{");
    for field in fields {
        let (id, name, ty) = (field.id, ident(field), rust(&field.ty));
        let value = if is_optional(field) { "Some(Value::read(from)?)" } else { "Value::read(from)?" };
        line!(code, "{id} if kind == <{ty} as Value>::TYPE => {owner}{name} = {value},");
    }
    line!(code, "_ => from.skip(kind)?,\n}}\nOk(())\n}})?;");
}

fn service(it: &Service, code: &mut String) {
    let name = &*it.name.0;
    line!(code, "pub(crate) trait {name} {{");
    for function in &it.functions {
        let arguments: String =
            function.arguments.iter().map(|field| format!(", {}: {}", ident(field), rust(&field.ty))).collect();
        let (result, failure) = (rust(&function.result_type), failure(function));
        line!(code, "fn {}(&self{arguments}) -> Result<{result}, Failure<{failure}>>;", &*function.name.0);
    }
    line!(code, "}}\n/// Answer a call, if it is one of these.\npub(crate) fn {}<S: {name}>(", snake(name));
    line!(code, "service: &S, method: &str, from: &mut dyn TInputProtocol,");
    line!(code, ") -> thrift::Result<Option<Answer>> {{\nmatch method {{");
    for function in &it.functions {
        let method = &*function.name.0;
        line!(code, "{method:?} => {{");
        for field in &function.arguments {
            line!(code, "let mut {} = <{}>::default();", ident(field), rust(&field.ty));
        }
        read(&function.arguments, "", code);
        let arguments: Vec<String> = function.arguments.iter().map(ident).collect();
        line!(code, "answer(service.{method}({})).map(Some)\n}}", arguments.join(", "));
    }
    line!(code, "_ => Ok(None),\n}}\n}}");
}

/// A function that has a server carry this one out. Its first parameter is the connection.
fn call(interface: &str, function: &Function, code: &mut String) {
    let method = &*function.name.0;
    let arguments: String =
        function.arguments.iter().map(|field| format!(", {}: {}", ident(field), rust(&field.ty))).collect();
    let (result, failure) = (rust(&function.result_type), failure(function));
    line!(code, "pub(crate) fn {method}(server: &mut Client{arguments}) -> Result<{result}, Refusal> {{");
    let to = if function.arguments.is_empty() { "_" } else { "to" };
    line!(code, "server.call::<_, {failure}>(\"{interface}:{method}\", &|{to}| {{");
    for field in &function.arguments {
        line!(code, "write_field(to, {}, &{})?;", field.id, ident(field));
    }
    line!(code, "Ok(())\n}})\n}}");
}

/// What a function may throw: one exception, or none.
fn failure(function: &Function) -> String {
    match function.throws.as_slice() {
        [] => "Never".to_owned(),
        [Field { id: 1, ty, .. }] => rust(ty),
        _ => panic!("{}: at most one exception, as field 1", &*function.name.0),
    }
}

fn is_optional(field: &Field) -> bool {
    field.attribute == Attribute::Optional
}

fn ident(field: &Field) -> String {
    match &*field.name.0 {
        "type" => "r#type".to_owned(),
        name => name.to_owned(),
    }
}

fn rust(ty: &Ty) -> String {
    match ty {
        Ty::Void => "()".to_owned(),
        Ty::Bool => "bool".to_owned(),
        Ty::I16 => "i16".to_owned(),
        Ty::I32 => "i32".to_owned(),
        Ty::I64 => "i64".to_owned(),
        Ty::Double => "f64".to_owned(),
        Ty::String => "String".to_owned(),
        Ty::Binary => "Vec<u8>".to_owned(),
        Ty::List { value, .. } => format!("Vec<{}>", rust(value)),
        Ty::Map { key, value, .. } => format!("std::collections::BTreeMap<{}, {}>", rust(key), rust(value)),
        Ty::Path(path) => path.segments.iter().map(|segment| &*segment.0).collect::<Vec<_>>().join("::"),
        other => panic!("nothing is made of {other:?}"),
    }
}

/// `INVALID_HANDLE` as `InvalidHandle`.
fn camel(name: &str) -> String {
    name.split('_').map(|word| word[..1].to_owned() + &word[1..].to_ascii_lowercase()).collect()
}

/// `TableReads` as `table_reads`, `SimplePreLAG` as `simple_pre_lag`.
fn snake(name: &str) -> String {
    let (mut snake, mut in_word) = (String::new(), false);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && in_word {
            snake.push('_');
        }
        in_word = letter.is_ascii_lowercase();
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

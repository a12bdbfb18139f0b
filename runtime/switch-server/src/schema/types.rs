//! The types of the P4Info, as far as they change how a value is spelled, and the layouts of headers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use vouch_p4runtime::p4::config::v1 as config;
use vouch_p4runtime::p4::config::v1::p4_new_type_spec::Representation;
use vouch_p4runtime::p4::config::v1::p4_new_type_translation::SdnType;
use vouch_p4runtime::p4info::PacketHeader;

use crate::translation::{Translation, Translator};

/// The translated types of a P4Info by their names.
pub(crate) struct Types {
    translators: BTreeMap<String, Arc<Translator>>,
    ports: Option<Arc<Translator>>,
}

impl Types {
    pub(crate) fn new(p4info: &config::P4Info, given: &[Translation]) -> Types {
        let mut types = Types { translators: BTreeMap::new(), ports: None };
        let all = p4info.type_info.as_ref().map(|info| info.new_types.iter());
        for (name, spec) in all.into_iter().flatten() {
            let Some(Representation::TranslatedType(translated)) = &spec.representation else { continue };
            let sdn_bits = match &translated.sdn_type {
                Some(SdnType::SdnBitwidth(bits)) => Some(u32::try_from(*bits).unwrap_or(0)),
                Some(SdnType::SdnString(_)) | None => None,
            };
            let given = given.iter().find(|given| given.is_of(name, &translated.uri));
            let translator = Arc::new(Translator::new(name, sdn_bits, given));
            if given.is_some_and(Translation::is_of_ports) {
                types.ports = Some(translator.clone());
            }
            types.translators.insert(name.clone(), translator);
        }
        types
    }

    /// How values of a type are spelled, if not as they are.
    pub(crate) fn translator(&self, name: Option<&str>) -> Option<Arc<Translator>> {
        self.translators.get(name?).cloned()
    }

    /// How ports are spelled, if not as numbers.
    pub(crate) fn ports(&self) -> Option<Arc<Translator>> {
        self.ports.clone()
    }
}

/// The header types of a program. The engine has no use for them, but the widths of translated fields in packets from and to
/// the controller are nowhere else.
#[derive(Default, Deserialize)]
pub(crate) struct Layouts {
    #[serde(default)]
    header_types: Vec<HeaderType>,
}

#[derive(Deserialize)]
struct HeaderType {
    /// Name and width, `"*"` for the field without one, and what else there is.
    #[serde(default)]
    fields: Vec<Vec<serde_json::Value>>,
}

impl Layouts {
    /// Those of a program that the engine has loaded; what it could not read has none.
    pub(crate) fn of_json(json: &[u8]) -> Layouts {
        serde_json::from_slice(json).unwrap_or_default()
    }

    /// The widths of the header whose fields are these.
    pub(crate) fn of(&self, packets: &PacketHeader) -> Option<Vec<u32>> {
        let is_it = |header: &&HeaderType| {
            let names = header.fields.iter().map(|field| field.first().and_then(serde_json::Value::as_str));
            names.eq(packets.fields.iter().map(|field| Some(field.name.as_str())))
        };
        let header = self.header_types.iter().find(is_it)?;
        let width = |field: &Vec<serde_json::Value>| u32::try_from(field.get(1)?.as_u64()?).ok();
        header.fields.iter().map(width).collect()
    }
}

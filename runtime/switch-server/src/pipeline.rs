//! A forwarding pipeline: checked, then realised, then shown again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::config::v1 as config;
use vouch_p4runtime::p4::v1::get_forwarding_pipeline_config_request::ResponseType;
use vouch_p4runtime::p4::v1::{ForwardingPipelineConfig, P4Data};
use vouch_switch::{DigestId, Micros, Program, Switch, SwitchConfig};

use crate::dialect::Dialect;
use crate::digest::{self, Digests, List};
use crate::entity::{Replication, Styles, TableNotes, Target};
use crate::fault::{Fault, Outcome};
use crate::learning::Learning;
use crate::schema::{Layouts, Schema};
use crate::translation::Translation;
use crate::wrapped;

/// How many problems of a pipeline a fault lists.
const SHOWN_PROBLEMS: usize = 20;

/// A configuration that has passed every check and can be realised.
pub(crate) struct Verified {
    config: ForwardingPipelineConfig,
    schema: Schema,
    program: Program,
}

impl Verified {
    /// Check that the program loads and that the P4Info belongs to it.
    pub(crate) fn check(config: ForwardingPipelineConfig, translations: &[Translation]) -> Outcome<Verified> {
        let Some(p4info) = &config.p4info else {
            return Err(Fault::invalid("the pipeline configuration has no P4Info"));
        };
        let json = wrapped::device_data(&config.p4_device_config);
        let program = bmv2_program(&json)?;
        let layouts = Layouts::of_json(&json);
        let p4info = P4Info::new(p4info.clone()).map_err(|error| Fault::invalid(error.to_string()))?;
        let schema = Schema::join(&p4info, &program, &layouts, translations).map_err(|mut problems| {
            let more = problems.len().saturating_sub(SHOWN_PROBLEMS);
            problems.truncate(SHOWN_PROBLEMS);
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            Fault::invalid(format!("P4Info and device config do not belong together: {}{more}", problems.join("; ")))
        })?;
        Ok(Verified { config, schema, program })
    }

    /// Make a switch of it, with the program's initial state.
    pub(crate) fn realise(self, switch: SwitchConfig, dialect: Dialect, learns: bool) -> Pipeline {
        let learning = learns.then(|| Learning::of(&self.program));
        let switch = Switch::new(Arc::new(self.program), switch);
        Pipeline::new(self.config, false, Arc::new(self.schema), switch, dialect, learning)
    }
}

fn bmv2_program(device_config: &[u8]) -> Outcome<Program> {
    if device_config.is_empty() {
        return Err(Fault::invalid(
            "the pipeline configuration has no device config: it must be the JSON that p4c writes for BMv2",
        ));
    }
    Program::load(device_config).map_err(|error| Fault::invalid(format!("the device config is not usable: {error}")))
}

/// A realised pipeline. The data plane uses the switch directly; the protocol goes through the [`Target`], whose lock makes
/// a batch of writes one step for those who read.
pub(crate) struct Pipeline {
    config: ForwardingPipelineConfig,
    /// A program without a P4Info: packets run through it, controllers do not see it.
    pub(crate) is_bare: bool,
    pub(crate) schema: Arc<Schema>,
    pub(crate) switch: Arc<Switch>,
    target: RwLock<Target>,
    /// Held for reading while frames are processed, for writing while a batch sets cells of which no packet may see half.
    gate: RwLock<()>,
    digests: Arc<Mutex<Digests>>,
    /// For receivers that are no controllers, if there are any.
    learning: Option<Mutex<Learning>>,
    /// P4Info digest id by the engine's.
    digest_ids: std::collections::BTreeMap<DigestId, u32>,
}

impl Pipeline {
    /// A program that the switch was started with. BMv2 forwards with such a program too, and has no P4Info to speak of it.
    pub(crate) fn bare(
        program: Program,
        json: Vec<u8>,
        switch: SwitchConfig,
        dialect: Dialect,
        learns: bool,
    ) -> Pipeline {
        let config = ForwardingPipelineConfig { p4_device_config: json.into(), ..Default::default() };
        let learning = learns.then(|| Learning::of(&program));
        Pipeline::new(config, true, Arc::default(), Switch::new(Arc::new(program), switch), dialect, learning)
    }

    /// The same with the program's initial state.
    pub(crate) fn anew(&self) -> Pipeline {
        let switch = Switch::new(self.switch.program().clone(), self.switch.config().clone());
        let learning = self.learning().map(|learning| learning.anew());
        let dialect = self.target().dialect;
        Pipeline::new(self.config.clone(), self.is_bare, self.schema.clone(), switch, dialect, learning)
    }

    fn new(
        config: ForwardingPipelineConfig,
        is_bare: bool,
        schema: Arc<Schema>,
        switch: Switch,
        dialect: Dialect,
        learning: Option<Learning>,
    ) -> Pipeline {
        let switch = Arc::new(switch);
        let digests = Arc::new(Mutex::new(Digests::default()));
        let digest_ids = schema.digests.iter().map(|(id, digest)| (digest.engine, *id)).collect();
        let target = Target {
            schema: schema.clone(),
            switch: switch.clone(),
            dialect,
            tables: TableNotes::default(),
            styles: Styles::default(),
            numeric_watches: BTreeSet::new(),
            replication: Replication::default(),
            digests: digests.clone(),
        };
        Pipeline {
            config,
            is_bare,
            schema,
            switch,
            target: RwLock::new(target),
            gate: RwLock::new(()),
            digests,
            learning: learning.map(Mutex::new),
            digest_ids,
        }
    }

    /// The program as its controller, or whoever started the switch, wrote it.
    pub(crate) fn device_config(&self) -> &[u8] {
        &self.config.p4_device_config
    }

    pub(crate) fn target(&self) -> RwLockReadGuard<'_, Target> {
        self.target.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn target_mut(&self) -> RwLockWriteGuard<'_, Target> {
        self.target.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keep atomic batches that set cells out for as long as frames are processed.
    pub(crate) fn open_gate(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keep packets out. Taken after the target's lock.
    pub(crate) fn close_gate(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn digests(&self) -> MutexGuard<'_, Digests> {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is gathered for receivers that are no controllers.
    pub(crate) fn learning(&self) -> Option<MutexGuard<'_, Learning>> {
        self.learning.as_ref().map(|learning| learning.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there are such receivers.
    pub(crate) fn learns(&self) -> bool {
        self.learning.is_some()
    }

    /// Take a digest of the data plane in.
    pub(crate) fn offer_digest(&self, digest: DigestId, data: &[u8], now: Micros) {
        if let Some(mut learning) = self.learning() {
            learning.offer(digest, data, now);
        }
        if let Some(id) = self.digest_ids.get(&digest) {
            self.digests().offer(*id, data, now);
        }
    }

    /// The data of a digest list as the protocol spells it.
    pub(crate) fn encode_digests(&self, list: &List) -> Vec<P4Data> {
        match self.schema.digests.get(&list.digest) {
            Some(schema) => list.digests.iter().map(|data| digest::encode(schema, data)).collect(),
            None => Vec::new(),
        }
    }

    /// What a controller that asks for the configuration gets.
    pub(crate) fn show(&self, wanted: ResponseType) -> ForwardingPipelineConfig {
        let ForwardingPipelineConfig { p4info, p4_device_config, cookie } = self.config.clone();
        let without_p4info: Option<config::P4Info> = None;
        match wanted {
            ResponseType::All => ForwardingPipelineConfig { p4info, p4_device_config, cookie },
            ResponseType::CookieOnly => {
                ForwardingPipelineConfig { p4info: without_p4info, p4_device_config: Default::default(), cookie }
            }
            ResponseType::P4infoAndCookie => {
                ForwardingPipelineConfig { p4info, p4_device_config: Default::default(), cookie }
            }
            ResponseType::DeviceConfigAndCookie => {
                ForwardingPipelineConfig { p4info: without_p4info, p4_device_config, cookie }
            }
        }
    }
}

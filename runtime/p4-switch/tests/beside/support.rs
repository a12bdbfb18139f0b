//! Switches of both kinds, with a program and a client that sees codes and texts.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use p4_switch::process::{BMV2, bmv2, bound, find, free_ports};
use p4_switch::streamed::{Starting, Streamed, StreamedSwitch, start};
use tonic::Code;
use vouch_p4runtime::P4Info;
use vouch_p4runtime::client::{Pipeline, RpcError};
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::field_match::{Exact, FieldMatchType};
use vouch_p4runtime::p4::v1::table_action::Type as ActionType;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_p4runtime::p4::v1::{Action, Entity, FieldMatch, TableAction, TableEntry, Update, action};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A refusal as a client sees it: of a read that of the call, of an update its own.
pub(crate) type Refusal = (Code, String);

/// A kind of switch, with its Thrift services at this port.
pub(crate) struct Which {
    name: &'static str,
    thrift: u16,
    log: tempfile::TempDir,
}

impl Streamed for Which {
    fn name(&self) -> &str {
        self.name
    }

    fn start(&self) -> Starting<'_> {
        Box::pin(async {
            let command = if self.name == BMV2 {
                bmv2(self.thrift)
            } else {
                let mut command = bound(env!("CARGO_BIN_EXE_p4-switch"));
                command.args(["--bmv2-compat", "--thrift-port", &self.thrift.to_string()]);
                command
            };
            start(command, &self.log.path().join("log")).await
        })
    }
}

/// This switch, and BMv2 where it is.
pub(crate) fn both(test: &str) -> Result<Vec<Which>> {
    let mut names = vec!["p4-switch"];
    if find(BMV2).is_some() {
        names.push(BMV2);
    } else {
        // Past the capture of the test runner, which would hide it.
        writeln!(std::io::stderr(), "{test}: not on BMv2: {BMV2} is not on the path")?;
    }
    let which = |name| {
        let [thrift] = free_ports()?;
        Ok(Which { name, thrift, log: tempfile::tempdir()? })
    };
    names.into_iter().map(which).collect()
}

pub(crate) struct Switch {
    pub(crate) name: &'static str,
    pub(crate) thrift: u16,
    pub(crate) info: Arc<P4Info>,
    pub(crate) streamed: StreamedSwitch,
    _which: Which,
}

/// The program that has one of each kind of object.
pub(crate) const KINDS: &str = "runtime/switch-server/tests/programs/kinds";

impl Switch {
    /// One with this program, whose path is without an ending and begins in the workspace.
    pub(crate) async fn start(which: Which, path: &str) -> Result<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let read = |ending| std::fs::read_to_string(workspace.join(format!("{path}.{ending}")));
        let info = Arc::new(P4Info::from_text(&read("p4info.txtpb")?)?);
        let streamed = StreamedSwitch::start(&which).await?;
        streamed.session.push_pipeline(&Pipeline::new(info.clone(), read("json")?)).await?;
        Ok(Self { name: which.name, thrift: which.thrift, info, streamed, _which: which })
    }

    /// An entry for a host, in the table of the program of all kinds that has a counter and a meter beside each.
    pub(crate) fn host(&self, mac: u8) -> Result<TableEntry> {
        let value = vec![2, 0, 0, 0, 0, mac];
        let action_id = self.info.action("host_forward")?.id;
        let action = Action { action_id, params: vec![action::Param { param_id: 1, value: vec![2] }] };
        Ok(TableEntry {
            table_id: self.info.table("host")?.id,
            r#match: vec![FieldMatch { field_id: 1, field_match_type: Some(FieldMatchType::Exact(Exact { value })) }],
            action: Some(TableAction { r#type: Some(ActionType::Action(action)) }),
            ..TableEntry::default()
        })
    }

    /// What one update is refused with, if it is.
    pub(crate) async fn write(&self, operation: Type, kind: Kind) -> Result<Option<Refusal>> {
        let update = Update { r#type: operation as i32, entity: Some(Entity { entity: Some(kind) }) };
        let Err(error) = self.streamed.session.write(vec![update]).await else { return Ok(None) };
        match error.failed() {
            [one] => Ok(Some((one.code, one.message.clone()))),
            _ => Err(error.into()),
        }
    }

    pub(crate) async fn read(&self, kind: Kind) -> Result<std::result::Result<Vec<Kind>, Refusal>> {
        let found = match self.streamed.session.read(vec![Entity { entity: Some(kind) }]).await {
            Ok(stream) => stream.all().await,
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => Ok(Ok(found.into_iter().filter_map(|entity| entity.entity).collect())),
            Err(RpcError::Status { code, message, .. }) => Ok(Err((code, message))),
            Err(error) => Err(error.into()),
        }
    }
}

//! Ports, and the switch as a whole.

use md5::{Digest, Md5};
use vouch_switch::Program;
use vouch_switch_server::PortStatus;

use super::api::standard::{
    BmConfig, BmResourceType, DevMgrErrorCode, DevMgrPortInfo, IdLookupErrorCode, InvalidDevMgrOperation,
    InvalidIdLookup, InvalidSwapOperation, Management, SwapOperationErrorCode as SwapCode,
};
use super::services::{Interface, Services};
use super::wire::{Failure, Never};

/// What the reference shows as its program while it has none.
const NO_PROGRAM: &str = "{}";

type Swaps = Result<(), Failure<InvalidSwapOperation>>;
type Ports<T> = Result<T, Failure<InvalidDevMgrOperation>>;

impl Services {
    /// The program as it was written.
    fn program_text(&self) -> String {
        let text = self.with(|running, memory| Ok::<_, Failure<Never>>(memory.document(running).text.clone()));
        text.unwrap_or_else(|_| NO_PROGRAM.to_owned())
    }
}

impl Services {
    fn add_port(&self, interface: Interface, number: i32) -> Result<(), String> {
        let mut interfaces = self.interfaces();
        let port = u16::try_from(number).map_err(|_| "there is no such number".to_owned())?;
        let open = self.about.open.as_ref().ok_or(FIXED)?;
        // Before it is opened, so that a capture that is there is not begun anew.
        if self.control.ports().contains_key(&port) {
            return Err("there is such a port already".to_owned());
        }
        let _runtime = self.control.runtime().enter();
        self.control.plug(port.into(), open(&interface)?).map_err(|error| error.to_string())?;
        interfaces.insert(port, interface);
        Ok(())
    }

    fn remove_port(&self, number: i32) -> Result<(), String> {
        let mut interfaces = self.interfaces();
        let port = u16::try_from(number).map_err(|_| "there is no such number".to_owned())?;
        self.about.open.as_ref().ok_or(FIXED)?;
        self.control.unplug(port.into()).map_err(|error| error.to_string())?;
        interfaces.remove(&port);
        Ok(())
    }
}

/// Why ports that are not interfaces stay.
const FIXED: &str = "ports are files, or served over gRPC, and stay as they are";

fn refused(what: &str, number: i32, why: &str) -> Failure<InvalidDevMgrOperation> {
    tracing::error!(port = number, "the port cannot be {what}: {why}");
    DevMgrErrorCode::Error.into()
}

impl Management for Services {
    fn bm_load_new_config(&self, program: String) -> Swaps {
        if !self.about.swaps {
            return Err(SwapCode::ConfigSwapDisabled.into());
        }
        let mut memory = self.memory();
        if memory.loaded.is_some() {
            return Err(SwapCode::OngoingSwap.into());
        }
        Program::load(program.as_bytes()).map_err(|error| Failure::Other(error.to_string()))?;
        memory.loaded = Some(program);
        Ok(())
    }

    fn bm_swap_configs(&self) -> Swaps {
        if !self.about.swaps {
            return Err(SwapCode::ConfigSwapDisabled.into());
        }
        let program = self.memory().loaded.take().ok_or(SwapCode::NoOngoingSwap)?;
        self.control.start(program.as_bytes()).map_err(|error| Failure::Other(error.to_string()))
    }

    fn bm_dev_mgr_add_port(&self, name: String, number: i32, capture: String) -> Ports<()> {
        let interface = Interface { name, capture: Some(capture).filter(|path| !path.is_empty()) };
        self.add_port(interface, number).map_err(|why| refused("added", number, &why))
    }

    fn bm_dev_mgr_remove_port(&self, number: i32) -> Ports<()> {
        self.remove_port(number).map_err(|why| refused("removed", number, &why))
    }

    fn bm_dev_mgr_show_ports(&self) -> Ports<Vec<DevMgrPortInfo>> {
        let interfaces = self.interfaces();
        let shown = |(number, status): (u16, PortStatus)| {
            let Interface { name, capture } = interfaces.get(&number).cloned().unwrap_or_default();
            let extra = capture.map(|path| [("in_pcap", path.clone()), ("out_pcap", path)]);
            DevMgrPortInfo {
                port_num: number.into(),
                iface_name: name,
                is_up: status == PortStatus::Up,
                extra: extra.into_iter().flatten().map(|(key, path)| (key.to_owned(), path)).collect(),
            }
        };
        Ok(self.control.ports().into_iter().map(shown).collect())
    }

    fn bm_mgmt_get_info(&self) -> Result<BmConfig, Failure<Never>> {
        Ok(BmConfig {
            device_id: self.control.device_id().cast_signed(),
            thrift_port: self.port.into(),
            // There is no nanomsg.
            notifications_socket: None,
            elogger_socket: None,
            debugger_socket: None,
        })
    }

    fn bm_reset_state(&self) -> Result<(), Failure<Never>> {
        self.control.reset();
        Ok(())
    }

    fn bm_get_config(&self) -> Result<String, Failure<Never>> {
        Ok(self.program_text())
    }

    fn bm_get_config_md5(&self) -> Result<Vec<u8>, Failure<Never>> {
        Ok(Md5::digest(self.program_text()).to_vec())
    }

    fn bm_get_id_from_name(&self, _: i32, kind: BmResourceType, name: String) -> Result<i32, Failure<InvalidIdLookup>> {
        self.with(|running, memory| {
            let id = memory.document(running).id(kind, &name);
            Ok(id.ok_or(IdLookupErrorCode::InvalidResourceName)?)
        })
    }

    fn bm_serialize_state(&self) -> Result<String, Failure<Never>> {
        Err(Failure::Other("the state cannot be serialized: read it over P4Runtime, or by the dumps here".to_owned()))
    }
}

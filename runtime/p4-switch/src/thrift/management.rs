//! Ports, and the switch as a whole.

use md5::{Digest, Md5};
use vouch_switch::Program;
use vouch_switch_server::PortStatus;

use super::api::standard::{
    BmConfig, BmResourceType, DevMgrErrorCode, DevMgrPortInfo, IdLookupErrorCode, InvalidDevMgrOperation,
    InvalidIdLookup, InvalidSwapOperation, Management, SwapOperationErrorCode as SwapCode,
};
use super::services::Services;
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

    /// Ports are those that the switch was started with.
    fn bm_dev_mgr_add_port(&self, _interface: String, _number: i32, _pcap: String) -> Ports<()> {
        Err(DevMgrErrorCode::Error.into())
    }

    fn bm_dev_mgr_remove_port(&self, _number: i32) -> Ports<()> {
        Err(DevMgrErrorCode::Error.into())
    }

    fn bm_dev_mgr_show_ports(&self) -> Ports<Vec<DevMgrPortInfo>> {
        let shown = |(number, status): (u16, PortStatus)| DevMgrPortInfo {
            port_num: number.into(),
            iface_name: self.about.interfaces.get(&number).cloned().unwrap_or_default(),
            is_up: status == PortStatus::Up,
            extra: Default::default(),
        };
        Ok(self.control.ports().into_iter().map(shown).collect())
    }

    fn bm_mgmt_get_info(&self) -> Result<BmConfig, Failure<Never>> {
        Ok(BmConfig {
            device_id: self.control.device_id().cast_signed(),
            thrift_port: self.port.get().copied().unwrap_or_default().into(),
            notifications_socket: self.about.notifications.clone(),
            elogger_socket: self.about.events.clone(),
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

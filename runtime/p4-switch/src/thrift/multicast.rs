//! The two services of multicast groups: one with aggregation groups, one without. Both are served, on the same groups.

use vouch_switch_server::Running;

use super::api::{simple_pre as plain, simple_pre_lag as lag};
use super::replication::{Refusal, Replication};
use super::services::Services;
use super::wire::Failure;

macro_rules! refusals {
    ($($interface:ident),*) => {$(
        impl From<Refusal> for Failure<$interface::InvalidMcOperation> {
            fn from(refusal: Refusal) -> Self {
                let code = match refusal {
                    Refusal::TableFull => $interface::McOperationErrorCode::TableFull,
                    Refusal::InvalidGroup => $interface::McOperationErrorCode::InvalidMgrpHandle,
                    Refusal::InvalidNode => $interface::McOperationErrorCode::InvalidL1Handle,
                    Refusal::Error => $interface::McOperationErrorCode::Error,
                };
                Self::Declared($interface::InvalidMcOperation { code })
            }
        }
    )*};
}

refusals!(plain, lag);

impl Services {
    fn replicate<T, E>(
        &self,
        call: impl FnOnce(&mut Replication, &mut Running<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Failure<E>>
    where
        Failure<E>: From<Refusal>,
    {
        self.with(|running, memory| {
            memory.replication.follow(running);
            Ok(call(&mut memory.replication, running)?)
        })
    }
}

/// What both services have in common, for one of them.
macro_rules! common {
    ($interface:ident) => {
        fn bm_mc_mgrp_create(&self, _: i32, group: i32) -> Result<i32, Failure<$interface::InvalidMcOperation>> {
            self.replicate(|replication, running| replication.create_group(running, group))
        }

        fn bm_mc_mgrp_destroy(&self, _: i32, group: i32) -> Result<(), Failure<$interface::InvalidMcOperation>> {
            self.replicate(|replication, running| replication.destroy_group(running, group))
        }

        fn bm_mc_node_associate(
            &self,
            _: i32,
            group: i32,
            node: i32,
        ) -> Result<(), Failure<$interface::InvalidMcOperation>> {
            self.replicate(|replication, running| replication.associate(running, group, node))
        }

        fn bm_mc_node_dissociate(
            &self,
            _: i32,
            group: i32,
            node: i32,
        ) -> Result<(), Failure<$interface::InvalidMcOperation>> {
            self.replicate(|replication, running| replication.dissociate(running, group, node))
        }

        fn bm_mc_node_destroy(&self, _: i32, node: i32) -> Result<(), Failure<$interface::InvalidMcOperation>> {
            self.replicate(|replication, running| replication.destroy_node(running, node))
        }
    };
}

impl plain::SimplePre for Services {
    common!(plain);

    fn bm_mc_node_create(&self, _: i32, rid: i32, ports: String) -> Result<i32, Failure<plain::InvalidMcOperation>> {
        self.replicate(|replication, _| replication.create_node(rid, &ports, ""))
    }

    fn bm_mc_node_update(&self, _: i32, node: i32, ports: String) -> Result<(), Failure<plain::InvalidMcOperation>> {
        self.replicate(|replication, running| replication.update_node(running, node, &ports, ""))
    }

    fn bm_mc_get_entries(&self, _: i32) -> Result<String, Failure<plain::InvalidMcOperation>> {
        self.replicate(|replication, _| Ok(replication.shown(false)))
    }
}

impl lag::SimplePreLAG for Services {
    common!(lag);

    fn bm_mc_node_create(
        &self,
        _: i32,
        rid: i32,
        ports: String,
        lags: String,
    ) -> Result<i32, Failure<lag::InvalidMcOperation>> {
        self.replicate(|replication, _| replication.create_node(rid, &ports, &lags))
    }

    fn bm_mc_node_update(
        &self,
        _: i32,
        node: i32,
        ports: String,
        lags: String,
    ) -> Result<(), Failure<lag::InvalidMcOperation>> {
        self.replicate(|replication, running| replication.update_node(running, node, &ports, &lags))
    }

    fn bm_mc_set_lag_membership(
        &self,
        _: i32,
        lag: i16,
        ports: String,
    ) -> Result<(), Failure<lag::InvalidMcOperation>> {
        self.replicate(|replication, running| replication.set_lag(running, lag, &ports))
    }

    fn bm_mc_get_entries(&self, _: i32) -> Result<String, Failure<lag::InvalidMcOperation>> {
        self.replicate(|replication, _| Ok(replication.shown(true)))
    }
}

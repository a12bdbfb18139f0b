//! What a read of table entries selects by, beside the key (specification 9.1.6).

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::table_action::Type as ActionType;

use super::action::check_action;
use crate::fault::{Fault, Outcome};
use crate::schema::{Schema, Table};

/// A read of all tables selects by nothing else (specification 9.1.6).
#[allow(deprecated)]
pub(super) fn check_wildcard(wanted: &v1::TableEntry) -> Outcome {
    let filters = [
        (!wanted.r#match.is_empty(), "match"),
        (wanted.action.is_some(), "action"),
        (wanted.priority != 0, "priority"),
        (!wanted.metadata.is_empty(), "metadata"),
        (wanted.controller_metadata != 0, "controller_metadata"),
    ];
    match filters.iter().find(|(given, _)| *given) {
        Some((_, field)) => {
            Err(Fault::invalid(format!("a read of all tables cannot select by {field}: give a table id")))
        }
        None => Ok(()),
    }
}

/// Entries can be selected by the id of one of the table's own actions; members, groups and sets select nothing.
pub(super) fn check_action_filter(schema: &Schema, table: &Table, action: Option<&v1::TableAction>) -> Outcome {
    match action.and_then(|action| action.r#type.as_ref()) {
        Some(ActionType::Action(action)) => check_action(schema, table, action.action_id),
        Some(_) | None => Ok(()),
    }
}

/// The filters of a read that are not part of the key.
#[allow(deprecated)]
pub(super) fn filter(entry: &v1::TableEntry, wanted: &v1::TableEntry) -> bool {
    let action_id = |entry: &v1::TableEntry| match entry.action.as_ref().and_then(|action| action.r#type.as_ref()) {
        Some(ActionType::Action(action)) => Some(action.action_id),
        Some(_) | None => None,
    };
    action_id(wanted).is_none_or(|id| action_id(entry) == Some(id))
        && (wanted.metadata.is_empty() || wanted.metadata == entry.metadata)
        && (wanted.controller_metadata == 0 || wanted.controller_metadata == entry.controller_metadata)
}

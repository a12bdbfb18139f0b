//! What the engine refuses, as a fault with the code that the specification asks for.
//!
//! Most requests are checked before they reach the engine; what remains are the facts that only it knows: what exists, what
//! is full, what is in use.

use vouch_switch::ControlError;

use crate::fault::Fault;

impl From<ControlError> for Fault {
    fn from(error: ControlError) -> Fault {
        let text = error.to_string();
        match error {
            ControlError::EntryExists
            | ControlError::MemberExists(_)
            | ControlError::GroupExists(_)
            | ControlError::MulticastGroupExists(_)
            | ControlError::CloneSessionExists(_) => Fault::already_exists(text),
            ControlError::EntryNotFound
            | ControlError::MemberNotFound(_)
            | ControlError::GroupNotFound(_)
            | ControlError::MulticastGroupNotFound(_)
            | ControlError::CloneSessionNotFound(_)
            | ControlError::UnknownObject { .. } => Fault::not_found(text),
            ControlError::TableFull { .. }
            | ControlError::ProfileFull { .. }
            | ControlError::ValueSetFull { .. }
            | ControlError::TooManyReplicas { .. } => Fault::resource_exhausted(text),
            ControlError::ConstEntries | ControlError::ConstDefault => Fault::permission_denied(text),
            ControlError::MemberInUse(_) | ControlError::GroupInUse(_) => Fault::failed_precondition(text),
            ControlError::IndexOutOfRange { .. } => Fault::out_of_range(text),
            // Everything else is a request that says something impossible.
            _ => Fault::invalid(text),
        }
    }
}

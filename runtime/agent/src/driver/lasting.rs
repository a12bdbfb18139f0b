//! Which errors end an agent, because time does not heal them, and which are tried again. This is the only place that decides it.
//!
//! | error | |
//! |---|---|
//! | the configuration, or a file that it names, is wrong when it is read, or the one asks for what the pipeline does not have | the agent does not start ([`SwitchSetupError`]) |
//! | the switch refuses the session as such: no such role, no P4Runtime (INVALID_ARGUMENT, OUT_OF_RANGE, PERMISSION_DENIED, UNAUTHENTICATED, UNIMPLEMENTED) | lasting |
//! | the switch refuses the program or its P4Info, or cannot read back what it is asked for (INVALID_ARGUMENT, OUT_OF_RANGE, UNIMPLEMENTED, too large) | lasting |
//! | the switch refuses what follows from the configuration: tunnels, ports, networks, routes (those, NOT_FOUND and RESOURCE_EXHAUSTED) | lasting |
//! | the certificate for peers is not for our name, its key is another one, or one of the files cannot be read; a peer's endpoint is none | lasting |
//! | the switch is not reachable, has no such device yet, is busy, silent or broken; another controller is in charge, or has our election id | time heals it |
//! | the switch refuses an entry of a host, or a binding | no other suffers ([`super::task`]) |
//! | the address to listen on is taken; peers are not reachable, or refuse us | time heals it |
//!
//! A configuration that has worked is not wrong: once the switch has been as wanted, whatever its server says is tried again, as somebody
//! may be about to replace it.

use tonic::Code;
use vouch_p4runtime::client::{DisconnectReason, RpcError, UpdateError};

use super::switch::SwitchSetupError;
use crate::peering::PeeringError;

/// Why an agent has ended by itself: something that time does not heal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}. {remedy}")]
pub struct Lasting {
    what: String,
    remedy: &'static str,
}

impl Lasting {
    /// There was no session with the switch, or it has ended.
    pub(super) fn of_session(reason: &DisconnectReason) -> Option<Self> {
        let lasts = match reason {
            DisconnectReason::Failed { code, .. } => {
                refuses(*code) || matches!(code, Code::PermissionDenied | Code::Unauthenticated)
            }
            DisconnectReason::Unreachable(_)
            | DisconnectReason::Closed
            | DisconnectReason::UnknownDevice(_)
            | DisconnectReason::ElectionIdTaken(_)
            | DisconnectReason::NoArbitration(_) => false,
        };
        let remedy = "See that `switch.target` is a P4Runtime server that takes `switch.role` and `switch.election_id`";
        lasts.then(|| Self { what: format!("the switch refuses the session: {reason}"), remedy })
    }

    /// The switch did not take the program, or could not be read back.
    pub(super) fn of_program(error: &RpcError) -> Option<Self> {
        let lasts = match error {
            RpcError::TooLarge { .. } => true,
            RpcError::Status { code, .. } => refuses(*code),
            RpcError::NotConnected { .. } | RpcError::TimedOut { .. } => false,
        };
        let remedy =
            "See that `switch.pipeline` is a program for this switch, with the P4Info that the compiler made of it";
        lasts.then(|| Self { what: format!("the switch cannot run the program: {error}"), remedy })
    }

    /// The switch refuses an entry that is nobody's but the configuration's.
    pub(super) fn of_entry(error: &UpdateError) -> Option<Self> {
        let lasts = refuses(error.code) || matches!(error.code, Code::NotFound | Code::ResourceExhausted);
        let remedy = "See that the switch has the ports that the configuration names, and room for its networks";
        lasts.then(|| Self { what: format!("the switch refuses what the configuration wants: {error}"), remedy })
    }

    /// The peering did not start.
    pub(super) fn of_peering(error: &PeeringError) -> Option<Self> {
        let lasts = match error {
            PeeringError::Listen { .. } => false,
            PeeringError::File { .. } | PeeringError::Identity(_) | PeeringError::Endpoint { .. } => true,
        };
        let remedy = "See that `peering.tls` and `peers` are right (`vouch check`)";
        lasts.then(|| Self { what: format!("there can be no sessions with peers: {error}"), remedy })
    }
}

impl SwitchSetupError {
    /// Whether starting the agent again with the same files may do.
    pub fn may_heal(&self) -> bool {
        match self {
            // Somebody else may listen there, and stop.
            Self::Management { .. } => true,
            Self::File { .. }
            | Self::P4Info { .. }
            | Self::Tofino { .. }
            | Self::Bind { .. }
            | Self::Tracing { .. }
            | Self::NextHops { .. }
            | Self::Ipv6Underlay { .. }
            | Self::Session(_) => false,
        }
    }
}

/// The request was understood, and will be refused each time.
fn refuses(code: Code) -> bool {
    matches!(code, Code::InvalidArgument | Code::OutOfRange | Code::Unimplemented)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;

    fn status(code: Code) -> RpcError {
        RpcError::Status { rpc: "Write", code, message: "no".to_owned() }
    }

    #[test]
    fn what_a_switch_will_always_refuse_lasts_and_what_may_pass_does_not() {
        let session = |reason| Lasting::of_session(&reason).is_some();
        let failed = |code| DisconnectReason::Failed { code, message: "no".to_owned() };
        for code in [Code::InvalidArgument, Code::PermissionDenied, Code::Unimplemented, Code::Unauthenticated] {
            assert!(session(failed(code)), "{code:?}");
        }
        for code in [Code::Unavailable, Code::Internal, Code::Aborted, Code::Unknown, Code::ResourceExhausted] {
            assert!(!session(failed(code)), "{code:?}");
        }
        assert!(!session(DisconnectReason::ElectionIdTaken("by another".to_owned())), "who may go");
        assert!(!session(DisconnectReason::UnknownDevice("not configured yet".to_owned())));
        assert!(!session(DisconnectReason::Unreachable("refused".to_owned())) && !session(DisconnectReason::Closed));

        let program = |error| Lasting::of_program(&error).is_some();
        assert!(program(status(Code::InvalidArgument)) && program(status(Code::Unimplemented)));
        assert!(!program(status(Code::PermissionDenied)), "another controller is in charge");
        assert!(!program(status(Code::Unavailable)) && !program(status(Code::FailedPrecondition)));
        assert!(!program(RpcError::TimedOut { rpc: "Read", after: Duration::from_secs(1) }));
        assert!(program(RpcError::TooLarge { rpc: "Write", bytes: 2, limit: 1 }));
    }

    #[test]
    fn wrong_files_last_and_a_taken_address_does_not() {
        let address = "127.0.0.1:7000".parse().expect("an address");
        let taken = PeeringError::Listen { address, error: io::ErrorKind::AddrInUse.into() };
        assert_eq!(Lasting::of_peering(&taken), None);
        let wrong = Lasting::of_peering(&PeeringError::Identity("the key is another's".to_owned()));
        assert!(wrong.expect("nothing heals it").to_string().contains("the key is another's"));
        let at = "/run/vouch/vtep1.sock".to_owned();
        let taken = SwitchSetupError::Management { at, error: io::ErrorKind::AddrInUse.into() };
        assert!(taken.may_heal());
    }
}

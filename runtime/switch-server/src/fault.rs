//! What a client did wrong, as it is told: a canonical code and a text that names what would have been right.

use prost::Message;
use tonic::{Code, Status};
use vouch_p4runtime::google::rpc;
use vouch_p4runtime::p4::v1;

use crate::convert::Negative;

/// The refusal of one request or one update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) message: String,
}

/// The outcome of one update or one check.
pub(crate) type Outcome<T = ()> = Result<T, Fault>;

macro_rules! constructors {
    ($($name:ident => $code:ident),* $(,)?) => {$(
        pub(crate) fn $name(message: impl Into<String>) -> Fault {
            Fault { code: Code::$code, message: message.into() }
        }
    )*};
}

impl Fault {
    constructors! {
        invalid => InvalidArgument,
        not_found => NotFound,
        already_exists => AlreadyExists,
        out_of_range => OutOfRange,
        permission_denied => PermissionDenied,
        failed_precondition => FailedPrecondition,
        resource_exhausted => ResourceExhausted,
        unimplemented => Unimplemented,
        aborted => Aborted,
    }

    /// Say where, in front of what: `table ingress.ipv4: ...`.
    pub(crate) fn within(mut self, place: impl std::fmt::Display) -> Fault {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// The form in which one update of a batch is reported.
    pub(crate) fn to_p4_error(&self) -> v1::Error {
        v1::Error { canonical_code: self.code as i32, message: self.message.clone(), ..Default::default() }
    }
}

impl From<Negative> for Fault {
    fn from(error: Negative) -> Fault {
        Fault::invalid(error.to_string())
    }
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Status {
        Status::new(fault.code, fault.message)
    }
}

/// The status of a batch of updates of which some failed: one `p4.v1.Error` per update, OKs included, in the order of the
/// request (specification 12.3).
pub(crate) fn batch_status(outcomes: &[Outcome]) -> Result<(), Status> {
    let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    let message = format!("{failed} of {} updates failed", outcomes.len());
    if failed == 0 { Ok(()) } else { Err(status(message, outcomes)) }
}

/// The same for a batch of requests to read (specification 13.3). The first mistake is told in the status as well, for those
/// who look no further.
pub(crate) fn read_status(outcomes: &[Outcome]) -> Result<(), Status> {
    let Some(first) = outcomes.iter().find_map(|outcome| outcome.as_ref().err()) else {
        return Ok(());
    };
    let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    let message = format!("{failed} of {} requests failed: {}", outcomes.len(), first.message);
    Err(status(message, outcomes))
}

fn status(message: String, outcomes: &[Outcome]) -> Status {
    let details = outcomes.iter().map(|outcome| {
        let error = match outcome {
            Ok(()) => v1::Error::default(),
            Err(fault) => fault.to_p4_error(),
        };
        prost_types::Any { type_url: "type.googleapis.com/p4.v1.Error".into(), value: error.encode_to_vec() }
    });
    let status = rpc::Status { code: Code::Unknown as i32, message: message.clone(), details: details.collect() };
    Status::with_details(Code::Unknown, message, status.encode_to_vec().into())
}

/// The valid choices, as a text: `a, b, c`, at most eight and the number of the others.
pub(crate) fn choices<T: std::fmt::Display>(all: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 8;
    let all: Vec<String> = all.into_iter().map(|choice| choice.to_string()).collect();
    match all.len() {
        0 => "none".into(),
        count if count <= SHOWN => all.join(", "),
        count => format!("{} and {} more", all[..SHOWN].join(", "), count - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_reports_every_update() {
        assert!(batch_status(&[Ok(()), Ok(())]).is_ok());
        let status = batch_status(&[Ok(()), Err(Fault::not_found("no such entry"))]).expect_err("one failed");
        assert_eq!((status.code(), status.message()), (Code::Unknown, "1 of 2 updates failed"));
        let details = rpc::Status::decode(status.details()).expect("details are a status").details;
        let errors: Vec<v1::Error> =
            details.iter().map(|any| v1::Error::decode(any.value.as_slice()).expect("an error")).collect();
        assert_eq!((errors[0].canonical_code, errors[0].message.as_str()), (0, ""));
        assert_eq!((errors[1].canonical_code, errors[1].message.as_str()), (5, "no such entry"));
    }

    #[test]
    fn choices_are_listed_up_to_eight() {
        assert_eq!(choices::<u8>([]), "none");
        assert_eq!(choices([1, 2]), "1, 2");
        assert_eq!(choices(1..=10), "1, 2, 3, 4, 5, 6, 7, 8 and 2 more");
    }
}

//! The reference's codes for what the engine refuses.

use vouch_switch::ControlError;

use super::api::standard::{
    CounterOperationErrorCode, CrcErrorCode, DevMgrErrorCode, IdLookupErrorCode, InvalidCounterOperation,
    InvalidCrcOperation, InvalidDevMgrOperation, InvalidIdLookup, InvalidLearnOperation, InvalidMeterOperation,
    InvalidParseVSetOperation, InvalidRegisterOperation, InvalidSwapOperation, InvalidTableOperation,
    InvalidToeplitzHashOperation, LearnOperationErrorCode, MeterOperationErrorCode, ParseVSetOperationErrorCode,
    RegisterOperationErrorCode, SwapOperationErrorCode, TableOperationErrorCode, ToeplitzHashErrorCode,
};
use super::wire::Failure;

macro_rules! codes {
    ($($code:ident of $exception:ident,)*) => {$(
        impl From<$code> for Failure<$exception> {
            fn from(code: $code) -> Self {
                Self::Declared($exception { code })
            }
        }
    )*};
}

codes! {
    TableOperationErrorCode of InvalidTableOperation,
    CounterOperationErrorCode of InvalidCounterOperation,
    MeterOperationErrorCode of InvalidMeterOperation,
    RegisterOperationErrorCode of InvalidRegisterOperation,
    ParseVSetOperationErrorCode of InvalidParseVSetOperation,
    LearnOperationErrorCode of InvalidLearnOperation,
    SwapOperationErrorCode of InvalidSwapOperation,
    DevMgrErrorCode of InvalidDevMgrOperation,
    CrcErrorCode of InvalidCrcOperation,
    ToeplitzHashErrorCode of InvalidToeplitzHashOperation,
    IdLookupErrorCode of InvalidIdLookup,
}

impl From<ControlError> for Failure<InvalidTableOperation> {
    fn from(error: ControlError) -> Self {
        table_code(&error).into()
    }
}

/// What the services have not looked for before has no code of its own.
fn table_code(error: &ControlError) -> TableOperationErrorCode {
    use TableOperationErrorCode as Code;
    match error {
        ControlError::UnknownObject { .. } => Code::InvalidTableName,
        ControlError::EntryExists => Code::DuplicateEntry,
        ControlError::EntryNotFound => Code::InvalidHandle,
        ControlError::TableFull { .. } | ControlError::ProfileFull { .. } => Code::TableFull,
        ControlError::ConstEntries => Code::ImmutableTableEntries,
        ControlError::ConstDefault => Code::DefaultEntryIsConst,
        ControlError::MatchCount { .. }
        | ControlError::MatchKind { .. }
        | ControlError::MatchWidth { .. }
        | ControlError::PrefixLength { .. }
        | ControlError::BitsOutsideMask { .. }
        | ControlError::EmptyRange { .. }
        | ControlError::Priority { .. } => Code::BadMatchKey,
        ControlError::ActionNotInTable { .. } => Code::InvalidActionName,
        ControlError::ParamCount { .. } | ControlError::ParamWidth { .. } => Code::BadActionData,
        ControlError::Implementation { .. } => Code::WrongTableType,
        ControlError::NoSelector => Code::NoActionProfileSelection,
        ControlError::MemberNotFound(_) => Code::InvalidMbrHandle,
        ControlError::MemberInUse(_) => Code::MbrStillUsed,
        ControlError::GroupNotFound(_) => Code::InvalidGrpHandle,
        ControlError::GroupInUse(_) => Code::GrpStillUsed,
        ControlError::NotSupportedByTable { what: "direct counter" } => Code::CountersDisabled,
        ControlError::NotSupportedByTable { what: "direct meter" } => Code::MetersDisabled,
        ControlError::NotSupportedByTable { .. } => Code::AgeingDisabled,
        _ => Code::Error,
    }
}

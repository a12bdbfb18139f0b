//! Value sets, digests and hashes.

use vouch_switch::{CrcParameters, Micros, ValueSetId, ValueSetMember};
use vouch_switch_server::{LearnRequest, Running};

use super::api::standard::{
    BmCrc16Config, BmCrc32Config, CrcErrorCode, InvalidCrcOperation, InvalidLearnOperation, InvalidParseVSetOperation,
    InvalidToeplitzHashOperation, LearnOperationErrorCode, ParseVSetOperationErrorCode as SetCode, Parsing,
    ToeplitzHashErrorCode,
};
use super::services::Services;
use super::wire::Failure;

type Sets<T> = Result<T, Failure<InvalidParseVSetOperation>>;
type Learns = Result<(), Failure<InvalidLearnOperation>>;
type Crcs = Result<(), Failure<InvalidCrcOperation>>;

impl Services {
    fn on_set<T>(&self, name: &str, call: impl FnOnce(&Running<'_>, ValueSetId) -> Sets<T>) -> Sets<T> {
        self.with(|running, _| {
            let id = running.switch().program().value_set(name).ok_or(SetCode::InvalidParseVsetName)?;
            call(running, id)
        })
    }

    fn change_set(&self, name: &str, change: impl FnOnce(&mut Vec<ValueSetMember>)) -> Sets<()> {
        self.on_set(name, |running, id| {
            let mut members = running.switch().value_set(id).map_err(|_| SetCode::Error)?;
            change(&mut members);
            Ok(running.switch().set_value_set(id, &members).map_err(|_| SetCode::Error)?)
        })
    }

    /// Do what a receiver of samples asks of a list.
    fn learn(&self, list: i32, request: &LearnRequest) -> Learns {
        self.with(|running, _| {
            let known = u32::try_from(list).is_ok_and(|list| running.learning(list, request));
            if known { Ok(()) } else { Err(LearnOperationErrorCode::InvalidListId.into()) }
        })
    }

    fn set_crc(&self, calculation: &str, bits: u32, parameters: CrcParameters) -> Crcs {
        self.with(|running, _| {
            let (switch, program) = (running.switch(), running.switch().program());
            let id = program.calculation(calculation).ok_or(CrcErrorCode::InvalidCalculationName)?;
            if program.calculation_info(id).and_then(|info| info.custom_crc) != Some(bits) {
                return Err(CrcErrorCode::WrongTypeCalculation.into());
            }
            Ok(switch.set_crc(id, parameters).map_err(|_| CrcErrorCode::InvalidConfig)?)
        })
    }
}

impl Parsing for Services {
    fn bm_parse_vset_add(&self, _: i32, name: String, value: Vec<u8>) -> Sets<()> {
        self.change_set(&name, |members| {
            if members.iter().all(|member| member.value != value) {
                members.push(ValueSetMember { value, mask: None });
            }
        })
    }

    fn bm_parse_vset_remove(&self, _: i32, name: String, value: Vec<u8>) -> Sets<()> {
        self.change_set(&name, |members| members.retain(|member| member.value != value))
    }

    fn bm_parse_vset_get(&self, _: i32, name: String) -> Sets<Vec<Vec<u8>>> {
        self.on_set(&name, |running, id| {
            let members = running.switch().value_set(id).map_err(|_| SetCode::Error)?;
            Ok(members.into_iter().map(|member| member.value).collect())
        })
    }

    fn bm_parse_vset_clear(&self, _: i32, name: String) -> Sets<()> {
        self.change_set(&name, Vec::clear)
    }

    fn bm_learning_ack(&self, _: i32, list: i32, buffer: i64, samples: Vec<i32>) -> Learns {
        self.learn(list, &LearnRequest::AcknowledgeSamples(buffer.cast_unsigned(), samples))
    }

    fn bm_learning_ack_buffer(&self, _: i32, list: i32, buffer: i64) -> Learns {
        self.learn(list, &LearnRequest::AcknowledgeBuffer(buffer.cast_unsigned()))
    }

    fn bm_learning_set_timeout(&self, _: i32, list: i32, timeout_ms: i32) -> Learns {
        // The reference, too, takes a negative number for a very large one.
        self.learn(list, &LearnRequest::SetTimeout(Micros(u64::from(timeout_ms.cast_unsigned()) * 1000)))
    }

    fn bm_learning_set_buffer_size(&self, _: i32, list: i32, samples: i32) -> Learns {
        self.learn(list, &LearnRequest::SetMaxSamples(usize::try_from(samples).unwrap_or(usize::MAX)))
    }

    fn bm_set_crc16_custom_parameters(&self, _: i32, calculation: String, config: BmCrc16Config) -> Crcs {
        let parameters = CrcParameters {
            polynomial: config.polynomial.cast_unsigned().into(),
            initial_remainder: config.initial_remainder.cast_unsigned().into(),
            final_xor: config.final_xor_value.cast_unsigned().into(),
            data_reflected: config.data_reflected,
            remainder_reflected: config.remainder_reflected,
        };
        self.set_crc(&calculation, 16, parameters)
    }

    fn bm_set_crc32_custom_parameters(&self, _: i32, calculation: String, config: BmCrc32Config) -> Crcs {
        let parameters = CrcParameters {
            polynomial: config.polynomial.cast_unsigned(),
            initial_remainder: config.initial_remainder.cast_unsigned(),
            final_xor: config.final_xor_value.cast_unsigned(),
            data_reflected: config.data_reflected,
            remainder_reflected: config.remainder_reflected,
        };
        self.set_crc(&calculation, 32, parameters)
    }

    fn bm_set_toeplitz_hash_key(
        &self,
        _: i32,
        calculation: String,
        _key: Vec<u8>,
    ) -> Result<(), Failure<InvalidToeplitzHashOperation>> {
        // A program with such a calculation is refused when it is loaded.
        self.with(|running, memory| match memory.document(running).algorithm(&calculation) {
            None => Err(ToeplitzHashErrorCode::InvalidCalculationName.into()),
            Some(_) => Err(ToeplitzHashErrorCode::WrongTypeCalculation.into()),
        })
    }
}

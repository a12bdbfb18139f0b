//! The hash and checksum algorithms of v1model, over a string of bytes.

use crate::bits::mask64;

/// A hash algorithm by its name in BMv2 JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Crc16,
    Crc32,
    CrcCcitt,
    Csum16,
    Xor16,
    Xor32,
    Identity,
    Crc8,
    Crc64,
}

impl Algorithm {
    pub(crate) const NAMES: &'static [&'static str] = &[
        "crc16",
        "crc16_custom",
        "crc32",
        "crc32_custom",
        "crcCCITT",
        "csum16",
        "cksum16",
        "xor16",
        "xor32",
        "identity",
        "crc8_custom",
        "crc64_custom",
    ];

    /// The custom CRCs have the parameters that BMv2 starts them with.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "crc16" | "crc16_custom" => Self::Crc16,
            "crc32" | "crc32_custom" => Self::Crc32,
            "crcCCITT" => Self::CrcCcitt,
            "csum16" | "cksum16" => Self::Csum16,
            "xor16" => Self::Xor16,
            "xor32" => Self::Xor32,
            "identity" => Self::Identity,
            "crc8_custom" => Self::Crc8,
            "crc64_custom" => Self::Crc64,
            _ => return None,
        })
    }

    /// The bits of the CRC by this name, if its parameters can be set.
    pub(crate) fn custom_crc(name: &str) -> Option<u32> {
        match name {
            "crc16_custom" => Some(16),
            "crc32_custom" => Some(32),
            _ => None,
        }
    }

    pub(crate) fn compute(self, data: &[u8]) -> u64 {
        match self {
            Self::Crc16 => reflected(data, &CRC16, 0),
            Self::Crc32 => reflected(data, &CRC32, 0xffff_ffff) ^ 0xffff_ffff,
            Self::CrcCcitt => data.iter().fold(0xffff, |crc, byte| straight16(crc, *byte)),
            Self::Csum16 => u64::from(csum16(data)),
            Self::Xor16 => words::<2>(data).fold(0, |sum, word| sum ^ word),
            Self::Xor32 => words::<4>(data).fold(0, |sum, word| sum ^ word),
            Self::Identity => data.iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte)),
            Self::Crc8 => data.iter().fold(0, |crc, byte| straight8(crc, *byte, 0x07)),
            Self::Crc64 => reflected(data, &CRC64, 0),
        }
    }
}

/// What makes a CRC the one that it is, in the usual terms (Williams, "A Painless Guide to CRC Error Detection Algorithms",
/// section 14). Of each number the low bits count, as many as the CRC has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrcParameters {
    /// The polynomial without its highest term, the coefficient of x⁰ being the lowest bit.
    pub polynomial: u32,
    /// What the remainder is before the first byte.
    pub initial_remainder: u32,
    /// What the result is combined with by exclusive or.
    pub final_xor: u32,
    /// Whether each byte goes in with its lowest bit first.
    pub data_reflected: bool,
    /// Whether the bits of the remainder change places before that.
    pub remainder_reflected: bool,
}

/// A CRC of 16 or 32 bits.
#[derive(Debug)]
pub(crate) struct Crc {
    bits: u32,
    parameters: CrcParameters,
    /// What each byte in front of an empty remainder makes of it.
    table: [u32; 256],
}

impl Crc {
    pub(crate) fn new(bits: u32, parameters: CrcParameters) -> Self {
        let (top, mask) = (1 << (bits - 1), mask64(bits) as u32);
        let step = |remainder: u32| {
            if remainder & top == 0 { remainder << 1 } else { remainder << 1 ^ parameters.polynomial }
        };
        let table = std::array::from_fn(|byte| (0..8).fold((byte as u32) << (bits - 8), |at, _| step(at)) & mask);
        Self { bits, parameters, table }
    }

    pub(crate) fn compute(&self, data: &[u8]) -> u64 {
        let CrcParameters { initial_remainder, final_xor, data_reflected, remainder_reflected, .. } = self.parameters;
        let mask = mask64(self.bits) as u32;
        let remainder = data.iter().fold(initial_remainder & mask, |remainder, byte| {
            let byte = if data_reflected { byte.reverse_bits() } else { *byte };
            let first = byte ^ (remainder >> (self.bits - 8)) as u8;
            self.table[usize::from(first)] ^ remainder << 8 & mask
        });
        let reflected = remainder.reverse_bits() >> (u32::BITS - self.bits);
        u64::from((if remainder_reflected { reflected } else { remainder } ^ final_xor) & mask)
    }
}

/// The Internet checksum (RFC 1071).
pub(crate) fn csum16(data: &[u8]) -> u16 {
    // Words of 32 bits add up to the same: 2^16 is 1 modulo 2^16 - 1.
    let (words, tail) = data.as_chunks::<4>();
    let mut sum: u64 = words.iter().map(|word| u64::from(u32::from_be_bytes(*word))).sum();
    sum += self::words::<2>(tail).sum::<u64>();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Big-endian words of `N` bytes, the last padded with zeros.
fn words<const N: usize>(data: &[u8]) -> impl Iterator<Item = u64> + '_ {
    data.chunks(N)
        .map(|chunk| chunk.iter().fold(0u64, |word, byte| word << 8 | u64::from(*byte)) << (8 * (N - chunk.len())))
}

static CRC16: [u64; 256] = table(0xa001);
static CRC32: [u64; 256] = table(0xedb8_8320);
static CRC64: [u64; 256] = table(0xd800_0000_0000_0000);

static CCITT: [u64; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u64) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 { crc << 1 ^ 0x1021 } else { crc << 1 } & 0xffff;
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

/// Table of a CRC whose polynomial is given in reflected form.
const fn table(polynomial: u64) -> [u64; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ polynomial } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

fn reflected(data: &[u8], table: &[u64; 256], start: u64) -> u64 {
    data.iter().fold(start, |crc, byte| table[(crc as u8 ^ byte) as usize] ^ crc >> 8)
}

/// One byte of the CRC that is not reflected, with the polynomial 0x1021.
fn straight16(crc: u64, byte: u8) -> u64 {
    CCITT[(crc >> 8) as usize & 0xff ^ usize::from(byte)] ^ crc << 8 & 0xffff
}

fn straight8(crc: u64, byte: u8, polynomial: u64) -> u64 {
    (0..8).fold(crc ^ u64::from(byte), |crc, _| (if crc & 0x80 != 0 { crc << 1 ^ polynomial } else { crc << 1 }) & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The catalogue's check values: the CRC of the nine digits.
    #[test]
    fn crcs_of_the_check_string() {
        let check = b"123456789";
        assert_eq!(Algorithm::Crc16.compute(check), 0xbb3d);
        assert_eq!(Algorithm::Crc32.compute(check), 0xcbf4_3926);
        assert_eq!(Algorithm::CrcCcitt.compute(check), 0x29b1);
        assert_eq!(Algorithm::Crc8.compute(check), 0xf4);
    }

    /// By what the catalogue calls them, with their check values.
    #[test]
    fn crcs_by_parameters() {
        let crc = |bits, polynomial, initial_remainder, final_xor, [data_reflected, remainder_reflected]: [bool; 2]| {
            let parameters =
                CrcParameters { polynomial, initial_remainder, final_xor, data_reflected, remainder_reflected };
            Crc::new(bits, parameters).compute(b"123456789")
        };
        assert_eq!(crc(16, 0x8005, 0, 0, [true; 2]), 0xbb3d, "CRC-16/ARC");
        assert_eq!(crc(16, 0x1021, 0, 0, [false; 2]), 0x31c3, "CRC-16/XMODEM");
        assert_eq!(crc(16, 0x1021, 0xffff, 0xffff, [true; 2]), 0x906e, "CRC-16/IBM-SDLC");
        assert_eq!(crc(32, 0x04c1_1db7, u32::MAX, u32::MAX, [true; 2]), 0xcbf4_3926, "CRC-32/ISO-HDLC");
        assert_eq!(crc(32, 0x04c1_1db7, u32::MAX, u32::MAX, [false; 2]), 0xfc89_1918, "CRC-32/BZIP2");
        assert_eq!(crc(32, 0x1edc_6f41, u32::MAX, u32::MAX, [true; 2]), 0xe306_9283, "CRC-32/ISCSI");
        // The bits of a remainder that change places alone.
        assert_eq!(crc(16, 0x1021, 0, 0, [false, true]), 0xc38c);
        assert_eq!(crc(16, u32::MAX << 16 | 0x1021, u32::MAX << 16, u32::MAX << 16, [false; 2]), 0x31c3);
    }

    /// The example of RFC 1071, section 3.
    #[test]
    fn internet_checksum() {
        assert_eq!(csum16(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!(csum16(&[0x01]), !0x0100);
    }

    #[test]
    fn short_tails_are_padded() {
        assert_eq!(Algorithm::Xor16.compute(&[1, 2, 3]), 0x0102 ^ 0x0300);
        assert_eq!(Algorithm::Xor32.compute(&[1]), 0x0100_0000);
        assert_eq!(Algorithm::Identity.compute(&[1, 2, 3]), 0x01_0203);
    }
}

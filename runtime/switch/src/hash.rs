//! The hash and checksum algorithms of v1model, over a string of bytes.

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

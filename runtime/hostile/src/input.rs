//! Bytes as a source of choices.

/// What is left of an input. Once it has run out, everything that is taken from it is 0 or empty.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most so many bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A number of `count` bytes, at most 8, big-endian.
    pub(crate) fn number(&mut self, count: usize) -> u64 {
        self.bytes(count).iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    pub(crate) fn u8(&mut self) -> u8 {
        self.number(1) as u8
    }

    pub(crate) fn u16(&mut self) -> u16 {
        self.number(2) as u16
    }

    /// A big-endian value of so many bits. One in 256 does not fit.
    pub(crate) fn value(&mut self, bits: u32) -> Vec<u8> {
        let mut value = self.bytes(bits.div_ceil(8) as usize).to_vec();
        if let (Some(first), 1..) = (value.first_mut(), bits % 8)
            && *first != 0xff
        {
            *first &= (1 << (bits % 8)) - 1;
        }
        value
    }

    /// One of `choices`, by one byte.
    pub(crate) fn pick<'c, T>(&mut self, choices: &'c [T]) -> Option<&'c T> {
        let byte = usize::from(self.u8());
        choices.get(byte.checked_rem(choices.len())?)
    }
}

//! How a table's key is packed into words.
//!
//! Fields of up to 64 bits share words as far as they fit, wide ones get words of their own, most significant first. A
//! longest-prefix field comes last, so that the whole key is one string of bits of which a prefix counts.

use crate::bits::{Limbs, limbs, mask64};
use crate::code::{KeySource, NONE, TableKey};
use crate::packet::Phv;
use crate::state::lookup::{Interval, Style};

/// Where one field is in the packed key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Its first word.
    word: u32,
    /// Of its lowest bit, in its last word.
    shift: u32,
    bits: u32,
}

/// One limb of the packet that goes into the key.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// The limb; `NONE` is the validity of the guard.
    slot: u32,
    /// The header without which it is 0; `NONE` is metadata.
    guard: u32,
    word: u32,
    shift: u32,
    mask: u64,
}

impl Piece {
    /// Its part of its word.
    #[inline(always)]
    fn of(&self, phv: &Phv) -> u64 {
        let valid = self.guard == NONE || phv.valid[self.guard as usize];
        let value = match self.slot {
            _ if !valid => 0,
            NONE => 1,
            slot => phv.slots[slot as usize],
        };
        (value & self.mask) << self.shift
    }
}

/// The places of a key's fields.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) style: Style,
    pub(crate) words: usize,
    places: Vec<Place>,
    pieces: Vec<Piece>,
}

impl Layout {
    /// `last` is the longest-prefix field of a key of that style.
    pub(crate) fn new(key: &[TableKey], style: Style, last: Option<usize>) -> Self {
        let places = places(&key.iter().map(|part| part.bits).collect::<Vec<_>>(), last);
        let words = places.iter().map(|place| place.word as usize + limbs(place.bits)).max().unwrap_or(0);
        let mut pieces = Vec::new();
        for (part, place) in key.iter().zip(&places) {
            let fixed = |limb: usize| part.mask.as_ref().map_or(u64::MAX, |mask| mask[limb]);
            match part.source {
                KeySource::Valid(header) => pieces.push(Piece {
                    slot: NONE,
                    guard: header,
                    word: place.word,
                    shift: place.shift,
                    mask: fixed(0),
                }),
                KeySource::Field { field, header } => {
                    pieces.extend((0..field.limbs()).map(|limb| Piece {
                        slot: field.slot + limb as u32,
                        guard: header,
                        word: place.word + (field.limbs() - 1 - limb) as u32,
                        shift: place.shift,
                        mask: fixed(limb),
                    }));
                }
            }
        }
        Self { style, words, places, pieces }
    }

    /// Packs a packet's key.
    #[inline]
    pub(crate) fn pack(&self, phv: &Phv, key: &mut [u64]) {
        if let [word] = key {
            *word = self.pieces.iter().fold(0, |word, piece| word | piece.of(phv));
            return;
        }
        key.fill(0);
        for piece in &self.pieces {
            key[piece.word as usize] |= piece.of(phv);
        }
    }

    /// Puts a field's number into a packed key, whose bits there are 0.
    pub(crate) fn put(&self, field: usize, number: &[u64], key: &mut [u64]) {
        let place = self.places[field];
        for (word, limb) in key[place.word as usize..].iter_mut().zip(number.iter().rev()) {
            *word |= limb << place.shift;
        }
    }

    /// A field's number in a packed key.
    pub(crate) fn get(&self, field: usize, key: &[u64]) -> Limbs {
        let Place { word, shift, bits } = self.places[field];
        key[word as usize..][..limbs(bits)].iter().rev().map(|word| word >> shift & mask64(bits)).collect()
    }

    /// A range of a field.
    pub(crate) fn range(&self, field: usize, low: &[u64], high: &[u64]) -> Interval {
        let Place { word, shift, bits } = self.places[field];
        Interval { word, shift, mask: mask64(bits), ends: low.iter().rev().chain(high.iter().rev()).copied().collect() }
    }

    /// The ends of a field's range, if it is one of these.
    pub(crate) fn ends(&self, field: usize, ranges: &[Interval]) -> Option<(Limbs, Limbs)> {
        let Place { word, shift, .. } = self.places[field];
        let range = ranges.iter().find(|range| (range.word, range.shift) == (word, shift))?;
        let (low, high) = range.ends.split_at(range.ends.len() / 2);
        Some((low.iter().rev().copied().collect(), high.iter().rev().copied().collect()))
    }

    /// How many bits of the packed key come before this field's own.
    pub(crate) fn before(&self, field: usize) -> u32 {
        let Place { word, shift, bits } = self.places[field];
        let first = bits - 64 * (limbs(bits) as u32 - 1);
        64 * word + 64 - shift - first
    }
}

/// Wide fields first, each in the first word that has room.
fn places(bits: &[u32], last: Option<usize>) -> Vec<Place> {
    let mut order: Vec<usize> = (0..bits.len()).collect();
    order.sort_by_key(|field| (last == Some(*field), core::cmp::Reverse(bits[*field])));
    let mut free: Vec<u32> = Vec::new();
    let mut places = vec![Place { word: 0, shift: 0, bits: 0 }; bits.len()];
    for field in order {
        let bits = bits[field];
        let candidates = if last == Some(field) { free.len().saturating_sub(1)..free.len() } else { 0..free.len() };
        let fitting = candidates.into_iter().find(|word| bits <= 64 && free[*word] >= bits);
        let word = fitting.unwrap_or_else(|| {
            let first = free.len();
            free.resize(first + limbs(bits), if bits <= 64 { 64 } else { 0 });
            first
        });
        if bits <= 64 {
            free[word] -= bits;
        }
        places[field] = Place { word: word as u32, shift: if bits <= 64 { free[word] } else { 0 }, bits };
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::truncate;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_put_is_got(fields in proptest::collection::vec((1u32..200, any::<[u64; 4]>()), 1..8)) {
            let bits: Vec<u32> = fields.iter().map(|(bits, _)| *bits).collect();
            let places = places(&bits, None);
            let words = places.iter().map(|place| place.word as usize + limbs(place.bits)).max().unwrap_or(0);
            let layout = Layout { style: Style::Masked, words, places, pieces: Vec::new() };
            let numbers = fields.iter().map(|(bits, number)| {
                let mut number = Limbs::from_slice(&number[..limbs(*bits)]);
                truncate(&mut number, *bits);
                number
            });
            let numbers: Vec<Limbs> = numbers.collect();
            let mut key = vec![0; words];
            for (field, number) in numbers.iter().enumerate() {
                layout.put(field, number, &mut key);
            }
            for (field, number) in numbers.iter().enumerate() {
                prop_assert_eq!(&layout.get(field, &key), number);
                let ranges = [layout.range(field, number, number)];
                prop_assert_eq!(layout.ends(field, &ranges), Some((number.clone(), number.clone())));
            }
        }
    }

    fn packed(bits: &[u32], last: Option<usize>) -> Vec<(u32, u32)> {
        places(bits, last).iter().map(|place| (place.word, place.shift)).collect()
    }

    #[test]
    fn fields_share_words() {
        assert_eq!(packed(&[16, 48], None), [(0, 0), (0, 16)]);
        assert_eq!(packed(&[1, 64, 1, 40], None), [(1, 23), (0, 0), (1, 22), (1, 24)]);
    }

    #[test]
    fn wide_fields_have_words_of_their_own() {
        assert_eq!(packed(&[8, 128], None), [(2, 56), (0, 0)]);
    }

    #[test]
    fn the_prefix_comes_last() {
        assert_eq!(packed(&[32, 16], Some(0)), [(0, 16), (0, 48)]);
        assert_eq!(packed(&[48, 32, 40], Some(0)), [(2, 16), (1, 32), (0, 24)]);
    }
}

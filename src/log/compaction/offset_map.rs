//! The last offset of each key, in bounded memory: keys are known by a keyed hash of 128 bits.
//!
//! Two keys of the same hash would be taken for one, and the record of one of them lost. By accident that does not
//! happen, and on purpose only to somebody who knows the key of the hash.

use crate::base::offset::Offset;
use crate::base::siphash::{SipKey, siphash};

/// Hash and offset + 1; zeros are a free slot.
type Slot = [u64; 3];

const SLOT_BYTES: usize = size_of::<Slot>();
/// Of this many slots three are used at most, so that a search stays short.
const LOAD_OF: usize = 4;

/// One per compaction.
pub struct OffsetMap {
    key: SipKey,
    slots: Vec<Slot>,
    used: usize,
    used_max: usize,
}

impl OffsetMap {
    /// For at most so many keys, and in no more than so many bytes. There is always room for one.
    pub fn new(key: SipKey, keys_max: u64, bytes_max: usize) -> OffsetMap {
        let most = (bytes_max / SLOT_BYTES).max(LOAD_OF);
        let wanted = usize::try_from(keys_max).unwrap_or(most).saturating_add(1);
        let wanted = wanted.saturating_mul(LOAD_OF).div_ceil(LOAD_OF - 1);
        let slots = wanted.clamp(LOAD_OF, most);
        OffsetMap {
            key,
            slots: vec![[0; 3]; slots],
            used: 0,
            used_max: slots / LOAD_OF * (LOAD_OF - 1),
        }
    }

    /// Takes the next record's offset; they rise. False when there is no room for its key.
    pub fn insert(&mut self, key: &[u8], offset: Offset) -> bool {
        let (hash, at) = self.find(key);
        let slot = &mut self.slots[at];
        if slot[2] == 0 {
            if self.used == self.used_max {
                return false;
            }
            self.used += 1;
        }
        let stored = u64::try_from(offset.0).expect("an offset of a log") + 1;
        assert!(stored > slot[2], "offsets rise");
        *slot = [hash[0], hash[1], stored];
        true
    }

    /// No later record of this key is known.
    pub fn is_latest(&self, key: &[u8], offset: Offset) -> bool {
        let (_, at) = self.find(key);
        let known = self.slots[at][2];
        u64::try_from(offset.0).is_ok_and(|offset| offset + 1 >= known)
    }

    /// The slot that has the key, or where it would go.
    fn find(&self, key: &[u8]) -> ([u64; 2], usize) {
        let hash = siphash(self.key, key);
        let hash = [hash as u64, (hash >> 64) as u64];
        let mut at = (hash[0] % self.slots.len() as u64) as usize;
        while self.slots[at][2] != 0 && self.slots[at][..2] != hash {
            at = (at + 1) % self.slots.len();
        }
        (hash, at)
    }

    pub fn len(&self) -> usize {
        self.used
    }

    pub fn is_empty(&self) -> bool {
        self.used == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;
    use std::collections::BTreeMap;

    #[test]
    fn the_last_offset_of_every_key_is_known() {
        let mut map = OffsetMap::new(SipKey(7), 500, 1 << 20);
        let mut model: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
        let mut prng = Prng::new(3);
        for offset in 0..20_000 {
            let key = prng.below(500).to_string().into_bytes();
            assert!(map.insert(&key, Offset(offset)));
            model.insert(key, offset);
        }
        assert_eq!(map.len(), model.len());
        for (key, &offset) in &model {
            assert!(map.is_latest(key, Offset(offset)));
            assert!(map.is_latest(key, Offset(offset + 1)));
            assert!(!map.is_latest(key, Offset(offset - 1)));
        }
        assert!(map.is_latest(b"another", Offset(0)));
    }

    #[test]
    fn a_full_map_refuses_new_keys_and_takes_known_ones() {
        let bytes_max = 8 * SLOT_BYTES;
        let mut map = OffsetMap::new(SipKey(7), 1_000, bytes_max);
        let key = |number: i64| number.to_be_bytes();
        for number in 0..6 {
            assert!(map.insert(&key(number), Offset(number)));
        }
        assert!(!map.insert(&key(6), Offset(6)));
        assert!(map.insert(&key(2), Offset(7)));
        assert!(!map.is_latest(&key(2), Offset(2)));
        assert!(map.is_latest(&key(6), Offset(6)), "nothing is known of it");
    }

    #[test]
    fn the_smallest_map_has_room_for_a_key() {
        let mut map = OffsetMap::new(SipKey(0), 0, 0);
        assert!(map.is_empty());
        assert!(map.insert(b"", Offset(0)));
        assert!(map.is_latest(b"", Offset(0)));
    }
}

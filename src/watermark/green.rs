//! Green lists: for each context a share of the vocabulary, by torch's permutation of it. The seed of the permutation is
//! a function of key and context, as transformers' WatermarkLogitsProcessor has it.

use super::mersenne::Mersenne;
use crate::error::Result;
use crate::memory::{self, make_room};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError, Weak};

/// How the context seeds the permutation.
pub(crate) enum Scheme {
    /// The last token.
    LeftHash,
    /// The last tokens and the candidate, through a table: transformers' `fixed_table`, with 1 added to each entry.
    SelfHash(Arc<Vec<u32>>),
}

/// Length of the table.
const TABLE: usize = 1_000_003;

/// The tables in use, by key: a table has 4 MB, and all sequences of a server with the same key share one.
static TABLES: Mutex<BTreeMap<u64, Weak<Vec<u32>>>> = Mutex::new(BTreeMap::new());

/// The list of tables. None if it stays locked for long: a thread that a fork left behind may have locked it.
fn tables() -> Option<MutexGuard<'static, BTreeMap<u64, Weak<Vec<u32>>>>> {
    (0..1000).find_map(|_| match TABLES.try_lock() {
        Ok(tables) => Some(tables),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => {
            std::thread::yield_now();
            None
        }
    })
}

impl Scheme {
    /// The first table of a key costs a few milliseconds and 4 MB, for as long as it is in use.
    pub(crate) fn self_hash(key: u64) -> Result<Self> {
        if let Some(known) = tables().and_then(|tables| tables.get(&key)?.upgrade()) {
            return Ok(Self::SelfHash(known));
        }
        let mut table = Vec::new();
        make_room(&mut table, TABLE)?;
        table.extend(1..=TABLE as u32);
        Mersenne::new(key).exchanges(TABLE, TABLE).for_each(|(i, j)| table.swap(i, j));
        let table = Arc::new(table);
        if let Some(mut tables) = tables() {
            tables.retain(|_, table| table.strong_count() > 0);
            tables.insert(key, Arc::downgrade(&table));
        }
        Ok(Self::SelfHash(table))
    }
}

/// Which tokens are green in which context.
pub(crate) struct GreenList {
    pub(crate) key: u64,
    pub(crate) scheme: Scheme,
    pub(crate) share: f64,
}

/// A seed is taken modulo this.
const MODULUS: u64 = u64::MAX;

impl GreenList {
    /// How many of so many tokens are green.
    pub(crate) fn size(&self, vocab: usize) -> usize {
        (vocab as f64 * self.share) as usize
    }

    /// The seed after a context, of which the last token is the candidate's with self-hash.
    pub(crate) fn seed(&self, context: &[i32]) -> u64 {
        let last = context.last().map_or(0, |&token| i64::from(token));
        match &self.scheme {
            Scheme::LeftHash => (u128::from(self.key) * last as u128 % u128::from(MODULUS)) as u64,
            Scheme::SelfHash(table) => {
                let entry = |token: i64| i64::from(table[token as usize % TABLE]);
                let own = entry(last);
                let product = |&token: &i32| (self.key as i64).wrapping_mul(entry(token.into())).wrapping_mul(own);
                let seed = context.iter().map(product).min().unwrap_or(0);
                i128::from(seed).rem_euclid(i128::from(MODULUS)) as u64
            }
        }
    }

    /// Whether the token is green under a seed: whether the permutation brings it to one of the first places.
    pub(crate) fn contains(&self, seed: u64, vocab: usize, token: usize) -> bool {
        let size = self.size(vocab);
        let mut place = token;
        for (i, j) in Mersenne::new(seed).exchanges(vocab, size) {
            if place == j {
                return true;
            }
            if place == i {
                place = j;
            }
        }
        // The last place of all is exchanged with none.
        place < size
    }

    /// Marks the green tokens under a seed, token t as bit t % 64 of word t / 64.
    pub(crate) fn fill(&self, seed: u64, vocab: usize, places: &mut Vec<u32>, marks: &mut Vec<u64>) -> Result<()> {
        let size = self.size(vocab);
        places.clear();
        make_room(places, vocab)?;
        places.extend(0..vocab as u32);
        Mersenne::new(seed).exchanges(vocab, size).for_each(|(i, j)| places.swap(i, j));
        marks.clear();
        memory::resize(marks, vocab.div_ceil(64), 0)?;
        places[..size].iter().for_each(|&token| marks[token as usize / 64] |= 1 << (token % 64));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(key: u64, share: f64) -> GreenList {
        GreenList { key, scheme: Scheme::LeftHash, share }
    }

    #[test]
    fn contains_agrees_with_fill() {
        let (mut places, mut marks) = (vec![], vec![]);
        for (vocab, share) in
            [(1, 0.5), (1, 1.0), (2, 0.5), (64, 0.25), (65, 1.0), (500, 0.25), (500, 0.99), (500, 0.001)]
        {
            for seed in [0, 1, 77, u64::MAX] {
                let list = list(1, share);
                list.fill(seed, vocab, &mut places, &mut marks).unwrap();
                let mut n = 0;
                for token in 0..vocab {
                    let is_green = marks[token / 64] >> (token % 64) & 1 == 1;
                    assert_eq!(list.contains(seed, vocab, token), is_green, "{vocab} {share} {seed} {token}");
                    n += usize::from(is_green);
                }
                assert_eq!(n, list.size(vocab));
            }
        }
    }

    #[test]
    fn seeds_are_products_modulo_2_to_the_64_less_1() {
        assert_eq!(list(15_485_863, 0.25).seed(&[9, 1000]), 15_485_863_000);
        assert_eq!(list(u64::MAX, 0.25).seed(&[5]), 0);
        // 2^63 * 3 = 2^64 + 2^63.
        assert_eq!(list(1 << 63, 0.25).seed(&[3]), (1 << 63) + 1);
        let hash =
            |key| GreenList { key, scheme: Scheme::SelfHash(Arc::new((1..=TABLE as u32).collect())), share: 0.5 };
        assert_eq!(hash(10).seed(&[4, 7, 1]), 10 * 2 * 2);
        assert_eq!(hash(10).seed(&[1_000_003 + 2]), 10 * 3 * 3);
        // -2^63 * 1 and 0: the smaller one is negative, and one more than itself modulo 2^64 - 1 less.
        assert_eq!(hash(1 << 63).seed(&[1, 0]), (1 << 63) - 1);
    }

    #[test]
    fn self_hash_has_one_table_for_each_key_in_use() {
        let table = |key| match Scheme::self_hash(key) {
            Ok(Scheme::SelfHash(table)) => table,
            _ => panic!("no table"),
        };
        // (Keys of no other test.)
        let (one, other) = (table(0xfeed_0001), table(0xfeed_0002));
        assert!(Arc::ptr_eq(&one, &table(0xfeed_0001)) && one != other);
        let (first, freed) = (one.clone(), Arc::downgrade(&one));
        drop((one, first));
        assert!(freed.upgrade().is_none(), "nothing keeps a table that is not in use");
        let again = table(0xfeed_0001);
        assert!(Arc::ptr_eq(&again, &table(0xfeed_0001)) && again != other);
    }
}

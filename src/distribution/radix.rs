//! Sorts a head; a long one by radix, in linear time.

use crate::vocab::RankedToken;

/// From this length on radix sort is faster than comparison sort.
const LONG: usize = 1024;

/// Bits of a digit.
const BITS: u32 = 11;
const DIGITS: usize = u32::BITS.div_ceil(BITS) as usize;

/// Sorts ascending. `spare` is the second buffer of the radix sort.
pub(super) fn sort(hits: &mut [RankedToken], spare: &mut Vec<RankedToken>) {
    if hits.len() < LONG {
        hits.sort_unstable();
        return;
    }
    by_digits(hits, spare, RankedToken::order);
    for ties in hits.chunk_by_mut(|a, b| a.order() == b.order()) {
        // As they are collected they stand in reverse, which the comparison sort sees.
        if ties.len() < LONG || ties.is_sorted_by(|a, b| a > b) {
            ties.sort_unstable();
        } else {
            by_digits(ties, spare, |hit| !hit.index());
        }
    }
}

/// By the least significant digit of the key first, stably; ties in any order.
fn by_digits(hits: &mut [RankedToken], spare: &mut Vec<RankedToken>, key: impl Fn(RankedToken) -> u32) {
    let digit = |hit: RankedToken, at: usize| (key(hit) >> (BITS * at as u32)) as usize & ((1 << BITS) - 1);
    let mut ends = [[0u32; 1 << BITS]; DIGITS];
    for &hit in &*hits {
        for (at, ends) in ends.iter_mut().enumerate() {
            ends[digit(hit, at)] += 1;
        }
    }
    spare.clear();
    spare.extend_from_slice(hits);
    let (mut from, mut to) = (hits, &mut spare[..]);
    let mut is_swapped = false;
    for (at, places) in ends.iter_mut().enumerate() {
        if places[digit(from[0], at)] as usize == from.len() {
            continue;
        }
        let mut place = 0;
        for count in places.iter_mut() {
            place += std::mem::replace(count, place);
        }
        for &hit in &*from {
            let place = &mut places[digit(hit, at)];
            to[*place as usize] = hit;
            *place += 1;
        }
        std::mem::swap(&mut from, &mut to);
        is_swapped = !is_swapped;
    }
    if is_swapped {
        to.copy_from_slice(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Lcg;

    #[test]
    fn radix_sort_equals_std_sort() {
        let mut random = Lcg::new(3);
        let mut next = move || (random.next_u64() >> 40) as u32;
        let mut spare = vec![];
        for n in [0, 1, 1023, 1024, 5000, 70_000] {
            for spread in [1.0, 1e-3, 1e20] {
                for values in [1, 2, 300, 1 << 24] {
                    let logit = |r: u32| ((r % values) as f32 / 1000.0 - 1.5) * spread;
                    // In order of index, and not.
                    for shuffle in [0, 0x55] {
                        let mut hits: Vec<RankedToken> =
                            (0..n).map(|i| RankedToken::new(i ^ shuffle, logit(next()))).collect();
                        let mut expected = hits.clone();
                        expected.sort();
                        sort(&mut hits, &mut spare);
                        assert!(hits == expected, "{n} {spread} {values} {shuffle}");
                    }
                }
            }
        }
    }

    /// Tokens that differ in one bit of their logit, each bit once: every bit is in some digit.
    #[test]
    fn radix_sort_orders_by_every_bit() {
        for bit in 0..u32::BITS {
            let with = |bits: u32| f32::from_bits(bits ^ 1 << bit);
            // Both exponents are below that of infinity, whichever bit is changed.
            let mut hits: Vec<_> = [0x3f80_0000u32, 0x0055_5555, 0x8000_0001, 0xbf00_0000]
                .into_iter()
                .flat_map(|bits| [f32::from_bits(bits), with(bits)])
                .filter(|x| x.is_finite())
                .cycle()
                .zip((0..LONG as u32 + 5).rev())
                .map(|(x, i)| RankedToken::new(i, x))
                .collect();
            let mut expected = hits.clone();
            expected.sort();
            sort(&mut hits, &mut vec![]);
            assert!(hits == expected, "bit {bit}");
        }
    }
}

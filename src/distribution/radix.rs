//! Sorts a head, a long one by radix, and selects from a long pool: in linear time.

use crate::vocab::RankedToken;

/// From this length on radix sort is faster than comparison sort.
pub(super) const LONG: usize = 1024;

/// Bits of a digit.
const BITS: u32 = 11;

/// Sorts ascending. `spare` is the second buffer of the radix sort.
pub(super) fn sort(hits: &mut [RankedToken], spare: &mut Vec<RankedToken>) {
    if hits.len() < LONG {
        hits.sort_unstable();
        return;
    }
    // As they are collected ties stand in order of index, which is the reverse of theirs.
    hits.reverse();
    by_digits(hits, spare, RankedToken::order);
    if hits.is_sorted() {
        return;
    }
    for ties in hits.chunk_by_mut(|a, b| a.order() == b.order()) {
        if ties.len() < LONG {
            ties.sort_unstable();
        } else {
            by_digits(ties, spare, |hit| !hit.index());
        }
    }
}

/// Moves the `n` largest to the end, and leaves the others in their order; `largest` is memory.
pub(super) fn move_largest_up(hits: &mut [RankedToken], n: usize, largest: &mut Vec<RankedToken>) {
    largest.clear();
    let mut least = RankedToken::LAST;
    for &hit in &*hits {
        if hit > least {
            largest.push(hit);
            if largest.len() == 2 * n {
                largest.select_nth_unstable(n);
                largest.drain(..n);
                least = largest[0];
            }
        }
    }
    let more = largest.len() - n;
    largest.select_nth_unstable(more);
    largest.drain(..more);
    let (mut at, least) = (0, largest[0]);
    for i in 0..hits.len() {
        let hit = hits[i];
        hits[at] = hit;
        at += usize::from(hit < least);
    }
    hits[at..].copy_from_slice(largest);
}

/// By the least significant digit of the key first, stably. Bits that are the same in all keys are left
/// out.
fn by_digits(hits: &mut [RankedToken], spare: &mut Vec<RankedToken>, key: impl Fn(RankedToken) -> u32) {
    let first = key(hits[0]);
    let differing = hits.iter().fold(0, |bits, &hit| bits | (key(hit) ^ first));
    let (mut low, end) = (differing.trailing_zeros(), u32::BITS - differing.leading_zeros());
    if low >= end {
        return;
    }
    spare.clear();
    spare.extend_from_slice(hits);
    let (mut from, mut to) = (hits, &mut spare[..]);
    let mut is_swapped = false;
    while low < end {
        let digit = |hit: RankedToken| (key(hit) >> low) as usize & ((1 << BITS) - 1);
        let mut places = [0u32; 1 << BITS];
        from.iter().for_each(|&hit| places[digit(hit)] += 1);
        let mut place = 0;
        for count in &mut places {
            place += std::mem::replace(count, place);
        }
        for &hit in &*from {
            let place = &mut places[digit(hit)];
            to[*place as usize] = hit;
            *place += 1;
        }
        std::mem::swap(&mut from, &mut to);
        is_swapped = !is_swapped;
        low += BITS;
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

    #[test]
    fn move_largest_up_keeps_the_order_of_the_others() {
        let mut random = Lcg::new(4);
        for values in [1, 3, 50, 1 << 20] {
            for (n, of) in [(1, 5), (1, 1), (16, 3000), (40, 40), (700, 5000)] {
                for order in [1, -1] {
                    let mut logits: Vec<f32> = (0..of).map(|_| (random.next_u64() % values) as f32).collect();
                    if order < 0 {
                        logits.sort_unstable_by(f32::total_cmp);
                    }
                    let mut hits: Vec<_> = (0..).zip(logits).map(|(i, logit)| RankedToken::new(i, logit)).collect();
                    let mut sorted = hits.clone();
                    sorted.sort_unstable();
                    let (others, largest) = sorted.split_at(of - n);
                    let expected: Vec<_> =
                        hits.iter().filter(|hit| others.binary_search(hit).is_ok()).copied().collect();
                    move_largest_up(&mut hits, n, &mut vec![]);
                    let (found, end) = hits.split_at_mut(of - n);
                    end.sort_unstable();
                    assert!(found == expected && end == largest, "{n} of {of}, {values}");
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

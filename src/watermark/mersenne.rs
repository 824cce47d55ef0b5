//! torch's random numbers on the CPU, as transformers' watermarks need them: MT19937 (Matsumoto and Nishimura, 1998)
//! with torch's seeding.

/// Words of the state, and the distance of the words that are combined.
const STATE: usize = 624;
const MIDDLE: usize = 397;

/// `torch.Generator().manual_seed(...)`.
pub(super) struct Mersenne {
    state: [u32; STATE],
    next: usize,
}

impl Mersenne {
    /// torch uses the lower half of a seed.
    pub(super) fn new(seed: u64) -> Self {
        let mut state = [seed as u32; STATE];
        for i in 1..STATE {
            let before = state[i - 1];
            state[i] = (before ^ before >> 30).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Self { state, next: STATE }
    }

    fn refill(&mut self) {
        const UPPER: u32 = 0x8000_0000;
        for i in 0..STATE {
            let mixed = self.state[i] & UPPER | self.state[(i + 1) % STATE] & !UPPER;
            let twist = if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + MIDDLE) % STATE] ^ mixed >> 1 ^ twist;
        }
        self.next = 0;
    }

    pub(super) fn number(&mut self) -> u32 {
        if self.next == STATE {
            self.refill();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }

    /// The exchanges `i <-> i + step` of the first `steps` places by which torch.randperm(n) shuffles 0, 1, 2...
    pub(super) fn exchanges(mut self, n: usize, steps: usize) -> impl Iterator<Item = (usize, usize)> {
        // The last place has nothing to be exchanged with. A vocabulary has less than 2^32 tokens.
        (0..steps.min(n.saturating_sub(1))).map(move |i| (i, i + (self.number() % (n - i) as u32) as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mersenne_matches_the_published_value() {
        // std::mt19937's 10000th number, stated in the C++ standard.
        let mut numbers = Mersenne::new(5489);
        assert_eq!((0..10_000).map(|_| numbers.number()).last(), Some(4_123_659_995));
    }

    #[test]
    fn exchanges_shuffle_all_places() {
        let mut places: Vec<usize> = (0..1000).collect();
        Mersenne::new(7).exchanges(1000, 1000).for_each(|(i, j)| places.swap(i, j));
        let mut sorted = places.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..1000) && !places.is_sorted());
        assert_eq!(Mersenne::new(7).exchanges(0, 5).count() + Mersenne::new(7).exchanges(1, 5).count(), 0);
    }
}

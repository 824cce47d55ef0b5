//! Shared by the unit tests.

/// A linear congruential generator: enough for test data, which is the same on every run.
pub(crate) struct Lcg(u64);

impl Lcg {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits, of which the upper ones are the more random.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0
    }

    /// A random integer of 31 bits.
    pub(crate) fn next_u31(&mut self) -> u32 {
        (self.next_u64() >> 33) as u32
    }

    /// A random integer below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.next_u31() as usize % n
    }

    /// A random number in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / 2f64.powi(53)
    }
}

//! The vector that every pass is written over: sixteen `f32` lanes, whatever the registers are.
//!
//! One 512-bit register, two of 256 bits, four of 128 or an array of 16: an instruction set that implements this
//! trait gets every pass in `passes.rs`, and because each operation is a single correctly rounded IEEE operation on
//! each lane, it gets them bit for bit.

/// Lanes in a vector.
pub(crate) const LANES: usize = 16;

/// Sixteen `f32` lanes. Implementations mark every method `#[inline(always)]`: the function that carries the target
/// feature is the leaf in the kernel table, not the method.
pub(crate) trait Lanes: Copy {
    /// The outcome of a comparison, one bit a lane.
    type Mask: Copy;

    fn splat(x: f32) -> Self;
    fn load(x: &[f32; LANES]) -> Self;
    fn to_array(self) -> [f32; LANES];
    /// `self > other ? self : other`, so a NaN in `self` is passed over.
    fn max(self, other: Self) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    /// `self * b + c`, rounded once.
    fn fma(self, b: Self, c: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// Splits into the nearest integer n (ties to even) and the rest in [-1/2, 1/2], for |self| < 2^22. The integer comes
    /// in whatever form [`Lanes::times_power`] likes.
    #[inline(always)]
    fn split(self) -> (Self, Self) {
        let biased = self.add(Self::splat(ROUND));
        (biased, self.sub(biased.sub(Self::splat(ROUND))))
    }

    /// `self * 2^n`, for an n from [`Lanes::split`]; exact for a normal result.
    fn times_power(self, n: Self) -> Self;
    fn ge(self, other: Self) -> Self::Mask;
    fn lt(self, other: Self) -> Self::Mask;
    /// The lanes of `self` whose bit is set, zero elsewhere.
    fn keep(self, mask: Self::Mask) -> Self;
    fn and(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    fn bits(mask: Self::Mask) -> u32;

    /// A last, short vector: missing lanes are -infinity, which no pass counts.
    #[inline(always)]
    fn load_partial(x: &[f32]) -> Self {
        let mut full = [f32::NEG_INFINITY; LANES];
        full[..x.len()].copy_from_slice(x);
        Self::load(&full)
    }

    /// The largest lane.
    #[inline(always)]
    fn largest(self) -> f32 {
        self.to_array().into_iter().fold(f32::NEG_INFINITY, |m, x| if x > m { x } else { m })
    }

    /// The sum of the lanes in f64, by halves: the same tree on every instruction set.
    #[inline(always)]
    fn sum(self) -> f64 {
        let mut lanes = self.to_array().map(f64::from);
        let mut half = LANES / 2;
        while half > 0 {
            for i in 0..half {
                lanes[i] += lanes[i + half];
            }
            half /= 2;
        }
        lanes[0]
    }
}

/// Adding it to a small number rounds that to an integer, which then stands in the low bits: 1.5 * 2^23.
const ROUND: f32 = 12_582_912.0;

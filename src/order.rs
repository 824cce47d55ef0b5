//! `f32` as integers in the same order, so that a bisection over floats ends after 32 steps.

/// The rank of a float among all floats: x < y iff `to_rank(x) < to_rank(y)`. -0 ranks one below 0; NaN has no place.
#[inline(always)]
pub(crate) fn to_rank(x: f32) -> u32 {
    let bits = x.to_bits();
    // Negative floats: all bits flipped. Others: the sign bit set.
    bits ^ ((bits as i32 >> 31) as u32 | 1 << 31)
}

/// The float of a rank.
#[inline(always)]
pub(crate) fn from_rank(rank: u32) -> f32 {
    f32::from_bits(rank ^ (!(rank as i32 >> 31) as u32 | 1 << 31))
}

/// The float halfway between two, by rank.
pub(crate) fn halfway(low: f32, high: f32) -> f32 {
    let (low, high) = (to_rank(low), to_rank(high));
    from_rank(low + (high - low) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_in_the_order_of_the_floats() {
        let floats = [f32::MIN, -1.5, -1e-40, -0.0, 0.0, 1e-40, 1.5, f32::MAX, f32::INFINITY];
        for pair in floats.windows(2) {
            assert!(to_rank(pair[0]) < to_rank(pair[1]));
            let middle = to_rank(halfway(pair[0], pair[1]));
            assert!((to_rank(pair[0])..to_rank(pair[1])).contains(&middle));
        }
        assert!(floats.iter().all(|&x| from_rank(to_rank(x)).to_bits() == x.to_bits()));
        assert_eq!(to_rank(1.0f32.next_up()), to_rank(1.0) + 1);
    }
}

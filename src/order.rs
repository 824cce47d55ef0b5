//! Floats in their order: each has the next whole number, so that a search by halves ends after 32 steps.

/// The place of a float among all floats; NaN has none.
pub(crate) fn to_rank(x: f32) -> i32 {
    x.to_bits() as i32 ^ ((x.to_bits() as i32 >> 31) as u32 >> 1) as i32
}

/// The float at a place.
pub(crate) fn from_rank(n: i32) -> f32 {
    f32::from_bits((n ^ ((n >> 31) as u32 >> 1) as i32) as u32)
}

/// The float halfway between two, in their order.
pub(crate) fn halfway(low: f32, high: f32) -> f32 {
    let (low, high) = (i64::from(to_rank(low)), i64::from(to_rank(high)));
    from_rank((low + (high - low) / 2) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_follow_the_order() {
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

//! One-dimensional roots: Newton inside a bracket, and halving where there is no derivative.

/// What a function that is to vanish says at a point.
pub(super) struct Probe {
    /// Sum of the weights, less 1: how far the point is from a distribution.
    pub(super) excess: f64,
    /// The function itself, of the same sign.
    pub(super) value: f64,
    /// Its derivative there.
    pub(super) slope: f64,
}

/// Newton's steps, kept inside `[low, high]` by a step to the middle (docs/mathematics.md, 6.3). Returns the last point
/// that was probed, so that what `probe` left behind belongs to it, and the step from there that is still to be taken:
/// at most `last` of the point, so that its square is nothing.
pub(super) fn newton(
    start: f64,
    [low, high]: [f64; 2],
    [tolerance, last]: [f64; 2],
    mut probe: impl FnMut(f64) -> Probe,
) -> (f64, f64) {
    let (mut low, mut high, mut v) = (low, high, start.min(high).max(low));
    for _ in 0..60 {
        let at = probe(v);
        if at.excess.abs() <= tolerance {
            return (v, 0.0);
        }
        // An overflow (infinite or NaN) lies on the far side.
        let above = at.value > 0.0 || at.value.is_nan();
        if above == (at.slope > 0.0) {
            high = v
        } else {
            low = v
        }
        let mut next = v - at.value / at.slope;
        if (next - v).abs() <= last * v.abs() {
            return (v, next - v);
        }
        if !(next >= low && next <= high) {
            next = if low > 0.0 { (low * high).sqrt() } else { 0.5 * (low + high) };
        }
        if (next - v).abs() <= 1e-15 * v.abs() {
            return (v, 0.0);
        }
        v = next;
    }
    (v, 0.0)
}

/// The root of an increasing function in `[low, high]`, by the Illinois variant of the false position with halving
/// when that is slow. Stops when the function is within `tolerance` or the interval cannot shrink. Like [`newton`] it
/// ends on a call of `f` at the point that it returns, with the function's value there.
pub(super) fn bracketed<E>(
    low: f64,
    high: f64,
    tolerance: f64,
    mut f: impl FnMut(f64) -> Result<f64, E>,
) -> Result<(f64, f64), E> {
    let (mut low, mut high) = (low, high);
    let (mut f_low, mut f_high) = (f64::NEG_INFINITY, f64::INFINITY);
    let mut last = (low, f(low)?);
    if last.1 >= -tolerance {
        return Ok(last);
    }
    f_low = f_low.max(last.1);
    for step in 0..200 {
        let mut mid = 0.5 * (low + high);
        if step % 3 != 2 && f_high.is_finite() {
            let guess = (low * f_high - high * f_low) / (f_high - f_low);
            if guess > low && guess < high {
                mid = guess;
            }
        }
        if mid <= low || mid >= high {
            break;
        }
        let value = f(mid)?;
        last = (mid, value);
        if value.abs() <= tolerance {
            return Ok(last);
        }
        if value > 0.0 {
            (high, f_high) = (mid, value);
            f_low *= 0.5;
        } else {
            (low, f_low) = (mid, value);
            f_high *= 0.5;
        }
    }
    Ok(last)
}

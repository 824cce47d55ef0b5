//! One-dimensional roots: Newton inside a bracket, false position, bisection.

/// A function at a point.
pub(super) struct Probe {
    /// The sum of the weights less 1.
    pub(super) excess: f64,
    /// The function to find the root of; it has the sign of `excess`.
    pub(super) value: f64,
    /// Its derivative.
    pub(super) slope: f64,
}

/// Newton's method inside `[low, high]` (docs/mathematics.md, 6.3): a step that leaves the bracket goes to the middle
/// instead. Returns the last point that was probed, so that what `probe` left behind belongs to it, and the step from
/// there that remains to be taken. That step is at most `last` of the point: its square is below the rounding error.
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
        // An overflow (infinity or NaN) is beyond the root.
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

/// The root of an increasing function in `[low, high]`, by false position (Illinois) with a bisection step now and then.
/// Stops when the function is within `tolerance` or the interval cannot shrink. Returns the last point at which `f` was
/// called, as [`newton`] does, and the function there.
pub(super) fn false_position<E>(
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

/// The smallest t in [0, 1] at which an increasing function is positive; 1 if there is none.
pub(super) fn first_positive<E>(mut f: impl FnMut(f64) -> Result<f64, E>) -> Result<f64, E> {
    if f(1.0)? <= 0.0 {
        return Ok(1.0);
    }
    let (mut low, mut high) = (0.0f64, 1.0f64);
    // Bisects the bits, not the value: the root may be as small as 1e-9.
    for _ in 0..64 {
        let mid = f64::from_bits((low.to_bits() + high.to_bits()) / 2);
        if mid <= low || mid >= high {
            break;
        }
        if f(mid)? > 0.0 { high = mid } else { low = mid }
    }
    Ok(high)
}

//! What passes read, counted in debug builds: tests/definitions/row_reads.rs compares every stage's passes with a table.

/// What a kernel computes while it reads logits.
#[derive(Clone, Copy)]
pub(super) enum Pass {
    Maxima,
    Total,
    TotalAndMin,
    TotalAndMoment,
    TotalAndSquares,
    Count,
    Deviation,
    /// A row with other logits.
    Curve,
    /// Of some blocks only.
    Blocks,
}

/// The name of each.
#[cfg(debug_assertions)]
const NAMES: [&str; 9] = [
    "maxima",
    "total",
    "total and min",
    "total and moment",
    "total and squares",
    "count",
    "deviation",
    "curve",
    "blocks",
];

#[cfg(debug_assertions)]
thread_local! {
    static READ: std::cell::Cell<[u64; NAMES.len()]> = const { std::cell::Cell::new([0; NAMES.len()]) };
}

/// Counts logits that a pass reads on this thread.
pub(super) fn count_read(pass: Pass, logits: usize) {
    #[cfg(debug_assertions)]
    {
        let mut read = READ.get();
        read[pass as usize] += logits as u64;
        READ.set(read);
    }
    #[cfg(not(debug_assertions))]
    let _ = (pass, logits);
}

/// The number of logits that each kind of pass has read on this thread since the last call.
#[cfg(debug_assertions)]
pub(crate) fn take_logits_read() -> [(&'static str, u64); NAMES.len()] {
    let read = READ.take();
    std::array::from_fn(|pass| (NAMES[pass], read[pass]))
}

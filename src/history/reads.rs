//! What stages read of the history, counted in debug builds: tests/definitions/history_reads.rs bounds it.

#[cfg(debug_assertions)]
thread_local! {
    static READ: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts places of the history, or of what is kept of it, that are read on this thread.
pub(super) fn count_read(places: usize) {
    #[cfg(debug_assertions)]
    READ.set(READ.get() + places as u64);
    #[cfg(not(debug_assertions))]
    let _ = places;
}

/// The number of places read on this thread since the last call.
#[cfg(debug_assertions)]
pub(crate) fn take_places_read() -> u64 {
    READ.take()
}

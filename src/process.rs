//! Which process this is: a forked child has its parent's memory, but none of its threads.

#[cfg(not(target_os = "linux"))]
pub(crate) use by_id::number;
#[cfg(target_os = "linux")]
pub(crate) use by_page::number;

/// By the process id.
mod by_id {
    /// A number that a child does not share with its parent.
    pub(crate) fn number() -> u64 {
        std::process::id().into()
    }
}

/// By a page that a child finds empty: the id does not tell where a child is the first process of a namespace of its own,
/// as its parent was.
#[cfg(target_os = "linux")]
mod by_page {
    use once_cell::race::OnceBox;
    use std::ptr::null_mut;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A number that a child does not share with its parent.
    pub(crate) fn number() -> u64 {
        /// The last number that this process or those before it took.
        static LAST: AtomicU64 = AtomicU64::new(0);
        /// Of two threads that are the first at the same time, one maps a page that is never used.
        static PAGE: OnceBox<Option<&AtomicU64>> = OnceBox::new();
        let Some(page) = PAGE.get_or_init(|| Box::new(page())) else { return super::by_id::number() };
        match page.load(Ordering::Relaxed) {
            0 => {
                // Taken before it is written to the page: a child in between takes the next.
                let new = LAST.fetch_add(1, Ordering::Relaxed) + 1;
                page.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed).map_or_else(|known| known, |_| new)
            }
            known => known,
        }
    }

    /// A page of zeros for the process's life, which is zero again in a child; none on a kernel before 4.14.
    fn page() -> Option<&'static AtomicU64> {
        const LENGTH: usize = size_of::<AtomicU64>();
        // SAFETY: a new mapping at a place of the kernel's choice; a length is rounded up to a page.
        let page = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(null_mut(), LENGTH, access, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
        };
        if page == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the mapping from above.
        if unsafe { libc::madvise(page, LENGTH, libc::MADV_WIPEONFORK) } != 0 {
            // SAFETY: the mapping from above, to which there is no reference.
            unsafe { libc::munmap(page, LENGTH) };
            return None;
        }
        // SAFETY: zeros are an `AtomicU64`, a page is aligned for it, and the mapping stays.
        Some(unsafe { &*page.cast::<AtomicU64>() })
    }
}

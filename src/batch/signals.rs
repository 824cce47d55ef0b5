//! The host's signals are not for the pool's threads: a host that blocks one in all of its own threads, to wait for it in
//! one, must find it there.

/// Starts a thread that has all signals blocked but those that are faults of its own.
#[cfg(unix)]
pub(super) fn blocked_while<T>(start: impl FnOnce() -> T) -> T {
    use libc::{SIG_SETMASK, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    use std::mem::MaybeUninit;
    let (mut blocked, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: places for two sets, of which the first is filled before it is changed and read.
    let is_blocked = unsafe {
        libc::sigfillset(blocked.as_mut_ptr());
        for fault in [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP] {
            libc::sigdelset(blocked.as_mut_ptr(), fault);
        }
        libc::pthread_sigmask(SIG_SETMASK, blocked.as_ptr(), before.as_mut_ptr()) == 0
    };
    let started = start();
    if is_blocked {
        // SAFETY: the set that the successful call from above wrote.
        unsafe { libc::pthread_sigmask(SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    }
    started
}

/// There are none.
#[cfg(not(unix))]
pub(super) fn blocked_while<T>(start: impl FnOnce() -> T) -> T {
    start()
}

//! Forked processes.

use std::time::{Duration, Instant};

/// The child's exit code; None if it hangs.
pub fn wait(child: libc::pid_t) -> Option<i32> {
    wait_up_to(Duration::from_secs(20), child)
}

/// As `wait`, where a child that takes longer hangs.
pub fn wait_up_to(limit: Duration, child: libc::pid_t) -> Option<i32> {
    let start = Instant::now();
    while start.elapsed() < limit {
        let mut status = 0;
        // SAFETY: our own child, and a place for its status.
        let done = unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) };
        if done == child {
            return Some(if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) });
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    // SAFETY: our own child.
    unsafe { libc::kill(child, libc::SIGKILL) };
    None
}

/// Forks; the child ends with the code that `body` gives, or 1 if it panics.
pub fn fork(body: impl FnOnce() -> i32) -> libc::pid_t {
    // SAFETY: the child calls the library, compares, and ends without running anything of the parent's.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child == 0 {
        // A panic must not unwind into the parent's test harness.
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(1);
        // SAFETY: ends the process.
        unsafe { libc::_exit(code) };
    }
    child
}

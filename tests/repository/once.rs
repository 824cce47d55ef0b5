//! What the library makes once is made without a lock: one that another thread holds when a process forks stays locked in
//! the child.

use crate::{root, text_files};

#[test]
fn nothing_is_made_once_behind_a_lock() {
    let src = root().join("src");
    let sources: Vec<_> = text_files().into_iter().filter(|(path, _)| root().join(path).starts_with(&src)).collect();
    assert!(sources.len() > 50, "only {} files", sources.len());
    for (path, text) in sources {
        for lock in ["OnceLock", "LazyLock", "once_cell::sync", "sync::Once"] {
            assert!(!text.contains(lock), "{} has {lock}: once_cell::race makes it without a lock", path.display());
        }
    }
}

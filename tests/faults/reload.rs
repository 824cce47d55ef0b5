//! A host that loads the library, uses it, and unloads it, again and again.

use crate::common::handle::{blank, row};
use crate::toolchain::library_dir;
use bregman::ffi::{BREGMAN_OK, bregman_api, bregman_batch};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::ptr::null_mut;

const VOCAB: usize = 500;
/// So many that the second thread takes part in the first calls, and has all its memory then.
const ROWS: usize = 64;

/// Loads, decodes a batch on two threads, frees and unloads; the tokens.
fn cycle(rows: &[f32]) -> Vec<i32> {
    // SAFETY: the library that these tests were built with; nothing of it is kept beyond its unloading.
    unsafe {
        let library =
            Library::open(Some(library_dir().join("libbregman.so")), RTLD_NOW | RTLD_LOCAL).expect("it loads");
        let get_api =
            library.get::<unsafe extern "C" fn(u32) -> *const bregman_api>(b"bregman_get_api").expect("it has it");
        let api = &*get_api(bregman::ffi::BREGMAN_ABI_VERSION);
        let mut handles = [null_mut(); ROWS];
        for (seed, handle) in (0..).zip(&mut handles) {
            let chain = c"top_p(0.9) | draw".as_ptr();
            assert_eq!((api.sampler_new)(chain, seed, handle, null_mut(), 0), BREGMAN_OK);
        }
        let batch = bregman_batch {
            logits: rows.as_ptr().cast(),
            rows: ROWS,
            vocab: VOCAB,
            row_stride: VOCAB,
            threads: 2,
            ..bregman_batch::default()
        };
        let mut results = [blank(); ROWS];
        assert_eq!((api.decode_batch)(handles.as_ptr(), &batch, results.as_mut_ptr()), BREGMAN_OK);
        handles.into_iter().for_each(|handle| (api.sampler_free)(handle));
        library.close().expect("it can be closed");
        results.map(|result| result.token).to_vec()
    }
}

#[test]
fn library_can_be_loaded_and_unloaded_a_thousand_times() {
    let _alone = crate::alone();
    let rows = row(ROWS * VOCAB, 3);
    let expected = cycle(&rows);
    (0..100).for_each(|_| assert_eq!(cycle(&rows), expected));
    let (memory, threads) = crate::usage();
    (100..1000).for_each(|_| assert_eq!(cycle(&rows), expected));
    let (memory_after, threads_after) = crate::usage();
    assert_eq!(threads_after, threads, "threads are left over");
    assert!(memory_after <= memory + 512, "{memory} KiB, then {memory_after} KiB");
    println!("1000 cycles: {threads} threads, {memory} KiB after 100, {memory_after} KiB after 1000");
}

/// The pool's threads and the destructors of threads run code of the library: it stays where it is when a host closes it.
#[test]
fn library_stays_mapped_when_it_is_closed() {
    let dynamic =
        crate::toolchain::run(std::process::Command::new("readelf").arg("-d").arg(library_dir().join("libbregman.so")));
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}

/// A user's environment does not say how much stack the library's threads have.
#[test]
fn threads_have_enough_stack_whatever_the_environment_says() {
    let _alone = crate::alone();
    let output = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "reload::batch_where_the_environment_says_little_stack", "--ignored", "--test-threads=1"])
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{:?}\n{text}", output.status);
}

#[test]
#[ignore = "the test above runs it, in a process that has no pool yet"]
fn batch_where_the_environment_says_little_stack() {
    // SAFETY: no other thread reads the environment. This program's threads have read it; the library has not.
    unsafe { std::env::set_var("RUST_MIN_STACK", "16384") };
    (0..20).for_each(|seed| assert_eq!(cycle(&row(ROWS * VOCAB, seed)).len(), ROWS));
}

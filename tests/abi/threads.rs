//! Threads: a batch on several, many samplers on many, one handle on two.

use crate::common::handle::{Handle, blank, row};
use bregman::ffi::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

const VOCAB: usize = 3000;
const CHAINS: [&str; 5] = [
    "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw",
    "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | draw",
    "bregman(alpha=2, mode=dual, floor=0.02) | draw",
    "draw",
    "greedy",
];

fn samplers(n: usize) -> Vec<Handle> {
    (0..n).map(|r| Handle::new(CHAINS[r % CHAINS.len()], r as u64)).collect()
}

/// Every row's answer, as bits.
fn batch(samplers: &[Handle], logits: &[f32], threads: u32) -> Vec<(i32, u32, u32, u32)> {
    let handles: Vec<_> = samplers.iter().map(|s| s.raw).collect();
    let mut results = vec![blank(); handles.len()];
    let batch = bregman_batch {
        struct_size: size_of::<bregman_batch>() as u32,
        dtype: BREGMAN_F32,
        logits: logits.as_ptr().cast(),
        rows: handles.len(),
        vocab: VOCAB,
        row_stride: VOCAB,
        mask: std::ptr::null(),
        mask_stride: 0,
        flags: BREGMAN_WANT_ENTROPY,
        threads,
        ..bregman_batch::default()
    };
    // SAFETY: live handles, and arrays of so many rows.
    let status = unsafe { bregman_decode_batch(handles.as_ptr(), &batch, results.as_mut_ptr()) };
    assert_eq!(status, BREGMAN_OK);
    results.iter().map(|r| (r.token, r.support, r.p.to_bits(), r.entropy.to_bits())).collect()
}

fn rows(n: usize, number: u64) -> Vec<f32> {
    row(n * VOCAB, number)
}

#[test]
fn batch_results_do_not_depend_on_thread_count() {
    for n in [1, 2, 3, 33] {
        let of_threads = [0, 1, 2, 4, 16].map(|threads| {
            let samplers = samplers(n);
            (0..10).map(|step| batch(&samplers, &rows(n, step), threads)).collect::<Vec<_>>()
        });
        assert!(of_threads.iter().all(|answers| *answers == of_threads[0]), "{n} rows");
    }
}

/// A row's answer does not depend on the other rows of its batch.
#[test]
fn batch_results_do_not_depend_on_other_rows() {
    let (together, alone) = (samplers(20), samplers(20));
    let logits = rows(20, 99);
    let answers = batch(&together, &logits, 4);
    for (r, sampler) in alone.iter().enumerate() {
        let result = sampler.decode(&logits[r * VOCAB..][..VOCAB]);
        assert_eq!((result.token, result.support, result.p.to_bits()), (answers[r].0, answers[r].1, answers[r].2));
    }
}

#[test]
fn concurrent_samplers_decode_as_alone() {
    let steps = 40;
    let run = move |r: usize, start: Option<Arc<Barrier>>| {
        let sampler = Handle::new(CHAINS[r % CHAINS.len()], r as u64);
        if let Some(start) = start {
            start.wait();
        }
        (0..steps).map(|step| sampler.decode(&row(VOCAB, 1000 * r as u64 + step)).token).collect::<Vec<_>>()
    };
    let alone: Vec<_> = (0..24).map(|r| run(r, None)).collect();
    let start = Arc::new(Barrier::new(24));
    let threads: Vec<_> = (0..24)
        .map(|r| {
            let start = start.clone();
            std::thread::spawn(move || run(r, Some(start)))
        })
        .collect();
    let together: Vec<_> = threads.into_iter().map(|t| t.join().expect("no thread panics")).collect();
    assert_eq!(alone, together);
}

/// Batches of several threads at once share the pool.
#[test]
fn concurrent_batches_decode_as_alone() {
    let run = |number: u64| {
        let samplers = samplers(16);
        (0..15).map(|step| batch(&samplers, &rows(16, number * 100 + step), 4)).collect::<Vec<_>>()
    };
    let alone: Vec<_> = (0..4).map(run).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|number| scope.spawn(move || run(number))).collect();
        threads.into_iter().map(|t| t.join().expect("no thread panics")).collect()
    });
    assert!(alone == together);
}

/// Two threads share a handle against its rule: each call succeeds or is refused, and the state is that of the calls
/// that succeeded.
#[test]
fn handle_serves_one_call_at_a_time() {
    const CALLS: u64 = 10_000;
    let shared = Handle::new("temperature(0.8) | top_k(8) | draw", 3);
    let logits = row(400, 1);
    let (worked, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..CALLS {
                    let result = shared.decode(&logits);
                    match result.status {
                        BREGMAN_OK => worked.fetch_add(1, Ordering::Relaxed),
                        BREGMAN_INVALID_ARGUMENT => refused.fetch_add(1, Ordering::Relaxed),
                        other => panic!("status {other}"),
                    };
                    assert_eq!(result.status == BREGMAN_OK, result.token >= 0);
                }
            });
        }
        // A third only reads: its calls, too, succeed or are refused.
        scope.spawn(|| {
            for _ in 0..CALLS {
                let text = shared.describe();
                assert!(text.is_empty() || text == "temperature(0.8) | top_k(8) | draw", "{text}");
            }
        });
    });
    let (worked, refused) = (worked.into_inner(), refused.into_inner());
    assert_eq!(worked + refused, 2 * CALLS);
    println!("{worked} calls worked, {refused} were refused");
    // The position advanced by one for each call that succeeded.
    let fresh = Handle::new("temperature(0.8) | top_k(8) | draw", 3);
    // SAFETY: a live handle.
    assert_eq!(unsafe { bregman_sampler_reseed(fresh.raw, 3, worked) }, BREGMAN_OK);
    for _ in 0..20 {
        assert_eq!(shared.decode(&logits).token, fresh.decode(&logits).token);
    }
}

/// A call waits inside the handle, in its generator, while all other functions are called.
#[test]
fn handle_in_use_refuses_every_call() {
    use std::ffi::{CString, c_void};
    struct Meeting {
        inside: Barrier,
        done: Barrier,
        wait: AtomicBool,
    }
    impl Meeting {
        /// Waits for the other calls, once.
        fn take_place(&self) {
            if self.wait.swap(false, Ordering::SeqCst) {
                self.inside.wait();
                self.done.wait();
            }
        }
    }
    unsafe extern "C" fn phi(_: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
        for i in 0..n {
            // SAFETY: both vectors have n elements.
            unsafe { *out.add(i) = *x.add(i) * *x.add(i) / 2.0 };
        }
    }
    unsafe extern "C" fn f(user: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
        // SAFETY: `user` is the meeting below.
        unsafe { &*user.cast::<Meeting>() }.take_place();
        // SAFETY: as this function's.
        unsafe { f_inverse(user, x, out, n) };
    }
    unsafe extern "C" fn f_inverse(_: *mut c_void, y: *const f64, out: *mut f64, n: usize) {
        // SAFETY: both vectors have n elements.
        unsafe { std::ptr::copy_nonoverlapping(y, out, n) };
    }
    let meeting = Meeting { inside: Barrier::new(2), done: Barrier::new(2), wait: AtomicBool::new(false) };
    let name = CString::new("meeting").expect("no NUL");
    let generator = bregman_generator {
        struct_size: size_of::<bregman_generator>() as u32,
        reserved: 0,
        name: name.as_ptr(),
        user: (&raw const meeting).cast_mut().cast(),
        phi: Some(phi),
        f: Some(f),
        f_inverse: Some(f_inverse),
        f_prime: None,
    };
    let chain = CString::new("bregman(generator=meeting, lambda=0.001) | draw").expect("no NUL");
    let (mut raw, error) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: all pointers live through the call, and the meeting until the handle is freed.
    let status = unsafe { bregman_sampler_new_with_generators(chain.as_ptr(), 1, &generator, 1, &mut raw, error, 0) };
    assert_eq!(status, BREGMAN_OK);
    let address = raw as usize;
    meeting.wait.store(true, Ordering::SeqCst);
    let logits = row(50, 2);
    let decoded = std::thread::scope(|scope| {
        let (logits, meeting) = (&logits, &meeting);
        let inside = scope.spawn(move || {
            let mut result = blank();
            let raw = address as *mut bregman_sampler;
            // SAFETY: a live handle and a row of that length.
            unsafe { bregman_decode(raw, logits.as_ptr(), logits.len(), &mut result) };
            // If the decode never called f, the test fails instead of waiting for ever.
            meeting.take_place();
            result
        });
        meeting.inside.wait();
        let refused = catch_unwind(AssertUnwindSafe(|| refused_everywhere(raw, logits)));
        meeting.done.wait(); // in any case: the other thread waits for it
        refused.expect("every call was refused");
        inside.join().expect("no thread panics")
    });
    assert_eq!(decoded.status, BREGMAN_OK, "the call inside was not disturbed");
    // SAFETY: freed once.
    unsafe { bregman_sampler_free(raw) };
}

fn refused_everywhere(raw: *mut bregman_sampler, logits: &[f32]) {
    let (mut own, mut n, mut clone) = (logits.to_vec(), 7usize, std::ptr::null_mut());
    let (mut ids, mut probs, mut result) = ([0i32; 4], [0f32; 4], blank());
    let mut candidates = [bregman::Candidate { id: 1, logit: 2.0, p: 3.0 }; 2];
    let mut list = bregman_candidates { data: candidates.as_mut_ptr(), size: 2, selected: -1, sorted: 0 };
    let batch = bregman_batch {
        struct_size: size_of::<bregman_batch>() as u32,
        dtype: BREGMAN_F32,
        logits: logits.as_ptr().cast(),
        rows: 1,
        vocab: logits.len(),
        row_stride: logits.len(),
        mask: std::ptr::null(),
        mask_stride: 0,
        flags: 0,
        threads: 0,
        ..bregman_batch::default()
    };
    macro_rules! refused {
        ($($call:expr),* $(,)?) => {
            // SAFETY: a live handle, and arguments that live through the calls.
            $(assert_eq!(unsafe { $call }, BREGMAN_INVALID_ARGUMENT, stringify!($call));)*
        };
    }
    refused![
        bregman_decode(raw, logits.as_ptr(), logits.len(), &mut result),
        bregman_decode_batch(&raw, &batch, &mut result),
        bregman_distribution(raw, logits.as_ptr(), logits.len(), ids.as_mut_ptr(), probs.as_mut_ptr(), 4, &mut n),
        bregman_process(raw, own.as_mut_ptr(), own.len()),
        bregman_apply(raw, &mut list),
        bregman_sampler_clone(raw, &mut clone),
        bregman_sampler_reset(raw),
        bregman_sampler_reseed(raw, 1, 2),
        bregman_sampler_accept(raw, ids.as_ptr(), 1),
        bregman_sampler_set_logit_bias(raw, ids.as_ptr(), probs.as_ptr(), 1),
    ];
    assert!(clone.is_null() && own == logits && n == 7 && list.size == 2 && result.token == -1);
    // SAFETY: a live handle.
    assert_eq!(unsafe { bregman_sampler_describe(raw, std::ptr::null_mut(), 0) }, 0);
    // SAFETY: a live handle; the text is static here.
    let message = unsafe { std::ffi::CStr::from_ptr(bregman_sampler_error(raw)) };
    assert_eq!(message, c"the sampler is in use by another call");
}

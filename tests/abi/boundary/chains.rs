//! Chains, generators and biases that are refused, and the messages that say why.

use crate::common::handle::{Handle, row};
use bregman::ffi::*;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};

/// Asks for a sampler that is refused; the status and the message.
fn refusal(chain: &CStr, generators: &[bregman_generator]) -> (u32, String) {
    let marker = 0x5a5a as *mut bregman_sampler;
    let (mut out, mut error) = (marker, [b'?' as c_char; 400]);
    let (list, n) = (generators.as_ptr(), generators.len());
    // SAFETY: all pointers live through the call.
    let status = unsafe {
        bregman_sampler_new_with_generators(chain.as_ptr(), 1, list, n, &mut out, error.as_mut_ptr(), error.len())
    };
    assert!(status != BREGMAN_OK, "{chain:?} was taken");
    assert_eq!(out, marker, "{chain:?}: `out` was touched");
    // SAFETY: a failed creation leaves a terminated message.
    (status, unsafe { CStr::from_ptr(error.as_ptr()) }.to_str().expect("messages are UTF-8").to_owned())
}

fn refused(chain: &str, status: u32, message: &str) {
    let (got, said) = refusal(&CString::new(chain).expect("no NUL"), &[]);
    assert!(got == status && said.contains(message), "{chain}: status {got}, {said}");
}

#[test]
fn invalid_chain_text_is_explained() {
    let long = vec!["greedy"; 65].join("|");
    #[rustfmt::skip]
    let cases = [
        ("", "the chain is empty: it needs at least one stage"),
        (" \t ", "the chain is empty"),
        ("|", "stage 1: a stage's name is missing"),
        ("top_k(3) | | draw", "stage 2: a stage's name is missing"),
        ("top_k(3", "stage 1, `top_k`: `)` is missing at its end"),
        ("top_kk(3) | draw", "stage 1: no stage `top_kk`: did you mean `top_k`?"),
        ("top_k(3) | drow", "stage 2: no stage `drow`: did you mean `draw`?"),
        ("entirely_unknown_words", "stage 1: no stage `entirely_unknown_words`: there are "),
        ("draw | top_k(3)", "stage 1, `draw`: a drawing stage ends the chain, but 1 more follow"),
        ("draw(3)", "stage 1, `draw`: takes no parameters"),
        ("draw(seed=3)", "stage 1, `draw`: no parameter `seed`: it takes none"),
        ("top_p(0.9, min_kep=3)", "stage 1, `top_p`: no parameter `min_kep`: did you mean `min_keep`?"),
        ("top_p(0.9, 3)", "stage 1, `top_p`: `3` needs a name: only the first parameter goes without"),
        ("top_p(0.9, p=0.8)", "stage 1, `top_p`: parameter `p` is given twice"),
        ("top_p", "stage 1, `top_p`: parameter `p` is missing"),
        ("temperature", "stage 1, `temperature`: parameter `t` is missing"),
        ("temperature(-0.1)", "stage 1, `temperature`: parameter `t` must be a number in [0, 1000000], got `-0.1`"),
        ("temperature(nan)", "parameter `t` must be a number in [0, 1000000], got `nan`"),
        ("temperature(inf)", "parameter `t` must be a number in [0, 1000000], got `inf`"),
        ("temperature(1e-7)", "parameter `t` must be 0 or at least 1e-6, got `0.0000001`"),
        ("top_p(1.01)", "stage 1, `top_p`: parameter `p` must be a number in [0, 1], got `1.01`"),
        ("top_p(a lot)", "parameter `p` must be a number in [0, 1], got `a lot`"),
        ("min_p(-1)", "stage 1, `min_p`: parameter `p` must be a number in [0, 1], got `-1`"),
        ("min_p(0.1, min_keep=0)", "parameter `min_keep` must be a whole number from 1 to 4294967295, got `0`"),
        ("top_k(2.5)", "parameter `k` must be a whole number from 0 to 4294967295, got `2.5`"),
        ("top_k(-1)", "parameter `k` must be a whole number from 0 to 4294967295, got `-1`"),
        ("top_k(99999999999)", "parameter `k` must be a whole number from 0 to 4294967295, got `99999999999`"),
        ("top_k", "stage 1, `top_k`: one of lambda, floor, k must be given"),
        ("top_k(3, floor=0.1)", "stage 1, `top_k`: only one of lambda, floor, k may be given"),
        ("bregman(lambda=0.1, k_min=5, k_max=4)", "1 <= k_min <= k_max must hold, got k_min 5 and k_max 4"),
        ("bregman(floor=0)", "stage 1, `bregman`: parameter `floor` must be a number in (0, 1], got `0`"),
        ("bregman(k=3, mode=triple)", "parameter `mode` must be one of primal, dual, got `triple`"),
        ("bregman(k=3, generator=mine)", "no generator `mine`: generators are given when the sampler is created"),
        (&long, "the chain has 65 stages, at most 64 are taken"),
    ];
    for (chain, message) in cases {
        refused(chain, BREGMAN_INVALID_CHAIN, message);
    }
}

/// INVALID_CHAIN outside the theory; UNSUPPORTED inside it where the solver's accuracy is not proven.
#[test]
fn alpha_out_of_range_is_explained() {
    let untested = "outside the range in which the solver is proven to be accurate";
    #[rustfmt::skip]
    let cases = [
        ("alpha=0, k=3", BREGMAN_INVALID_CHAIN, "alpha=0: phi(0) is infinite for alpha <= 0"),
        ("alpha=-2, k=3", BREGMAN_INVALID_CHAIN, "alpha=-2: phi(0) is infinite for alpha <= 0"),
        ("alpha=-inf, k=3", BREGMAN_INVALID_CHAIN, "phi(0) is infinite for alpha <= 0"),
        ("alpha=nan, k=3", BREGMAN_INVALID_CHAIN, "parameter `alpha` must be a number"),
        ("alpha=inf, lambda=0.1", BREGMAN_INVALID_CHAIN, "the limit (water-filling) has no lambda; give floor, k or top_p"),
        ("alpha=0.01, k=3", BREGMAN_UNSUPPORTED, untested),
        ("alpha=65, k=3", BREGMAN_UNSUPPORTED, untested),
        ("alpha=1, mode=dual, k=3", BREGMAN_INVALID_CHAIN, "phi'(0) is infinite for alpha <= 1"),
        ("alpha=0.5, mode=dual, k=3", BREGMAN_INVALID_CHAIN, "phi'(0) is infinite for alpha <= 1"),
        ("alpha=1.00001, mode=dual, k=3", BREGMAN_UNSUPPORTED, untested),
        ("alpha=17, mode=dual, k=3", BREGMAN_UNSUPPORTED, untested),
        ("alpha=inf, mode=dual, k=3", BREGMAN_UNSUPPORTED, untested),
    ];
    for (given, status, message) in cases {
        refused(&format!("temperature(2) | bregman({given}) | draw"), status, message);
        refused(&format!("temperature(2) | bregman({given}) | draw"), status, "stage 2, `bregman`: ");
    }
}

#[test]
fn chain_text_that_is_no_utf8_or_endless_is_refused() {
    let (status, said) = refusal(c"top_k(3) \xff| draw", &[]);
    assert_eq!((status, &*said), (BREGMAN_INVALID_CHAIN, "chain is not UTF-8 from byte 9 on"));
    // Without a terminator: no more than this many bytes may be read.
    let endless = vec![b' '; (1 << 16) + 1];
    let (mut out, mut error) = (null_mut(), [0; 100]);
    // SAFETY: the text has as many bytes as the library reads at the most.
    let status = unsafe { bregman_sampler_new(endless.as_ptr().cast(), 1, &mut out, error.as_mut_ptr(), error.len()) };
    // SAFETY: the buffer was zero, so it has a terminator.
    let said = unsafe { CStr::from_ptr(error.as_ptr()) };
    assert_eq!((status, said, out), (BREGMAN_INVALID_CHAIN, c"chain is longer than 65536 bytes", null_mut()));
    // The longest text that is accepted.
    let mut longest = vec![b' '; (1 << 16) - 4];
    longest.extend(*b"draw\0");
    let chain = CString::from_vec_with_nul(longest).expect("a terminator at the end");
    assert_eq!(Handle::new(chain.to_str().expect("ASCII"), 1).describe(), "draw");
}

#[test]
fn short_error_buffer_gets_a_prefix() {
    // Two and three bytes a letter, so that most cuts fall inside one.
    let chain = c"\xc3\xa9\xe2\x82\xac\xc3\xa9\xe2\x82\xac";
    let full = refusal(chain, &[]).1;
    assert!(full.contains("é€é€"), "{full}");
    for size in 0..=full.len() + 2 {
        let (mut out, mut error) = (null_mut(), vec![b'?'; full.len() + 8]);
        // SAFETY: the buffer is larger than the size that is passed.
        let status = unsafe { bregman_sampler_new(chain.as_ptr(), 1, &mut out, error.as_mut_ptr().cast(), size) };
        assert_eq!(status, BREGMAN_INVALID_CHAIN);
        assert!(error[size..].iter().all(|&b| b == b'?'), "size {size}: written beyond the buffer");
        if size == 0 {
            continue;
        }
        let end = error.iter().position(|&b| b == 0).unwrap_or_else(|| panic!("size {size}: no terminator"));
        let said = std::str::from_utf8(&error[..end]).unwrap_or_else(|e| panic!("size {size}: {e}"));
        assert!(full.starts_with(said) && end < size && (end == full.len() || size - end <= 3), "size {size}: {said}");
    }
}

unsafe extern "C" fn same(_: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
    // SAFETY: both vectors have n elements.
    unsafe { std::ptr::copy_nonoverlapping(x, out, n) };
}

unsafe extern "C" fn half_square(_: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
    for i in 0..n {
        // SAFETY: both vectors have n elements.
        unsafe { *out.add(i) = *x.add(i) * *x.add(i) / 2.0 };
    }
}

/// NaN for everything once `user` is set.
unsafe extern "C" fn until_told(user: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
    // SAFETY: `user` is the test's flag.
    if unsafe { *user.cast::<bool>() } {
        for i in 0..n {
            // SAFETY: the vector has n elements.
            unsafe { *out.add(i) = f64::NAN };
        }
        return;
    }
    // SAFETY: as this function's.
    unsafe { same(user, x, out, n) };
}

/// φ = x²/2.
fn square(name: &CStr) -> bregman_generator {
    bregman_generator {
        struct_size: size_of::<bregman_generator>() as u32,
        reserved: 0,
        name: name.as_ptr(),
        user: null_mut(),
        phi: Some(half_square),
        f: Some(same),
        f_inverse: Some(same),
        f_prime: None,
    }
}

#[test]
fn invalid_generator_is_explained() {
    let (good, chain) = (square(c"mine"), c"bregman(generator=mine, lambda=0.01) | draw");
    let size = good.struct_size;
    let of = |change: &dyn Fn(&mut bregman_generator)| {
        let mut g = good;
        change(&mut g);
        vec![g]
    };
    #[rustfmt::skip]
    let cases = [
        (of(&|g| g.name = null()), BREGMAN_INVALID_ARGUMENT, "name is NULL"),
        (of(&|g| g.name = c"".as_ptr()), BREGMAN_INVALID_ARGUMENT, "name must be a word that a chain can contain"),
        (of(&|g| g.name = c"a|b".as_ptr()), BREGMAN_INVALID_ARGUMENT, "name must be a word that a chain can contain"),
        (of(&|g| g.name = c"\xff".as_ptr()), BREGMAN_INVALID_ARGUMENT, "name is not UTF-8 from byte 0 on"),
        (of(&|g| g.phi = None), BREGMAN_INVALID_ARGUMENT, "generators[0].phi, f and f_inverse must not be NULL"),
        (of(&|g| g.f = None), BREGMAN_INVALID_ARGUMENT, "generators[0].phi, f and f_inverse must not be NULL"),
        (of(&|g| g.f_inverse = None), BREGMAN_INVALID_ARGUMENT, "generators[0].phi, f and f_inverse must not be NULL"),
        (of(&|g| g.struct_size = 0), BREGMAN_INVALID_ARGUMENT, "struct_size is 0, less than the"),
        (of(&|g| g.struct_size = size - 1), BREGMAN_INVALID_ARGUMENT, "struct_size is"),
        (of(&|g| g.struct_size = u32::MAX), BREGMAN_INVALID_ARGUMENT, "more than the 4096 of any version"),
        (of(&|g| g.reserved = 1), BREGMAN_UNSUPPORTED, "generators[0].reserved is not 0"),
        (vec![good, good], BREGMAN_INVALID_ARGUMENT, "generators[1].name `mine` is used twice"),
        (vec![square(c"mind")], BREGMAN_INVALID_CHAIN, "no generator `mine`: did you mean `mind`?"),
        (of(&|g| g.f = Some(half_square)), BREGMAN_INVALID_CHAIN, "generator `mine`: "),
        (of(&|g| g.f_inverse = Some(half_square)), BREGMAN_INVALID_CHAIN, "generator `mine`: f_inverse(f("),
        (of(&|g| g.phi = Some(same)), BREGMAN_INVALID_CHAIN, "f is not the derivative of phi near"),
    ];
    for (list, status, message) in cases {
        let (got, said) = refusal(chain, &list);
        assert!(got == status && said.contains(message), "wanted {message}: status {got}, {said}");
    }
    let (status, said) = refusal(c"bregman(generator=mine, mode=dual, lambda=0.01) | draw", &[good]);
    assert!(status == BREGMAN_INVALID_CHAIN && said.contains("generator `mine`: "), "{said}");
    let (status, said) = refusal(c"bregman(generator=mine, alpha=2, k=3) | draw", &[good]);
    assert!(status == BREGMAN_INVALID_CHAIN && said.contains("alpha and generator exclude each other"), "{said}");
}

/// A generator that fails while decoding fails that row only.
#[test]
fn generator_returning_nan_fails_its_row_only() {
    let mut broken = Box::new(false);
    let mut g = square(c"fickle");
    g.f = Some(until_told);
    g.user = (&raw mut *broken).cast();
    let chain = c"bregman(generator=fickle, lambda=0.0001) | draw";
    let (mut fickle, mut sound) = (null_mut(), null_mut());
    for raw in [&mut fickle, &mut sound] {
        // SAFETY: all pointers live through the call, and the flag until both handles are freed.
        let status = unsafe { bregman_sampler_new_with_generators(chain.as_ptr(), 1, &g, 1, raw, null_mut(), 0) };
        assert_eq!(status, BREGMAN_OK);
    }
    let (logits, mut result) = (row(100, 1), crate::common::handle::blank());
    // SAFETY: the box is not used in another way meanwhile.
    unsafe { *g.user.cast::<bool>() = true };
    // SAFETY: a live handle and a row of that length.
    let status = unsafe { bregman_decode(fickle, logits.as_ptr(), 100, &mut result) };
    assert!(status == BREGMAN_NO_CONVERGENCE && super::logits::is_empty(&result), "{result:?}");
    // SAFETY: a live handle.
    let said = unsafe { CStr::from_ptr(bregman_sampler_error(fickle)) }.to_string_lossy().into_owned();
    assert!(said.contains("fickle"), "{said}");
    // SAFETY: as above.
    unsafe { *g.user.cast::<bool>() = false };
    for _ in 0..5 {
        let mut other = crate::common::handle::blank();
        // SAFETY: live handles and a row of that length.
        let statuses = unsafe {
            [
                bregman_decode(fickle, logits.as_ptr(), 100, &mut result),
                bregman_decode(sound, logits.as_ptr(), 100, &mut other),
            ]
        };
        assert_eq!((statuses, result.token), ([BREGMAN_OK; 2], other.token));
    }
    for raw in [fickle, sound] {
        // SAFETY: freed once each.
        unsafe { bregman_sampler_free(raw) };
    }
}

#[test]
fn refused_bias_leaves_the_old_one() {
    let (sampler, mut logits) = (Handle::new("greedy", 1), vec![0.0; 10]);
    logits[3] = 9.0;
    let set = |ids: &[i32], bias: &[f32]| {
        // SAFETY: a live handle and arrays of that length.
        unsafe { bregman_sampler_set_logit_bias(sampler.raw, ids.as_ptr(), bias.as_ptr(), ids.len()) }
    };
    assert_eq!(set(&[7], &[20.0]), BREGMAN_OK);
    #[rustfmt::skip]
    let cases: [(&[i32], &[f32], &str); 5] = [
        (&[1, -1], &[1.0, 1.0], "ids[1] is -1: a token id is not negative"),
        (&[1, 1], &[1.0, 2.0], "ids name token 1 twice"),
        (&[1], &[f32::NAN], "bias[0] is NaN: a bias is finite or -infinity"),
        (&[1, 2], &[0.0, f32::INFINITY], "bias[1] is inf: a bias is finite or -infinity"),
        (&[i32::MIN], &[0.0], "ids[0] is -2147483648: a token id is not negative"),
    ];
    for (ids, bias, message) in cases {
        assert_eq!(set(ids, bias), BREGMAN_INVALID_ARGUMENT);
        assert_eq!((sampler.error().as_str(), sampler.decode(&logits).token), (message, 7));
    }
    // Tokens beyond the row are ignored.
    assert_eq!(set(&[i32::MAX, 5], &[1e9, 30.0]), BREGMAN_OK);
    assert_eq!(sampler.decode(&logits).token, 5);
}

#[test]
fn stage_info_is_described_or_left_alone() {
    let fresh = |size: usize| -> [u64; 12] {
        let mut words = [0x5a5a_5a5a_5a5a_5a5a; 12];
        words[0] = 0x5a5a_5a5a_0000_0000 | size as u64;
        words
    };
    let info = |index: usize, words: &mut [u64; 12]| {
        // SAFETY: the array is aligned and larger than any size that is taken here.
        unsafe { bregman_stage_info(index, words.as_mut_ptr().cast()) }
    };
    let size = size_of::<bregman_stage>();
    for (index, size) in [(0, 0), (0, size - 1), (bregman_stage_count(), size), (usize::MAX, size)] {
        let mut words = fresh(size);
        assert_eq!(info(index, &mut words), BREGMAN_INVALID_ARGUMENT);
        assert_eq!(words, fresh(size), "stage {index}, struct_size {size}");
    }
    // A larger struct of a later version: fields that are not known here are not written.
    let mut words = fresh(96);
    assert_eq!(info(0, &mut words), BREGMAN_OK);
    assert!(words[0] as u32 == 96 && words[size / 8..] == fresh(96)[size / 8..] && words[1] != fresh(96)[1]);
}

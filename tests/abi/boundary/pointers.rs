//! Every pointer of every function, once NULL and once misaligned. The list comes from the header.

use crate::common::handle::{Handle, blank, row};
use crate::header;
use bregman::Candidate;
use bregman::ffi::*;
use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};

const CHAIN: &str = "temperature(0.9) | top_k(20) | draw";

#[derive(Clone, Copy, PartialEq, Debug)]
enum Bad {
    Null,
    Misaligned,
}

/// A call with one bad pointer.
struct Call<'a> {
    /// The parameter that gets it; empty for a valid call.
    parameter: &'a str,
    bad: Bad,
    /// How often the parameter was used.
    asked: Cell<usize>,
}

impl Call<'_> {
    /// The pointer for a parameter.
    fn p<T>(&self, parameter: &str, good: *const T) -> *mut T {
        if parameter != self.parameter {
            return good.cast_mut();
        }
        self.asked.set(self.asked.get() + 1);
        match self.bad {
            Bad::Null => null_mut(),
            Bad::Misaligned => good.cast_mut().wrapping_byte_add(1),
        }
    }
}

/// Everything that a call might write to; what it held before is in the pattern.
struct World {
    sampler: Handle,
    logits: Vec<f32>,
    ids: [i32; 40],
    probs: [f32; 40],
    scores: [f32; 40],
    len: usize,
    result: [bregman_result; 2],
    candidates: [Candidate; 9],
    list: bregman_candidates,
    out: *mut bregman_sampler,
    stage: bregman_stage,
    watermark: bregman_watermark,
    text: [c_char; 90],
    bytes: [u8; 600],
    llama: *mut c_void,
    count: u64,
}

/// What a host's llama_sampler_init does.
unsafe extern "C" fn init(iface: *const c_void, ctx: *mut c_void) -> *mut c_void {
    Box::into_raw(Box::new([iface.cast_mut(), ctx])).cast()
}

const MARK: usize = 0x5a5a;

impl World {
    fn new() -> Self {
        let row = row(40, 3);
        let candidates: [Candidate; 9] =
            std::array::from_fn(|i| Candidate { id: i as i32 * 3, logit: row[i], p: -5.0 });
        Self {
            sampler: Handle::new(CHAIN, 4),
            logits: row,
            ids: [-5; 40],
            probs: [-5.0; 40],
            scores: [-5.0; 40],
            len: MARK,
            result: [blank(); 2],
            candidates,
            list: bregman_candidates { data: null_mut(), size: 9, selected: 5, sorted: 9 },
            out: MARK as *mut bregman_sampler,
            stage: bregman_stage {
                struct_size: size_of::<bregman_stage>() as u32,
                draws: 9,
                learns: 9,
                reserved: 9,
                name: null(),
                aliases: null(),
                summary: null(),
                source: null(),
                parameters: null(),
                parameter_count: MARK,
                parameter_size: MARK,
            },
            watermark: bregman_watermark {
                struct_size: size_of::<bregman_watermark>() as u32,
                reserved: 9,
                score: -5.0,
                p_value: -5.0,
                counted: MARK,
            },
            text: [b'?' as c_char; 90],
            bytes: [7; 600],
            llama: MARK as *mut c_void,
            count: MARK as u64,
        }
    }

    /// All that could have been written, as text; NaN has to be equal to itself.
    fn seen(&self) -> String {
        let Self {
            logits,
            ids,
            probs,
            scores,
            len,
            candidates,
            list,
            out,
            stage,
            watermark,
            text,
            bytes,
            llama,
            count,
            ..
        } = self;
        let list = (list.size, list.selected, list.sorted);
        let lists = format!("{ids:?} {probs:?} {scores:?}");
        format!(
            "{logits:?} {lists} {len} {candidates:?} {list:?} {out:?} {stage:?} {watermark:?} {text:?} {bytes:?} {llama:?} {count}"
        )
    }

    /// Calls `function` and returns its status, or one made of its answer where it returns none.
    fn call(&mut self, function: &str, call: &Call<'_>) -> u32 {
        let s = self.sampler.raw;
        let chain = CString::new(CHAIN).expect("no NUL");
        let (text, size) = (self.text.as_mut_ptr(), self.text.len());
        let (logits, vocab) = (self.logits.as_mut_ptr(), self.logits.len());
        self.list.data = self.candidates.as_mut_ptr();
        let said = |good: bool| if good { BREGMAN_OK } else { BREGMAN_INVALID_ARGUMENT };
        macro_rules! c {
            ($call:expr) => {{
                // SAFETY: what is not NULL or misaligned lives in `self` or on the stack through the call.
                unsafe { $call }
            }};
        }
        match function {
            "bregman_sampler_new" => {
                let (chain, out) = (call.p("chain", chain.as_ptr()), call.p("out", &raw mut self.out));
                c!(bregman_sampler_new(chain, 4, out, call.p("error", text), size))
            }
            "bregman_sampler_new_with_generators" => {
                let name = c"mine";
                let mine = generator(name);
                let (list, out) = (call.p("generators", &raw const mine), call.p("out", &raw mut self.out));
                let chain = call.p("chain", chain.as_ptr());
                c!(bregman_sampler_new_with_generators(chain, 4, list, 1, out, call.p("error", text), size))
            }
            "bregman_sampler_clone" => {
                c!(bregman_sampler_clone(call.p("sampler", s), call.p("out", &raw mut self.out)))
            }
            "bregman_sampler_free" => {
                let other = std::mem::ManuallyDrop::new(Handle::new(CHAIN, 1));
                c!(bregman_sampler_free(call.p("sampler", other.raw)));
                BREGMAN_OK
            }
            "bregman_sampler_reset" => c!(bregman_sampler_reset(call.p("sampler", s))),
            "bregman_sampler_reseed" => c!(bregman_sampler_reseed(call.p("sampler", s), 4, 0)),
            "bregman_sampler_accept" => {
                let tokens = [1, 2];
                c!(bregman_sampler_accept(call.p("sampler", s), call.p("tokens", tokens.as_ptr()), 2))
            }
            "bregman_sampler_set_logit_bias" => {
                let (ids, bias) = ([1, 2], [0.0, 0.0]);
                let (ids, bias) = (call.p("ids", ids.as_ptr()), call.p("bias", bias.as_ptr()));
                c!(bregman_sampler_set_logit_bias(call.p("sampler", s), ids, bias, 2))
            }
            "bregman_sampler_describe" => {
                said(c!(bregman_sampler_describe(call.p("sampler", s), call.p("text", text), size)) == CHAIN.len())
            }
            "bregman_sampler_error" => {
                let message = c!(bregman_sampler_error(call.p("sampler", s)));
                said(c!(CStr::from_ptr(message)).is_empty())
            }
            "bregman_decode" => {
                let out = call.p("out", &raw mut self.result[0]);
                c!(bregman_decode(call.p("sampler", s), call.p("logits", logits), vocab, out))
            }
            "bregman_decode_batch" => {
                let batch = batch(logits, vocab);
                let (batch, handles) = (call.p("batch", &raw const batch), [s]);
                let results = call.p("results", self.result.as_mut_ptr());
                c!(bregman_decode_batch(call.p("samplers", handles.as_ptr()), batch, results))
            }
            "bregman_distribution" => {
                let (ids, probs) = (call.p("ids", self.ids.as_mut_ptr()), call.p("probs", self.probs.as_mut_ptr()));
                let (row, len) = (call.p("logits", logits), call.p("len", &raw mut self.len));
                c!(bregman_distribution(call.p("sampler", s), row, vocab, ids, probs, 40, len))
            }
            "bregman_decode_batch_answers" => {
                let (batch, handles, answers) = (batch(logits, vocab), [s], answers(&mut self.ids));
                let (batch, answers) = (call.p("batch", &raw const batch), call.p("answers", &raw const answers));
                let results = call.p("results", self.result.as_mut_ptr());
                c!(bregman_decode_batch_answers(call.p("samplers", handles.as_ptr()), batch, results, answers))
            }
            "bregman_model_answers" => {
                let (batch, answers) = (batch(logits, vocab), answers(&mut self.ids));
                let (batch, answers) = (call.p("batch", &raw const batch), call.p("answers", &raw const answers));
                c!(bregman_model_answers(batch, answers))
            }
            "bregman_distribution_batch" => {
                let (batch, handles, mut offsets) = (batch(logits, vocab), [s], [0; 2]);
                let (batch, samplers) = (call.p("batch", &raw const batch), call.p("samplers", handles.as_ptr()));
                let (ids, probs) = (call.p("ids", self.ids.as_mut_ptr()), call.p("probs", self.probs.as_mut_ptr()));
                let offsets = call.p("offsets", offsets.as_mut_ptr());
                c!(bregman_distribution_batch(samplers, batch, offsets, ids, probs, 40))
            }
            "bregman_reduce" => {
                let (mut log_rest, mut bound) = (0.0, 0.0);
                let batch = batch(logits, vocab);
                let batch = call.p("batch", &raw const batch);
                let (ids, list) = (call.p("ids", self.ids.as_mut_ptr()), call.p("logits", self.probs.as_mut_ptr()));
                let (rest, bound) = (call.p("log_rest", &raw mut log_rest), call.p("bound", &raw mut bound));
                c!(bregman_reduce(batch, 0, 40, 0.0, ids, list, rest, bound))
            }
            "bregman_top_logprobs" => {
                let (ids, probs) = (call.p("ids", self.ids.as_mut_ptr()), call.p("logprobs", self.probs.as_mut_ptr()));
                let (row, len) = (call.p("logits", logits), call.p("len", &raw mut self.len));
                c!(bregman_top_logprobs(call.p("sampler", s), row, vocab, BREGMAN_OF_DECODED, 40, ids, probs, len))
            }
            "bregman_draw_many" => {
                let (ids, probs) = (call.p("ids", self.ids.as_mut_ptr()), call.p("logprobs", self.probs.as_mut_ptr()));
                let (row, len) = (call.p("logits", logits), call.p("len", &raw mut self.len));
                let scores = call.p("scores", self.scores.as_mut_ptr());
                c!(bregman_draw_many(call.p("sampler", s), row, vocab, 40, ids, probs, scores, len))
            }
            "bregman_sampler_save" => {
                let (bytes, len) = (call.p("bytes", self.bytes.as_mut_ptr()), call.p("len", &raw mut self.len));
                c!(bregman_sampler_save(call.p("sampler", s), bytes.cast(), self.bytes.len(), len))
            }
            "bregman_sampler_load" => {
                let (state, name) = (bregman::Sampler::new(CHAIN, 4).expect("a chain").to_bytes(), c"mine");
                let (mine, bytes) = (generator(name), call.p("bytes", state.as_ptr()).cast());
                let (list, out) = (call.p("generators", &raw const mine), call.p("out", &raw mut self.out));
                c!(bregman_sampler_load(bytes, state.len(), list, 1, out, call.p("error", text), size))
            }
            "bregman_sampler_rewind" => c!(bregman_sampler_rewind(call.p("sampler", s), 0)),
            "bregman_sampler_where" => {
                let (mut seed, mut prompt) = (0, 0);
                let (seed, position) = (call.p("seed", &raw mut seed), call.p("position", &raw mut self.count));
                let (history, prompt) = (call.p("history", &raw mut self.len), call.p("prompt", &raw mut prompt));
                c!(bregman_sampler_where(call.p("sampler", s), seed, position, history, prompt))
            }
            "bregman_sampler_history" => {
                let (tokens, len) = (call.p("tokens", self.ids.as_mut_ptr()), call.p("len", &raw mut self.len));
                c!(bregman_sampler_history(call.p("sampler", s), tokens, 40, len))
            }
            "bregman_verify" => {
                let (rows, handles, mut accepted) = (batch(logits, vocab), [s], [0; 1]);
                let draft = bregman_draft {
                    struct_size: size_of::<bregman_draft>() as u32,
                    rule: BREGMAN_RULE_MATCH,
                    tokens: null(),
                    n: 0,
                    parents: null(),
                    q_offsets: null(),
                    q_ids: null(),
                    q_probs: null(),
                };
                let (rows, drafts) = (call.p("rows", &raw const rows), call.p("drafts", &raw const draft));
                let (accepted, path) =
                    (call.p("accepted", accepted.as_mut_ptr()), call.p("path", self.ids.as_mut_ptr()));
                let results = call.p("results", self.result.as_mut_ptr());
                let samplers = call.p("samplers", handles.as_ptr());
                c!(bregman_verify(samplers, drafts, 1, rows, accepted, path, results))
            }
            "bregman_watermark_score" => {
                let (stage, tokens) = (c"watermark(7)", [1, 2, 3]);
                let (stage, tokens) = (call.p("stage", stage.as_ptr()), call.p("tokens", tokens.as_ptr()));
                let out = call.p("out", &raw mut self.watermark);
                c!(bregman_watermark_score(stage, tokens, 3, out, call.p("error", text), size))
            }
            "bregman_sampler_set_prompt_length" => c!(bregman_sampler_set_prompt_length(call.p("sampler", s), 0)),
            "bregman_sampler_set_mask" => {
                let words = [u32::MAX; 10];
                c!(bregman_sampler_set_mask(call.p("sampler", s), call.p("words", words.as_ptr()), 10))
            }
            "bregman_process" => c!(bregman_process(call.p("sampler", s), call.p("logits", logits), vocab)),
            "bregman_apply" => {
                c!(bregman_apply(call.p("sampler", s), call.p("candidates", &raw mut self.list)))
            }
            "bregman_stage_info" => c!(bregman_stage_info(1, call.p("out", &raw mut self.stage))),
            "bregman_macro_info" => c!(bregman_macro_info(1, call.p("out", &raw mut self.stage))),
            "bregman_macro_count" => said(bregman_macro_count() > 0),
            "bregman_llama_attach" => {
                let function = call.p("llama_sampler_init", init as *const c_void);
                let (handle, out) = (Handle::new(CHAIN, 1), call.p("out", &raw mut self.llama));
                let status = c!(bregman_llama_attach(function, call.p("sampler", handle.raw), out));
                if status == BREGMAN_OK {
                    std::mem::forget(handle); // it belongs to the stage, which this test leaves behind
                }
                status
            }
            "bregman_llama_sampler" => {
                let mut stage = null_mut();
                let mine = std::mem::ManuallyDrop::new(Handle::new(CHAIN, 1));
                c!(bregman_llama_attach(init as *const c_void, mine.raw, &mut stage));
                said(c!(bregman_llama_sampler(call.p("llama_sampler", stage.cast::<[usize; 2]>()).cast())) == mine.raw)
            }
            "bregman_llama_set_on_failure" => {
                let (mut stage, mine) = (null_mut(), std::mem::ManuallyDrop::new(Handle::new(CHAIN, 1)));
                c!(bregman_llama_attach(init as *const c_void, mine.raw, &mut stage));
                let stage = call.p("llama_sampler", stage.cast::<[usize; 2]>()).cast();
                c!(bregman_llama_set_on_failure(stage, BREGMAN_LLAMA_FALLBACK, None, call.p("user", MARK as *mut _)))
            }
            "bregman_llama_failures" => {
                let (mut stage, mine) = (null_mut(), std::mem::ManuallyDrop::new(Handle::new(CHAIN, 1)));
                c!(bregman_llama_attach(init as *const c_void, mine.raw, &mut stage));
                let stage = call.p("llama_sampler", stage.cast::<[usize; 2]>()).cast();
                c!(bregman_llama_failures(stage, call.p("out", &raw mut self.count)))
            }
            "bregman_get_api" => said(!bregman_get_api(BREGMAN_ABI_VERSION).is_null()),
            "bregman_abi_version" => said(bregman_abi_version() == BREGMAN_ABI_VERSION),
            "bregman_stage_count" => said(bregman_stage_count() > 0),
            "bregman_version" => said(!bregman_version().is_null()),
            "bregman_simd_level" => said(!bregman_simd_level().is_null()),
            "bregman_status_text" => said(!bregman_status_text(u32::MAX).is_null()),
            "bregman_llama_iface" => said(!bregman_llama_iface().is_null()),
            other => panic!("{other} is in the header and not in this table"),
        }
    }
}

fn batch(logits: *const f32, vocab: usize) -> bregman_batch {
    bregman_batch {
        struct_size: size_of::<bregman_batch>() as u32,
        dtype: BREGMAN_F32,
        logits: logits.cast(),
        rows: 1,
        vocab,
        row_stride: vocab,
        mask: null(),
        mask_stride: 0,
        flags: 0,
        threads: 0,
        ..bregman_batch::default()
    }
}

fn answers(ids: &mut [i32; 40]) -> bregman_answers {
    bregman_answers {
        struct_size: size_of::<bregman_answers>() as u32,
        source: BREGMAN_OF_MODEL,
        logprobs: null_mut(),
        ranks: null_mut(),
        top: 40,
        top_stride: 40,
        top_ids: ids.as_mut_ptr(),
        top_logprobs: null_mut(),
        kept: 0,
        kept_stride: 0,
        kept_ids: null_mut(),
        kept_mask: null_mut(),
        kept_mask_stride: 0,
        ..bregman_answers::default()
    }
}

fn generator(name: &CStr) -> bregman_generator {
    unsafe extern "C" fn same(_: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
        // SAFETY: both vectors have n elements.
        unsafe { std::ptr::copy_nonoverlapping(x, out, n) };
    }
    bregman_generator {
        struct_size: size_of::<bregman_generator>() as u32,
        reserved: 0,
        name: name.as_ptr(),
        user: null_mut(),
        phi: Some(same),
        f: Some(same),
        f_inverse: Some(same),
        f_prime: None,
    }
}

/// Where NULL is fine.
const MAY_BE_NULL: [&str; 13] = [
    "bregman_sampler_new.error",
    "bregman_sampler_new_with_generators.error",
    "bregman_sampler_free.sampler",
    "bregman_sampler_describe.text",
    "bregman_draw_many.scores",
    "bregman_llama_set_on_failure.user",
    "bregman_sampler_load.error",
    "bregman_sampler_where.seed",
    "bregman_sampler_where.position",
    "bregman_sampler_where.history",
    "bregman_sampler_where.prompt",
    "bregman_verify.path",
    "bregman_watermark_score.error",
];

/// Bytes and functions are never misaligned.
const OF_BYTES: [&str; 7] = ["chain", "stage", "bytes", "error", "text", "llama_sampler_init", "user"];

#[test]
fn every_function_accepts_valid_pointers() {
    for function in header::functions() {
        let call = Call { parameter: "", bad: Bad::Null, asked: Cell::new(0) };
        assert_eq!(World::new().call(&function.name, &call), BREGMAN_OK, "{}", function.name);
    }
}

#[test]
fn every_function_refuses_null_and_misaligned_pointers() {
    let (mut checked, functions) = (0, header::functions());
    assert!(functions.len() > 20, "the header was not understood");
    for function in &functions {
        for parameter in function.pointers() {
            for bad in [Bad::Null, Bad::Misaligned] {
                checked += usize::from(refuses(&function.name, parameter, bad));
            }
        }
    }
    println!("{checked} bad pointers were refused");
    assert!(checked > 85, "only {checked}");
}

/// Whether the pointer had to be refused; then it was, and nothing else happened.
fn refuses(function: &str, parameter: &str, bad: Bad) -> bool {
    let name = format!("{function}.{parameter}");
    let mut world = World::new();
    let before = world.seen();
    let call = Call { parameter, bad, asked: Cell::new(0) };
    // A misaligned handle is not freed; the function has no status to return.
    let fine = name == "bregman_sampler_free.sampler" || (bad == Bad::Null && MAY_BE_NULL.contains(&&*name));
    if bad == Bad::Misaligned && OF_BYTES.contains(&parameter) {
        return false;
    }
    let status = world.call(function, &call);
    assert_eq!(call.asked.get(), 1, "{name} is in the header and not in this table");
    if fine {
        assert_eq!(status, BREGMAN_OK, "{name} {bad:?}");
        return false;
    }
    assert_eq!(status, BREGMAN_INVALID_ARGUMENT, "{name} {bad:?}");
    let result = world.result[0];
    // A decode writes a result without a token, if it can write one.
    let said = function == "bregman_decode" && parameter != "out";
    assert_eq!((result.token, result.status), if said { (-1, status) } else { (-7, 777) }, "{name} {bad:?}");
    let wrote_error = function.starts_with("bregman_sampler_new")
        || ["bregman_sampler_load", "bregman_watermark_score"].contains(&function);
    if wrote_error {
        // SAFETY: a failed creation leaves a terminated message.
        let message = unsafe { CStr::from_ptr(world.text.as_ptr()) }.to_str().expect("messages are UTF-8").to_owned();
        check_message(&message, parameter, bad);
        world.text = [b'?' as c_char; 90];
    }
    assert_eq!(world.seen(), before, "{name} {bad:?} wrote something");
    let on_handle =
        ["logits", "out", "ids", "probs", "len", "bias", "tokens", "candidates", "words", "logprobs", "scores"];
    // These have no handle, or more than one.
    let has_handle = ![
        "bregman_stage_info",
        "bregman_macro_info",
        "bregman_distribution_batch",
        "bregman_reduce",
        "bregman_watermark_score",
    ]
    .contains(&function);
    if on_handle.contains(&parameter) && has_handle && !wrote_error && !function.contains("llama") {
        check_message(&world.sampler.error(), parameter, bad);
    }
    assert!(world.sampler.is_as_created(), "{name} {bad:?} changed the sampler");
    true
}

fn check_message(message: &str, parameter: &str, bad: Bad) {
    let why = if bad == Bad::Null { "is NULL" } else { "is not aligned to" };
    assert!(message.starts_with(&format!("{parameter} {why}")), "{parameter} {bad:?}: {message}");
}

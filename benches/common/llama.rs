//! llama.cpp's own samplers, from the prebuilt library that `ci/llama.sh` fetches.

use bregman::Candidate;
use bregman::ffi::{BREGMAN_OK, bregman_llama_attach, bregman_sampler, bregman_sampler_new};
use libloading::os::unix::{Library, Symbol};
use std::ffi::{CString, c_void};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;

/// How much of the mass llama.cpp may have elsewhere: it adds up the vocabulary in f32, token by token.
pub const TOLERANCE: f64 = 1e-3;

/// One of its samplers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stage {
    Greedy,
    Dist,
    TopK(i32),
    TopP(f32),
    MinP(f32),
    Typical(f32),
    TopNSigma(f32),
    /// Probability and threshold.
    Xtc(f32, f32),
    TempExt(f32, f32, f32),
    Temp(f32),
    /// The vocabulary, the number of last tokens, and the penalty of a repetition.
    Penalties(i32, i32, f32),
}

/// `llama_token_data_array`; a [`Candidate`] is its `llama_token_data`.
#[repr(C)]
struct Array {
    data: *mut Candidate,
    size: usize,
    selected: i64,
    sorted: bool,
}

/// `llama_sampler_chain_params`.
#[repr(C)]
struct ChainParams {
    no_perf: bool,
}

type Raw = *mut c_void;

/// The functions of libllama that are used here.
pub struct Llama {
    chain_init: Symbol<unsafe extern "C" fn(ChainParams) -> Raw>,
    chain_add: Symbol<unsafe extern "C" fn(Raw, Raw)>,
    init: Symbol<unsafe extern "C" fn(*const c_void, *mut c_void) -> Raw>,
    apply: Symbol<unsafe extern "C" fn(Raw, *mut Array)>,
    accept: Symbol<unsafe extern "C" fn(Raw, i32)>,
    free: Symbol<unsafe extern "C" fn(Raw)>,
    greedy: Symbol<unsafe extern "C" fn() -> Raw>,
    dist: Symbol<unsafe extern "C" fn(u32) -> Raw>,
    top_k: Symbol<unsafe extern "C" fn(i32) -> Raw>,
    top_p: Symbol<unsafe extern "C" fn(f32, usize) -> Raw>,
    min_p: Symbol<unsafe extern "C" fn(f32, usize) -> Raw>,
    typical: Symbol<unsafe extern "C" fn(f32, usize) -> Raw>,
    top_n_sigma: Symbol<unsafe extern "C" fn(f32) -> Raw>,
    xtc: Symbol<unsafe extern "C" fn(f32, f32, usize, u32) -> Raw>,
    penalties: Symbol<unsafe extern "C" fn(i32, i32, f32, f32, f32) -> Raw>,
    temp_ext: Symbol<unsafe extern "C" fn(f32, f32, f32) -> Raw>,
    temp: Symbol<unsafe extern "C" fn(f32) -> Raw>,
    /// The release, as the package that carries it says.
    pub version: String,
    _library: Library,
}

impl Llama {
    /// As `ci/llama.sh` fetched it. None, with a line that says so, if it was not fetched; in CI it must be there.
    pub fn fetched() -> Result<Option<Self>, String> {
        let usual = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/llama");
        match Self::open(&std::env::var_os("BREGMAN_LLAMA_DIR").map_or(usual, PathBuf::from)) {
            Ok(llama) => Ok(Some(llama)),
            Err(why) if std::env::var_os("CI").is_some() => Err(format!("no llama.cpp: {why}")),
            Err(why) => {
                println!("skipped: llama.cpp's samplers, which ci/llama.sh fetches ({why})");
                Ok(None)
            }
        }
    }

    /// From a directory as `ci/llama.sh` leaves it.
    pub fn open(dir: &Path) -> Result<Self, String> {
        let stamp = std::fs::read_to_string(dir.join("stamp")).map_err(|e| format!("{}: {e}", dir.display()))?;
        let version = stamp.lines().next().unwrap_or_default().split(' ').take(2).collect::<Vec<_>>().join(" ");
        // SAFETY: llama.cpp's library, whose initialisers do nothing of note.
        let library = unsafe { Library::new(dir.join("lib/libllama.so")) }.map_err(|e| e.to_string())?;
        macro_rules! symbol {
            ($name:literal) => {
                // SAFETY: the types above are those of the llama.h that was fetched with the library.
                unsafe { library.get($name) }.map_err(|e| e.to_string())?
            };
        }
        Ok(Self {
            chain_init: symbol!("llama_sampler_chain_init"),
            chain_add: symbol!("llama_sampler_chain_add"),
            init: symbol!("llama_sampler_init"),
            apply: symbol!("llama_sampler_apply"),
            accept: symbol!("llama_sampler_accept"),
            free: symbol!("llama_sampler_free"),
            greedy: symbol!("llama_sampler_init_greedy"),
            dist: symbol!("llama_sampler_init_dist"),
            top_k: symbol!("llama_sampler_init_top_k"),
            top_p: symbol!("llama_sampler_init_top_p"),
            min_p: symbol!("llama_sampler_init_min_p"),
            typical: symbol!("llama_sampler_init_typical"),
            top_n_sigma: symbol!("llama_sampler_init_top_n_sigma"),
            xtc: symbol!("llama_sampler_init_xtc"),
            penalties: symbol!("llama_sampler_init_penalties"),
            temp_ext: symbol!("llama_sampler_init_temp_ext"),
            temp: symbol!("llama_sampler_init_temp"),
            version,
            _library: library,
        })
    }

    /// A chain of these samplers.
    pub fn sampler(&self, stages: &[Stage], seed: u32) -> Sampler<'_> {
        // SAFETY: a new chain takes over what is added to it.
        unsafe {
            let raw = (self.chain_init)(ChainParams { no_perf: true });
            for stage in stages {
                let one = self.stage(*stage, seed);
                assert!(!one.is_null(), "llama.cpp made no {stage:?}");
                (self.chain_add)(raw, one);
            }
            Sampler { llama: self, raw, stage: null_mut() }
        }
    }

    /// # Safety
    /// The caller frees what it receives, or adds it to a chain.
    unsafe fn stage(&self, stage: Stage, seed: u32) -> Raw {
        // SAFETY: as this function's.
        unsafe {
            match stage {
                Stage::Greedy => (self.greedy)(),
                Stage::Dist => (self.dist)(seed),
                Stage::TopK(k) => (self.top_k)(k),
                Stage::TopP(p) => (self.top_p)(p, 1),
                Stage::MinP(p) => (self.min_p)(p, 1),
                Stage::Typical(p) => (self.typical)(p, 1),
                Stage::TopNSigma(n) => (self.top_n_sigma)(n),
                Stage::Xtc(p, threshold) => (self.xtc)(p, threshold, 1, seed),
                Stage::TempExt(t, delta, exponent) => (self.temp_ext)(t, delta, exponent),
                Stage::Temp(t) => (self.temp)(t),
                Stage::Penalties(vocab, last, repeat) => (self.penalties)(vocab, last, repeat, 0.0, 0.0),
            }
        }
    }

    /// A chain of llama.cpp's with one stage, which is a chain of bregman's.
    pub fn with_bregman(&self, chain: &str, seed: u64) -> Sampler<'_> {
        let text = CString::new(chain).expect("no NUL");
        let (mut sampler, mut stage) = (null_mut(), null_mut());
        // SAFETY: the address is that of llama_sampler_init, and the chain takes over the stage.
        unsafe {
            let status = bregman_sampler_new(text.as_ptr(), seed, &mut sampler, null_mut(), 0);
            assert_eq!(status, BREGMAN_OK, "{chain}");
            let status = bregman_llama_attach(*self.init as *const c_void, sampler, &mut stage);
            assert_eq!(status, BREGMAN_OK, "{chain}");
            let raw = (self.chain_init)(ChainParams { no_perf: true });
            (self.chain_add)(raw, stage);
            Sampler { llama: self, raw, stage: sampler }
        }
    }
}

/// A chain of llama.cpp's.
pub struct Sampler<'a> {
    llama: &'a Llama,
    raw: Raw,
    /// The stage's sampler if the stage is bregman's, else NULL.
    pub stage: *mut bregman_sampler,
}

impl Sampler<'_> {
    /// Applies the chain in place: how many candidates are left at the front, and which one is selected.
    pub fn apply(&mut self, candidates: &mut [Candidate]) -> (usize, Option<usize>) {
        let mut array = Array { data: candidates.as_mut_ptr(), size: candidates.len(), selected: -1, sorted: false };
        // SAFETY: a live chain and an array of that length.
        unsafe { (self.llama.apply)(self.raw, &mut array) };
        assert!(std::ptr::eq(array.data, candidates.as_ptr()), "the samplers used here work in place");
        (array.size, usize::try_from(array.selected).ok())
    }

    pub fn accept(&mut self, tokens: &[i32]) {
        // SAFETY: a live chain.
        tokens.iter().for_each(|&token| unsafe { (self.llama.accept)(self.raw, token) });
    }
}

impl Drop for Sampler<'_> {
    fn drop(&mut self) {
        // SAFETY: freed once.
        unsafe { (self.llama.free)(self.raw) };
    }
}

/// An array for all tokens of a vocabulary.
pub fn blank(vocab: usize) -> Vec<Candidate> {
    vec![Candidate { id: 0, logit: 0.0, p: 0.0 }; vocab]
}

/// What an engine does before its chain runs: an array of all tokens from a row of logits.
pub fn fill(candidates: &mut [Candidate], logits: &[f32]) {
    for (id, (c, &logit)) in (0..).zip(candidates.iter_mut().zip(logits)) {
        *c = Candidate { id, logit, p: 0.0 };
    }
}

/// The candidates' probabilities against the law's: the mass that is elsewhere may not exceed the tolerance, which
/// covers tokens that single precision puts on the other side of a threshold.
pub fn differ(candidates: &[Candidate], law: &[(u32, f64)], tolerance: f64) -> Result<(), String> {
    let vocab = 1 + candidates.iter().map(|c| c.id as u32).chain(law.iter().map(|e| e.0)).max().unwrap_or(0);
    let mut p = vec![0.0f64; vocab as usize];
    law.iter().for_each(|&(id, q)| p[id as usize] += q);
    candidates.iter().for_each(|c| p[c.id as usize] -= f64::from(c.p));
    let elsewhere: f64 = p.iter().map(|d| d.abs()).sum();
    let near = elsewhere <= tolerance;
    near.then_some(()).ok_or_else(|| {
        format!("{} tokens, not {}; {elsewhere:.1e} of the mass is elsewhere", candidates.len(), law.len())
    })
}

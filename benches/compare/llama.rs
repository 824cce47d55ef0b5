//! llama.cpp's own samplers, from the prebuilt library that `ci/llama.sh` fetches.

use bregman::Candidate;
use libloading::os::unix::{Library, Symbol};
use std::ffi::c_void;
use std::path::Path;

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
    TempExt(f32, f32, f32),
    Temp(f32),
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
    apply: Symbol<unsafe extern "C" fn(Raw, *mut Array)>,
    free: Symbol<unsafe extern "C" fn(Raw)>,
    greedy: Symbol<unsafe extern "C" fn() -> Raw>,
    dist: Symbol<unsafe extern "C" fn(u32) -> Raw>,
    top_k: Symbol<unsafe extern "C" fn(i32) -> Raw>,
    top_p: Symbol<unsafe extern "C" fn(f32, usize) -> Raw>,
    min_p: Symbol<unsafe extern "C" fn(f32, usize) -> Raw>,
    typical: Symbol<unsafe extern "C" fn(f32, usize) -> Raw>,
    top_n_sigma: Symbol<unsafe extern "C" fn(f32) -> Raw>,
    temp_ext: Symbol<unsafe extern "C" fn(f32, f32, f32) -> Raw>,
    temp: Symbol<unsafe extern "C" fn(f32) -> Raw>,
    /// The release, as the package that carries it says.
    pub version: String,
    _library: Library,
}

impl Llama {
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
            apply: symbol!("llama_sampler_apply"),
            free: symbol!("llama_sampler_free"),
            greedy: symbol!("llama_sampler_init_greedy"),
            dist: symbol!("llama_sampler_init_dist"),
            top_k: symbol!("llama_sampler_init_top_k"),
            top_p: symbol!("llama_sampler_init_top_p"),
            min_p: symbol!("llama_sampler_init_min_p"),
            typical: symbol!("llama_sampler_init_typical"),
            top_n_sigma: symbol!("llama_sampler_init_top_n_sigma"),
            temp_ext: symbol!("llama_sampler_init_temp_ext"),
            temp: symbol!("llama_sampler_init_temp"),
            version,
            _library: library,
        })
    }

    /// A chain of these samplers.
    pub fn sampler(&self, stages: &[Stage]) -> Sampler<'_> {
        // SAFETY: the chain takes over what is added to it.
        unsafe {
            let raw = (self.chain_init)(ChainParams { no_perf: true });
            for stage in stages {
                let one = match *stage {
                    Stage::Greedy => (self.greedy)(),
                    Stage::Dist => (self.dist)(42),
                    Stage::TopK(k) => (self.top_k)(k),
                    Stage::TopP(p) => (self.top_p)(p, 1),
                    Stage::MinP(p) => (self.min_p)(p, 1),
                    Stage::Typical(p) => (self.typical)(p, 1),
                    Stage::TopNSigma(n) => (self.top_n_sigma)(n),
                    Stage::TempExt(t, delta, exponent) => (self.temp_ext)(t, delta, exponent),
                    Stage::Temp(t) => (self.temp)(t),
                };
                assert!(!one.is_null(), "llama.cpp made no {stage:?}");
                (self.chain_add)(raw, one);
            }
            Sampler { llama: self, raw }
        }
    }
}

/// A chain of llama.cpp's.
pub struct Sampler<'a> {
    llama: &'a Llama,
    raw: Raw,
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
}

impl Drop for Sampler<'_> {
    fn drop(&mut self) {
        // SAFETY: freed once.
        unsafe { (self.llama.free)(self.raw) };
    }
}

/// What an engine does before its chain runs: an array of all tokens from a row of logits.
pub fn fill(candidates: &mut [Candidate], logits: &[f32]) {
    for (id, (c, &logit)) in (0..).zip(candidates.iter_mut().zip(logits)) {
        *c = Candidate { id, logit, p: 0.0 };
    }
}

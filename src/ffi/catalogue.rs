//! The catalogue of stages, macros and parameters.

use super::check;
use super::guard;
use super::types::*;
use crate::chain::macros::{MacroInfo, macros};
use crate::error::Error;
use crate::parameters::{Kind, ParameterInfo};
use crate::stages::{StageInfo, stages};
use once_cell::race::OnceBox;
use std::ffi::{CString, c_char};
use std::mem::offset_of;

/// Kind of parameter: a number from `min` to `max`, in decimal, such as 0.8 or 1e-3, or inf if `max` is infinite.
pub const BREGMAN_KIND_NUMBER: u32 = 0;
/// Kind of parameter: a whole number from `min` to `max`.
pub const BREGMAN_KIND_COUNT: u32 = 1;
/// Kind of parameter: one of the words in `choices`.
pub const BREGMAN_KIND_CHOICE: u32 = 2;
/// Kind of parameter: a name given by the host, such as that of a generator.
pub const BREGMAN_KIND_NAME: u32 = 3;
/// Kind of parameter: token ids, separated by spaces, such as "2 32000".
pub const BREGMAN_KIND_TOKENS: u32 = 4;
/// Kind of parameter: token sequences, separated by semicolons, such as "13; 25 11".
pub const BREGMAN_KIND_SEQUENCES: u32 = 5;
/// Kind of parameter: token:bias pairs, separated by spaces, such as "15:-2.5 30:-inf".
pub const BREGMAN_KIND_BIASES: u32 = 6;

/// Kind of parameter: from `min` to `max` secret keys, separated by spaces: whole numbers from 0 to 2^64 - 1, in decimal
/// or as 0x and hexadecimal, such as "0x9d3c55aa10f2e671 42". Descriptions, messages and logs of this library show
/// "hidden" in their place; hosts should show no more.
pub const BREGMAN_KIND_KEYS: u32 = 7;

/// A parameter of a stage. All texts are static, NUL-terminated UTF-8 and never NULL.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_parameter {
    /// Its name in a chain.
    pub name: *const c_char,
    /// Other names that are accepted, separated by commas; "" for none.
    pub aliases: *const c_char,
    /// What it does, in one sentence.
    pub summary: *const c_char,
    /// Its value if it is not given, as text; "" if there is no default.
    pub default_value: *const c_char,
    /// The words that a BREGMAN_KIND_CHOICE accepts, separated by commas; otherwise "".
    pub choices: *const c_char,
    /// Smallest value of a BREGMAN_KIND_NUMBER or BREGMAN_KIND_COUNT, fewest keys of a BREGMAN_KIND_KEYS; otherwise
    /// 0.
    pub min: f64,
    /// Largest value of a BREGMAN_KIND_NUMBER or BREGMAN_KIND_COUNT, most keys of a BREGMAN_KIND_KEYS; otherwise
    /// 0.
    pub max: f64,
    /// One of BREGMAN_KIND_.
    pub kind: u32,
    /// 1 if `min` itself is not accepted, otherwise 0.
    pub min_excluded: u32,
    /// 1 if it must be given, otherwise 0.
    pub required: u32,
    /// 0 for no group, or the number of a group, from 1. Parameters of a stage in the same group exclude each other,
    /// and one of them must be given unless one has a default.
    pub group: u32,
}

/// A stage, or a macro, that a chain can name. All texts are static, NUL-terminated UTF-8 and never NULL.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_stage {
    /// sizeof(bregman_stage), set by the caller before the call.
    pub struct_size: u32,
    /// 1 if it draws a token, and therefore ends a chain; otherwise 0. 1 for every macro.
    pub draws: u32,
    /// 1 if it learns: its draw depends on the tokens that it drew before. Otherwise 0. A stage that learns works only
    /// where bregman draws (bregman_decode, bregman_apply), not where the host draws from the result of
    /// bregman_process or bregman_distribution; to resume it, use a saved state (bregman_sampler_save). For a macro, 1 if
    /// one of the stages that it can stand for learns; bregman_sampler_describe shows the stages of a given chain.
    pub learns: u32,
    /// 0.
    pub reserved: u32,
    /// Its name in a chain.
    pub name: *const c_char,
    /// Other names that are accepted, separated by commas; "" for none.
    pub aliases: *const c_char,
    /// What it does, in one sentence.
    pub summary: *const c_char,
    /// The paper or project that defines it.
    pub source: *const c_char,
    /// Its parameters, a static array of `parameter_count` elements; the first may be given without its name. Element
    /// i is at `(const char *)parameters + i * parameter_size`.
    pub parameters: *const bregman_parameter,
    /// Number of parameters.
    pub parameter_count: usize,
    /// sizeof(bregman_parameter) in the library. It may be larger than in this header.
    pub parameter_size: usize,
}

/// Size of the struct in the first version of the ABI.
const SMALLEST_STAGE: usize = offset_of!(bregman_stage, parameter_size) + size_of::<usize>();

/// The catalogue in C's structs, with the texts and arrays that they point to. It lives as long as the process.
struct Table {
    stages: Vec<bregman_stage>,
    macros: Vec<bregman_stage>,
    _parameters: Vec<Vec<bregman_parameter>>,
    _texts: Vec<CString>,
}

// SAFETY: never changed after it was built.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

fn table() -> &'static Table {
    static TABLE: OnceBox<Table> = OnceBox::new();
    TABLE.get_or_init(|| Box::new(made()))
}

fn made() -> Table {
    let (mut texts, mut lists) = (Vec::new(), Vec::new());
    let stages = stages().iter().map(|s| stage(s, &mut lists, &mut texts)).collect();
    let macros = macros().iter().map(|m| stage_like(m, &mut lists, &mut texts)).collect();
    Table { stages, macros, _parameters: lists, _texts: texts }
}

fn keep(text: &str, texts: &mut Vec<CString>) -> *const c_char {
    let text = CString::new(text).unwrap_or_default();
    let pointer = text.as_ptr();
    texts.push(text);
    pointer
}

/// The number of the group of alternatives that a parameter belongs to.
fn group(alternatives: &[&[&str]], p: &ParameterInfo) -> u32 {
    alternatives.iter().zip(1..).find(|(names, _)| names.contains(&p.name)).map_or(0, |(_, number)| number)
}

fn parameter(p: &ParameterInfo, group: u32, texts: &mut Vec<CString>) -> bregman_parameter {
    let (kind, min, max, open, choices) = match p.kind {
        Kind::Number { min, max, open } => (BREGMAN_KIND_NUMBER, min, max, open, String::new()),
        Kind::Count { min } => (BREGMAN_KIND_COUNT, min as f64, f64::from(u32::MAX), false, String::new()),
        Kind::CountUpTo { min, max } => (BREGMAN_KIND_COUNT, min as f64, max as f64, false, String::new()),
        Kind::Choice(words) => (BREGMAN_KIND_CHOICE, 0.0, 0.0, false, words.join(",")),
        Kind::Name => (BREGMAN_KIND_NAME, 0.0, 0.0, false, String::new()),
        Kind::Tokens => (BREGMAN_KIND_TOKENS, 0.0, 0.0, false, String::new()),
        Kind::Sequences => (BREGMAN_KIND_SEQUENCES, 0.0, 0.0, false, String::new()),
        Kind::Biases => (BREGMAN_KIND_BIASES, 0.0, 0.0, false, String::new()),
        Kind::Keys { most } => (BREGMAN_KIND_KEYS, 1.0, most as f64, false, String::new()),
    };
    bregman_parameter {
        name: keep(p.name, texts),
        aliases: keep(&p.aliases.join(","), texts),
        summary: keep(p.summary, texts),
        default_value: keep(p.default, texts),
        choices: keep(&choices, texts),
        min,
        max,
        kind,
        min_excluded: u32::from(open),
        required: u32::from(p.required),
        group,
    }
}

fn stage(s: &StageInfo, lists: &mut Vec<Vec<bregman_parameter>>, texts: &mut Vec<CString>) -> bregman_stage {
    let names = [s.name, &s.aliases.join(","), s.summary, s.source].map(|text| keep(text, texts));
    let alternatives: Vec<_> = s.alternatives().collect();
    described(names, (s.draws, s.learns), s.parameters, &alternatives, lists, texts)
}

fn stage_like(m: &MacroInfo, lists: &mut Vec<Vec<bregman_parameter>>, texts: &mut Vec<CString>) -> bregman_stage {
    let names = [m.name, &m.aliases.join(","), m.summary, m.source].map(|text| keep(text, texts));
    described(names, (true, m.learns()), m.parameters, &[], lists, texts)
}

fn described(
    [name, aliases, summary, source]: [*const c_char; 4],
    (draws, learns): (bool, bool),
    parameters: &[ParameterInfo],
    alternatives: &[&[&str]],
    lists: &mut Vec<Vec<bregman_parameter>>,
    texts: &mut Vec<CString>,
) -> bregman_stage {
    let parameters: Vec<_> = parameters.iter().map(|p| parameter(p, group(alternatives, p), texts)).collect();
    let described = bregman_stage {
        struct_size: size_of::<bregman_stage>() as u32,
        draws: u32::from(draws),
        learns: u32::from(learns),
        reserved: 0,
        name,
        aliases,
        summary,
        source,
        parameters: parameters.as_ptr(),
        parameter_count: parameters.len(),
        parameter_size: size_of::<bregman_parameter>(),
    };
    lists.push(parameters);
    described
}

/// The number of stages that a chain can name. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bregman_stage_count() -> usize {
    guard(0, || table().stages.len())
}

/// Describes stage `index`, from 0 to bregman_stage_count() - 1, in `*out`, whose `struct_size` the caller sets before.
/// The texts and parameters it points to are static. Fields of a later version than the library's stay as they were.
/// Thread-safe.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (`out` NULL or misaligned, struct_size too small, no such stage).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_stage_info(index: usize, out: *mut bregman_stage) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: the caller's struct.
        unsafe { describe(&table().stages, index, out) }
    })
}

/// The number of macros that a chain can name. A macro is the name of an engine, such as llama_cpp, and stands for that
/// engine's stages in its order with its defaults. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bregman_macro_count() -> usize {
    guard(0, || table().macros.len())
}

/// bregman_stage_info for macro `index`, from 0 to bregman_macro_count() - 1. A macro ends a chain. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_macro_info(index: usize, out: *mut bregman_stage) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: the caller's struct.
        unsafe { describe(&table().macros, index, out) }
    })
}

/// # Safety
/// If not NULL, `out` points to a struct of the size that it states.
unsafe fn describe(list: &[bregman_stage], index: usize, out: *mut bregman_stage) -> u32 {
    if let Err(e) = check::pointer(out, "out") {
        return status_of(&e);
    }
    // SAFETY: just checked; the caller set this field.
    let size = unsafe { (*out).struct_size } as usize;
    let Some(stage) = list.get(index).filter(|_| size >= SMALLEST_STAGE) else {
        return status_of(&Error::InvalidArgument(String::new()));
    };
    let stage = bregman_stage { struct_size: size as u32, ..*stage };
    // A host of an earlier version gets the fields that it has; one of a later version keeps its additional ones.
    let known = size.min(size_of::<bregman_stage>());
    // SAFETY: the caller's struct has `size` bytes, ours is on the stack.
    unsafe { std::ptr::copy_nonoverlapping((&raw const stage).cast::<u8>(), out.cast::<u8>(), known) };
    BREGMAN_OK
}

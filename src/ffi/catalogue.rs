//! The stages and their parameters, for a host that lists them, offers them on its command line or checks them.

use super::check;
use super::guard;
use super::types::*;
use crate::chain::macros::{MacroInfo, macros};
use crate::error::Error;
use crate::parameters::{Kind, ParameterInfo};
use crate::stages::{StageInfo, stages};
use std::ffi::{CString, c_char};
use std::mem::offset_of;
use std::sync::LazyLock;

/// Kind of parameter: a number from `min` to `max`, written in decimal, such as 0.8 or 1e-3; or inf, if `max` is.
pub const BREGMAN_NUMBER: u32 = 0;
/// Kind of parameter: a whole number from `min` to `max`.
pub const BREGMAN_COUNT: u32 = 1;
/// Kind of parameter: one of the words in `choices`.
pub const BREGMAN_CHOICE: u32 = 2;
/// Kind of parameter: a name that the host gave to something.
pub const BREGMAN_NAME: u32 = 3;

/// Kind of parameter: token ids, separated by spaces, such as "2 32000".
pub const BREGMAN_TOKENS: u32 = 4;
/// Kind of parameter: token sequences, separated by semicolons, such as "13; 25 11".
pub const BREGMAN_SEQUENCES: u32 = 5;
/// Kind of parameter: token:bias pairs, separated by spaces, such as "15:-2.5 30:-inf".
pub const BREGMAN_BIASES: u32 = 6;

/// A parameter of a stage. All texts are static, NUL-terminated UTF-8 and never NULL.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_parameter {
    /// Its name in a chain.
    pub name: *const c_char,
    /// Other names that are accepted, separated by commas; "" for none.
    pub aliases: *const c_char,
    /// What it does, in a sentence.
    pub summary: *const c_char,
    /// What it is if it is not given; "" if there is no default.
    pub default_value: *const c_char,
    /// The words of a BREGMAN_CHOICE, separated by commas; else "".
    pub choices: *const c_char,
    /// Smallest value (BREGMAN_NUMBER, BREGMAN_COUNT).
    pub min: f64,
    /// Largest value (BREGMAN_NUMBER, BREGMAN_COUNT).
    pub max: f64,
    /// BREGMAN_NUMBER, BREGMAN_COUNT, BREGMAN_CHOICE, BREGMAN_NAME, BREGMAN_TOKENS, BREGMAN_SEQUENCES or
    /// BREGMAN_BIASES.
    pub kind: u32,
    /// 1 if `min` itself is excluded, else 0.
    pub min_excluded: u32,
    /// 1 if it must be given, else 0.
    pub required: u32,
    /// 0, or a number from 1: parameters of the stage with the same number exclude each other, and one of them must be
    /// given unless one has a default.
    pub group: u32,
}

/// A stage, or a macro, that a chain can name. All texts are static, NUL-terminated UTF-8 and never NULL.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_stage {
    /// sizeof(bregman_stage), set by the caller before the call.
    pub struct_size: u32,
    /// 1 if it takes a token and so ends a chain, else 0.
    pub draws: u32,
    /// Its name in a chain.
    pub name: *const c_char,
    /// Other names that are accepted, separated by commas; "" for none.
    pub aliases: *const c_char,
    /// What it does, in a sentence.
    pub summary: *const c_char,
    /// The paper or project that defines it.
    pub source: *const c_char,
    /// Its parameters, static; the first may be given without its name. Element i is at
    /// `(const char *)parameters + i * parameter_size`.
    pub parameters: *const bregman_parameter,
    /// Number of parameters.
    pub parameter_count: usize,
    /// sizeof(bregman_parameter) in the library, which may be more than in this header.
    pub parameter_size: usize,
}

/// What a host of the first version of the ABI has.
const SMALLEST_STAGE: usize = offset_of!(bregman_stage, parameter_size) + size_of::<usize>();

/// The catalogue as C sees it. It owns the texts and lives as long as the process.
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

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let (mut texts, mut lists) = (Vec::new(), Vec::new());
    let stages = stages().iter().map(|s| stage(s, &mut lists, &mut texts)).collect();
    let macros = macros().iter().map(|m| stage_like(m, &mut lists, &mut texts)).collect();
    Table { stages, macros, _parameters: lists, _texts: texts }
});

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
        Kind::Number { min, max, open } => (BREGMAN_NUMBER, min, max, open, String::new()),
        Kind::Count { min } => (BREGMAN_COUNT, min as f64, f64::from(u32::MAX), false, String::new()),
        Kind::Choice(words) => (BREGMAN_CHOICE, 0.0, 0.0, false, words.join(",")),
        Kind::Name => (BREGMAN_NAME, 0.0, 0.0, false, String::new()),
        Kind::Tokens => (BREGMAN_TOKENS, 0.0, 0.0, false, String::new()),
        Kind::Sequences => (BREGMAN_SEQUENCES, 0.0, 0.0, false, String::new()),
        Kind::Biases => (BREGMAN_BIASES, 0.0, 0.0, false, String::new()),
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
    described(names, s.draws, s.parameters, &alternatives, lists, texts)
}

fn stage_like(m: &MacroInfo, lists: &mut Vec<Vec<bregman_parameter>>, texts: &mut Vec<CString>) -> bregman_stage {
    let names = [m.name, &m.aliases.join(","), m.summary, m.source].map(|text| keep(text, texts));
    described(names, true, m.parameters, &[], lists, texts)
}

fn described(
    [name, aliases, summary, source]: [*const c_char; 4],
    draws: bool,
    parameters: &[ParameterInfo],
    alternatives: &[&[&str]],
    lists: &mut Vec<Vec<bregman_parameter>>,
    texts: &mut Vec<CString>,
) -> bregman_stage {
    let parameters: Vec<_> = parameters.iter().map(|p| parameter(p, group(alternatives, p), texts)).collect();
    let described = bregman_stage {
        struct_size: size_of::<bregman_stage>() as u32,
        draws: u32::from(draws),
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

/// The number of stages that chains can name. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bregman_stage_count() -> usize {
    guard(0, || TABLE.stages.len())
}

/// Describes stage `index`, from 0 to bregman_stage_count() - 1, in `*out`, whose `struct_size` the caller has set.
/// Thread-safe. BREGMAN_INVALID_ARGUMENT (NULL, struct_size, no such stage) leaves `*out` as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_stage_info(index: usize, out: *mut bregman_stage) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: the caller's struct.
        unsafe { describe(&TABLE.stages, index, out) }
    })
}

/// The number of macros that chains can name: whole engines, each of which stands for several stages. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bregman_macro_count() -> usize {
    guard(0, || TABLE.macros.len())
}

/// The same as bregman_stage_info for macro `index`, from 0 to bregman_macro_count() - 1. A macro ends a chain.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_macro_info(index: usize, out: *mut bregman_stage) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: the caller's struct.
        unsafe { describe(&TABLE.macros, index, out) }
    })
}

/// # Safety
/// If not NULL, `out` is the caller's struct, as large as it says.
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
    // A host of an earlier version gets the fields that it knows; one of a later version keeps its others.
    let known = size.min(size_of::<bregman_stage>());
    // SAFETY: the caller's struct has `size` bytes, ours is on the stack.
    unsafe { std::ptr::copy_nonoverlapping((&raw const stage).cast::<u8>(), out.cast::<u8>(), known) };
    BREGMAN_OK
}

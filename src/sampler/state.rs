//! A sampler as bytes: everything that its answers depend on. `docs/state.md` has the format.

use super::Sampler;
use super::sequence::Sequence;
use super::steps::Steps;
use crate::bregman::Generator;
use crate::error::{Error, Result};
use crate::history::Prompt;
use crate::memory;
use crate::stages::Learnt;
use std::sync::Arc;

/// The first bytes of a state.
const MAGIC: [u8; 8] = *b"bregman\0";

/// The version of the format. A change of the format is a new one, and older ones stay readable.
const VERSION: u32 = 1;

/// More bytes than a state has besides its lists.
const FIXED: usize = 256;

const OPEN: u8 = 0;
const BEGUN: u8 = 1;
const SET: u8 = 2;

impl Sampler {
    /// The sampler as bytes: its chain and seeds, position, history, logit bias, mask, and what the chain has learnt, with
    /// what [`Sampler::rewind`] needs. The same state gives the same bytes on every platform. Generators of the caller are
    /// not in them, only their names; the keys of watermarks are.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.try_to_bytes().unwrap_or_else(|_| memory::refused())
    }

    /// The same, or [`OutOfMemory`](Error::OutOfMemory).
    pub fn try_to_bytes(&self) -> Result<Vec<u8>> {
        let Self { chain, created_with, sequence, .. } = self;
        let Sequence { seed, position, history, bias, mask, learnt, steps } = sequence;
        let lists = [
            (chain.with_keys().len(), 1),
            (history.tokens().len(), 4),
            (bias.len(), 8),
            (mask.as_ref().map_or(0, Vec::len), 4),
            (steps.runs.len(), 16),
            (steps.learnt.len(), 16),
            (steps.before_rows.len(), 16),
        ];
        let mut to = Writer(Vec::new());
        memory::reserve(&mut to.0, FIXED + lists.iter().map(|(n, size)| n * size).sum::<usize>())?;
        let room = to.0.capacity();
        to.0.extend(MAGIC);
        to.u32(VERSION);
        to.list(chain.with_keys().as_bytes(), |to, byte| to.0.push(*byte));
        [*created_with, *seed, *position].into_iter().for_each(|n| to.u64(n));
        let (kind, prompt) = match history.prompt() {
            Prompt::Open => (OPEN, 0),
            Prompt::Begun(n) => (BEGUN, n),
            Prompt::Set(n) => (SET, n),
        };
        to.0.push(kind);
        to.u64(prompt as u64);
        to.list(history.tokens(), |to, token| to.u32(*token as u32));
        to.list(bias, |to, edit| {
            to.u32(edit.token);
            to.u32((-edit.subtract as f32).to_bits());
        });
        to.0.push(u8::from(mask.is_some()));
        to.list(mask.as_deref().unwrap_or_default(), |to, word| to.u32(*word));
        to.learnt([learnt.level, learnt.weight]);
        let (id, p) = learnt.pending.unwrap_or((-1, 0.0));
        to.u32(id as u32);
        to.f64(p);
        to.list(&steps.runs, |to, &(at, rows)| {
            to.u64(at as u64);
            to.u64(rows);
        });
        to.u64(steps.rows);
        to.0.push(u8::from(steps.stayed));
        to.u64(steps.first as u64);
        to.list(&steps.learnt, |to, learnt| to.learnt(*learnt));
        to.list(&steps.before_rows, |to, learnt| to.learnt(*learnt));
        to.u32(crc32fast::hash(&to.0));
        debug_assert_eq!(to.0.capacity(), room, "a state is longer than its room");
        Ok(to.0)
    }

    /// The sampler that [`Sampler::to_bytes`] wrote, ready to go on: it gives the answers that the other would have given.
    /// Bytes that no version up to this one has written are [`Error::InvalidArgument`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_bytes_with_generators(bytes, &[])
    }

    /// The same with generators that the chain names.
    pub fn from_bytes_with_generators(bytes: &[u8], generators: &[(&str, Arc<dyn Generator>)]) -> Result<Self> {
        let body = checked(bytes)?;
        let mut from = Reader { bytes: body, at: MAGIC.len() + 4 };
        let chain = from.list(1, |from| from.u8())?;
        let chain = std::str::from_utf8(&chain).map_err(|_| invalid("its chain is not UTF-8"))?;
        let (created_with, seed, position) = (from.u64()?, from.u64()?, from.u64()?);
        crate::vocab::kernels()?;
        let mut sampler = Self::with_generators(chain, created_with, generators).map_err(within("its chain"))?;
        let chain = sampler.chain.clone();
        let sequence = &mut sampler.sequence;
        (sequence.seed, sequence.position) = (seed, position);

        let (kind, prompt) = (from.u8()?, from.usize()?);
        let tokens = from.list(4, |from| from.id())?;
        sequence.history.extend(&tokens)?;
        match kind {
            OPEN if prompt == 0 => {}
            BEGUN | SET if prompt <= tokens.len() => {
                sequence.history.set_prompt(prompt)?;
                let prompt = if kind == SET { Prompt::Set(prompt) } else { Prompt::Begun(prompt) };
                sequence.history.restore_prompt(prompt);
            }
            _ => return Err(invalid("its prompt is longer than its history")),
        }

        let bias = from.list(8, |from| Ok((from.id()?, f32::from_bits(from.u32()?))))?;
        let has_mask = from.flag()?;
        let mask = from.list(4, Reader::u32)?;
        if !has_mask && !mask.is_empty() {
            return Err(invalid("it has the words of a mask that it has not"));
        }
        sequence.mask = has_mask.then_some(mask);
        sequence.learnt = learnt(from.learnt()?, (from.u32()? as i32, from.f64()?), chain.initial())?;
        sequence.steps = from.steps(tokens.len(), chain.learns())?;
        // A rewind returns to these.
        let (has_weight, steps) = (chain.initial().weight > 0.0, &sequence.steps);
        if steps.learnt.iter().chain(&steps.before_rows).any(|[_, weight]| (*weight > 0.0) != has_weight) {
            return Err(invalid("no chain learns what it has learnt"));
        }
        if from.at != from.bytes.len() {
            return Err(invalid("it is longer than its contents"));
        }
        sampler.set_logit_bias(&bias).map_err(within("its logit bias"))?;
        if sampler.sequence.bias.iter().zip(&bias).any(|(edit, bias)| edit.token != bias.0 as u32) {
            return Err(invalid("its logit bias is not in ascending order of token"));
        }
        Ok(sampler)
    }
}

fn invalid(what: &str) -> Error {
    Error::InvalidArgument(format!("bytes are not a saved state of a sampler: {what}"))
}

/// What is wrong with a part of the bytes, unless there is no memory for it.
fn within(part: &str) -> impl Fn(Error) -> Error {
    move |e| match e {
        Error::OutOfMemory => Error::OutOfMemory,
        e => invalid(&format!("{part}: {e}")),
    }
}

/// The bytes without the checksum, if that and the first bytes are right.
fn checked(bytes: &[u8]) -> Result<&[u8]> {
    let Some((body, checksum)) = bytes.split_last_chunk::<4>() else { return Err(invalid("they are too few")) };
    if body.len() < MAGIC.len() + 4 || body[..MAGIC.len()] != MAGIC {
        return Err(invalid("they begin with something else"));
    }
    let version = u32::from_le_bytes(std::array::from_fn(|i| body[MAGIC.len() + i]));
    if version != VERSION {
        return Err(invalid(&format!("format {version} is not one that this version of the library reads")));
    }
    if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
        return Err(invalid("the checksum differs: they were changed or cut"));
    }
    Ok(body)
}

/// What a chain has learnt, if a chain that begins with `initial` can have learnt it.
fn learnt([level, weight]: [f64; 2], (id, p): (i32, f64), initial: Learnt) -> Result<Learnt> {
    let has_weight = initial.weight > 0.0;
    let is_possible = if has_weight { id == -1 || (id >= 0 && p > 0.0 && p <= 1.0) } else { id == -1 };
    if !is_learnt([level, weight]) || (weight > 0.0) != has_weight || !is_possible || (id == -1 && p != 0.0) {
        return Err(invalid("no chain learns what it has learnt"));
    }
    Ok(Learnt { level, weight, pending: (id >= 0).then_some((id, p)) })
}

fn is_learnt([level, weight]: [f64; 2]) -> bool {
    level.is_finite() && weight.is_finite() && weight >= 0.0
}

struct Writer(Vec<u8>);

impl Writer {
    fn u32(&mut self, n: u32) {
        self.0.extend(n.to_le_bytes());
    }

    fn u64(&mut self, n: u64) {
        self.0.extend(n.to_le_bytes());
    }

    fn f64(&mut self, x: f64) {
        self.u64(x.to_bits());
    }

    fn learnt(&mut self, learnt: [f64; 2]) {
        learnt.into_iter().for_each(|x| self.f64(x));
    }

    fn list<T>(&mut self, list: &[T], write: impl Fn(&mut Self, &T)) {
        self.u64(list.len() as u64);
        list.iter().for_each(|element| write(self, element));
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.bytes[self.at..].first_chunk::<N>().ok_or_else(|| invalid("it ends too early"))?;
        self.at += N;
        Ok(*bytes)
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(self.take::<1>()?[0])
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn f64(&mut self) -> Result<f64> {
        Ok(f64::from_bits(self.u64()?))
    }

    fn usize(&mut self) -> Result<usize> {
        usize::try_from(self.u64()?).map_err(|_| invalid("a length exceeds memory"))
    }

    fn flag(&mut self) -> Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(invalid("a flag is neither 0 nor 1")),
        }
    }

    fn id(&mut self) -> Result<i32> {
        let id = self.u32()? as i32;
        if id < 0 { Err(invalid("a token is negative")) } else { Ok(id) }
    }

    fn learnt(&mut self) -> Result<[f64; 2]> {
        let learnt = [self.f64()?, self.f64()?];
        if is_learnt(learnt) { Ok(learnt) } else { Err(invalid("no chain learns what it has learnt")) }
    }

    /// A list of elements that have at least `size` bytes each, so that its length is bounded by the bytes.
    fn list<T>(&mut self, size: usize, read: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let n = self.usize()?;
        if n > (self.bytes.len() - self.at) / size {
            return Err(invalid("a list is longer than the rest"));
        }
        let mut list = Vec::new();
        memory::reserve(&mut list, n)?;
        for _ in 0..n {
            list.push(read(self)?);
        }
        Ok(list)
    }

    fn steps(&mut self, tokens: usize, learns: bool) -> Result<Steps> {
        let runs = self.list(16, |from| Ok((from.usize()?, from.u64()?)))?;
        let mut before = (None, 0);
        for &(at, rows) in &runs {
            if at >= tokens || before.0.is_some_and(|before| before >= at) || rows == before.1 {
                return Err(invalid("its rows do not fit its history"));
            }
            before = (Some(at), rows);
        }
        let (rows, stayed, first) = (self.u64()?, self.flag()?, self.usize()?);
        let learnt = self.list(16, Self::learnt)?;
        let before_rows = self.list(16, Self::learnt)?;
        let is_whole = if learnt.is_empty() { first == 0 } else { first.checked_add(learnt.len()) == Some(tokens) };
        if !is_whole || before_rows.len() as u64 > rows || !(learns || learnt.is_empty() && before_rows.is_empty()) {
            return Err(invalid("what it has learnt does not fit its history"));
        }
        Ok(Steps { runs, rows, stayed, learnt, first, before_rows })
    }
}

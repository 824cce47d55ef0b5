//! One piece of work under an instruction counter, which takes what happens inside [`counted`] and nothing else.

use crate::check::{decode, sampler};
use crate::rows::Kind;
use crate::work;
use bregman::{Sampler, Values};
use std::hint::black_box;

/// Decodes that are counted.
const CALLS: usize = 8;

/// Decodes of the headline's rows on one level, or of flat ones if the key ends with `:flat`. The first ones, in which
/// buffers grow, are not counted.
pub fn run(key: &str, level: &str) -> Result<(), String> {
    let (key, kind) = key.strip_suffix(":flat").map_or((key, Kind::HEADLINE), |key| (key, Kind::Normal(25)));
    let work = work::ALL.iter().find(|work| work.key == key).ok_or(format!("no work {key}"))?;
    let rows = kind.rows(128_256, CALLS)?;
    let mut sampler = sampler(work, level);
    for counted_now in [false, true] {
        for r in 0..CALLS {
            let values = Values::F32(rows.row(r));
            black_box(if counted_now { counted(&mut sampler, values) } else { decode(&mut sampler, values).token });
        }
    }
    println!("{level} {CALLS}");
    Ok(())
}

/// Its name is what ci/instructions.sh gives to the counter.
#[inline(never)]
fn counted(sampler: &mut Sampler, values: Values<'_>) -> u32 {
    decode(sampler, values).token
}

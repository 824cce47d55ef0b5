//! The commands of decisions.txt, over `bregman::decisions`.

use crate::{failure, number};
use bregman::Result;
use bregman::decisions::*;
use std::collections::HashMap;
use std::fmt::Write;

const CONVENTIONS: [GateConvention; 6] = [
    GateConvention::Mixtral,
    GateConvention::Qwen2,
    GateConvention::Qwen3,
    GateConvention::GptOss,
    GateConvention::Llama4,
    GateConvention::DeepSeekV3,
];

/// The lists of numbers so far, by name.
#[derive(Default)]
pub struct Decisions {
    numbers: HashMap<String, Vec<f64>>,
    counts: HashMap<String, Vec<u64>>,
}

impl Decisions {
    /// None for a command that is not one of these; otherwise the line to write, which may be none.
    pub fn run(&mut self, command: &str, rest: &[&str]) -> Option<Option<String>> {
        match command {
            "numbers" => {
                self.numbers.insert(rest[0].into(), rest[1..].iter().map(|word| bits(word)).collect());
            }
            "uniforms" => {
                let (seed, from, to) = (number(rest[2]), number::<i64>(rest[3]) as f64, number::<i64>(rest[4]) as f64);
                let one = |n| from + (to - from) * ((splitmix(seed, n) >> 11) as f64 * 2f64.powi(-53));
                self.numbers.insert(rest[0].into(), (0..number(rest[1])).map(one).collect());
            }
            "counts" => {
                let (seed, most) = (number(rest[2]), number::<u64>(rest[3]));
                let one = |n| (splitmix(seed, n) >> 11) % (most + 1);
                self.counts.insert(rest[0].into(), (0..number(rest[1])).map(one).collect());
            }
            command => return self.call(command, rest).map(|answer| Some(said(answer))),
        }
        Some(None)
    }

    fn list(&self, name: &str) -> &[f64] {
        self.numbers.get(name).unwrap_or_else(|| panic!("no numbers `{name}`"))
    }

    fn count(&self, name: &str) -> &[u64] {
        self.counts.get(name).unwrap_or_else(|| panic!("no counts `{name}`"))
    }

    fn call(&self, command: &str, rest: &[&str]) -> Option<Result<String>> {
        Some(match command {
            "best_of_n" => best_of_n(self.list(rest[0]), self.list(rest[1]), number(rest[2]))
                .map(|best| figures(&[&[best.kl, best.win_rate], &best.law[..]].concat())),
            "best_of_n_bounds" => best_of_n_bounds(number(rest[0])).map(|b| figures(&[b.kl, b.win_rate])),
            "best_of_n_kl_estimates" => {
                best_of_n_kl_estimates(self.list(rest[0]), number(rest[1])).map(|x| figures(&x))
            }
            "soft_values" => {
                let ratios = if rest[1] == "-" { None } else { Some(self.list(rest[1])) };
                soft_values(self.list(rest[0]), ratios, number(rest[2]), bits(rest[3]))
                    .map(|soft| figures(&[soft.values, soft.weights].concat()))
            }
            "route" => self.route(rest),
            "next_arm" => self.next_arm(rest),
            "best_arm" => best_arm(rewards(rest[0], rest[1]), self.list(rest[2]), self.count(rest[3]), bits(rest[4]))
                .map(|v| format!(" {} {}{}", u8::from(v.stop), v.best, figures(&[v.statistic, v.threshold]))),
            "abstain" => abstain(self.list(rest[0]), self.list(rest[1]), bits(rest[2]), bits(rest[3]))
                .map(|rejects| rejects.iter().fold(" ".into(), |text: String, &r| text + if r { "1" } else { "0" })),
            "calibration_error" => {
                let ranks: Vec<u32> = self.count(rest[1]).iter().map(|&n| n as u32).collect();
                let (top, bins, level) = (number(rest[2]), number(rest[3]), bits(rest[4]));
                calibration_error(self.list(rest[0]), &ranks, top, bins, level, number(rest[5]), number(rest[6])).map(
                    |c| {
                        let all = [c.squared_error, c.variance, c.lower, c.upper, c.p_value];
                        format!(" {}{}", c.cells, figures(&all))
                    },
                )
            }
            "distortion" => distortion(self.list(rest[0])).map(|x| figures(&[x])),
            "distortion_of_logprobs" => {
                distortion_of_logprobs(self.list(rest[0]), self.list(rest[1])).map(|x| figures(&[x]))
            }
            _ => return None,
        })
    }

    /// route CONVENTION EXPERTS TOP_K GROUPS TOP_GROUPS SCALE BIAS LOGITS
    fn route(&self, rest: &[&str]) -> Result<String> {
        let options = GateOptions {
            convention: CONVENTIONS[number::<usize>(rest[0])],
            experts: number(rest[1]),
            top_k: number(rest[2]),
            groups: number(rest[3]),
            top_groups: number(rest[4]),
            scale: bits(rest[5]),
            bias: if rest[6] == "-" { &[] } else { self.list(rest[6]) },
        };
        let routes = route(&options, self.list(rest[7]))?;
        let pairs = routes.ids.iter().zip(&routes.weights);
        Ok(pairs.fold(String::new(), |text, (id, &weight)| format!("{text} {id}:{}", &figures(&[weight])[1..])))
    }

    /// next_arm RULE REWARDS REDRAWS SIGMA BETA MEANS PULLS SEED POSITION COUNT
    fn next_arm(&self, rest: &[&str]) -> Result<String> {
        let options = ArmOptions {
            rule: if rest[0] == "0" { ArmRule::Ttts } else { ArmRule::T3c },
            rewards: rewards(rest[1], rest[3]),
            redraws: number(rest[2]),
            beta: bits(rest[4]),
        };
        let (means, pulls, first) = (self.list(rest[5]), self.count(rest[6]), number::<u64>(rest[8]));
        let mut text = String::new();
        for position in first..first + number::<u64>(rest[9]) {
            let next = next_arm(&options, means, pulls, number(rest[7]), position)?;
            write!(text, " {}:{}", next.arm, next.leader).expect("a String takes all");
        }
        Ok(text)
    }
}

fn rewards(law: &str, sigma: &str) -> Rewards {
    if law == "0" { Rewards::Gaussian { sigma: bits(sigma) } } else { Rewards::Bernoulli }
}

fn said(answer: Result<String>) -> String {
    answer.map_or_else(|e| failure(&e), |text| format!("ok{text}"))
}

/// A number from its bits.
fn bits(word: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(word, 16).unwrap_or_else(|_| panic!("`{word}` is not hexadecimal")))
}

fn figures(numbers: &[f64]) -> String {
    let one = |x: &f64| if x.is_nan() { " nan".into() } else { format!(" {:016x}", x.to_bits()) };
    numbers.iter().map(one).collect()
}

fn splitmix(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add((n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

//! The stages about the tokens so far the plain way: each by its definition, the history read anew for every row, among
//! truncations and temperatures in any order. Shares no code with the library.

use std::collections::BTreeMap;

/// Which tokens count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scope {
    Window(usize),
    All,
    Output,
}

/// A stage.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Temperature(f64),
    TopK(usize),
    TopP(f64),
    MinP(f64),
    Penalties { repeat: f64, frequency: f64, presence: f64, scope: Scope },
    Dry { multiplier: f64, base: f64, allowed: usize, breakers: Vec<Vec<i32>>, scope: Scope },
    NoRepeatNgram(usize, Scope),
    BadWords(Vec<Vec<i32>>, Scope),
    MinTokens(usize, Vec<i32>, Scope),
    LogitBias(BTreeMap<i32, f32>),
}

fn joined(list: &[i32]) -> String {
    list.iter().map(i32::to_string).collect::<Vec<_>>().join(" ")
}

fn sequences(list: &[Vec<i32>]) -> String {
    list.iter().map(|s| joined(s)).collect::<Vec<_>>().join(";")
}

impl Scope {
    fn text(self) -> String {
        match self {
            Scope::Window(n) => format!("last_n={n}"),
            Scope::All => "scope=all".into(),
            Scope::Output => "scope=output".into(),
        }
    }

    fn of(self, prompt: &[i32], output: &[i32]) -> Vec<i32> {
        let all = [prompt, output].concat();
        match self {
            Scope::Window(n) => all[all.len().saturating_sub(n)..].to_vec(),
            Scope::All => all,
            Scope::Output => output.to_vec(),
        }
    }
}

impl Step {
    /// As the chain spells it.
    pub fn text(&self) -> String {
        match self {
            Step::Temperature(t) => format!("temperature({t})"),
            Step::TopK(k) => format!("top_k({k})"),
            Step::TopP(p) => format!("top_p({p})"),
            Step::MinP(p) => format!("min_p({p})"),
            Step::Penalties { repeat, frequency, presence, scope } => {
                format!("penalties(repeat={repeat}, frequency={frequency}, presence={presence}, {})", scope.text())
            }
            Step::Dry { multiplier, base, allowed, breakers, scope } => {
                let breakers =
                    if breakers.is_empty() { String::new() } else { format!(", breakers={}", sequences(breakers)) };
                format!("dry(multiplier={multiplier}, base={base}, allowed={allowed}, {}{breakers})", scope.text())
            }
            Step::NoRepeatNgram(n, scope) => format!("no_repeat_ngram(n={n}, {})", scope.text()),
            Step::BadWords(list, scope) => format!("bad_words(sequences={}, {})", sequences(list), scope.text()),
            Step::MinTokens(n, stop, scope) => format!("min_tokens(n={n}, stop={}, {})", joined(stop), scope.text()),
            Step::LogitBias(biases) => {
                let pairs: Vec<_> = biases.iter().map(|(token, bias)| format!("{token}:{bias}")).collect();
                format!("logit_bias({})", pairs.join(" "))
            }
        }
    }

    /// What becomes of one token's logit; none if nothing does.
    fn changed(&self, token: i32, logit: f64, prompt: &[i32], output: &[i32]) -> Option<f64> {
        let ban = |is: bool| is.then_some(f64::NEG_INFINITY);
        match self {
            Step::Penalties { repeat, frequency, presence, scope } => {
                let times = scope.of(prompt, output).iter().filter(|t| **t == token).count();
                let divided = if logit > 0.0 { logit / repeat } else { logit * repeat };
                (times > 0).then(|| divided - (frequency * times as f64 + presence))
            }
            Step::Dry { multiplier, base, allowed, breakers, scope } => {
                let length = repetition(token, &scope.of(prompt, output), breakers, *allowed)?;
                Some(logit - multiplier * base.powi((length - allowed) as i32))
            }
            Step::NoRepeatNgram(n, scope) => {
                let mut tokens = scope.of(prompt, output);
                tokens.push(token);
                let last = *n > 0 && tokens.len() > *n;
                ban(last && tokens.windows(*n).rev().skip(1).any(|w| *w == tokens[tokens.len() - n..]))
            }
            Step::BadWords(list, scope) => {
                let mut tokens = scope.of(prompt, output);
                tokens.push(token);
                ban(list.iter().any(|word| tokens.ends_with(word)))
            }
            Step::MinTokens(n, stop, scope) => ban(scope.of(prompt, output).len() < *n && stop.contains(&token)),
            Step::LogitBias(biases) => biases.get(&token).map(|bias| logit + f64::from(*bias)),
            _ => None,
        }
    }
}

/// How long the longest repetition is that the token would continue, if that is at least `allowed`.
fn repetition(token: i32, tokens: &[i32], breakers: &[Vec<i32>], allowed: usize) -> Option<usize> {
    if breakers.contains(&vec![token]) {
        return None;
    }
    let broken = (0..tokens.len()).rev().find_map(|at| {
        let here = breakers.iter().filter(|b| tokens[at..].starts_with(b)).map(Vec::len).max()?;
        Some(at + here)
    });
    let limit = tokens.len() - broken.unwrap_or(0);
    let lengths = (1..tokens.len()).filter(|&end| tokens[end] == token).map(|end| {
        (0..=end).take_while(|&n| tokens[end - n..end] == tokens[tokens.len() - n..]).last().unwrap_or(0).min(limit)
    });
    lengths.max().filter(|&length| length >= allowed)
}

/// A token, its logit as the row has it, and as the law has it once stages drop tokens.
struct Token {
    id: i32,
    raw: f32,
    logit: f64,
}

/// The distribution in descending order; empty if everything is banned. None if a cut is so near to a token that
/// rounding decides.
pub fn law(steps: &[Step], row: &[(i32, f32)], prompt: &[i32], output: &[i32]) -> Option<Vec<(i32, f64)>> {
    let mut tokens: Vec<_> = row.iter().map(|&(id, raw)| Token { id, raw, logit: 0.0 }).collect();
    let (mut scale, mut closed) = (1.0, false);
    for step in steps {
        match step {
            Step::Temperature(t) if closed => tokens.iter_mut().for_each(|e| e.logit *= 1.0 / t),
            Step::Temperature(t) => scale *= 1.0 / t,
            Step::TopK(_) | Step::TopP(_) | Step::MinP(_) => {
                if !closed {
                    tokens.iter_mut().for_each(|e| e.logit = f64::from(e.raw) * scale);
                    sort(&mut tokens);
                    closed = true;
                }
                if tokens.is_empty() {
                    return Some(vec![]);
                }
                let n = cut(step, &tokens)?;
                tokens.truncate(n);
            }
            edit if closed => {
                for e in &mut tokens {
                    e.logit = edit.changed(e.id, e.logit, prompt, output).unwrap_or(e.logit);
                }
                sort(&mut tokens);
            }
            edit => {
                for e in &mut tokens {
                    // A row is in single precision.
                    let changed = edit.changed(e.id, f64::from(e.raw) * scale, prompt, output);
                    e.raw = changed.map_or(e.raw, |logit| (logit / scale) as f32);
                }
            }
        }
    }
    if !closed {
        tokens.iter_mut().for_each(|e| e.logit = f64::from(e.raw) * scale);
    }
    sort(&mut tokens);
    let first = tokens.first().map_or(0.0, |e| e.logit);
    let total: f64 = tokens.iter().rev().map(|e| (e.logit - first).exp()).sum();
    Some(tokens.iter().map(|e| (e.id, (e.logit - first).exp() / total)).collect())
}

/// Descending, ties by id, without what cannot be sampled.
fn sort(tokens: &mut Vec<Token>) {
    // 0 and -0 are a tie.
    tokens.sort_by(|a, b| (b.logit + 0.0).total_cmp(&(a.logit + 0.0)).then(a.id.cmp(&b.id)));
    let first = tokens.first().map_or(0.0, |e| e.logit);
    tokens.retain(|e| e.logit > f64::NEG_INFINITY && e.logit - first >= -680.0);
}

/// How many tokens a truncation keeps.
fn cut(step: &Step, tokens: &[Token]) -> Option<usize> {
    let weights: Vec<f64> = tokens.iter().map(|e| (e.logit - tokens[0].logit).exp()).collect();
    let at_least = |bound: f64| tokens.iter().take_while(|e| e.logit - tokens[0].logit >= bound).count();
    let total: f64 = weights.iter().rev().sum();
    let mut sum = 0.0;
    let add = |w: &f64| {
        sum += w;
        (sum - w) / total
    };
    let before: Vec<f64> = weights.iter().map(add).collect();
    let nucleus = |p: f64| before.iter().take_while(|b| **b < p).count().max(1);
    let clear = |low: usize, high: usize| (low == high).then_some(low);
    match step {
        Step::TopK(k) => Some(*k),
        Step::TopP(p) => clear(nucleus(p - 1e-6), nucleus(p + 1e-6)),
        Step::MinP(p) => clear(at_least(p.ln() - 1e-6), at_least(p.ln() + 1e-6)),
        _ => Some(tokens.len()),
    }
}

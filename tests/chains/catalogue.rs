//! The catalogue as C reads it describes what the parser accepts.

use bregman::ffi::*;
use bregman::{Row, Sampler, Want};
use std::ffi::{CStr, CString, c_char};
use std::ptr::null_mut;

struct Parameter {
    name: String,
    aliases: Vec<String>,
    default: String,
    choices: Vec<String>,
    raw: bregman_parameter,
}

struct Stage {
    name: String,
    learns: u32,
    aliases: Vec<String>,
    parameters: Vec<Parameter>,
}

fn text(p: *const c_char) -> String {
    // SAFETY: the catalogue's texts are static and terminated.
    unsafe { CStr::from_ptr(p) }.to_str().expect("texts are UTF-8").to_owned()
}

fn words(p: *const c_char) -> Vec<String> {
    text(p).split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The catalogue as a host reads it.
fn stages() -> Vec<Stage> {
    let stage = |index| {
        let mut stage = std::mem::MaybeUninit::<bregman_stage>::zeroed();
        // SAFETY: zero is a value of every field.
        unsafe { stage.assume_init_mut() }.struct_size = size_of::<bregman_stage>() as u32;
        // SAFETY: a struct of that size.
        assert_eq!(unsafe { bregman_stage_info(index, stage.as_mut_ptr()) }, BREGMAN_OK);
        // SAFETY: filled in.
        let stage = unsafe { stage.assume_init() };
        let parameter = |i: usize| {
            // SAFETY: the catalogue says how many there are and how far apart.
            let raw = unsafe { *stage.parameters.byte_add(i * stage.parameter_size) };
            Parameter {
                name: text(raw.name),
                aliases: words(raw.aliases),
                default: text(raw.default_value),
                choices: words(raw.choices),
                raw,
            }
        };
        Stage {
            name: text(stage.name),
            learns: stage.learns,
            aliases: words(stage.aliases),
            parameters: (0..stage.parameter_count).map(parameter).collect(),
        }
    };
    (0..bregman_stage_count()).map(stage).collect()
}

/// The chain's canonical form, or why it is refused.
fn create(chain: &str) -> Result<String, String> {
    let (mut sampler, mut buffer) = (null_mut(), [0; 1024]);
    let text_of = |buffer: &[c_char]| text(buffer.as_ptr());
    let c = CString::new(chain).expect("no NUL");
    // SAFETY: all pointers live through the call.
    let status = unsafe { bregman_sampler_new(c.as_ptr(), 1, &mut sampler, buffer.as_mut_ptr(), buffer.len()) };
    if status != BREGMAN_OK {
        return Err(text_of(&buffer));
    }
    // SAFETY: a live handle and a buffer of that length.
    unsafe { bregman_sampler_describe(sampler, buffer.as_mut_ptr(), buffer.len()) };
    // SAFETY: freed once.
    unsafe { bregman_sampler_free(sampler) };
    Ok(text_of(&buffer))
}

fn chain(stage: &str, given: &[(&str, String)]) -> String {
    let list: Vec<_> = given.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{stage}({})", list.join(", "))
}

impl Parameter {
    /// A value in the range that the catalogue gives; None for a name, which only the host knows.
    fn value(&self) -> Option<String> {
        match self.raw.kind {
            _ if !self.default.is_empty() => Some(self.default.clone()),
            BREGMAN_KIND_NUMBER => Some(1f64.clamp(self.raw.min, self.raw.max).to_string()),
            BREGMAN_KIND_COUNT => Some(self.raw.min.max(1.0).to_string()),
            BREGMAN_KIND_CHOICE => Some(self.choices[0].clone()),
            BREGMAN_KIND_TOKENS | BREGMAN_KIND_SEQUENCES => Some("1".into()),
            BREGMAN_KIND_BIASES => Some("1:0.5".into()),
            BREGMAN_KIND_KEYS => Some("7".into()),
            _ => None,
        }
    }

    /// Values just outside of what the catalogue gives.
    fn wrong_values(&self) -> Vec<String> {
        let (min, max) = (self.raw.min, self.raw.max);
        match self.raw.kind {
            BREGMAN_KIND_NUMBER => {
                let below = if self.raw.min_excluded == 1 { min } else { min.next_down() };
                let outside = [(below, min.is_finite()), (max.next_up(), max.is_finite())];
                let outside = outside.into_iter().filter(|(_, bounded)| *bounded).map(|(v, _)| v.to_string());
                outside.chain(["nan".into(), "much".into(), "0x1p3".into()]).collect()
            }
            BREGMAN_KIND_COUNT => [min - 1.0, max + 1.0, min + 0.5].map(|v| v.to_string()).into(),
            BREGMAN_KIND_CHOICE => vec!["none of them".into(), self.choices.concat()],
            BREGMAN_KIND_KEYS => vec![String::new(), "1 ".repeat(max as usize + 1), "0xg".into()],
            _ => vec![String::new()],
        }
    }

    /// Values at the ends of what the catalogue gives.
    fn extreme_values(&self) -> Vec<String> {
        match self.raw.kind {
            BREGMAN_KIND_NUMBER if self.raw.min_excluded == 1 => vec![self.raw.max.to_string()],
            BREGMAN_KIND_NUMBER | BREGMAN_KIND_COUNT => [self.raw.min, self.raw.max].map(|v| v.to_string()).into(),
            BREGMAN_KIND_CHOICE => self.choices.clone(),
            BREGMAN_KIND_KEYS => [self.raw.min, self.raw.max].map(|n| "0xff ".repeat(n as usize)).into(),
            _ => vec![],
        }
    }
}

impl Stage {
    fn group(&self, group: u32) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(move |p| p.raw.group == group)
    }

    /// The groups of which one parameter must be given.
    fn open_groups(&self) -> Vec<u32> {
        let last = self.parameters.iter().map(|p| p.raw.group).max().unwrap_or(0);
        (1..=last).filter(|&g| self.group(g).all(|p| p.default.is_empty())).collect()
    }

    /// The least that must be given beside some parameters.
    fn least(&self, beside: &[&Parameter]) -> Vec<(&str, String)> {
        let has = |group| beside.iter().any(|p| p.raw.group == group);
        let open = self.open_groups().into_iter().filter(|&g| !has(g));
        let chosen = open.map(|g| self.group(g).find(|p| p.value().is_some()).expect("one that needs no name"));
        let required = self.parameters.iter().filter(|p| p.raw.required == 1);
        let needed = required.chain(chosen).filter(|p| beside.iter().all(|b| b.name != p.name));
        needed.map(|p| (&*p.name, p.value().expect("one that needs no name"))).collect()
    }

    fn with(&self, given: &[(&Parameter, String)]) -> String {
        let beside: Vec<_> = given.iter().map(|(p, _)| *p).collect();
        let mut list = self.least(&beside);
        list.extend(given.iter().map(|(p, value)| (&*p.name, value.clone())));
        chain(&self.name, &list)
    }
}

#[test]
fn catalogue_requirements_suffice() {
    let stages = stages();
    assert!(stages.len() >= 7);
    for stage in &stages {
        let least = chain(&stage.name, &stage.least(&[]));
        let canonical = create(&least).unwrap_or_else(|why| panic!("{least}: {why}"));
        for alias in &stage.aliases {
            assert_eq!(create(&chain(alias, &stage.least(&[]))).as_ref(), Ok(&canonical), "{alias}");
        }
        for p in stage.parameters.iter().filter(|p| !p.default.is_empty()) {
            let said = stage.with(&[(p, p.default.clone())]);
            assert_eq!(create(&said).as_ref(), Ok(&canonical), "{said}: a default that is said changes nothing");
        }
    }
}

#[test]
fn catalogue_required_parameters_are_demanded() {
    let mut missed = 0;
    for stage in stages() {
        for p in stage.parameters.iter().filter(|p| p.raw.required == 1) {
            let mut others = stage.least(&[]);
            others.retain(|(name, _)| *name != p.name);
            let why = create(&chain(&stage.name, &others)).expect_err("a required parameter is missing");
            assert!(why.contains(&format!("parameter `{}` is missing", p.name)), "{}: {why}", stage.name);
            missed += 1;
        }
    }
    assert!(missed >= 3, "only {missed}");
}

#[test]
fn catalogue_ranges_are_those_of_the_parser() {
    let mut refused = 0;
    for stage in stages() {
        for p in &stage.parameters {
            // A stage may refuse more than a range can say; that is another message.
            let complaint = format!("parameter `{}` must be", p.name);
            for value in p.extreme_values() {
                let chain = stage.with(&[(p, value)]);
                let why = create(&chain).err().unwrap_or_default();
                let range = why.contains(&format!("{complaint} a number in")) || why.contains("whole number from");
                assert!(!range && !why.contains("must be one of"), "{chain}: {why}");
            }
            for value in p.wrong_values() {
                let chain = stage.with(&[(p, value)]);
                let why = create(&chain).expect_err(&chain);
                assert!(why.contains(&complaint), "{chain}: {why}");
                refused += 1;
            }
            let Some(value) = p.value() else { continue };
            for alias in &p.aliases {
                let mut list = stage.least(&[p]);
                list.push((alias, value.clone()));
                let aliased = chain(&stage.name, &list);
                assert_eq!(create(&aliased), create(&stage.with(&[(p, value.clone())])), "{aliased}");
            }
        }
    }
    assert!(refused > 50, "only {refused}");
}

/// The parameters that a chain refuses to take together are those of a group, and no others.
#[test]
fn catalogue_groups_exclude_each_other() {
    let mut excluded = 0;
    for stage in stages() {
        for group in stage.open_groups() {
            let others: Vec<_> = stage.group(group).collect();
            let mut list = stage.least(&[]);
            list.retain(|(name, _)| others.iter().all(|p| p.name != *name));
            let why = create(&chain(&stage.name, &list)).expect_err("one of the group must be given");
            assert!(why.contains("must be given"), "{}: {why}", stage.name);
        }
        for (i, a) in stage.parameters.iter().enumerate() {
            for b in &stage.parameters[..i] {
                let value = |p: &Parameter| p.value().unwrap_or_else(|| "mine".into());
                let chain = stage.with(&[(a, value(a)), (b, value(b))]);
                let why = create(&chain).err().unwrap_or_default();
                let exclusive = why.contains("exclude each other") || why.contains("only one of");
                assert_eq!(exclusive, a.raw.group != 0 && a.raw.group == b.raw.group, "{chain}: {why}");
                excluded += usize::from(exclusive);
            }
        }
    }
    assert!(excluded >= 7, "only {excluded}");
}

/// 40 tokens of a row, accepted; the last 20 from the sampler itself and from one that knows only history and position.
fn resumed(chain: &str) -> [Vec<(u32, f64)>; 2] {
    let logits: Vec<_> = (1..=5000).map(|i| -(i as f32).ln()).collect();
    let want = Want { accept: true, ..Want::default() };
    let decode = |sampler: &mut Sampler| -> Vec<_> {
        let tokens = (0..20).map(|_| sampler.decode(Row::from_f32(&logits).unwrap(), want).unwrap());
        tokens.map(|t| (t.token, t.p)).collect()
    };
    let mut whole = Sampler::new(chain, 7).unwrap();
    decode(&mut whole);
    let mut second = Sampler::new(chain, 7).unwrap();
    second.accept(whole.history()).unwrap();
    second.set_prompt_length(0).unwrap();
    second.reseed(7, whole.position());
    [decode(&mut whole), decode(&mut second)]
}

#[test]
fn a_stage_learns_if_history_and_position_do_not_resume_it() {
    for stage in bregman::stages().iter().filter(|stage| stage.draws) {
        let chain = match stage.name {
            "adaptive_p" => "adaptive_p(0.3)",
            "watermark" => "watermark(42, width=2)",
            name => name,
        };
        let [whole, second] = resumed(chain);
        assert_eq!(whole != second, stage.learns, "{}", stage.name);
    }
    for (stage, listed) in bregman::stages().iter().zip(stages()) {
        assert!(stage.draws || !stage.learns);
        assert_eq!((stage.name, u32::from(stage.learns)), (&*listed.name, listed.learns));
    }
}

#[test]
fn a_macro_learns_if_it_can_stand_for_a_stage_that_learns() {
    let learns: Vec<_> = bregman::macros().iter().filter(|m| m.learns()).map(|m| m.name).collect();
    assert_eq!(learns, ["llama_cpp", "koboldcpp", "exllamav2", "exllamav3"]);
    for chain in [
        "llama_cpp(mirostat=1)",
        "llama_cpp(mirostat=2)",
        "llama_cpp(adaptive_target=0.5)",
        "koboldcpp(mirostat=1)",
        "koboldcpp(mirostat=2)",
        "koboldcpp(adaptive_target=0.5)",
        "exllamav2(mirostat=true)",
        "exllamav3(adaptive_target=0.5)",
    ] {
        let [whole, second] = resumed(chain);
        assert_ne!(whole, second, "{chain}");
    }
}

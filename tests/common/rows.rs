//! Distributions and rows of logits of many kinds, the same for the same seed everywhere.

/// splitmix64: enough randomness for tests, and nothing to install.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In (0, 1).
    pub fn unit(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) * f64::EPSILON
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// The kinds that [`distribution`] knows.
pub const DISTRIBUTIONS: [&str; 10] =
    ["dirichlet", "sparse", "peaked", "spike", "tied", "zipf", "geometric", "tiny", "uniform", "plateau"];

/// Probabilities in descending order, all positive, with sum 1 up to rounding.
pub fn distribution(kind: &str, vocab: usize, random: &mut Random) -> Vec<f64> {
    let exponential = |random: &mut Random| -random.unit().ln();
    let (exponent, ratio) = (random.between(0.8, 2.2), random.between(0.2, 0.95));
    let mut p: Vec<f64> = (0..vocab)
        .map(|i| match kind {
            "dirichlet" => exponential(random),
            // Like a Dirichlet distribution with small parameters.
            "sparse" => exponential(random).powi(5),
            "peaked" => exponential(random) * if i == 0 { 20.0 * vocab as f64 } else { 1.0 },
            "spike" => exponential(random) * if i == 0 { 1e9 } else { 1.0 },
            "tied" => 1.0 + (i % 2) as f64 + (i % 3) as f64,
            "zipf" => ((i + 1) as f64).powf(-exponent),
            "geometric" => ratio.powi(i as i32),
            "tiny" => 10f64.powf(-30.0 * (i as f64 / (vocab - 1).max(1) as f64)),
            "uniform" => 1.0,
            // Equal tokens with all the mass but a rounding error.
            "plateau" if i <= vocab / 2 => 1.0,
            "plateau" => 1e-17 * random.unit(),
            other => panic!("no kind {other}"),
        })
        .collect();
    p.sort_by(|a, b| b.total_cmp(a));
    let total: f64 = p.iter().rev().sum();
    p.iter_mut().for_each(|p| *p /= total);
    p.retain(|&p| p > 0.0);
    p
}

/// The kinds that [`logits`] knows.
pub const ROWS: [&str; 12] =
    ["normal", "model", "equal", "ties", "two", "span", "huge", "banned", "lonely", "rising", "falling", "zeros"];

/// A row of logits with at least one that is finite.
pub fn logits(kind: &str, vocab: usize, random: &mut Random) -> Vec<f32> {
    let gain = random.between(0.3, 4.0);
    let mut row: Vec<f32> = (0..vocab)
        .map(|_| match kind {
            "normal" | "banned" | "rising" | "falling" => (gain * random.normal()) as f32,
            // A bulk far below and a few tokens above it, as models have them.
            "model" => {
                (random.normal() * 2.0 + if random.unit() < 0.02 { random.between(6.0, 14.0) } else { 0.0 }) as f32
            }
            "equal" => 1.25,
            "ties" => random.below(5) as f32,
            "two" => random.pick(&[-0.5, 2.0]),
            // Most weights vanish in f32, some in f64.
            "span" => random.between(-2000.0, 0.0) as f32,
            "huge" => (random.normal() * 1e37) as f32,
            "lonely" => f32::NEG_INFINITY,
            "zeros" => random.pick(&[0.0, -0.0]),
            other => panic!("no kind {other}"),
        })
        .collect();
    match kind {
        "rising" => row.sort_by(f32::total_cmp),
        "falling" => row.sort_by(|a, b| b.total_cmp(a)),
        "banned" => row.iter_mut().for_each(|l| {
            if random.unit() < 0.6 {
                *l = f32::NEG_INFINITY;
            }
        }),
        _ => {}
    }
    if row.iter().all(|l| *l == f32::NEG_INFINITY) {
        let at = random.below(vocab);
        row[at] = -3.5;
    }
    row
}

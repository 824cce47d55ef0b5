//! Gates of mixtures of experts against the definitions of the models, in plain loops.

use crate::{Random, close, refused};
use bregman::decisions::{GateConvention, GateOptions, route};

const CONVENTIONS: [GateConvention; 6] = [
    GateConvention::Mixtral,
    GateConvention::Qwen2,
    GateConvention::Qwen3,
    GateConvention::GptOss,
    GateConvention::Llama4,
    GateConvention::DeepSeekV3,
];

fn plain(convention: GateConvention, experts: usize, top_k: usize) -> GateOptions<'static> {
    GateOptions { convention, experts, top_k, groups: 0, top_groups: 0, scale: 0.0, bias: &[] }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softmax(h: &[f64]) -> Vec<f64> {
    let top = h.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = h.iter().map(|h| (h - top).exp()).sum();
    h.iter().map(|h| (h - top).exp() / total).collect()
}

/// The k best, one after the other; the lowest of equal ones.
fn top(scores: &[f64], k: usize) -> Vec<usize> {
    let mut chosen: Vec<usize> = vec![];
    for _ in 0..k {
        let left = (0..scores.len()).filter(|i| !chosen.contains(i));
        let best = left.reduce(|best, i| if scores[i] > scores[best] { i } else { best });
        chosen.push(best.unwrap());
    }
    chosen
}

/// As the models' own code does it.
fn defined(options: &GateOptions<'_>, h: &[f64]) -> (Vec<usize>, Vec<f64>) {
    let k = options.top_k;
    match options.convention {
        GateConvention::Llama4 => {
            let ids = top(h, k);
            (ids.clone(), ids.iter().map(|&i| sigmoid(h[i])).collect())
        }
        GateConvention::GptOss => {
            let ids = top(h, k);
            (ids.clone(), softmax(&ids.iter().map(|&i| h[i]).collect::<Vec<_>>()))
        }
        GateConvention::DeepSeekV3 => {
            let s: Vec<f64> = h.iter().map(|&h| sigmoid(h)).collect();
            let mut choice: Vec<f64> =
                (0..h.len()).map(|i| s[i] + options.bias.get(i).copied().unwrap_or(0.0)).collect();
            let groups = options.groups.max(1);
            let size = h.len() / groups;
            let of_groups: Vec<f64> =
                choice.chunks(size).map(|g| top(g, size.min(2)).iter().map(|&i| g[i]).sum()).collect();
            let kept = top(&of_groups, if options.top_groups == 0 { groups } else { options.top_groups });
            for (i, choice) in choice.iter_mut().enumerate() {
                *choice = if kept.contains(&(i / size)) { *choice } else { f64::NEG_INFINITY };
            }
            let ids = top(&choice, k);
            let total: f64 = ids.iter().map(|&i| s[i]).sum();
            let scale = if options.scale == 0.0 { 1.0 } else { options.scale };
            (ids.clone(), ids.iter().map(|&i| s[i] / (total + 1e-20) * scale).collect())
        }
        convention => {
            let p = softmax(h);
            let ids = top(&p, k);
            let total: f64 = ids.iter().map(|&i| p[i]).sum();
            let by = if convention == GateConvention::Qwen2 { 1.0 } else { total };
            (ids.clone(), ids.iter().map(|&i| p[i] / by).collect())
        }
    }
}

#[test]
fn published_gates_are_reproduced() {
    let h = [1.0, 3.0, 2.0, 0.5, 2.5, -1.0, 0.25, 2.25];
    for (convention, weights) in [
        (GateConvention::Mixtral, [0.481024, 0.291756, 0.227220]),
        (GateConvention::Qwen2, [0.364108, 0.220842, 0.171992]),
        (GateConvention::Qwen3, [0.481024, 0.291756, 0.227220]),
        (GateConvention::GptOss, [0.481024, 0.291756, 0.227220]),
        (GateConvention::Llama4, [0.952574, 0.924142, 0.904651]),
    ] {
        let routes = route(&plain(convention, 8, 3), &h).unwrap();
        assert_eq!(routes.ids, [1, 4, 7]);
        close(&routes.weights, &weights, 1e-6);
    }
    let bias = [0.0, -0.3, 0.1, 0.0, 0.0, 0.6, 0.0, 0.05];
    let v3 = plain(GateConvention::DeepSeekV3, 8, 3);
    let routes = route(&GateOptions { groups: 4, top_groups: 2, scale: 2.5, bias: &bias, ..v3 }, &h).unwrap();
    assert_eq!(routes.ids, [2, 4, 5]);
    close(&routes.weights, &[1.061774, 1.114025, 0.324201], 1e-6);
}

#[test]
fn gates_are_their_definitions() {
    let mut random = Random(4);
    for round in 0..3000 {
        let groups = 1 + random.below(4);
        let experts = groups * (1 + random.below(8));
        let rows = random.below(4);
        // Few logits, so that many are ties, or any.
        let any = random.below(2) == 0;
        let h: Vec<f64> =
            (0..rows * experts).map(|_| if any { 3.0 * random.bell() } else { random.below(4) as f64 }).collect();
        let bias: Vec<f64> = (0..experts).map(|_| 0.2 * random.bell()).collect();
        let convention = CONVENTIONS[round % 6];
        let mut options = plain(convention, experts, 1);
        let mut most = experts;
        if convention == GateConvention::DeepSeekV3 {
            let top_groups = random.below(groups + 1);
            most = experts / groups * if top_groups == 0 { groups } else { top_groups };
            let bias = if random.below(2) == 0 { &bias[..] } else { &[] };
            options = GateOptions { groups, top_groups, scale: [0.0, 2.5][random.below(2)], bias, ..options };
        }
        options.top_k = 1 + random.below(most);
        let routes = route(&options, &h).unwrap();
        let mut expected = (vec![], vec![]);
        for h in h.chunks(experts) {
            let (ids, weights) = defined(&options, h);
            expected.0.extend(ids.iter().map(|&i| i as i32));
            expected.1.extend(weights);
        }
        assert_eq!(routes.ids, expected.0, "{options:?} {h:?}");
        close(&routes.weights, &expected.1, 1e-14);
    }
}

#[test]
fn edges_of_gates_are_defined() {
    let minus = f64::NEG_INFINITY;
    for convention in [GateConvention::Mixtral, GateConvention::GptOss, GateConvention::Qwen2] {
        let routes = route(&plain(convention, 3, 2), &[minus, 1.0, minus]).unwrap();
        assert_eq!((&routes.ids[..], &routes.weights[..]), (&[1, 0][..], &[1.0, 0.0][..]));
        let extreme = route(&plain(convention, 2, 2), &[1e308, -1e308]).unwrap();
        assert_eq!((&extreme.ids[..], &extreme.weights[..]), (&[0, 1][..], &[1.0, 0.0][..]));
        refused(route(&plain(convention, 2, 1), &[0.0, 0.0, minus, minus]), "row 1 of logits has no expert");
    }
    let routes = route(&plain(GateConvention::DeepSeekV3, 2, 2), &[minus, minus]).unwrap();
    assert_eq!((&routes.ids[..], &routes.weights[..]), (&[0, 1][..], &[0.0, 0.0][..]));
    assert_eq!(route(&plain(GateConvention::Llama4, 1, 1), &[0.0]).unwrap().weights, [0.5]);
    // The same bits for the three names of one gate.
    let h: Vec<f64> = (0..64).map(|i| f64::from(i * 37 % 64) / 9.0).collect();
    let routes = [GateConvention::Mixtral, GateConvention::Qwen3, GateConvention::GptOss]
        .map(|convention| route(&plain(convention, 64, 8), &h).unwrap());
    assert!(routes[0] == routes[1] && routes[1] == routes[2]);
}

#[test]
fn arguments_of_gates_out_of_range_are_refused() {
    let (mixtral, v3) = (plain(GateConvention::Mixtral, 4, 2), plain(GateConvention::DeepSeekV3, 4, 2));
    let h = [0.0; 4];
    refused(route(&GateOptions { experts: 0, ..mixtral }, &h), "experts is 0");
    refused(route(&GateOptions { experts: usize::MAX, ..mixtral }, &h), "experts is 18446744073709551615");
    refused(route(&GateOptions { top_k: 0, ..mixtral }, &h), "top_k is 0");
    refused(route(&GateOptions { top_k: 5, ..mixtral }, &h), "top_k is 5: at most 4");
    refused(route(&GateOptions { groups: 2, ..mixtral }, &h), "groups is given");
    refused(route(&GateOptions { top_groups: 1, ..mixtral }, &h), "top_groups is given");
    refused(route(&GateOptions { scale: 1.0, ..mixtral }, &h), "scale is given");
    refused(route(&GateOptions { bias: &h, ..mixtral }, &h), "bias is given");
    refused(route(&GateOptions { groups: 3, ..v3 }, &h), "groups is 3: must divide");
    refused(route(&GateOptions { groups: 2, top_groups: 3, ..v3 }, &h), "top_groups is 3");
    refused(route(&GateOptions { groups: 4, top_groups: 1, ..v3 }, &h), "top_k is 2: at most 1");
    refused(route(&GateOptions { scale: -1.0, ..v3 }, &h), "scale is -1");
    refused(route(&GateOptions { scale: f64::NAN, ..v3 }, &h), "scale is NaN");
    refused(route(&GateOptions { bias: &h[..3], ..v3 }, &h), "bias has 3 elements");
    refused(route(&GateOptions { bias: &[0.0, 0.0, f64::INFINITY, 0.0], ..v3 }, &h), "bias[2] is inf");
    refused(route(&mixtral, &[0.0; 6]), "logits has 6 elements");
    refused(route(&mixtral, &[0.0, f64::NAN, 0.0, 0.0]), "logits[1] is NaN");
    refused(route(&mixtral, &[0.0, f64::INFINITY, 0.0, 0.0]), "logits[1] is inf");
}

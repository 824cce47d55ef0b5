//! Earlier occurrences of the end of the history, and the tokens that followed them.

use super::breakers::Breakers;

/// Calls `visit` with the token after each earlier occurrence of the last `n` tokens: the tokens that would complete an
/// (n + 1)-gram that the history already has. `borders` is scratch space. Linear time.
pub(crate) fn continuations(tokens: &[i32], n: usize, borders: &mut Vec<u32>, mut visit: impl FnMut(u32)) {
    /// Up to this length comparing at every position is faster for any tokens.
    const SHORT: usize = 16;
    let Some(start) = tokens.len().checked_sub(n) else { return };
    let suffix = &tokens[start..];
    let Some(&last) = suffix.last() else {
        tokens.iter().for_each(|&token| visit(token as u32));
        return;
    };
    if n <= SHORT {
        // `end` is the position after an occurrence. The last token is compared first: it nearly always differs.
        for end in n..tokens.len() {
            if tokens[end - 1] == last && tokens[end - n..end] == *suffix {
                visit(tokens[end] as u32);
            }
        }
        return;
    }
    // Knuth, Morris and Pratt: borders[i] is the length of the longest proper prefix that ends suffix[..=i].
    borders.clear();
    borders.push(0);
    let step = |mut length: usize, token: i32, borders: &[u32]| {
        while length > 0 && (length == n || suffix[length] != token) {
            length = borders[length - 1] as usize;
        }
        length + usize::from(suffix[length] == token)
    };
    let mut length = 0;
    for &token in &suffix[1..] {
        length = step(length, token, borders);
        borders.push(length as u32);
    }
    length = 0;
    for pair in tokens.windows(2) {
        length = step(length, pair[0], borders);
        if length == n {
            visit(pair[1] as u32);
        }
    }
}

/// Calls `visit(token, length)` for every token that would continue a repetition of at least `least` tokens of the
/// history's end, once for each such repetition.
///
/// `z` is scratch space. Linear time in the history's length: the Z-algorithm on the reversed history.
pub(crate) fn repetitions(
    tokens: &[i32],
    breakers: &Breakers,
    least: usize,
    z: &mut Vec<u32>,
    mut visit: impl FnMut(u32, usize),
) {
    let n = tokens.len();
    let limit = breakers.limit(tokens);
    if n <= least || limit < least {
        return;
    }
    // z[k]: how many tokens up to position n - 1 - k equal those at the end.
    z.clear();
    z.resize(n, 0);
    let back = |k: usize| tokens[n - 1 - k];
    let (mut left, mut right) = (0, 0);
    for k in 1..n {
        let mut length = if k < right { (right - k).min(z[k - left] as usize) } else { 0 };
        while k + length < n && back(length) == back(k + length) {
            length += 1;
        }
        if k + length > right {
            (left, right) = (k, k + length);
        }
        z[k] = length as u32;
        let (length, next) = (length.min(limit), back(k - 1) as u32);
        if length >= least && !breakers.has(next) {
            visit(next, length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Lcg;

    #[test]
    fn continuations_are_the_tokens_after_earlier_occurrences() {
        let follows = |tokens: &[i32], n| {
            let mut all = vec![];
            continuations(tokens, n, &mut Vec::new(), |t| all.push(t));
            all
        };
        assert_eq!(follows(&[1, 2, 3, 1, 2, 4, 1, 2], 2), [3, 4]);
        assert_eq!(follows(&[1, 2, 3, 1, 2, 4, 1, 2], 1), [3, 4]);
        assert_eq!(follows(&[5, 5, 5], 1), [5, 5], "an occurrence may overlap the end");
        assert_eq!(follows(&[1, 2], 0), [1, 2]);
        assert_eq!(follows(&[1, 2], 3), [], "the history is too short");
        assert_eq!(follows(&[], 0), []);
    }

    #[test]
    fn continuations_of_long_suffixes_equal_the_definition() {
        let mut random = Lcg::new(3);
        for round in 0..3000 {
            let values = 1 + random.below(2);
            let tokens: Vec<i32> = (0..random.below(90)).map(|_| random.below(values) as i32).collect();
            let n = 15 + random.below(12);
            let mut found = vec![];
            continuations(&tokens, n, &mut Vec::new(), |t| found.push(t));
            let suffix = &tokens[tokens.len().saturating_sub(n)..];
            let ends = (n..tokens.len()).filter(|&end| tokens[end - n..end] == *suffix);
            assert_eq!(found, ends.map(|end| tokens[end] as u32).collect::<Vec<_>>(), "round {round}: {tokens:?}, {n}");
        }
    }

    #[test]
    fn repetitions_match_the_definition_on_random_sequences() {
        let mut random = Lcg::new(7);
        for round in 0..2000 {
            let tokens: Vec<i32> = (0..random.below(40)).map(|_| random.below(3) as i32).collect();
            let least = 1 + random.below(3);
            let (mut found, mut expected) = (vec![], vec![]);
            repetitions(&tokens, &Breakers::default(), least, &mut Vec::new(), |t, l| found.push((t, l)));
            for end in (1..tokens.len()).rev() {
                let length = (0..end).take_while(|&i| tokens[end - 1 - i] == tokens[tokens.len() - 1 - i]).count();
                if length >= least {
                    expected.push((tokens[end] as u32, length));
                }
            }
            assert_eq!(found, expected, "round {round}: {tokens:?}");
        }
    }

    #[test]
    fn repetitions_end_at_a_breaker() {
        let longest = |tokens: &[i32], breakers: &[Vec<u32>]| {
            let mut longest = None;
            repetitions(tokens, &Breakers::new(breakers), 1, &mut Vec::new(), |t, l| {
                longest = longest.max(Some((l, t)))
            });
            longest
        };
        let tokens = [1, 2, 9, 3, 4, 7, 1, 2, 9, 3, 4];
        assert_eq!(longest(&tokens, &[]), Some((5, 7)));
        assert_eq!(longest(&tokens, &[vec![9]]), Some((2, 7)));
        assert_eq!(longest(&tokens, &[vec![9, 3]]), Some((1, 7)));
        assert_eq!(longest(&tokens, &[vec![9, 3], vec![9, 3, 4]]), None, "the longest breaker counts");
        assert_eq!(longest(&tokens, &[vec![9, 5]]), Some((5, 7)));
        assert_eq!(longest(&tokens, &[vec![7]]), None, "a breaker itself is not penalised");
    }
}

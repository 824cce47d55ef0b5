//! Parameters that are lists: of token ids, of token sequences, of biases, of keys.

/// The largest token id.
const LARGEST: u32 = i32::MAX as u32;

/// A failure is the end of a sentence that begins with the parameter's name.
type Parsed<T> = Result<Vec<T>, String>;

fn token(text: &str) -> Option<u32> {
    text.parse().ok().filter(|&token| token <= LARGEST)
}

/// `2 32000`
pub(super) fn tokens(text: &str) -> Parsed<u32> {
    let list: Option<Vec<u32>> = text.split_whitespace().map(token).collect();
    list.filter(|list| !list.is_empty()).ok_or_else(|| "must be token ids separated by spaces".into())
}

/// `13; 25 11`
pub(super) fn sequences(text: &str) -> Parsed<Vec<u32>> {
    let refuse = |_| "must be token ids separated by spaces, and sequences of them by semicolons".to_owned();
    text.split(';').map(|sequence| tokens(sequence).map_err(refuse)).collect()
}

/// `15:-2.5 30:-inf`
pub(super) fn biases(text: &str) -> Parsed<(u32, f32)> {
    let pair = |text: &str| {
        let (id, bias) = text.split_once(':')?;
        let bias: f32 = bias.parse().ok().filter(|b: &f32| b.is_finite() || *b == f32::NEG_INFINITY)?;
        Some((token(id)?, bias))
    };
    let list: Option<Vec<_>> = text.split_whitespace().map(pair).collect();
    let list = list.filter(|list| !list.is_empty());
    let list = list.ok_or("must be token:bias pairs separated by spaces, a bias finite or -inf")?;
    let mut ids: Vec<_> = list.iter().map(|pair| pair.0).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|w| w[0] == w[1]) {
        Some(twice) => Err(format!("names token {} twice", twice[0])),
        None => Ok(list),
    }
}

/// `0x9d3c55aa10f2e671 42`; the failure does not show the text.
pub(super) fn keys(text: &str, most: usize) -> Parsed<u64> {
    let key = |text: &str| match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        // (`from_str_radix` would take a sign.)
        Some(digits) if digits.bytes().all(|b| b.is_ascii_hexdigit()) => u64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        None => None,
    };
    let list: Option<Vec<u64>> = text.split_whitespace().map(key).collect();
    list.filter(|list| (1..=most).contains(&list.len())).ok_or_else(|| match most {
        1 => "must be a key: a whole number from 0 to 2^64 - 1, decimal or 0x and hexadecimal".into(),
        _ => format!(
            "must be 1 to {most} keys separated by spaces: whole numbers from 0 to 2^64 - 1, decimal or 0x and hexadecimal"
        ),
    })
}

/// The items with a separator between them.
pub(crate) fn joined<T: ToString>(list: impl IntoIterator<Item = T>, separator: &str) -> String {
    list.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_or_refused() {
        assert_eq!(tokens(" 2  2147483647 "), Ok(vec![2, 2_147_483_647]));
        assert_eq!(sequences("13;25 11 ; 7"), Ok(vec![vec![13], vec![25, 11], vec![7]]));
        assert_eq!(biases("15:-2.5 30:-inf 0:1e3"), Ok(vec![(15, -2.5), (30, f32::NEG_INFINITY), (0, 1000.0)]));
        for bad in ["", " ", "-1", "2147483648", "1.5", "1 x", "1;2"] {
            assert!(tokens(bad).is_err(), "{bad}");
        }
        for bad in ["", "1;", ";1", "1;;2", "a;1"] {
            assert!(sequences(bad).is_err(), "{bad}");
        }
        for bad in ["", "1", "1:", ":1", "1:inf", "1:nan", "-1:2", "1:2:3", "1:1e39"] {
            assert!(biases(bad).is_err(), "{bad}");
        }
        assert_eq!(biases("3:1 4:1 3:2"), Err("names token 3 twice".into()));
    }

    #[test]
    fn keys_are_read_or_refused_without_being_shown() {
        assert_eq!(
            keys(" 0 0xFF  0X9d3c55aa10f2e671 18446744073709551615 ", 4),
            Ok(vec![0, 255, 0x9d3c_55aa_10f2_e671, u64::MAX])
        );
        for bad in [
            "",
            " ",
            "-1",
            "+1",
            "0x",
            "0x+1",
            "x",
            "0x1ffffffffffffffff",
            "18446744073709551616",
            "1 2",
            "1.5",
            "hidden",
        ] {
            let why = keys(bad, 1).unwrap_err();
            assert!(bad.trim().len() < 3 || !why.contains(bad), "{why}");
        }
        assert!(keys("1 2 3", 2).is_err());
    }
}

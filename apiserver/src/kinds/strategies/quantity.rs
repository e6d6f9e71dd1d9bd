//! Quantities such as `500m` or `1Gi` (`k8s.io/apimachinery/pkg/api/resource`).

/// The amount in billionths; `None` if the text is no quantity or is larger than any that there is.
pub(super) fn parse(text: &str) -> Option<i128> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let places = u32::try_from(fraction.len()).ok()?;
    let scale = scale(suffix)?;
    let amount = digits.checked_mul(scale)?;
    Some(sign * (amount / 10_i128.checked_pow(places)?))
}

/// How many billionths one of a unit is.
fn scale(suffix: &str) -> Option<i128> {
    const ONE: i128 = 1_000_000_000;
    let decimal = |power: u32| Some(ONE * 10_i128.pow(power));
    let binary = |power: u32| Some(ONE << (10 * power));
    match suffix {
        "n" => Some(1),
        "u" => Some(1_000),
        "m" => Some(1_000_000),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = u32::try_from(power.checked_add(9)?).ok()?;
            (power <= 27).then(|| 10_i128.pow(power))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read() {
        for (text, amount) in [
            ("1", 1_000_000_000),
            ("500m", 500_000_000),
            ("0.5", 500_000_000),
            ("-1", -1_000_000_000),
            ("1Ki", 1_024_000_000_000),
            ("1e3", 1_000_000_000_000),
            ("1e-9", 1),
            (".5", 500_000_000),
        ] {
            assert_eq!(parse(text), Some(amount), "{text}");
        }
        for text in [
            "",
            "many",
            "1.2.3",
            "1X",
            "-",
            "99999999999999999999999999999999999999Ei",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

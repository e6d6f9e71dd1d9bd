//! The string formats that Kubernetes checks; others are taken as documentation.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use base64::Engine;
use regex::Regex;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant that the tests compile")
}

static UUID: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?([0-9a-f])[0-9a-f]{3}-?([0-9a-f])[0-9a-f]{3}-?[0-9a-f]{12}$",
    )
});
static DURATION: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$"));
static WORD_DURATION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^(\d+\s*(nanoseconds?|nanos?|nsecs?|ns|microseconds?|micros?|µs|us|milliseconds?|millis?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|hr|h|days?|d|weeks?|wks?|w)\s*)+$",
    )
});
static HOSTNAME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$",
    )
});
static EMAIL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^[^@\s<>()\[\],;:\\]+@[^@\s<>()\[\],;:\\]+$"));
static MAC: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i)^([0-9a-f]{2}([:-][0-9a-f]{2}){5}|[0-9a-f]{2}([:-][0-9a-f]{2}){7}|[0-9a-f]{4}([.][0-9a-f]{4}){2,3})$",
    )
});
static URI: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(/[^\s]*|[a-zA-Z][a-zA-Z0-9+.-]*:[^\s]+)$"));
static OBJECT_ID: LazyLock<Regex> = LazyLock::new(|| pattern("(?i)^[0-9a-f]{24}$"));
static HEX_COLOR: LazyLock<Regex> =
    LazyLock::new(|| pattern("^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"));
static RGB_COLOR: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$",
    )
});
static CREDIT_CARD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$",
    )
});
static SSN: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\d{3}[- ]?\d{2}[- ]?\d{4}$"));
static SHORT_NAME: LazyLock<Regex> =
    LazyLock::new(|| pattern("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"));
static LONG_NAME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"));
static QUANTITY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?[0-9]+))?$")
});

/// Does the text have the format? Unknown formats accept everything.
pub(in crate::schema) fn matches(format: &str, text: &str) -> bool {
    match format {
        "date-time" | "datetime" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        "duration" => DURATION.is_match(text) || WORD_DURATION.is_match(text),
        "byte" => is_base64(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.contains(':') && text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "uuid" | "uuid3" | "uuid4" | "uuid5" => is_uuid(format, text),
        "hostname" => text.len() <= 255 && HOSTNAME.is_match(text),
        "email" => EMAIL.is_match(text),
        "mac" => MAC.is_match(text),
        "uri" => URI.is_match(text),
        "bsonobjectid" => OBJECT_ID.is_match(text),
        "hexcolor" => HEX_COLOR.is_match(text),
        "rgbcolor" => RGB_COLOR.is_match(text),
        "creditcard" => CREDIT_CARD.is_match(&digits(text)),
        "ssn" => SSN.is_match(text),
        "isbn" => is_isbn10(text) || is_isbn13(text),
        "isbn10" => is_isbn10(text),
        "isbn13" => is_isbn13(text),
        "k8s-short-name" => SHORT_NAME.is_match(text),
        "k8s-long-name" => text.len() <= 253 && LONG_NAME.is_match(text),
        _ => true,
    }
}

/// `resource.Quantity`.
pub(in crate::schema) fn is_quantity(text: &str) -> bool {
    QUANTITY.is_match(text)
}

fn is_base64(text: &str) -> bool {
    let clean: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    base64::engine::general_purpose::STANDARD
        .decode(clean)
        .is_ok()
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let Ok(bits) = bits.parse::<u8>() else {
        return false;
    };
    match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => bits <= 32,
        Ok(std::net::IpAddr::V6(_)) => bits <= 128,
        Err(_) => false,
    }
}

fn is_uuid(format: &str, text: &str) -> bool {
    let Some(found) = UUID.captures(text) else {
        return false;
    };
    let (version, variant) = (found[1].to_lowercase(), found[2].to_lowercase());
    let rfc = matches!(variant.as_str(), "8" | "9" | "a" | "b");
    match format {
        "uuid3" => version == "3",
        "uuid4" => version == "4" && rfc,
        "uuid5" => version == "5" && rfc,
        _ => true,
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '-' | ' ')).collect()
}

fn is_isbn10(text: &str) -> bool {
    let code = digits(text);
    let mut sum = 0;
    for (index, c) in code.chars().enumerate() {
        let value = match c.to_digit(10) {
            Some(digit) => digit,
            None if index == 9 && matches!(c, 'X' | 'x') => 10,
            None => return false,
        };
        sum += value * (index as u32 + 1);
    }
    code.len() == 10 && sum.is_multiple_of(11)
}

fn is_isbn13(text: &str) -> bool {
    let code = digits(text);
    let values: Option<Vec<u32>> = code.chars().map(|c| c.to_digit(10)).collect();
    let Some(values) = values else { return false };
    let sum: u32 = values
        .iter()
        .enumerate()
        .map(|(i, v)| v * if i % 2 == 0 { 1 } else { 3 })
        .sum();
    values.len() == 13 && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_accept_and_refuse() {
        for (format, good, bad) in [
            ("date-time", "2024-01-01T00:00:00Z", "2024-01-01"),
            ("date", "2024-01-31", "2024-02-31"),
            ("duration", "1h30m", "1x"),
            ("byte", "aGk=", "a"),
            ("ipv4", "10.0.0.1", "10.0.0.256"),
            ("ipv6", "::1", "10.0.0.1"),
            ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
            ("uuid", "2c1e0f5a-1f0b-4c2e-9f0a-0123456789ab", "2c1e"),
            (
                "uuid4",
                "2c1e0f5a-1f0b-4c2e-9f0a-0123456789ab",
                "2c1e0f5a-1f0b-3c2e-9f0a-0123456789ab",
            ),
            ("hostname", "example.org", "-bad-.x"),
            ("email", "a@b.c", "ab.c"),
            ("mac", "01:23:45:67:89:ab", "01:23"),
            ("uri", "https://a.b/c", "no uri"),
            ("bsonobjectid", "0123456789abcdef01234567", "0123"),
            ("hexcolor", "#fff", "#ff"),
            ("rgbcolor", "rgb(1,2,3)", "rgb(1,2,300)"),
            ("creditcard", "4111 1111 1111 1111", "4111"),
            ("ssn", "111-22-3333", "1"),
            ("isbn10", "0-306-40615-2", "0306406153"),
            ("isbn13", "978-0-306-40615-7", "9780306406158"),
            ("isbn", "0306406152", "1"),
            ("k8s-short-name", "a-b", "a.b"),
            ("k8s-long-name", "a.b", "A.b"),
        ] {
            assert!(matches(format, good), "{format} {good}");
            assert!(!matches(format, bad), "{format} {bad}");
        }
        assert!(matches("whatever", "x"));
        assert!(
            is_quantity("1.5Gi")
                && is_quantity("100m")
                && is_quantity("1e3")
                && !is_quantity("1 Gi")
                && !is_quantity("")
        );
    }
}

//! How long ago something was, in the few characters that a column has.

use jiff::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// The age of an RFC 3339 time: `<unknown>` for none, `<invalid>` for what is not a time or lies in the future
/// (`metatable.ConvertToHumanReadableDateType`).
pub(crate) fn since(time: &str, now: Timestamp) -> String {
    if time.is_empty() {
        return "<unknown>".to_owned();
    }
    match time.parse::<Timestamp>() {
        Ok(then) => human(now.as_millisecond() - then.as_millisecond()),
        Err(_) => "<invalid>".to_owned(),
    }
}

/// A span in milliseconds, rounded down to one or two units (`k8s.io/apimachinery/pkg/util/duration.HumanDuration`).
/// Two seconds of clock difference are tolerated.
fn human(milliseconds: i64) -> String {
    let seconds = milliseconds / 1000;
    let two = |big: i64, unit: &str, small: i64, part: &str| {
        if small == 0 {
            format!("{big}{unit}")
        } else {
            format!("{big}{unit}{small}{part}")
        }
    };
    match seconds {
        ..=-2 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..=119 => format!("{seconds}s"),
        120..=599 => two(seconds / MINUTE, "m", seconds % MINUTE, "s"),
        600..=10_799 => format!("{}m", seconds / MINUTE),
        10_800..=28_799 => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "m"),
        28_800..=172_799 => format!("{}h", seconds / HOUR),
        172_800..=691_199 => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        691_200..=63_071_999 => format!("{}d", seconds / DAY),
        63_072_000..=252_287_999 => two(seconds / YEAR, "y", seconds % YEAR / DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_upstreams() {
        let cases = [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (121, "2m1s"),
            (599, "9m59s"),
            (600, "10m"),
            (3 * HOUR - 1, "179m"),
            (3 * HOUR, "3h"),
            (3 * HOUR + 61, "3h1m"),
            (8 * HOUR, "8h"),
            (2 * DAY - 1, "47h"),
            (2 * DAY, "2d"),
            (2 * DAY + HOUR, "2d1h"),
            (8 * DAY, "8d"),
            (2 * YEAR - 1, "729d"),
            (2 * YEAR + DAY, "2y1d"),
            (8 * YEAR, "8y"),
        ];
        for (seconds, text) in cases {
            assert_eq!(human(seconds * 1000), text);
        }
        let now: Timestamp = "2024-01-01T00:01:00Z".parse().unwrap();
        assert_eq!(since("2024-01-01T00:00:00Z", now), "60s");
        assert_eq!(since("", now), "<unknown>");
        assert_eq!(since("yesterday", now), "<invalid>");
    }
}

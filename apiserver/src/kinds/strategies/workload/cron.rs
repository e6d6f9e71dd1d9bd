//! CronJobs: their schedule in the form of `cron`, and their other rules.

use serde_json::Value;

use super::super::at::{At, Findings};
use super::job;

/// A Job's name is that of its CronJob and eleven characters more.
const LONGEST_NAME: usize = 52;

pub(super) fn validate(object: &Value, old: Option<&Value>, out: &mut Findings) {
    let spec = At::top(object, "spec");
    let schedule = spec.field("schedule");
    let text = schedule.text();
    if text.is_empty() {
        out.push(schedule.required(""));
    } else if text.contains("TZ") {
        out.push(
            schedule.invalid("cannot use TZ or CRON_TZ in schedule, use timeZone field instead"),
        );
    } else if let Err(why) = parse(text) {
        out.push(schedule.invalid(why));
    }
    spec.field("startingDeadlineSeconds").not_negative(out);
    time_zone(&spec.field("timeZone"), out);
    spec.field("concurrencyPolicy")
        .one_of(&["Allow", "Forbid", "Replace"], out);
    job::spec(&spec.down(&["jobTemplate", "spec"]), out);
    spec.field("successfulJobsHistoryLimit").not_negative(out);
    spec.field("failedJobsHistoryLimit").not_negative(out);
    let name = At::top(object, "metadata").field("name");
    if old.is_none() && name.text().len() > LONGEST_NAME {
        out.push(name.invalid(format!("must be no more than {LONGEST_NAME} characters")));
    }
}

/// A zone that the machine knows; where it knows none, any is taken.
fn time_zone(zone: &At<'_>, out: &mut Findings) {
    if !zone.is_set() {
        return;
    }
    let text = zone.text();
    let known = jiff::tz::db().is_definitively_empty() || jiff::tz::TimeZone::get(text).is_ok();
    if text.is_empty() {
        out.push(zone.invalid("timeZone must be nil or non-empty string"));
    } else if text.eq_ignore_ascii_case("local") {
        out.push(zone.invalid(
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        ));
    } else if !known {
        out.push(zone.invalid(format!("unknown time zone {text}")));
    }
}

/// Names and bounds of the five fields.
const FIELDS: [(u32, u32, &[&str]); 5] = [
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (
        1,
        12,
        &[
            "", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    ),
    (0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

/// Reads a schedule as upstream's parser (`robfig/cron`) does.
fn parse(text: &str) -> Result<(), String> {
    if let Some(word) = text.strip_prefix('@') {
        let known = [
            "yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly",
        ];
        let every = word.strip_prefix("every ").is_some_and(is_duration);
        return match known.contains(&word) || every {
            true => Ok(()),
            false => Err(format!("unrecognized descriptor: {text}")),
        };
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        let found = format!("found {}: [{}]", fields.len(), fields.join(" "));
        return Err(format!("expected exactly 5 fields, {found}"));
    }
    for (field, bounds) in fields.iter().zip(FIELDS) {
        for part in field.split(',').filter(|part| !part.is_empty()) {
            range(part, bounds)?;
        }
    }
    Ok(())
}

/// `5`, `1-5`, `*/2`, `mon-fri`.
fn range(text: &str, (least, most, words): (u32, u32, &[&str])) -> Result<(), String> {
    let (span, step) = match text.split('/').collect::<Vec<_>>().as_slice() {
        [span] => (*span, None),
        [span, step] => (*span, Some(*step)),
        _ => return Err(format!("too many slashes: {text}")),
    };
    let number = |part: &str| -> Result<u32, String> {
        let lower = part.to_ascii_lowercase();
        if let Some(index) = words
            .iter()
            .position(|word| !word.is_empty() && *word == lower)
        {
            return Ok(u32::try_from(index).unwrap_or(u32::MAX));
        }
        part.parse().map_err(|_| {
            format!(
                "failed to parse int from {part}: strconv.Atoi: parsing {part:?}: invalid syntax"
            )
        })
    };
    let (start, mut end) = match span.split('-').collect::<Vec<_>>().as_slice() {
        ["*" | "?"] => (least, most),
        [one] => {
            let one = number(one)?;
            (one, one)
        }
        [from, to] => (number(from)?, number(to)?),
        _ => return Err(format!("too many hyphens: {text}")),
    };
    if let Some(step) = step {
        if number(step)? == 0 {
            return Err(format!("step of range should be a positive number: {text}"));
        }
        if start == end {
            end = most;
        }
    }
    if start < least {
        return Err(format!(
            "beginning of range ({start}) below minimum ({least}): {text}"
        ));
    }
    if end > most {
        return Err(format!(
            "end of range ({end}) above maximum ({most}): {text}"
        ));
    }
    if start > end {
        return Err(format!(
            "beginning of range ({start}) beyond end of range ({end}): {text}"
        ));
    }
    Ok(())
}

/// `1h30m`.
fn is_duration(text: &str) -> bool {
    let mut rest = text;
    let mut parts = 0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let units = ["ns", "us", "µs", "ms", "s", "m", "h"];
        let unit = units
            .iter()
            .filter(|unit| rest[digits..].starts_with(**unit))
            .max_by_key(|unit| unit.len());
        let Some(unit) = unit.filter(|_| digits > 0) else {
            return false;
        };
        rest = &rest[digits + unit.len()..];
        parts += 1;
    }
    parts > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read() {
        for good in [
            "*/5 * * * *",
            "0 0 1-7,15 jan-mar mon",
            "@daily",
            "@every 1h30m",
            "? * * * 6",
        ] {
            assert_eq!(parse(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("often", "expected exactly 5 fields, found 1: [often]"),
            ("61 * * * *", "end of range (61) above maximum (59): 61"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            (
                "5-1 * * * *",
                "beginning of range (5) beyond end of range (1): 5-1",
            ),
            (
                "*/0 * * * *",
                "step of range should be a positive number: */0",
            ),
            ("@often", "unrecognized descriptor: @often"),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ] {
            assert_eq!(parse(bad), Err(why.to_owned()), "{bad}");
        }
        assert!(parse("x * * * *").is_err());
    }
}

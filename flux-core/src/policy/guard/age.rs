//! Durations, as Go writes them and with days and weeks.

use jiff::SignedDuration;

/// The units, with their nanoseconds; of those that start alike the longer ones come first.
const UNITS: [(&str, i128); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
    ("d", 24 * 3_600 * 1_000_000_000),
    ("w", 7 * 24 * 3_600 * 1_000_000_000),
];

/// The longest duration read: 100 years of 365 days, in nanoseconds.
const LONGEST: i128 = 100 * 365 * 24 * 3_600 * 1_000_000_000;

/// Reads a duration as Go writes it, such as `24h`, `1h30m` or `1.5h`, and with days of 24 hours
/// (`7d`) and weeks (`2w`).
///
/// ```
/// # use flux_core::policy::parse_duration;
/// assert_eq!(parse_duration("1d12h").map(|d| d.as_hours()), Some(36));
/// assert_eq!(parse_duration("a while"), None);
/// ```
///
/// `None` for anything else, for negative durations, and for more than 100 years.
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    if text == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut rest = text;
    let mut sum: i128 = 0;
    while !rest.is_empty() || text.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = after.strip_prefix('.').map_or(("", after), digits);
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        // `m` must not take the first letter of `ms`, so the longest unit that fits counts.
        let (unit, nanos) =
            UNITS.iter().filter(|(unit, _)| after.starts_with(unit)).max_by_key(|(unit, _)| unit.len())?;
        sum = sum.checked_add(scaled(whole, fraction, *nanos)?)?;
        rest = &after[unit.len()..];
    }
    let nanos = (sum <= LONGEST).then_some(sum)?;
    Some(SignedDuration::new(
        i64::try_from(nanos / 1_000_000_000).ok()?,
        i32::try_from(nanos % 1_000_000_000).ok()?,
    ))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// `whole.fraction` times `unit`, cut off below the nanosecond.
fn scaled(whole: &str, fraction: &str, unit: i128) -> Option<i128> {
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // A fraction of a week has 15 digits that count in nanoseconds.
    let fraction = &fraction[..fraction.len().min(15)];
    let part: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    whole.checked_mul(unit)?.checked_add(part.checked_mul(unit)? / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go_and_days_and_weeks() {
        let table = [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("1ns", Some(1)),
            ("1us", Some(1_000)),
            ("1µs", Some(1_000)),
            ("2ms", Some(2_000_000)),
            ("1m", Some(60_000_000_000)),
            ("1m1ms", Some(60_001_000_000)),
            ("24h", Some(86_400_000_000_000)),
            ("1h30m", Some(5_400_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            (".5s", Some(500_000_000)),
            ("7d", Some(604_800_000_000_000)),
            ("2w", Some(1_209_600_000_000_000)),
            ("1w1d", Some(691_200_000_000_000)),
            ("", None),
            ("1", None),
            ("h", None),
            ("-1h", None),
            ("+1h", None),
            ("1 h", None),
            ("1h ", None),
            ("1y", None),
            ("1H", None),
            (".h", None),
            ("1..5h", None),
            ("NaNh", None),
            ("99999999999999999999999999999999999999999h", None),
            ("5300w", None),
        ];
        for (text, nanos) in table {
            assert_eq!(parse_duration(text).map(|d| d.as_nanos()), nanos, "{text}");
        }
    }
}

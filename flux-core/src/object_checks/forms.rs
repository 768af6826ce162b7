//! The forms that values must have: quantities, base64, times, names, labels.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::Value;

/// The beginnings of what another tool is to fill in.
const BLANKS: [&str; 3] = ["${", "$(", "{{"];

/// Returns `true` if a text is what is sent, and nothing that another tool is to fill in.
pub(super) fn is_final(text: &str) -> bool {
    !BLANKS.iter().any(|blank| text.contains(blank))
}

/// Returns the beginning of a text that may be long.
pub(super) fn short(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Returns the whole number that the API server reads: `2.0` is one.
pub(super) fn whole(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "a float without a fraction, within the bounds")]
    let of_float = |number: f64| {
        const BOUND: f64 = 9_007_199_254_740_992.0;
        (number.fract() == 0.0 && number.abs() <= BOUND).then_some(number as i64)
    };
    value.as_i64().or_else(|| value.as_f64().and_then(of_float))
}

pub(super) fn is_int64(value: &Value) -> bool {
    whole(value).is_some()
}

pub(super) fn is_int32(value: &Value) -> bool {
    whole(value).is_some_and(|number| i32::try_from(number).is_ok())
}

pub(super) fn is_negative(value: &Value) -> bool {
    whole(value).is_some_and(i64::is_negative)
}

/// Returns `true` for what the API server reads as a quantity.
///
/// `^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$`, and a suffix that there is.
pub(super) fn is_quantity(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::String(text) => quantity(text).is_some(),
        _ => false,
    }
}

/// Returns a quantity as a number and the factor of its suffix.
fn quantity(text: &str) -> Option<(&str, f64)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024.0_f64.powi(2),
        "Gi" => 1024.0_f64.powi(3),
        "Ti" => 1024.0_f64.powi(4),
        "Pi" => 1024.0_f64.powi(5),
        "Ei" => 1024.0_f64.powi(6),
        _ => 10.0_f64.powi(suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    Some((number, factor))
}

/// Returns about how much a quantity is; `None` if it is none.
pub(super) fn amount(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let (number, factor) = quantity(text)?;
            Some(number.parse::<f64>().ok()? * factor)
        }
        _ => None,
    }
}

/// As Go reads it: bits that no byte has are not looked at.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Returns `true` for base64, which may be wrapped.
pub(super) fn is_base64(text: &str) -> bool {
    let joined: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    BASE64.decode(joined).is_ok()
}

/// Returns `true` for a time as in RFC 3339; an empty text is no time, and accepted.
pub(super) fn is_time(text: &str) -> bool {
    text.is_empty() || text.parse::<jiff::Timestamp>().is_ok()
}

/// Returns the problem of a text that is to be a label of DNS (RFC 1123): `web-1`.
pub(super) fn label_problem(text: &str) -> Option<&'static str> {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.len() > 63 {
        Some("it has more than 63 characters")
    } else if !text.bytes().all(is_inner) {
        Some("it takes lower-case letters, digits and `-`")
    } else if text.is_empty() || text.starts_with('-') || text.ends_with('-') {
        Some("it starts and ends with a letter or a digit")
    } else {
        None
    }
}

/// Returns the problem of a text that is to be labels of DNS with dots between them.
pub(super) fn subdomain_problem(text: &str) -> Option<&'static str> {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    let is_bad = |label: &str| label.is_empty() || label.starts_with('-') || label.ends_with('-');
    if text.len() > 253 {
        Some("it has more than 253 characters")
    } else if !text.bytes().all(is_inner) {
        Some("it takes lower-case letters, digits, `-` and `.`")
    } else if text.split('.').any(is_bad) {
        Some("each part between dots starts and ends with a letter or a digit")
    } else {
        None
    }
}

/// Returns the problem of a text that is to be a segment of the path of a URL.
pub(super) fn segment_problem(text: &str) -> Option<&'static str> {
    if matches!(text, "." | "..") {
        Some("it cannot be `.` or `..`")
    } else if text.contains(['/', '%']) {
        Some("it cannot have `/` or `%`")
    } else {
        None
    }
}

/// Returns the problem of the part of a key behind its prefix, or of the value of a label.
fn part_problem(text: &str) -> Option<&'static str> {
    let is_inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let is_end = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    if text.len() > 63 {
        Some("it has more than 63 characters")
    } else if !text.bytes().all(is_inner) {
        Some("it takes letters, digits, `-`, `_` and `.`")
    } else if !is_end(text.as_bytes().first()) || !is_end(text.as_bytes().last()) {
        Some("it starts and ends with a letter or a digit")
    } else {
        None
    }
}

/// Returns the problem of the value of a label; it may be empty.
pub(super) fn label_value_problem(text: &str) -> Option<&'static str> {
    if text.is_empty() { None } else { part_problem(text) }
}

/// Returns the problem of a key of labels or annotations: `name`, `example.com/name`.
pub(super) fn key_problem(key: &str) -> Option<&'static str> {
    let Some((prefix, name)) = key.split_once('/') else { return part_problem(key) };
    if name.contains('/') {
        return Some("it has more than one `/`");
    }
    part_problem(name)
        .or_else(|| subdomain_problem(prefix).map(|_| "before the `/` stands a name of DNS, as example.com"))
}

/// Returns the problem of the name of a port: `http-2`.
pub(super) fn port_name_problem(name: &str) -> Option<&'static str> {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.len() > 15 {
        Some("it has more than 15 characters")
    } else if !name.bytes().all(is_inner) {
        Some("it takes lower-case letters, digits and `-`")
    } else if !name.bytes().any(|b| b.is_ascii_lowercase()) {
        Some("it needs a letter")
    } else if name.starts_with('-') || name.ends_with('-') || name.contains("--") {
        Some("each `-` stands between letters or digits")
    } else {
        None
    }
}

/// Returns `true` for a whole number from 0 on, or a text as `25%`.
pub(super) fn is_share(value: &Value) -> bool {
    match value {
        Value::String(text) => text
            .strip_suffix('%')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())),
        other => whole(other).is_none_or(|number| number >= 0),
    }
}

//! The typed values of scalars, as Kubernetes reads them: YAML 1.1 by Go's library.

use std::borrow::Cow;

use granit_parser::Tag as YamlTag;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Number, Value};

/// The style in which a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Nothing is written: a null.
    Absent,
    Plain,
    Single,
    Double,
    /// `|` or `>`. The span covers the text without its header.
    Block,
}

/// A tag written before a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// `!`, the non-specific tag.
    NonSpecific,
    Str,
    Int,
    Float,
    Bool,
    Null,
    Binary,
    Timestamp,
    Merge,
    /// Any other tag; Kubernetes ignores it.
    Other,
}

impl Tag {
    pub(crate) fn of(tag: &YamlTag) -> Self {
        match tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() {
            Some("str") => Self::Str,
            Some("int") => Self::Int,
            Some("float") => Self::Float,
            Some("bool") => Self::Bool,
            Some("null") => Self::Null,
            Some("binary") => Self::Binary,
            Some("timestamp") => Self::Timestamp,
            Some("merge") => Self::Merge,
            _ if tag.parts() == ("", "!") => Self::NonSpecific,
            _ => Self::Other,
        }
    }
}

/// The typed value of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// An integer past `i64`.
    Big(u64),
    Float(f64),
    Text(Cow<'a, str>),
}

/// Reads a scalar.
///
/// # Errors
/// The problem, if the text does not fit its tag.
pub(crate) fn resolve(text: &str, style: Style, tag: Option<Tag>) -> Result<Scalar<'_>, String> {
    let plain = matches!(style, Style::Plain | Style::Absent);
    let untyped = |text| resolve_plain(text).unwrap_or(Scalar::Text(Cow::Borrowed(text)));
    // The text may be a secret and is not repeated.
    let wrong = |what| Err(format!("the text is not {what}, which its tag says"));
    match tag {
        None if plain => Ok(untyped(text)),
        None | Some(Tag::Str | Tag::NonSpecific | Tag::Other | Tag::Merge) => {
            Ok(Scalar::Text(Cow::Borrowed(text)))
        }
        Some(Tag::Timestamp) if is_date(text) => Ok(Scalar::Text(Cow::Borrowed(text))),
        Some(Tag::Timestamp) => wrong("a time"),
        Some(Tag::Binary) => {
            let joined: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
            STANDARD.decode(joined).map_or_else(
                |_| Err("the text is not base64, which its tag says".to_owned()),
                |bytes| Ok(Scalar::Text(Cow::Owned(go_lossy(&bytes)))),
            )
        }
        Some(Tag::Null) => match untyped(text) {
            Scalar::Null => Ok(Scalar::Null),
            _ => wrong("null"),
        },
        Some(Tag::Bool) => match untyped(text) {
            found @ Scalar::Bool(_) => Ok(found),
            _ => wrong("a truth value"),
        },
        Some(Tag::Int) => match untyped(text) {
            found @ (Scalar::Int(_) | Scalar::Big(_)) => Ok(found),
            _ => wrong("an integer"),
        },
        #[expect(clippy::cast_precision_loss, reason = "a float is what the tag asks for")]
        Some(Tag::Float) => match untyped(text) {
            Scalar::Int(i) => Ok(Scalar::Float(i as f64)),
            found @ Scalar::Float(_) => Ok(found),
            _ => wrong("a number"),
        },
    }
}

/// Returns bytes as Go writes them into JSON.
///
/// Each byte that is not UTF-8 becomes a replacement character of its own.
fn go_lossy(bytes: &[u8]) -> String {
    let chunk =
        |chunk: std::str::Utf8Chunk<'_>| chunk.valid().to_owned() + &"\u{fffd}".repeat(chunk.invalid().len());
    bytes.utf8_chunks().map(chunk).collect()
}

/// Returns `true` if a text starts with a date.
pub(crate) fn is_date(text: &str) -> bool {
    text.len() > 5 && text.as_bytes()[..4].iter().all(u8::is_ascii_digit) && text.as_bytes()[4] == b'-'
}

/// Returns the typed value of a plain text; `None` if it is a string.
pub(crate) fn resolve_plain(text: &str) -> Option<Scalar<'static>> {
    let first = match text.as_bytes().first() {
        None => return Some(Scalar::Null),
        Some(first) => *first,
    };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(text),
        b'.' => word(text).or_else(|| go_float(text).map(Scalar::Float)),
        b'+' | b'-' | b'0'..=b'9' => word(text).or_else(|| number(text)),
        _ => None,
    }
}

fn word(text: &str) -> Option<Scalar<'static>> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn number(text: &str) -> Option<Scalar<'static>> {
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.strip_prefix(['+', '-']) {
        Some(rest) => (plain.starts_with('-'), rest),
        None => (false, plain.as_str()),
    };
    if let Some(magnitude) = integer(digits) {
        let signed = plain.len() != digits.len();
        if negative && magnitude <= i64::MIN.unsigned_abs() {
            return Some(Scalar::Int(0_i64.wrapping_sub_unsigned(magnitude)));
        }
        match i64::try_from(magnitude) {
            Ok(value) if !negative => return Some(Scalar::Int(value)),
            Err(_) if !signed => return Some(Scalar::Big(magnitude)),
            _ => {}
        }
    }
    go_float(&plain).map(Scalar::Float)
}

/// Returns the value of the digits of an integer.
///
/// They are decimal, or have the prefix `0x`, `0o`, `0b`, or `0` for octal.
fn integer(digits: &str) -> Option<u64> {
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// Returns the value of a decimal float that fits into an `f64`.
///
/// Its form is `[-+]? ( . digits | digits [ . digits? ] ) ( [eE] [-+]? digits )?`.
fn go_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    let exponent_ok = exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)));
    if !mantissa_ok || !exponent_ok {
        return None;
    }
    text.parse::<f64>().ok().filter(|f| f.is_finite())
}

/// Returns the JSON value of a scalar, as it arrives at the API server.
///
/// # Errors
/// The problem, for numbers that JSON does not have.
pub(crate) fn to_json(scalar: Scalar<'_>) -> Result<Value, String> {
    #[expect(clippy::cast_precision_loss, reason = "Kubernetes reads what is past i64 as a float")]
    Ok(match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(b) => Value::Bool(b),
        Scalar::Int(i) => Value::Number(i.into()),
        Scalar::Big(u) => json_float(u as f64)?,
        Scalar::Float(f) => json_float(f)?,
        Scalar::Text(text) => Value::String(text.into_owned()),
    })
}

/// Returns the type of a value, for people; `None` if it is a string.
pub(crate) fn other_than_text(value: &Value) -> Option<String> {
    Some(match value {
        Value::String(_) => return None,
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => format!("the truth value {truth}"),
        Value::Number(number) => format!("the number {number}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    })
}

/// Returns a float as JSON, in the way of Go and Kubernetes.
///
/// Go writes a whole float without a point, with zeros for the digits that it does not need, and
/// Kubernetes then reads an integer if it fits.
fn json_float(f: f64) -> Result<Value, String> {
    const EXPONENT_FROM: f64 = 1e21;
    if f.fract() == 0.0
        && f.abs() < EXPONENT_FROM
        && let Ok(whole) = f.to_string().parse::<i64>()
    {
        return Ok(Value::Number(whole.into()));
    }
    Number::from_f64(f).map(Value::Number).ok_or_else(|| "JSON has no such number".to_owned())
}

/// Returns the text of a mapping key, as Kubernetes reads it.
///
/// # Errors
/// The problem, for keys that JSON cannot have.
pub(crate) fn to_key(scalar: Scalar<'_>) -> Result<String, String> {
    match scalar {
        Scalar::Text(text) => Ok(text.into_owned()),
        Scalar::Bool(b) => Ok(b.to_string()),
        Scalar::Int(i) => Ok(i.to_string()),
        Scalar::Float(f) => Ok(go_g32(f)),
        Scalar::Big(_) => Err("an integer past 64 bits cannot be a key".to_owned()),
        Scalar::Null => Err("null cannot be a key".to_owned()),
    }
}

/// Returns a float in Go's shortest `%g` of 32 bits, which is how Go writes keys.
fn go_g32(f: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "32 bits are what Go keeps of a key")]
    let f = f as f32;
    if f.is_nan() {
        return ".nan".to_owned();
    }
    if f.is_infinite() {
        return if f > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{f:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        format!("{f}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    }
}

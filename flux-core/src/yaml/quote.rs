//! Quoting: writing a text so that every reader reads it back as that text.

use std::fmt::Write as _;

use super::scalar::{Scalar, Style, is_date, resolve_plain};

/// The surroundings of a scalar that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Context {
    /// In indented lines.
    #[default]
    Block,
    /// Between `{}` or `[]`.
    Flow,
    /// Between `{}` or `[]`, in a document that JSON readers read too.
    Json,
}

/// Returns a text as a new scalar: plain if that is safe, else in quotes.
pub(crate) fn write(text: &str, context: Context) -> String {
    match context {
        Context::Json => double(text),
        Context::Flow if text.contains(['[', ']', '{', '}', ',']) => quoted(text),
        Context::Block | Context::Flow if plain_is_itself(text) => text.to_owned(),
        Context::Block | Context::Flow => quoted(text),
    }
}

/// Returns a text in the style of the scalar `source`, which it replaces.
///
/// Where `source` is plain and no string (a number, a boolean), the text is always quoted: without
/// quotes the next number would be read as one again, and a JSON document would be invalid.
pub(crate) fn rewrite(source: &str, text: &str, context: Context) -> String {
    match style_of(source) {
        Style::Single => single(text).unwrap_or_else(|| double(text)),
        Style::Double => double(text),
        Style::Plain if !source.starts_with('*') && !reads_as_text(source) => double(text),
        Style::Plain | Style::Absent => write(text, context),
        Style::Block => {
            let header = source.lines().next().unwrap_or_default();
            let comment = header.find(" #").map_or("", |at| &header[at..]);
            write(text, context) + comment
        }
    }
}

/// Returns the style of a scalar's source text.
///
/// An alias counts as plain.
fn style_of(source: &str) -> Style {
    match source.bytes().next() {
        None => Style::Absent,
        Some(b'\'') => Style::Single,
        Some(b'"') => Style::Double,
        Some(b'|' | b'>') => Style::Block,
        Some(_) => Style::Plain,
    }
}

fn reads_as_text(plain: &str) -> bool {
    matches!(resolve_plain(plain), None | Some(Scalar::Text(_)))
}

/// Returns `true` if every reader reads a text written plain in a block as that text.
///
/// These are readers of YAML 1.1 and 1.2, and Go's.
pub(crate) fn plain_is_itself(text: &str) -> bool {
    const INDICATORS: &str = "-?:,[]{}#&*!|>'\"%@`=<~";
    let Some(first) = text.chars().next() else { return false };
    !INDICATORS.contains(first)
        && text.chars().all(one_line)
        && !text.starts_with(char::is_whitespace)
        && !text.ends_with(char::is_whitespace)
        && !text.ends_with(':')
        && ![": ", ":\t", " #", "\t#"].iter().any(|mark| text.contains(mark))
        && !text.starts_with("...")
        && resolve_plain(text).is_none()
        && !other_readers_differ(text)
}

/// Returns `true` if YAML 1.1 or 1.2 types a plain text otherwise than Go does.
///
/// These are numbers to base 60, dates, and floats that are too large.
fn other_readers_differ(text: &str) -> bool {
    let number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let base_60 = text.contains(':') && text.bytes().all(|b| b.is_ascii_digit() || b"+-_:.".contains(&b));
    number && (base_60 || is_date(text) || text.replace('_', "").parse::<f64>().is_ok())
}

/// Returns `true` if a character can stand unescaped in a line of text.
fn one_line(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn quoted(text: &str) -> String {
    if text.contains(['\\', '"']) { single(text).unwrap_or_else(|| double(text)) } else { double(text) }
}

/// Returns a text in single quotes, if it can be written so on one line.
fn single(text: &str) -> Option<String> {
    text.chars().all(one_line).then(|| format!("'{}'", text.replace('\'', "''")))
}

/// Returns a text in double quotes, escaped so that both YAML and JSON read it back.
fn double(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if one_line(c) => out.push(c),
            c => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

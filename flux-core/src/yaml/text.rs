//! The bytes of a file as text, and the parser of that text: the start of every reader of a file.

use granit_parser::{Marker, Parser, StrInput, options};

use super::limits::Limit;
use crate::{
    finding::{Code, Problem},
    position::Position,
};

/// The remedy for a file that is too large.
pub(crate) const TOO_LARGE: &str = "split the file, or write out what its aliases repeat";

/// Returns the text of a file, unless it has bytes that YAML does not allow.
pub(crate) fn checked(source: &[u8]) -> Result<&str, Box<Problem>> {
    let problem = |code, offset: usize, evidence: String, remedy: &str| {
        Box::new(Problem::new(code, position_of(source, offset), evidence, remedy))
    };
    if source.len() > Limit::BYTES {
        return Err(problem(Code::TooLarge, 0, Limit::Bytes.evidence(), TOO_LARGE));
    }
    let text = std::str::from_utf8(source).map_err(|e| {
        let evidence = format!("the bytes from {} on are not UTF-8", e.valid_up_to());
        problem(Code::InvalidYaml, e.valid_up_to(), evidence, "save the file as UTF-8")
    })?;
    match control(source) {
        None => Ok(text),
        Some(at) => {
            let evidence = format!("the control character U+{:04X} is not allowed in YAML", source[at]);
            let remedy = "remove it, or write it as an escape between double quotes";
            Err(problem(Code::InvalidYaml, at, evidence, remedy))
        }
    }
}

/// Returns the place of the first control character that YAML does not allow.
fn control(source: &[u8]) -> Option<usize> {
    /// The bytes that are looked at together, without a branch for each.
    const STEP: usize = 64;
    let is_control = |b: u8| (b < 0x20) & (b != b'\t') & (b != b'\n') & (b != b'\r') | (b == 0x7f);
    let has_one = |step: &[u8]| step.iter().fold(false, |any, b| any | is_control(*b));
    let step = source.chunks(STEP).position(has_one)?;
    let start = step * STEP;
    source.iter().skip(start).position(|b| is_control(*b)).map(|at| start + at)
}

/// Returns the parser of a text, with the limit of depth.
pub(crate) fn parser(text: &str) -> Parser<'_, StrInput<'_>> {
    let mut options = options! {
        emit_anchor_events: true,
        flow_nesting_limit: Limit::DEPTH,
        block_nesting_limit: Limit::DEPTH,
    };
    options.set_emit_comments(false);
    Parser::new_from_str_with_options(text, options)
}

/// Returns the position of a byte.
fn position_of(source: &[u8], offset: usize) -> Position {
    let before = &source[..offset];
    let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
    position(line, column)
}

/// Returns the text before a byte; empty if no character starts there.
///
/// The parser gives the byte, and none of its positions may cause a panic.
pub(crate) fn before(text: &str, at: usize) -> &str {
    text.get(..at).unwrap_or_default()
}

/// Returns the text from a byte on; empty if no character starts there.
pub(crate) fn from(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

/// Returns the text between two bytes.
///
/// It is empty if no characters start there, or if the bytes are in the wrong order.
pub(crate) fn between(text: &str, start: usize, end: usize) -> &str {
    text.get(start..end).unwrap_or_default()
}

/// Returns the position of a parser's marker.
pub(crate) fn marker_position(at: &Marker) -> Position {
    position(at.line(), at.col() + 1)
}

/// Returns the position of a line and a column, both counted from 1.
pub(crate) fn position(line: usize, column: usize) -> Position {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position { line: count(line), column: count(column) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_control_character_is_found_wherever_it_stands() {
        for at in [0, 1, 63, 64, 65, 200] {
            for byte in [0, 0x1f, 0x7f] {
                let mut source = b"a\tb\r\n \xc3\xa9".repeat(40);
                source[at] = byte;
                source[at + 3] = byte;
                assert_eq!(control(&source), Some(at));
            }
        }
        assert_eq!(control(&b"a\tb\r\n ~".repeat(40)), None);
    }

    #[test]
    fn no_position_causes_a_panic() {
        for (at, parts) in [(0, ("", "éa")), (1, ("", "")), (2, ("é", "a")), (3, ("éa", "")), (4, ("", ""))]
        {
            assert_eq!((before("éa", at), from("éa", at)), parts, "{at}");
        }
        for (start, end, part) in [(0, 2, "é"), (2, 3, "a"), (1, 3, ""), (3, 2, ""), (2, 9, "")] {
            assert_eq!(between("éa", start, end), part, "{start}..{end}");
        }
    }
}

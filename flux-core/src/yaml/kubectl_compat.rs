//! Text that kubectl reads and the parser refuses: it is mended before it is parsed.
//!
//! The mended text has the same meaning. Positions in it are reported as positions in the file.
//!
//! | in the file | why kubectl reads it |
//! |---|---|
//! | `---# text` | a line that starts with `---` separates documents, whatever comment follows |
//! | a byte order mark behind a separator | files were concatenated |
//! | `"it\'s"` | Go's reader knows the escape |
//! | `"a"#b`, `{}#b` | it wants no blank before a comment there |
//! | a text between quotes that goes on at the indentation of its key | it does not look at the indentation there |
//! | tabs before a line between braces | nor there |
//! | `{…}{…}` | a file that starts like JSON is read as JSON, one object after the other |

use std::collections::BTreeMap;

use granit_parser::{ErrorKind, Event, Marker, Span, StructureStyle};

use super::{
    limits::Limit,
    text::{before, between, from, parser, position},
};
use crate::position::Position;

/// A text with the meaning that a file has to kubectl.
#[derive(Debug)]
pub(crate) struct Mended {
    /// The text to parse.
    pub text: String,
    marks: Vec<Mark>,
}

/// A place where the text and the file differ.
#[derive(Debug)]
struct Mark {
    /// The bytes in the file.
    from: (usize, usize),
    /// The bytes in the text.
    to: (usize, usize),
    /// The number of lines by which the rest of the text stands lower than in the file.
    lines: usize,
    /// The number of characters by which the rest of the line stands further right than in the
    /// file.
    shift: isize,
    /// The byte at which the line ends in the file.
    line_end: usize,
}

/// A byte of a file and its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub byte: usize,
    pub position: Position,
}

/// Returns the position in the file of a position in the parsed text.
///
/// `mended` is the parsed text, if it is not the file's own.
pub(crate) fn place(marker: &Marker, mended: Option<&Mended>) -> At {
    let byte = marker.byte_offset().unwrap_or_default();
    let (line, column) = (marker.line(), marker.col());
    let (byte, line, column) = mended.map_or((byte, line, column), |m| m.original(byte, line, column));
    At { byte, position: position(line, column + 1) }
}

impl Mended {
    fn new(file: &str, patches: &Patches) -> Self {
        let mut text =
            String::with_capacity(file.len() + patches.values().map(|p| p.new.len()).sum::<usize>());
        let mut marks: Vec<Mark> = Vec::with_capacity(patches.len());
        let (mut done, mut lines) = (0, 0);
        for (&(at, _), patch) in patches {
            text.push_str(between(file, done, at));
            let start = text.len();
            text.push_str(&patch.new);
            done = done.max(at + patch.gone);
            let same_line = marks.last().filter(|last| at <= last.line_end);
            let line_end = match same_line {
                Some(last) => last.line_end,
                None => from(file, at).find('\n').map_or(file.len(), |nl| at + nl),
            };
            let shift = match patch.new.rsplit_once('\n') {
                // The rest of the line before stands in another line now.
                Some((_, new)) => new.len().cast_signed() - column_of(file, done).cast_signed(),
                None => {
                    let gone = between(file, at, done).chars().filter(|&c| c != BOM).count();
                    same_line.map_or(0, |last| last.shift) + patch.new.len().cast_signed()
                        - gone.cast_signed()
                }
            };
            lines += patch.new.matches('\n').count();
            marks.push(Mark { from: (at, done), to: (start, text.len()), lines, shift, line_end });
        }
        text.push_str(from(file, done));
        Self { text, marks }
    }

    /// Returns the byte, the line and the column in the file.
    fn original(&self, byte: usize, line: usize, column: usize) -> (usize, usize, usize) {
        let before = self.marks.partition_point(|mark| mark.to.0 <= byte);
        let Some(mark) = before.checked_sub(1).and_then(|last| self.marks.get(last)) else {
            return (byte, line, column);
        };
        let original = if byte < mark.to.1 { mark.from.0 } else { mark.from.1 + (byte - mark.to.1) };
        let shift = if original <= mark.line_end { mark.shift } else { 0 };
        (original, line.saturating_sub(mark.lines), column.checked_add_signed(-shift).unwrap_or_default())
    }
}

/// Returns the number of characters before a byte in its line.
fn column_of(file: &str, at: usize) -> usize {
    let line = before(file, at).rfind('\n').map_or(0, |nl| nl + 1);
    between(file, line, at).chars().filter(|&c| c != BOM).count()
}

/// The patches of a file, by their byte and by `true` if they remove bytes.
///
/// An insertion comes before a replacement at the same byte.
type Patches = BTreeMap<(usize, bool), Patch>;

/// A replacement of bytes of the file.
///
/// Neither the old nor the new bytes hold a line break.
#[derive(Debug)]
struct Patch {
    gone: usize,
    new: String,
}

const BOM: char = '\u{feff}';
const SEPARATOR: &str = "---";

/// Returns `true` if a file has separators that the parser does not take for separators.
///
/// The parser might read them as something else, and so they are mended beforehand.
pub(crate) fn has_odd_separators(file: &str) -> bool {
    file.starts_with("---#") || file.contains("\n---#")
}

/// Returns `true` if a file with such an error may be one to mend.
///
/// `is_json` is `true` if kubectl [takes the file for JSON](is_json).
pub(crate) fn is_mendable(error: &ErrorKind, is_json: bool) -> bool {
    (*error == ErrorKind::ExpectedDocumentStart && is_json)
        || matches!(
            error,
            ErrorKind::UnknownQuotedScalarEscape
                | ErrorKind::InvalidQuotedScalarIndent
                | ErrorKind::TabInIndentation
                | ErrorKind::TabInBlockIndentation
                | ErrorKind::CommentNotSeparated
                | ErrorKind::BomInsideDocument
        )
}

/// The bytes that may be parsed to find the places to mend, over all passes.
///
/// They are as many as a file may have, so that the search takes no longer than reading such a
/// file. For a place that is not found then, the parser's error is reported.
const EFFORT: usize = Limit::BYTES;
/// The bytes by which the text that is parsed may be longer than the file.
const GROWTH: usize = Limit::BYTES;
/// The cost of a pass over a text at least, in bytes.
const PASS: usize = 1 << 10;
/// The number of patches that a file may need.
const PATCHES: usize = 100_000;

/// Returns the file as the parser can read it; `None` if there is nothing to mend.
pub(crate) fn mended(file: &str) -> Option<Mended> {
    let (mended, _) = search(file);
    (!mended.marks.is_empty()).then_some(mended)
}

/// Returns the file as the parser can read it, and the bytes that were parsed to find that out.
///
/// One pass is made over any file.
fn search(file: &str) -> (Mended, usize) {
    let mut patches = Patches::new();
    let odd = file.match_indices("---#").filter(|&(at, _)| at == 0 || before(file, at).ends_with('\n'));
    for (at, _) in odd.take(PATCHES) {
        patches.insert((at + SEPARATOR.len(), false), Patch { gone: 0, new: " ".to_owned() });
    }
    let mut mended = Mended::new(file, &patches);
    let (mut parsed, is_json) = (0, is_json(file));
    loop {
        let known = patches.len();
        parsed += mended.text.len().max(PASS);
        Search { file, is_json, mended: &mended, patches: &mut patches, seen: 0, flow: Vec::new() }.run();
        let grown: usize = patches.values().map(|patch| patch.new.len()).sum();
        if patches.len() == known || grown > GROWTH {
            break;
        }
        mended = Mended::new(file, &patches);
        if parsed + mended.text.len().max(PASS) > EFFORT {
            break;
        }
    }
    (mended, parsed)
}

/// A search for the places that the parser cannot read.
struct Search<'a> {
    file: &'a str,
    is_json: bool,
    mended: &'a Mended,
    patches: &'a mut Patches,
    /// The byte in the file at which the last event ended.
    seen: usize,
    /// The bytes in the file at which the open flow collections start; `None` for block
    /// collections.
    flow: Vec<Option<usize>>,
}

impl Search<'_> {
    /// Finds one place per document.
    fn run(mut self) {
        let mut parser = parser(&self.mended.text);
        loop {
            match parser.next_event() {
                None | Some(Ok((Event::StreamEnd, _))) => return,
                Some(Ok((event, span))) => self.see(&event, &span),
                Some(Err(error)) => {
                    self.mend(error.kind(), place(error.marker(), Some(self.mended)).byte);
                    self.flow.clear();
                    if !parser.proceed_next_document().unwrap_or(false) {
                        return;
                    }
                }
            }
        }
    }

    fn see(&mut self, event: &Event<'_>, span: &Span) {
        let start = place(&span.start, Some(self.mended)).byte;
        self.seen = place(&span.end, Some(self.mended)).byte.max(self.seen);
        match event {
            Event::MappingStart(style, ..) | Event::SequenceStart(style, ..) => {
                self.flow.push((*style == StructureStyle::Flow).then_some(start));
            }
            Event::MappingEnd | Event::SequenceEnd => {
                self.flow.pop();
            }
            _ => {}
        }
    }

    fn mend(&mut self, error: &ErrorKind, at: usize) {
        match error {
            ErrorKind::UnknownQuotedScalarEscape => self.escapes(at),
            ErrorKind::InvalidQuotedScalarIndent | ErrorKind::TabInIndentation => self.continuation(),
            ErrorKind::TabInBlockIndentation => self.tabs(),
            ErrorKind::ExpectedDocumentStart if self.is_json => self.objects(at),
            ErrorKind::CommentNotSeparated
                if before(self.file, at).ends_with(AFTER_WHICH_A_COMMENT_STARTS) =>
            {
                self.patch(at, 0, " ".to_owned());
            }
            ErrorKind::BomInsideDocument if from(self.file, at).starts_with(BOM) => {
                let line = before(self.file, at).strip_suffix('\n').map(|lines| lines.rsplit('\n').next());
                if line.flatten().is_some_and(|line| line.starts_with(SEPARATOR)) {
                    self.patch(at, BOM.len_utf8(), String::new());
                }
            }
            _ => {}
        }
    }

    fn patch(&mut self, at: usize, gone: usize, new: String) {
        if self.patches.len() < PATCHES {
            self.patches.entry((at, gone > 0)).or_insert(Patch { gone, new });
        }
    }

    /// Mends `\'` in the text between double quotes that starts at `at`.
    fn escapes(&mut self, at: usize) {
        if !from(self.file, at).starts_with('"') {
            return;
        }
        let Some(end) = quoted_end(self.file, at) else { return };
        let mut rest = at + 1;
        while let Some(found) = between(self.file, rest, end).find('\\') {
            let escape = rest + found;
            if from(self.file, escape).starts_with("\\'") {
                self.patch(escape, 2, "\\x27".to_owned());
            }
            rest = (escape + 2).min(end);
            while !self.file.is_char_boundary(rest) {
                rest += 1;
            }
        }
    }

    /// Mends the lines of the quoted text that follows the last event.
    fn continuation(&mut self) {
        let Some(at) = next_token(self.file, self.seen) else { return };
        if !from(self.file, at).starts_with(['"', '\'']) {
            return;
        }
        // It is enough that the lines are indented deeper than the start.
        let Some(end) = quoted_end(self.file, at) else { return };
        let line_start = before(self.file, at).rfind('\n').map_or(0, |nl| nl + 1);
        let pad = " ".repeat((at - line_start + 1).min(WIDEST));
        let breaks = between(self.file, at, end).match_indices('\n');
        let lines: Vec<usize> = breaks.map(|(nl, _)| at + nl + 1).collect();
        if lines.len().saturating_mul(pad.len()) <= GROWTH {
            lines.into_iter().for_each(|line| self.patch(line, 0, pad.clone()));
        }
    }

    /// Mends objects of JSON that follow one another from `at` on.
    fn objects(&mut self, mut at: usize) {
        while from(self.file, at).starts_with('{') {
            self.patch(at, 0, format!("\n{SEPARATOR}\n"));
            at = flow(self.file, at).1;
            let rest = from(self.file, at);
            at += rest.len() - rest.trim_start().len();
        }
    }

    /// Mends tabs at the starts of lines in the outermost flow collection.
    fn tabs(&mut self) {
        let next = || next_token(self.file, self.seen);
        let Some(start) = self.flow.iter().copied().find_map(|start| start).or_else(next) else { return };
        for line in flow(self.file, start).0 {
            let rest = from(self.file, line);
            let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            if before(rest, blank).contains('\t') {
                self.patch(line, blank, " ".repeat(blank));
            }
        }
    }
}

/// The characters behind which a `#` starts a comment for kubectl.
///
/// Behind any other character kubectl takes the `#` for a part of a text or refuses it.
const AFTER_WHICH_A_COMMENT_STARTS: [char; 9] = ['"', '\'', '[', ']', '{', '}', ',', '|', '>'];

/// The most blanks by which a continuation line is indented, deeper than any block.
///
/// kubectl's users do not indent further.
const WIDEST: usize = 256;

/// Returns the byte after a quoted text; `None` if a document ends before it does.
fn quoted_end(file: &str, at: usize) -> Option<usize> {
    let bytes = file.as_bytes();
    let quote = *bytes.get(at)?;
    let mut i = at + 1;
    loop {
        i += match *bytes.get(i)? {
            b'\\' if quote == b'"' => 2,
            b if b == quote && quote == b'\'' && bytes.get(i + 1) == Some(&quote) => 2,
            b if b == quote => return Some(i + 1),
            b'\n' if from(file, i + 1).starts_with(SEPARATOR) => return None,
            _ => 1,
        }
    }
}

/// Returns the first byte of the next scalar or collection.
///
/// Indicators, comments, an anchor and a tag may stand before it.
fn next_token(file: &str, start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let rest = from(file, at);
        let len = match rest.chars().next()? {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '&' | '!' => rest.find(char::is_whitespace).unwrap_or(rest.len()),
            c if c.is_whitespace() || matches!(c, ':' | ',' | '-' | '?') => c.len_utf8(),
            _ => return Some(at),
        };
        at += len;
    }
}

/// Returns `true` if kubectl takes a file for JSON.
pub(crate) fn is_json(file: &str) -> bool {
    file.trim_start_matches(|c: char| c.is_whitespace() || c == BOM).starts_with('{')
}

/// Returns the line starts within the flow collection at `start`, and the end of the collection.
///
/// Lines within quotes are left out.
fn flow(file: &str, start: usize) -> (Vec<usize>, usize) {
    let bytes = file.as_bytes();
    let (mut at, mut depth, mut lines) = (start, 0_usize, Vec::new());
    while let Some(&b) = bytes.get(at) {
        let blank_before =
            at.checked_sub(1).is_none_or(|last| bytes.get(last).is_some_and(u8::is_ascii_whitespace));
        match b {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' | b'\''
                if !at
                    .checked_sub(1)
                    .is_some_and(|last| bytes.get(last).is_some_and(|&byte| is_text(byte))) =>
            {
                let Some(end) = quoted_end(file, at) else { break };
                // The lines within quotes are mended where the parser refuses them.
                at = end;
                continue;
            }
            b'#' if blank_before => {
                at += from(file, at).find('\n').unwrap_or(file.len() - at);
                continue;
            }
            b'\n' if from(file, at + 1).starts_with(SEPARATOR) => break,
            b'\n' => lines.push(at + 1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    (lines, at)
}

/// Returns `true` if a quote behind this byte is part of an unquoted text.
fn is_text(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !matches!(byte, b'[' | b'{' | b',' | b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_parsed_than_a_file_may_have() {
        // Each pass finds one of them, and makes the text longer by as many blanks as it is
        // indented.
        let text = format!("- {}\"{}\"\n", "- ".repeat(100), "a\n".repeat(120));
        for (count, most) in [(1, 1 << 20), (128, EFFORT)] {
            let file =
                format!("apiVersion: v1\nkind: A\nmetadata: {{name: a}}\nspec:\n{}", text.repeat(count));
            let (mended, parsed) = search(&file);
            assert!(parsed <= most, "{parsed} bytes for {} of {count} texts", mended.marks.len() / 120);
            assert!(mended.marks.len() >= 120);
        }
    }
}

//! Windows: the parts of a file, between boundaries of documents, that hold all of its edits.
//!
//! A line that starts with `---`, with a blank or a line end behind it, starts a document wherever
//! it stands: no scalar, no comment and no flow collection of YAML can hold such a line (rule
//! `c-forbidden` of YAML 1.2). Anchors, aliases and the other state of a reader end with their
//! document; only a directive (`%YAML`, `%TAG`) stands before the document that it is for. So where
//! no line starts with `%`, the text from one such line to another is read alike by itself and in
//! its file.

use std::ops::Range;

use super::Edit;
use crate::yaml::kubectl_compat::{has_odd_separators, is_json};

/// A part of a file before and after edits.
///
/// It starts and ends where documents do, before and after, and holds whole edits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Its bytes in the file.
    pub(super) before: Range<usize>,
    /// Its bytes in the edited file.
    pub(super) after: Range<usize>,
    /// The lines of the file before it.
    pub(super) line: usize,
}

/// Returns the windows that hold all edits; `None` if the file cannot be taken apart.
///
/// Outside of the windows both texts are equal, and each part there starts and ends where documents
/// do as well.
pub(super) fn windows(source: &str, edited: &str, edits: &[Edit]) -> Option<Vec<Window>> {
    if !is_separable(source) {
        return None;
    }
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut windows: Vec<Window> = Vec::new();
    for edit in sorted {
        let grown = |end: usize| (end + edit.after.len()).checked_sub(edit.end - edit.start);
        match windows.last_mut() {
            Some(last) if edit.start < last.before.end + MARK.len() => {
                let end = last.before.end;
                let extended = if edit.end > end { boundary_from(source, edit.end) } else { end };
                last.before.end = extended;
                last.after.end = grown(last.after.end + (extended - end))?;
            }
            last => {
                let (from, to) = last.map_or((0, 0), |last| (last.before.end, last.after.end));
                let before = boundary_before(source, edit.start)..boundary_from(source, edit.end);
                let start = to + before.start.checked_sub(from)?;
                let after = start..grown(start + before.len())?;
                windows.push(Window { before, after, line: 0 });
            }
        }
    }
    let (mut counted, mut lines) = (0, 0);
    for window in &mut windows {
        let Range { start, end } = window.after;
        let is_start = |at: usize| at == 0 || is_boundary(edited, at);
        let is_end = end == edited.len() || is_boundary(edited, end);
        if !is_start(start) || !is_end || !is_separable(edited.get(window.after.clone())?) {
            return None;
        }
        lines += count_lines(source.get(counted..window.before.start)?);
        (window.line, counted) = (lines, window.before.start);
    }
    Some(windows)
}

/// Counts the line ends of a text.
pub(super) fn count_lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// The start of a line that starts a document.
const MARK: &str = "---";

/// Returns `true` if documents of a text can be read one by one.
///
/// There must be no directive, and kubectl must see the same boundaries.
fn is_separable(text: &str) -> bool {
    let directive =
        text.trim_start_matches('\u{feff}').starts_with('%') || text.contains("\n%") || text.contains("\r%");
    !directive && !has_odd_separators(text) && !is_json(text)
}

/// Returns `true` if a line starts at this byte, and a document with it.
fn is_boundary(text: &str, at: usize) -> bool {
    let (before, line) = (text.get(..at), text.get(at..).unwrap_or_default());
    let behind = line.strip_prefix(MARK).map(|rest| rest.bytes().next());
    at > 0
        && before.is_some_and(|before| before.ends_with('\n'))
        && matches!(behind, Some(None | Some(b' ' | b'\t' | b'\r' | b'\n')))
}

/// Returns the last boundary whose `---` ends at or before this byte, else the start of the text.
fn boundary_before(text: &str, at: usize) -> usize {
    let mut end = at;
    while let Some(found) = text.get(..end).and_then(|before| before.rfind("\n---")) {
        if is_boundary(text, found + 1) {
            return found + 1;
        }
        end = found + MARK.len();
    }
    0
}

/// Returns the first boundary at or behind this byte, else the end of the text.
fn boundary_from(text: &str, at: usize) -> usize {
    // The line end before the boundary may be the byte before.
    let mut start = at.checked_sub(1).filter(|start| text.is_char_boundary(*start)).unwrap_or(at);
    while let Some(found) = text.get(start..).and_then(|rest| rest.find("\n---")) {
        let boundary = start + found + 1;
        if is_boundary(text, boundary) {
            return boundary;
        }
        start = boundary;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str, edits: &[(usize, usize, &str)]) -> Option<Vec<(String, String, usize)>> {
        let edits: Vec<Edit> = edits
            .iter()
            .map(|&(start, end, after)| Edit {
                start,
                end,
                before: source[start..end].to_owned(),
                after: after.to_owned(),
            })
            .collect();
        let edited = String::from_utf8(super::super::apply(source.as_bytes(), &edits).unwrap()).unwrap();
        let text = |w: Window| (source[w.before].to_owned(), edited[w.after].to_owned(), w.line);
        Some(windows(source, &edited, &edits)?.into_iter().map(text).collect())
    }

    #[test]
    fn an_edit_is_in_its_document_and_edits_of_one_are_together() {
        let source = "a: 1\n---\nb: 2\n--- # c\nc: 3\n---\nd: 4\n";
        let window = |before: &str, after: &str, line| (before.to_owned(), after.to_owned(), line);
        assert_eq!(of(source, &[(3, 4, "10")]).unwrap(), [window("a: 1\n", "a: 10\n", 0)]);
        let second = window("---\nb: 2\n", "---\nb: 20\n", 1);
        let third = window("--- # c\nc: 3\n", "--- # c\nx: 4\n", 3);
        let last = window("---\nd: 4\n", "---\nd: \n", 5);
        assert_eq!(
            of(source, &[(12, 13, "20"), (22, 23, "x"), (25, 26, "4"), (34, 35, "")]).unwrap(),
            [second, third, last]
        );
        // One that reaches over a boundary has both documents.
        assert_eq!(
            of(source, &[(12, 25, "9")]).unwrap(),
            [window("---\nb: 2\n--- # c\nc: 3\n", "---\nb: 93\n", 1)]
        );
    }

    #[test]
    fn what_moves_a_boundary_is_not_taken_apart() {
        let source = "a: 1\n---\nb: 2\n---\nc: 3\n";
        for edit in [
            // The line end before a boundary, the mark itself, what is behind it, and one put before it.
            (13, 14, ""),
            (14, 15, ""),
            (17, 17, "-"),
            (17, 18, ""),
            (14, 14, " "),
            // A directive, and a separator that only kubectl takes for one.
            (12, 13, "2\n%TAG ! x"),
            (12, 13, "2\n---#"),
        ] {
            let found = of(source, &[edit]);
            let wide = |windows: &[(String, String, usize)]| windows.iter().all(|w| w.0.contains("\n---\nc"));
            assert!(found.as_deref().is_none_or(wide), "{edit:?}: {found:?}");
        }
        for source in
            ["%YAML 1.2\n---\na: 1\n", "a: 1\r%b\r\n---\nc: 1\n", "---#a\nb: 1\n", " {}\n---\na: 1\n"]
        {
            assert_eq!(of(source, &[(source.len() - 2, source.len() - 1, "2")]), None, "{source:?}");
        }
    }

    #[test]
    fn only_whole_lines_are_boundaries() {
        let source = "a: x---\n----\n ---\n---x\n---\tb\n";
        let boundaries: Vec<usize> = (0..=source.len()).filter(|at| is_boundary(source, *at)).collect();
        assert_eq!(boundaries, [source.find("---\tb").unwrap()]);
        assert_eq!(boundary_from(source, 1), boundaries[0]);
        assert_eq!((boundary_before(source, source.len()), boundary_before(source, 20)), (boundaries[0], 0));
    }
}

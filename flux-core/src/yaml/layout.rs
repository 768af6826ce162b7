//! The layout of a mapping, so that an entry added to it looks like its neighbours.

use super::{
    merge::is_merge,
    quote::{Context, write},
    scalar::Style,
    tree::{Kind, NodeId, Tree},
};

use serde::{Deserialize, Serialize};

/// The text that an edit writes before the value that it adds to a mapping.
///
/// Exhaustive: a writer of edits must know all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewKey {
    /// The text between the neighbour before it and the value: a comma or a line end, the key, a
    /// colon.
    pub lead: String,
    /// `true` if the value stands in double quotes, as those of its neighbours do.
    pub quoted: bool,
}

/// The distance at which the style around a place is looked for, in bytes and in entries.
///
/// It is bounded, so that the search costs the same in any file.
const NEAR: usize = 1_000;

/// The lines of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines<'s> {
    pub source: &'s str,
}

impl<'s> Lines<'s> {
    pub(crate) fn of(source: &'s str) -> Self {
        Self { source }
    }

    /// Returns the line end of the line of `at`; for the last line, that of the line before.
    pub(crate) fn eol(&self, at: usize) -> &'static str {
        let end = self.source[at..].find('\n').map(|nl| at + nl).or_else(|| self.source.rfind('\n'));
        if end.is_some_and(|nl| self.source[..nl].ends_with('\r')) { "\r\n" } else { "\n" }
    }

    /// Returns the first byte of the line of `at`.
    pub(crate) fn start(&self, at: usize) -> usize {
        self.source[..at].rfind('\n').map_or(0, |nl| nl + 1)
    }

    /// Returns the byte after the last of the line of `at`, before its line end.
    pub(crate) fn end(&self, at: usize) -> usize {
        let end = self.source[at..].find('\n').map_or(self.source.len(), |nl| at + nl);
        if self.source[at..end].ends_with('\r') { end - 1 } else { end }
    }

    /// Returns the first byte of the line after that of `at`, if there is one.
    pub(crate) fn next(&self, at: usize) -> Option<usize> {
        self.source[at..].find('\n').map(|nl| at + nl + 1)
    }

    /// Returns the blanks that the line of `at` starts with.
    fn indent(&self, at: usize) -> &'s str {
        let line = &self.source[self.start(at)..at];
        &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
    }

    /// Returns the lines from the one that starts at `start` to the one of `end`.
    ///
    /// One line end is included: the one behind them, else the one before them.
    pub(crate) fn whole(&self, start: usize, end: usize) -> (usize, usize) {
        match self.next(end) {
            Some(next) => (start, next),
            None => {
                let before = &self.source[..start];
                let before = before.strip_suffix('\n').map_or(before, |b| b.strip_suffix('\r').unwrap_or(b));
                (before.len(), self.source.len())
            }
        }
    }

    /// Returns the byte after the colon that follows a key ending at `at`.
    pub(crate) fn colon(&self, at: usize) -> Option<usize> {
        let rest = &self.source[at..];
        let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        rest[blank..].starts_with(':').then_some(at + blank + 1)
    }
}

/// A mapping and its style.
#[derive(Debug, Default)]
pub(crate) struct Layout<'t> {
    pub entries: &'t [(NodeId, NodeId)],
    pub flow: bool,
    pub context: Context,
    /// In a block: the blanks before a key.
    pub indent: String,
    /// The indentation of a nested mapping beyond this one, in a block or a flow mapping over
    /// several lines.
    step: String,
    /// In a flow mapping: the text between a comma and the next key.
    pub gap: String,
    /// In a flow mapping: the text between a key and its value.
    colon: String,
}

impl<'t> Layout<'t> {
    /// Returns the layout of a mapping with at least one entry.
    pub(crate) fn of(tree: &'t Tree<'_>, lines: &Lines<'_>, map: NodeId) -> Option<Self> {
        let Kind::Map { entries, flow } = &tree[map].kind else { return None };
        let &(key, value) = entries.first()?;
        let mut own = entries.iter().take(NEAR).filter(|&&(key, _)| !is_merge(tree, key)).peekable();
        let quoted = |&(key, _): &(NodeId, NodeId)| matches!(tree.scalar(key), Some((_, Style::Double)));
        let json = *flow && own.peek().is_some() && own.all(quoted);
        let context = match (*flow, json) {
            (true, true) => Context::Json,
            (true, false) => Context::Flow,
            _ => Context::Block,
        };
        let indent = " ".repeat((tree[map].position.column as usize).saturating_sub(1));
        let near = |start, end| lines.source.get(start..end).filter(|text| text.len() <= NEAR);
        let colon = near(tree[key].end, tree[value].start)
            .filter(|c| c.trim() == ":" && (json || *c != ":"))
            .unwrap_or(": ")
            .to_owned();
        let gap = match entries.get(1) {
            Some(&(next, _)) => near(tree[value].end, tree[next].start)
                .and_then(|between| between.split_once(','))
                .map(|(_, gap)| behind_comments(gap)),
            None => near(tree[map].start, tree[key].start)
                .and_then(|open| open.strip_prefix('{'))
                .map(behind_comments)
                .filter(|gap| gap.contains('\n')),
        };
        let usual = if colon == ":" { "" } else { " " };
        let gap = gap.filter(|gap| gap.trim().is_empty()).unwrap_or(usual).to_owned();
        Some(Self { entries, flow: *flow, context, indent, step: String::new(), gap, colon })
    }

    /// Returns the layout with the indentation for nested mappings that are to be added.
    ///
    /// The mapping stands within one whose keys are at the column `outer`.
    pub(crate) fn with_step(mut self, tree: &Tree<'_>, lines: &Lines<'_>, map: NodeId, outer: u32) -> Self {
        // A neighbour that holds a mapping shows best how far the next one is indented.
        let shown = self.entries.iter().find_map(|&(key, value)| match &tree[value].kind {
            Kind::Map { entries, flow: false } if !entries.is_empty() => {
                Some(" ".repeat(tree[value].position.column.checked_sub(tree[key].position.column)? as usize))
            }
            _ => None,
        });
        self.step = shown.unwrap_or_else(|| match self.entries.first() {
            Some(&(key, _)) if self.flow => {
                let (inner, outer) = (lines.indent(tree[key].start), lines.indent(tree[map].start));
                inner.strip_prefix(outer).filter(|step| !step.is_empty()).unwrap_or("  ").to_owned()
            }
            _ => {
                let deeper = tree[map].position.column.saturating_sub(outer) as usize;
                " ".repeat(if (1..=8).contains(&deeper) { deeper } else { 2 })
            }
        });
        self
    }

    /// Returns new lines with entries of this block mapping, each after a line end.
    pub(crate) fn lines(&self, eol: &str, entries: &[(&str, &str)]) -> String {
        self.written(eol, entries, &self.indent)
    }

    /// Returns new lines with the entries of a nested block mapping, each after a line end.
    pub(crate) fn block_lines(&self, eol: &str, entries: &[(&str, &str)]) -> String {
        self.written(eol, entries, &format!("{}{}", self.indent, self.step))
    }

    fn written(&self, eol: &str, entries: &[(&str, &str)], indent: &str) -> String {
        let line = |&(key, value): &(&str, &str)| {
            let (key, value) = (write(key, Context::Block), write(value, Context::Block));
            format!("{eol}{indent}{key}: {value}")
        };
        entries.iter().map(line).collect()
    }

    /// Returns entries of this flow mapping, with commas between.
    pub(crate) fn flow_entries(&self, entries: &[(&str, &str)]) -> String {
        self.joined(entries, &self.gap)
    }

    fn joined(&self, entries: &[(&str, &str)], gap: &str) -> String {
        let entry = |&(key, value): &(&str, &str)| self.flow_entry(key, &write(value, self.context));
        entries.iter().map(entry).collect::<Vec<_>>().join(&format!(",{gap}"))
    }

    /// Returns one entry of this flow mapping, with the value as it is to be written.
    pub(crate) fn flow_entry(&self, key: &str, value: &str) -> String {
        format!("{}{}{value}", write(key, self.context), self.colon)
    }

    /// Returns a flow mapping as a value within this one, over several lines if this one is.
    pub(crate) fn flow_map(&self, entries: &[(&str, &str)]) -> String {
        let (inner, close) = if self.gap.contains('\n') {
            (format!("{}{}", self.gap, self.step), self.gap.as_str())
        } else {
            (String::new(), "")
        };
        let entries = self.joined(entries, if inner.is_empty() { &self.gap } else { &inner });
        format!("{{{inner}{entries}{close}}}")
    }
}

/// Returns the text between two entries without comments.
///
/// It is the line end behind the last comment, and the blanks.
fn behind_comments(gap: &str) -> &str {
    match gap.rfind('\n').filter(|_| gap.contains('#')) {
        Some(nl) if gap[..nl].ends_with('\r') => &gap[nl - 1..],
        Some(nl) => &gap[nl..],
        None => gap,
    }
}

/// Returns the byte where a key can be added to a mapping, and the text before its value.
///
/// The key goes right behind one of its entries: one that merges others in, or a neighbour.
///
/// # Errors
/// The reason that it cannot be added there.
pub(crate) fn new_key(
    tree: &Tree<'_>,
    lines: &Lines<'_>,
    map: NodeId,
    (_, before): (NodeId, NodeId),
    key: &str,
) -> Result<(usize, NewKey), &'static str> {
    let node = &tree[map];
    let end = tree[before].end;
    if matches!(node.kind, Kind::Map { flow: true, .. }) {
        if !lines.source[node.start..].starts_with('{') {
            return Err("the mapping has no braces around it");
        }
        let layout = Layout::of(tree, lines, map).ok_or("what it would stand in is no mapping")?;
        let lead = format!(",{}{}", layout.gap, layout.flow_entry(key, ""));
        return Ok((end, NewKey { lead, quoted: layout.context == Context::Json }));
    }
    let last = match &tree[before].kind {
        Kind::Seq { items, flow: false } => items.last().map_or(before, |&item| item),
        _ => before,
    };
    if matches!(tree[last].kind, Kind::Map { flow: false, .. }) {
        return Err("the `<<` holds a mapping of its own");
    }
    if node.position.column as usize > NEAR {
        return Err("the mapping is indented too far");
    }
    let line = &lines.source.as_bytes()[end..lines.source.len().min(end + NEAR)];
    if !line.contains(&b'\n') && line.len() == NEAR {
        return Err("the line before it is too long");
    }
    let indent = " ".repeat(node.position.column as usize - 1);
    let lead = format!("{}{indent}{}: ", lines.eol(end), write(key, Context::Block));
    Ok((lines.end(end), NewKey { lead, quoted: false }))
}

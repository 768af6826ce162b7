//! How a mapping is laid out, so that what is added to it looks like its neighbours.

use super::{
    merge::is_merge,
    quote::{Context, write},
    scalar::Style,
    tree::{Kind, NodeId, Tree},
};

use serde::{Deserialize, Serialize};

/// What an edit writes before the value that it puts into a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewKey {
    /// What goes between the neighbour before it and the value: a comma or a line end, the key, a colon.
    pub lead: String,
    /// Whether the value stands in double quotes, as those of its neighbours do.
    pub quoted: bool,
}

/// How far around a place its style is looked for, in bytes and in entries, so that the look costs the same in any file.
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

    /// How the line of `at` ends; the last one as the one before.
    pub(crate) fn eol(&self, at: usize) -> &'static str {
        let end = self.source[at..].find('\n').map(|nl| at + nl).or_else(|| self.source.rfind('\n'));
        if end.is_some_and(|nl| self.source[..nl].ends_with('\r')) { "\r\n" } else { "\n" }
    }

    /// The first byte of the line of `at`.
    pub(crate) fn start(&self, at: usize) -> usize {
        self.source[..at].rfind('\n').map_or(0, |nl| nl + 1)
    }

    /// The byte after the last of the line of `at`, before its line end.
    pub(crate) fn end(&self, at: usize) -> usize {
        let end = self.source[at..].find('\n').map_or(self.source.len(), |nl| at + nl);
        if self.source[at..end].ends_with('\r') { end - 1 } else { end }
    }

    /// The first byte of the line after that of `at`, if there is one.
    pub(crate) fn next(&self, at: usize) -> Option<usize> {
        self.source[at..].find('\n').map(|nl| at + nl + 1)
    }

    /// The blanks that the line of `at` starts with.
    fn indent(&self, at: usize) -> &'s str {
        let line = &self.source[self.start(at)..at];
        &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
    }

    /// The lines from the one starting at `start` to the one of `end`, with one line end: the one behind, else the one before.
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

    /// The byte after the colon that follows a key ending at `at`.
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
    /// Block: the blanks before a key.
    pub indent: String,
    /// Block: how much deeper a mapping within it stands; flow over several lines: the same.
    step: String,
    /// Flow: what stands between a comma and the next key.
    pub gap: String,
    /// Flow: what stands between a key and its value.
    colon: String,
}

impl<'t> Layout<'t> {
    /// The layout of a mapping with at least one entry.
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
        let indent = " ".repeat((tree[map].column as usize).saturating_sub(1));
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

    /// The same, for mappings within it to be added, where it stands within one whose keys are at the column `outer`.
    pub(crate) fn with_step(mut self, tree: &Tree<'_>, lines: &Lines<'_>, map: NodeId, outer: u32) -> Self {
        // A neighbour that holds a mapping shows best how far in the next one goes.
        let shown = self.entries.iter().find_map(|&(key, value)| match &tree[value].kind {
            Kind::Map { entries, flow: false } if !entries.is_empty() => {
                Some(" ".repeat(tree[value].column.checked_sub(tree[key].column)? as usize))
            }
            _ => None,
        });
        self.step = shown.unwrap_or_else(|| match self.entries.first() {
            Some(&(key, _)) if self.flow => {
                let (inner, outer) = (lines.indent(tree[key].start), lines.indent(tree[map].start));
                inner.strip_prefix(outer).filter(|step| !step.is_empty()).unwrap_or("  ").to_owned()
            }
            _ => {
                let deeper = tree[map].column.saturating_sub(outer) as usize;
                " ".repeat(if (1..=8).contains(&deeper) { deeper } else { 2 })
            }
        });
        self
    }

    /// New lines with entries of this block mapping, each after a line end.
    pub(crate) fn lines(&self, eol: &str, entries: &[(&str, &str)]) -> String {
        self.written(eol, entries, &self.indent)
    }

    /// New lines with the entries of a mapping within this block mapping, each after a line end.
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

    /// Entries of this flow mapping, with commas between.
    pub(crate) fn flow_entries(&self, entries: &[(&str, &str)]) -> String {
        self.joined(entries, &self.gap)
    }

    fn joined(&self, entries: &[(&str, &str)], gap: &str) -> String {
        let entry = |&(key, value): &(&str, &str)| self.flow_entry(key, &write(value, self.context));
        entries.iter().map(entry).collect::<Vec<_>>().join(&format!(",{gap}"))
    }

    /// One entry of this flow mapping, the value as it is to be written.
    pub(crate) fn flow_entry(&self, key: &str, value: &str) -> String {
        format!("{}{}{value}", write(key, self.context), self.colon)
    }

    /// A flow mapping as a value within this one: over several lines if this one is.
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

/// What stands between two entries, without comments: the line end behind the last of them, and the blanks.
fn behind_comments(gap: &str) -> &str {
    match gap.rfind('\n').filter(|_| gap.contains('#')) {
        Some(nl) if gap[..nl].ends_with('\r') => &gap[nl - 1..],
        Some(nl) => &gap[nl..],
        None => gap,
    }
}

/// Where a key can be put into a mapping right behind one of its entries (one that merges others in, or a neighbour), and what is written there before
/// its value.
///
/// # Errors
/// Why it cannot be put there.
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
    if node.column as usize > NEAR {
        return Err("the mapping is indented too far");
    }
    let line = &lines.source.as_bytes()[end..lines.source.len().min(end + NEAR)];
    if !line.contains(&b'\n') && line.len() == NEAR {
        return Err("the line before it is too long");
    }
    let indent = " ".repeat(node.column as usize - 1);
    let lead = format!("{}{indent}{}: ", lines.eol(end), write(key, Context::Block));
    Ok((lines.end(end), NewKey { lead, quoted: false }))
}

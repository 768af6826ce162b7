//! Setting, changing and removing annotations in place, in the style of their neighbours.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Edit, EditError, Intent};
use crate::{
    manifest::load::{VisitedObject, read},
    pointer::escape,
    yaml::{
        cursor::Cursor,
        layout::{Layout, Lines},
        merge::{self, key_text},
        quote::{rewrite, write},
        scalar::Style,
        tree::{Anchor, Kind, NodeId, Tree},
    },
};

/// Returns the edits that set, change or remove annotations of the `resource`-th object of a file.
///
/// A `None` as value removes the annotation. A value keeps its style; a new one is quoted where
/// YAML would read it as another type. New annotations follow the last one, in its indentation and
/// with the file's line ends. The `annotations` key comes and goes with them. Comments stay.
///
/// # Errors
/// [`EditError`] if there is no such object, or the document's shape does not allow it: annotations
/// that come by an alias or a merge key, or that other places use.
pub fn annotation_edits(
    source: &[u8],
    resource: usize,
    changes: &BTreeMap<String, Option<String>>,
) -> Result<(Vec<Edit>, Vec<Intent>), EditError> {
    let mut found = None;
    read(source, None, &mut |object| {
        if object.index == resource {
            found = Some(edits_of(&object, changes));
        }
    });
    let none = || EditError::Unsupported(format!("the file has no object number {resource}"));
    found.ok_or_else(none)?
}

fn edits_of(
    object: &VisitedObject<'_, '_>,
    changes: &BTreeMap<String, Option<String>>,
) -> Result<(Vec<Edit>, Vec<Intent>), EditError> {
    let name = format!("the annotations of {} {}", object.resource.kind, object.resource.name);
    let unsupported = |why: String| EditError::Unsupported(format!("{name}: {why}"));
    if object.resource.is_encrypted() {
        return Err(unsupported("the document is encrypted with SOPS".to_owned()));
    }
    let changes: Vec<(&str, Option<&str>)> = changes
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_deref()))
        .filter(|&(key, value)| is_change(object, key, value))
        .collect();
    if changes.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut editor = Editor::new(object).map_err(unsupported)?;
    editor.change(&changes).map_err(unsupported)?;
    let emptied = editor.emptied;
    let intents = if emptied {
        vec![Intent { resource: object.index, pointer: "/metadata/annotations".to_owned(), value: None }]
    } else {
        let intent = |&(key, value): &(&str, Option<&str>)| Intent {
            resource: object.index,
            pointer: format!("/metadata/annotations/{}", escape(key)),
            value: value.map(Into::into),
        };
        changes.iter().map(intent).collect()
    };
    Ok((editor.finish(), intents))
}

/// Returns `true` if a change has an effect on the object.
fn is_change(object: &VisitedObject<'_, '_>, key: &str, value: Option<&str>) -> bool {
    let annotations = object.resource.object.at("/metadata/annotations");
    let now = annotations.and_then(|mut all| all.get_mut(key).map(Value::take));
    match value {
        Some(value) => now.as_ref().and_then(Value::as_str) != Some(value),
        None => now.is_some(),
    }
}

struct Editor<'t, 's> {
    tree: &'t Tree<'s>,
    lines: Lines<'s>,
    metadata: Layout<'t>,
    /// The entry `annotations` of the metadata.
    annotations: Option<(NodeId, NodeId)>,
    edits: Vec<Edit>,
    /// The lines to remove, by their first byte and the last one with content.
    gone: Vec<(usize, usize)>,
    emptied: bool,
}

impl<'t, 's> Editor<'t, 's> {
    fn new(object: &VisitedObject<'t, 's>) -> Result<Self, String> {
        let Cursor { tree, source, .. } = object.at;
        let metadata = object.at.get("metadata").ok_or("there is no `metadata`")?;
        owned(tree, &metadata, "metadata")?;
        let annotations = metadata.get("annotations");
        if let Some(annotations) = &annotations {
            owned(tree, annotations, "annotations")?;
        }
        let lines = Lines::of(source);
        let outer = object.at.tree[object.at.node].position.column;
        let layout = Layout::of(tree, &lines, metadata.node).ok_or("`metadata` is no mapping")?;
        let metadata = layout.with_step(tree, &lines, metadata.node, outer);
        let entry = annotations.and_then(|at| metadata.entries.iter().copied().rfind(|e| e.1 == at.node));
        Ok(Self {
            tree,
            lines,
            metadata,
            annotations: entry,
            edits: Vec::new(),
            gone: Vec::new(),
            emptied: false,
        })
    }

    fn change(&mut self, changes: &[(&str, Option<&str>)]) -> Result<(), String> {
        let Some((key, value)) = self.annotations else { return self.create(changes) };
        match &self.tree[value].kind {
            Kind::Map { entries, .. } if !entries.is_empty() => self.change_entries(key, value, changes),
            Kind::Map { .. } => self.fill(key, value, changes),
            Kind::Scalar { .. } if Cursor::at(self.tree, self.lines.source, value).is_null() => {
                self.fill(key, value, changes)
            }
            Kind::Scalar { .. } | Kind::Seq { .. } | Kind::Alias(_) => {
                Err("`annotations` is no mapping".to_owned())
            }
        }
    }

    /// Adds the annotations and the `annotations` key, which is not there yet.
    fn create(&mut self, changes: &[(&str, Option<&str>)]) -> Result<(), String> {
        let added = additions(changes);
        let last = *self.metadata.entries.last().ok_or("`metadata` is blank")?;
        let end = self.end(last);
        if self.metadata.flow {
            let inner = self.metadata.flow_map(&added);
            let entry = self.metadata.flow_entry("annotations", &inner);
            self.insert(end, format!(",{}{entry}", self.metadata.gap));
        } else {
            let eol = self.lines.eol(end);
            let lines = self.metadata.block_lines(eol, &added);
            self.insert(self.lines.end(end), format!("{eol}{}annotations:{lines}", self.metadata.indent));
        }
        Ok(())
    }

    /// Adds annotations to an `annotations` without entries: absent, `null` or `{}`.
    fn fill(&mut self, key: NodeId, value: NodeId, changes: &[(&str, Option<&str>)]) -> Result<(), String> {
        let added = additions(changes);
        let (start, end) = (self.tree[value].start, self.tree[value].end);
        let absent = start == end;
        if self.metadata.flow {
            if absent {
                return Err("`annotations` has no value between the braces".to_owned());
            }
            let text = self.metadata.flow_map(&added);
            self.replace(start, end, text);
            return Ok(());
        }
        let colon = self.lines.colon(self.tree[key].end).ok_or("`annotations` has no colon behind it")?;
        if !absent {
            if !self.lines.source[colon..start].chars().all(|c| c == ' ' || c == '\t') {
                return Err("`annotations` has an anchor, a tag or a line break before its value".to_owned());
            }
            self.replace(colon, end, String::new());
        }
        let at = self.lines.end(end.max(colon));
        let text = self.metadata.block_lines(self.lines.eol(at), &added);
        self.insert(at, text);
        Ok(())
    }

    /// Changes the entries of `annotations`, which has some.
    fn change_entries(
        &mut self,
        key: NodeId,
        value: NodeId,
        changes: &[(&str, Option<&str>)],
    ) -> Result<(), String> {
        let layout = Layout::of(self.tree, &self.lines, value).ok_or("`annotations` is no mapping")?;
        let mut kept = vec![true; layout.entries.len()];
        let mut added = Vec::new();
        for &(name, wanted) in changes {
            let places: Vec<usize> = (0..layout.entries.len())
                .filter(|&i| key_text(self.tree, layout.entries[i].0).as_deref() == Some(name))
                .collect();
            let counts = merge::find(self.tree, value, name);
            match (wanted, places.last()) {
                (Some(_), Some(_)) if counts.is_some_and(|entry| entry.by.is_some()) => {
                    return Err(format!("`{name}` stands before the `<<` that overrides it: move it behind"));
                }
                (None, _) if merge::takes_in(self.tree, value, name) => {
                    return Err(format!("`{name}` comes by a merge key: remove it there"));
                }
                (Some(text), Some(&last)) => self.rewrite_value(&layout, last, text)?,
                (Some(text), None) => added.push((name, text)),
                (None, Some(_)) => places.iter().for_each(|&i| kept[i] = false),
                (None, None) => return Err(format!("`{name}` was not found")),
            }
        }
        let survivor = kept.iter().rposition(|&k| k);
        if survivor.is_none() && added.is_empty() {
            self.emptied = true;
            return self.remove_key(key, value, &layout);
        }
        if layout.flow {
            self.remove_from_flow(&layout, &kept);
            if !added.is_empty() {
                let text = layout.flow_entries(&added);
                match survivor {
                    Some(i) => {
                        let at = self.end(layout.entries[i]);
                        self.insert(at, format!(",{}{text}", layout.gap));
                    }
                    None => {
                        let (first, last) = (layout.entries[0], layout.entries[layout.entries.len() - 1]);
                        self.replace(self.tree[first.0].start, self.end(last), text);
                    }
                }
            }
        } else {
            for (i, _) in kept.iter().enumerate().filter(|(_, kept)| !**kept) {
                self.remove_lines(layout.entries[i])?;
            }
            if !added.is_empty() {
                let after = survivor.map_or(self.tree[key].end, |i| self.end(layout.entries[i]));
                let lines = layout.lines(self.lines.eol(after), &added);
                self.insert(self.lines.end(after), lines);
            }
        }
        Ok(())
    }

    fn rewrite_value(&mut self, layout: &Layout<'_>, index: usize, text: &str) -> Result<(), String> {
        let (key, value) = layout.entries[index];
        let node = &self.tree[value];
        if let Some(Anchor { name, line, .. }) = self.tree.used_anchor(value) {
            return Err(format!(
                "a value carries the anchor `&{name}` of line {line}, which other places use"
            ));
        }
        match &node.kind {
            Kind::Scalar { style: Style::Absent, .. } => {
                let colon =
                    self.lines.colon(self.tree[key].end).ok_or("an annotation has no colon behind it")?;
                self.insert(colon, format!(" {}", write(text, layout.context)));
            }
            Kind::Scalar { .. } | Kind::Alias(_) => {
                let (start, end) = Cursor::at(self.tree, self.lines.source, value).span()?;
                let new = rewrite(&self.lines.source[start..end], text, layout.context);
                self.replace(start, end, new);
            }
            Kind::Map { .. } | Kind::Seq { .. } => return Err("an annotation is no text".to_owned()),
        }
        Ok(())
    }

    /// Removes the `annotations` key with its last annotation.
    fn remove_key(&mut self, key: NodeId, value: NodeId, layout: &Layout<'_>) -> Result<(), String> {
        if self.metadata.flow {
            let kept: Vec<bool> = self.metadata.entries.iter().map(|entry| entry.1 != value).collect();
            let metadata = std::mem::take(&mut self.metadata);
            self.remove_from_flow(&metadata, &kept);
            return Ok(());
        }
        if layout.flow {
            return self.remove_lines((key, value));
        }
        // The line of the key and those of the entries, so that comments between them stay.
        self.remove_lines((key, key))?;
        for &entry in layout.entries {
            self.remove_lines(entry)?;
        }
        Ok(())
    }

    /// Removes the lines of an entry of a block mapping.
    fn remove_lines(&mut self, (key, value): (NodeId, NodeId)) -> Result<(), String> {
        let (start, end) = (self.tree[key].start, self.tree[value].end);
        let line = self.lines.start(start);
        if !self.lines.source[line..start].chars().all(|c| c == ' ') {
            return Err("an entry does not stand on a line of its own".to_owned());
        }
        self.gone.push((line, end));
        Ok(())
    }

    /// Returns the edits, with adjacent removed lines in one edit.
    fn finish(mut self) -> Vec<Edit> {
        let mut gone = std::mem::take(&mut self.gone);
        gone.sort_unstable();
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (start, end) in gone {
            match runs.last_mut() {
                Some(run) if self.lines.next(run.1) == Some(start) => run.1 = end,
                _ => runs.push((start, end)),
            }
        }
        for (start, end) in runs {
            let (from, to) = self.lines.whole(start, end);
            self.replace(from, to, String::new());
        }
        self.edits
    }

    /// Removes entries of a flow mapping with their commas.
    ///
    /// At least one is kept, or all are replaced.
    fn remove_from_flow(&mut self, layout: &Layout<'_>, kept: &[bool]) {
        let entries = &layout.entries;
        let mut i = 0;
        while i < kept.len() {
            if kept[i] {
                i += 1;
                continue;
            }
            let run = kept[i..].iter().take_while(|k| !**k).count();
            let next = i + run;
            if let Some(&(key, _)) = entries.get(next) {
                self.replace(self.tree[entries[i].0].start, self.tree[key].start, String::new());
            } else if i > 0 {
                let (from, to) = (self.end(entries[i - 1]), self.end(entries[next - 1]));
                self.replace(from, to, String::new());
            }
            i = next;
        }
    }

    /// Returns the end of an entry.
    ///
    /// It is that of its value, or of its colon and the blank behind it if no value is written.
    fn end(&self, (key, value): (NodeId, NodeId)) -> usize {
        let end = self.tree[value].end;
        let absent = self.tree[value].start == end;
        match self.lines.colon(self.tree[key].end).filter(|_| absent) {
            Some(colon) if self.lines.source[colon..].starts_with(' ') => colon + 1,
            Some(colon) => colon,
            None => end,
        }
    }

    fn insert(&mut self, at: usize, text: String) {
        self.replace(at, at, text);
    }

    fn replace(&mut self, start: usize, end: usize, after: String) {
        let before = self.lines.source[start..end].to_owned();
        self.edits.push(Edit { start, end, before, after });
    }
}

/// Refuses a mapping that is written elsewhere or used elsewhere.
fn owned(tree: &Tree<'_>, at: &Cursor<'_, '_>, key: &str) -> Result<(), String> {
    if matches!(tree[at.node].kind, Kind::Alias(_)) {
        return Err(format!("`{key}` is an alias: write it out"));
    }
    if let Some(sharing) = at.sharing() {
        let (why, remedy) = (sharing.why(tree), sharing.remedy(tree));
        return Err(format!("`{key}` cannot be changed alone, {why}: {remedy}"));
    }
    match tree.used_anchor(at.node) {
        Some(Anchor { name, line, .. }) => {
            Err(format!("`{key}` carries the anchor `&{name}` of line {line}, which other places use"))
        }
        None => Ok(()),
    }
}

fn additions<'a>(changes: &[(&'a str, Option<&'a str>)]) -> Vec<(&'a str, &'a str)> {
    changes.iter().filter_map(|&(key, value)| Some((key, value?))).collect()
}

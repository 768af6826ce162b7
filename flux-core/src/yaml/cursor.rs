//! Cursors: values of a tree found by their paths, and the other places that share them.

use std::borrow::Cow;

use super::{
    merge::{self, Entry, Merge},
    scalar::{Scalar, Style, other_than_text, to_json},
    tree::{Anchor, Kind, NodeId, Tree},
};
use crate::{pointer::escape, position::Position};

/// A value in a tree, with its path from the object and the way in which other places share it.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'t, 's> {
    pub tree: &'t Tree<'s>,
    /// The text of the file.
    pub source: &'s str,
    /// The node where the value is written; it may be an alias.
    pub node: NodeId,
    /// The path from the object, as a JSON pointer.
    pub pointer: String,
    /// The way in which other places share the value around this one, if they do.
    pub shared: Option<Sharing>,
    /// The way in which the mapping of this value inherits it, if it is not the mapping's own.
    pub inherited: Option<Inherited>,
}

/// A mapping that inherits a value, and the merge key by which it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inherited {
    pub map: NodeId,
    pub by: Merge,
}

/// The reason that several places have one value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sharing {
    /// The value stands under a node with an anchor that others use.
    Anchor(NodeId),
    /// The value stands under a node with an anchor, and is reached by an alias.
    Alias(NodeId),
    /// A merge key takes the value from this mapping.
    Merge(NodeId),
}

impl Sharing {
    /// Returns why the value cannot be changed alone.
    pub(crate) fn why(self, tree: &Tree<'_>) -> String {
        let described =
            |anchor: &Anchor<'_>| format!("the anchor `&{}` of line {}", anchor.name, anchor.line);
        let (Self::Anchor(node) | Self::Alias(node) | Self::Merge(node)) = self;
        match (self, &tree[node].anchor) {
            (Self::Anchor(_), Some(anchor)) => {
                format!("it stands under {}, which other places use", described(anchor))
            }
            (Self::Alias(_), Some(anchor)) => {
                format!(
                    "it stands under {} and is reached by the alias `*{}`",
                    described(anchor),
                    anchor.name
                )
            }
            (Self::Merge(_), Some(anchor)) => {
                format!("it comes by the merge key `<<` from {}", described(anchor))
            }
            (_, None) => "it comes by a merge key `<<`".to_owned(),
        }
    }

    /// Returns the change to the file that lets the value be changed alone.
    pub(crate) fn remedy(self, tree: &Tree<'_>) -> String {
        let (Self::Anchor(node) | Self::Alias(node) | Self::Merge(node)) = self;
        match (self, &tree[node].anchor) {
            (Self::Anchor(_) | Self::Alias(_), Some(anchor)) => {
                format!("write it out where `*{}` stands", anchor.name)
            }
            (Self::Merge(_), _) | (_, None) => "write it out beside the `<<`".to_owned(),
        }
    }
}

impl<'t, 's> Cursor<'t, 's> {
    /// Starts a cursor at the node of an object.
    pub(crate) fn at(tree: &'t Tree<'s>, source: &'s str, node: NodeId) -> Self {
        Self { tree, source, node, pointer: String::new(), shared: None, inherited: None }
    }

    /// Returns the same value as an object of its own, at which paths start.
    pub(crate) fn as_object(&self) -> Self {
        Self { pointer: String::new(), ..self.clone() }
    }

    /// Returns the entry of a mapping that counts: the last with this key, merged keys included.
    pub(crate) fn get(&self, key: &str) -> Option<Self> {
        let entry = merge::find(self.tree, self.tree.target(self.node), key)?;
        Some(self.entry(key, entry))
    }

    /// Returns the position of the key of an entry of this mapping.
    #[cfg(feature = "deployer")]
    pub(crate) fn key_position(&self, key: &str) -> Option<Position> {
        merge::key_of(self.tree, self.tree.target(self.node), key).map(|key| self.tree[key].position)
    }

    /// Returns the value of an entry of this mapping.
    fn entry(&self, key: &str, entry: Entry) -> Self {
        let (map, shared) = self.entered();
        let mut pointer = String::with_capacity(self.pointer.len() + 1 + key.len());
        pointer.push_str(&self.pointer);
        pointer.push('/');
        pointer.push_str(&if key.contains(['~', '/']) {
            Cow::Owned(escape(key))
        } else {
            Cow::Borrowed(key)
        });
        let inherited = entry.by.map(|by| Inherited { map, by });
        Self { node: entry.value, pointer, shared, inherited, ..*self }
    }

    /// Returns the value at a path of keys.
    pub(crate) fn path(&self, keys: &[&str]) -> Option<Self> {
        match keys {
            [] => Some(self.clone()),
            [first, rest @ ..] => rest.iter().try_fold(self.get(first)?, |at, key| at.get(key)),
        }
    }

    /// Returns the items of a list.
    pub(crate) fn items(&self) -> Option<Vec<Self>> {
        let (list, shared) = self.entered();
        let Kind::Seq { items, .. } = &self.tree[list].kind else { return None };
        let item = |(index, &node): (usize, &NodeId)| {
            let pointer = format!("{}/{index}", self.pointer);
            Self { node, pointer, shared, inherited: None, ..*self }
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// Returns the entries of a mapping, sorted by key; `None` if it is no mapping.
    ///
    /// Of equal keys, it has the one that counts.
    pub(crate) fn entries(&self) -> Option<Vec<(String, Self)>> {
        let entries = merge::entries(self.tree, self.tree.target(self.node))?;
        let at = |(key, entry): (String, Entry)| {
            let value = self.entry(&key, entry);
            (key, value)
        };
        Some(entries.into_iter().map(at).collect())
    }

    /// Returns `true` if the value is a mapping.
    pub(crate) fn is_map(&self) -> bool {
        matches!(self.tree[self.tree.target(self.node)].kind, Kind::Map { .. })
    }

    /// Returns the text of a scalar and its style.
    pub(crate) fn scalar(&self) -> Option<(&'t str, Style)> {
        self.tree.scalar(self.node)
    }

    /// Returns the typed value of a scalar; `None` for other values.
    pub(crate) fn meaning(&self) -> Option<Scalar<'t>> {
        self.tree.meaning(self.node)
    }

    /// Returns the text, if the value is a string to Kubernetes: no number, boolean or null.
    pub(crate) fn text(&self) -> Option<&'t str> {
        match self.meaning()? {
            Scalar::Text(Cow::Borrowed(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns the YAML type of the value, for people; `None` if it is a string.
    pub(crate) fn other_than_text(&self) -> Option<String> {
        match &self.tree[self.tree.target(self.node)].kind {
            Kind::Map { .. } => Some("a mapping".to_owned()),
            Kind::Seq { .. } => Some("a list".to_owned()),
            _ => other_than_text(&to_json(self.meaning()?).ok()?),
        }
    }

    /// Returns `true` if the value is null, or nothing is written.
    pub(crate) fn is_null(&self) -> bool {
        self.meaning() == Some(Scalar::Null)
    }

    /// Returns the position of the value.
    pub(crate) fn position(&self) -> Position {
        self.tree[self.node].position
    }

    /// Returns the bytes of a block scalar from its header (`|`, `>`) to its end.
    pub(crate) fn block_span(&self) -> Option<(usize, usize)> {
        let node = &self.tree[self.node];
        let before = self.source.get(..node.start)?.trim_end();
        let line_start = before.rfind('\n').map_or(0, |nl| nl + 1);
        let line = &before[line_start..];
        let header = line.char_indices().find(|&(at, c)| {
            matches!(c, '|' | '>')
                && line[..at].ends_with([' ', '\t', '-', ':'])
                && is_header_rest(&line[at + 1..])
        });
        header.map(|(at, _)| (line_start + at, node.end))
    }

    /// Returns the way in which other places share this value, if they do.
    ///
    /// For a scalar with an anchor of its own, its tree is asked.
    pub(crate) fn sharing(&self) -> Option<Sharing> {
        self.shared.or(self.inherited.map(|inherited| Sharing::Merge(inherited.by.from)))
    }

    /// Returns the node of this value with any alias followed, and the sharing of what is in it.
    fn entered(&self) -> (NodeId, Option<Sharing>) {
        let node = self.tree.target(self.node);
        let anchor = if node == self.node { Sharing::Anchor(node) } else { Sharing::Alias(node) };
        let anchor = self.tree.used_anchor(node).map(|_| anchor);
        (node, self.sharing().or(anchor))
    }
}

/// Returns `true` if a text can follow the `|` or `>` of a block scalar on its line.
fn is_header_rest(rest: &str) -> bool {
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
    rest.trim().is_empty() || (rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#'))
}

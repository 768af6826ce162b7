//! A tree as the value that Kubernetes reads: aliases and merge keys resolved, scalars typed, keys
//! turned into text.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::{
    limits::{Budget, Limit},
    merge::{is_merge, key_text},
    scalar::{Scalar, resolve, to_json, to_key},
    tree::{Kind, NodeId, Tree},
};

/// The reason that a node has no value.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// A limit was passed.
    TooLarge(Limit),
    /// A node is invalid, with the problem.
    Invalid(NodeId, String),
}

impl From<Limit> for Unreadable {
    fn from(limit: Limit) -> Self {
        Self::TooLarge(limit)
    }
}

/// A reader of the values of a tree.
#[derive(Debug)]
pub(crate) struct Reader<'t, 's, 'b> {
    tree: &'t Tree<'s>,
    budget: &'b mut Budget,
    /// The nodes that are being read: a value cannot contain itself.
    path: Vec<NodeId>,
    /// Duplicate keys of a mapping, each with the one before it.
    ///
    /// There are at most [`Limit::DUPLICATES`] and one.
    pub duplicates: Vec<(NodeId, NodeId)>,
    /// The mappings that were searched for duplicate keys.
    searched: HashSet<NodeId>,
}

impl<'t, 's, 'b> Reader<'t, 's, 'b> {
    pub(crate) fn new(tree: &'t Tree<'s>, budget: &'b mut Budget) -> Self {
        Self { tree, budget, path: Vec::new(), duplicates: Vec::new(), searched: HashSet::new() }
    }

    /// Returns the value of a node.
    ///
    /// # Errors
    /// [`Unreadable`] if it has none.
    pub(crate) fn value(&mut self, id: NodeId) -> Result<Value, Unreadable> {
        let id = self.enter(id)?;
        let value = match &self.tree[id].kind {
            Kind::Scalar { .. } => {
                to_json(self.scalar(id)?).map_err(|problem| Unreadable::Invalid(id, problem))?
            }
            Kind::Seq { items, .. } => {
                let values: Result<Vec<_>, _> = items.iter().map(|&item| self.value(item)).collect();
                Value::Array(values?)
            }
            Kind::Map { .. } => {
                let mut map = Map::new();
                self.fill(id, &mut map)?;
                Value::Object(map)
            }
            Kind::Alias(_) => Value::Null,
        };
        self.path.pop();
        Ok(value)
    }

    /// Follows an alias and counts the node.
    fn enter(&mut self, id: NodeId) -> Result<NodeId, Unreadable> {
        let target = self.tree.target(id);
        if self.path.contains(&target) {
            return Err(Unreadable::Invalid(id, "a value contains itself through an alias".to_owned()));
        }
        if self.path.len() > Limit::DEPTH {
            return Err(Limit::Depth.into());
        }
        self.path.push(target);
        let text = self.tree.scalar(target).map_or(0, |(text, _)| text.len());
        self.budget.spend(text)?;
        Ok(target)
    }

    fn scalar(&self, id: NodeId) -> Result<Scalar<'t>, Unreadable> {
        match &self.tree[id].kind {
            Kind::Scalar { text, style } => {
                resolve(text, *style, self.tree[id].tag).map_err(|problem| Unreadable::Invalid(id, problem))
            }
            _ => Err(Unreadable::Invalid(id, "a key must be a text, not a list or a mapping".to_owned())),
        }
    }

    /// Adds the entries of a mapping to `map`.
    ///
    /// Of equal keys the last wins; a merge counts where it stands, as in Go's reader.
    fn fill(&mut self, id: NodeId, map: &mut Map<String, Value>) -> Result<(), Unreadable> {
        let Kind::Map { entries, .. } = &self.tree[id].kind else { return Ok(()) };
        let mut replaced = false;
        for &(key, value) in entries {
            if is_merge(self.tree, key) {
                self.merge(value, map)?;
                continue;
            }
            let name = self.key(key)?;
            let value = self.value(value)?;
            replaced |= map.insert(name, value).is_some();
        }
        if replaced && self.searched.insert(id) {
            self.find_duplicates(entries);
        }
        Ok(())
    }

    /// Notes the duplicate keys.
    ///
    /// Keys that a merge brings in do not count.
    fn find_duplicates(&mut self, entries: &[(NodeId, NodeId)]) {
        let mut seen = HashMap::new();
        let own = entries.iter().map(|&(key, _)| key).filter(|&key| !is_merge(self.tree, key));
        let duplicates = own.filter_map(|key| Some((seen.insert(key_text(self.tree, key)?, key)?, key)));
        let room = (Limit::DUPLICATES + 1).saturating_sub(self.duplicates.len());
        self.duplicates.extend(duplicates.take(room));
    }

    /// Returns the text of a key.
    pub(crate) fn key(&mut self, id: NodeId) -> Result<String, Unreadable> {
        let target = self.enter(id)?;
        self.path.pop();
        to_key(self.scalar(target)?).map_err(|problem| Unreadable::Invalid(id, problem))
    }

    fn merge(&mut self, id: NodeId, map: &mut Map<String, Value>) -> Result<(), Unreadable> {
        let wrong = |id| Unreadable::Invalid(id, "`<<` takes a mapping or a list of mappings".to_owned());
        match &self.tree[self.tree.target(id)].kind {
            Kind::Map { .. } => {
                let target = self.enter(id)?;
                self.fill(target, map)?;
                self.path.pop();
            }
            Kind::Seq { items, .. } if self.tree.target(id) == id => {
                // The earlier mappings take precedence.
                for &item in items.iter().rev() {
                    if !matches!(self.tree[self.tree.target(item)].kind, Kind::Map { .. }) {
                        return Err(wrong(item));
                    }
                    let target = self.enter(item)?;
                    self.fill(target, map)?;
                    self.path.pop();
                }
            }
            _ => return Err(wrong(id)),
        }
        Ok(())
    }
}

//! The number of places of a document that have the value of a node, by any aliases and merge keys.

use super::{
    merge::{self, is_merge},
    tree::{Kind, NodeId, Tree},
};

/// Returns the number of uses of each node; `None` if the document has no alias.
///
/// Without an alias, each value has one place. A value that is overridden has none. An alias that
/// makes a scalar a key counts as one more place. Call this only for documents whose value could be
/// read: no value contains itself there, and none is nested deeper than the limit.
pub(crate) fn count(tree: &Tree<'_>) -> Option<Vec<u32>> {
    let root = tree.root()?;
    if !tree.nodes().any(|(_, node)| matches!(node.kind, Kind::Alias(_))) {
        return None;
    }
    let mut uses = vec![0_u32; tree.len()];
    for (_, node) in tree.nodes() {
        let Kind::Map { entries, .. } = &node.kind else { continue };
        for (key, _) in entries.iter().filter(|(key, _)| matches!(tree[*key].kind, Kind::Alias(_))) {
            uses[tree.target(*key).index()] += 1;
        }
    }
    uses[root.index()] = 1;
    let mut order = Vec::new();
    visit(tree, root, &mut vec![false; tree.len()], &mut order);
    for (at, children) in order.into_iter().rev() {
        let own = uses[at.index()];
        for child in children {
            let uses = &mut uses[child.index()];
            *uses = uses.saturating_add(own);
        }
    }
    Some(uses)
}

/// Adds a node and all nodes that it leads to to `order`, in postorder.
///
/// Each entry has the nodes that it leads to.
fn visit(tree: &Tree<'_>, at: NodeId, seen: &mut [bool], order: &mut Vec<(NodeId, Vec<NodeId>)>) {
    if std::mem::replace(&mut seen[at.index()], true) {
        return;
    }
    let children = children(tree, at);
    for &child in &children {
        visit(tree, child, seen, order);
    }
    order.push((at, children));
}

/// Returns the nodes that make up a value.
fn children(tree: &Tree<'_>, at: NodeId) -> Vec<NodeId> {
    match &tree[at].kind {
        Kind::Scalar { .. } => Vec::new(),
        Kind::Alias(to) => vec![*to],
        Kind::Seq { items, .. } => items.clone(),
        Kind::Map { entries, .. } if entries.iter().any(|&(key, _)| is_merge(tree, key)) => {
            merge::entries(tree, at).unwrap_or_default().into_values().map(|entry| entry.value).collect()
        }
        Kind::Map { entries, .. } => entries.iter().map(|&(_, value)| value).collect(),
    }
}

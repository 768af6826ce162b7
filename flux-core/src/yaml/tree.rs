//! A YAML document as a tree of nodes with their byte positions.

use std::{borrow::Cow, collections::HashMap, ops::Index};

use granit_parser::{Event, ScalarStyle, Span, StructureStyle, Tag as YamlTag};

use super::{
    kubectl_compat::{Mended, place},
    limits::Limit,
    scalar::{Scalar, Style, Tag, resolve},
};
use crate::position::Position;

/// The index of a node in its [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(u32);

impl NodeId {
    /// Returns the index as a number, in the order of the nodes of the tree.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A document.
///
/// Nodes are stored before their children.
#[derive(Debug, Default)]
pub(crate) struct Tree<'s> {
    nodes: Vec<Node<'s>>,
    /// The number of places that have the value of each node; empty if each has one.
    uses: Vec<u32>,
    /// `true` if a comment of the document may have the mark that is looked for.
    pub is_marked: bool,
}

/// A node and its position.
#[derive(Debug)]
pub(crate) struct Node<'s> {
    pub kind: Kind<'s>,
    /// The first byte of the node, after its anchor and tag.
    pub start: usize,
    /// The byte after the last one of the node.
    ///
    /// A block collection ends with its last child, a block scalar with the last line that it
    /// keeps, or with its header if it keeps none.
    pub end: usize,
    pub position: Position,
    pub tag: Option<Tag>,
    pub anchor: Option<Anchor<'s>>,
}

/// A name that a node has, so that others can use its value.
#[derive(Debug)]
pub(crate) struct Anchor<'s> {
    pub name: Cow<'s, str>,
    /// The line of the anchor, counted from 1.
    pub line: u32,
    /// The number of aliases that name it.
    pub aliases: u32,
}

#[derive(Debug)]
pub(crate) enum Kind<'s> {
    Scalar {
        text: Cow<'s, str>,
        style: Style,
    },
    Map {
        entries: Vec<(NodeId, NodeId)>,
        flow: bool,
    },
    Seq {
        items: Vec<NodeId>,
        flow: bool,
    },
    /// An alias of another node of the same document.
    Alias(NodeId),
}

impl<'s> Index<NodeId> for Tree<'s> {
    type Output = Node<'s>;

    fn index(&self, id: NodeId) -> &Node<'s> {
        &self.nodes[id.index()]
    }
}

impl<'s> Tree<'s> {
    /// Returns the outermost node, unless the document is empty.
    pub(crate) fn root(&self) -> Option<NodeId> {
        (!self.nodes.is_empty()).then_some(NodeId(0))
    }

    /// Returns the nodes, each before its children.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node<'s>)> {
        (0..).map(NodeId).zip(&self.nodes)
    }

    /// Returns the number of nodes.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the node itself, or the node that it is an alias of.
    pub(crate) fn target(&self, id: NodeId) -> NodeId {
        match self[id].kind {
            Kind::Alias(to) => to,
            _ => id,
        }
    }

    /// Returns the anchor of a node, if something else in the document uses it.
    pub(crate) fn used_anchor(&self, id: NodeId) -> Option<&Anchor<'s>> {
        self[id].anchor.as_ref().filter(|anchor| anchor.aliases > 0)
    }

    /// Returns the number of places that have the value of a node, by any aliases and merge keys.
    ///
    /// It is set by [`set_uses`](Self::set_uses).
    pub(crate) fn uses(&self, id: NodeId) -> u32 {
        self.uses.get(id.index()).copied().unwrap_or(1)
    }

    /// Sets the number of places that have the value of each node; `None` if each has one.
    pub(crate) fn set_uses(&mut self, uses: Option<Vec<u32>>) {
        self.uses = uses.unwrap_or_default();
    }

    /// Returns the text of a scalar; `None` for other nodes.
    ///
    /// Aliases are followed.
    pub(crate) fn scalar(&self, id: NodeId) -> Option<(&str, Style)> {
        match &self[self.target(id)].kind {
            Kind::Scalar { text, style } => Some((text, *style)),
            _ => None,
        }
    }

    /// Returns the typed value of a scalar.
    ///
    /// It is `None` for other nodes, and for a scalar whose text does not fit its tag. Aliases are
    /// followed.
    pub(crate) fn meaning(&self, id: NodeId) -> Option<Scalar<'_>> {
        let (text, style) = self.scalar(id)?;
        resolve(text, style, self[self.target(id)].tag).ok()
    }
}

/// The nodes for which there is room from the start: those of a usual manifest.
const USUAL: usize = 64;

/// A builder of a [`Tree`] from the events of one document.
#[derive(Debug)]
pub(crate) struct Builder<'s> {
    source: &'s str,
    /// The text that is parsed, if it is not `source` itself.
    mended: Option<&'s Mended>,
    tree: Tree<'s>,
    open: Vec<Open>,
    anchors: HashMap<usize, NodeId>,
    newest: Option<NodeId>,
}

#[derive(Debug)]
struct Open {
    node: NodeId,
    /// In a mapping, the key whose value comes next.
    key: Option<NodeId>,
}

impl<'s> Builder<'s> {
    /// Starts a document of the file `source`.
    ///
    /// The events are those of `mended`, if there is one.
    pub(crate) fn new(source: &'s str, mended: Option<&'s Mended>) -> Self {
        Self {
            source,
            mended,
            tree: Tree::default(),
            open: Vec::new(),
            anchors: HashMap::new(),
            newest: None,
        }
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// [`Limit`] if the document is nested deeper than the limit.
    pub(crate) fn take(&mut self, event: Event<'s>, span: &Span) -> Result<(), Limit> {
        let at = place(&span.start, self.mended);
        let (start, end) = (at.byte, place(&span.end, self.mended).byte);
        let node = |kind, tag: Option<Cow<'_, YamlTag>>| Node {
            kind,
            start,
            end,
            position: at.position,
            tag: tag.map(|t| Tag::of(&t)),
            anchor: None,
        };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let style = match style {
                    ScalarStyle::Plain if start == end => Style::Absent,
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                let text = if style == Style::Absent { Cow::Borrowed("") } else { text };
                // Blank lines at the end of a block scalar belong to it only if it keeps them.
                let keeps = style == Style::Block && text[text.trim_end().len()..].matches('\n').count() > 1;
                let blank = style == Style::Block && text.trim().is_empty() && !keeps;
                let mut scalar = node(Kind::Scalar { text, style }, tag);
                if blank {
                    // Nothing behind the header belongs to it: the next line may hold the next
                    // entry. At the end of a file the span has the header.
                    let at = if self.rest(start).starts_with(['|', '>']) {
                        start + self.rest(start).lines().next().unwrap_or_default().trim_end().len()
                    } else {
                        self.source.get(..start).unwrap_or_default().trim_end().len()
                    };
                    (scalar.start, scalar.end) = (at, at);
                } else if style == Style::Block {
                    let content = self.source.get(start..end).unwrap_or_default();
                    let kept = content.strip_suffix('\n').map(|kept| kept.strip_suffix('\r').unwrap_or(kept));
                    scalar.end = start + kept.filter(|_| keeps).unwrap_or(content.trim_end()).len();
                }
                self.add(scalar, anchor);
            }
            Event::Alias(anchor) => {
                if let Some(&to) = self.anchors.get(&anchor) {
                    if let Some(anchor) = &mut self.tree.nodes[to.index()].anchor {
                        anchor.aliases += 1;
                    }
                    self.add(node(Kind::Alias(to), None), 0);
                }
            }
            Event::MappingStart(style, anchor, tag) => {
                let kind = Kind::Map { entries: Vec::new(), flow: style == StructureStyle::Flow };
                let id = self.add(node(kind, tag), anchor);
                self.open(id)?;
            }
            Event::SequenceStart(style, anchor, tag) => {
                let kind = Kind::Seq { items: Vec::new(), flow: style == StructureStyle::Flow };
                let id = self.add(node(kind, tag), anchor);
                self.open(id)?;
            }
            Event::MappingEnd | Event::SequenceEnd => self.close(end),
            Event::Anchor(_, name) => {
                if let Some(anchor) = self.newest.and_then(|id| self.tree.nodes[id.index()].anchor.as_mut()) {
                    anchor.name = name;
                    anchor.line = at.position.line;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns the number of nodes so far.
    pub(crate) fn len(&self) -> usize {
        self.tree.len()
    }

    /// Returns the finished tree.
    pub(crate) fn finish(self) -> Tree<'s> {
        self.tree
    }

    fn rest(&self, at: usize) -> &'s str {
        self.source.get(at..).unwrap_or_default()
    }

    fn add(&mut self, mut node: Node<'s>, anchor: usize) -> NodeId {
        let id = NodeId(u32::try_from(self.tree.nodes.len()).unwrap_or(u32::MAX));
        if anchor != 0 {
            node.anchor = Some(Anchor { name: Cow::Borrowed(""), line: node.position.line, aliases: 0 });
            self.anchors.insert(anchor, id);
        }
        if self.tree.nodes.is_empty() {
            self.tree.nodes.reserve(USUAL);
        }
        self.tree.nodes.push(node);
        self.newest = Some(id);
        if let Some(open) = self.open.last_mut() {
            match &mut self.tree.nodes[open.node.index()].kind {
                Kind::Seq { items, .. } => items.push(id),
                Kind::Map { entries, .. } => match open.key.take() {
                    None => open.key = Some(id),
                    Some(key) => entries.push((key, id)),
                },
                Kind::Scalar { .. } | Kind::Alias(_) => {}
            }
        }
        id
    }

    fn open(&mut self, node: NodeId) -> Result<(), Limit> {
        if self.open.len() >= Limit::DEPTH {
            return Err(Limit::Depth);
        }
        self.open.push(Open { node, key: None });
        Ok(())
    }

    fn close(&mut self, end: usize) {
        let Some(Open { node, .. }) = self.open.pop() else { return };
        let (last, flow) = match &self.tree[node].kind {
            Kind::Map { entries, flow } => (entries.last().map(|&(_, value)| value), *flow),
            Kind::Seq { items, flow } => (items.last().copied(), *flow),
            Kind::Scalar { .. } | Kind::Alias(_) => return,
        };
        self.tree.nodes[node.index()].end = match last {
            Some(last) if !flow => self.tree[last].end,
            _ => end,
        };
    }
}

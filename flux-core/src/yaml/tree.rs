//! One YAML document as a tree of nodes that know their bytes.

use std::{borrow::Cow, collections::HashMap, ops::Index};

use granit_parser::{Event, ScalarStyle, Span, StructureStyle, Tag as YamlTag};

use super::{
    kubectl_compat::{Mended, place},
    limits::Limit,
    scalar::{Scalar, Style, Tag, resolve},
};

/// The index of a node in its [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(u32);

impl NodeId {
    /// Its place among the nodes of its tree.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A document. Nodes are stored before their children.
#[derive(Debug, Default)]
pub(crate) struct Tree<'s> {
    nodes: Vec<Node<'s>>,
    /// How many places have the value of each node; empty where each has one place.
    uses: Vec<u32>,
    /// Whether a comment of the document may have the mark that was looked for.
    pub is_marked: bool,
}

/// A node and where it stands.
#[derive(Debug)]
pub(crate) struct Node<'s> {
    pub kind: Kind<'s>,
    /// First byte of the node, after its anchor and tag.
    pub start: usize,
    /// The byte after its last. A block collection ends with its last child, a block scalar with the last line that it keeps, one without such with its header.
    pub end: usize,
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    pub tag: Option<Tag>,
    pub anchor: Option<Anchor<'s>>,
}

/// A name given to a node for use origin.
#[derive(Debug)]
pub(crate) struct Anchor<'s> {
    pub name: Cow<'s, str>,
    /// The line that it stands on, counted from 1.
    pub line: u32,
    /// How many aliases name it.
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
    /// Stands for another node of the same document.
    Alias(NodeId),
}

impl<'s> Index<NodeId> for Tree<'s> {
    type Output = Node<'s>;

    fn index(&self, id: NodeId) -> &Node<'s> {
        &self.nodes[id.index()]
    }
}

impl<'s> Tree<'s> {
    /// The outermost node, unless the document is empty.
    pub(crate) fn root(&self) -> Option<NodeId> {
        (!self.nodes.is_empty()).then_some(NodeId(0))
    }

    /// The nodes, each before its children.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node<'s>)> {
        (0..).map(NodeId).zip(&self.nodes)
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The node itself, or what it is an alias of.
    pub(crate) fn target(&self, id: NodeId) -> NodeId {
        match self[id].kind {
            Kind::Alias(to) => to,
            _ => id,
        }
    }

    /// The anchor of a node, if something else in the document uses it.
    pub(crate) fn used_anchor(&self, id: NodeId) -> Option<&Anchor<'s>> {
        self[id].anchor.as_ref().filter(|anchor| anchor.aliases > 0)
    }

    /// How many places of the document have the value of a node, by whatever aliases and merge keys. Known after [`set_uses`](Self::set_uses).
    pub(crate) fn uses(&self, id: NodeId) -> u32 {
        self.uses.get(id.index()).copied().unwrap_or(1)
    }

    /// Sets how many places have the value of each node; `None` if each has one.
    pub(crate) fn set_uses(&mut self, uses: Option<Vec<u32>>) {
        self.uses = uses.unwrap_or_default();
    }

    /// Where a node stands: line and column, counted from 1.
    pub(crate) fn place(&self, id: NodeId) -> (u32, u32) {
        (self[id].line, self[id].column)
    }

    /// The text of a scalar; none for other nodes. Aliases are followed.
    pub(crate) fn scalar(&self, id: NodeId) -> Option<(&str, Style)> {
        match &self[self.target(id)].kind {
            Kind::Scalar { text, style } => Some((text, *style)),
            _ => None,
        }
    }

    /// What a scalar stands for; none for other nodes, and where its tag asks for something that its text is not. Aliases are followed.
    pub(crate) fn meaning(&self, id: NodeId) -> Option<Scalar<'_>> {
        let (text, style) = self.scalar(id)?;
        resolve(text, style, self[self.target(id)].tag).ok()
    }
}

/// Makes a [`Tree`] of the events of one document.
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
    /// In a mapping: the key whose value is awaited.
    key: Option<NodeId>,
}

impl<'s> Builder<'s> {
    /// Starts a document of the file `source`. The events are those of `mended`, if there is one.
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
            line: at.line,
            column: at.column,
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
                // Blank lines at the end of a block scalar are its own only where it keeps them.
                let keeps = text[text.trim_end().len()..].matches('\n').count() > 1;
                let blank = style == Style::Block && text.trim().is_empty() && !keeps;
                let mut scalar = node(Kind::Scalar { text, style }, tag);
                if blank {
                    // Nothing behind the header is its own: the next line may be the next entry's. At the end of a file the span has the header.
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
                    anchor.line = at.line;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// How many nodes there are so far.
    pub(crate) fn len(&self) -> usize {
        self.tree.len()
    }

    /// The finished tree.
    pub(crate) fn finish(self) -> Tree<'s> {
        self.tree
    }

    fn rest(&self, at: usize) -> &'s str {
        self.source.get(at..).unwrap_or_default()
    }

    fn add(&mut self, mut node: Node<'s>, anchor: usize) -> NodeId {
        let id = NodeId(u32::try_from(self.tree.nodes.len()).unwrap_or(u32::MAX));
        if anchor != 0 {
            node.anchor = Some(Anchor { name: Cow::Borrowed(""), line: node.line, aliases: 0 });
            self.anchors.insert(anchor, id);
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

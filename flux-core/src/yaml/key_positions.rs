//! The positions of the keys of a YAML object in its file.

use std::collections::BTreeMap;

use granit_parser::{Event, Marker, Parser};

use super::text::marker_position;
use crate::{pointer::escape, position::Position};

/// The positions of the keys of mappings and the items of sequences, by JSON pointer.
///
/// They are kept as a tree: a key is kept once, however much stands below it.
#[derive(Debug)]
pub(crate) struct Places(Vec<Node>);

/// A key or an item, and the nodes within its value.
#[derive(Debug, Default)]
struct Node {
    /// `None` for the object itself.
    position: Option<Position>,
    /// The child nodes, by the key as it stands in a pointer.
    keys: BTreeMap<Box<str>, NodeId>,
    items: Vec<NodeId>,
}

/// The index of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NodeId(usize);

impl Default for Places {
    fn default() -> Self {
        Self(vec![Node::default()])
    }
}

impl Places {
    /// Returns the positions in the object that starts at `line` of a file, or that follows it.
    ///
    /// A part that cannot be read has no positions.
    pub(crate) fn of(source: &str, line: u32) -> Self {
        let mut walk = Walk { places: Self::default(), open: Vec::new() };
        for (event, span) in Parser::new_from_str(source).map_while(Result::ok) {
            let starts = marker_position(&span.start).line >= line;
            match event {
                Event::MappingStart(..) if starts && walk.open.is_empty() => {
                    walk.open.push(Open { at: Some(Self::ROOT), kind: Kind::Map(None) });
                }
                _ if walk.open.is_empty() => {}
                Event::MappingStart(..) => {
                    let at = walk.node(None, &span.start);
                    walk.open.push(Open { at, kind: Kind::Map(None) });
                }
                Event::SequenceStart(..) => {
                    let at = walk.node(None, &span.start);
                    walk.open.push(Open { at, kind: Kind::Seq(0) });
                }
                Event::Scalar(text, ..) => drop(walk.node(Some(&text), &span.start)),
                Event::Alias(..) | Event::UnresolvedAlias(..) => drop(walk.node(None, &span.start)),
                Event::MappingEnd | Event::SequenceEnd => {
                    walk.open.pop();
                    if walk.open.is_empty() {
                        break;
                    }
                }
                _ => {}
            }
        }
        walk.places
    }

    const ROOT: NodeId = NodeId(0);

    /// Returns the position of a pointer, or of the nearest one around it; `None` if none has one.
    pub(crate) fn nearest(&self, pointer: &str) -> Option<Position> {
        let (mut at, mut position) = (self.node(Self::ROOT)?, None);
        for part in pointer.split('/').skip(1) {
            let item = || at.items.get(part.parse::<usize>().ok()?).copied();
            let Some(next) = at.keys.get(part).copied().or_else(item).and_then(|id| self.node(id)) else {
                break;
            };
            (at, position) = (next, next.position.or(position));
        }
        position
    }

    /// Returns the line of the first key or item.
    #[cfg(any(test, feature = "deployer"))]
    pub(crate) fn first_line(&self) -> Option<u32> {
        self.0.iter().filter_map(|node| node.position).map(|position| position.line).min()
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.0.get(id.0)
    }

    /// Returns the node of a key or an item; adds one if there is none yet.
    fn put(&mut self, parent: NodeId, step: Step<'_>, position: Position) -> Option<NodeId> {
        let new = NodeId(self.0.len());
        let node = self.0.get_mut(parent.0)?;
        let id = match step {
            Step::Key(key) => *node.keys.entry(key.into()).or_insert(new),
            Step::Item(index) => node.items.get(index).copied().unwrap_or_else(|| {
                node.items.push(new);
                new
            }),
        };
        if id == new {
            self.0.push(Node::default());
        }
        self.0.get_mut(id.0)?.position = Some(position);
        Some(id)
    }
}

enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

struct Walk {
    places: Places,
    open: Vec<Open>,
}

/// A mapping or sequence that is being read.
struct Open {
    /// The node; `None` within a key that is a mapping or a list itself, where positions are not
    /// kept.
    at: Option<NodeId>,
    kind: Kind,
}

enum Kind {
    /// A mapping, with the key whose value comes next.
    Map(Option<Key>),
    /// A sequence, with the index of the item that comes next.
    Seq(usize),
}

/// A key that was read; `None` where positions are not kept.
struct Key(Option<NodeId>);

impl Walk {
    /// Notes a node, and returns the node that its content belongs to.
    fn node(&mut self, text: Option<&str>, start: &Marker) -> Option<NodeId> {
        let open = self.open.last_mut()?;
        match &mut open.kind {
            Kind::Seq(index) => {
                let step = Step::Item(*index);
                *index += 1;
                self.places.put(open.at?, step, marker_position(start))
            }
            Kind::Map(key) => {
                if let Some(Key(at)) = key.take() {
                    return at;
                }
                let name = escape(text.unwrap_or_default());
                let at = open.at.and_then(|at| self.places.put(at, Step::Key(&name), marker_position(start)));
                *key = Some(Key(at));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOURCE: &str = "# policy\nkind: Other\n---\nkind: FluxPolicy\nspec:\n  rules:\n  - select: {a/b: 1}\n    policy:\n      tag: x\n  - &a\n    ? [k]\n    : v\n    last: *a\n---\nkind: Third\n";

    #[test]
    fn keys_and_items_have_their_places() {
        let found = Places::of(SOURCE, 4);
        let table = [
            ("/kind", (4, 1)),
            ("/spec/rules", (6, 3)),
            ("/spec/rules/0", (7, 5)),
            ("/spec/rules/0/select/a~1b", (7, 14)),
            ("/spec/rules/0/policy/tag", (9, 7)),
            ("/spec/rules/1/last", (13, 5)),
            // The nearest one around.
            ("/spec/rules/1/tag", (11, 5)),
            ("/spec/rules/2", (6, 3)),
            ("/spec/rules/1//0", (11, 7)),
        ];
        let at = |line, column| Some(Position { line, column });
        for (pointer, (line, column)) in table {
            assert_eq!(found.nearest(pointer), at(line, column), "{pointer}");
        }
        assert_eq!(found.nearest("/data"), None);
        assert_eq!(found.first_line(), Some(4));
        assert_eq!(Places::of(SOURCE, 14).nearest("/kind"), at(15, 1));
        assert_eq!(Places::of(SOURCE, 99).first_line(), None);
        // The last of two counts, as it does for values.
        assert_eq!(Places::of("a: [1, 2]\na: [3]\n", 1).nearest("/a/0"), at(2, 5));
    }

    #[test]
    fn a_long_key_is_kept_once() {
        let source = format!("? {}\n:\n{}", "k".repeat(1 << 20), "- a\n".repeat(20_000));
        let found = Places::of(&source, 1);
        assert_eq!(found.0.len(), 20_002);
        let kept: usize = found.0.iter().flat_map(|node| node.keys.keys()).map(|key| key.len()).sum();
        assert_eq!(kept, 1 << 20);
    }

    proptest! {
        #[test]
        fn any_text_is_walked(text in "\\PC{0,30}|[-a:?&*\\[\\]{}, \n]{0,30}", line in 0..4_u32) {
            Places::of(&text, line);
        }
    }
}

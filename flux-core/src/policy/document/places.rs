//! Where the keys of a YAML object stand in its file.

use std::collections::BTreeMap;

use granit_parser::{Event, Marker, Parser};

/// A line and a column, both counted from 1.
pub(crate) type Spot = (u32, u32);

/// Where the keys of mappings and the items of sequences stand, by JSON pointer, for the object that starts at `line` of a file,
/// or as soon after it as one does. What cannot be read has no place.
pub(crate) fn places(source: &str, line: u32) -> BTreeMap<String, Spot> {
    let mut walk = Walk { found: BTreeMap::new(), open: Vec::new() };
    for (event, span) in Parser::new_from_str(source).map_while(Result::ok) {
        let starts = spot(&span.start).0 >= line;
        match event {
            Event::MappingStart(..) if starts && walk.open.is_empty() => walk.open.push(Open::root()),
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
    walk.found
}

struct Walk {
    found: BTreeMap<String, Spot>,
    open: Vec<Open>,
}

/// A mapping or sequence that is being read.
struct Open {
    at: String,
    kind: Kind,
}

enum Kind {
    /// With the key whose value comes next.
    Map(Option<String>),
    /// With the index of the item that comes next.
    Seq(usize),
}

impl Open {
    fn root() -> Self {
        Self { at: String::new(), kind: Kind::Map(None) }
    }
}

impl Walk {
    /// Takes note of a node, and returns its pointer.
    fn node(&mut self, text: Option<&str>, start: &Marker) -> String {
        let Some(open) = self.open.last_mut() else { return String::new() };
        match &mut open.kind {
            Kind::Seq(index) => {
                let at = format!("{}/{index}", open.at);
                *index += 1;
                self.found.insert(at.clone(), spot(start));
                at
            }
            Kind::Map(key) => match key.take() {
                Some(key) => format!("{}/{key}", open.at),
                None => {
                    let name = escaped(text.unwrap_or_default());
                    self.found.insert(format!("{}/{name}", open.at), spot(start));
                    *key = Some(name.clone());
                    // A key that is a mapping or a list itself: what is in it has no place of interest.
                    format!("{}/{name}?", open.at)
                }
            },
        }
    }
}

/// The place of a pointer, or of the nearest thing around it that has one.
pub(crate) fn nearest(places: &BTreeMap<String, Spot>, at: &str) -> Spot {
    let around = std::iter::successors(Some(at), |at| at.rsplit_once('/').map(|(outer, _)| outer));
    around.into_iter().find_map(|at| places.get(at)).copied().unwrap_or((1, 1))
}

/// A key as a part of a JSON pointer.
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn spot(at: &Marker) -> Spot {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (count(at.line()), count(at.col()).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOURCE: &str = "# policy\nkind: Other\n---\nkind: FluxPolicy\nspec:\n  rules:\n  - select: {a/b: 1}\n    policy:\n      tag: x\n  - &a\n    ? [k]\n    : v\n    last: *a\n---\nkind: Third\n";

    #[test]
    fn keys_and_items_have_their_places() {
        let found = places(SOURCE, 4);
        let table = [
            ("/kind", (4, 1)),
            ("/spec/rules", (6, 3)),
            ("/spec/rules/0", (7, 5)),
            ("/spec/rules/0/select/a~1b", (7, 14)),
            ("/spec/rules/0/policy/tag", (9, 7)),
            ("/spec/rules/1/last", (13, 5)),
        ];
        for (pointer, spot) in table {
            assert_eq!(found.get(pointer), Some(&spot), "{pointer}");
        }
        assert_eq!(places(SOURCE, 14)["/kind"], (15, 1));
        assert_eq!(places(SOURCE, 99), BTreeMap::new());
    }

    proptest! {
        #[test]
        fn any_text_is_walked(text in "\\PC{0,30}|[-a:?&*\\[\\]{}, \n]{0,30}", line in 0..4_u32) {
            places(&text, line);
        }
    }
}

//! Scalars that hold an image or a part of one: their positions, and whether an edit can write
//! them.

use serde::{Deserialize, Serialize};

use crate::{
    pointer::last_key,
    position::Position,
    yaml::{
        cursor::{Cursor, Inherited},
        layout::{Lines, NewKey, new_key},
        scalar::{Style, Tag},
        tree::{Anchor, Kind},
    },
};

/// A scalar that holds an image or a part of one.
///
/// Exhaustive: a writer of images must know all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The part of the image reference that it holds.
    pub part: Part,
    /// The path of the scalar within its object, as a JSON pointer.
    pub pointer: String,
    /// The first byte of the scalar's source text, quotes included.
    pub start: usize,
    /// The byte after the last one of the source text.
    pub end: usize,
    /// The source text.
    pub source: String,
    /// The key that an edit puts before the value, if a mapping inherits the value by a merge key
    /// and gets one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adds: Option<Box<NewKey>>,
    /// The reason that an edit here is refused, if it is: an anchor that others use, or a tag that
    /// fixes the type of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The scalar that this one shares with other places.
    ///
    /// When all of them change to the same text, the shared scalar is written instead, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Box<SharedScalar>>,
}

/// The part of an image reference that a scalar holds.
///
/// Exhaustive: a writer of images must know every part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The whole reference.
    Image,
    /// The registry host.
    Registry,
    /// The name without the registry, possibly with a tag.
    Repository,
    /// The name with its registry and nothing else, as a kustomization's `newName`.
    Name,
    /// The tag.
    Tag,
    /// The digest.
    Digest,
}

/// A scalar whose value several places have.
///
/// They have it by aliases, by merge keys, or because they take it from one entry of a
/// kustomization.
///
/// Exhaustive: a writer of images must know all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedScalar {
    /// The first byte of its source text, after its anchor.
    pub start: usize,
    /// The byte after the last one of the source text.
    pub end: usize,
    /// The source text.
    pub source: String,
    /// The number of places that have its value, this one included.
    pub uses: u32,
}

/// A scalar of an object with its text, its position, and the data that an edit needs.
///
/// Exhaustive: a writer of images must know all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScalarRef {
    /// The text as YAML reads it, whatever its type.
    pub text: String,
    /// The position of the text.
    pub position: Position,
    /// The place that an edit writes.
    pub site: Site,
}

impl ScalarRef {
    /// Returns the site of this scalar as one that holds a part of an image.
    pub(crate) fn site(&self, part: Part) -> Site {
        Site { part, ..self.site.clone() }
    }
}

/// Returns the scalar at `at`; `None` if the value is no scalar.
///
/// `read_only_reason` is the reason that nothing in its object is edited, if there is one.
pub(crate) fn scalar_ref(at: &Cursor<'_, '_>, read_only_reason: Option<&str>) -> Option<ScalarRef> {
    Some(ScalarRef {
        text: at.scalar()?.0.to_owned(),
        position: at.position(),
        site: site(at, Part::Image, read_only_reason)?,
    })
}

pub(crate) fn site(at: &Cursor<'_, '_>, part: Part, read_only_reason: Option<&str>) -> Option<Site> {
    at.scalar()?;
    let node = &at.tree[at.node];
    let (mut place, mut refused) = match at.span() {
        Ok(span) => (span, None),
        Err(why) => ((node.start, node.end), Some(why.to_owned())),
    };
    let mut adds = None;
    if at.tree.uses(at.node) > 1 {
        match own_key(at) {
            Ok((offset, key)) => (place, adds, refused) = ((offset, offset), Some(Box::new(key)), None),
            Err(why) => refused = Some(why),
        }
    }
    let (start, end) = place;
    Some(Site {
        part,
        pointer: at.pointer.clone(),
        start,
        end,
        source: at.source.get(start..end).unwrap_or_default().to_owned(),
        adds,
        shared: if read_only_reason.is_none() { shared(at).map(Box::new) } else { None },
        refused: read_only_reason.map(str::to_owned).or(refused),
    })
}

/// Returns the site of a key that a mapping does not have yet, behind one that it has.
pub(crate) fn beside(
    neighbour: &Cursor<'_, '_>,
    map: &Cursor<'_, '_>,
    pointer: String,
    read_only_reason: Option<&str>,
) -> Site {
    let (tree, map) = (neighbour.tree, map.tree.target(map.node));
    let own = match &tree[map].kind {
        Kind::Map { entries, .. } => entries.iter().find(|(_, value)| *value == neighbour.node),
        _ => None,
    };
    let key = last_key(&pointer);
    let added = match (neighbour.sharing(), own) {
        (Some(sharing), _) => Err(format!("{}: {}", sharing.why(tree), sharing.remedy(tree))),
        (None, Some(_)) if matches!(tree.scalar(neighbour.node), Some((_, Style::Block))) => {
            Err("what stands before it is a block scalar".to_owned())
        }
        (None, Some(&entry)) => {
            new_key(tree, &Lines::of(neighbour.source), map, entry, &key).map_err(str::to_owned)
        }
        (None, None) => Err("there is no key to put it behind".to_owned()),
    };
    let refused = |why: &String| format!("there is no place for `{key}`: {why}");
    let refused = read_only_reason.map(str::to_owned).or(added.as_ref().err().map(refused));
    let (start, adds) = added.map_or((tree[neighbour.node].end, None), |(at, key)| (at, Some(Box::new(key))));
    Site { part: Part::Image, pointer, start, end: start, source: String::new(), adds, refused, shared: None }
}

/// Returns the site of a key of its own for a value that other places have too.
///
/// The key goes into the mapping that inherits the value, if that mapping has one place only.
///
/// # Errors
/// The reason that it gets none, and the remedy.
fn own_key(at: &Cursor<'_, '_>) -> Result<(usize, NewKey), String> {
    let Some(sharing) = at.sharing() else {
        return Err(match at.tree.used_anchor(at.node) {
            Some(Anchor { name, line, .. }) => format!(
                "it carries the anchor `&{name}` of line {line}, which other places use: release them together, or write it \
                 out where `*{name}` stands"
            ),
            None => "other places use it: write it out there".to_owned(),
        });
    };
    let (why, remedy) = (sharing.why(at.tree), sharing.remedy(at.tree));
    let refused = format!("{why}: release all that use it together, or {remedy}");
    let Some(Inherited { map, by }) = at.inherited.filter(|_| at.shared.is_none()) else {
        return Err(refused);
    };
    if by.hides {
        return Err(format!("{why}, which stands behind a key of the same name: move that behind the `<<`"));
    }
    let key = last_key(&at.pointer);
    new_key(at.tree, &Lines::of(at.source), map, by.entry, &key).map_err(|no| format!("{refused}; {no}"))
}

/// Returns the scalar behind a site, if other places have its value too and it can be written.
fn shared(at: &Cursor<'_, '_>) -> Option<SharedScalar> {
    let target = at.tree.target(at.node);
    let uses = at.tree.uses(target);
    if uses < 2 {
        return None;
    }
    let (start, end) = Cursor::at(at.tree, at.source, target).span().ok()?;
    Some(SharedScalar { start, end, source: at.source.get(start..end)?.to_owned(), uses })
}

impl Cursor<'_, '_> {
    /// Returns the bytes of a scalar; those of a block scalar start at its header.
    ///
    /// # Errors
    /// The reason that no text can be written there.
    pub(crate) fn span(&self) -> Result<(usize, usize), &'static str> {
        let node = &self.tree[self.node];
        match node.tag {
            None | Some(Tag::Str | Tag::NonSpecific | Tag::Merge | Tag::Other) => {}
            Some(Tag::Binary) => return Err("it is written as base64"),
            Some(_) => return Err("its tag says that it is no text"),
        }
        match &node.kind {
            Kind::Scalar { style: Style::Block, .. } => {
                self.block_span().ok_or("the block scalar's header was not found")
            }
            _ => Ok((node.start, node.end)),
        }
    }
}

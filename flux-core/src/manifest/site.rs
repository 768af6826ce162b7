//! Scalars that hold an image or a part of one: where they stand, and whether they can be written there.

use serde::{Deserialize, Serialize};

use super::{
    Problem,
    tree::{Kind, Style, Tag},
    walk::Cursor,
};

/// A scalar that holds an image or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Which part of the reference it holds.
    pub part: Part,
    /// The path of the scalar within its object, as a JSON pointer.
    pub pointer: String,
    /// First byte of the scalar's source text, quotes included.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// The source text.
    pub source: String,
    /// Why an edit here is refused, if it is: an anchor that others use, a block scalar that cannot be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The scalar that this one shares with other places. When all of them change to the same text, it is written instead, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedScalar>,
}

/// Which part of an image reference a scalar holds.
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

/// A scalar whose value several places have: by aliases, by merge keys, or because they take it from one entry of a kustomization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedScalar {
    /// First byte of its source text, after its anchor.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// The source text.
    pub source: String,
    /// How many places have its value, this one included.
    pub uses: u32,
}

/// A scalar of an object with its text, its place, and what an edit needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// The text as YAML reads it, whatever its type.
    pub text: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
    /// Its bytes.
    pub site: Site,
}

impl Leaf {
    /// Its place as one that holds a part of an image.
    pub(super) fn site(&self, part: Part) -> Site {
        Site { part, ..self.site.clone() }
    }
}

/// What reading a workload has to do with.
pub(super) struct Context<'a> {
    /// The workload's id.
    pub subject: &'a str,
    /// The index of its object in the file.
    pub resource: usize,
    /// Why nothing in the object is edited, if so: it is encrypted, or of a kind that is only looked at.
    pub held: Option<&'static str>,
    /// Whether it is encrypted: what it says is no image.
    pub encrypted: bool,
    pub problems: &'a mut Vec<Problem>,
}

impl Context<'_> {
    /// The scalar at `at` as a place to write; none if it is no scalar.
    pub(super) fn site(&self, at: &Cursor<'_, '_>, part: Part) -> Option<Site> {
        site(at, part, self.held)
    }

    /// The scalar at `at`; none if it is none.
    pub(super) fn leaf(&self, at: &Cursor<'_, '_>) -> Option<Leaf> {
        leaf(at, self.held)
    }
}

/// The scalar at `at`; none if it is none. `held` is why nothing in its object is edited, if so.
pub(super) fn leaf(at: &Cursor<'_, '_>, held: Option<&str>) -> Option<Leaf> {
    let (line, column) = at.place();
    Some(Leaf { text: at.scalar()?.0.to_owned(), line, column, site: site(at, Part::Image, held)? })
}

fn site(at: &Cursor<'_, '_>, part: Part, held: Option<&str>) -> Option<Site> {
    let node = &at.tree[at.node];
    let ((start, end), own) = match &node.kind {
        Kind::Map { .. } | Kind::Seq { .. } => return None,
        Kind::Alias(_) => {
            at.scalar()?;
            ((node.start, node.end), None)
        }
        Kind::Scalar { .. } => match at.span() {
            Some(span) => (span, None),
            None => ((node.start, node.end), Some("the block scalar's header was not found".to_owned())),
        },
    };
    let anchored = at.tree.used_anchor(at.node).map(|name| {
        format!("it carries the anchor `&{name}`, which other places use: write the image out where `*{name}` stands")
    });
    let tagged = (node.tag == Some(Tag::Binary)).then(|| "it is written as base64".to_owned());
    Some(Site {
        part,
        pointer: at.pointer.clone(),
        start,
        end,
        source: at.source.get(start..end).unwrap_or_default().to_owned(),
        shared: if held.is_none() { shared(at) } else { None },
        refused: held.map(str::to_owned).or_else(|| at.shared.clone()).or(anchored).or(tagged).or(own),
    })
}

/// The scalar behind a place, if other places have its value too and it can be written.
fn shared(at: &Cursor<'_, '_>) -> Option<SharedScalar> {
    let target = at.tree.target(at.node);
    let uses = at.tree.uses(target);
    if uses < 2 || at.tree[target].tag == Some(Tag::Binary) {
        return None;
    }
    let (start, end) = Cursor::at(at.tree, at.source, target).span()?;
    Some(SharedScalar { start, end, source: at.source.get(start..end)?.to_owned(), uses })
}

impl Cursor<'_, '_> {
    /// The bytes of a scalar, a block scalar's from its header on.
    fn span(&self) -> Option<(usize, usize)> {
        let node = &self.tree[self.node];
        match &node.kind {
            Kind::Scalar { style: Style::Block, .. } => self.block_span(),
            _ => Some((node.start, node.end)),
        }
    }
}

//! Images marked by Flux v2's comments: `tag: 1.0 # {"$imagepolicy": "flux-system:web:tag"}`.
//!
//! The comment names a policy and, behind it, the part of the image that the scalar holds: `name`,
//! `tag` or `digest`, and without one all of it. The policies of Flux v2 are ignored here, only the
//! places count. If no other convention covers them, they make the object a workload with a
//! container that has the policy's name, without its namespace. The parts of an image stand in one
//! mapping; a name without a comment is the neighbour `newName`, `repository` or `image`, and
//! `name` beside a `newTag`, `tag` or `digest`. A tag or a digest without a name (one that an
//! environment variable repeats, for example) follows the image that another comment of the same
//! policy marks in the object.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{context::Context, image_parts::ImageParts};
use crate::{
    manifest::{Container, ContainerRole, Part, Site, scalar_ref::ScalarRef},
    yaml::{cursor::Cursor, scalar::Style, tree::Kind},
};

/// The text that every such comment has in it.
pub(crate) const MARK: &str = "$imagepolicy";

/// The keys that hold the name of an image beside its tag, the most specific first.
const NAMES: [&str; 3] = ["newName", "repository", "image"];

/// The keys that hold the tag or digest of an image that `name` names.
const OF_NAMED: [&str; 3] = ["newTag", "tag", "digest"];

/// The number of values of an object that are searched.
const VALUES: usize = 100_000;

/// The part of an image that a scalar holds, by its comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Marked {
    Whole,
    Name,
    Tag,
    Digest,
}

/// A scalar with such a comment, and the mapping in which it stands.
struct Setter<'t, 's> {
    marked: Marked,
    leaf: ScalarRef,
    parent: Cursor<'t, 's>,
}

/// Returns the images of an object that comments mark, except those in `known`.
pub(crate) fn containers(
    at: &Cursor<'_, '_>,
    known: &mut [Container],
    context: &mut Context<'_>,
) -> Vec<Container> {
    if !at.tree.is_marked {
        return Vec::new();
    }
    let mut walk = Walk { context, found: BTreeMap::new(), left: VALUES };
    walk.value(at, None);
    let found = walk.found;
    let pointers: BTreeSet<String> =
        known.iter().flat_map(|c| &c.sites).map(|site| site.pointer.clone()).collect();
    let mut names: BTreeSet<String> = known.iter().map(|c| c.name.clone()).collect();
    let mut containers = Vec::new();
    for (policy, setters) in found {
        let fresh = |parts: &ImageParts| {
            let leaves = [Some(&parts.repository), parts.tag.as_ref(), parts.digest.as_ref()];
            leaves.into_iter().flatten().all(|leaf| !pointers.contains(leaf.site.pointer.as_str()))
        };
        // Each name is taken once, so that not all names are tried again for every image.
        let mut free = std::iter::once(policy.clone()).chain((2..).map(|n| format!("{policy}-{n}")));
        let (images, followers) = images(&setters, context);
        let own = containers.len();
        for parts in images.into_iter().filter(fresh) {
            let name = free.find(|name| !names.contains(name)).unwrap_or_default();
            containers.push(parts.container(&name, ContainerRole::Main, context));
            names.insert(name);
        }
        let marked: BTreeSet<&str> = setters.iter().map(|setter| setter.leaf.site.pointer.as_str()).collect();
        let is_marked =
            |c: &&mut Container| c.sites.iter().any(|site| marked.contains(site.pointer.as_str()));
        if let Some(host) = known.iter_mut().find(is_marked).or(containers.get_mut(own)) {
            follow(host, followers.into_iter().filter(|site| !pointers.contains(&site.pointer)));
        }
    }
    containers
}

/// Lets scalars that repeat a part of a container's image follow it.
fn follow(host: &mut Container, followers: impl Iterator<Item = Site>) {
    let has = |part| host.sites.iter().any(|site| site.part == part);
    // If the name beside its tag has a tag too, an edit would lose that one.
    if has(Part::Image) || has(Part::Tag) {
        host.sites.extend(followers);
    }
}

/// Returns the images that the comments of one policy mark, and the scalars that repeat a part of
/// one.
fn images(setters: &[Setter<'_, '_>], context: &Context<'_>) -> (Vec<ImageParts>, Vec<Site>) {
    let mut places: BTreeMap<(&str, Marked), &ScalarRef> = BTreeMap::new();
    for setter in setters {
        places.entry((&setter.parent.pointer, setter.marked)).or_insert(&setter.leaf);
    }
    let beside = |one: &Setter<'_, '_>, marked: Marked| {
        places.get(&(one.parent.pointer.as_str(), marked)).map(|leaf| (*leaf).clone())
    };
    let (mut found, mut followers) = (Vec::new(), Vec::new());
    for setter in setters {
        let has_tag = || beside(setter, Marked::Tag).is_some();
        let (tag, digest) = match setter.marked {
            Marked::Whole => {
                found.push(ImageParts::whole(setter.leaf.clone()));
                continue;
            }
            Marked::Tag => (Some(setter.leaf.clone()), beside(setter, Marked::Digest)),
            Marked::Digest if !has_tag() => (None, Some(setter.leaf.clone())),
            Marked::Digest | Marked::Name => continue,
        };
        let Some(repository) = beside(setter, Marked::Name).or_else(|| neighbour(setter, context)) else {
            let part = if setter.marked == Marked::Tag { Part::Tag } else { Part::Digest };
            followers.push(setter.leaf.site(part));
            continue;
        };
        let registry = setter.parent.get("registry").filter(|at| at.text().is_some_and(|t| !t.is_empty()));
        let registry = registry.and_then(|at| context.scalar_ref(&at));
        found.push(ImageParts { registry, repository, tag, digest });
    }
    (found, followers)
}

/// Returns the name of an image beside a tag or digest, by its key.
fn neighbour(setter: &Setter<'_, '_>, context: &Context<'_>) -> Option<ScalarRef> {
    let at = |key: &str| setter.parent.get(key).filter(|at| at.text().is_some_and(|text| !text.is_empty()));
    if let Some(name) = NAMES.iter().find_map(|key| at(key)) {
        return context.scalar_ref(&name);
    }
    let key = setter.leaf.site.pointer.rsplit('/').next().unwrap_or_default();
    let mut leaf = context.scalar_ref(&at("name").filter(|_| OF_NAMED.contains(&key))?)?;
    leaf.site.refused = Some("it says which image is meant".to_owned());
    Some(leaf)
}

struct Walk<'t, 's, 'c> {
    context: &'c Context<'c>,
    found: BTreeMap<String, Vec<Setter<'t, 's>>>,
    left: usize,
}

impl<'t, 's> Walk<'t, 's, '_> {
    fn value(&mut self, at: &Cursor<'t, 's>, parent: Option<&Cursor<'t, 's>>) {
        let Some(left) = self.left.checked_sub(1) else { return };
        self.left = left;
        for item in at.items().unwrap_or_default() {
            self.value(&item, Some(at));
        }
        for (_, value) in at.entries().unwrap_or_default() {
            self.value(&value, Some(at));
        }
        let Some(((policy, marked), parent)) = comment(at).zip(parent) else { return };
        if let Some(leaf) = self.context.scalar_ref(at) {
            self.found.entry(policy).or_default().push(Setter { marked, leaf, parent: parent.clone() });
        }
    }
}

/// Returns the policy that the comment behind a scalar names, and the part that it gives the
/// scalar.
fn comment(at: &Cursor<'_, '_>) -> Option<(String, Marked)> {
    let node = &at.tree[at.node];
    if !matches!(
        node.kind,
        Kind::Alias(_) | Kind::Scalar { style: Style::Plain | Style::Single | Style::Double, .. }
    ) {
        return None;
    }
    // Only to the end of the comment's JSON, not of the line, which may hold many scalars.
    let closing = |c: char| matches!(c, ',' | '}' | ']') || (c.is_whitespace() && c != '\n');
    let comment = at.source.get(node.end..)?.trim_start_matches(closing).strip_prefix('#')?;
    let comment: Value = serde_json::from_str(comment.lines().next()?.trim()).ok()?;
    let mut words = comment.get(MARK)?.as_str()?.split(':');
    let (_, policy) = (words.next()?, words.next().filter(|policy| !policy.is_empty())?);
    let marked = match (words.next(), words.next()) {
        (None, _) => Marked::Whole,
        (Some("name"), None) => Marked::Name,
        (Some("tag"), None) => Marked::Tag,
        (Some("digest"), None) => Marked::Digest,
        _ => return None,
    };
    Some((policy.to_owned(), marked))
}

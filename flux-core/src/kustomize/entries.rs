//! The entries of `images:`, and which of them apply to an image.
//!
//! kustomize (5.5) takes the `name` of an entry for a regular expression, and matches
//! `^NAME(:TAG)?(@sha256:DIGEST)?$` against the image as it is written by then: `my.app` applies to
//! `my-app` as well. Names of letters and dots, the usual ones, are found by their longest part
//! without a dot, so that thousands of entries cost no more than a look-up; the others are tried
//! one by one.

use std::collections::{BTreeMap, HashMap};

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::manifest::{Resource, ScalarRef};
use crate::position::Position;

/// The expression that kustomize appends to a name.
const REST: &str = "(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?$";

/// The characters that make a name an expression beyond letters and dots.
const META: [char; 13] = ['\\', '+', '*', '?', '(', ')', '|', '[', ']', '{', '}', '^', '$'];

/// The bytes that one expression may take, and the number of expressions of a kustomization that
/// are read.
///
/// Both are more than anybody writes.
const MOST_BYTES: usize = 256 << 10;
const MOST: usize = 1_000;

/// An entry of `images:`.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) new_name: Option<ScalarRef>,
    pub(crate) tag: Option<ScalarRef>,
    pub(crate) digest: Option<ScalarRef>,
    /// The place for a tag, if there is no tag yet.
    pub(crate) tag_place: Option<ScalarRef>,
    pub(crate) suffix: bool,
    /// The position of the entry.
    position: Position,
}

impl Entry {
    fn all(resource: &Resource) -> Vec<Self> {
        let mut leaves: HashMap<&str, &ScalarRef> = HashMap::new();
        for leaf in resource.scalars.iter().filter(|leaf| leaf.site.pointer.starts_with("/images/")) {
            leaves.entry(&leaf.site.pointer).or_insert(leaf);
        }
        let images = resource.object.at("/images").unwrap_or_default();
        let entries = images.as_array().into_iter().flatten();
        let entry = |(index, entry): (usize, &Value)| {
            let at = |key: &str| leaves.get(&*format!("/images/{index}/{key}")).copied();
            let leaf = |key: &str| at(key).filter(|leaf| !leaf.text.is_empty()).cloned();
            Some(Self {
                name: entry.get("name")?.as_str()?.to_owned(),
                new_name: leaf("newName"),
                tag: leaf("newTag"),
                digest: leaf("digest"),
                tag_place: at("newTag").filter(|leaf| leaf.text.is_empty()).cloned(),
                suffix: entry.get("tagSuffix").is_some(),
                position: at("name").map_or(resource.position, |leaf| leaf.position),
            })
        };
        entries.enumerate().filter_map(entry).collect()
    }

    pub(crate) fn sets_tag(&self) -> bool {
        self.tag.is_some() || self.digest.is_some()
    }

    /// Returns the position at which the entry sets the image.
    ///
    /// It is that of its tag, else of its digest, else of its name.
    pub(crate) fn position(&self) -> Position {
        let telling = [&self.tag, &self.digest, &self.new_name].into_iter().flatten().next();
        telling.map_or(self.position, |leaf| leaf.position)
    }

    /// Returns the image that the entry makes of one, taken apart and put together as kustomize
    /// does.
    pub(crate) fn apply(&self, image: &str) -> String {
        let (name, tag, digest) = split(image);
        let text = |leaf: &Option<ScalarRef>| leaf.as_ref().map(|leaf| leaf.text.clone()).unwrap_or_default();
        let mut made = self.new_name.as_ref().map_or(name, |leaf| &leaf.text).to_owned();
        let (tag, digest) = match self.sets_tag() {
            true => (text(&self.tag), text(&self.digest)),
            false => (tag.to_owned(), digest.to_owned()),
        };
        for (mark, part) in [(':', tag), ('@', digest)] {
            if !part.is_empty() {
                made.push(mark);
                made += &part;
            }
        }
        made
    }
}

/// Returns the name, the tag and the digest of an image.
fn split(image: &str) -> (&str, &str, &str) {
    let host = image.find('/').unwrap_or(0);
    let (mark, digest_mark) = (image[host..].find(':'), image[host..].find('@'));
    let (before, digest) =
        digest_mark.map_or((image, ""), |at| (&image[..host + at], &image[host + at + 1..]));
    match mark.map(|at| host + at).filter(|at| *at < before.len()) {
        Some(at) => (&before[..at], &before[at + 1..], digest),
        None => (before, "", digest),
    }
}

/// The entries of a kustomization.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    all: Vec<Entry>,
    /// The entries with names of letters and dots.
    ///
    /// They are kept by the start and the length of the longest part without a dot, then by that
    /// part.
    by_part: BTreeMap<(usize, usize), HashMap<Vec<u8>, Vec<usize>>>,
    /// The other entries.
    by_expression: Vec<(usize, Regex)>,
}

impl Entries {
    pub(crate) fn of(resource: &Resource) -> Self {
        let mut entries = Self { all: Entry::all(resource), ..Self::default() };
        for (index, entry) in entries.all.iter().enumerate().filter(|(_, entry)| !entry.name.is_empty()) {
            if is_plain(&entry.name) {
                let (start, part) = longest_part(&entry.name);
                let parts = entries.by_part.entry((start, part.len())).or_default();
                parts.entry(part.as_bytes().to_vec()).or_default().push(index);
            } else if entries.by_expression.len() < MOST
                && let Ok(expression) = expression(&entry.name)
            {
                entries.by_expression.push((index, expression));
            }
        }
        entries
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Entry> {
        self.all.get(index)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.all.iter()
    }

    /// Returns the first entry, from one on, that applies to an image.
    pub(crate) fn next(&self, image: &str, from: usize) -> Option<(usize, &Entry)> {
        let bytes = image.as_bytes();
        let of_parts = |(&(start, length), parts): (&(usize, usize), &HashMap<Vec<u8>, Vec<usize>>)| {
            let indexes = parts.get(bytes.get(start..start + length)?)?;
            let left = &indexes[indexes.partition_point(|index| *index < from)..];
            left.iter().copied().find(|index| takes(&self.all[*index].name, bytes))
        };
        let expressions =
            &self.by_expression[self.by_expression.partition_point(|(index, _)| *index < from)..];
        let of_expressions = expressions.iter().find(|(_, expression)| expression.is_match(image));
        let first =
            self.by_part.iter().filter_map(of_parts).chain(of_expressions.map(|(index, _)| *index)).min()?;
        Some((first, &self.all[first]))
    }
}

/// Returns `true` if a name is plain text, in which dots stand for any character.
fn is_plain(name: &str) -> bool {
    name.is_ascii() && !name.contains(META)
}

/// Returns the longest part of a name without a dot, and its start.
fn longest_part(name: &str) -> (usize, &str) {
    let parts = name.split('.').scan(0, |next, part| {
        let start = std::mem::replace(next, *next + part.len() + 1);
        Some((start, part))
    });
    parts.max_by_key(|(_, part)| part.len()).unwrap_or_default()
}

/// Returns `true` if an entry of a plain name applies to an image.
fn takes(name: &str, image: &[u8]) -> bool {
    let Some((start, rest)) = image.split_at_checked(name.len()) else { return false };
    name.bytes().zip(start).all(|(a, b)| a == *b || a == b'.' && *b != b'\n') && is_rest(rest)
}

/// Returns `true` if a text can follow the name of an image: a tag, a digest, both or nothing.
fn is_rest(rest: &[u8]) -> bool {
    let text = |text: &[u8]| text.iter().all(|b| b.is_ascii_alphanumeric() || b"_.{}-".contains(b));
    let (tag, digest) =
        rest.iter().position(|b| *b == b'@').map_or((rest, None), |at| (&rest[..at], Some(&rest[at..])));
    let tag = tag.is_empty() || tag.strip_prefix(b":").is_some_and(text);
    tag && digest.is_none_or(|digest| digest.strip_prefix(b"@sha256:").is_some_and(text))
}

fn expression(name: &str) -> Result<Regex, regex::Error> {
    let text = format!("^{}{REST}", with_braces(name));
    RegexBuilder::new(&text).size_limit(MOST_BYTES).build()
}

/// Returns the reason that a name is no regular expression; `None` if it is one.
#[cfg(any(test, feature = "deployer"))]
pub(crate) fn is_no_expression(name: &str) -> Option<String> {
    if is_plain(name) {
        return None;
    }
    let error = expression(name).err()?;
    let message = error.to_string();
    Some(message.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
}

/// Returns a name with braces escaped that are no repetition, as Go reads them.
fn with_braces(name: &str) -> String {
    let counts = |rest: &str| {
        let inner = rest.split_once('}').map_or("", |(inner, _)| inner);
        let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
        !least.is_empty() && (least.bytes().chain(most.bytes())).all(|b| b.is_ascii_digit())
    };
    let mut text = String::new();
    let (mut escaped, mut counted) = (false, false);
    for (at, c) in name.char_indices() {
        match c {
            '{' if !escaped && !counts(&name[at + 1..]) => text.push('\\'),
            '{' if !escaped => counted = true,
            '}' if !escaped && !std::mem::take(&mut counted) => text.push('\\'),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::parse;

    /// Cases compared with `kubectl kustomize` (5.5).
    const TAKEN: [(&str, &str, bool); 27] = [
        ("my.app", "my-app:v1", true),
        ("my.app", "my.app", true),
        ("my.app", "myapp:v1", false),
        (".app", "/app:v1", true),
        ("a|my-app", "my-app:v1", true),
        ("my-app|b", "my-app:v1", true),
        ("MY-app", "my-app:v1", false),
        ("(?i)MY-app", "my-app:v1", true),
        ("x{", "x{:v1", true),
        ("x{}y", "x{}y:v1", true),
        ("x{2}", "xx:v1", true),
        ("x{2,}", "xxx:v1", true),
        ("my(", "my(:v1", false),
        ("x", "x:", true),
        ("x", "x@sha256:", true),
        ("x", "x@sha256:ab", true),
        ("x", "x:v1@sha256:ab", true),
        ("x", "x@abc", false),
        ("x", "x:9:v1", false),
        ("x:v1", "x:v1", true),
        ("x", " x:v1 ", false),
        ("x", "r.io/x", false),
        (".*", "host:50/x:v1", true),
        (".*/x", "host:50/x:v1", true),
        ("host:50/x", "host:50/x:v1", true),
        ("x*", "xxx:v1", true),
        ("", ":v1", false),
    ];

    #[test]
    fn a_name_is_a_regular_expression() {
        for (name, image, taken) in TAKEN {
            let text = format!(
                "resources: []\nimages: [{{name: other, newTag: a}}, {{name: {name:?}, newTag: b}}]\n"
            );
            let file = parse(text.as_bytes());
            let entries = Entries::of(&file.resources[0]);
            let found = entries.next(image, 0).map(|(index, _)| index);
            assert_eq!(found, taken.then_some(1), "{name} {image}");
            if is_plain(name) && !name.is_empty() {
                assert_eq!(expression(name).unwrap().is_match(image), taken, "{name} {image}");
            }
        }
        assert!(is_no_expression("my(").is_some() && is_no_expression("x{").is_none());
    }

    #[test]
    fn an_image_is_taken_apart_as_kustomize_does() {
        let table = [
            ("x", ("x", "", "")),
            ("host:50/x", ("host:50/x", "", "")),
            ("host:50/x:v1@sha256:ab", ("host:50/x", "v1", "sha256:ab")),
            ("x@sha256:ab", ("x", "", "sha256:ab")),
            ("x:", ("x", "", "")),
        ];
        for (image, parts) in table {
            assert_eq!(split(image), parts, "{image}");
        }
    }
}

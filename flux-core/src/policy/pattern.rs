//! Tag patterns and the orders they imply.

use std::{cmp::Ordering, fmt, str::FromStr};

use jiff::Timestamp;
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::{
    constraint::Constraint,
    glob::Glob,
    number::Number,
    version::{Version, cut},
};

/// A tag pattern: which tags compete, and in which order.
///
/// The language is documented at [`crate::policy`].
#[derive(Clone, Debug)]
pub struct TagPattern {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Glob(Glob),
    Regexp(Regex),
    /// A regular expression with a group named `order`.
    Extract(Regex),
    Semver(Constraint),
    SemverStrict(Constraint),
    Numeric(Glob),
    Alpha(Glob),
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a tag pattern: {problem}")]
#[non_exhaustive]
pub struct InvalidPattern {
    /// The text.
    pub text: String,
    /// The rule that it breaks.
    pub problem: String,
}

/// By what tags are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Order {
    /// By build date, the newest first.
    Created,
    /// By version, the highest first.
    Version,
    /// By number, the highest first.
    Number,
    /// By text, the last first.
    Text,
    /// By what a regular expression's group `order` captures: numbers, the highest first, then
    /// text, the last first.
    Extracted,
}

impl Order {
    /// Reports that build dates are needed to order tags; if not, their names are enough.
    pub const fn needs_created(self) -> bool {
        matches!(self, Self::Created)
    }
}

/// A tag with the facts that order it.
///
/// Exhaustive: callers make it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The tag.
    pub tag: &'a str,
    /// When its image was built, if that is known and can be trusted.
    pub created: Option<Timestamp>,
}

/// Where a tag stands in the order of a pattern.
///
/// Greater is newer; the order is total.
///
/// Tags without a place in the order (no date, no version, no number) are the oldest. Of tags that
/// it holds equal the one whose text comes first is the newer; only of versions of equal precedence
/// it is the one whose text comes last, as in Flux v1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rank<'a> {
    key: Key<'a>,
    tag: &'a str,
}

/// The values that tags are compared by; the order of the variants counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    None,
    Created(Timestamp),
    Version(Version<'a>),
    Text(&'a str),
    Number(Number<'a>),
}

impl Rank<'_> {
    /// Reports that the order says anything of the tag: it has a date, a version, a number.
    pub fn is_known(&self) -> bool {
        self.key != Key::None
    }

    /// Reports that both stand at the same place, so that neither is an update of the other.
    pub fn same(&self, other: &Self) -> bool {
        self.tag == other.tag || self.is_known() && self.key == other.key
    }
}

impl Ord for Rank<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key).then_with(|| match self.key {
            Key::Version(_) => self.tag.cmp(other.tag),
            _ => other.tag.cmp(self.tag),
        })
    }
}

impl PartialOrd for Rank<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Reports that a tag is `latest`, in whatever case: a name that moves, and so no candidate unless
/// it is asked for by name.
pub(super) fn is_latest(tag: &str) -> bool {
    tag.eq_ignore_ascii_case("latest")
}

impl TagPattern {
    /// The text of [`TagPattern::any`].
    pub const ANY: &'static str = "glob:*";

    /// Returns the pattern of a container for which none is set: every tag but `latest`, newest
    /// build first.
    pub fn any() -> Self {
        Self { text: Self::ANY.to_owned(), kind: Kind::Glob(Glob::new("*")) }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// By what its tags are ordered.
    pub fn order(&self) -> Order {
        match self.kind {
            Kind::Glob(_) | Kind::Regexp(_) => Order::Created,
            Kind::Extract(_) => Order::Extracted,
            Kind::Semver(_) | Kind::SemverStrict(_) => Order::Version,
            Kind::Numeric(_) => Order::Number,
            Kind::Alpha(_) => Order::Text,
        }
    }

    /// Reports that a tag competes.
    pub fn matches(&self, tag: &str) -> bool {
        self.taken(&Candidate { tag, created: None }).is_some()
    }

    /// Returns where a tag stands in the order of this pattern, if the pattern takes it.
    ///
    /// That is its [`rank`](Self::rank), and the text is read once for both.
    pub(super) fn taken<'a>(&self, candidate: &Candidate<'a>) -> Option<Rank<'a>> {
        let tag = candidate.tag;
        if is_latest(tag) && !(tag == "latest" && self.literal() == Some("latest")) {
            return None;
        }
        let allowed = |version: Option<Version<'a>>, constraint: &Constraint| {
            version.filter(|version| constraint.allows(version)).map(Key::Version)
        };
        let created = || candidate.created.map_or(Key::None, Key::Created);
        let key = match &self.kind {
            Kind::Glob(glob) => glob.matches(tag).then(created)?,
            Kind::Regexp(regex) => regex.is_match(tag).then(created)?,
            Kind::Extract(regex) => extracted(extract(regex, tag)?),
            Kind::Semver(constraint) => allowed(Version::loose(tag), constraint)?,
            Kind::SemverStrict(constraint) => allowed(Version::strict(tag), constraint)?,
            Kind::Numeric(glob) => Key::Number(number(glob, tag).filter(|_| glob.matches(tag))?),
            Kind::Alpha(glob) => glob.matches(tag).then_some(Key::Text(tag))?,
        };
        Some(Rank { key, tag })
    }

    /// Returns the only tag that can compete, if the pattern names one: a glob without `*`.
    pub fn literal(&self) -> Option<&str> {
        match &self.kind {
            Kind::Glob(glob) => glob.literal(),
            _ => None,
        }
    }

    /// Returns where a tag stands in the order of this pattern, whether or not the pattern takes
    /// the tag.
    ///
    /// Versions are read loosely here, so that a running `1.2` can be compared with a candidate
    /// `1.1.0` by a `semver-strict:` pattern too; except that digits alone, which may be a date or
    /// a hash, are no version to such a pattern.
    pub fn rank<'a>(&self, candidate: &Candidate<'a>) -> Rank<'a> {
        let tag = candidate.tag;
        let version = |tag| Version::loose(tag).map_or(Key::None, Key::Version);
        let key = match &self.kind {
            Kind::Glob(_) | Kind::Regexp(_) => candidate.created.map_or(Key::None, Key::Created),
            Kind::Extract(regex) => extract(regex, tag).map_or(Key::None, extracted),
            Kind::Semver(_) => version(tag),
            Kind::SemverStrict(_) if cut(tag).is_some_and(|c| !c.v && c.parts[1].is_none()) => Key::None,
            Kind::SemverStrict(_) => version(tag),
            Kind::Numeric(glob) => number(glob, tag).map_or(Key::None, Key::Number),
            Kind::Alpha(_) => Key::Text(tag),
        };
        Rank { key, tag }
    }

    /// Compares two tags: `Less` means that `a` is newer and comes first.
    ///
    /// Total; ties are broken as [`Rank`] says.
    pub fn newest_first(&self, a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
        self.rank(b).cmp(&self.rank(a))
    }

    /// Reports that two tags have the same rank, so that neither is an update of the other.
    pub fn same_rank(&self, a: &Candidate<'_>, b: &Candidate<'_>) -> bool {
        self.rank(a).same(&self.rank(b))
    }
}

/// Returns what the group `order` captures, if it captures anything.
fn extract<'a>(regex: &Regex, tag: &'a str) -> Option<&'a str> {
    let text = regex.captures(tag)?.name("order")?.as_str();
    (!text.is_empty()).then_some(text)
}

/// Returns what tags are compared by of which a regular expression captures this text.
fn extracted(text: &str) -> Key<'_> {
    Number::parse(text).map_or(Key::Text(text), Key::Number)
}

/// Returns the number that a tag is, or that stands for the `*` in a glob with other text around
/// it.
fn number<'a>(glob: &Glob, tag: &'a str) -> Option<Number<'a>> {
    Number::parse(tag).or_else(|| Number::parse(glob.starred(tag)?))
}

impl FromStr for TagPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let invalid = |problem: String| InvalidPattern { text: text.to_owned(), problem };
        let competing = |glob: &str| Glob::new(if glob.is_empty() { "*" } else { glob });
        let kind = match text.split_once(':') {
            Some(("semver", constraint)) => Kind::Semver(Constraint::parse(constraint).map_err(invalid)?),
            Some(("semver-strict", constraint)) => {
                Kind::SemverStrict(Constraint::parse(constraint).map_err(invalid)?)
            }
            Some(("regexp" | "regex", expression)) => {
                let regex = Regex::new(expression).map_err(|e| invalid(e.to_string()))?;
                if regex.capture_names().any(|name| name == Some("order")) {
                    Kind::Extract(regex)
                } else {
                    Kind::Regexp(regex)
                }
            }
            Some(("numeric", glob)) => Kind::Numeric(competing(glob)),
            Some(("alpha", glob)) => Kind::Alpha(competing(glob)),
            Some(("glob", glob)) => Kind::Glob(Glob::new(glob)),
            _ => Kind::Glob(Glob::new(text)),
        };
        Ok(Self { text: text.to_owned(), kind })
    }
}

impl fmt::Display for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Patterns are equal when their texts are.
impl PartialEq for TagPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TagPattern {}

#[cfg(test)]
mod tests;

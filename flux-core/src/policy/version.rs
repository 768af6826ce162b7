//! Versions: read loosely, as v1 did, or strictly; compared by the precedence of Semantic
//! Versioning 2.0.

use std::{borrow::Cow, cmp::Ordering};

use super::number::Number;

/// A version.
///
/// Equal means equal precedence: build metadata (`+…`) is read and forgotten.
#[derive(Clone, Debug)]
pub(super) struct Version<'a> {
    pub(super) major: Number<'a>,
    pub(super) minor: Number<'a>,
    pub(super) patch: Number<'a>,
    /// The part behind the first `-`; empty for a release.
    pub(super) pre: Cow<'a, str>,
}

/// The text of a version, cut up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut<'a> {
    /// `true` if it starts with `v`.
    pub(super) v: bool,
    /// The parts between the dots: one to three.
    pub(super) parts: [Option<&'a str>; 3],
    /// The part behind the first `-`; empty if there is none.
    pub(super) pre: &'a str,
}

/// Cuts up `v?PART(.PART(.PART)?)?(-PRE)?(+BUILD)?`; the parts are not checked.
pub(super) fn cut(text: &str) -> Option<Cut<'_>> {
    let rest = text.strip_prefix('v').unwrap_or(text);
    let (rest, build) = split_at(rest, b'+');
    let (core, pre) = split_at(rest, b'-');
    if !build.is_none_or(dotted) || !pre.is_none_or(|pre| dotted(pre) && pre.split('.').all(no_leading_zero))
    {
        return None;
    }
    let (mut parts, mut left) = ([None; 3], Some(core));
    for part in &mut parts {
        if let Some(text) = left {
            let (first, behind) = split_at(text, b'.');
            (*part, left) = (Some(first), behind);
        }
    }
    left.is_none().then_some(Cut { v: rest.len() != text.len(), parts, pre: pre.unwrap_or_default() })
}

/// Splits a text at the first of an ASCII character.
///
/// The texts are short, so that looking at each byte takes less than preparing a search.
fn split_at(text: &str, at: u8) -> (&str, Option<&str>) {
    let split = |found: usize| Some((text.get(..found)?, text.get(found + 1..)));
    text.bytes().position(|byte| byte == at).and_then(split).unwrap_or((text, None))
}

/// Reports that a text is made of words of letters, digits and `-`, with dots between.
fn dotted(text: &str) -> bool {
    text.split('.')
        .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

fn no_leading_zero(word: &str) -> bool {
    word.len() < 2 || !word.starts_with('0') || !word.bytes().all(|b| b.is_ascii_digit())
}

impl<'a> Version<'a> {
    /// Reads a version loosely: `1`, `1.2`, `v1`, `01.2.3` and any number are versions; `1.2.3.4`
    /// is not.
    pub(super) fn loose(text: &'a str) -> Option<Self> {
        Self::of(&cut(text)?)
    }

    /// Reads a version of Semantic Versioning 2.0, with an optional `v` before it.
    pub(super) fn strict(text: &'a str) -> Option<Self> {
        let cut = cut(text)?;
        let full = cut.parts.iter().all(|part| part.is_some_and(no_leading_zero));
        full.then(|| Self::of(&cut)).flatten()
    }

    fn of(cut: &Cut<'a>) -> Option<Self> {
        let [major, minor, patch] = cut.parts;
        let part = |part: Option<&'a str>| part.map_or(Some(Number::ZERO), Number::parse);
        Some(Self {
            major: Number::parse(major?)?,
            minor: part(minor)?,
            patch: part(patch)?,
            pre: Cow::Borrowed(cut.pre),
        })
    }

    pub(super) fn is_release(&self) -> bool {
        self.pre.is_empty()
    }

    pub(super) fn into_owned(self) -> Version<'static> {
        Version {
            major: self.major.into_owned(),
            minor: self.minor.into_owned(),
            patch: self.patch.into_owned(),
            pre: Cow::Owned(self.pre.into_owned()),
        }
    }
}

/// Compares pre-releases by precedence: number by number, word by word; a release comes after all
/// of them.
pub(super) fn compare_pre(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => a.split('.').map(word).cmp(b.split('.').map(word)),
    }
}

/// Numbers come before words.
fn word(text: &str) -> Result<Number<'_>, &str> {
    Number::parse(text).ok_or(text)
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.major.cmp(&other.major))
            .then_with(|| self.minor.cmp(&other.minor))
            .then_with(|| self.patch.cmp(&other.patch))
            .then_with(|| compare_pre(&self.pre, &other.pre))
    }
}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_version_loosely_and_strictly() {
        let table = [
            ("1", true, false),
            ("v1", true, false),
            ("1.2", true, false),
            ("20240101", true, false),
            ("12345678901234567890123", true, false),
            ("01.2.3", true, false),
            ("1.2.3", true, true),
            ("v1.2.3", true, true),
            ("1.2.3-rc.1", true, true),
            ("1.2.3-rc.1+build.7", true, true),
            ("1.2.3+b", true, true),
            ("1.2.3--", true, true),
            ("1-rc", true, false),
            ("1.2.3-01", false, false),
            ("1.2.3-0a", true, true),
            ("1.2.3-", false, false),
            ("1.2.3+", false, false),
            ("1.2.3-a..b", false, false),
            ("1.2.3.4", false, false),
            ("V1.2.3", false, false),
            ("vv1", false, false),
            ("1.", false, false),
            (".1", false, false),
            ("1..2", false, false),
            ("1.x", false, false),
            ("", false, false),
            ("v", false, false),
            ("latest", false, false),
            ("1234e56", false, false),
            ("NaN", false, false),
            ("1_000", false, false),
        ];
        for (text, loose, strict) in table {
            assert_eq!(Version::loose(text).is_some(), loose, "{text}");
            assert_eq!(Version::strict(text).is_some(), strict, "{text}");
        }
    }

    #[test]
    fn precedence_is_that_of_semver() {
        let ascending = [
            "0.9.99",
            "1.0.0-1",
            "1.0.0-2",
            "1.0.0-10",
            "1.0.0-99999999999999999999",
            "1.0.0-100000000000000000000",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0-rc10",
            "1.0.0-rc9",
            "1.0.0",
            "1.0.1",
            "1.10",
            "2",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551616",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(Version::loose(a).cmp(&Version::loose(b)), i.cmp(&j), "{a} {b}");
            }
        }
        for equal in ["v1.2.3", "1.2.3+x", "01.2.3"] {
            assert_eq!(Version::loose(equal), Version::loose("1.2.3"), "{equal}");
        }
    }
}

//! Version constraints in the language of Masterminds/semver, which Flux v1 used.
//!
//! [`super`] documents the language for those who write patterns; here is how it is read.

use super::version::{Cut, Version, compare_pre, cut};

/// Alternatives (`||`), each a list of comparators that must all hold.
#[derive(Clone, Debug)]
pub(super) struct Constraint(Vec<Vec<Comparator>>);

#[derive(Clone, Debug)]
struct Comparator {
    op: Op,
    /// The version, with zeros for what is not written.
    version: Version<'static>,
    precision: Precision,
}

/// How much of a version a comparator writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Precision {
    /// `*`
    Nothing,
    /// `1`, `1.x`
    Major,
    /// `1.2`, `1.2.x`
    Minor,
    /// `1.2.3`
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// The operators; of those that start alike the longer ones come first.
const OPS: [(&str, Op); 11] = [
    ("!=", Op::NotEqual),
    (">=", Op::GreaterOrEqual),
    ("=>", Op::GreaterOrEqual),
    ("<=", Op::LessOrEqual),
    ("=<", Op::LessOrEqual),
    ("~>", Op::Tilde),
    ("=", Op::Equal),
    (">", Op::Greater),
    ("<", Op::Less),
    ("~", Op::Tilde),
    ("^", Op::Caret),
];

impl Constraint {
    /// Reads a constraint; `Err` says what is wrong.
    ///
    /// An empty one is `*`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Self::parse("*");
        }
        text.split("||").map(all_of).collect::<Result<_, _>>().map(Self)
    }

    /// Reports that a version satisfies one of the alternatives.
    pub(super) fn allows(&self, version: &Version<'_>) -> bool {
        self.0.iter().any(|all| all.iter().all(|one| one.allows(version)))
    }
}

/// Reads comparators with spaces, a comma, or nothing before an operator between them; `A - B` is
/// `>=A <=B`.
fn all_of(text: &str) -> Result<Vec<Comparator>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("an alternative of `||` is empty".to_owned());
    }
    while !rest.is_empty() {
        let (op, after) = operator(rest);
        let (version, after) = operand(after.trim_start());
        let first = Comparator::new(op.unwrap_or(Op::Equal), version)?;
        match after.trim_start().strip_prefix('-') {
            Some(range)
                if after.starts_with(char::is_whitespace) && range.starts_with(char::is_whitespace) =>
            {
                if op.is_some() {
                    return Err(format!("a range has no operator before `{version}`"));
                }
                let (last, after) = operand(range.trim_start());
                found.push(Comparator { op: Op::GreaterOrEqual, ..first });
                found.push(Comparator::new(Op::LessOrEqual, last)?);
                rest = after;
            }
            _ => {
                found.push(first);
                rest = after;
            }
        }
        let trimmed = rest.trim_start();
        rest = match trimmed.strip_prefix(',') {
            Some(next) if next.trim().is_empty() => return Err("nothing follows the last comma".to_owned()),
            Some(next) => next.trim_start(),
            None => trimmed,
        };
    }
    Ok(found)
}

fn operator(text: &str) -> (Option<Op>, &str) {
    let found = OPS.iter().find_map(|(sign, op)| Some((Some(*op), text.strip_prefix(sign)?)));
    found.unwrap_or((None, text))
}

/// Splits off the text of a version: all that can stand in one.
fn operand(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "*.+-".contains(c))).unwrap_or(text.len());
    text.split_at(end)
}

impl Comparator {
    fn new(op: Op, text: &str) -> Result<Self, String> {
        let improper = || match text {
            "" => "a version is missing: write one as 1.2.3, 1.2, 1.x or *".to_owned(),
            _ => format!("`{text}` is not a version: write one as 1.2.3, 1.2, 1.x or *"),
        };
        let Cut { parts: [major, minor, patch], pre, .. } = cut(text).ok_or_else(improper)?;
        let part = |part: Option<&str>| match part {
            None | Some("x" | "X" | "*") => Ok(None),
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Some(digits.to_owned()))
            }
            Some(_) => Err(improper()),
        };
        let (precision, numbers) = match (part(major)?, part(minor)?, part(patch)?) {
            (None, _, _) => (Precision::Nothing, "0".to_owned()),
            (Some(major), None, _) => (Precision::Major, major),
            (Some(major), Some(minor), None) => (Precision::Minor, format!("{major}.{minor}")),
            (Some(major), Some(minor), Some(patch)) => (Precision::Full, format!("{major}.{minor}.{patch}")),
        };
        let text = if pre.is_empty() { numbers } else { format!("{numbers}-{pre}") };
        let version = Version::loose(&text).ok_or_else(improper)?.into_owned();
        Ok(Self { op, version, precision })
    }

    fn allows(&self, v: &Version<'_>) -> bool {
        let c = &self.version;
        let full = self.precision == Precision::Full;
        let major_only = self.precision == Precision::Major;
        if !v.is_release() && c.is_release() && !(full && self.op == Op::NotEqual) {
            return false;
        }
        match self.op {
            Op::Equal if full => v == c,
            Op::Equal | Op::Tilde => self.same_as_written(v),
            Op::NotEqual => match self.precision {
                Precision::Nothing => false,
                Precision::Major => v.major != c.major,
                Precision::Minor => {
                    (&v.major, &v.minor) != (&c.major, &c.minor) || compare_pre(&v.pre, &c.pre).is_ne()
                }
                Precision::Full => v != c,
            },
            Op::Greater => match self.precision {
                Precision::Major => v.major > c.major,
                Precision::Minor => (&v.major, &v.minor) > (&c.major, &c.minor),
                Precision::Nothing | Precision::Full => v > c,
            },
            Op::GreaterOrEqual => v >= c,
            Op::Less => v < c,
            Op::LessOrEqual if full => v <= c,
            Op::LessOrEqual => v.major < c.major || v.major == c.major && (major_only || v.minor <= c.minor),
            Op::Caret => v >= c && self.same_leading(v),
        }
    }

    /// `~`: not lower, and the same as far as the minor version, or as the major one if no more is
    /// written.
    fn same_as_written(&self, v: &Version<'_>) -> bool {
        let c = &self.version;
        let zero = c.major.is_zero() && c.minor.is_zero() && c.patch.is_zero();
        // `~0.0.0` is `>=0.0.0` there, and so here.
        let anything = zero && matches!(self.precision, Precision::Nothing | Precision::Full);
        v >= c
            && (anything || v.major == c.major && (self.precision == Precision::Major || v.minor == c.minor))
    }

    /// `^`: the same as far as the first part that is not zero.
    fn same_leading(&self, v: &Version<'_>) -> bool {
        let c = &self.version;
        match self.precision {
            Precision::Nothing => true,
            _ if v.major != c.major => false,
            Precision::Major => true,
            _ if !c.major.is_zero() => true,
            Precision::Minor => v.minor == c.minor,
            Precision::Full if !c.minor.is_zero() => v.minor == c.minor,
            Precision::Full => v.minor == c.minor && v.patch == c.patch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Constraint, versions that it allows, versions that it does not.
    const TABLE: &[(&str, &[&str], &[&str])] = &[
        ("", &["0.0.0", "1.2.3", "9"], &["1.0.0-rc.1"]),
        ("*", &["0.0.0", "1.2.3"], &["1.0.0-rc.1"]),
        ("*-0", &["1.2.3", "1.0.0-rc.1"], &[]),
        ("1.2.3", &["1.2.3", "v1.2.3", "1.2.3+b"], &["1.2.4", "1.2.3-rc.1"]),
        ("=1.2.3", &["1.2.3"], &["1.2.4"]),
        ("v1.2.3", &["1.2.3"], &["1.2.4"]),
        ("1.2", &["1.2.0", "1.2.9", "1.2"], &["1.3.0", "1.2.0-rc.1"]),
        ("1", &["1.0.0", "1.9"], &["2.0.0", "0.9"]),
        ("1.x", &["1.0.0", "1.9"], &["2.0.0"]),
        ("1.X.x", &["1.0.0", "1.9"], &["2.0.0"]),
        ("1.2.*", &["1.2.0", "1.2.9"], &["1.3.0"]),
        ("!=1.2.3", &["1.2.4", "1.2.3-rc.1", "2.0.0-rc.1"], &["1.2.3", "v1.2.3"]),
        ("!=1.2", &["1.3.0"], &["1.2.0", "1.2.5", "1.3.0-rc.1"]),
        ("!=1.x", &["2.0.0"], &["1.2.0", "1.0.0"]),
        (">1.2.3", &["1.2.4", "2.0.0"], &["1.2.3", "1.3.0-rc.1"]),
        (">1.2", &["1.3.0", "2.0.0"], &["1.2.5"]),
        (">1", &["2.0.0"], &["1.9.9"]),
        ("<1.2.3", &["1.2.2", "0.1"], &["1.2.3", "1.2.3-rc.1"]),
        ("<2", &["1.9.9"], &["2.0.0"]),
        ("<=1.2.3", &["1.2.3"], &["1.2.4"]),
        ("<=1.2", &["1.2.9"], &["1.3.0"]),
        ("=<1", &["1.9.9"], &["2.0.0"]),
        (">=1.2.3", &["1.2.3", "2.0.0"], &["1.2.2", "2.0.0-rc.1"]),
        ("=>1.2.3", &["1.2.3"], &["1.2.2"]),
        (">=1.2.3-0", &["1.2.3-rc.1", "1.2.3", "2.0.0-alpha"], &["1.2.2"]),
        ("~1.2.3", &["1.2.3", "1.2.9"], &["1.3.0", "1.2.2"]),
        ("~1.2", &["1.2.0", "1.2.9"], &["1.3.0"]),
        ("~>1.2", &["1.2.0"], &["1.3.0"]),
        ("~1", &["1.0.0", "1.9.0"], &["2.0.0"]),
        ("~0.0.0", &["0.0.0", "5.0.0"], &[]),
        ("~1.2.3-rc.1", &["1.2.3-rc.2", "1.2.4"], &["1.2.3-beta", "1.3.0"]),
        ("^1.2.3", &["1.2.3", "1.9.0"], &["2.0.0", "1.2.2"]),
        ("^0.2.3", &["0.2.3", "0.2.9"], &["0.3.0", "1.0.0"]),
        ("^0.0.3", &["0.0.3"], &["0.0.4"]),
        ("^0.0", &["0.0.9"], &["0.1.0"]),
        ("^0", &["0.9.9"], &["1.0.0"]),
        ("^1.2", &["1.2.0", "1.9.0"], &["1.1.9", "2.0.0"]),
        (">=1.0, <2.0", &["1.0.0", "1.9.9"], &["2.0.0", "0.9.9"]),
        (">=1.0 <2.0", &["1.0.0"], &["2.0.0"]),
        (">=1.0<2.0", &["1.0.0"], &["2.0.0"]),
        (" >= 1.0 , < 2.0 ", &["1.0.0"], &["2.0.0"]),
        ("1.2 - 1.4.5", &["1.2.0", "1.4.5"], &["1.4.6", "1.1.9"]),
        ("1.2 - 1.4", &["1.4.9"], &["1.5.0"]),
        ("<1.0 || >=2.0", &["0.9.0", "2.0.0"], &["1.5.0"]),
        (">=1.0.0-rc.0, <1.0.1", &["1.0.0"], &["1.0.0-rc.1"]),
        (">=1.0.0-rc.0, <1.0.1-0", &["1.0.0", "1.0.0-rc.1"], &["1.0.1"]),
        (
            ">=18446744073709551616",
            &["18446744073709551616", "18446744073709551617"],
            &["18446744073709551615"],
        ),
    ];

    #[test]
    fn constraints_mean_what_masterminds_says() {
        for (text, allowed, refused) in TABLE {
            let constraint = Constraint::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            for (versions, expected) in [(allowed, true), (refused, false)] {
                for version in *versions {
                    let parsed = Version::loose(version).unwrap();
                    assert_eq!(constraint.allows(&parsed), expected, "{text} {version}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_constraint_is_refused() {
        for text in [
            "abc", "1.2.3.4", ">", ">=", "1.0 ||", "|| 1.0", "||", "1,", ",1", "1,,2", ">>1", "1.0 2.y",
            "latest", "1x", "1.x2", "!1", "== 1", "1.2.3-", "1.2.3-01", ">1 - 2", "1 -", "- 1", "~^1", "é",
            "1|2",
        ] {
            assert!(Constraint::parse(text).is_err(), "{text}");
        }
    }
}

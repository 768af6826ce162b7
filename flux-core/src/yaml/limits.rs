//! Limits on the size, the depth and the repetition in a file, so that reading it takes bounded
//! memory.

use std::ops::AddAssign;

/// A limit that a file has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The file has too many bytes.
    Bytes,
    /// The values of the file are nested too deep.
    Depth,
    /// The file has too many values, aliases replaced by their values.
    Nodes,
    /// The file has too much text, aliases replaced by their values.
    Text,
    /// The file has so many problems that the rest of it is not read.
    Problems,
}

impl Limit {
    /// The bytes that a file may have: 16 MiB.
    ///
    /// A list of 10,000 Deployments has about 7 MB; Kubernetes refuses an object of more than about
    /// 1.5 MiB.
    pub(crate) const BYTES: usize = 16 << 20;
    /// The depth to which values may be nested: 120.
    ///
    /// JSON readers, those of parsed files and of the API server's answers among them, read no
    /// deeper than 128.
    pub(crate) const DEPTH: usize = 120;
    /// The values that a file may have, once aliases are replaced by their values: 2 million.
    pub(crate) const NODES: usize = 2_000_000;
    /// The bytes of text that a file may have, once aliases are replaced by their values: 64 MiB.
    pub(crate) const TEXT: usize = 64 << 20;

    /// The duplicate keys of a file that are reported: 20.
    pub(crate) const DUPLICATES: usize = 20;

    /// Returns the evidence of the limit, for people.
    pub(crate) fn evidence(self) -> String {
        match self {
            Self::Bytes => format!("the file has more than {} bytes", Self::BYTES),
            Self::Depth => format!("values are nested more than {} levels deep", Self::DEPTH),
            Self::Nodes => {
                format!("there are more than {} values, counting each use of an alias", Self::NODES)
            }
            Self::Problems => "there are more problems than are reported; the rest was not read".to_owned(),
            Self::Text => {
                format!("there are more than {} bytes of text, counting each use of an alias", Self::TEXT)
            }
        }
    }
}

/// The part of the limits that is left for the rest of a file.
#[derive(Debug)]
pub(crate) struct Budget {
    nodes: usize,
    text: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { nodes: Limit::NODES, text: Limit::TEXT }
    }
}

impl Budget {
    /// Takes one value with so many bytes of text off the budget.
    ///
    /// # Errors
    /// The [`Limit`] passed.
    pub(crate) fn spend(&mut self, text: usize) -> Result<(), Limit> {
        self.nodes = self.nodes.checked_sub(1).ok_or(Limit::Nodes)?;
        self.text = self.text.checked_sub(text).ok_or(Limit::Text)?;
        Ok(())
    }

    /// Returns what was taken so far.
    pub(crate) fn cost(&self) -> Cost {
        Cost { nodes: Limit::NODES - self.nodes, text: Limit::TEXT - self.text }
    }

    /// Returns how many values are left.
    pub(crate) fn nodes_left(&self) -> usize {
        self.nodes
    }
}

/// The part of the limits that a text takes, aliases replaced by their values.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    nodes: usize,
    text: usize,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.nodes += other.nodes;
        self.text += other.text;
    }
}

impl Cost {
    /// The values that a byte of YAML can make at most: `:` is a mapping, a key and a value.
    const NODES_A_BYTE: usize = 4;

    /// Returns `true` if a file that is within the limits stays there when this takes the place of
    /// another part of it.
    ///
    /// So it is if it takes no more than the other did. Without aliases, it is as well if the file
    /// is so small that it cannot pass a limit.
    pub(crate) fn fits_where(self, other: Self, file: &str) -> bool {
        if self.nodes <= other.nodes && self.text <= other.text {
            return true;
        }
        let most = file.len().saturating_mul(Self::NODES_A_BYTE);
        (self.nodes <= other.nodes || most.saturating_add(self.nodes) <= Limit::NODES)
            && file.len().saturating_add(self.text) <= Limit::TEXT
            && !may_have_alias(file)
    }
}

/// Returns `true` if a text has something that looks like an alias.
///
/// One starts a value, so that a blank or an indicator stands before it, and its name starts with a
/// letter, a digit, `-` or `_` for kubectl.
fn may_have_alias(text: &str) -> bool {
    let bytes = text.as_bytes();
    text.match_indices('*').any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let behind = bytes.get(at + 1);
        before.is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b'[' | b'{' | b',' | b':'))
            && behind.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_an_alias_is_told_from_other_stars() {
        for (text, expected) in [
            ("a: *b", true),
            ("[*b]", true),
            ("{a: 1,*b : 2}", true),
            ("*b", true),
            ("- *0", true),
            ("schedule: */5 * * * *", false),
            ("host: \"*.example.com\"", false),
            ("verbs: ['*']", false),
            ("a*b", false),
            ("**bold**", false),
            ("", false),
        ] {
            assert_eq!(may_have_alias(text), expected, "{text}");
        }
    }

    #[test]
    fn what_grows_fits_where_no_limit_can_be_passed() {
        let cost = |nodes, text| Cost { nodes, text };
        let large = "a: b\n".repeat(Limit::NODES / 10);
        for (new, old, file, expected) in [
            (cost(9, 9), cost(9, 9), "a: *b", true),
            (cost(9, 10), cost(9, 9), "a: *b", false),
            (cost(9, 10), cost(9, 9), "a: b", true),
            (cost(10, 9), cost(9, 9), "a: b", true),
            (cost(9, 10), cost(9, 9), &large, true),
            (cost(10, 9), cost(9, 9), &large, false),
            (cost(9, Limit::TEXT), cost(9, 9), "a: b", false),
        ] {
            assert_eq!(new.fits_where(old, file), expected, "{new:?} {old:?}");
        }
    }
}

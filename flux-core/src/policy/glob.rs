//! Globs: only `*` is special, it stands for any text; the whole text is matched, letter by letter.

/// A glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    /// The literal parts between the stars; one part if there is no star.
    parts: Vec<String>,
}

impl Glob {
    pub(crate) fn new(text: &str) -> Self {
        Self { parts: text.split('*').map(str::to_owned).collect() }
    }

    /// Returns the only text that it matches, if there is no `*` in it.
    pub(super) fn literal(&self) -> Option<&str> {
        match &self.parts[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        let Some(mut rest) = self.starred(text) else {
            return self.literal() == Some(text);
        };
        let inner = self.parts.get(1..self.parts.len() - 1).unwrap_or_default();
        inner.iter().all(|part| match rest.find(part.as_str()) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    }

    /// Returns the parts between the first literal part and the last, if there is a `*` and both
    /// are there.
    pub(super) fn starred<'a>(&self, text: &'a str) -> Option<&'a str> {
        match &self.parts[..] {
            [first, .., last] => text.strip_prefix(first.as_str())?.strip_suffix(last.as_str()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_star_is_special() {
        let table = [
            ("*", "", true),
            ("*", "anything", true),
            ("", "", true),
            ("", "a", false),
            ("master-*", "master-1", true),
            ("master-*", "amaster-1", false),
            ("*-prod", "1-prod", true),
            ("*-prod", "1-prod-2", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a**c", "abc", true),
            ("1.?", "1.2", false),
            ("1.[0-9]", "1.2", false),
            ("{a,b}", "a", false),
            ("Master*", "master", false),
            (" a", "a", false),
        ];
        for (glob, text, expected) in table {
            assert_eq!(Glob::new(glob).matches(text), expected, "{glob} {text}");
        }
    }

    /// Returns the result by the plain definition of a glob.
    fn model(glob: &[u8], text: &[u8]) -> bool {
        match (glob, text) {
            ([], []) => true,
            ([b'*', g @ ..], _) => model(g, text) || (!text.is_empty() && model(glob, &text[1..])),
            ([g, gs @ ..], [t, ts @ ..]) => g == t && model(gs, ts),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_is_its_definition(glob in "[ab*]{0,7}", text in "[ab]{0,9}") {
            prop_assert_eq!(Glob::new(&glob).matches(&text), model(glob.as_bytes(), text.as_bytes()));
        }
    }
}

//! Tokens: the paths and the literals in them, without what only tests have.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::{Attribute, ItemUse, Meta};

/// A path in an expression, a type, a pattern or a macro, up to its first generic argument.
#[derive(Debug)]
pub(crate) struct PathUse {
    /// The names between `::`, without `r#`.
    pub(crate) segments: Vec<String>,
    /// The line, from 1.
    pub(crate) line: usize,
    /// `true` where an argument list follows.
    pub(crate) is_call: bool,
    /// `true` where `!` follows.
    pub(crate) is_macro: bool,
}

/// The parts of an item's tokens that this crate looks at.
#[derive(Default)]
pub(crate) struct Body {
    /// Every path, in order.
    pub(crate) paths: Vec<PathUse>,
    /// `use` declarations inside of functions.
    pub(crate) uses: Vec<ItemUse>,
    /// Literals outside of attributes, as written, with their lines.
    pub(crate) literals: Vec<(String, usize)>,
}

impl Body {
    /// Adds the parts of `tokens`.
    pub(crate) fn read(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(tree) = trees.get(at) {
            at = match tree {
                TokenTree::Punct(punct) if punct.as_char() == '#' => self.attribute(&trees, at),
                TokenTree::Group(group) => {
                    self.read(group.stream());
                    at + 1
                }
                TokenTree::Ident(ident) if ident == "use" => self.declaration(&trees, at),
                TokenTree::Ident(_) => self.path(&trees, at),
                TokenTree::Literal(literal) => {
                    self.literals.push((literal.to_string(), literal.span().start().line));
                    at + 1
                }
                TokenTree::Punct(_) => at + 1,
            };
        }
    }

    /// Steps over an attribute, and over the item behind it when only tests have it.
    fn attribute(&mut self, trees: &[TokenTree], at: usize) -> usize {
        let mut next = at + 1 + usize::from(is_punct(trees.get(at + 1), '!'));
        let Some(TokenTree::Group(group)) = trees.get(next) else { return at + 1 };
        next += 1;
        if only_in_tests_tokens(group.stream()) {
            let end = trees.iter().skip(next).position(|tree| {
                matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
                    || is_punct(Some(tree), ';')
                    || is_punct(Some(tree), ',')
            });
            return end.map_or(trees.len(), |end| next + end + 1);
        }
        let is_doc =
            matches!(group.stream().into_iter().next(), Some(TokenTree::Ident(name)) if name == "doc");
        if !is_doc {
            let mut inner = Self::default();
            inner.read(group.stream());
            self.paths.append(&mut inner.paths);
        }
        next
    }

    /// Reads a `use` declaration. (`use<…>` of a type captures lifetimes and is none.)
    fn declaration(&mut self, trees: &[TokenTree], at: usize) -> usize {
        let Some(end) = trees.iter().skip(at).position(|tree| is_punct(Some(tree), ';')) else {
            return at + 1;
        };
        let tokens = trees[at..=at + end].iter().cloned().collect();
        match syn::parse2(tokens) {
            Ok(item) => {
                self.uses.push(item);
                at + end + 1
            }
            Err(_) => at + 1,
        }
    }

    fn path(&mut self, trees: &[TokenTree], at: usize) -> usize {
        let mut segments = Vec::new();
        let mut next = at;
        let mut line = 0;
        while let Some(TokenTree::Ident(ident)) = trees.get(next) {
            if segments.is_empty() {
                line = ident.span().start().line;
            }
            segments.push(plain(ident));
            next += 1;
            match is_punct(trees.get(next), ':') && is_punct(trees.get(next + 1), ':') {
                true if matches!(trees.get(next + 2), Some(TokenTree::Ident(_))) => next += 2,
                _ => break,
            }
        }
        let before = |back: usize| at.checked_sub(back).and_then(|index| trees.get(index));
        let is_member = is_punct(before(1), '.') && !is_punct(before(2), '.');
        let is_lifetime = is_punct(before(1), '\'');
        let is_associated = is_punct(before(1), ':') && is_punct(before(2), ':');
        let is_declared =
            matches!(before(1), Some(TokenTree::Ident(word)) if DECLARING.iter().any(|d| word == d));
        if !(is_member || is_lifetime || is_associated || is_declared) {
            self.paths.push(PathUse {
                segments,
                line,
                is_call: matches!(trees.get(next), Some(TokenTree::Group(group)) if is_list(group)),
                is_macro: is_punct(trees.get(next), '!') && !is_punct(trees.get(next + 1), '='),
            });
        }
        next
    }
}

/// Words before a name that make it a declaration.
const DECLARING: [&str; 9] = ["fn", "struct", "enum", "union", "trait", "type", "mod", "static", "let"];

fn is_list(group: &Group) -> bool {
    group.delimiter() == Delimiter::Parenthesis
}

fn is_punct(tree: Option<&TokenTree>, wanted: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// Returns the text of a name without `r#`.
pub(crate) fn plain(ident: &proc_macro2::Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map(str::to_owned).unwrap_or(text)
}

/// Returns `true` when one of `attributes` keeps an item out of every build but that of tests.
pub(crate) fn only_in_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => needs_test(list.tokens.clone()),
        _ => false,
    })
}

/// Returns `true` for the inside of `#[cfg(test)]`.
fn only_in_tests_tokens(attribute: TokenStream) -> bool {
    let mut trees = attribute.into_iter();
    match (trees.next(), trees.next()) {
        (Some(TokenTree::Ident(name)), Some(TokenTree::Group(group))) if name == "cfg" => {
            needs_test(group.stream())
        }
        _ => false,
    }
}

/// Returns `true` when a `cfg` predicate cannot hold without `test`.
fn needs_test(predicate: TokenStream) -> bool {
    let mut trees = predicate.into_iter();
    let Some(TokenTree::Ident(name)) = trees.next() else { return false };
    let inner = match trees.next() {
        Some(TokenTree::Group(group)) => group.stream(),
        _ => return name == "test",
    };
    let mut parts = vec![TokenStream::new()];
    for tree in inner {
        match (is_punct(Some(&tree), ','), parts.last_mut()) {
            (false, Some(part)) => part.extend([tree]),
            _ => parts.push(TokenStream::new()),
        }
    }
    parts.retain(|part| !part.is_empty());
    match name.to_string().as_str() {
        "all" => parts.into_iter().any(needs_test),
        "any" => !parts.is_empty() && parts.into_iter().all(needs_test),
        _ => false,
    }
}

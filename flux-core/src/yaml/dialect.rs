//! Documents that kubectl reads otherwise than the YAML specification says.
//!
//! kubectl's reader, which is Go's, silently reads another value there. Such a document is refused,
//! so that nobody applies a value that was not intended.

use super::{
    scalar::Style,
    text::{before, between, from},
    tree::{Kind, NodeId, Tree},
};

/// Returns the first place of a document that kubectl reads as another value, and how.
///
/// `source` is the text of the file, `document` that of the document; `is_json` is `true` if
/// kubectl takes the file for JSON.
pub(crate) fn differs(
    tree: &Tree<'_>,
    source: &str,
    document: &str,
    is_json: bool,
) -> Option<(NodeId, String)> {
    // JSON has no line breaks beyond ASCII.
    let is_object = |root: NodeId| matches!(tree[root].kind, Kind::Map { flow: true, .. });
    let json = is_json && tree.root().is_some_and(is_object);
    let breaks = !json && !document.is_ascii() && document.contains(UNICODE_BREAKS);
    tree.nodes().find_map(|(id, node)| {
        if let Some(anchor) = &node.anchor
            && !anchor.name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        {
            let name = &anchor.name;
            return Some((id, format!("kubectl does not take `{name}` for the name of an anchor: it has letters, digits, `-` and `_`")));
        }
        match &node.kind {
            Kind::Map { entries, flow: true } => entries.iter().find_map(|&(key, value)| {
                glued_colon(tree, source, key).or_else(|| in_flow(tree, source, key)).or_else(|| in_flow(tree, source, value))
            }),
            Kind::Seq { items, flow: true } => items.iter().find_map(|&item| in_flow(tree, source, item)),
            Kind::Scalar { style, .. } if breaks => {
                let written = between(source, node.start, node.end);
                let why = "kubectl ends a line at U+0085, U+2028 and U+2029: write them as escapes between double quotes";
                is_broken(written, *style).then(|| (id, why.to_owned()))
            }
            _ => None,
        }
    })
}

/// The characters that end a line in YAML 1.1 and not in YAML 1.2.
const UNICODE_BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// Returns `true` if a scalar would have another value with these characters as line breaks.
///
/// Between quotes, a single one without blanks around it leaves the value as it is.
fn is_broken(written: &str, style: Style) -> bool {
    let quoted = matches!(style, Style::Single | Style::Double);
    let blank =
        |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || UNICODE_BREAKS.contains(&c) || c == '\\');
    written.char_indices().filter(|(_, c)| UNICODE_BREAKS.contains(c)).any(|(at, c)| {
        let last = before(written, at).chars().next_back();
        let next = from(written, at + c.len_utf8()).chars().next();
        !quoted || c == '\u{85}' || blank(last) || blank(next)
    })
}

/// Returns the key and the evidence for `{a:}`, `[a:, b]` and `[a :]`.
///
/// The colon belongs to the text there.
fn glued_colon(tree: &Tree<'_>, source: &str, key: NodeId) -> Option<(NodeId, String)> {
    let Kind::Scalar { style: Style::Plain, text } = &tree[key].kind else { return None };
    match from(source, tree[key].end).trim_start_matches([' ', '\t']).as_bytes() {
        [b':', b',' | b'}' | b']', ..] => {
            Some((key, format!("kubectl takes the colon for a part of `{text}:`: put a blank behind it")))
        }
        _ => None,
    }
}

/// Returns the node and the evidence for indicators that a flow collection reads as text.
///
/// `{?a}` is the key `a`, and `[!x, b]` is one value with the tag `!x,`.
fn in_flow(tree: &Tree<'_>, source: &str, id: NodeId) -> Option<(NodeId, String)> {
    let node = &tree[id];
    match &node.kind {
        Kind::Scalar { style: Style::Plain, text } if text.starts_with('?') => {
            Some((id, "kubectl takes the `?` for the mark of a key: put the text between quotes".to_owned()))
        }
        Kind::Scalar { style: Style::Absent, .. }
            if node.tag.is_some() && from(source, node.start).starts_with([',', '}', ']']) =>
        {
            Some((
                id,
                "kubectl takes what follows the tag for a part of it: put a blank behind it".to_owned(),
            ))
        }
        _ => None,
    }
}

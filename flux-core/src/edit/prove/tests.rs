//! A proof on windows is a proof on the whole file, whatever the file and the edits are.

use proptest::prelude::*;

use super::*;
use crate::workload::parse;

/// Returns the beginning of an object, up to its first value of its own.
fn object(kind: &'static str) -> impl Strategy<Value = String> {
    "[a-c]{1,3}"
        .prop_map(move |name| format!("apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n"))
}

/// Returns the rest of an object: values that look like what they are not, and ends of all kinds.
fn body() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "spec:\n  template:\n    spec:\n      containers:\n      - {name: web, image: 'x:1'} # why\n",
        "spec: {template: {spec: {containers: [{name: web, image: x:1}]}}}\n",
        "data:\n  a: |\n    x\n    ---\n    ...\n",
        "data:\n  a: |+\n    x\n\n\n",
        "data:\n  a: >-\n    x\n   # a comment\n",
        "data:\n  a: \"---\"\n  b: '...'\n  c: x---\n",
        "data:\n  a: \"x\n    ---\n    y\"\n",
        "data:\n  a: plain\n    ---\n    more\n",
        "data: &a {x: 1}\nmore: *a\n",
        "data:\n  a:",
        "data:\n  a: x",
        "# ---\n# %TAG\n",
        "items:\n- 1\n- 2 # *a\n",
        "...\n# behind\n",
        "...\napiVersion: v1\nkind: Other\nmetadata: {name: bare}\n",
    ])
}

/// Returns what stands between two documents.
fn separator() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        8 => prop::sample::select(vec!["---\n", "\n---\n", "---   \n", "--- # c\n", "---\t\n", "---\n\n# c\n"]),
        2 => prop::sample::select(vec![
            "...\n---\n", "...\n%YAML 1.2\n---\n", "...\n%TAG ! tag:x,1:\n---\n", "---#c\n", "----\n", " ---\n",
            "--- |\n", "--- {a: 1}\n", "---\n---\n", "\u{feff}---\n", "---\n\u{feff}", "...\n", "\r---\r", "--- &a\n", "'\n---\n",
        ]),
    ]
}

fn stream() -> impl Strategy<Value = String> {
    let part = (object("Deployment"), body(), separator());
    (prop::collection::vec(part, 1..6), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(parts, crlf, bom, first)| {
            let text: String =
                parts.iter().map(|(object, body, end)| format!("{object}{body}{end}")).collect();
            let text = if first { format!("---\n{text}") } else { text };
            let text = if crlf { text.replace('\n', "\r\n") } else { text };
            if bom { format!("\u{feff}{text}") } else { text }
        },
    )
}

/// Returns what an edit writes.
fn written() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "x",
        "y:2",
        "1",
        "---",
        "\n---\n",
        "---\n",
        "\n...\n",
        "\n%TAG ! x\n",
        "%",
        "# c",
        "\n# c\n",
        "|",
        "|+\n",
        "'",
        "\"",
        "\n",
        "\r",
        "\r\n",
        "\u{feff}",
        "&a ",
        "*a ",
        "<<: ",
        "{",
        "}",
        "[",
        " ",
        "\t",
        "-",
        ": ",
        "é",
        "\u{85}",
        "\u{0}",
        "a: 1\n",
    ])
}

/// An edit: where it starts and ends, and what it writes.
type Place = (prop::sample::Index, usize, &'static str);

/// Returns edits that do not overlap, near the places given.
fn edits(text: &str, places: &[Place]) -> Vec<Edit> {
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at += 1;
        }
        at
    };
    let mut edits: Vec<Edit> = Vec::new();
    for (at, length, after) in places {
        let start = boundary(at.index(text.len() + 1));
        let end = boundary((start + length).min(text.len()));
        if edits.iter().all(|other| end < other.start || other.end < start) {
            edits.push(Edit { start, end, before: text[start..end].to_owned(), after: (*after).to_owned() });
        }
    }
    edits
}

/// Returns the changes from some objects to others, entry by entry.
fn changes(before: &ParsedFile, after: &ParsedFile, first: usize) -> Vec<Intent> {
    let mut intents = Vec::new();
    for (at, (old, new)) in before.resources.iter().zip(&after.resources).enumerate() {
        let (old, new) = (old.object.value(), new.object.value());
        let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else { continue };
        let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for key in keys.into_iter().filter(|key| old.get(*key) != new.get(*key)) {
            let pointer = format!("/{}", crate::pointer::escape(key));
            intents.push(Intent { resource: first + at, pointer, value: new.get(key).cloned() });
        }
    }
    intents
}

/// Returns the changes as the windows show them; none if there are no windows.
fn changes_on_windows(source: &str, edited: &[u8], parsed: &ParsedFile, edits: &[Edit]) -> Vec<Intent> {
    let Ok(edited) = checked(edited) else { return Vec::new() };
    let mut intents = Vec::new();
    for window in windows(source, edited, edits).unwrap_or_default() {
        let text = &source[window.before.clone()];
        let (before, after) = (parse(text.as_bytes()), parse(edited[window.after.clone()].as_bytes()));
        if let Some(first) = place(&window, text, parsed, &before) {
            intents.extend(changes(&before, &after, first));
        }
    }
    intents
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_proven_on_windows_is_proven_on_the_whole(
        text in stream(),
        places in prop::collection::vec((any::<prop::sample::Index>(), 0..6_usize, written()), 1..4),
    ) {
        let parsed = parse(text.as_bytes());
        let edits = edits(&text, &places);
        let source = text.as_bytes();
        let edited = apply(source, &edits).unwrap();
        let whole = changes(&parsed, &parse(&edited), 0);
        let windows = changes_on_windows(&text, &edited, &parsed, &edits);
        for intents in [whole, windows, Vec::new()] {
            let on_whole = on_whole(&edited, &parsed, &intents);
            if on_windows(source, &edited, &parsed, &edits, &intents).is_some() {
                prop_assert_eq!(&on_whole, &Ok(()), "{:?}: {:?}", String::from_utf8_lossy(&edited), intents);
            }
            let expected = on_whole.map(|()| edited.clone()).map_err(EditError::NotProven);
            prop_assert_eq!(&prove_parsed(source, &parsed, &edits, &intents), &expected);
            prop_assert_eq!(&prove(source, &edits, &intents), &expected);
        }
    }

    #[test]
    fn images_of_a_stream_are_proven_on_windows(
        names in prop::collection::vec("[a-c]{1,3}", 1..6),
        tag in "[0-9]{1,3}",
        crlf in any::<bool>(),
    ) {
        let document = |name: &String| {
            format!(
                "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  template:\n    spec:\n      containers:\n      \
                 - {{name: web, image: 'x:1'}} # why\n"
            )
        };
        let text: String = names.iter().map(document).collect();
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        let parsed = parse(text.as_bytes());
        let to = format!("x:{tag}").parse().unwrap();
        let containers = parsed.resources.iter().flat_map(|resource| resource.workload.iter().flatten());
        let (edits, intents): (Vec<_>, Vec<_>) =
            containers.flat_map(|container| container.edits(&to).unwrap()).unzip();
        let edited = apply(text.as_bytes(), &edits).unwrap();
        prop_assert_eq!(on_windows(text.as_bytes(), &edited, &parsed, &edits, &intents), Some(()));
        prop_assert_eq!(on_whole(&edited, &parsed, &intents), Ok(()));
    }
}

/// Returns a stream of three objects, each with an image, with a text between them.
fn three(separator: &str) -> String {
    ["a", "b", "c"]
        .map(|name| {
            format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: a, image: x:1}}]}}\n")
        })
        .join(separator)
}

#[test]
fn a_wrong_parse_proves_nothing_on_windows() {
    let (text, other) = (three("---\n"), three("# a comment\n---\n"));
    let parsed = parse(text.as_bytes());
    let at = text.rfind("x:1").unwrap();
    let edits = [Edit { start: at, end: at + 3, before: "x:1".to_owned(), after: "x:2".to_owned() }];
    let intents =
        [Intent { resource: 2, pointer: "/spec/containers/0/image".to_owned(), value: Some("x:2".into()) }];
    let edited = apply(text.as_bytes(), &edits).unwrap();
    assert_eq!(on_windows(text.as_bytes(), &edited, &parsed, &edits, &intents), Some(()));
    let wrong = parse(other.as_bytes());
    assert_eq!(on_windows(text.as_bytes(), &edited, &wrong, &edits, &intents), None);
    assert_eq!(prove_parsed(text.as_bytes(), &wrong, &edits, &intents), Ok(edited.clone()));
    let lost = [Intent { resource: 1, ..intents[0].clone() }];
    assert_eq!(on_windows(text.as_bytes(), &edited, &parsed, &edits, &lost), None);
    assert!(prove_parsed(text.as_bytes(), &parsed, &edits, &lost).is_err());
}

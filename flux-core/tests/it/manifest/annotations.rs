//! Annotations are set, changed and removed in the style of their neighbours.

use flux_core::edit::EditError;

use super::annotate;

type Changes<'a> = &'a [(&'a str, Option<&'a str>)];

const SET: Changes<'static> = &[("fluxcd.io/automated", Some("true"))];
const TWO: Changes<'static> =
    &[("fluxcd.io/automated", Some("true")), ("fluxcd.io/tag.web", Some("glob:1.*"))];
const CHANGE: Changes<'static> = &[("a", Some("2"))];
const REMOVE: Changes<'static> = &[("a", None)];
const REMOVE_BOTH: Changes<'static> = &[("a", None), ("b", None)];
const SWAP: Changes<'static> = &[("a", None), ("b", None), ("c", Some("x"))];

/// The lines behind `kind`, before and after.
const BLOCK: &[(Changes<'static>, &str, &str)] = &[
    // No annotations yet.
    (
        SET,
        "metadata:\n  name: m # name\nspec: 1\n",
        "metadata:\n  name: m # name\n  annotations:\n    fluxcd.io/automated: \"true\"\nspec: 1\n",
    ),
    (
        TWO,
        "metadata:\n    name: m\n",
        "metadata:\n    name: m\n    annotations:\n        fluxcd.io/automated: \"true\"\n        fluxcd.io/tag.web: glob:1.*\n",
    ),
    (
        SET,
        "metadata:\n    name: m\n    labels:\n      a: b\n",
        "metadata:\n    name: m\n    labels:\n      a: b\n    annotations:\n      fluxcd.io/automated: \"true\"\n",
    ),
    (SET, "metadata:\n  name: m", "metadata:\n  name: m\n  annotations:\n    fluxcd.io/automated: \"true\""),
    (
        SET,
        "metadata:\n  name: m\n\n# about the spec\nspec: 1\n",
        "metadata:\n  name: m\n  annotations:\n    fluxcd.io/automated: \"true\"\n\n# about the spec\nspec: 1\n",
    ),
    // Annotations without entries.
    (
        SET,
        "metadata:\n  annotations: # none\n  name: m\n",
        "metadata:\n  annotations: # none\n    fluxcd.io/automated: \"true\"\n  name: m\n",
    ),
    (
        SET,
        "metadata:\n  annotations: {}  # none\n  name: m\n",
        "metadata:\n  annotations:  # none\n    fluxcd.io/automated: \"true\"\n  name: m\n",
    ),
    (
        SET,
        "metadata:\n  name: m\n  annotations: null",
        "metadata:\n  name: m\n  annotations:\n    fluxcd.io/automated: \"true\"",
    ),
    (
        SET,
        "metadata:\n  name: m\n  annotations: ~\nspec: 1\n",
        "metadata:\n  name: m\n  annotations:\n    fluxcd.io/automated: \"true\"\nspec: 1\n",
    ),
    // Some annotations.
    (
        SET,
        "metadata:\n  annotations:\n      z: v # z\n  name: m\n",
        "metadata:\n  annotations:\n      z: v # z\n      fluxcd.io/automated: \"true\"\n  name: m\n",
    ),
    (
        SET,
        "metadata:\n  name: m\n  annotations:\n    z: |\n      many\n      lines\n\n  labels: {}\n",
        "metadata:\n  name: m\n  annotations:\n    z: |\n      many\n      lines\n    fluxcd.io/automated: \"true\"\n\n  labels: {}\n",
    ),
    // Changed in place.
    (
        CHANGE,
        "metadata:\n  name: m\n  annotations:\n    a: x # why\n",
        "metadata:\n  name: m\n  annotations:\n    a: \"2\" # why\n",
    ),
    (
        CHANGE,
        "metadata:\n  name: m\n  annotations:\n    a: 'x' # why\n",
        "metadata:\n  name: m\n  annotations:\n    a: '2' # why\n",
    ),
    (
        CHANGE,
        "metadata:\n  name: m\n  annotations:\n    'a' : \"x\"\n",
        "metadata:\n  name: m\n  annotations:\n    'a' : \"2\"\n",
    ),
    (
        CHANGE,
        "metadata:\n  name: m\n  annotations:\n    a: # why\n    b: c\n",
        "metadata:\n  name: m\n  annotations:\n    a: \"2\" # why\n    b: c\n",
    ),
    (
        CHANGE,
        "metadata:\n  name: m\n  annotations:\n    a: >-\n      x\n      y\n    b: c\n",
        "metadata:\n  name: m\n  annotations:\n    a: \"2\"\n    b: c\n",
    ),
    (
        CHANGE,
        "metadata:\n  name: m\n  annotations:\n    a: 1\n    a: 3\n",
        "metadata:\n  name: m\n  annotations:\n    a: 1\n    a: \"2\"\n",
    ),
    (
        CHANGE,
        "metadata:\n  name: m\n  annotations:\n    a: true\n",
        "metadata:\n  name: m\n  annotations:\n    a: \"2\"\n",
    ),
    // Removed.
    (
        REMOVE,
        "metadata:\n  name: m\n  annotations:\n    # about a\n    a: x # why\n    b: w\n",
        "metadata:\n  name: m\n  annotations:\n    # about a\n    b: w\n",
    ),
    (
        REMOVE,
        "metadata:\n  name: m\n  annotations:\n    b: w\n    a: x",
        "metadata:\n  name: m\n  annotations:\n    b: w",
    ),
    (
        REMOVE,
        "metadata:\n  name: m\n  annotations:\n    a: |\n      x\n\n      y\n    b: w\n",
        "metadata:\n  name: m\n  annotations:\n    b: w\n",
    ),
    (
        REMOVE,
        "metadata:\n  name: m\n  annotations:\n    a:\n    b: w\n",
        "metadata:\n  name: m\n  annotations:\n    b: w\n",
    ),
    (
        REMOVE,
        "metadata:\n  name: m\n  annotations:\n    a: 1\n    b: w\n    a: 2\n",
        "metadata:\n  name: m\n  annotations:\n    b: w\n",
    ),
    (REMOVE, "metadata:\n  name: m\n  annotations:\n    a: x\nspec: 1\n", "metadata:\n  name: m\nspec: 1\n"),
    (REMOVE, "metadata:\n  annotations:\n    a: x\n  name: m\n", "metadata:\n  name: m\n"),
    (REMOVE, "metadata:\n  name: m\n  annotations:\n    a: x", "metadata:\n  name: m"),
    (REMOVE, "metadata:\n  name: m\n  annotations: {a: x}\nspec: 1\n", "metadata:\n  name: m\nspec: 1\n"),
    (REMOVE_BOTH, "metadata:\n  annotations:\n    b: w\n    a: x\n  name: m\n", "metadata:\n  name: m\n"),
    (
        SWAP,
        "metadata:\n  annotations: # them\n    b: w\n    a: x\n  name: m\n",
        "metadata:\n  annotations: # them\n    c: x\n  name: m\n",
    ),
    (
        SWAP,
        "metadata:\n  name: m\n  annotations:\n    z: z\n    b: w\n    a: x",
        "metadata:\n  name: m\n  annotations:\n    z: z\n    c: x",
    ),
    // A neighbour without a value.
    (
        SET,
        "metadata: {name: m, namespace: }\n",
        "metadata: {name: m, namespace: , annotations: {fluxcd.io/automated: \"true\"}}\n",
    ),
    (REMOVE, "metadata: {name: m, annotations: {b: , a: x}}\n", "metadata: {name: m, annotations: {b: }}\n"),
    (REMOVE, "metadata: {name: m, annotations: {a: , b: w}}\n", "metadata: {name: m, annotations: {b: w}}\n"),
    // Nothing to do.
    (REMOVE, "metadata:\n  name: m\n", "metadata:\n  name: m\n"),
    (REMOVE, "metadata:\n  name: m\n  annotations: {}\n", "metadata:\n  name: m\n  annotations: {}\n"),
    (
        CHANGE,
        "metadata:\n  name: m\n  annotations: {a: '2'}\n",
        "metadata:\n  name: m\n  annotations: {a: '2'}\n",
    ),
    // Between braces.
    (SET, "metadata: {name: m}\n", "metadata: {name: m, annotations: {fluxcd.io/automated: \"true\"}}\n"),
    (
        TWO,
        "metadata: {name: m, annotations: {}}\n",
        "metadata: {name: m, annotations: {fluxcd.io/automated: \"true\", fluxcd.io/tag.web: glob:1.*}}\n",
    ),
    (
        SET,
        "metadata: {name: m, annotations: null}\n",
        "metadata: {name: m, annotations: {fluxcd.io/automated: \"true\"}}\n",
    ),
    (CHANGE, "metadata: {name: m, annotations: {a: x}}\n", "metadata: {name: m, annotations: {a: \"2\"}}\n"),
    (
        SET,
        "metadata:\n  name: m\n  annotations: {z: v}\n",
        "metadata:\n  name: m\n  annotations: {z: v, fluxcd.io/automated: \"true\"}\n",
    ),
    (
        REMOVE,
        "metadata: {name: m, annotations: {a: x, b: w}}\n",
        "metadata: {name: m, annotations: {b: w}}\n",
    ),
    (
        REMOVE,
        "metadata: {name: m, annotations: {b: w, a: x}}\n",
        "metadata: {name: m, annotations: {b: w}}\n",
    ),
    (REMOVE, "metadata: {name: m, annotations: {a: x}}\n", "metadata: {name: m}\n"),
    (REMOVE, "metadata: {annotations: {a: x}, name: m}\n", "metadata: {name: m}\n"),
    (
        REMOVE_BOTH,
        "metadata: {name: m, annotations: {a: x, z: z, b: w}}\n",
        "metadata: {name: m, annotations: {z: z}}\n",
    ),
    (SWAP, "metadata: {name: m, annotations: {a: x, b: w}}\n", "metadata: {name: m, annotations: {c: x}}\n"),
    (
        SWAP,
        "metadata: {name: m, annotations: {z: z, a: x, b: w,}}\n",
        "metadata: {name: m, annotations: {z: z, c: x,}}\n",
    ),
];

#[test]
fn each_shape_is_edited_in_its_own_style() {
    let head = "# head\napiVersion: v1\nkind: A\n";
    for (changes, before, after) in BLOCK {
        let (source, expected) = (format!("{head}{before}"), format!("{head}{after}"));
        assert_eq!(annotate(&source, 0, changes).as_ref(), Ok(&expected), "{source}");
        let (source, expected) = (source.replace('\n', "\r\n"), expected.replace('\n', "\r\n"));
        assert_eq!(annotate(&source, 0, changes).as_ref(), Ok(&expected), "CRLF: {source}");
    }
}

#[test]
fn items_of_lists_are_edited_in_their_own_indentation() {
    let indent = |text: &str| -> String {
        let ended = text.ends_with('\n');
        let lines: Vec<String> =
            text.lines().map(|l| if l.is_empty() { String::new() } else { format!("    {l}") }).collect();
        lines.join("\n") + if ended { "\n" } else { "" }
    };
    for (changes, before, after) in BLOCK {
        let item = |body: &str| {
            format!(
                "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: B\n    metadata: {{name: b}}\n  - apiVersion: v1\n    kind: A\n{}",
                indent(body)
            )
        };
        assert_eq!(annotate(&item(before), 1, changes), Ok(item(after)));
    }
}

#[test]
fn json_stays_json() {
    let set: Changes<'_> = &[("fluxcd.io/tag.web", Some("regexp:^v(\\d+)$"))];
    let table = [
        (
            "{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{\"name\":\"a\",\"labels\":{}}}",
            "{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{\"name\":\"a\",\"labels\":{},\"annotations\":{\"fluxcd.io/tag.web\":\"regexp:^v(\\\\d+)$\"}}}",
        ),
        (
            "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"A\",\n  \"metadata\": {\n    \"name\": \"a\"\n  }\n}\n",
            "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"A\",\n  \"metadata\": {\n    \"name\": \"a\",\n    \"annotations\": {\n      \"fluxcd.io/tag.web\": \"regexp:^v(\\\\d+)$\"\n    }\n  }\n}\n",
        ),
        (
            "{\n\t\"apiVersion\": \"v1\", \"kind\": \"A\",\n\t\"metadata\": {\"name\": \"a\", \"annotations\": {\n\t\t\"z\": \"y\"\n\t}}\n}\n",
            "{\n\t\"apiVersion\": \"v1\", \"kind\": \"A\",\n\t\"metadata\": {\"name\": \"a\", \"annotations\": {\n\t\t\"z\": \"y\",\n\t\t\"fluxcd.io/tag.web\": \"regexp:^v(\\\\d+)$\"\n\t}}\n}\n",
        ),
    ];
    for (before, after) in table {
        assert_eq!(annotate(before, 0, set).as_deref(), Ok(after));
        serde_json::from_str::<serde_json::Value>(after).unwrap();
    }
}

#[test]
fn values_are_written_so_that_they_are_read_back() {
    for value in [
        "",
        " ",
        "true",
        "1.20",
        "null",
        "~",
        "a: b",
        "a #b",
        "#",
        "- a",
        "'",
        "\"",
        "\\",
        "it's",
        "two\nlines",
        "tab\t",
        "ü😀",
        "\u{85}",
        "\u{feff}x",
        "@x",
        "`x",
        "%x",
        "!x",
        "&x",
        "*x",
        "|",
        ">",
        "{a}",
        "[a]",
        "a,b",
        "semver:>=1.0 <2",
        "?",
        "12:30",
        "2020-01-01",
        "=",
        "<<",
        "...",
        "---",
        "regexp:^v(\\d+)$",
        "\u{1}",
        "x:",
        "a\u{2028}b",
    ] {
        for source in [
            "apiVersion: v1\nkind: A\nmetadata:\n  name: a\n",
            "apiVersion: v1\nkind: A\nmetadata: {name: a}\n",
            "{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{\"name\":\"a\"}}",
            "apiVersion: v1\nkind: A\nmetadata: {name: a, annotations: {k: 'x'}}\n",
            "apiVersion: v1\nkind: A\nmetadata: {name: a, annotations: {k: \"x\"}}\n",
            "apiVersion: v1\nkind: A\nmetadata:\n  name: a\n  annotations:\n    k: |\n      x\n",
        ] {
            assert!(annotate(source, 0, &[("k", Some(value))]).is_ok(), "{value:?} in {source:?}");
        }
    }
}

#[test]
fn a_value_that_other_places_use_is_refused() {
    let table = [
        "metadata: {name: a, labels: &l {x: y}, annotations: *l}",
        "metadata: {name: a, annotations: &l {x: y}, labels: *l}",
        "x: &m {name: a}\nmetadata: *m",
        "metadata: &m {name: a}\nx: *m",
        "x: &m {annotations: {x: y}}\nmetadata: {name: a, <<: *m}",
        "metadata: {name: a, annotations: {x: &v y}, labels: {x: *v}}",
    ];
    for body in table {
        let source = format!("apiVersion: v1\nkind: A\n{body}\n");
        let error = annotate(&source, 0, &[("x", Some("z"))]);
        assert!(matches!(error, Err(EditError::Unsupported(_))), "{body}: {error:?}");
    }
    let merged = "apiVersion: v1\nkind: A\nx: &m {x: y}\nmetadata: {name: a, annotations: {<<: *m, b: c}}\n";
    let own = |entries: &str| merged.replace("{<<: *m, b: c}", entries);
    for (entries, value, why) in [
        ("{<<: *m, b: c}", None, "remove it there"),
        ("{<<: *m, x: c}", None, "remove it there"),
        ("{x: c, <<: *m}", None, "remove it there"),
        ("{x: c, <<: [*m]}", Some("z"), "move it behind"),
    ] {
        let error = annotate(&own(entries), 0, &[("x", value)]).unwrap_err();
        assert!(
            matches!(&error, EditError::Unsupported(message) if message.contains(why)),
            "{entries}: {error}"
        );
    }
    assert_eq!(annotate(&own("{<<: *m, x: c}"), 0, &[("x", Some("z"))]).unwrap(), own("{<<: *m, x: z}"));
    assert_eq!(
        annotate(merged, 0, &[("x", Some("z"))]).unwrap(),
        merged.replace("b: c}", "b: c, x: z}"),
        "a key of one's own wins over a merged one that stands before it"
    );
}

#[test]
fn an_encrypted_document_and_a_missing_object_are_refused() {
    let sealed = "apiVersion: v1\nkind: A\nmetadata: {name: a}\nsops: {mac: x}\n";
    assert!(matches!(annotate(sealed, 0, SET), Err(EditError::Unsupported(_))));
    assert!(matches!(annotate(sealed, 1, SET), Err(EditError::Unsupported(_))));
}

#[test]
fn a_block_scalar_without_a_line_of_its_own_ends_with_its_header() {
    let source = "apiVersion: v1\nkind: A\nmetadata:\n  name: a\n  annotations:\n    a: |\n    b: >- # why\n    a: |\n      text\n    c: |+\n";
    let edited = annotate(source, 0, &[("a", None), ("b", Some("x")), ("c", Some("w"))]).unwrap();
    let wanted = "apiVersion: v1\nkind: A\nmetadata:\n  name: a\n  annotations:\n    b: x # why\n    c: w\n";
    assert_eq!(edited, wanted);
    let edited = annotate(source, 0, &[("b", None), ("c", None), ("d", Some("z"))]).unwrap();
    let wanted = "apiVersion: v1\nkind: A\nmetadata:\n  name: a\n  annotations:\n    a: |\n    a: |\n      text\n    d: z\n";
    assert_eq!(edited, wanted);
}

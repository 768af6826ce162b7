//! Files are read as kubectl would send them.
//!
//! The values were taken from kubectl's reader, sigs.k8s.io/yaml 1.6 behind the splitter of
//! k8s.io/apimachinery 0.37. The reader was compared with it on random documents; these are the
//! ones that showed a difference.

use flux_core::{
    Code, Position,
    edit::{ImageChange, annotation_edits, image_edits, prove},
    finding::Problem,
    workload::parse,
};
use serde_json::{Value, json};

use super::problems;

const A: &str = "apiVersion: v1\nkind: A\nmetadata: {name: a}\n";

/// Returns the `spec` of an object, or the problem.
fn spec(text: &str) -> Result<Value, String> {
    let file = parse(format!("{A}spec: {text}").as_bytes());
    match (file.resources.first(), file.problems.first()) {
        (Some(resource), None) => Ok(resource.object.at("/spec").unwrap_or_default()),
        (_, problem) => Err(problem.map(|p| p.evidence.clone()).unwrap_or_default()),
    }
}

#[test]
fn values_are_those_that_kubectl_sends() {
    let table = [
        // Numbers: Kubernetes reads again what Go writes.
        ("-9223372036854775809", json!(-9.223_372_036_854_776e18)),
        ("1234567890123456789.0", json!(1_234_567_890_123_456_800_i64)),
        ("1.2345e20", json!(1.2345e20)),
        // Texts over several lines.
        ("\"x\\\n  y\\\n\n  z\"", json!("xy\nz")),
        ("'x  \n\n\n \t y'", json!("x\n\ny")),
        ("\n  a: x\n    y\n\n    z", json!({"a": "x y\nz"})),
        ("|\n  a\n\n   b\n\n", json!("a\n\n b\n")),
        (">\n  a\n  b\n\n   c\n  d\n", json!("a b\n\n c\nd\n")),
        (">-\n\n  a\n\n\n  b\n", json!("\na\n\nb")),
        ("|+\n  a\n\n\n", json!("a\n\n\n")),
        ("|2-\n   a\n", json!(" a")),
        ("|\n  x\ty\n  # no comment\n", json!("x\ty\n# no comment\n")),
        // Keys, merges and equal keys.
        ("{!!str 3: a}", json!({"3": "a"})),
        ("{<<: [{a: 1}, {a: 2, b: 3}], b: 4}", json!({"a": 1, "b": 4})),
        ("{a: 1, <<: {a: 2}}", json!({"a": 2})),
        ("{<<: {<<: {a: b}}}", json!({"a": "b"})),
        ("{'<<': {a: b}}", json!({"<<": {"a": "b"}})),
        ("{? <<: {a: b}}", json!({"a": "b"})),
        ("[? a : b, c: d]", json!([{"a": "b"}, {"c": "d"}])),
        // Tags.
        ("!!set {a, b}", json!({"a": null, "b": null})),
        ("!!binary /w==", json!("\u{fffd}")),
        ("!!binary 4oI=", json!("\u{fffd}\u{fffd}")),
        ("!foo {a: !bar 1}", json!({"a": "1"})),
        ("[!!str , a]", json!(["", "a"])),
        // Separators within lines.
        ("[a, b: c, ]", json!(["a", {"b": "c"}])),
        ("{a: b:c}", json!({"a": "b:c"})),
        ("{\"a\":1,\"b\":[]}", json!({"a": 1, "b": []})),
        ("[a-b, -c, x#y, x,z]", json!(["a-b", "-c", "x#y", "x", "z"])),
    ];
    for (text, value) in table {
        assert_eq!(spec(text), Ok(value), "{text}");
    }
}

#[test]
fn invalid_yaml_that_kubectl_reads_is_read_too() {
    let table = [
        (r#""it\'s \'so\\'" # why"#, json!("it's 'so\\'")),
        ("\"a\"#b", json!("a")),
        ("[ # b\n  'a'#b\n  ,{}#c\n  ]#d", json!(["a", {}])),
        ("|#b\n  a", json!("a\n")),
        ("\"a\nb\n\n\tc\"", json!("a b\nc")),
        ("\n  a: \"x\n  y\"\n  b: 'it''s\n  z' # why", json!({"a": "x y", "b": "it's z"})),
        ("\n  - a: &q \"x\n\n    y\"\n    b: *q", json!([{"a": "x\ny", "b": "x\ny"}])),
        (
            "\n  a: {\n\t\"b\": [\n\t\t\"x\n\t\ty\",\t# {\n\t\t{c: d}]\n\t}\n  e: f",
            json!({"a": {"b": ["x y", {"c": "d"}]}, "e": "f"}),
        ),
    ];
    for (text, value) in table {
        assert_eq!(spec(text), Ok(value), "{text}");
    }
    // In a block, tabs are refused by kubectl as well.
    assert!(spec("\n  a:\n\t- b # {").is_err());
}

#[test]
fn a_document_that_kubectl_reads_otherwise_is_refused() {
    let table = [
        ("{a:}", "colon"),
        ("[a:, b]", "colon"),
        ("{a :}", "colon"),
        ("{?a: b}", "`?`"),
        ("[?a, b]", "`?`"),
        ("[!, 1]", "tag"),
        ("[!!str, a]", "tag"),
        ("&a:b", "anchor"),
        ("[&é a, *é]", "anchor"),
        ("\"a \u{2028}b\"", "U+2028"),
        ("a\u{85}b", "U+0085"),
        ("|\n  a\u{2029}b", "U+2029"),
    ];
    for (text, why) in table {
        let message = spec(text).unwrap_err();
        assert!(message.contains("kubectl") && message.contains(why), "{text}: {message}");
    }
    assert_eq!(spec("\"a\u{2028}b\""), Ok(json!("a\u{2028}b")));
    let json = parse("{\"apiVersion\": \"v1\", \"kind\": \"A\", \"metadata\": {\"name\": \"a\"}, \"t\": \"\u{85} \u{2028}\"}".as_bytes());
    assert_eq!(json.resources[0].object.value()["t"], "\u{85} \u{2028}");
    // The first character of the file decides if it is JSON, not that of the document.
    let object = "{\"apiVersion\": \"v1\", \"kind\": \"A\", \"metadata\": {\"name\": \"b\"}, \"t\": \"a \u{2028} b\"}\n";
    let table = [
        (object.to_owned(), 1, 0),
        (format!(" \n\t{object}{object}"), 2, 0),
        (format!("{object}---\n{object}"), 2, 0),
        (format!("---\n{object}"), 0, 1),
        (format!("# a comment\n{object}"), 0, 1),
        (format!("{A}---\n{object}"), 1, 1),
        (format!("{object}---\n{A}t: \"a \u{2028} b\"\n"), 1, 1),
    ];
    for (text, read, refused) in table {
        let file = parse(text.as_bytes());
        assert_eq!(file.resources.len(), read, "{text}");
        let is_told = |p: &Problem| p.code == Code::InvalidYaml && p.evidence.contains("U+2028");
        assert_eq!(file.problems.iter().filter(|p| is_told(p)).count(), refused, "{text}");
    }
}

#[test]
fn documents_are_separated_where_kubectl_separates_them() {
    for separator in
        ["---", "--- ", "---\t", "--- # x", "---# x: y", "---#####", "---\r", "...\n---", "---\n\u{feff}# x"]
    {
        let file = parse(format!("{A}{separator}\n{A}").as_bytes());
        assert_eq!((file.resources.len(), problems(&file)), (2, vec![]), "{separator:?}");
        let line = 4 + u32::try_from(separator.matches('\n').count()).unwrap();
        assert_eq!(file.resources[1].position, Position { line: line + 1, column: 1 }, "{separator:?}");
    }
    // kubectl drops the text that follows such an end without a separator, and ignores directives.
    for beyond in [format!("{A}...\n{A}"), format!("%YAML 1.1\n---\n{A}---\n{A}")] {
        assert_eq!(parse(beyond.as_bytes()).resources.len(), 2, "{beyond}");
    }
    let json = "{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{\"name\":\"a\"}, \"t\": \"}{\"}";
    let file = parse(format!("{json}{json}\n\n  {json}\n---\n{A}").as_bytes());
    let places: Vec<_> = file.resources.iter().map(|r| (r.position.line, r.position.column)).collect();
    assert_eq!((places, problems(&file)), (vec![(1, 1), (1, 66), (3, 3), (5, 1)], vec![]));
    // It also silently drops lines that are indented less than the first one.
    let file = parse(format!("  a: b\n{A}---\n{A}").as_bytes());
    assert_eq!(
        (file.resources.len(), problems(&file)),
        (1, vec![(Code::NotForKubernetes, 1, 3), (Code::InvalidYaml, 2, 1)])
    );
}

#[test]
fn places_in_what_was_mended_are_those_of_the_file() {
    let source = "\u{feff}x: {a: \"it\\'s\", b: \"\\'\", c: [!!int x]}\n---#\n\u{feff}a: \"é\n\n\\'\"#c\nb: [!!int x]\n--- # é\n\u{feff}a: [!!int x]\n";
    let file = parse(source.as_bytes());
    assert_eq!(
        problems(&file),
        [(Code::InvalidYaml, 1, 36), (Code::InvalidYaml, 6, 11), (Code::InvalidYaml, 8, 11)]
    );
}

#[test]
fn edits_of_what_was_mended_change_only_what_they_name() {
    let source = "---#\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations: {a: \"\\'\", fluxcd.io/automated: 'true'}#c\n  name: \"web\"\nspec:\n  template:\n    spec:\n      initContainers: [\n\t{name: 'i', args: [\"it\\'s\"], image: y:1},\n\t]\n      containers:\n      - args: [\"\\'\", \"b\"]\n        command: \"a\n        b\"\n        name: c\n        image: \"x:1\"#d\n---\n\u{feff}apiVersion: v1\nkind: A\nmetadata: {name: a}\n";
    let file = parse(source.as_bytes());
    assert_eq!((file.resources.len(), problems(&file)), (2, vec![]));
    let (x, y) = ("x:2".parse().unwrap(), "y:2".parse().unwrap());
    let containers = file.resources[0].workload.as_ref().unwrap();
    let path = "a.yaml".parse().unwrap();
    let changes: Vec<_> = containers
        .iter()
        .map(|container| ImageChange {
            path: &path,
            container,
            to: if container.name == "c" { &x } else { &y },
        })
        .collect();
    let edits = image_edits(&changes).into_iter().flat_map(Result::unwrap);
    let (edits, intents): (Vec<_>, Vec<_>) = edits.map(|placed| (placed.edit, placed.intent)).unzip();
    let edited = String::from_utf8(prove(source.as_bytes(), &edits, &intents).unwrap()).unwrap();
    assert_eq!(edited, source.replace("x:1", "x:2").replace("y:1", "y:2"));
    let changes = [("fluxcd.io/automated".to_owned(), Some("false".to_owned()))].into();
    let (edits, intents) = annotation_edits(source.as_bytes(), 0, &changes).unwrap();
    let edited = String::from_utf8(prove(source.as_bytes(), &edits, &intents).unwrap()).unwrap();
    assert_eq!(edited, source.replace("'true'", "'false'"));
}

//! Streams, documents and lists: which of them are objects, and that a bad document does not affect
//! the others.

use flux_core::{
    Code, Position,
    edit::{Edit, Intent, prove},
    manifest::ParsedFile,
    workload::parse,
};

use super::problems;

fn ids(file: &ParsedFile) -> Vec<String> {
    let id = |r: &flux_core::manifest::Resource| format!("{}/{}@{}", r.kind, r.name, r.position);
    file.resources.iter().map(id).collect()
}

const A: &str = "apiVersion: v1\nkind: A\nmetadata: {name: a}\n";

#[test]
fn a_stream_has_as_many_objects_as_documents_that_are_not_empty() {
    let source = format!("# head\n---\n{A}---\n---\n# nothing\n...\n---\n{A}...\n{A}");
    let file = parse(source.as_bytes());
    assert_eq!(ids(&file), ["A/a@3:1", "A/a@11:1", "A/a@15:1"]);
    assert_eq!(problems(&file), []);
}

#[test]
fn empty_files_are_nothing() {
    for source in ["", "\n", "# only a comment\n", "---\n", "---\n---\n", "~\n", "\u{feff}", "\u{feff}# c\n"]
    {
        assert_eq!(parse(source.as_bytes()), ParsedFile::default(), "{source:?}");
    }
}

#[test]
fn byte_order_mark_and_crlf_are_read() {
    let file = parse(format!("\u{feff}{}", A.replace('\n', "\r\n")).as_bytes());
    assert_eq!(ids(&file), ["A/a@1:1"]);
    assert_eq!(file.resources[0].object.kind(), "A");
}

#[test]
fn json_is_read() {
    let file = parse(b"{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"A\", \"metadata\": {\"name\":\"a\"}\n}\n");
    assert_eq!(ids(&file), ["A/a@1:1"]);
}

#[test]
fn a_broken_document_does_not_touch_the_others() {
    for broken in
        ["a: [1, 2\n", "a: \"x\n", "a: b: c\n", "a:\n\t- b\n", "a: *nope\n", "- a\nb: c\n", "? [a]\n: b\n"]
    {
        let source = format!("{A}---\n{broken}---\n{A}");
        let file = parse(source.as_bytes());
        assert_eq!(file.resources.len(), 2, "{broken:?}");
        assert_eq!(file.problems.len(), 1, "{broken:?}: {:?}", file.problems);
        let problem = &file.problems[0];
        assert_eq!(problem.code, Code::InvalidYaml);
        assert!((5..=7).contains(&problem.position.line), "{broken:?}: {problem:?}");
    }
}

#[test]
fn templates_are_distinguished_from_broken_yaml() {
    let table = [
        ("a: {{ .Values.a }}\n", Code::Template),
        ("{{- if .Values.a }}\na: 1\n{{- end }}\n", Code::Template),
        ("a:\n  - {{ x }}\n", Code::Template),
        ("a: x {{ y }}: z\n", Code::Template),
        ("a: '{{ fine }}'\nb: [\n", Code::InvalidYaml),
        ("# {{ fine }}\nb: [\n", Code::InvalidYaml),
    ];
    for (source, code) in table {
        let file = parse(format!("{A}---\n{source}---\n{A}").as_bytes());
        assert_eq!(file.problems.iter().map(|p| p.code).collect::<Vec<_>>(), [code], "{source:?}");
        assert_eq!(file.resources.len(), 2, "{source:?}");
    }
    let alone = parse(b"{{ include \"web\" . }}\n");
    assert_eq!(alone.problems.iter().map(|p| p.code).collect::<Vec<_>>(), [Code::Template]);
    let quoted = parse(format!("{A}spec: {{text: '{{{{ $labels }}}}'}}\n").as_bytes());
    assert_eq!((quoted.resources.len(), quoted.problems.len()), (1, 0));
}

#[test]
fn a_document_that_is_no_object_is_reported_with_its_position() {
    let table = [
        ("replicas: 3\nimage: x\n", Code::NotForKubernetes),
        ("just words\n", Code::NotAnObject),
        ("- a\n- b\n", Code::NotForKubernetes),
        ("42\n", Code::NotAnObject),
        ("apiVersion: v1\nmetadata: {name: a}\n", Code::NotAnObject),
        ("kind: A\nmetadata: {name: a}\n", Code::NotAnObject),
        ("apiVersion: v1\nkind: A\nmetadata: {name: a, namespace: n}\n", Code::NotAnObject),
        ("apiVersion: v1\nkind: A\n", Code::MissingName),
        ("apiVersion: v1\nkind: A\nmetadata:\n", Code::MissingName),
        ("apiVersion: v1\nkind: A\nmetadata: {name: ''}\n", Code::MissingName),
        ("apiVersion: v1\nkind: A\nmetadata: {name: 123}\n", Code::MissingName),
        ("apiVersion: v1\nkind: A\nmetadata: {generateName: a-}\n", Code::MissingName),
    ];
    for (source, code) in table {
        let file = parse(format!("{A}---\n{source}").as_bytes());
        assert_eq!(problems(&file), [(code, 5, 1)], "{source:?}");
        assert_eq!(file.resources.len(), 1, "{source:?}");
    }
}

#[test]
fn the_items_of_a_list_are_objects_of_their_own() {
    let source = "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: A
  metadata: {name: one}
- apiVersion: v1
  kind: B
- kind: List
  apiVersion: v1
  items:
    - {apiVersion: v1, kind: C, metadata: {name: nested}}
- 12
";
    let file = parse(source.as_bytes());
    assert_eq!(ids(&file), ["A/one@4:3", "C/nested@12:7"]);
    assert_eq!(problems(&file), [(Code::MissingName, 7, 3), (Code::NotAnObject, 13, 3)]);
}

#[test]
fn the_items_of_a_typed_list_have_its_type() {
    let source = "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: a}\n";
    let file = parse(source.as_bytes());
    assert_eq!(ids(&file), ["Deployment/a@4:3"]);
    assert_eq!(file.resources[0].object.api_version(), "apps/v1");
    assert_eq!(file.resources[0].object.kind(), "Deployment");
}

#[test]
fn a_kind_that_only_sounds_like_a_list_is_none() {
    for body in ["spec: {items: [a]}", "items: [a, b]", "items: 3"] {
        let source = format!("apiVersion: x.io/v1\nkind: AllowList\nmetadata: {{name: a}}\n{body}\n");
        assert_eq!(ids(&parse(source.as_bytes())), ["AllowList/a@1:1"], "{body}");
    }
    for items in ["items: []", "items:", "items: null"] {
        let file = parse(format!("apiVersion: v1\nkind: List\n{items}\n").as_bytes());
        assert_eq!(file, ParsedFile::default(), "{items}");
    }
}

#[test]
fn annotations_have_their_places_and_unquoted_ones_count() {
    let source = "\
apiVersion: v1
kind: A
metadata:
  name: a
  annotations:
    fluxcd.io/automated: true
    fluxcd.io/tag.web: 'glob:1.*'
    none:
    version: 1.20
";
    let file = parse(source.as_bytes());
    let found: Vec<_> = file.resources[0]
        .annotations
        .iter()
        .map(|(k, a)| (k, a.value.as_str(), a.position.line, a.position.column))
        .collect();
    assert_eq!(
        found,
        [
            ("fluxcd.io/automated", "true", 6, 26),
            ("fluxcd.io/tag.web", "glob:1.*", 7, 24),
            ("version", "1.20", 9, 14),
        ]
    );
}

#[test]
fn columns_count_characters() {
    let file = parse("apiVersion: v1\nkind: A\nmetadata: {name: \"ü😀\", annotations: {a: b}}\n".as_bytes());
    let a = file.resources[0].annotations.get("a").unwrap();
    assert_eq!(a.position, Position { line: 3, column: 41 });
}

#[test]
fn an_encrypted_document_is_kept_and_reported() {
    let source = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {fluxcd.io/automated: 'true'}}
spec: {template: {spec: {containers: [{name: web, image: 'ENC[AES256_GCM,data:x]'}]}}}
sops:
  mac: ENC[AES256_GCM,data:y]
";
    let file = parse(source.as_bytes());
    assert_eq!(problems(&file), [(Code::Encrypted, 1, 1)]);
    assert!(file.resources[0].is_encrypted());
    assert_eq!(file.resources[0].annotations.get("fluxcd.io/automated").unwrap().value, "true");
}

#[test]
fn a_parse_can_be_stored_and_comes_back_equal() {
    let source = format!(
        "{A}spec: {{f: [0.1, 1e300, 123456789.123456789, -3, 18446744073709551615], t: \"\\u0001é\"}}\n---\nbad: [\n---\n{A}"
    );
    let file = parse(source.as_bytes());
    let stored = serde_json::to_string(&file).unwrap();
    assert_eq!(serde_json::from_str::<ParsedFile>(&stored).unwrap(), file);
}

#[test]
fn a_duplicate_key_is_reported_and_the_last_one_counts() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - &c\n        name: web\n        image: a:1\n        \"image\": b:1\n        ? image\n        : c:1\n      - <<: *c\n        name: other\n        image: d:1\n";
    let file = parse(text.as_bytes());
    let reported: Vec<_> = file
        .problems
        .iter()
        .map(|p| (p.code, p.position.line, p.position.column, p.evidence.as_str()))
        .collect();
    let expected = [
        (Code::DuplicateKey, 3, 21, "the key `name` stands on line 3 already; the last one counts"),
        (Code::DuplicateKey, 11, 9, "the key `image` stands on line 10 already; the last one counts"),
        (Code::DuplicateKey, 12, 11, "the key `image` stands on line 11 already; the last one counts"),
    ];
    assert_eq!(reported, expected, "once where it stands, and not where it is merged");
    assert_eq!(file.resources[0].name, "web");
    assert_eq!(super::set_images(text, &[("web", "c:2")]).unwrap(), text.replace("c:1", "c:2"));
}

#[test]
fn keys_that_differ_in_writing_and_not_in_meaning_are_the_same() {
    let file = parse(format!("{A}data: {{yes: a, 'true': b, on: c, 1: d, '01': e, 1.0: f}}\n").as_bytes());
    assert_eq!(
        problems(&file),
        [(Code::DuplicateKey, 4, 16), (Code::DuplicateKey, 4, 27), (Code::DuplicateKey, 4, 49)]
    );
}

#[test]
fn of_many_duplicate_keys_some_are_reported_and_the_rest_is_read() {
    let document = format!("---\n{A}data: {{{}}}\n", "k: v, ".repeat(12));
    let file = parse(document.repeat(200).as_bytes());
    assert_eq!((file.resources.len(), file.problems.len()), (200, 21));
    assert!(file.problems[20].evidence.contains("more keys"));
}

#[test]
fn no_edit_makes_a_key_stand_twice() {
    let text = format!("{A}data: {{a: b}}\n");
    let at = text.find("b}").unwrap();
    let edit = Edit { start: at, end: at + 1, before: "b".to_owned(), after: "c, a: d".to_owned() };
    let intent = Intent { resource: 0, pointer: "/data/a".to_owned(), value: Some("d".into()) };
    let error = prove(text.as_bytes(), &[edit], &[intent]).unwrap_err();
    assert!(error.to_string().contains("twice"), "{error}");
    // A file that has some may be edited all the same, and one of the two keys may be removed.
    let text = A.replace("{name: a}", "\n  name: a\n  annotations:\n    x: a\n    x: b\n    y: c");
    let gone = super::annotate(&text, 0, &[("x", None)]).unwrap();
    assert_eq!(gone, text.replace("    x: a\n    x: b\n", ""));
    assert_eq!(super::annotate(&text, 0, &[("x", Some("z"))]).unwrap(), text.replace("x: b", "x: z"));
    let added = super::annotate(&text.replace("  annotations", "  labels"), 0, &[("x", Some("z"))]).unwrap();
    assert!(added.ends_with("  annotations:\n    x: z\n"), "{added}");
}

#[test]
fn a_list_is_a_list_also_when_it_has_a_name() {
    let item = "- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}";
    for metadata in ["{name: x}", "{name: ''}", "{}", "null"] {
        let file =
            parse(format!("apiVersion: v1\nkind: List\nmetadata: {metadata}\nitems:\n{item}\n").as_bytes());
        assert_eq!((file.resources.len(), problems(&file)), (1, vec![]), "{metadata}");
    }
    let named = "apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: x}\nitems: [a]\n";
    assert_eq!(parse(named.as_bytes()).resources[0].kind, "AllowList");
}

#[test]
fn a_file_that_sops_encrypted_as_a_whole_hides_its_objects() {
    let sops = "sops: {mac: 'ENC[x]', version: 3.7.1}\n";
    let list = format!("apiVersion: v1\nkind: List\nitems: [{{kind: ENC, metadata: {{name: a}}}}]\n{sops}");
    for whole in [list, format!("data: ENC[y]\n{sops}")] {
        let file = parse(whole.as_bytes());
        assert_eq!((file.resources.len(), problems(&file)), (0, vec![(Code::Sealed, 1, 1)]), "{whole}");
        assert!(Code::Sealed.hides_objects(), "nothing may be pruned for it");
    }
}

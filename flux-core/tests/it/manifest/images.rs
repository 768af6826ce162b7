//! Setting an image changes the bytes of its scalar and no others.

use flux_core::{
    edit::{Edit, EditError, apply},
    workload::parse,
};

use super::{containers, set_images};

/// Returns a Deployment whose only container has the given line for its image.
///
/// Everything around the line must stay unchanged.
fn with(image: &str) -> String {
    format!(
        "# head\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  template:\n    spec:\n      containers:\n        - name: web   # the one\n          {image}\n          args: [ \"a\" ,b]\n# tail"
    )
}

#[test]
fn every_style_of_scalar_keeps_its_style() {
    let table = [
        ("image: a/b:v1", "image: a/b:v2"),
        ("image: a/b:v1   # why", "image: a/b:v2   # why"),
        ("image:    a/b:v1", "image:    a/b:v2"),
        ("image: 'a/b:v1' # why", "image: 'a/b:v2' # why"),
        ("image: \"a/b:v1\"", "image: \"a/b:v2\""),
        ("\"image\": \"a/b:v1\"", "\"image\": \"a/b:v2\""),
        ("image: !!str a/b:v1", "image: !!str a/b:v2"),
        ("image: !custom 'a/b:v1'", "image: !custom 'a/b:v2'"),
        ("image: &unused a/b:v1", "image: &unused a/b:v2"),
        ("image:\n            a/b:v1", "image:\n            a/b:v2"),
        ("image: # why\n            a/b:v1", "image: # why\n            a/b:v2"),
        ("? image\n          : a/b:v1", "? image\n          : a/b:v2"),
        ("image: >-\n            a/b:v1", "image: a/b:v2"),
        ("image: |-  # why\n            a/b:v1", "image: a/b:v2 # why"),
        ("image: \"a/b\\\n            :v1\"", "image: \"a/b:v2\""),
        ("image: \"a/b\\u003av1\"", "image: \"a/b:v2\""),
    ];
    for (before, after) in table {
        assert_eq!(set_images(&with(before), &[("web", "a/b:v2")]).unwrap(), with(after), "{before}");
        let crlf = |text: &str| format!("\u{feff}{}", with(text).replace('\n', "\r\n"));
        assert_eq!(set_images(&crlf(before), &[("web", "a/b:v2")]).unwrap(), crlf(after), "{before}, CRLF");
    }
}

#[test]
fn flow_and_json_keep_their_shape() {
    let table = [
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: [{name: web, image: a:v1}]}}}}",
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: [{image: 'a:v1' ,name: web}]}}}}\n",
        "{\n\t\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\r\n\"metadata\":{\"name\":\"web\"},\"spec\":{\"template\":{\"spec\":{\"containers\":[\n{\"name\":\"web\",\"image\":\"a:v1\"}\n]}}}}\n",
    ];
    for before in table {
        let after = set_images(before, &[("web", "a:v2")]).unwrap();
        assert_eq!(after, before.replace("a:v1", "a:v2"));
    }
}

#[test]
fn a_text_that_yaml_would_read_as_something_else_gets_quotes() {
    let release = |tag: &str| {
        format!(
            "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: {{name: r}}\nspec:\n  values:\n    image:\n      repository: a\n      tag: {tag}\n"
        )
    };
    for tag in [
        "1.20",
        "1e3",
        "1e400",
        "yes",
        "NO",
        "on",
        "y",
        "0123",
        "08",
        "null",
        "true",
        "1_0",
        "0x1F",
        "0o7",
        "20201122",
        "2020-11-22",
        "2020-11-22-rc1",
        "1.",
        "007",
        "0b11",
        "1234e56",
    ] {
        let edited = set_images(&release("v1"), &[("chart-image", &format!("a:{tag}"))]).unwrap();
        assert_eq!(edited, release(&format!("\"{tag}\"")), "{tag}");
    }
    for tag in ["v2", "1.2.3", "1.20-rc1", "nope", "latest", "2020.11.22", "0xyz", "_1", "1a", "e3", "nan"] {
        let edited = set_images(&release("v1"), &[("chart-image", &format!("a:{tag}"))]).unwrap();
        assert_eq!(edited, release(tag), "{tag}");
    }
    assert_eq!(set_images(&release("1.20"), &[("chart-image", "a:v2")]).unwrap(), release("\"v2\""));
}

#[test]
fn an_alias_is_replaced_where_it_stands() {
    let source = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {image: &image a:v1}}
spec: {template: {spec: {containers: [{name: web, image: *image }, {name: b, image: *image}]}}}
";
    let edited = set_images(source, &[("web", "a:v2")]).unwrap();
    assert_eq!(edited, source.replace("image: *image }", "image: a:v2 }"));
}

#[test]
fn a_value_that_other_places_use_is_refused_with_the_reason() {
    let table = [
        ("containers: [{name: web, image: &i a:v1}, {name: b, image: *i}]", "anchor `&i`"),
        ("containers: &c [{name: web, image: a:v1}]\n      initContainers: *c", "anchor `&c`"),
        ("x: &c [{name: web, image: a:v1}]\n      containers: *c", "alias `*c`"),
        ("containers: [&d {name: web, image: a:v1}, {<<: *d, name: b}]", "anchor `&d` of line 7"),
        (
            "x: &d {image: a:v1}\n      containers: [&e {name: web, <<: *d}, {<<: *e, name: b}]",
            "anchor `&e` of line 8",
        ),
        (
            "x: &d {image: a:v1}\n      containers: [{name: web, image: a:v0, <<: *d}]",
            "move that behind the `<<`",
        ),
        ("x: &d {name: web, image: a:v1}\n      containers: [<<: *d]", "no braces"),
        ("containers: [{name: web, image: !!timestamp 2020-01-01}]", "its tag"),
        ("containers: [{name: web, image: !!binary 'YTp2MQ=='}]", "base64"),
    ];
    for (pod, why) in table {
        let source = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  template:\n    spec:\n      {pod}\n"
        );
        let web = &containers(&source)[0];
        if !matches!(why, "base64" | "its tag") {
            assert_eq!(web.image.as_ref().unwrap().to_string(), "a:v1", "{pod}");
        }
        match web.sites[0].refused.as_deref() {
            Some(refused) => assert!(refused.contains(why), "{pod}: {refused}"),
            None => panic!("{pod} is not refused"),
        }
        assert!(matches!(set_images(&source, &[("web", "a:v2")]), Err(EditError::Unsupported(_))), "{pod}");
    }
}

#[test]
fn an_encrypted_workload_is_refused() {
    let source = format!("{}\nsops: {{mac: x}}\n", with("image: a/b:v1").trim_end_matches("# tail"));
    let error = set_images(&source, &[("web", "a/b:v2")]).unwrap_err().to_string();
    assert!(error.contains("SOPS"), "{error}");
}

#[test]
fn many_edits_go_in_one_pass() {
    let document = |n: usize, tag: &str| {
        format!(
            "---\n# {n}\napiVersion: v1\nkind: List\nitems:\n- apiVersion: apps/v1\n  kind: DaemonSet\n  metadata: {{name: d{n}}}\n  spec: {{template: {{spec: {{initContainers: [{{name: i, image: \"i:{tag}\"}}], containers: [{{name: c, image: c:{tag}}}]}}}}}}\n"
        )
    };
    let all = |tag: &str| (0..20).map(|n| document(n, tag)).collect::<String>();
    assert_eq!(set_images(&all("v1"), &[("c", "c:v2"), ("i", "i:v2")]).unwrap(), all("v2"));
}

#[test]
fn an_image_that_stays_needs_no_edit() {
    let source = with("image: a/b:v1");
    let web = &containers(&source)[0];
    assert_eq!(web.edits(&"a/b:v1".parse().unwrap()).unwrap(), []);
}

#[test]
fn an_image_that_cannot_be_read_is_not_replaced() {
    let source = with("image: 'a b'");
    let web = &containers(&source)[0];
    assert!(matches!(web.edits(&"a/b:v1".parse().unwrap()), Err(EditError::Unsupported(_))));
}

#[test]
fn an_edit_for_other_bytes_is_refused() {
    let edit = Edit { start: 1, end: 2, before: "b".to_owned(), after: "x".to_owned() };
    let far = Edit { start: 9, end: 10, ..edit.clone() };
    let wide = Edit { start: 0, end: 2, before: "ab".to_owned(), after: String::new() };
    assert_eq!(apply(b"abc", std::slice::from_ref(&edit)).unwrap(), b"axc");
    assert_eq!(apply(b"aac", std::slice::from_ref(&edit)), Err(EditError::Mismatch { start: 1, end: 2 }));
    assert_eq!(apply(b"abc", &[far]), Err(EditError::Mismatch { start: 9, end: 10 }));
    assert!(apply(b"abc", &[wide, edit]).is_err());
}

#[test]
fn only_what_is_proven_is_handed_out() {
    use flux_core::edit::prove;
    let source = with("image: a/b:v1");
    let (mut edit, intent) = containers(&source)[0].edits(&"a/b:v2".parse().unwrap()).unwrap().remove(0);
    assert!(prove(source.as_bytes(), std::slice::from_ref(&edit), std::slice::from_ref(&intent)).is_ok());
    for after in [
        "a/b:v3",
        "a/b:v2\n          b: c",
        "a/b:v2\n---\na: b",
        "a/b:v2: x",
        "\"",
        "[",
        "&x a/b:v2\n          y: *x",
    ] {
        edit.after = after.to_owned();
        let proof = prove(source.as_bytes(), std::slice::from_ref(&edit), std::slice::from_ref(&intent));
        assert!(matches!(proof, Err(EditError::NotProven(_))), "{after}: {proof:?}");
    }
    assert!(matches!(prove(source.as_bytes(), &[], &[intent]), Err(EditError::NotProven(_))));
    assert_eq!(parse(source.as_bytes()).problems, []);
}

//! Labels that repeat the tag of a container follow it.

use flux_core::{
    edit::{prove, version_label_edits},
    workload::parse,
};

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app.kubernetes.io/version: '1.20', version: v1.20, other: '1.20'}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels:
        app: web
        version: \"1.20\" # follows
    spec:
      containers:
      - {name: web, image: 'example/web:1.20'}
      - {name: side, image: 'example/side:1.20'}
";

/// Returns the text after the labels followed the new images, and the reasons of those that did
/// not.
fn follow(text: &str, to: &[(&str, &str)]) -> (String, Vec<String>) {
    let resource = &parse(text.as_bytes()).resources[0];
    let images: Vec<_> = to.iter().map(|(name, image)| (*name, image.parse().unwrap())).collect();
    let labels =
        version_label_edits(0, resource, &images.iter().map(|(name, image)| (*name, image)).collect());
    let (edits, intents): (Vec<_>, Vec<_>) = labels.edits.into_iter().unzip();
    let edited = prove(text.as_bytes(), &edits, &intents).unwrap();
    (
        String::from_utf8(edited).unwrap(),
        labels.skipped.into_iter().map(|l| format!("{}: {}", l.pointer, l.why)).collect(),
    )
}

#[test]
fn labels_of_the_object_and_its_pods_follow_in_their_form() {
    let (edited, left) = follow(WEB, &[("web", "example/web:1.21")]);
    let expected = WEB
        .replace("version: '1.20'", "version: '1.21'")
        .replace("version: v1.20", "version: v1.21")
        .replace("\"1.20\" #", "\"1.21\" #");
    assert_eq!((edited, left), (expected, Vec::new()));
    let (edited, _) = follow(WEB, &[("web", "example/web:v2")]);
    assert!(edited.contains("version: 'v2', version: v2"), "{edited}");
    let prefixed = WEB.replace("web:1.20", "web:v1.20");
    let (edited, _) = follow(&prefixed, &[("web", "example/web:v1.21")]);
    assert!(edited.contains("version: '1.21', version: v1.21"), "{edited}");
}

#[test]
fn a_label_belongs_to_the_first_container_whose_tag_it_repeats() {
    assert_eq!(follow(WEB, &[("side", "example/side:1.21")]), (WEB.to_owned(), Vec::new()));
    let ahead = WEB.replace("web:1.20", "web:1.19");
    let (edited, _) = follow(&ahead, &[("side", "example/side:1.21")]);
    assert!(edited.contains("version: v1.21"), "{edited}");
    assert_eq!(follow(WEB, &[("web", "example/web:1.20")]).0, WEB);
}

#[test]
fn selector_labels_and_invalid_label_values_are_left() {
    let selecting = WEB.replace("{app: web}", "{app: web, version: '1.20'}");
    let (edited, left) = follow(&selecting, &[("web", "example/web:1.21")]);
    assert!(edited.contains("version: \"1.20\" # follows") && edited.contains("version: v1.21"), "{edited}");
    assert_eq!(left, ["/spec/template/metadata/labels/version: the selector names it"]);
    let (edited, left) = follow(WEB, &[("web", &format!("example/web:{}", "x".repeat(64)))]);
    assert_eq!((edited.as_str(), left.len()), (WEB, 3));
    let (_, left) = follow(WEB, &[("web", "example/web:1_")]);
    assert_eq!(left.len(), 3);
}

#[test]
fn a_label_that_others_use_is_left() {
    let shared = WEB.replace("version: v1.20", "version: &v v1.20").replace("other: '1.20'", "other: *v");
    let (edited, left) = follow(&shared, &[("web", "example/web:1.21")]);
    assert!(edited.contains("&v v1.20"));
    assert!(left[0].contains("anchor `&v`"), "{left:?}");
}

#[test]
fn labels_that_share_their_value_are_written_once_or_apart() {
    let text = |labels: &str, pods: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web, labels: &l {labels}}}, spec: {{template: {{metadata: {{labels: {pods}}}, spec: {{containers: [{{name: web, image: 'w:1.20'}}]}}}}}}}}\n"
        )
    };
    for pods in ["*l", "{<<: *l, app: web}"] {
        let (edited, left) = follow(&text("{version: '1.20'}", pods), &[("web", "w:1.21")]);
        assert_eq!((edited, left), (text("{version: '1.21'}", pods), Vec::new()));
    }
    // If the anchor has a third use, the mapping that merges it in gets a key of its own.
    let used =
        |pods: &str| text("{version: '1.20'}", pods).replace("spec: {template", "x: *l, spec: {template");
    let (edited, left) = follow(&used("{<<: *l, app: web}"), &[("web", "w:1.21")]);
    assert_eq!(edited, used("{<<: *l, version: \"1.21\", app: web}"));
    assert!(matches!(left.as_slice(), [why] if why.contains("anchor `&l` of line 1")), "{left:?}");
}

//! A shared value is written once when all places change to the same, and else not at all.

use flux_core::{
    edit::{EditError, ImageChange, image_edits},
    workload::parse,
};

use super::set_together;

const ONE: &str = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: ";

fn pod(pod: &str) -> String {
    format!("{ONE}{pod}}}}}}}\n")
}

fn set(text: &str, changes: &[(&str, &str)]) -> Result<String, String> {
    let changes: Vec<_> = changes.iter().map(|(c, to)| (format!("default:deployment/{c}"), *to)).collect();
    let changes: Vec<_> = changes.iter().map(|(c, to)| (c.as_str(), *to)).collect();
    let edited = set_together(&[("a.yaml", text)], &changes).map_err(|e| e.to_string())?;
    Ok(edited.get("a.yaml").cloned().unwrap_or_else(|| text.to_owned()))
}

#[test]
fn an_anchor_that_all_its_users_leave_for_the_same_is_edited_once() {
    let table = [
        // The anchor and its alias.
        (
            "{containers: [{name: a, image: &i x:1}, {name: b, image: *i}]}",
            "{containers: [{name: a, image: &i x:2}, {name: b, image: *i}]}",
        ),
        // By a merge key.
        (
            "{containers: [&a {name: a, image: 'x:1'}, {<<: *a, name: b}]}",
            "{containers: [&a {name: a, image: 'x:2'}, {<<: *a, name: b}]}",
        ),
    ];
    for (before, after) in table {
        let both = [("web a", "x:2"), ("web b", "x:2")];
        assert_eq!(set(&pod(before), &both).unwrap(), pod(after));
    }
}

#[test]
fn while_one_user_stays_the_alias_is_replaced_and_the_anchor_is_refused() {
    let text = pod("{containers: [{name: a, image: &i x:1}, {name: b, image: *i}, {name: c, image: *i}]}");
    assert_eq!(set(&text, &[("web b", "x:2")]).unwrap(), text.replacen("*i", "x:2", 1));
    assert_eq!(
        set(&text, &[("web b", "x:2"), ("web c", "x:3")]).unwrap(),
        text.replacen("*i", "x:2", 1).replacen("*i", "x:3", 1)
    );
    for changes in [&[("web a", "x:2")][..], &[("web a", "x:2"), ("web b", "x:2")]] {
        assert!(set(&text, changes).unwrap_err().contains("anchor `&i` of line 1"), "{changes:?}");
    }
    // No user keeps the old value: the anchor changes with those that are written nowhere else.
    let apart = [("web a", "x:2"), ("web b", "x:2"), ("web c", "x:3")];
    assert_eq!(
        set(&text, &apart).unwrap(),
        text.replace("x:1", "x:2").replace("c, image: *i", "c, image: x:3")
    );
    let all = [("web a", "x:2"), ("web b", "x:2"), ("web c", "x:2")];
    assert_eq!(set(&text, &all).unwrap(), text.replace("x:1", "x:2"));
}

#[test]
fn a_use_that_is_no_image_keeps_the_anchor() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: {image: &i x-1}}\nspec:\n  template:\n    spec:\n      containers: [{name: a, image: *i}, {name: b, image: *i}]\n";
    let both = [("web a", "x:2"), ("web b", "x:2")];
    assert_eq!(set(text, &both).unwrap(), text.replace("*i", "x:2"));
}

#[test]
fn objects_of_a_list_share_anchors_too() {
    let item = |name: &str, image: &str| {
        format!(
            "- apiVersion: apps/v1\n  kind: Deployment\n  metadata: {{name: {name}}}\n  spec: {{template: {{spec: {{containers: [{{name: c, image: {image}}}]}}}}}}\n"
        )
    };
    let list = |image: &str| {
        format!("kind: List\napiVersion: v1\nitems:\n{}{}", item("one", image), item("two", "*i"))
    };
    let edited = set(&list("&i \"x:1\""), &[("one c", "x:2"), ("two c", "x:2")]).unwrap();
    assert_eq!(edited, list("&i \"x:2\""));
    assert!(set(&list("&i \"x:1\""), &[("one c", "x:2")]).is_err());
}

#[test]
fn a_tag_that_two_images_share_is_edited_once() {
    let release = |tag: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: r}}\nspec:\n  values:\n    web: {{image: {{repository: w, tag: &t {tag}}}}}\n    api: {{image: {{repository: a, tag: *t}}}}\n"
        )
    };
    let id = |c: &str| format!("default:helmrelease/r {c}");
    let both = [(&*id("web"), "w:v2"), (&*id("api"), "a:v2")];
    let edited = set_together(&[("r.yaml", &release("v1"))], &both).unwrap();
    assert_eq!(edited["r.yaml"], release("v2"));
}

#[test]
fn two_containers_in_one_place_cannot_become_two_things() {
    let text = "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: {name: r, annotations: {repository.fluxcd.io/app: web.image}}\nspec: {values: {web: {image: a:1}}}\n";
    let set = |app: &str, web: &str| {
        let changes = [("default:helmrelease/r app", app), ("default:helmrelease/r web", web)];
        set_together(&[("r.yaml", text)], &changes)
    };
    assert_eq!(set("a:2", "a:2").unwrap()["r.yaml"], text.replace("a:1", "a:2"));
    assert!(set("a:2", "a:3").unwrap_err().to_string().contains("same place"));
}

#[test]
fn an_object_changes_as_a_whole_or_not_at_all() {
    let deployment = |name: &str| {
        pod("{containers: [{name: a, image: &i x:1}, {name: b, image: y:1}, {name: c, image: *i}]}")
            .replace("web", name)
    };
    let text = format!("{}---\n{}", deployment("one"), deployment("two"));
    let file = parse(text.as_bytes());
    let containers: Vec<_> = file.resources.iter().flat_map(|r| r.workload.iter().flatten()).collect();
    let (x, y) = ("x:2".parse().unwrap(), "y:2".parse().unwrap());
    let path = "a.yaml".parse().unwrap();
    // For the first object an anchor that has to stay, and for the second nothing that cannot be
    // done.
    let changes = [(0, &x), (1, &y), (4, &y), (5, &x)].map(|(n, to)| ImageChange {
        path: &path,
        container: containers[n],
        to,
    });
    let answers = image_edits(&changes);
    assert!(matches!(answers[0], Err(EditError::Unsupported(_))));
    assert_eq!(answers[1], Err(EditError::NotAlone));
    assert!(answers[2].is_ok() && answers[3].is_ok());
}

//! Images marked by Flux v2's comments.

use flux_core::workload::parse;

use super::{containers, images, set_images};

fn app(spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!("apiVersion: example.com/v1\nkind: App\nmetadata: {{name: a}}\nspec:\n{spec}")
}

#[test]
fn each_form_is_read_and_written() {
    let table = [
        (
            "it: r.io/web:1 # {\"$imagepolicy\": \"flux-system:web\"}",
            "r.io/web:1",
            "r.io/web:2",
            "it: r.io/web:2 # {\"$imagepolicy\": \"flux-system:web\"}",
        ),
        (
            "a: web # {\"$imagepolicy\": \"flux-system:web:name\"}\nb: 1.20 # {\"$imagepolicy\": \"flux-system:web:tag\"}",
            "web:1.20",
            "web:1.21",
            "a: web # {\"$imagepolicy\": \"flux-system:web:name\"}\nb: \"1.21\" # {\"$imagepolicy\": \"flux-system:web:tag\"}",
        ),
        (
            "deep:\n- {name: web, newTag: 'v1'} # {\"$imagepolicy\": \"flux-system:web:tag\"}",
            "web:v1",
            "web:v2",
            "deep:\n- {name: web, newTag: 'v2'} # {\"$imagepolicy\": \"flux-system:web:tag\"}",
        ),
        (
            "registry: r.io\nrepository: web\ntag: v1 # {\"$imagepolicy\": \"ns:web:tag\"}",
            "r.io/web:v1",
            "r.io/web:v2",
            "registry: r.io\nrepository: web\ntag: v2 # {\"$imagepolicy\": \"ns:web:tag\"}",
        ),
    ];
    for (before, image, to, after) in table {
        assert_eq!(images(&containers(&app(before))), [("web".to_owned(), image.to_owned())], "{before}");
        assert_eq!(set_images(&app(before), &[("web", to)]).unwrap(), app(after));
    }
}

#[test]
fn a_digest_has_its_place() {
    let (old, new) = (format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64)));
    let text = format!(
        "name: web # {{\"$imagepolicy\": \"n:web:name\"}}\ndigest: {old} # {{\"$imagepolicy\": \"n:web:digest\"}}\n"
    );
    let edited = set_images(&app(&text), &[("web", &format!("web@{new}"))]).unwrap();
    assert_eq!(edited, app(&text.replace(&old, &new)));
}

#[test]
fn an_image_of_another_convention_is_not_found_twice() {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: c\n        image: a:1 # {\"$imagepolicy\": \"flux-system:web\"}\n";
    assert_eq!(images(&containers(deployment)), [("c".to_owned(), "a:1".to_owned())]);
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: r}\nspec:\n  values:\n    web:\n      image: {repository: w, tag: v1} # {\"$imagepolicy\": \"flux-system:web:tag\"}\n    other:\n    - ref: o:1 # {\"$imagepolicy\": \"flux-system:other\"}\n    - ref: o:1 # {\"$imagepolicy\": \"flux-system:other\"}\n";
    let names: Vec<_> = containers(release).into_iter().map(|c| c.name).collect();
    assert_eq!(names, ["web", "other", "other-2"]);
}

#[test]
fn any_other_comment_marks_nothing() {
    for spec in [
        "a: x:1 # $imagepolicy",
        "a: x:1 # {\"$imagepolicy\": \"web\"}",
        "a: x:1 # {\"$imagepolicy\": \"ns:web:other\"}",
        "a: x:1 # {\"$imagepolicy\": 3}",
        "tag: v1 # {\"$imagepolicy\": \"ns:web:tag\"}",
        "a: b # {\"$imagepolicy\": \"ns:web:name\"}",
        "# {\"$imagepolicy\": \"ns:web\"}\na: x:1",
        "a: 'x # {\"$imagepolicy\": \"ns:web\"}'",
    ] {
        assert_eq!(parse(app(spec).as_bytes()).resources[0].workload, None, "{spec}");
    }
}

#[test]
fn a_tag_that_is_repeated_follows_the_image_that_the_same_policy_marks() {
    let pod = |tag: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  template:\n    spec:\n      containers:\n      - name: c\n        image: a:{tag} # {{\"$imagepolicy\": \"flux-system:web\"}}\n        env:\n        - name: TAG\n          value: \"{tag}\" # {{\"$imagepolicy\": \"flux-system:web:tag\"}}\n        - name: OTHER\n          value: \"1\" # {{\"$imagepolicy\": \"flux-system:other:tag\"}}\n"
        )
    };
    assert_eq!(images(&containers(&pod("1.0"))), [("c".to_owned(), "a:1.0".to_owned())]);
    assert_eq!(set_images(&pod("1.0"), &[("c", "a:1.20")]).unwrap(), pod("1.20"));
    let spec = |tag: &str| {
        app(&format!(
            "ref: a:{tag} # {{\"$imagepolicy\": \"n:web\"}}\nversion: {tag} # {{\"$imagepolicy\": \"n:web:tag\"}}\n"
        ))
    };
    assert_eq!(set_images(&spec("v1"), &[("web", "a:v2")]).unwrap(), spec("v2"));
}

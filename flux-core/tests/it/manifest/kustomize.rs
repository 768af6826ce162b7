//! The images of kustomizations.

use flux_core::{
    Code,
    manifest::{EditError, Manifests, parse},
};

use super::{manifests, problems, set_together};

fn deployment(name: &str, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  template:\n    spec:\n      containers:\n      - {{name: c, image: {image}}}\n"
    )
}

fn image(all: &Manifests, name: &str) -> String {
    let located = all.workload(&format!("default:deployment/{name}").parse().unwrap()).unwrap();
    let container = &located.resource.workload.as_ref().unwrap()[0];
    let sent = located.resource.object.pointer("/spec/template/spec/containers/0/image").unwrap();
    let image = container.image.as_ref().unwrap().to_string();
    assert_eq!(sent, image.as_str(), "what is listed is what is sent");
    image
}

fn set(files: &[(&str, &str)], name: &str, to: &str) -> Result<Vec<(String, String)>, EditError> {
    let edited = set_together(files, &[(&format!("default:deployment/{name} c"), to)])?;
    Ok(edited.into_iter().collect())
}

#[test]
fn each_form_of_an_entry_is_read_and_written_where_it_stands() {
    let (old, new) = (format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64)));
    let table = [
        (
            "{name: x, newTag: v2} # why",
            "x:v2".to_owned(),
            "x:v3".to_owned(),
            "{name: x, newTag: v3} # why".to_owned(),
        ),
        (
            "{name: x, newTag: '1.20'}",
            "x:1.20".to_owned(),
            "x:1.21".to_owned(),
            "{name: x, newTag: '1.21'}".to_owned(),
        ),
        (
            "{name: x, newName: r.io/y, newTag: v2}",
            "r.io/y:v2".to_owned(),
            "r.io/y:v3".to_owned(),
            "{name: x, newName: r.io/y, newTag: v3}".to_owned(),
        ),
        (
            "{name: x, newName: r.io/y, newTag: v2}",
            "r.io/y:v2".to_owned(),
            "r.io/z:v2".to_owned(),
            "{name: x, newName: r.io/z, newTag: v2}".to_owned(),
        ),
        (
            &format!("{{name: x, digest: '{old}'}}"),
            format!("x@{old}"),
            format!("x@{new}"),
            format!("{{name: x, digest: '{new}'}}"),
        ),
        (
            &format!("{{name: x, newTag: v2, digest: '{old}'}}"),
            format!("x:v2@{old}"),
            format!("x:v3@{new}"),
            format!("{{name: x, newTag: v3, digest: '{new}'}}"),
        ),
        (
            "{name: x, newTag: v2}",
            "x:v2".to_owned(),
            format!("x:v3@{new}"),
            format!("{{name: x, newTag: v3@{new}}}"),
        ),
    ];
    let web = deployment("web", "x:v1");
    for (entry, image_is, to, after) in &table {
        let kustomization = |entry: &str| format!("resources: [web.yaml]\nimages:\n- {entry}\n");
        let files = [("a/kustomization.yaml", &*kustomization(entry)), ("a/web.yaml", &*web)];
        let all = manifests(&files);
        assert_eq!((image(&all, "web"), all.findings()), (image_is.clone(), Vec::new()), "{entry}");
        let edited = set(&files, "web", to).unwrap();
        assert_eq!(edited, [("a/kustomization.yaml".to_owned(), kustomization(after))], "{entry}");
    }
}

#[test]
fn an_entry_without_a_tag_leaves_the_tag_to_the_object() {
    let web = deployment("web", "'x:v1' ");
    let files = [
        ("kustomization.yml", "resources: [./web.yaml]\nimages: [{name: x, newName: r.io/x}]\n"),
        ("web.yaml", &*web),
    ];
    assert_eq!(image(&manifests(&files), "web"), "r.io/x:v1");
    assert_eq!(
        set(&files, "web", "r.io/x:v2").unwrap(),
        [("web.yaml".to_owned(), web.replace("x:v1", "x:v2"))]
    );
    assert!(set(&files, "web", "r.io/y:v2").is_err());
}

#[test]
fn what_is_not_listed_or_not_named_is_not_touched() {
    let web = deployment("web", "x:v1");
    for kustomization in [
        "resources: [other.yaml]\nimages: [{name: x, newTag: v2}]\n",
        "resources: [web.yaml]\nimages: [{name: docker.io/library/x, newTag: v2}]\n",
        "resources: [web.yaml]\n",
        "resources: web.yaml\nimages: {name: x}\n",
        "resources: [web.yaml]\nimages: [x, {newTag: v2}, {name: 3, newTag: v3}]\n",
    ] {
        let files = [("kustomization.yaml", kustomization), ("web.yaml", &*web)];
        assert_eq!(image(&manifests(&files), "web"), "x:v1", "{kustomization}");
        assert_eq!(set(&files, "web", "x:v3").unwrap()[0].0, "web.yaml");
    }
}

#[test]
fn the_outer_kustomization_has_the_last_word() {
    let web = deployment("web", "x:v1");
    let files = [
        ("base/kustomization.yaml", "resources: [deploy]\nimages: [{name: x, newName: b/y, newTag: v2}]\n"),
        ("base/deploy/kustomization.yaml", "resources: [web.yaml]\n"),
        ("base/deploy/web.yaml", &*web),
        ("prod/kustomization.yaml", "resources: [../base]\nimages: [{name: b/y, newTag: v3}]\n"),
    ];
    assert_eq!(image(&manifests(&files), "web"), "b/y:v3");
    let edited = set(&files, "web", "b/y:v4").unwrap();
    assert_eq!(edited, [(files[3].0.to_owned(), files[3].1.replace("v3", "v4"))]);
    assert!(set(&files, "web", "b/z:v4").is_err(), "the name is set elsewhere than the tag");
}

#[test]
fn overlays_that_differ_are_not_chosen_among() {
    let web = deployment("web", "x:v1");
    let files = [
        ("base/kustomization.yaml", "resources: [web.yaml]\nimages: [{name: x, newTag: v2}]\n"),
        ("base/web.yaml", &*web),
        ("one/kustomization.yaml", "resources: [../base]\nimages: [{name: x, newTag: v3}]\n"),
        ("two/kustomization.yaml", "resources: [../base]\n"),
    ];
    assert_eq!(image(&manifests(&files), "web"), "x:v2");
    let error = set(&files, "web", "x:v4").unwrap_err().to_string();
    assert!(error.contains("one/kustomization.yaml") && !error.contains("two/"), "{error}");
    let same = [files[0], files[1], (files[2].0, files[3].1), files[3]];
    assert_eq!(set(&same, "web", "x:v4").unwrap()[0].0, "base/kustomization.yaml");
}

#[test]
fn an_entry_for_several_workloads_moves_with_all_of_them() {
    let kustomization = |tag: &str| {
        format!(
            "kind: Kustomization\nresources: [one.yaml, two.yaml, job.yaml]\nimages:\n- name: x\n  newTag: {tag}\n"
        )
    };
    let job = deployment("three", "x:v1").replace("apps/v1", "batch/v1").replace("Deployment", "Job");
    let (one, two) = (deployment("one", "x:v1"), deployment("two", "x:v1"));
    let k = kustomization("v2");
    let files = [("kustomization.yaml", &*k), ("one.yaml", &*one), ("two.yaml", &*two), ("job.yaml", &*job)];
    let error = set(&files, "one", "x:v3").unwrap_err().to_string();
    assert!(error.contains("release them together"), "{error}");
    let both = [("default:deployment/one c", "x:v3"), ("default:deployment/two c", "x:v3")];
    let edited = set_together(&files, &both).unwrap();
    assert_eq!(
        edited.into_iter().collect::<Vec<_>>(),
        [("kustomization.yaml".to_owned(), kustomization("v3"))]
    );
    let apart = [both[0], ("default:deployment/two c", "x:v4")];
    assert!(set_together(&files, &apart).is_err());
    let all = manifests(&files);
    let job = all.workload(&"default:job/three".parse().unwrap()).unwrap();
    assert_eq!(job.resource.workload.as_ref().unwrap()[0].image.as_ref().unwrap().to_string(), "x:v2");
}

#[test]
fn a_kustomization_is_no_object_and_only_its_file_name_makes_it_one() {
    let bare = "resources: [web.yaml]\n";
    let full = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []\n";
    for text in [bare, full] {
        assert_eq!(problems(&parse(text.as_bytes())), []);
        let all = manifests(&[("a/kustomization.yaml", text)]);
        assert_eq!((all.resources().count(), all.findings()), (0, Vec::new()));
        let all = manifests(&[("a/other.yaml", text)]);
        assert_eq!((all.resources().count(), all.findings()[0].code), (0, Code::NotForKubernetes));
    }
    let values = "replicas: 3\nimage: {repository: x}\n";
    assert_eq!(problems(&parse(values.as_bytes())), [(Code::NotForKubernetes, 1, 1)]);
    assert_eq!(manifests(&[("kustomization.yaml", values)]).findings(), []);
}

#[test]
fn an_entry_that_makes_no_image_is_told_by_the_container() {
    let web = deployment("web", "x:v1");
    let files = [
        ("kustomization.yaml", "resources: [web.yaml]\nimages: [{name: x, newTag: 'a:b:c'}]\n"),
        ("web.yaml", &*web),
    ];
    let all = manifests(&files);
    let located = all.workload(&"default:deployment/web".parse().unwrap()).unwrap();
    assert!(located.resource.workload.as_ref().unwrap()[0].image.is_err());
    assert!(matches!(set(&files, "web", "x:v3"), Err(EditError::Unsupported(_))));
}

#[test]
fn what_a_kustomization_names_as_a_patch_is_no_object() {
    let (base, web) = ("resources: [web.yaml]\n", deployment("web", "example/web:1"));
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {hostNetwork: true}}}\n";
    let json = "- {op: remove, path: /spec/replicas}\n";
    for list in [
        "patches: [{path: a.yaml}, {path: b.yaml, target: {kind: Deployment}}]",
        "patchesStrategicMerge: [./a.yaml]\npatchesJson6902: [{path: b.yaml, target: {kind: Deployment}}]",
        "replacements: [{path: b.yaml}]\ntransformers: [a.yaml]",
    ] {
        let over = format!("resources: [../base]\n{list}\n");
        let all = manifests(&[
            ("base/kustomization.yaml", base),
            ("base/web.yaml", &web),
            ("over/kustomization.yaml", &over),
            ("over/a.yaml", patch),
            ("over/b.yaml", json),
        ]);
        assert_eq!(image(&all, "web"), "example/web:1", "{list}");
        assert_eq!(all.resources().count(), 1, "{list}");
        assert_eq!(all.findings(), [], "{list}");
    }
    // What is listed among the resources too is an object; and a patch that is no YAML is told.
    let over = "resources: [web.yaml]\npatches: [{path: web.yaml}, {path: broken.yaml}]\n";
    let all = manifests(&[("kustomization.yaml", over), ("web.yaml", &web), ("broken.yaml", "a: [\n")]);
    assert_eq!(image(&all, "web"), "example/web:1");
    assert_eq!(all.findings().iter().map(|f| f.code).collect::<Vec<_>>(), [Code::InvalidYaml]);
}

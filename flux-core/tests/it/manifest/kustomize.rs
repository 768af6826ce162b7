//! The images of kustomizations.

use flux_core::{Code, edit::EditError, manifest_set::Manifests, workload::parse};

use super::{manifests, problems, set_together};

fn deployment(name: &str, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  template:\n    spec:\n      containers:\n      - {{name: c, image: {image}}}\n"
    )
}

fn image(all: &Manifests, name: &str) -> String {
    let located = all.workload(&format!("default:deployment/{name}").parse().unwrap()).unwrap();
    let container = &located.resource.workload.as_ref().unwrap()[0];
    let sent = located.resource.object.at("/spec/template/spec/containers/0/image").unwrap();
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
fn the_outer_kustomization_has_precedence() {
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
fn an_entry_that_makes_no_image_is_reported_by_the_container() {
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
        "configMapGenerator: [{name: c, files: [a.yaml, 'key=b.yaml']}]",
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
    // A file that is also listed among the resources is an object; a patch that is no YAML is
    // reported.
    let over = "resources: [web.yaml]\npatches: [{path: web.yaml}, {path: broken.yaml}]\n";
    let all = manifests(&[("kustomization.yaml", over), ("web.yaml", &web), ("broken.yaml", "a: [\n")]);
    assert_eq!(image(&all, "web"), "example/web:1");
    assert_eq!(all.findings().iter().map(|f| f.code).collect::<Vec<_>>(), [Code::InvalidYaml]);
}

#[test]
fn a_patch_of_an_object_without_a_file_is_reported_and_holds_pruning() {
    let web = deployment("web", "example/web:1");
    for (over, alone) in [
        ("resources: []\npatches: [{path: web.yaml}]\n", 1),
        ("resources: [web.yaml]\npatches: [{path: web.yaml}]\n", 0),
        ("patches: [{path: web.yaml, target: {kind: Deployment}}]\n", 0),
        ("configurations: [web.yaml]\n", 0),
    ] {
        let all = manifests(&[("kustomization.yaml", over), ("web.yaml", &web)]);
        let codes: Vec<Code> = all.findings().iter().map(|finding| finding.code).collect();
        assert_eq!(codes, vec![Code::PatchAlone; alone], "{over}");
        assert!(codes.iter().all(|code| code.hides_objects()));
    }
}

/// Returns the finding of a code, with its place.
fn findings_of(all: &Manifests, code: Code) -> Vec<String> {
    let of_code = all.findings().into_iter().filter(|finding| finding.code == code);
    of_code.map(|finding| format!("{} {}", finding.place.unwrap(), finding.evidence)).collect()
}

#[test]
fn only_images_of_lists_of_containers_are_changed() {
    let release = "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: {name: h}\nspec: {values: {image: 'x:v1'}}\n";
    let marked = "apiVersion: example.com/v1\nkind: Foo\nmetadata: {name: f}\nspec:\n  image: x:v1 # {\"$imagepolicy\": \"ns:web\"}\n";
    let rule = "apiVersion: fluxcd.io/v1alpha1\nkind: FluxPolicy\nmetadata: {name: p}\nspec:\n  workloads:\n  - {group: example.com, kind: Pipeline, pods: [spec.deep.pod], containers: [spec.steps]}\n";
    let pipeline = "apiVersion: example.com/v1\nkind: Pipeline\nmetadata: {name: p}\nspec:\n  deep: {pod: {initContainers: [{name: c, image: 'x:v1'}], containers: [{name: d, image: 'x:v1'}], ephemeralContainers: [{name: e, image: 'x:v1'}]}}\n  steps: [{name: s, image: 'x:v1'}]\n";
    let all = manifests(&[
        ("kustomization.yaml", "resources: [h.yaml, f.yaml, p.yaml]\nimages: [{name: x, newTag: v2}]\n"),
        ("h.yaml", release),
        ("f.yaml", marked),
        ("p.yaml", pipeline),
        ("rule.yaml", rule),
    ]);
    let images = |id: &str| -> Vec<(String, String)> {
        let located = all.workload(&id.parse().unwrap()).unwrap();
        let containers = located.resource.workload.iter().flatten();
        containers.map(|c| (c.name.clone(), c.image.as_ref().unwrap().to_string())).collect()
    };
    let pair = |name: &str, image: &str| (name.to_owned(), image.to_owned());
    assert_eq!(images("default:helmrelease/h"), [pair("chart-image", "x:v1")]);
    assert_eq!(images("default:foo/f"), [pair("web", "x:v1")]);
    let of_pipeline = [pair("d", "x:v2"), pair("c", "x:v2"), pair("e", "x:v1"), pair("s", "x:v1")];
    assert_eq!(images("default:pipeline/p"), of_pipeline);
}

#[test]
fn a_kustomization_may_leave_out_its_version_or_its_kind() {
    let web = deployment("web", "x:v1");
    let version = "apiVersion: kustomize.config.k8s.io/v1beta1\n";
    for head in ["", version, "kind: Kustomization\n", "kind: Component\n"] {
        let text = format!("{head}resources: [web.yaml]\nimages: [{{name: x, newTag: v2}}]\n");
        let all = manifests(&[("kustomization.yaml", &*text), ("web.yaml", &web)]);
        assert_eq!((image(&all, "web"), all.findings()), ("x:v2".to_owned(), Vec::new()), "{head}");
    }
    let bare = format!("{version}namePrefix: a-\n");
    assert_eq!(problems(&parse(bare.as_bytes())), []);
}

#[test]
fn a_component_applies_as_often_as_it_is_reached() {
    let web = deployment("web", "x:v1");
    let component = |rest: &str| format!("kind: Component\n{rest}");
    let shared = component("images: [{name: x, newName: w}, {name: z, newTag: v3}]\n");
    let one = component("components: [../shared]\nimages: [{name: w, newName: z}]\n");
    let two = component("components: [../shared]\nimages: []\n");
    let all = manifests(&[
        ("kustomization.yaml", "resources: [web.yaml]\ncomponents: [one, two]\n"),
        ("web.yaml", &web),
        ("one/kustomization.yaml", &one),
        ("two/kustomization.yaml", &two),
        ("shared/kustomization.yaml", &shared),
    ]);
    assert_eq!(image(&all, "web"), "z:v3");
    // Each of these lists the next one twice: more than any machine can build.
    let mut files = vec![
        (
            "kustomization.yaml".to_owned(),
            "resources: [web.yaml]\ncomponents: [c0]\nimages: [{name: x, newTag: v2}]\n".to_owned(),
        ),
        ("web.yaml".to_owned(), web.clone()),
    ];
    for at in 0..60 {
        let next = at + 1;
        files.push((
            format!("c{at}/kustomization.yaml"),
            component(&format!("components: [../c{next}, ../c{next}]\n")),
        ));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    let error = set(&files, "web", "x:v3").unwrap_err().to_string();
    assert!(error.contains("than are followed"), "{error}");
}

#[test]
fn an_invalid_image_that_an_entry_makes_is_reported_at_the_entry() {
    let web = deployment("web", "x:v1");
    for (rest, makes) in [
        ("digest: abc", "x@abc"),
        ("newName: r.io/x:9", "r.io/x:9:v1"),
        ("newName: r.io/x:9\n  newTag: v2", "r.io/x:9:v2"),
    ] {
        let text = format!("resources: [web.yaml]\nimages:\n- name: x\n  {rest}\n");
        let line = if rest.contains('\n') { 5 } else { 4 };
        let all = manifests(&[("a/kustomization.yaml", &*text), ("a/web.yaml", &web)]);
        let [finding] = &*findings_of(&all, Code::InvalidImage) else { panic!("{rest}") };
        assert!(finding.starts_with(&format!("a/kustomization.yaml:{line}:")), "{finding}");
        assert!(finding.contains(&format!("`{makes}`, which is no image")), "{finding}");
        let located = all.workload(&"default:deployment/web".parse().unwrap()).unwrap();
        let bad = located.resource.workload.as_ref().unwrap()[0].image.clone().unwrap_err();
        assert_eq!(bad.text, makes);
        assert!(bad.problem.contains("a/kustomization.yaml:"), "{}", bad.problem);
    }
}

#[test]
fn the_name_of_an_entry_is_a_regular_expression() {
    let web = deployment("web", "r.io/my-app:v1");
    let k = "resources: [web.yaml]\nimages:\n- {name: my(app, newTag: v9}\n- {name: r.io/my.app, newTag: v2}\n- {name: '.*/my-[a-z]+', newName: z}\n";
    let files = [("kustomization.yaml", k), ("web.yaml", &*web)];
    assert_eq!(image(&manifests(&files), "web"), "z:v2");
    let edited = set(&files, "web", "z:v3").unwrap();
    assert_eq!(edited, [("kustomization.yaml".to_owned(), k.replace("v2", "v3"))]);
}

#[test]
fn a_tag_is_put_behind_a_digest_that_stands_alone() {
    let (old, new) = (format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64)));
    let web = deployment("web", "x:v1");
    let table = [
        (
            "- name: x\n  digest: OLD # why\n  newName: w\n",
            "- name: x\n  digest: NEW # why\n  newTag: v3\n  newName: w\n",
        ),
        ("- digest: OLD\n  name: x", "- digest: NEW\n  newTag: v3\n  name: x"),
        ("- name: x\r\n  digest: 'OLD'\r\n", "- name: x\r\n  digest: 'NEW'\r\n  newTag: v3\r\n"),
        ("- {name: x, digest: 'OLD'}\n", "- {name: x, digest: 'NEW', newTag: v3}\n"),
        (
            "- {\"name\": \"x\", \"digest\": \"OLD\"}\n",
            "- {\"name\": \"x\", \"digest\": \"NEW\", \"newTag\": \"v3\"}\n",
        ),
        ("- {name: x, newTag: '', digest: 'OLD'}\n", "- {name: x, newTag: 'v3', digest: 'NEW'}\n"),
    ];
    for (before, after) in table {
        let text = |entry: &str| {
            format!("resources: [web.yaml]\nimages:\n{}", entry.replace("OLD", &old).replace("NEW", &new))
        };
        let name = if before.contains("newName") { "w" } else { "x" };
        let before = text(before);
        let files = [("kustomization.yaml", &*before), ("web.yaml", &*web)];
        assert_eq!(image(&manifests(&files), "web"), format!("{name}@{old}"));
        let edited = set(&files, "web", &format!("{name}:v3@{new}")).unwrap();
        assert_eq!(edited, [("kustomization.yaml".to_owned(), text(after))]);
        let pinned = set(&files, "web", &format!("{name}@{new}")).unwrap();
        assert_eq!(pinned, [("kustomization.yaml".to_owned(), before.replace(&old, &new))]);
    }
    let shared = format!(
        "resources: [web.yaml]\nimages:\n- name: x\n  <<: &d {{digest: '{old}'}}\n- {{name: y, <<: *d}}\n"
    );
    let files = [("kustomization.yaml", &*shared), ("web.yaml", &*web)];
    let error = set(&files, "web", &format!("x:v3@{new}")).unwrap_err().to_string();
    assert!(error.contains("no place for `newTag`"), "{error}");
}

#[test]
fn many_entries_and_many_workloads_are_put_together() {
    let entries: String = (0..20_000).map(|at| format!("- {{name: r.io/n{at}, newTag: a}}\n")).collect();
    let resources: String = (0..300).map(|at| format!("- w{at}.yaml\n")).collect();
    let k = format!("resources:\n{resources}images:\n{entries}- {{name: r.io/x, newTag: v2}}\n");
    let workloads: Vec<(String, String)> =
        (0..300).map(|at| (format!("w{at}.yaml"), deployment(&format!("w{at}"), "r.io/x:v1"))).collect();
    let mut files: Vec<(&str, &str)> = workloads.iter().map(|(path, text)| (&**path, &**text)).collect();
    files.push(("kustomization.yaml", &k));
    assert_eq!(image(&manifests(&files), "w299"), "r.io/x:v2");
}

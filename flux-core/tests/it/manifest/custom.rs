//! Workloads of kinds whose image paths a policy document defines.

use flux_core::{Code, manifest::ContainerRole};

use super::{manifests, set_together};

fn policy(workloads: &str) -> String {
    let lines: String = workloads.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: fluxcd.io/v1alpha1\nkind: FluxPolicy\nmetadata: {{name: p}}\nspec:\n  workloads:\n{lines}"
    )
}

fn app(spec: &str) -> String {
    format!("apiVersion: example.com/v1\nkind: App\nmetadata: {{name: a}}\nspec: {spec}\n")
}

fn found(rules: &str, spec: &str) -> Vec<(String, String)> {
    let (policy, app) = (policy(rules), app(spec));
    let all = manifests(&[("app.yaml", &app), ("policy.yaml", &policy)]);
    assert_eq!(all.findings(), [], "{rules}");
    let containers = all.workloads().flat_map(|w| w.resource.workload.clone().unwrap_or_default());
    let image =
        |c: flux_core::manifest::Container| (c.name, c.image.map_or_else(|b| b.text, |i| i.to_string()));
    containers.map(image).collect()
}

#[test]
fn a_rule_says_where_images_stand() {
    let kind = "- group: example.com\n  kind: App\n";
    let table = [
        (
            "pods: [spec.pod]",
            "{pod: {containers: [{name: a, image: x:1}], initContainers: [{name: i, image: y:1}]}}",
            &[("a", "x:1"), ("i", "y:1")][..],
        ),
        (
            "containers: [spec.steps]",
            "{steps: [{name: a, image: x:1}, {image: y:1}, {name: n}]}",
            &[("a", "x:1"), ("steps-2", "y:1")],
        ),
        ("containers: [spec.main]", "{main: {image: x:1}}", &[("main", "x:1")]),
        (
            "containers: [spec.jobs.*]",
            "{jobs: {b: {image: y:1}, a: {image: x:1}}}",
            &[("a", "x:1"), ("b", "y:1")],
        ),
        ("containers: [spec.t.*.c]", "{t: [{name: one, c: {image: x:1}}, {name: two}]}", &[("one", "x:1")]),
        ("images: [{name: one, image: spec.it}]", "{it: x:1}", &[("one", "x:1")]),
        ("images: [{name: one, image: /spec/a.b}]", "{a.b: x:1}", &[("one", "x:1")]),
        (
            "images: [{name: one, registry: spec.r, repository: spec.i, tag: spec.t}]",
            "{r: r.io, i: x, t: 1.20}",
            &[("one", "r.io/x:1.20")],
        ),
        (
            "images: [{repository: spec.all.*.repo, tag: spec.all.*.tag}]",
            "{all: {b: {repo: z, tag: v2}, a: {repo: x, tag: v1}}}",
            &[("a", "x:v1"), ("b", "z:v2")],
        ),
        ("containers: [spec.none]\n  images: [{name: one, image: spec.it}]", "{it: [x:1]}", &[]),
    ];
    for (rule, spec, images) in table {
        let expected: Vec<_> = images.iter().map(|(n, i)| ((*n).to_owned(), (*i).to_owned())).collect();
        assert_eq!(found(&format!("{kind}  {rule}\n"), spec), expected, "{rule}");
    }
    let version = "- apiVersion: example.com/v2\n  kind: App\n  containers: [spec.main]\n";
    assert_eq!(found(version, "{main: {image: x:1}}"), []);
}

#[test]
fn such_images_are_edited_in_place() {
    let policy = policy(
        "- group: example.com\n  kind: App\n  pods: [spec.pod]\n  images: [{name: db, repository: spec.db.repo, tag: spec.db.tag}]\n",
    );
    let app = app(
        "\n  pod:\n    containers:\n    - {name: web, image: 'x:1'}  # web\n  db: {repo: pg, tag: 15} # db",
    );
    let files = [("app.yaml", app.as_str()), ("policy.yaml", policy.as_str())];
    let edited =
        set_together(&files, &[("default:app/a web", "x:2"), ("default:app/a db", "pg:1.20")]).unwrap();
    assert_eq!(edited["app.yaml"], app.replace("'x:1'", "'x:2'").replace("tag: 15", "tag: \"1.20\""));
    let all = manifests(&files);
    let roles: Vec<_> =
        all.workloads().flat_map(|w| w.resource.workload.iter().flatten()).map(|c| c.role).collect();
    assert_eq!(roles, [ContainerRole::Main, ContainerRole::Main]);
}

#[test]
fn mistakes_are_reported_with_their_position_and_the_rest_is_used() {
    let table = [
        ("- {group: apps, kind: Deployment}", "found without a rule"),
        ("- {group: argoproj.io, kind: Rollout}", "found without a rule"),
        ("- {kind: App}", "what it is for"),
        ("- {group: example.com, kind: App, pod: [a]}", "no key"),
        ("- {group: example.com, kind: App, pods: a}", "no list"),
        ("- {group: example.com, kind: App, pods: [a..b]}", "no path"),
        ("- {group: example.com, kind: App, images: [{image: a}]}", "no `name`"),
        ("- {group: example.com, kind: App, images: [{name: a}]}", "where the image stands"),
        (
            "- {group: example.com, kind: App, images: [{name: a, image: a, tag: b}]}",
            "where the image stands",
        ),
        ("- text", "no mapping"),
    ];
    for (rule, why) in table {
        let policy =
            policy(&format!("{rule}\n- {{group: example.com, kind: App, containers: [spec.main]}}\n"));
        let app = app("{main: {image: x:1}}");
        let all = manifests(&[("app.yaml", &app), ("policy.yaml", &policy)]);
        let findings = all.findings();
        let reported: Vec<_> =
            findings.iter().map(|f| (f.code, f.place.as_ref().unwrap().position.line)).collect();
        assert_eq!(reported, [(Code::InvalidPolicy, 6)], "{rule}: {findings:?}");
        assert!(findings[0].evidence.contains(why), "{rule}: {}", findings[0].evidence);
        assert_eq!(all.workloads().count(), 1);
    }
}

#[test]
fn an_invalid_image_of_a_custom_workload_is_reported() {
    let policy = policy("- {group: example.com, kind: App, containers: [spec.main]}");
    let app = app("{main: {image: 'x::1'}}");
    let all = manifests(&[("app.yaml", &app), ("policy.yaml", &policy)]);
    let finding = &all.findings()[0];
    assert_eq!((finding.code, finding.subject.as_str()), (Code::InvalidImage, "default:app/a"));
}

#[test]
fn an_image_that_is_no_text_to_yaml_is_reported() {
    let policy = policy(
        "- {group: example.com, kind: App, containers: [spec.steps], images: [{name: agent, image: spec.agent}]}",
    );
    let app = app(
        "\n  agent: 1e3\n  steps:\n  - {name: a, image: yes}\n  - {name: b, image: 1.20}\n  - {name: c, image: ~}\n  - {name: d, image: d:1}",
    );
    let all = manifests(&[("app.yaml", &app), ("policy.yaml", &policy)]);
    let reported: Vec<_> =
        all.findings().into_iter().map(|f| (f.code, f.evidence, f.place.unwrap().position.line)).collect();
    let evidence =
        |c, text, what| format!("container {c}: `{text}` is no image: it is {what} to YAML, not a text");
    let expected = [
        // The position of a boolean is not kept: the object is named.
        (Code::InvalidImage, evidence("a", "true", "the truth value true"), 1),
        (Code::InvalidImage, evidence("agent", "1e3", "the number 1000"), 5),
        (Code::InvalidImage, evidence("b", "1.20", "the number 1.2"), 8),
    ];
    assert_eq!(reported, expected);
    let names = all.workloads().flat_map(|w| w.resource.workload.iter().flatten().map(|c| c.name.as_str()));
    assert_eq!(names.collect::<Vec<_>>(), ["a", "b", "d", "agent"]);
}

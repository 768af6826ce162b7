//! The objects that are workloads, and their containers.

use flux_core::{
    Code, Position,
    edit::EditError,
    manifest::ContainerRole,
    workload::{Class, parse},
};

use super::{containers, images, problems};

fn deployment(pod: &str) -> String {
    let pod: String = pod.lines().map(|line| format!("      {line}\n")).collect();
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: shop}}\nspec:\n  template:\n    spec:\n{pod}"
    )
}

#[test]
fn the_kinds_that_are_workloads_are_these() {
    let pod = "{template: {spec: {containers: [{name: c, image: a:1}]}}}";
    let table = [
        ("apps/v1", "Deployment", true),
        ("apps/v1beta1", "Deployment", true),
        ("extensions/v1beta1", "Deployment", true),
        ("apps/v1", "DaemonSet", true),
        ("apps/v1", "StatefulSet", true),
        ("apps/v1", "ReplicaSet", true),
        ("batch/v1", "Job", true),
        ("argoproj.io/v1alpha1", "Rollout", true),
        ("serving.knative.dev/v1", "Service", true),
        ("v1", "Service", false),
        ("example.com/v1", "Deployment", false),
        ("v1", "Deployment", false),
        ("v1", "ReplicationController", false),
    ];
    for (api_version, kind, is_workload) in table {
        let source =
            format!("{{apiVersion: {api_version}, kind: {kind}, metadata: {{name: a}}, spec: {pod}}}");
        let file = parse(source.as_bytes());
        assert_eq!(file.resources[0].workload.is_some(), is_workload, "{api_version} {kind}");
    }
    for api_version in ["batch/v1", "batch/v1beta1"] {
        let source = format!(
            "{{apiVersion: {api_version}, kind: CronJob, metadata: {{name: a}}, spec: {{jobTemplate: {{spec: {pod}}}}}}}"
        );
        assert_eq!(images(&containers(&source)), [("c".to_owned(), "a:1".to_owned())]);
    }
}

#[test]
fn containers_come_first_then_init_then_ephemeral_ones() {
    let found = containers(&deployment(
        "initContainers: [{name: i, image: i:1}]\nephemeralContainers: [{name: e, image: e:1}]\ncontainers: [{name: c, image: c:1}, {name: d, image: d:1}]",
    ));
    let roles: Vec<_> = found.iter().map(|c| (c.name.as_str(), c.role)).collect();
    assert_eq!(
        roles,
        [
            ("c", ContainerRole::Main),
            ("d", ContainerRole::Main),
            ("i", ContainerRole::Init),
            ("e", ContainerRole::Ephemeral)
        ]
    );
}

#[test]
fn a_container_knows_where_its_image_stands() {
    let source = deployment("containers:\n- name: web\n  image: \"a:1\" # here");
    let web = &containers(&source)[0];
    assert_eq!(web.position, Position { line: 9, column: 16 });
    assert_eq!(web.sites[0].source, "\"a:1\"");
    assert_eq!(&source[web.sites[0].start..web.sites[0].end], "\"a:1\"");
    assert_eq!(web.sites[0].pointer, "/spec/template/spec/containers/0/image");
}

#[test]
fn an_invalid_image_is_reported_and_its_neighbours_are_read() {
    let source = deployment(
        "containers:\n- {name: a, image: 'a b'}\n- {name: b}\n- {name: c, image: c:1}\n- {name: d, image: [x]}\n- {name: e, image: '{{ .x }}'}",
    );
    let file = parse(source.as_bytes());
    assert_eq!(
        problems(&file),
        [
            (Code::InvalidImage, 8, 26),
            (Code::InvalidImage, 9, 9),
            (Code::InvalidImage, 11, 26),
            (Code::Template, 12, 26)
        ]
    );
    assert!(file.problems.iter().all(|p| p.subject.as_deref() == Some("shop:deployment/web")));
    let found = images(file.resources[0].workload.as_ref().unwrap());
    let found: Vec<_> = found.iter().map(|(_, image)| image.as_str()).collect();
    assert_eq!(found, ["!a b", "!", "c:1", "!", "!{{ .x }}"]);
}

#[test]
fn a_workload_of_wrong_shape_is_reported_and_still_an_object() {
    let table = [
        "containers: {}",
        "containers: text",
        "containers: [text]",
        "containers: [{image: a:1}]",
        "containers: [{name: 3, image: a:1}]",
        "containers:",
        "containers: [[]]",
        "initContainers: 3\ncontainers: []",
    ];
    for pod in table {
        let file = parse(deployment(pod).as_bytes());
        let codes: Vec<_> = file.problems.iter().map(|p| p.code).collect();
        assert_eq!(codes, [Code::InvalidWorkload], "{pod}");
        assert_eq!(file.resources[0].workload.as_deref(), Some(&[][..]), "{pod}");
    }
    for spec in ["", "spec:", "spec: 3", "spec: {template: []}", "spec: {template: {spec: x}}"] {
        let file = parse(
            format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\n{spec}\n").as_bytes(),
        );
        assert_eq!(problems(&file), [(Code::InvalidWorkload, 1, 1)], "{spec}");
    }
}

#[test]
fn an_image_or_name_that_is_no_text_to_yaml_is_reported_with_its_type() {
    let table = [
        ("123", "`123` is no image: it is the number 123 to YAML, not a text"),
        ("1e3", "`1e3` is no image: it is the number 1000 to YAML, not a text"),
        ("0123", "`0123` is no image: it is the number 83 to YAML, not a text"),
        ("yes", "`yes` is no image: it is the truth value true to YAML, not a text"),
        ("~", "`~` is no image: it is null to YAML, not a text"),
        ("null", "`null` is no image: it is null to YAML, not a text"),
        ("!!int '7'", "`7` is no image: it is the number 7 to YAML, not a text"),
        ("{a: b}", "it is a mapping to YAML, not a text"),
        ("[a]", "it is a list to YAML, not a text"),
    ];
    for (image, message) in table {
        let file = parse(deployment(&format!("containers: [{{name: a, image: {image}}}]")).as_bytes());
        let [problem] = file.problems.as_slice() else { panic!("{image}: {:?}", file.problems) };
        assert_eq!(
            (problem.code, problem.evidence.as_str()),
            (Code::InvalidImage, &*format!("container a: {message}"))
        );
        let quotes = message.contains("the number") || message.contains("the truth");
        assert_eq!(problem.remedy == "put it between quotes", quotes, "{image}: {}", problem.remedy);
        let container = &file.resources[0].workload.as_ref().unwrap()[0];
        assert_eq!(problem.position, container.position);
        assert!(container.image.is_err() && container.edits(&"a:1".parse().unwrap()).is_err(), "{image}");
    }
    for image in ["\"123\"", "'yes'", "!!str 1e3", "! 7", "a:1.20"] {
        let file = parse(deployment(&format!("containers: [{{name: a, image: {image}}}]")).as_bytes());
        assert_eq!(file.problems, [], "{image}");
    }
    let text = deployment("containers: [{name: y, image: a:1}, {name: b, image: b:1}]");
    let file = parse(text.as_bytes());
    let [problem] = file.problems.as_slice() else { panic!("{:?}", file.problems) };
    let message = "the name `y` of an item of `containers` is the truth value true to YAML, not a text";
    assert_eq!((problem.code, problem.evidence.as_str()), (Code::InvalidWorkload, message));
    assert_eq!(problem.remedy, "put it between quotes");
    let line = text.lines().nth(problem.position.line as usize - 1).unwrap();
    assert!(line[problem.position.column as usize - 1..].starts_with("y,"), "{line}");
    assert_eq!(file.resources[0].workload.as_ref().unwrap().len(), 1);
}

#[test]
fn what_is_not_rolled_out_is_listed_and_never_edited() {
    let pod = "{containers: [{name: c, image: a:1}], ephemeralContainers: [{name: e, image: e:1}]}";
    let table = [
        ("apps/v1", "ReplicaSet", format!("{{template: {{spec: {pod}}}}}")),
        ("batch/v1", "Job", format!("{{template: {{spec: {pod}}}}}")),
        ("v1", "Pod", pod.to_owned()),
    ];
    for (api_version, kind, spec) in table {
        let source =
            format!("{{apiVersion: {api_version}, kind: {kind}, metadata: {{name: a}}, spec: {spec}}}");
        let file = parse(source.as_bytes());
        assert!(
            matches!(file.resources[0].class(), Some(Class::ReadOnly(why)) if why.contains(kind)),
            "{kind}"
        );
        let found = containers(&source);
        assert_eq!(images(&found), [("c".to_owned(), "a:1".to_owned()), ("e".to_owned(), "e:1".to_owned())]);
        let error = found[0].edits(&"a:2".parse().unwrap()).unwrap_err();
        assert!(matches!(&error, EditError::Unsupported(why) if why.contains(kind)), "{error}");
    }
    assert_eq!(parse(deployment("containers: []").as_bytes()).resources[0].class(), Some(Class::BuiltIn));
}

#[test]
fn a_rollout_may_leave_its_pods_to_a_deployment() {
    let source = "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: a}, spec: {workloadRef: {name: b}}}";
    let file = parse(source.as_bytes());
    assert_eq!((file.resources[0].workload.as_ref(), file.problems.len()), (None, 0));
}

#[test]
fn knative_names_a_container_that_has_no_name() {
    let source = "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: a}, spec: {template: {spec: {containers: [{image: a:1}]}}}}";
    assert_eq!(images(&containers(source)), [("user-container".to_owned(), "a:1".to_owned())]);
}

use std::{collections::BTreeSet, sync::Arc};

use super::*;
use crate::{
    api_version::group_of,
    manifest::{Scope, scope_of},
    schema::{
        lists::{Schema, Shape},
        path::{Elem, FieldPath},
        types::Items,
    },
    workload::parse,
};

const TABLE: &str = include_str!("../schema/kubernetes.txt");

/// Returns `code line:column evidence` for each finding about files.
fn check_files(files: &[(&str, &str)]) -> Vec<String> {
    let parsed =
        files.iter().map(|(path, text)| (path.parse().unwrap(), Arc::new(parse(text.as_bytes())))).collect();
    let manifests = Manifests::new(parsed);
    let texts = files.iter().map(|(path, text)| (path.parse().unwrap(), (*text).to_owned())).collect();
    let mut findings = ObjectChecks::of(&Trees::of(&manifests, manifests.resources())).findings(&texts);
    findings.sort_by(|a, b| a.place.cmp(&b.place));
    findings
        .into_iter()
        .map(|Finding { code, place, evidence, .. }| format!("{code} {} {evidence}", place.unwrap().position))
        .collect()
}

fn check(text: &str) -> Vec<String> {
    check_files(&[("all.yaml", text)])
}

/// Returns a Deployment with these lines in its only container, which start on line 10.
fn container(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("        {line}\n")).collect();
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{a: b}}}}\n  template:\n    metadata: {{labels: {{a: b}}}}\n    spec:\n      containers:\n      - name: web\n        image: example/web:1\n{lines}"
    )
}

#[test]
fn a_container_with_a_mistake_is_reported_at_its_very_scalar() {
    let table: &[(&str, &[&str])] = &[
        ("tty: true\nargs: ['1']", &[]),
        (
            "env:\n- {name: A, value: 1}",
            &[
                "invalid-field 13:28 `spec.template.spec.containers[0].env[0].value` is the number 1 to YAML, and a text is needed",
            ],
        ),
        (
            "env:\n- {name: A, value: '1'}\n- {name: A, value: '2'}",
            &[
                "duplicate-item 14:11 `spec.template.spec.containers[0].env` has name A twice, as items 0 and 1; server-side apply refuses that",
            ],
        ),
        (
            "ports:\n- {containerPort: 80}\n- {containerPort: 80, protocol: TCP}",
            &[
                "duplicate-item 14:11 `spec.template.spec.containers[0].ports` has containerPort 80, protocol TCP twice, as items 0 and 1; server-side apply refuses that",
            ],
        ),
        ("ports:\n- {containerPort: 53}\n- {containerPort: 53, protocol: UDP}", &[]),
        (
            "ports:\n- {name: a, containerPort: 0}\n- {name: a, containerPort: 70000}",
            &[
                "invalid-field 13:36 `spec.template.spec.containers[0].ports[0].containerPort` is 0, and ports are from 1 to 65535",
                "duplicate-item 14:18 `spec.template.spec.containers[0].ports[1].name` is `a`, as that of another port is",
                "invalid-field 14:36 `spec.template.spec.containers[0].ports[1].containerPort` is 70000, and ports are from 1 to 65535",
            ],
        ),
        (
            "tty: 'yes'\nresources: {limits: {cpu: 1x, memory: 1Gi}, requests: {memory: 2000Mi}}",
            &[
                "invalid-field 12:14 `spec.template.spec.containers[0].tty` is the text `yes` to YAML, and `true` or `false`, without quotes, is needed",
                "invalid-field 13:35 `spec.template.spec.containers[0].resources.limits.cpu` is the text `1x` to YAML, and a quantity such as 500m or 1.5Gi is needed",
                "invalid-field 13:72 `spec.template.spec.containers[0].resources.requests.memory` is more than the limit of memory",
            ],
        ),
        ("resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 1000m, memory: 1024Mi}}", &[]),
        (
            "volumeMounts: [{name: data, mountPath: /x}]",
            &[
                "invalid-field 12:31 `spec.template.spec.containers[0].volumeMounts[0].name`: the pod has no volume `data`",
            ],
        ),
        (
            "imagePullPolicy: always\nimagePolicy: x",
            &[
                "invalid-field 12:26 `spec.template.spec.containers[0].imagePullPolicy` is `always`, which is none of its values",
                "invalid-field 13:9 `spec.template.spec.containers[0]` has no field `imagePolicy` in this version of its kind",
            ],
        ),
        (
            "env:\n- {name: 'A=B', value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}",
            &[
                "invalid-field 13:18 `spec.template.spec.containers[0].env[0].name` is `A=B`: a variable takes printable characters of ASCII other than `=`",
                "invalid-field 13:35 `spec.template.spec.containers[0].env[0]` has both `value` and `valueFrom`",
            ],
        ),
        (
            "livenessProbe: {periodSeconds: -1}\nreadinessProbe: {httpGet: {port: '80'}}",
            &[
                "invalid-field 12:24 `spec.template.spec.containers[0].livenessProbe` has none of exec, httpGet, tcpSocket, grpc",
                "invalid-field 13:42 `spec.template.spec.containers[0].readinessProbe.httpGet.port` is `80`, which names no port: it needs a letter",
            ],
        ),
        // Another tool fills it in.
        ("tty: ${TTY}\nimagePullPolicy: $(POLICY)\nresources: {limits: {cpu: '{{ cpu }}'}}", &[]),
    ];
    for (lines, expected) in table {
        let found = check(&container(lines));
        let found: Vec<&String> = found.iter().filter(|found| !found.contains("periodSeconds")).collect();
        assert_eq!(found, *expected, "{lines}");
    }
}

/// Checks an object of one line; the findings are without their positions.
#[track_caller]
fn assert_found(object: &str, expected: &[&str]) {
    let found = check(object);
    let without: Vec<String> = found
        .iter()
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            format!("{} {}", words.next().unwrap(), words.nth(1).unwrap())
        })
        .collect();
    assert_eq!(without, expected, "{object}");
}

#[test]
fn names_labels_and_annotations_have_bounds() {
    let config_map = |metadata: &str| format!("{{apiVersion: v1, kind: ConfigMap, metadata: {metadata}}}");
    let long = "a".repeat(64);
    assert_found(&config_map(&format!("{{name: {long}.x}}")), &[]);
    assert_found(
        &config_map("{name: Web}"),
        &[
            "invalid-metadata the name `Web` is not possible: it takes lower-case letters, digits, `-` and `.`",
        ],
    );
    assert_found(
        "{apiVersion: v1, kind: Service, metadata: {name: a.b}, spec: {ports: [{port: 80}]}}",
        &["invalid-metadata the name `a.b` is not possible: it takes lower-case letters, digits and `-`"],
    );
    assert_found("{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: 'A:b c'}}", &[]);
    assert_found(
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: a/b}}",
        &["invalid-metadata the name `a/b` is not possible: it cannot have `/` or `%`"],
    );
    assert_found(
        &config_map("{name: a, namespace: a.b, labels: {a b: c, d: e f, g: '', x/y/z: a}}"),
        &[
            "invalid-metadata the namespace `a.b` is not possible: it takes lower-case letters, digits and `-`",
            "invalid-metadata `metadata.labels` has the key `a b`: it takes letters, digits, `-`, `_` and `.`",
            "invalid-metadata `metadata.labels.d` is `e f`: it takes letters, digits, `-`, `_` and `.`",
            "invalid-metadata `metadata.labels` has the key `x/y/z`: it has more than one `/`",
        ],
    );
    assert_found(
        &config_map(&format!("{{name: a, labels: {{a: {long}}}, annotations: {{A.b/c: any text, d e: f}}}}")),
        &[
            &format!("invalid-metadata `metadata.labels.a` is `{long}`: it has more than 63 characters"),
            "invalid-metadata `metadata.annotations` has the key `d e`: it takes letters, digits, `-`, `_` and `.`",
        ],
    );
    let large = "x".repeat(262_144);
    assert_found(
        &config_map(&format!("{{name: a, annotations: {{a: {large}}}}}")),
        &["invalid-metadata `metadata.annotations` has 262145 bytes in all; 262144 are possible"],
    );
    // Of a kind that nobody describes, the metadata is known all the same.
    assert_found(
        "{apiVersion: example.com/v1, kind: Any, metadata: {name: 'any:NAME', labels: {a: 1}, nmae: x}, spec: {x: 1}}",
        &[
            "invalid-field `metadata.labels.a` is the number 1 to YAML, and a text is needed",
            "invalid-field `metadata` has no field `nmae` in this version of its kind",
        ],
    );
}

#[test]
fn other_kinds_have_rules_of_their_own() {
    let pods = |kind: &str, spec: &str| {
        format!("{{apiVersion: apps/v1, kind: {kind}, metadata: {{name: a}}, spec: {spec}}}")
    };
    assert_found(
        &pods(
            "StatefulSet",
            "{selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: c}}, spec: {restartPolicy: Never, containers: [{name: A, image: x, volumeMounts: [{name: data, mountPath: /d}]}]}}, volumeClaimTemplates: [{metadata: {name: data}, spec: {}}]}",
        ),
        &[
            "invalid-field `spec.selector.matchLabels.a` is `b`, and the template has no such label",
            "invalid-field `spec.template.spec.restartPolicy` is Never, and pods of this kind take Always",
            "invalid-field `spec.template.spec.containers[0].name` is `A`: it takes lower-case letters, digits and `-`",
        ],
    );
    assert_found(
        &pods("Deployment", "{template: {}}"),
        &["invalid-field `spec` has no `selector`, which is required"],
    );
    assert_found(
        "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {template: {spec: {containers: [{name: a, image: x}, {name: a}], initContainers: [{name: a, image: x}]}}}}",
        &[
            "invalid-field `spec.template.spec` has no `restartPolicy`, and its default is Always",
            "invalid-field `spec.template.spec.containers[1]` has no `image`",
            "duplicate-item `spec.template.spec.containers` has name a twice, as items 0 and 1; server-side apply refuses that",
            "duplicate-item `spec.template.spec.initContainers[0]` has the name `a`, as one of the containers has",
        ],
    );
    assert_found(
        "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}, {port: 81, name: a, targetPort: a_b}]}}",
        &[
            "invalid-field `spec.ports[0]` has no `name`, and a Service with several ports names them",
            "invalid-field `spec.ports[1].targetPort` is `a_b`, which names no port: it takes lower-case letters, digits and `-`",
        ],
    );
    assert_found(
        "{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {schedule: '* * * *', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: x}]}}}}}}",
        &["invalid-field `spec.schedule` is `* * * *`, which has 4 fields"],
    );
    assert_found(
        "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: a}, spec: {minAvailable: '1', maxUnavailable: 1}}",
        &[
            "invalid-field `spec.minAvailable` is \"1\", and a number from 0 on or a share as 25% is needed",
            "invalid-field `spec` has both `minAvailable` and `maxUnavailable`",
        ],
    );
}

#[test]
fn the_values_of_secrets_are_not_shown() {
    assert_found(
        "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {a: s3cret!, b: 1234}, stringData: {c: 5678}}",
        &[
            "invalid-field `data.a` is a text to YAML, and a text of base64 is needed",
            "invalid-field `data.b` is a number to YAML, and a text of base64 is needed",
            "invalid-field `stringData.c` is a number to YAML, and a text is needed",
        ],
    );
    assert_found(
        "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {a: 'c2Vj\n cmV0', b: ''}, stringData: {c: d}}",
        &[],
    );
}

#[test]
fn what_only_the_server_writes_is_not_sent_and_not_looked_at() {
    assert_found(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, uid: 1, managedFields: x, creationTimestamp: null, labels: null}, status: 1}",
        &[],
    );
    assert_found("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: 1}, sops: {mac: x}}", &[]);
}

const DEFINITION: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Thing, plural: things}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [size, colour]
            properties:
              size: {type: integer}
              colour: {type: string, enum: [red], default: red}
              port: {x-kubernetes-int-or-string: true}
              open: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {a: {type: string}}}
              any: {type: object}
              many: {type: array, items: {type: object, properties: {name: {type: string}}}, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [name]}
---
"#;

#[test]
fn kinds_that_are_defined_in_git_are_held_against_their_schema() {
    let thing = |spec: &str| {
        format!(
            "{DEFINITION}{{apiVersion: example.com/v1, kind: Thing, metadata: {{name: a}}, spec: {spec}}}"
        )
    };
    assert_found(
        &thing("{size: 1, port: http, open: {b: 1}, any: {x: 1}, many: [{name: a}, {name: b}]}"),
        &[],
    );
    assert_found(
        &thing("{size: '1', colour: blue, port: 1.5, open: {a: 1}, many: [{name: a}, {name: a}], more: 1}"),
        &[
            "invalid-field `spec.size` is the text `1` to YAML, and a whole number is needed",
            "invalid-field `spec.colour` is `blue`, which is none of its values",
            "invalid-field `spec.port` is the number 1.5 to YAML, and a whole number or a text is needed",
            "invalid-field `spec.open.a` is the number 1 to YAML, and a text is needed",
            "duplicate-item `spec.many` has name a twice, as items 0 and 1; server-side apply refuses that",
            "invalid-field `spec` has no field `more` in this version of its kind",
        ],
    );
    assert_found(
        &thing("{size: null, colour: null, any: null}"),
        &[
            "invalid-field `spec.size` is null, which its definition does not allow",
            "invalid-field `spec.any` is null, which its definition does not allow",
        ],
    );
    assert_found(&thing("{}"), &["invalid-field `spec` has no `size`, which is required"]);
    assert_found(
        &format!("{DEFINITION}{{apiVersion: example.com/v1, kind: Thing, metadata: {{name: A}}}}"),
        &[
            "invalid-field the object has no `spec`, which is required",
            "invalid-metadata the name `A` is not possible: it takes lower-case letters, digits, `-` and `.`",
        ],
    );
}

#[test]
fn an_anchor_that_is_used_is_the_place_of_what_it_holds() {
    let text = container("env: &env\n- {name: A, value: 1}\nenvFrom: *env");
    let found = check(&text);
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found.iter().any(|line| line.starts_with("invalid-field 13:28 ")), "{found:#?}");
}

#[test]
fn of_what_a_kustomization_changes_only_what_no_patch_mends_is_told() {
    let web =
        container("env: [{name: A, value: 1}]\nimagePolicy: x").replace("image: example/web:1", "tty: x");
    let files = |kustomization| check_files(&[("kustomization.yaml", kustomization), ("web.yaml", &web)]);
    let found = files("resources: [web.yaml]\nimages: [{name: a, newTag: '1'}]\n");
    assert_eq!(found.len(), 4, "{found:#?}");
    let found = files("resources: [web.yaml]\nnamePrefix: a-\n");
    assert_eq!(
        found,
        [
            "invalid-field 12:32 `spec.template.spec.containers[0].env[0].value` is the number 1 to YAML, and a text is needed",
            "invalid-field 13:9 `spec.template.spec.containers[0]` has no field `imagePolicy` in this version of its kind",
        ]
    );
}

#[test]
fn the_scopes_of_kinds_are_those_of_the_table() {
    for (kind, of) in &builtin().kinds {
        let (api_version, kind) = kind.split_once(' ').unwrap();
        let scope = if of.is_namespaced { Scope::Namespaced } else { Scope::Cluster };
        assert_eq!(scope_of(api_version, kind), Some(scope), "{api_version} {kind}");
    }
}

/// The lists of which the table says otherwise than the code by hand, which tells them apart by two
/// names alone: other lists have these names, and are one value.
const LISTS_BY_TABLE: [&str; 6] = [
    r#"admissionregistration.v1.ValidatingAdmissionPolicySpec variables: atomic, map ["name"]"#,
    r#"apiextensions.v1.JSONSchemaProps x-kubernetes-validations: atomic, map ["rule"]"#,
    "flowcontrol.v1.ResourcePolicyRule apiGroups: atomic, set",
    "flowcontrol.v1.ResourcePolicyRule namespaces: atomic, set",
    "flowcontrol.v1.ResourcePolicyRule resources: atomic, set",
    "flowcontrol.v1.ResourcePolicyRule verbs: atomic, set",
];

#[test]
fn lists_merge_as_the_table_says() {
    let mut differing = BTreeSet::new();
    for (kind, of) in &builtin().kinds {
        let (api_version, _) = kind.split_once(' ').unwrap();
        let schema = Schema::of_group(group_of(api_version));
        compare_lists(schema, &of.of, &FieldPath::default(), &mut Vec::new(), &mut differing);
    }
    let differing: Vec<&str> = differing.iter().map(String::as_str).collect();
    assert_eq!(differing, LISTS_BY_TABLE);
}

fn compare_lists(
    schema: Schema,
    of: &Type<'_>,
    path: &FieldPath,
    within: &mut Vec<usize>,
    differing: &mut BTreeSet<String>,
) {
    match of {
        Type::Object(index) if !within.contains(index) => {
            let object = builtin().object(*index).unwrap();
            let is_atomic = TABLE.contains(&format!("\ntype {}@atomic\n", object.name));
            if schema.is_atomic_object(path) && !is_atomic {
                differing.insert(format!("{} {path}: atomic, granular", object.name));
            }
            within.push(*index);
            for (name, field) in &builtin().object(*index).unwrap().fields {
                let path = path.join(Elem::Field((*name).to_owned()));
                compare_lists(schema, &field.of, &path, within, differing);
            }
            within.pop();
        }
        Type::List(of, items) => {
            let is = match schema.list(path) {
                Shape::Map(keys) => format!("map {keys:?}"),
                Shape::Set => "set".to_owned(),
                Shape::Atomic => "atomic".to_owned(),
            };
            let table = match items {
                Items::Map(keys) => format!("map {keys:?}"),
                Items::Set => "set".to_owned(),
                Items::Atomic => "atomic".to_owned(),
            };
            if is != table {
                let holder = within.last().and_then(|index| builtin().object(*index)).unwrap().name;
                let field = path.0.iter().rev().find_map(|elem| match elem {
                    Elem::Field(name) => Some(name.as_str()),
                    _ => None,
                });
                differing.insert(format!("{holder} {}: {is}, {table}", field.unwrap()));
            }
            compare_lists(schema, of, &path.join(Elem::Index(0)), within, differing);
        }
        _ => {}
    }
}

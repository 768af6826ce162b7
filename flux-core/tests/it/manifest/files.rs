//! All manifests of a revision together.

use std::{collections::BTreeMap, sync::Arc};

use flux_core::{
    Code,
    manifest::{Scope, WorkloadId, manifest_paths},
    manifest_set::Manifests,
    workload::parse,
};

fn manifests(files: &[(&str, &str)]) -> Manifests {
    let parsed = |(path, text): &(&str, &str)| (path.parse().unwrap(), Arc::new(parse(text.as_bytes())));
    Manifests::new(files.iter().map(parsed).collect::<BTreeMap<_, _>>())
}

fn ids(manifests: &Manifests) -> Vec<String> {
    manifests.resources().map(|at| format!("{} {}", at.place(), at.id)).collect()
}

const WEB: &str = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: [{name: c, image: a:1}]}}}}\n";

#[test]
fn namespaces_are_those_of_the_kinds() {
    let all = manifests(&[
        ("b.yaml", "{apiVersion: v1, kind: Namespace, metadata: {name: shop, namespace: nonsense}}\n"),
        (
            "a.yaml",
            &format!(
                "{WEB}---\n{{apiVersion: x.io/v1, kind: Thing, metadata: {{name: t, namespace: ns}}}}\n---\n{{apiVersion: y.io/v1, kind: Odd, metadata: {{name: o}}}}\n"
            ),
        ),
        (
            "crd.yaml",
            "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: things.x.io}, spec: {group: x.io, scope: Cluster, names: {kind: Thing}}}\n",
        ),
    ]);
    assert_eq!(
        ids(&all),
        [
            "a.yaml:1:1 default:deployment/web",
            "a.yaml:3:1 <cluster>:thing/t",
            "a.yaml:5:1 <cluster>:odd/o",
            "b.yaml:1:1 <cluster>:namespace/shop",
            "crd.yaml:1:1 <cluster>:customresourcedefinition/things.x.io",
        ]
    );
    assert_eq!(all.scope_of("x.io/v1", "Thing"), Some(Scope::Cluster));
    assert_eq!(all.scope_of("y.io/v1", "Odd"), None);
    assert_eq!(all.defined_kinds().len(), 1);
}

#[test]
fn workloads_are_found_by_the_text_of_their_ids() {
    let all =
        manifests(&[("a.yaml", WEB), ("b.yaml", "{apiVersion: v1, kind: Service, metadata: {name: web}}")]);
    assert_eq!(all.workloads().count(), 1);
    let web = all.workload(&"default:deployment/web".parse().unwrap()).unwrap();
    assert_eq!(
        (web.path.as_str(), web.index, web.workload_id().to_string().as_str()),
        ("a.yaml", 0, "default:deployment/web")
    );
    assert!(all.workload(&"default:service/web".parse().unwrap()).is_none());
}

#[test]
fn of_objects_described_twice_no_copy_is_used_and_all_places_are_named() {
    let twice = WEB.replace("name: web", "name: web, namespace: default");
    let all = manifests(&[("a.yaml", WEB), ("b/c.yaml", &format!("# c\n{twice}")), ("d.yaml", "kind: [\n")]);
    assert_eq!(ids(&all), Vec::<String>::new());
    let findings = all.findings();
    let codes: Vec<_> = findings.iter().map(|f| f.code).collect();
    assert_eq!(codes, [Code::DuplicateId, Code::InvalidYaml]);
    assert_eq!(findings[0].subject, "default:deployment/web");
    assert_eq!(findings[0].place.as_ref().unwrap().to_string(), "b/c.yaml:2:1");
    assert!(findings[0].evidence.contains("a.yaml:1:1"), "{}", findings[0]);
}

#[test]
fn manifests_are_recognised_by_their_names() {
    let all = [
        "a.yaml",
        "README.md",
        "deep/b.yml",
        "deep/c.json",
        "deep/d.yaml.bak",
        ".flux.yaml",
        ".sops.yaml",
        ".yaml",
        ".github/workflows/ci.yaml",
        "over/kustomization.yaml",
        "chart/Chart.yaml",
        "chart/values.yaml",
        "chart/templates/web.yaml",
        "chart2/Chart.yaml",
        "chart2/x.yaml",
        "charts/x.yaml",
        "values.yaml",
    ];
    assert_eq!(
        manifest_paths(all.into_iter()),
        [
            "a.yaml",
            "deep/b.yml",
            "deep/c.json",
            "over/kustomization.yaml",
            "chart2/Chart.yaml",
            "chart2/x.yaml",
            "charts/x.yaml",
            "values.yaml"
        ]
    );
    assert_eq!(manifest_paths(["Chart.yaml", "values.yaml", "a/b.yaml"].into_iter()), Vec::<&str>::new());
}

#[test]
fn ids_have_the_group_where_two_workloads_differ_in_nothing_else() {
    let release = |group: &str, name: &str| {
        format!(
            "apiVersion: {group}/v1\nkind: HelmRelease\nmetadata: {{name: {name}}}\nspec: {{values: {{image: x:1}}}}\n"
        )
    };
    let (old, new) = ("helm.fluxcd.io", "helm.toolkit.fluxcd.io");
    let (a, b, c) = (release(old, "web"), release(new, "web"), release(new, "db"));
    let all = manifests(&[("a.yaml", &a), ("b.yaml", &b), ("c.yaml", &c)]);
    assert_eq!(all.findings(), []);
    let ids: Vec<String> = all.workloads().map(|at| at.workload_id().to_string()).collect();
    let (of_old, of_new) =
        (format!("default:helmrelease.{old}/web"), format!("default:helmrelease.{new}/web"));
    assert_eq!(ids, [of_old.as_str(), &of_new, "default:helmrelease/db"]);
    for (id, path) in [(of_old, "a.yaml"), (of_new, "b.yaml")] {
        let id: WorkloadId = id.parse().unwrap();
        let found = all.workload(&id).unwrap();
        assert_eq!(
            (found.path.as_str(), id.kind(), found.resource.is(&id, "default")),
            (path, "helmrelease", true)
        );
    }
    assert!(all.workload(&"default:helmrelease/web".parse().unwrap()).is_none(), "it could be either");
}

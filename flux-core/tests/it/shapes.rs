//! Releases of workloads of every shape.

use std::{collections::BTreeMap, sync::Arc};

use flux_core::{
    Code,
    backend::{Completeness, Revision},
    edit::prove,
    image::{ImageInfo, ImageName},
    manifest_set::Manifests,
    release::{
        ClusterFacts, ImageFacts, ImageTarget, Reason, ReleasePlan, RepositoryFacts, Request, Selection,
        Snapshot, plan,
    },
    workload::parse,
};

const POLICY: &str = "apiVersion: fluxcd.io/v1alpha1\nkind: FluxPolicy\nmetadata: {name: p}\nspec:\n  rules: [{policy: {versionLabels: true}}]\n  workloads: [{group: example.com, kind: App, images: [{name: c, image: spec.image}]}]\n";

fn object(api_version: &str, kind: &str, name: &str, image: &str) -> String {
    format!(
        "apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}, labels: {{version: '1'}}}}\nspec: {{template: {{spec: {{containers: [{{name: c, image: '{image}'}}]}}}}}}\n"
    )
}

/// Releases `x:2` to all, on a cluster that runs the built-in kinds among the files.
fn release(files: &[(&str, &str)]) -> (ReleasePlan, BTreeMap<String, String>) {
    let parsed = files.iter().map(|(path, text)| (path.parse().unwrap(), Arc::new(parse(text.as_bytes()))));
    let manifests = Arc::new(Manifests::new(parsed.collect()));
    assert_eq!(manifests.findings(), []);
    let name: ImageName = "x".parse().unwrap();
    let known = RepositoryFacts {
        tags: ["1", "2"].map(|tag| tag.parse().unwrap()).into(),
        completeness: Completeness::Complete,
        images: ["1", "2"].map(|tag| (tag.parse().unwrap(), Ok(ImageInfo::default()))).into(),
        dates: flux_core::image::DatePreference::default(),
    };
    let runs = manifests.workloads().map(|w| w.workload_id()).filter(|id| id.kind() == "deployment");
    let cluster = ClusterFacts { workloads: runs.collect(), complete: true };
    let sources = files.iter().map(|(path, text)| (path.parse().unwrap(), (*text).to_owned().into()));
    let snapshot = Snapshot {
        images: ImageFacts { repositories: [(name.canonical(), Ok(known))].into() },
        cluster: Some(cluster),
        sources: sources.collect(),
        ..Snapshot::new(Revision::new("0123456789"), manifests)
    };
    let request = Request::image(Selection::All, ImageTarget::Image("x:2".parse().unwrap()));
    let plan = plan(&snapshot, &request, "2016-11-18T16:35:00Z".parse().unwrap());
    let edited = plan.edits_by_path().into_iter().map(|(path, edits)| {
        let source = files.iter().find(|(p, _)| path == p).unwrap().1;
        let edited = prove(source.as_bytes(), &edits, &plan.intents[path]).unwrap();
        (path.to_string(), String::from_utf8(edited).unwrap())
    });
    let edited = edited.collect();
    (plan, edited)
}

fn reason(plan: &ReleasePlan, id: &str) -> Reason {
    plan.workloads[&id.parse().unwrap()].reason
}

#[test]
fn custom_kinds_are_released_whether_or_not_the_cluster_tells_of_them() {
    let rollout = object("argoproj.io/v1alpha1", "Rollout", "r", "x:1");
    let app = "apiVersion: example.com/v1\nkind: App\nmetadata: {name: a}\nspec: {image: 'x:1'}\n";
    let helm = "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: {name: h}\nspec: {values: {image: 'x:1'}}\n";
    let policy = POLICY.replace("versionLabels: true", "automated: true");
    let (plan, edited) =
        release(&[("a.yaml", app), ("h.yaml", helm), ("p.yaml", &policy), ("r.yaml", &rollout)]);
    for (path, text) in [("a.yaml", app), ("h.yaml", helm), ("r.yaml", &rollout)] {
        assert_eq!(edited[path], text.replace("x:1", "x:2"), "{path}");
    }
    assert_eq!(reason(&plan, "default:app/a"), Reason::RequestedImage);
}

#[test]
fn read_only_kinds_are_skipped_with_the_reason() {
    let job = object("batch/v1", "Job", "j", "x:1");
    let (plan, edited) = release(&[("j.yaml", &job)]);
    assert!(edited.is_empty());
    let verdict = &plan.workloads[&"default:job/j".parse().unwrap()];
    assert_eq!((verdict.reason, verdict.message.contains("Job")), (Reason::ReadOnly, true));
    assert_eq!(plan.failures().count(), 0);
}

#[test]
fn what_workloads_share_is_one_edit_in_one_plan() {
    let (one, two) =
        (object("apps/v1", "Deployment", "one", "x"), object("apps/v1", "Deployment", "two", "x"));
    let kustomization = "resources: [one.yaml, two.yaml]\nimages: [{name: x, newTag: '1'}]\n";
    let (plan, edited) =
        release(&[("kustomization.yaml", kustomization), ("one.yaml", &one), ("two.yaml", &two)]);
    assert_eq!(
        edited.into_iter().collect::<Vec<_>>(),
        [("kustomization.yaml".to_owned(), kustomization.replace("'1'", "'2'"))]
    );
    assert_eq!(plan.edits.len(), 1);

    let locked = two.replace("labels:", "annotations: {fluxcd.io/locked: 'true'}, labels:");
    let (plan, edited) =
        release(&[("kustomization.yaml", kustomization), ("one.yaml", &one), ("two.yaml", &locked)]);
    assert!(edited.is_empty());
    assert_eq!(reason(&plan, "default:deployment/one"), Reason::NotEditable);
    assert_eq!(reason(&plan, "default:deployment/two"), Reason::Locked);
}

#[test]
fn labels_that_repeat_the_tag_follow_where_a_rule_says_so() {
    let web = object("apps/v1", "Deployment", "web", "x:1");
    let (_, edited) = release(&[("web.yaml", &web)]);
    assert_eq!(edited["web.yaml"], web.replace("x:1", "x:2"));
    let (plan, edited) = release(&[("p.yaml", POLICY), ("web.yaml", &web)]);
    assert_eq!(edited["web.yaml"], web.replace("x:1", "x:2").replace("version: '1'", "version: '2'"));
    assert!(plan.findings.is_empty());

    let anchored = web.replace("version: '1'", "version: &v '1', other: *v");
    let (plan, edited) = release(&[("p.yaml", POLICY), ("web.yaml", &anchored)]);
    assert_eq!(edited["web.yaml"], anchored.replace("x:1", "x:2"));
    let [finding] = &plan.findings[..] else { panic!("{:?}", plan.findings) };
    assert_eq!(
        (finding.code, finding.place.as_ref().unwrap().to_string()),
        (Code::VersionLabelLeft, "web.yaml:3:44".to_owned())
    );
}

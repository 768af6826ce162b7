//! The rules of the planner, one by one; the laws are in `laws`, deletions in `pruning`, options in
//! `options`.

mod kept;
mod laws;
mod options;
mod pruning;

use futures::executor::block_on;
use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::{
    backend::{Cluster, Completeness, Fidelity},
    finding::Place,
    memory::MemoryCluster,
    position::Position,
    sync::{
        CHECKSUM_ANNOTATION, MARK_LABEL, Outcome, SyncReport, SyncSet, check, content_digest,
        fields::Managers, owned,
    },
};

/// Plans, and has the plan checked.
#[track_caller]
fn plan(desired: &Desired, observed: &Observation<Observed>, options: &SyncOptions) -> SyncPlan {
    let plan = super::plan(desired, observed, options);
    assert_eq!(check(&plan, desired, observed, options), [], "{plan}");
    plan
}

fn options() -> SyncOptions {
    SyncOptions::new(SyncSet::new("ours"))
}

fn pruning() -> SyncOptions {
    SyncOptions { prune: true, ..options() }
}

fn desired(objects: &[Value]) -> Desired {
    let place = |line| Place::in_file("all.yaml", Position { line, column: 1 });
    let objects = objects.iter().zip(1..);
    Desired {
        objects: objects
            .map(|(object, line)| DesiredObject { object: object.into(), place: place(line) })
            .collect(),
        ..Desired::default()
    }
}

fn observe(cluster: &MemoryCluster, objects: &[Value]) -> Observation<Observed> {
    block_on(cluster.observe(&desired(objects).scope())).unwrap()
}

fn plan_on(cluster: &MemoryCluster, objects: &[Value], options: &SyncOptions) -> SyncPlan {
    plan(&desired(objects), &observe(cluster, objects), options)
}

fn sync(cluster: &MemoryCluster, objects: &[Value], options: &SyncOptions) -> SyncReport {
    block_on(cluster.apply(&plan_on(cluster, objects, options), &())).unwrap()
}

fn synced(objects: &[Value]) -> MemoryCluster {
    let cluster = MemoryCluster::new();
    sync(&cluster, objects, &options());
    cluster
}

fn object(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
}

fn config_map(name: &str) -> Value {
    object("v1", "ConfigMap", name)
}

fn annotated(mut object: Value, key: &str, value: &str) -> Value {
    object["metadata"]["annotations"][key] = value.into();
    object
}

fn deployment(replicas: i64) -> Value {
    let mut deployment = object("apps/v1", "Deployment", "web");
    deployment["spec"] = json!({"replicas": replicas,
        "template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}});
    deployment
}

fn id_in(cluster: &MemoryCluster, name: &str) -> ResourceId {
    let object = cluster.objects().into_iter().find(|o| o["metadata"]["name"] == name).unwrap();
    object::id_of(&object).unwrap()
}

fn step<'p>(plan: &'p SyncPlan, name: &str) -> &'p Step {
    plan.steps.iter().find(|s| s.id.name() == name).unwrap_or_else(|| panic!("no step for {name}: {plan:?}"))
}

fn sent(plan: &SyncPlan, name: &str) -> Value {
    match &step(plan, name).action {
        Action::Create { object, .. } | Action::Apply { object, .. } => object.value(),
        other => panic!("{name} is not sent but: {other:?}"),
    }
}

fn codes(plan: &SyncPlan) -> Vec<Code> {
    plan.findings.iter().map(|f| f.code).collect()
}

fn fields(plan: &SyncPlan, name: &str) -> Vec<(String, Option<String>)> {
    step(plan, name).fields.iter().map(|f| (f.path.clone(), f.owner.clone())).collect()
}

#[test]
fn ids_are_resolved_by_what_is_known_of_the_kind() {
    let mut role = object("rbac.authorization.k8s.io/v1", "ClusterRole", "reader");
    role["metadata"]["namespace"] = "shop".into();
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Cluster", "names": {"kind": "Widget"}, "versions": [{"name": "v1"}]}});
    let objects = [config_map("settings"), role, object("example.com/v1", "Widget", "w"), definition];
    let plan = plan_on(&MemoryCluster::new(), &objects, &options());
    let ids: Vec<String> = plan.steps.iter().map(|s| s.id.to_string()).collect();
    assert_eq!(
        ids,
        [
            "<cluster>:customresourcedefinition/widgets.example.com",
            "<cluster>:clusterrole/reader",
            "default:configmap/settings",
            "<cluster>:widget/w",
        ],
        "and the definition, which is in git, comes before its object"
    );
    assert_eq!(sent(&plan, "settings")["metadata"]["namespace"], "default");
    assert_eq!(sent(&plan, "reader")["metadata"].get("namespace"), None);
}

#[test]
fn an_unknown_kind_fails_alone_and_says_where() {
    let plan = plan_on(
        &MemoryCluster::new(),
        &[object("example.com/v1", "Widget", "w"), config_map("a")],
        &options(),
    );
    assert_eq!((&step(&plan, "w").action, step(&plan, "w").reason), (&Action::Fail, Reason::UnknownKind));
    assert!(matches!(step(&plan, "a").action, Action::Create { .. }));
    assert_eq!(codes(&plan), [Code::UnknownKind]);
    assert_eq!(plan.findings[0].place.as_ref().unwrap().position.line, 1);
    assert!(plan.findings[0].remedy.contains("CustomResourceDefinition"));
}

#[test]
fn two_documents_of_one_object_both_fail() {
    let mut explicit = config_map("a");
    explicit["metadata"]["namespace"] = "default".into();
    let plan = plan_on(&MemoryCluster::new(), &[explicit, config_map("a"), config_map("b")], &options());
    let reasons: Vec<Reason> = plan.steps.iter().map(|s| s.reason).collect();
    assert_eq!(reasons, [Reason::Duplicate, Reason::Duplicate, Reason::NotInCluster]);
    assert_eq!(codes(&plan), [Code::DuplicateId]);
    assert_eq!(plan.findings[0].evidence, "it is described at all.yaml:1:1 and at all.yaml:2:1");
}

#[test]
fn what_is_encrypted_is_left_alone_and_still_counts_as_wanted() {
    let mut secret = object("v1", "Secret", "s");
    let cluster = synced(&[secret.clone(), config_map("a")]);
    secret["sops"] = json!({"mac": "ENC[…]"});
    let plan = plan_on(&cluster, &[secret, config_map("a")], &pruning());
    assert_eq!((&step(&plan, "s").action, step(&plan, "s").reason), (&Action::Skip, Reason::Encrypted));
}

#[test]
fn what_is_not_an_object_is_a_finding() {
    let plan = plan_on(&MemoryCluster::new(), &[json!({"kind": "ConfigMap"}), config_map("a")], &options());
    assert_eq!(codes(&plan), [Code::NotAnObject]);
    assert_eq!(plan.steps.len(), 1);
}

#[test]
fn what_is_created_carries_mark_and_checksum_and_nothing_of_a_server() {
    let mut copied = config_map("a");
    copied["metadata"]["uid"] = "1".into();
    copied["metadata"]["labels"] = json!({MARK_LABEL: "sha256.stale"});
    copied["status"] = json!({});
    let plan = plan_on(&MemoryCluster::new(), &[copied], &options());
    let object = sent(&plan, "a");
    assert_eq!(owned(&object, &options().sync_set), Owned::Created);
    assert_eq!(object["metadata"]["annotations"][CHECKSUM_ANNOTATION].as_str().unwrap().len(), 64);
    assert_eq!((object["metadata"].get("uid"), object.get("status")), (None, None));
}

#[test]
fn what_may_have_been_there_unseen_is_marked_as_adopted() {
    let objects = [config_map("a")];
    let mut observed = observe(&MemoryCluster::new(), &objects);
    for completeness in [
        Completeness::Partial(vec!["configmaps: forbidden".to_owned()]),
        Completeness::Stale { age: SignedDuration::from_mins(2), reason: "unreachable".to_owned() },
    ] {
        observed.completeness = completeness;
        let plan = plan(&desired(&objects), &observed, &options());
        assert_eq!(owned(&sent(&plan, "a"), &options().sync_set), Owned::Adopted);
        assert_eq!(codes(&plan), [Code::PartialCluster]);
    }
}

#[test]
fn an_object_of_another_sync_set_is_adopted() {
    let cluster = synced(&[config_map("a")]);
    let theirs = SyncOptions::new(SyncSet::new("theirs"));
    let plan = plan_on(&cluster, &[config_map("a")], &theirs);
    assert_eq!(step(&plan, "a").reason, Reason::Adopted);
    assert_eq!(owned(&sent(&plan, "a"), &theirs.sync_set), Owned::Adopted);
}

#[test]
fn objects_of_v1_are_recognised_and_taken_over_unchanged() {
    let id = ResourceId::new(Some("default"), "ConfigMap", "a", "");
    let mut live = config_map("a");
    live["data"] = json!({"k": "v"});
    let git = live.clone();
    live["metadata"]["labels"] = json!({MARK_LABEL: mark::value(Owned::Created, &options().sync_set, &id)});
    live["metadata"]["annotations"] = json!({CHECKSUM_ANNOTATION: "a SHA-1 of v1"});
    let cluster = MemoryCluster::from_objects(vec![live]).unwrap();
    let objects = [git];
    let plan = plan_on(&cluster, &objects, &options());
    assert!(matches!(step(&plan, "a").action, Action::Apply { content_equal: true, .. }));
    assert_eq!(owned(&sent(&plan, "a"), &options().sync_set), Owned::Created);
    sync(&cluster, &objects, &options());
    assert_eq!(step(&plan_on(&cluster, &objects, &options()), "a").reason, Reason::UpToDate);
}

#[test]
fn ignore_is_obeyed_in_git_and_in_the_cluster() {
    let ignore = |value| annotated(config_map("a"), "fluxcd.io/ignore", value);
    let plain = config_map("a");
    let table = [
        ("in git", ignore("true"), plain.clone(), Reason::Ignored),
        ("in the cluster", plain.clone(), ignore("true"), Reason::Ignored),
        (
            "old prefix",
            annotated(plain.clone(), "flux.weave.works/ignore", "true"),
            plain.clone(),
            Reason::Ignored,
        ),
        ("sync_only is applied", ignore("sync_only"), plain.clone(), Reason::Adopted),
        ("any other value says nothing", plain, ignore("no"), Reason::Adopted),
    ];
    for (name, git, live, reason) in table {
        let cluster = MemoryCluster::from_objects(vec![live]).unwrap();
        assert_eq!(step(&plan_on(&cluster, &[git], &options()), "a").reason, reason, "{name}");
    }
}

#[test]
fn only_allowed_namespaces_are_touched() {
    let in_namespace = |namespace: &str, name: &str| {
        let mut object = config_map(name);
        object["metadata"]["namespace"] = namespace.into();
        object
    };
    let objects = [
        in_namespace("shop", "in"),
        in_namespace("other", "out"),
        object("v1", "Namespace", "shop"),
        object("v1", "Namespace", "other"),
        object("storage.k8s.io/v1", "StorageClass", "fast"),
    ];
    let allowed = SyncOptions { namespaces: Some(vec!["shop".to_owned()]), ..options() };
    let plan = plan_on(&MemoryCluster::new(), &objects, &allowed);
    for (name, reason) in [
        ("in", Reason::NotInCluster),
        ("out", Reason::NamespaceNotAllowed),
        ("shop", Reason::NotInCluster),
        ("other", Reason::NamespaceNotAllowed),
        ("fast", Reason::NotInCluster),
    ] {
        assert_eq!(step(&plan, name).reason, reason, "{name}");
    }
}

#[test]
fn nothing_need_be_known_of_what_is_in_other_namespaces() {
    let within = |namespace: &str, mut object: Value| {
        object["metadata"]["namespace"] = namespace.into();
        object
    };
    let objects = [
        within("shop", config_map("in")),
        within("other", config_map("out")),
        within("other", object("example.com/v1", "Widget", "widget")),
        within("other", object("storage.k8s.io/v1", "StorageClass", "fast")),
    ];
    let allowed = SyncOptions { namespaces: Some(vec!["shop".to_owned()]), ..pruning() };
    let desired = desired(&objects);
    let scope = desired.scope_within(&allowed);
    assert_eq!(scope.wanted.iter().map(|w| w.id.name()).collect::<Vec<_>>(), ["fast", "in"]);
    let observed = block_on(MemoryCluster::new().observe(&scope)).unwrap();
    let plan = plan(&desired, &observed, &allowed);
    for (name, reason) in [
        ("in", Reason::NotInCluster),
        ("out", Reason::NamespaceNotAllowed),
        ("widget", Reason::NamespaceNotAllowed),
        ("fast", Reason::NotInCluster),
    ] {
        assert_eq!(step(&plan, name).reason, reason, "{name}");
    }
    assert_eq!(codes(&plan), []);
    assert_eq!(check(&plan, &desired, &observed, &allowed), []);
}

#[test]
fn a_value_that_the_server_respelled_is_no_drift_but_one_that_somebody_took_is() {
    let mut git = deployment(1);
    git["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": "1000m"}});
    let objects = [git];
    let cluster = synced(&objects);
    let mut observed = observe(&cluster, &objects);
    observed.value.fidelity = Fidelity::Normalised;
    let live = observed.value.objects.values_mut().next().unwrap();
    let container = "/spec/template/spec/containers/0";
    live.change(|live| {
        *live.pointer_mut(&format!("{container}/resources/limits/cpu")).unwrap() = "1".into();
    });
    let plan_now = plan(&desired(&objects), &observed, &options());
    assert_eq!(step(&plan_now, "web").action, Action::Leave);

    observed.value.fidelity = Fidelity::Exact;
    let plan_now = plan(&desired(&objects), &observed, &options());
    let cpu = "spec.template.spec.containers[name=web].resources.limits.cpu".to_owned();
    assert_eq!(fields(&plan_now, "web"), [(cpu, None)]);

    cluster
        .edit(&id_in(&cluster, "web"), |o| {
            *o.pointer_mut(&format!("{container}/image")).unwrap() = "hand:1".into();
        })
        .unwrap();
    let mut observed = observe(&cluster, &objects);
    observed.value.fidelity = Fidelity::Normalised;
    let plan_now = plan(&desired(&objects), &observed, &options());
    let image = "spec.template.spec.containers[name=web].image".to_owned();
    assert_eq!(step(&plan_now, "web").reason, Reason::Drifted);
    assert_eq!(fields(&plan_now, "web"), [(image, Some("kubectl-edit".to_owned()))]);
}

#[test]
fn replicas_that_an_autoscaler_targets_are_sent_back_as_they_are() {
    let autoscaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "hpa"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
    let cluster = MemoryCluster::new();
    let objects = [deployment(2), autoscaler];
    assert_eq!(
        sent(&plan_on(&cluster, &objects, &options()), "web")["spec"]["replicas"],
        2,
        "git's at first"
    );
    sync(&cluster, &objects, &options());
    cluster.edit(&id_in(&cluster, "web"), |o| o["spec"]["replicas"] = 6.into()).unwrap();
    assert_eq!(step(&plan_on(&cluster, &objects, &options()), "web").action, Action::Leave);
    let mut changed = objects.clone();
    changed[0]["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2".into();
    let plan = plan_on(&cluster, &changed, &options());
    assert_eq!(sent(&plan, "web")["spec"]["replicas"], 6);
    assert_eq!(fields(&plan, "web").len(), 1);
}

#[test]
fn only_an_autoscaler_that_exists_decides_about_replicas() {
    let scaled_object = json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": {"name": "queue", "namespace": "default"}, "spec": {"scaleTargetRef": {"name": "web"}}});
    let keda = object::id_of(&scaled_object).unwrap();
    for (exists, unseen, manager, reason) in [
        (false, false, "dashboard", Reason::Drifted),
        (true, false, "keda", Reason::UpToDate),
        (true, false, "kubectl", Reason::UpToDate),
        // Where autoscalers must not be listed, what scales counts as one unless it is a person.
        (false, true, "keda", Reason::UpToDate),
        (false, true, "kubectl", Reason::Drifted),
    ] {
        let objects = [deployment(2)];
        let cluster = synced(&objects);
        cluster
            .edit_as(manager, Some("scale"), &id_in(&cluster, "web"), |o| o["spec"]["replicas"] = 6.into())
            .unwrap();
        let mut observed = observe(&cluster, &objects);
        if exists {
            observed.value.objects.insert(keda.clone(), (&scaled_object).into());
        }
        if unseen {
            observed.completeness =
                Completeness::Partial(vec!["HorizontalPodAutoscaler: forbidden".to_owned()]);
            let hpa = ("autoscaling".to_owned(), "HorizontalPodAutoscaler".to_owned());
            observed.value.unseen.insert(hpa);
        }
        let plan = plan(&desired(&objects), &observed, &options());
        assert_eq!(step(&plan, "web").reason, reason, "{manager} {exists} {unseen}");
        if exists {
            assert_eq!(step(&plan, "web").message, "spec.replicas is left to default:scaledobject/queue");
        }
    }
}

#[test]
fn a_plan_is_data_that_can_be_kept() {
    let plan = plan_on(&MemoryCluster::new(), &[config_map("a"), object("x.y/v1", "Z", "z")], &options());
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<SyncPlan>(&text).unwrap(), plan);
}

#[test]
fn a_plan_shows_no_secret() {
    let mut secret = object("v1", "Secret", "s");
    secret["stringData"] = json!({"k": "hunter2"});
    let plan = plan_on(&MemoryCluster::new(), &[secret.clone()], &options());
    let shown = format!("{plan:?} {:?}", desired(&[secret]));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_a_person_puts_into_a_map_that_git_left_empty_stays() {
    let mut map = config_map("map");
    map["data"] = json!({"a": "1"});
    let cluster = synced(&[map.clone()]);
    cluster.edit(&id_in(&cluster, "map"), |o| o["data"]["a"] = "hand".into()).unwrap();
    map["data"] = json!({});
    for _ in 0..2 {
        sync(&cluster, &[map.clone()], &options());
        assert_eq!(cluster.get(&id_in(&cluster, "map")).unwrap()["data"], json!({"a": "hand"}));
        assert_eq!(plan_on(&cluster, &[map.clone()], &options()).changes().count(), 0);
    }
}

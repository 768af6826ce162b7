//! Accounts: a sync in the name of a team's account, and the Events that it leaves.

use flux_core::{
    backend::{Cluster as _, ErrorKind},
    sync::Outcome,
};
use flux_k8s::KubeCluster;
use serde_json::{Value, json};

use crate::support::{Team, config_map, eventually, id, scope};

/// Makes a service account that may do what the rules say in its namespace.
fn grant(team: &Team, account: &str, rules: &[Value]) {
    team.kubectl(&["create", "serviceaccount", account]);
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": account}, "rules": rules});
    team.kubectl_with(&["create", "-f", "-"], &role);
    let (role, subject) =
        (format!("--role={account}"), format!("--serviceaccount={}:{account}", team.namespace));
    team.kubectl(&["create", "rolebinding", account, &role, &subject]);
}

async fn acting_as(team: &Team, user: &str) -> KubeCluster {
    let builder = KubeCluster::builder().kubeconfig(team.server.kubeconfig()).impersonate(user);
    builder.limited_to([team.namespace.clone()]).open().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_has_the_rights_of_the_account_in_whose_name_it_acts() {
    let Some(server) = flux_test_support::kube() else { return };
    let admin = Team::new(server.clone(), "account").await;
    let namespace = admin.namespace.clone();
    admin.commit(&[config_map(&namespace, "a", "1")]);
    grant(&admin, "deployer", &admin.rules().await);

    let user = format!("system:serviceaccount:{namespace}:deployer");
    let cluster = acting_as(&admin, &user).await;
    let mut team = Team::of(server, namespace.clone(), cluster);
    team.options.namespaces = Some(vec![namespace.clone()]);
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": namespace}});
    team.commit(&[config_map(&namespace, "a", "1"), secret]);
    let report = team.try_sync().await;
    let outcome = |name: &str| report.resources.iter().find(|r| r.id.name() == name).unwrap();
    assert_eq!(outcome("a").outcome, Outcome::Created, "{report}");
    assert_eq!(outcome("s").outcome, Outcome::Failed, "{report}");
    let refused = report.findings.iter().find(|finding| finding.subject.ends_with("/s")).unwrap();
    assert!(refused.remedy.contains(&user), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_act_in_the_name_of_an_account_is_told_so() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("account-refused");
    let user = format!("system:serviceaccount:{namespace}:deployer");
    let builder = KubeCluster::builder().kubeconfig(server.restricted_kubeconfig()).impersonate(&user);
    let cluster = builder.open().await.unwrap();
    let object = config_map(&namespace, "a", "1");
    let error = cluster.observe(&scope([&object])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
    let message = error.to_string();
    assert!(message.contains(&user) && message.contains("impersonate"), "{message}");
    assert!(message.contains(server.restricted_user()), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_say_what_was_done_and_what_was_refused() {
    let Some(server) = flux_test_support::kube() else { return };
    let builder = KubeCluster::builder().kubeconfig(server.kubeconfig()).events("fluxd-0");
    let team = Team::with_cluster(server, "events", builder.open().await.unwrap());
    let namespace = team.namespace.clone();
    let (good, gone) = (config_map(&namespace, "good", "1"), config_map(&namespace, "gone", "1"));
    let mut bad = config_map(&namespace, "bad", "1");
    bad["data"] = json!({"no good key!": "1"});
    team.commit(&[good.clone(), gone]);
    team.sync().await;
    let uid = team.live(&good)["metadata"]["uid"].clone();
    team.commit(&[config_map(&namespace, "good", "2"), bad]);
    for _ in 0..2 {
        team.try_sync().await;
    }

    let notes = eventually("the events are there", async || {
        let list: Value =
            serde_json::from_str(&team.kubectl(&["get", "events.events.k8s.io", "-o", "json"])).unwrap();
        let items = list["items"].as_array().unwrap().clone();
        (items.len() >= 5).then_some(items)
    })
    .await;
    let mut lines: Vec<String> = notes
        .iter()
        .map(|event| {
            let of = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            format!("{} {} {}", of("/type"), of("/reason"), of("/regarding/name"))
        })
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "Normal Changed good",
            "Normal Created gone",
            "Normal Created good",
            "Normal Pruned gone",
            "Warning SyncFailed bad",
        ],
        "the failure was not written twice"
    );
    let of_good = notes.iter().filter(|event| event["regarding"]["name"] == "good");
    assert!(of_good.clone().all(|event| event["regarding"]["uid"] == uid), "{notes:#?}");
    assert!(of_good.clone().any(|event| event["note"].as_str().unwrap().contains("data.key")), "{notes:#?}");
    let described = team.kubectl(&["describe", "configmap", id(&good).name()]);
    assert!(described.contains("changed-in-git") && described.contains("fluxcd.io/flux"), "{described}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_for_events_is_counted_in_one() {
    let Some(server) = flux_test_support::kube() else { return };
    let builder = KubeCluster::builder().kubeconfig(server.kubeconfig()).events("fluxd-0");
    let team = Team::with_cluster(server, "many-events", builder.open().await.unwrap());
    let objects: Vec<Value> =
        (0..120).map(|n| config_map(&team.namespace, &format!("o-{n:03}"), "1")).collect();
    team.commit(&objects);
    team.sync().await;
    let list: Value =
        serde_json::from_str(&team.kubectl(&["get", "events.events.k8s.io", "-o", "json"])).unwrap();
    let of_namespace: Vec<&Value> =
        list["items"].as_array().unwrap().iter().filter(|e| e["regarding"]["kind"] == "Namespace").collect();
    assert_eq!((list["items"].as_array().unwrap().len(), of_namespace.len()), (101, 1));
    assert!(of_namespace[0]["note"].as_str().unwrap().ends_with("20 created"), "{}", of_namespace[0]);
}

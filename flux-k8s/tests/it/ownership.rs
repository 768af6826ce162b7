//! Objects that others wrote before, or write beside us: what git drops goes, what git names comes,
//! and no other field is touched.

use flux_core::{
    finding::Code,
    sync::{CHECKSUM_ANNOTATION, MARK_LABEL, Outcome, Reason, ResourceReport},
};
use serde_json::{Value, json};

use crate::support::{Team, config_map, of};

fn deployment(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    })
}

fn container(deployment: &mut Value, n: usize) -> &mut Value {
    &mut deployment["spec"]["template"]["spec"]["containers"][n]
}

/// How an object came into the cluster before the first sync.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Writer {
    Apply,
    Create,
    Edit,
    ServerSideApply,
    FluxV1,
}

impl Writer {
    const ALL: [Self; 5] = [Self::Apply, Self::Create, Self::Edit, Self::ServerSideApply, Self::FluxV1];

    /// Writes an object to the cluster in this way.
    fn write(self, team: &Team, object: &Value) {
        match self {
            Self::Apply => drop(team.kubectl_with(&["apply", "-f", "-"], object)),
            Self::Create => drop(team.kubectl_with(&["create", "-f", "-"], object)),
            Self::ServerSideApply => drop(team.kubectl_with(&["apply", "--server-side", "-f", "-"], object)),
            Self::Edit => {
                // Made without what is edited in.
                let mut bare = object.clone();
                bare["metadata"].as_object_mut().unwrap().remove("labels");
                team.kubectl_with(&["create", "-f", "-"], &bare);
                let label = &object["metadata"]["labels"]["app"];
                team.kubectl_edit(object, &format!("s/^metadata:$/metadata:\\n  labels: {{app: {label}}}/"));
            }
            Self::FluxV1 => {
                let mut marked = object.clone();
                marked["metadata"]["labels"][MARK_LABEL] = json!("sha256.of-another-repository");
                marked["metadata"]["annotations"][CHECKSUM_ANNOTATION] = json!("00112233");
                team.kubectl_with(&["apply", "-f", "-"], &marked);
            }
        }
    }
}

#[tokio::test]
async fn what_git_drops_goes_whoever_wrote_it_before() {
    let Some(server) = flux_test_support::kube() else { return };
    for writer in Writer::ALL {
        let team = Team::new(server.clone(), "dropped").await;
        let mut map = config_map(&team.namespace, "map", "1");
        map["metadata"]["labels"] = json!({"app": "map"});
        map["data"]["b"] = json!("2");
        let mut web = deployment(&team.namespace, "web");
        *container(&mut web, 0) = json!({"name": "web", "image": "web:1", "args": ["-v"],
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "livenessProbe": {"httpGet": {"path": "/", "port": 80}}});
        let containers = web["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap();
        containers
            .push(json!({"name": "sidecar", "image": "sidecar:1", "env": [{"name": "X", "value": "1"}]}));
        for object in [&map, &web] {
            writer.write(&team, object);
        }
        let report = team.settle(&[map.clone(), web.clone()]).await;
        for resource in &report.resources {
            assert_eq!(
                (resource.outcome, resource.reason),
                (Outcome::Unchanged, Reason::Adopted),
                "{writer:?} {resource}"
            );
        }

        map["data"].as_object_mut().unwrap().remove("b");
        map["metadata"].as_object_mut().unwrap().remove("labels");
        web["metadata"].as_object_mut().unwrap().remove("labels");
        *container(&mut web, 0) =
            json!({"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}]});
        web["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap().truncate(1);
        let report = team.settle(&[map.clone(), web.clone()]).await;
        assert_eq!(of(&report, "map").fields, ["data.b", "metadata.labels.app"], "{writer:?}");
        let at = "spec.template.spec.containers";
        assert_eq!(
            of(&report, "web").fields,
            [
                "metadata.labels.app".to_owned(),
                format!("{at}[name=sidecar]"),
                format!("{at}[name=web].args"),
                format!("{at}[name=web].env[name=B]"),
                format!("{at}[name=web].livenessProbe.httpGet.path"),
                format!("{at}[name=web].livenessProbe.httpGet.port"),
            ],
            "{writer:?}"
        );
        assert_eq!(report.findings, [], "{writer:?}");

        let live = team.live(&map);
        assert_eq!(live["data"], json!({"key": "1"}), "{writer:?}");
        assert_eq!(live["metadata"]["labels"].as_object().unwrap().keys().collect::<Vec<_>>(), [MARK_LABEL]);
        let live = team.live(&web);
        let containers = live["spec"]["template"]["spec"]["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 1, "{writer:?}");
        assert_eq!(containers[0]["env"], json!([{"name": "A", "value": "1"}]), "{writer:?}");
        assert_eq!(
            (containers[0].get("args"), containers[0].get("livenessProbe")),
            (None, None),
            "{writer:?}"
        );
    }
}

/// Changes of a kind that the API server refuses while the old value is there: by name, what to
/// make of a Deployment before and after.
fn unions(namespace: &str) -> Vec<(Value, Value)> {
    let with = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut object = deployment(namespace, name);
        change(&mut object);
        object
    };
    let probe = |name: &str, field: &str, probe: Value| {
        with(name, &|object| container(object, 0)[field] = probe.clone())
    };
    let env =
        |name: &str, env: Value| with(name, &|object| container(object, 0)["env"] = json!([env.clone()]));
    let volume = |name: &str, volume: Value| {
        with(name, &|object| {
            object["spec"]["template"]["spec"]["volumes"] = json!([volume.clone()]);
            container(object, 0)["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
        })
    };
    let strategy = |name: &str, strategy: Option<Value>| {
        with(name, &|object| {
            if let Some(strategy) = &strategy {
                object["spec"]["strategy"] = strategy.clone();
            }
        })
    };
    let own = json!({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
    let port = |port: u16| {
        json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "ports", "namespace": namespace},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": port}]}})
    };
    let set = |strategy: Option<Value>| {
        let mut object = deployment(namespace, "set");
        object["kind"] = json!("StatefulSet");
        object["spec"]["serviceName"] = json!("set");
        if let Some(strategy) = strategy {
            object["spec"]["updateStrategy"] = strategy;
        }
        object
    };
    let (get, tcp, exec) = (
        json!({"httpGet": {"path": "/", "port": 80}}),
        json!({"tcpSocket": {"port": 80}}),
        json!({"exec": {"command": ["true"]}}),
    );
    vec![
        (env("env-from", json!({"name": "A", "value": "1"})), env("env-from", own.clone())),
        (env("env-value", own), env("env-value", json!({"name": "A", "value": "1"}))),
        (probe("probe", "livenessProbe", get.clone()), probe("probe", "livenessProbe", tcp.clone())),
        (probe("ready", "readinessProbe", tcp), probe("ready", "readinessProbe", exec.clone())),
        (probe("startup", "startupProbe", exec), probe("startup", "startupProbe", get)),
        (
            volume("volume", json!({"name": "v", "emptyDir": {}})),
            volume("volume", json!({"name": "v", "configMap": {"name": "c"}})),
        ),
        (
            volume("projected", json!({"name": "v", "secret": {"secretName": "s"}})),
            volume("projected", json!({"name": "v", "hostPath": {"path": "/tmp"}})),
        ),
        (strategy("recreate", None), strategy("recreate", Some(json!({"type": "Recreate"})))),
        (
            strategy("rolling", Some(json!({"type": "Recreate"}))),
            strategy("rolling", Some(json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}))),
        ),
        (port(80), port(81)),
        (set(None), set(Some(json!({"type": "OnDelete"})))),
    ]
}

/// Returns `true` if `live` has all that `wanted` says.
fn has(live: &Value, wanted: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            wanted.iter().all(|(key, value)| live.get(key).is_some_and(|live| has(live, value)))
        }
        (Value::Array(wanted), Value::Array(live)) => {
            wanted.len() == live.len() && wanted.iter().zip(live).all(|(wanted, live)| has(live, wanted))
        }
        (wanted, live) => wanted == live,
    }
}

#[tokio::test]
async fn one_of_several_may_take_the_place_of_another_whoever_wrote_it_before() {
    let Some(server) = flux_test_support::kube() else { return };
    let writers = Writer::ALL.into_iter().filter(|writer| *writer != Writer::Edit).map(Some);
    for writer in writers.chain([None]) {
        let team = Team::new(server.clone(), "unions").await;
        let (before, after): (Vec<_>, Vec<_>) = unions(&team.namespace).into_iter().unzip();
        // `None` stands for us.
        for object in before.iter().filter(|_| writer.is_some()) {
            writer.unwrap().write(&team, object);
        }
        team.settle(&before).await;
        let report = team.settle(&after).await;
        assert_eq!(report.findings, [], "{writer:?}");
        for wanted in &after {
            let live = team.live(wanted);
            assert!(has(&live["spec"], &wanted["spec"]), "{writer:?}: {wanted}\n{live}");
        }
    }
}

#[tokio::test]
async fn the_same_holds_when_the_first_sync_brings_the_change() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "unions-at-once").await;
    let (before, after): (Vec<_>, Vec<_>) = unions(&team.namespace).into_iter().unzip();
    for object in &before {
        Writer::Apply.write(&team, object);
    }
    let report = team.settle(&after).await;
    assert!(
        report.resources.iter().all(|r| (r.outcome, r.reason) == (Outcome::Changed, Reason::Adopted)),
        "{report}"
    );
    for wanted in &after {
        assert!(has(&team.live(wanted)["spec"], &wanted["spec"]), "{wanted}");
    }
}

#[tokio::test]
async fn a_hot_fix_by_hand_that_git_takes_up_and_drops_again_goes() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "hot-fix").await;
    let mut map = config_map(&team.namespace, "map", "1");
    team.settle(std::slice::from_ref(&map)).await;
    team.kubectl_edit(&map, "s/^data:$/data:\\n  fix: \"yes\"\\n  mine: \"yes\"/");
    team.seen(&map).await;
    map["data"]["fix"] = json!("yes");
    team.settle(std::slice::from_ref(&map)).await;
    map["data"].as_object_mut().unwrap().remove("fix");
    let report = team.settle(std::slice::from_ref(&map)).await;
    assert_eq!(of(&report, "map").fields, ["data.fix"]);
    // What git never named stays as people set it.
    assert_eq!(team.live(&map)["data"], json!({"key": "1", "mine": "yes"}));
}

#[tokio::test]
async fn a_field_that_another_manager_keeps_is_told_with_its_owner() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "kept").await;
    let mut map = config_map(&team.namespace, "map", "1");
    map["data"]["shared"] = json!("2");
    team.settle(std::slice::from_ref(&map)).await;
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "map", "namespace": team.namespace}, "data": {"shared": "2"}});
    team.kubectl_with(&["apply", "--server-side", "--field-manager=robot", "-f", "-"], &theirs);
    team.seen(&map).await;
    map["data"].as_object_mut().unwrap().remove("shared");
    let report = team.settle(std::slice::from_ref(&map)).await;
    let [finding] = &report.findings[..] else { panic!("{report}") };
    assert_eq!(finding.code, Code::FieldKept);
    assert!(finding.evidence.contains("data.shared") && finding.evidence.contains("robot"), "{finding}");
    assert_eq!(of(&report, "map").fields, [""; 0], "nothing that did not happen is reported");
    assert_eq!(team.live(&map)["data"]["shared"], "2");
}

#[tokio::test]
async fn a_key_that_was_edited_by_hand_is_put_back() {
    let Some(server) = flux_test_support::kube() else { return };
    for manager in ["kubectl-edit", "dashboard"] {
        let team = Team::new(server.clone(), "key-fields").await;
        let service = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "web", "namespace": team.namespace},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}, {"name": "admin", "port": 81}]}});
        let mut web = deployment(&team.namespace, "web");
        container(&mut web, 0)["ports"] = json!([{"containerPort": 80, "name": "http"}]);
        let objects = [service.clone(), web.clone()];
        team.settle(&objects).await;
        let manager = format!("--field-manager={manager}");
        let edit = |kind: &str, path: &str| {
            let patch = json!([{"op": "replace", "path": path, "value": 9000}]).to_string();
            team.kubectl(&["patch", kind, "web", "--type=json", &manager, "-p", &patch]);
        };
        edit("service", "/spec/ports/0/port");
        edit("deployment", "/spec/template/spec/containers/0/ports/0/containerPort");
        team.seen(&service).await;
        team.seen(&web).await;
        let report = team.settle(&objects).await;
        assert!(report.resources.iter().all(|r| r.reason == Reason::Drifted), "{report}");
        let names_item = |r: &ResourceReport| r.fields.iter().any(|field| field.contains("9000"));
        assert!(report.resources.iter().all(|r| names_item(r)), "what went is named: {report:#?}");
        let ports = |live: &Value, at: &str, key: &str| -> Vec<Value> {
            live.pointer(at).unwrap().as_array().unwrap().iter().map(|port| port[key].clone()).collect()
        };
        let live = team.live(&service);
        let mut numbers: Vec<i64> =
            ports(&live, "/spec/ports", "port").iter().filter_map(Value::as_i64).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [80, 81], "{manager}");
        let live = team.live(&web);
        let at = "/spec/template/spec/containers/0/ports";
        assert_eq!(ports(&live, at, "containerPort"), [json!(80)], "{manager}");
    }
}

#[tokio::test]
async fn a_resource_whose_version_is_served_no_longer_can_be_applied() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "versions").await;
    let group = format!("{}.example.com", team.namespace);
    let definition = |versions: &[&str]| {
        let versions: Vec<Value> = versions
            .iter()
            .map(|name| {
                json!({"name": name, "served": true, "storage": *name == "v1",
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object",
                        "properties": {"size": {"type": "integer"}}}}}}})
            })
            .collect();
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("wheels.{group}")},
            "spec": {"group": group, "scope": "Namespaced", "versions": versions,
                "names": {"kind": "Wheel", "plural": "wheels", "singular": "wheel"}}})
    };
    let wheel = |version: &str, size: i64| {
        json!({"apiVersion": format!("{group}/{version}"), "kind": "Wheel",
            "metadata": {"name": "front", "namespace": team.namespace}, "spec": {"size": size}})
    };
    team.settle(&[definition(&["v1", "v1beta1"]), wheel("v1beta1", 1)]).await;
    team.kubectl(&["label", &format!("wheels.v1beta1.{group}"), "front", "theirs=yes"]);
    team.commit(&[definition(&["v1"]), wheel("v1", 1)]);
    team.sync().await;
    // The definition and its kind change in one sync; the next sees what is served now.
    for size in [2, 3] {
        team.commit(&[definition(&["v1"]), wheel("v1", size)]);
        let report = team.sync().await;
        assert_eq!(of(&report, "front").outcome, Outcome::Changed, "{report}");
    }
    let live = team.live(&wheel("v1", 3));
    assert_eq!(live["spec"]["size"], 3);
    assert_eq!(live["metadata"]["labels"]["theirs"], "yes", "others' fields stay, and stay theirs");
    let managers = live["metadata"]["managedFields"].as_array().unwrap().iter().map(|e| e["manager"].clone());
    assert!(managers.clone().any(|m| m == "kubectl-label"), "{:?}", managers.collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_sent_is_what_the_server_keeps() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "spellings").await;
    let secret = |keys: &[&str]| {
        let texts: serde_json::Map<String, Value> =
            keys.iter().map(|key| ((*key).to_owned(), json!("x"))).collect();
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "secret", "namespace": team.namespace},
            "data": {"wrapped": "aGVsbG8sIHdvcmxkLCBo\nZWxsbw==\n"}, "stringData": texts})
    };
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": format!("{}-all", team.namespace)}, "rules": [],
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {format!("{}/to", team.namespace): "all"}}]}});
    let part = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": format!("{}-part", team.namespace), "labels": {format!("{}/to", team.namespace): "all"}},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]});
    team.settle(&[secret(&["a", "b"]), role.clone(), part.clone()]).await;
    let rules = crate::support::eventually("the rules are gathered", async || {
        team.live(&role).get("rules").filter(|rules| rules.is_array()).cloned()
    })
    .await;
    // A key that git drops from `stringData` goes, and a role that a controller fills in is left.
    team.seen(&role).await;
    team.settle(&[secret(&["a"]), role.clone(), part.clone()]).await;
    let data = team.live(&secret(&["a"]))["data"].clone();
    assert_eq!(data.as_object().unwrap().keys().collect::<Vec<_>>(), ["a", "wrapped"]);
    assert_eq!(data["wrapped"], "aGVsbG8sIHdvcmxkLCBoZWxsbw==");
    assert_eq!(team.live(&role)["rules"], rules);
}

#[tokio::test]
async fn what_a_person_puts_into_a_map_that_git_left_empty_stays() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "empty").await;
    let mut map = config_map(&team.namespace, "map", "1");
    map["data"] = json!({});
    team.settle(std::slice::from_ref(&map)).await;
    team.kubectl_edit(&map, "s/^metadata:$/data: {by: hand}\\nmetadata:/");
    team.seen(&map).await;
    for _ in 0..2 {
        team.settle(std::slice::from_ref(&map)).await;
        assert_eq!(team.live(&map)["data"], json!({"by": "hand"}));
    }
}

#[tokio::test]
async fn a_service_account_that_git_drops_or_renames_goes() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "account").await;
    let with = |field: &str, account: &str| {
        let mut web = deployment(&team.namespace, "web");
        web["spec"]["template"]["spec"][field] = json!(account);
        web
    };
    let bare = deployment(&team.namespace, "web");
    let at = "spec.template.spec";
    for (manifest, account, changed) in [
        (with("serviceAccountName", "a"), json!("a"), None),
        (bare.clone(), Value::Null, Some("serviceAccountName")),
        (with("serviceAccount", "a"), json!("a"), Some("serviceAccount")),
        (with("serviceAccount", "b"), json!("b"), Some("serviceAccount")),
        (bare, Value::Null, Some("serviceAccount")),
    ] {
        let report = team.settle(std::slice::from_ref(&manifest)).await;
        let changed: Vec<String> = changed.iter().map(|field| format!("{at}.{field}")).collect();
        assert_eq!(of(&report, "web").fields, changed, "{report}");
        assert_eq!(report.findings, []);
        let live = &team.live(&manifest)["spec"]["template"]["spec"];
        assert_eq!((&live["serviceAccount"], &live["serviceAccountName"]), (&account, &account));
    }
}

//! Our sync beside `kubectl apply`: from the same object to the same manifest, both leave the same.

mod pairs;

use std::collections::{BTreeMap, BTreeSet};

use flux_core::sync::{ADOPTED_ANNOTATION, CHECKSUM_ANNOTATION, MARK_LABEL, Outcome};
use flux_test_support::KubeServer;
use serde_json::{Map, Value, json};

use crate::support::{Team, id};

/// How many pairs there are of each of the twelve kinds.
const OF_EACH_KIND: u64 = 25;

/// The values of a field after `kubectl apply`, after our sync, and when the second manifest alone
/// is applied, which says what is right.
struct Difference {
    object: String,
    path: String,
    kubectl: Value,
    ours: Value,
    alone: Value,
}

impl Difference {
    /// Returns `true` if ours is as the second manifest says, in one of these fields or within it.
    fn only_kubectl_differs_in(&self, fields: &[&str]) -> bool {
        self.ours == self.alone && self.is_in(fields)
    }

    fn is_in(&self, fields: &[&str]) -> bool {
        self.path.split(['.', '[']).any(|elem| fields.contains(&elem))
    }
}

/// A difference that is meant.
struct Explained {
    reason: &'static str,
    covers: fn(&Difference) -> bool,
}

const EXPLAINED: [Explained; 5] = [
    Explained {
        reason: "kubectl tells ports apart by their numbers alone, and loses one of 53/TCP and 53/UDP",
        covers: |found| found.only_kubectl_differs_in(&["ports"]),
    },
    Explained {
        reason: "kubectl leaves in data what stringData no longer names",
        covers: |found| found.only_kubectl_differs_in(&["data"]) && found.object.starts_with("Secret "),
    },
    Explained {
        reason: "kubectl leaves the account in the old serviceAccount, which brings serviceAccountName back",
        covers: |found| found.only_kubectl_differs_in(&["serviceAccount", "serviceAccountName"]),
    },
    Explained {
        reason: "kubectl leaves a default that follows from what the first manifest said",
        covers: |found| found.only_kubectl_differs_in(&["imagePullPolicy", "rollingUpdate"]),
    },
    Explained {
        reason: "both leave such a default where the first manifest was synced: it is nobody's",
        covers: |found| found.kubectl == found.ours && found.is_in(&["imagePullPolicy", "rollingUpdate"]),
    },
];

#[tokio::test]
async fn a_sync_leaves_what_kubectl_apply_leaves() {
    let Some(server) = flux_test_support::kube() else { return };
    let pairs = pairs::pairs(OF_EACH_KIND);
    assert_eq!(pairs.len(), 300);
    let changed = pairs.iter().filter(|(first, second)| first != second).count();
    assert!(changed > 270, "only {changed} pairs are of two");
    let team = Team::new(server.clone(), "ours").await;
    let [theirs, alone] = ["kubectl", "alone"].map(|name| server.namespace(name));

    let firsts = || pairs.iter().map(|(first, _)| first);
    let seconds = || pairs.iter().map(|(_, second)| second);
    for (namespace, (_, refusals)) in [
        (&theirs, apply(&server, &theirs, firsts())),
        (&team.namespace, apply(&server, &team.namespace, firsts())),
        (&alone, apply(&server, &alone, seconds())),
    ] {
        assert_eq!(refusals, "", "in {namespace}: all manifests are valid");
    }
    let (taken, refusals) = apply(&server, &theirs, seconds());

    // Every other object is adopted before git changes, the rest as it does.
    let of_ours = |object: &Value| in_namespace(object, &team.namespace);
    team.commit(&firsts().step_by(2).map(of_ours).collect::<Vec<_>>());
    team.sync().await;
    team.commit(&seconds().map(of_ours).collect::<Vec<_>>());
    let report = team.try_sync().await;
    let failures = report.resources.iter().filter(|r| r.outcome == Outcome::Failed);
    let failed: BTreeMap<String, &str> =
        failures.map(|r| (format!("{} {}", r.id.kind(), r.id.name()), r.message.as_str())).collect();
    let [kubectl, ours, alone] =
        [&theirs, &team.namespace, &alone].map(|namespace| live(&server, namespace, &pairs));

    let mut equal = 0;
    let mut refused = Vec::new();
    let mut wrong = Vec::new();
    let mut explained: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (first, second) in &pairs {
        let name = name(second);
        let found = match (taken.contains(&name), failed.get(&name)) {
            (true, None) => differences(&name, [&kubectl[&name], &ours[&name], &alone[&name]]),
            (true, Some(message)) => {
                wrong.push(format!("{name}: only our sync fails: {message}\n{first}\n{second}"));
                continue;
            }
            (false, Some(message)) => {
                refused.push(format!("{name}: {message}"));
                continue;
            }
            (false, None) => {
                refused.push(format!("{name}: our sync does it"));
                differences(&name, [&ours[&name], &ours[&name], &alone[&name]])
            }
        };
        equal += usize::from(found.is_empty() && taken.contains(&name));
        for difference in found {
            match EXPLAINED.iter().find(|explained| (explained.covers)(&difference)) {
                Some(Explained { reason, .. }) => {
                    explained.entry(reason).or_default().insert(name.clone());
                }
                None => {
                    let Difference { path, kubectl, ours, alone, .. } = difference;
                    wrong.push(format!(
                        "{name}{path}: kubectl {kubectl}, ours {ours}, alone {alone}\n{first}\n{second}"
                    ));
                }
            }
        }
    }
    println!("{} pairs, {changed} changed, {equal} equal", pairs.len());
    for (reason, objects) in &explained {
        println!("{} explained: {reason}: {objects:?}", objects.len());
    }
    println!("{} refused by kubectl; by us:\n{}\nby kubectl:\n{refusals}", refused.len(), refused.join("\n"));
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    let unused: Vec<&str> =
        EXPLAINED.iter().map(|e| e.reason).filter(|r| !explained.contains_key(r)).collect();
    assert_eq!(unused, [""; 0], "these explain nothing");

    let plan = team.plan().await;
    let again =
        plan.changes().filter(|step| !failed.contains_key(&format!("{} {}", step.id.kind(), step.id.name())));
    let again: Vec<String> = again.map(|step| format!("{step} {:?}", step.fields)).collect();
    assert_eq!(again, [""; 0], "a second sync changes nothing");
}

fn name(object: &Value) -> String {
    let id = id(object);
    format!("{} {}", id.kind(), id.name())
}

fn in_namespace(object: &Value, namespace: &str) -> Value {
    let mut object = object.clone();
    object["metadata"]["namespace"] = json!(namespace);
    object
}

/// Lets kubectl apply objects; returns the names of those that it has applied, and what it says of
/// the others.
fn apply<'a>(
    server: &KubeServer,
    namespace: &str,
    objects: impl Iterator<Item = &'a Value>,
) -> (BTreeSet<String>, String) {
    let objects: Vec<&Value> = objects.collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string())
        .unwrap();
    let args = ["-n", namespace, "apply", "-f", file.path().to_str().unwrap()];
    let printed = server.try_kubectl(&args).unwrap_or_else(|printed| printed);
    let has_done = |object: &&&Value| {
        let id = id(object);
        let group = if id.group().is_empty() { String::new() } else { format!(".{}", id.group()) };
        let done = format!("{}{group}/{} ", id.kind().to_lowercase(), id.name());
        ["created", "configured", "unchanged"].iter().any(|word| printed.contains(&format!("{done}{word}\n")))
    };
    let done: BTreeSet<String> = objects.iter().filter(has_done).map(|object| name(object)).collect();
    let is_done = |line: &&str| {
        line.ends_with(" created")
            || line.ends_with(" configured")
            || line.ends_with(" unchanged")
            || line.starts_with("Warning: ")
    };
    let rest: Vec<&str> = printed.lines().filter(|line| !is_done(line)).collect();
    (done, rest.join("\n"))
}

/// Returns the live objects of all pairs by their names.
fn live(server: &KubeServer, namespace: &str, pairs: &[(Value, Value)]) -> BTreeMap<String, Value> {
    let kinds: BTreeSet<String> = pairs
        .iter()
        .map(|(first, _)| {
            let id = id(first);
            if id.group().is_empty() { id.kind().to_owned() } else { format!("{}.{}", id.kind(), id.group()) }
        })
        .collect();
    let kinds: Vec<String> = kinds.into_iter().collect();
    let text = server.kubectl(&["-n", namespace, "get", &kinds.join(","), "-o", "json"]);
    let list: Value = serde_json::from_str(&text).unwrap();
    list["items"].as_array().unwrap().iter().map(|object| (name(object), content(object))).collect()
}

/// Returns an object without what differs between any two.
fn content(object: &Value) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove("status");
    let metadata = object["metadata"].take();
    let mut kept = json!({"labels": metadata["labels"], "annotations": metadata["annotations"]});
    if let Some(labels) = kept["labels"].as_object_mut() {
        labels.remove(MARK_LABEL);
    }
    if let Some(annotations) = kept["annotations"].as_object_mut() {
        annotations.remove(CHECKSUM_ANNOTATION);
        annotations.remove(ADOPTED_ANNOTATION);
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        // Controllers count with them what has become of the object.
        annotations.remove("deployment.kubernetes.io/revision");
        annotations.remove("deprecated.daemonset.template.generation");
    }
    empty_is_nothing(&mut kept);
    object["metadata"] = kept;
    if object["kind"] == "Service" {
        allocated(&mut object["spec"]);
    }
    object
}

/// Takes out what the API server allocates for a Service.
fn allocated(spec: &mut Value) {
    let spec = spec.as_object_mut().unwrap();
    if spec.get("clusterIP").is_some_and(|address| address != "None") {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
    }
    spec.remove("healthCheckNodePort");
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        port.as_object_mut().unwrap().remove("nodePort");
    }
}

/// Takes out labels and annotations that are empty.
fn empty_is_nothing(metadata: &mut Value) {
    let is_empty = |value: &Value| value.is_null() || value.as_object().is_some_and(Map::is_empty);
    metadata.as_object_mut().unwrap().retain(|_, map| !is_empty(map));
}

/// Returns where the three differ: after kubectl, after our sync, and the second manifest alone.
fn differences(name: &str, values: [&Value; 3]) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(values, String::new(), &mut |path, values| {
        let [kubectl, ours, alone] = values.map(Value::clone);
        found.push(Difference { object: name.to_owned(), path, kubectl, ours, alone });
    });
    found
}

fn compare(values: [&Value; 3], path: String, found: &mut impl FnMut(String, [&Value; 3])) {
    let [a, b, c] = values;
    if a == b && b == c {
        return;
    }
    match values {
        [Value::Object(a), Value::Object(b), Value::Object(c)] => {
            let keys: BTreeSet<&String> = [a, b, c].into_iter().flat_map(Map::keys).collect();
            for key in keys {
                let of = |map: &'_ Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                compare([&of(a), &of(b), &of(c)], format!("{path}.{key}"), found);
            }
        }
        [Value::Array(a), Value::Array(b), Value::Array(c)] if a.len() == b.len() && b.len() == c.len() => {
            for n in 0..a.len() {
                compare([&a[n], &b[n], &c[n]], format!("{path}[{n}]"), found);
            }
        }
        _ => found(path, values),
    }
}

//! `rbac`: the least rights that a sync needs, as manifests.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
};

use flux::sync::{AccessRule, SyncOptions, SyncSet, access_of_events};
use serde_json::{Value, json};

use crate::{
    args::{Format, Rbac},
    check,
    common::{BackendArgs, Failure},
    output::Out,
};

/// The resources whose pods a wait looks at.
const PODS: [(&str, &str); 7] = [
    ("", "replicationcontrollers"),
    ("apps", "daemonsets"),
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("argoproj.io", "rollouts"),
    ("batch", "jobs"),
];

/// Prints the roles as a stream of YAML documents, or as a list in JSON, ready for `kubectl apply`.
pub(crate) async fn run(args: &Rbac, backends: &BackendArgs, out: &mut Out) -> Result<u8, Failure> {
    let namespaces = backends.allowed_namespaces();
    let options = SyncOptions { prune: args.prune, namespaces, ..SyncOptions::new(SyncSet::new("rbac")) };
    let deployer = check::compose(None, backends)?;
    let mut rules = deployer.access(&options).await?;
    if args.events {
        let events = access_of_events(&rules);
        add(&mut rules, events);
    }
    if args.lists {
        add(&mut rules, deployer.access_of_lists(&options).await?);
    }
    if args.wait {
        let with_pods = rules.iter().filter(|rule| PODS.contains(&(&*rule.api_group, &*rule.resource)));
        let namespaces: BTreeSet<_> = with_pods.map(|rule| rule.namespace.clone()).collect();
        rules.extend(namespaces.into_iter().map(|namespace| AccessRule {
            namespace,
            api_group: String::new(),
            resource: "pods".to_owned(),
            names: BTreeSet::new(),
            verbs: ["list"].into(),
        }));
    }
    let manifests = manifests(&rules, args);
    match out.format {
        Format::Json => out.json(&json!({"apiVersion": "v1", "kind": "List", "items": manifests}))?,
        Format::Table => {
            for manifest in manifests {
                write!(out.stdout, "---\n{}", serde_yaml::to_string(&manifest)?)?;
            }
        }
    }
    Ok(0)
}

/// Adds rules for any name to others, each resource of a namespace once.
fn add(rules: &mut Vec<AccessRule>, more: Vec<AccessRule>) {
    for rule in more {
        let of = |rule: &AccessRule| (rule.namespace.clone(), rule.api_group.clone(), rule.resource.clone());
        match rules.iter_mut().find(|known| known.names.is_empty() && of(known) == of(&rule)) {
            Some(known) => known.verbs.extend(rule.verbs),
            None => rules.push(rule),
        }
    }
    rules.sort();
}

/// Returns the Roles and ClusterRoles for rules, each with its binding.
fn manifests(rules: &[AccessRule], args: &Rbac) -> Vec<Value> {
    let mut by_namespace: BTreeMap<Option<&str>, Vec<Value>> = BTreeMap::new();
    for rule in rules {
        by_namespace.entry(rule.namespace.as_deref()).or_default().push(of_rule(rule));
    }
    by_namespace.into_iter().flat_map(|(namespace, rules)| role(namespace, &rules, args)).collect()
}

fn of_rule(rule: &AccessRule) -> Value {
    let mut value = json!({
        "apiGroups": [rule.api_group], "resources": [rule.resource], "verbs": rule.verbs});
    if !rule.names.is_empty() {
        value["resourceNames"] = json!(rule.names);
    }
    value
}

/// Returns a role with its binding.
fn role(namespace: Option<&str>, rules: &[Value], args: &Rbac) -> [Value; 2] {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
    let mut metadata = json!({"name": args.name});
    if let Some(namespace) = namespace {
        metadata["namespace"] = namespace.into();
    }
    let of = |kind: &str| json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": metadata});
    let mut role = of(kind);
    role["rules"] = rules.into();
    let mut binding = of(&format!("{kind}Binding"));
    binding["roleRef"] = json!({"apiGroup": GROUP, "kind": kind, "name": args.name});
    binding["subjects"] = match (&args.user, args.service_account.split_once(':')) {
        (Some(user), _) => json!([{"apiGroup": GROUP, "kind": "User", "name": user}]),
        (None, Some((namespace, name))) => {
            json!([{"kind": "ServiceAccount", "namespace": namespace, "name": name}])
        }
        (None, None) => {
            json!([{"kind": "ServiceAccount", "namespace": "default", "name": args.service_account}])
        }
    };
    [role, binding]
}

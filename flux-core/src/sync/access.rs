//! The rights that a sync needs: what its account has to be allowed for what git has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{AUTOSCALERS, Desired, SyncOptions, job, kinds, object, prune};
use crate::manifest::ResourceId;

/// A right that a sync needs.
///
/// Exhaustive: it is what a rule of a Role says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccessRule {
    /// The namespace; `None` for objects that are in none.
    pub namespace: Option<String>,
    /// The API group, empty for the core group.
    pub api_group: String,
    /// The resource, as in `deployments`.
    pub resource: String,
    /// The names that it is limited to; empty for any.
    pub names: BTreeSet<String>,
    /// The verbs.
    pub verbs: BTreeSet<&'static str>,
}

/// Returns the least rights with which a sync that is limited to the namespaces of git can do all
/// that it has to.
///
/// Every kind is read, watched, created and patched where git has it, and deleted from if the
/// options prune or an annotation lets an object be replaced. Objects that are in no namespace are
/// so by their names. `default_namespace` is that of objects that name none.
///
/// The resource of a custom kind is that of its definition, if git has it; otherwise it is its
/// plural by the rules of English, as it mostly is.
pub fn access(desired: &Desired, options: &SyncOptions, default_namespace: &str) -> Vec<AccessRule> {
    let values: Vec<Value> = desired.objects.iter().map(|desired| desired.object.value()).collect();
    let defined: BTreeMap<_, _> = values.iter().flat_map(kinds::defined_by).collect();
    let plurals: BTreeMap<_, _> = values.iter().filter_map(kinds::plural_of).collect();
    let mut rules = Rules { prune: options.prune, plurals, rules: BTreeMap::new() };
    for object in &values {
        let Some(written) = object::id_of(object) else { continue };
        let api_version = object::text(object, "apiVersion").unwrap_or_default();
        let known = kinds::builtin(api_version, written.kind())
            .or_else(|| defined.get(&(api_version.to_owned(), written.kind().to_owned())).copied());
        let namespaced = known.is_none_or(|known| known.namespaced);
        let namespace = || written.namespace().unwrap_or(default_namespace);
        let id = written.in_namespace(namespaced.then(namespace));
        if !prune::may_touch(&id, options) {
            continue;
        }
        rules.need(&id, object::says(object, "force", true));
        if let Some(record) = job::record_id(&id, object) {
            rules.need(&record, false);
        }
        if may_be_scaled(object) {
            rules.watch_autoscalers(id.namespace());
        }
    }
    rules.rules.into_values().collect()
}

/// The workloads that lists show.
const LISTED: [(&str, &str); 4] =
    [("apps", "Deployment"), ("apps", "DaemonSet"), ("apps", "StatefulSet"), ("batch", "CronJob")];

/// Returns the rights that lists of workloads need beside those of a sync: to read the workloads of
/// the namespaces that git has any in.
pub fn access_of_lists(desired: &Desired, options: &SyncOptions, default_namespace: &str) -> Vec<AccessRule> {
    let mut rules = Rules { prune: false, plurals: BTreeMap::new(), rules: BTreeMap::new() };
    let ids = desired.objects.iter().filter_map(|desired| object::written_id(&desired.object));
    for written in ids {
        let is_listed = LISTED.contains(&(written.group(), written.kind()));
        let id = written.in_namespace(Some(written.namespace().unwrap_or(default_namespace)));
        if !is_listed || !prune::may_touch(&id, options) {
            continue;
        }
        for (group, kind) in LISTED {
            let resource = rules.resource(group, kind);
            rules.add(id.namespace(), group, resource, None, ["get", "list", "watch"]);
        }
    }
    rules.rules.into_values().collect()
}

/// Returns the rights that Kubernetes Events need beside those of a sync: to create them in the
/// namespaces of its rules, and in `default` for objects that are in none.
pub fn access_of_events(sync: &[AccessRule]) -> Vec<AccessRule> {
    let namespaces: BTreeSet<&str> =
        sync.iter().map(|rule| rule.namespace.as_deref().unwrap_or("default")).collect();
    let mut rules = Rules { prune: false, plurals: BTreeMap::new(), rules: BTreeMap::new() };
    for namespace in namespaces {
        rules.add(Some(namespace), "events.k8s.io", "events".to_owned(), None, ["create"]);
    }
    rules.rules.into_values().collect()
}

/// Returns `true` if an autoscaler may scale an object.
fn may_be_scaled(object: &Value) -> bool {
    object["spec"]["replicas"].is_number()
        || matches!(object["kind"].as_str(), Some("Deployment" | "StatefulSet"))
}

struct Rules {
    prune: bool,
    /// The resources of the kinds that git defines.
    plurals: BTreeMap<(String, String), String>,
    /// By namespace, group, resource, and whether the rule is limited to names.
    rules: BTreeMap<(Option<String>, String, String, bool), AccessRule>,
}

impl Rules {
    fn need(&mut self, id: &ResourceId, may_replace: bool) {
        let resource = self.resource(id.group(), id.kind());
        let delete = (self.prune || may_replace).then_some("delete");
        if id.namespace().is_some() {
            let verbs = ["get", "list", "watch", "create", "patch"].into_iter().chain(delete);
            self.add(id.namespace(), id.group(), resource, None, verbs);
        } else {
            // Whoever creates an object cannot be held to its name.
            self.add(None, id.group(), resource.clone(), None, ["create"]);
            let verbs = ["get", "list", "watch", "patch"].into_iter();
            self.add(
                None,
                id.group(),
                resource,
                Some(id.name()),
                verbs.chain(may_replace.then_some("delete")),
            );
        }
    }

    fn watch_autoscalers(&mut self, namespace: Option<&str>) {
        for (group, kind) in AUTOSCALERS {
            let resource = self.resource(group, kind);
            self.add(namespace, group, resource, None, ["list", "watch"]);
        }
    }

    fn resource(&self, group: &str, kind: &str) -> String {
        let known = self.plurals.get(&(group.to_owned(), kind.to_owned()));
        known.cloned().unwrap_or_else(|| plural(kind))
    }

    fn add(
        &mut self,
        namespace: Option<&str>,
        group: &str,
        resource: String,
        name: Option<&str>,
        verbs: impl IntoIterator<Item = &'static str>,
    ) {
        let namespace = namespace.map(str::to_owned);
        let key = (namespace.clone(), group.to_owned(), resource.clone(), name.is_some());
        let rule = self.rules.entry(key).or_insert_with(|| AccessRule {
            namespace,
            api_group: group.to_owned(),
            resource,
            names: BTreeSet::new(),
            verbs: BTreeSet::new(),
        });
        rule.names.extend(name.map(str::to_owned));
        rule.verbs.extend(verbs);
    }
}

/// Returns the name of a resource by that of its kind, as Kubernetes forms it.
fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.as_str() {
        "endpoints" => kind,
        _ if kind.ends_with('s') || kind.ends_with("ch") || kind.ends_with('x') => format!("{kind}es"),
        _ => match kind.strip_suffix('y') {
            Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
            _ => format!("{kind}s"),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        finding::Place,
        sync::{DesiredObject, SyncSet},
    };

    #[test]
    fn resources_are_named_as_kubernetes_names_them() {
        for (kind, resource) in [
            ("Deployment", "deployments"),
            ("Ingress", "ingresses"),
            ("NetworkPolicy", "networkpolicies"),
            ("Endpoints", "endpoints"),
            ("StorageClass", "storageclasses"),
            ("HorizontalPodAutoscaler", "horizontalpodautoscalers"),
            ("Gateway", "gateways"),
        ] {
            assert_eq!(plural(kind), resource);
        }
    }

    #[test]
    fn the_rights_are_those_for_what_git_has() {
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "geese.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
                "names": {"kind": "Goose", "plural": "geese"}, "versions": [{"name": "v1", "served": true}]}});
        let objects = [
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}),
            json!({"apiVersion": "example.com/v1", "kind": "Goose", "metadata": {"name": "g", "namespace": "shop"}}),
            definition,
        ];
        let place = || Place::start_of("all.yaml");
        let objects = objects.map(|object| DesiredObject { object: object.into(), place: place() });
        let desired = Desired { objects: objects.into(), ..Desired::default() };
        let options = SyncOptions { prune: true, ..SyncOptions::new(SyncSet::new("shop")) };
        let rules = access(&desired, &options, "default");
        assert_eq!(
            texts(&rules),
            [
                "-/customresourcedefinitions/: create",
                "-/customresourcedefinitions/geese.example.com: get,list,patch,watch",
                "default/configmaps/: create,delete,get,list,patch,watch",
                "shop/geese/: create,delete,get,list,patch,watch",
            ]
        );
        assert_eq!(texts(&access_of_events(&rules)), ["default/events/: create", "shop/events/: create"]);
        assert_eq!(access_of_lists(&desired, &options, "default"), [], "git has no workload");
    }

    #[test]
    fn lists_read_the_workloads_of_the_namespaces_that_have_any() {
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}});
        let other =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "x"}});
        let object =
            |object: Value| DesiredObject { object: object.into(), place: Place::start_of("all.yaml") };
        let desired = Desired { objects: vec![object(web), object(other)], ..Desired::default() };
        let mut options = SyncOptions::new(SyncSet::new("shop"));
        let resources = ["cronjobs", "daemonsets", "deployments", "statefulsets"];
        let mut expected = resources.map(|resource| format!("shop/{resource}/: get,list,watch"));
        let mut found = texts(&access_of_lists(&desired, &options, "shop"));
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        options.namespaces = Some(vec!["x".to_owned()]);
        assert_eq!(access_of_lists(&desired, &options, "shop"), []);
    }

    fn texts(rules: &[AccessRule]) -> Vec<String> {
        let text = |rule: &AccessRule| {
            let verbs = rule.verbs.iter().copied().collect::<Vec<_>>().join(",");
            let names = rule.names.iter().cloned().collect::<Vec<_>>().join(",");
            format!("{}/{}/{names}: {verbs}", rule.namespace.as_deref().unwrap_or("-"), rule.resource)
        };
        rules.iter().map(text).collect()
    }
}

//! The kinds of the server, by discovery.
//!
//! Discovery takes two requests where the server supports aggregated discovery, else one for each
//! group and version.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use kube::{
    Client,
    core::{ApiResource, discovery::v2::APIGroupDiscoveryList},
};

use crate::failure::Failure;

/// A kind in one version.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kind {
    pub(crate) resource: ApiResource,
    pub(crate) namespaced: bool,
    /// `true` if its objects can be listed and watched.
    pub(crate) watchable: bool,
    /// `true` if its objects can be read one by one.
    pub(crate) readable: bool,
}

impl Kind {
    /// Returns the group and the kind.
    pub(crate) fn group_kind(&self) -> (String, String) {
        (self.resource.group.clone(), self.resource.kind.clone())
    }

    /// Returns `true` if the label of an object does not tell whether it is ours: the cluster
    /// copies labels.
    pub(crate) fn has_copied_labels(&self) -> bool {
        MADE_BY_CLUSTER.contains(&(self.resource.group.as_str(), self.resource.kind.as_str()))
    }

    /// Returns the name of the kind in messages.
    pub(crate) fn name(&self) -> String {
        format!("{} ({})", self.resource.kind, self.resource.api_version)
    }
}

/// All kinds of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kinds {
    /// By (`apiVersion`, `kind`).
    by_version: BTreeMap<(String, String), Kind>,
    /// Group and kind, each with its version of choice.
    preferred: BTreeMap<(String, String), String>,
    /// The values of `apiVersion` under which a group and kind is served.
    versions: BTreeMap<(String, String), BTreeSet<String>>,
    /// Groups of which the server could not say what they hold, each with the version and why.
    pub(crate) silent: Vec<(String, String)>,
}

/// Kinds in which nobody's manifests are looked for.
const NEVER_OURS: [(&str, &str); 5] = [
    ("", "Event"),
    ("events.k8s.io", "Event"),
    ("apps", "ControllerRevision"),
    ("", "ComponentStatus"),
    ("", "Binding"),
];

/// Kinds of which the cluster makes most objects itself, with labels copied from ours.
const MADE_BY_CLUSTER: [(&str, &str); 3] =
    [("", "Endpoints"), ("discovery.k8s.io", "EndpointSlice"), ("coordination.k8s.io", "Lease")];

/// The number of concurrent requests in the fallback.
const AT_ONCE: usize = 8;

impl Kinds {
    /// Asks the server.
    pub(crate) async fn discover(client: &Client) -> Result<Self, Failure> {
        match Self::aggregated(client).await {
            Ok(kinds) if !kinds.by_version.is_empty() => Ok(kinds),
            Err(e) if e.is_of_server() => Err(e),
            // A server before 1.26 answers with something else.
            _ => Self::one_by_one(client).await,
        }
    }

    async fn aggregated(client: &Client) -> Result<Self, Failure> {
        let (core, groups) = futures::try_join!(
            client.list_core_api_versions_aggregated(),
            client.list_api_groups_aggregated()
        )
        .map_err(|e| Failure::from_kube(&e))?;
        Ok(Self::of_aggregated([core, groups]))
    }

    fn of_aggregated(lists: impl IntoIterator<Item = APIGroupDiscoveryList>) -> Self {
        let mut kinds = Self::default();
        for group in lists.into_iter().flat_map(|list| list.items) {
            let name = group.metadata.and_then(|m| m.name).unwrap_or_default();
            for version in group.versions {
                let number = version.version.unwrap_or_default();
                if version.freshness.as_deref() == Some("Stale") {
                    let why = format!("{name}/{number}: the API service that serves it does not answer");
                    kinds.silent.push((name.clone(), why));
                }
                for resource in version.resources {
                    let (Some(kind), Some(plural)) =
                        (resource.response_kind.and_then(|k| k.kind), resource.resource)
                    else {
                        continue;
                    };
                    kinds.add(
                        (&name, &number, kind, plural),
                        resource.scope.as_deref() == Some("Namespaced"),
                        &resource.verbs,
                    );
                }
            }
        }
        kinds
    }

    async fn one_by_one(client: &Client) -> Result<Self, Failure> {
        let core = client.list_core_api_versions().await.map_err(|e| Failure::from_kube(&e))?;
        let groups = client.list_api_groups().await.map_err(|e| Failure::from_kube(&e))?;
        let mut asked: Vec<(String, String)> =
            core.versions.into_iter().map(|version| (String::new(), version)).collect();
        for mut group in groups.groups {
            let preferred = group.preferred_version.map(|v| v.version);
            // Stable sort: the version of choice first.
            group.versions.sort_by_key(|v| Some(&v.version) != preferred.as_ref());
            asked.extend(group.versions.into_iter().map(|v| (group.name.clone(), v.version)));
        }
        let asks = asked.into_iter().map(|(group, version)| async move {
            let answer = if group.is_empty() {
                client.list_core_api_resources(&version).await
            } else {
                client.list_api_group_resources(&format!("{group}/{version}")).await
            };
            (group, version, answer)
        });
        // In order, since the first version of a kind is that of choice.
        let answers: Vec<_> = stream::iter(asks.collect::<Vec<_>>()).buffered(AT_ONCE).collect().await;
        let mut kinds = Self::default();
        for (group, version, answer) in answers {
            match answer {
                Ok(list) => {
                    for resource in list.resources.into_iter().filter(|r| !r.name.contains('/')) {
                        kinds.add(
                            (&group, &version, resource.kind, resource.name),
                            resource.namespaced,
                            &resource.verbs,
                        );
                    }
                }
                Err(e) => {
                    let why = format!("{group}/{version}: {}", Failure::from_kube(&e).message);
                    kinds.silent.push((group, why));
                }
            }
        }
        Ok(kinds)
    }

    fn add(
        &mut self,
        (group, version, kind, plural): (&str, &str, String, String),
        namespaced: bool,
        verbs: &[String],
    ) {
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let can = |verb: &str| verbs.iter().any(|v| v == verb);
        let watchable = can("list") && can("watch");
        if watchable {
            self.preferred.entry((group.to_owned(), kind.clone())).or_insert_with(|| api_version.clone());
        }
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: api_version.clone(),
            kind: kind.clone(),
            plural,
        };
        let found = Kind { resource, namespaced, watchable, readable: can("get") };
        self.versions.entry((group.to_owned(), kind.clone())).or_default().insert(api_version.clone());
        self.by_version.entry((api_version, kind)).or_insert(found);
    }

    /// A kind in a version.
    pub(crate) fn get(&self, api_version: &str, kind: &str) -> Option<&Kind> {
        self.by_version.get(&(api_version.to_owned(), kind.to_owned()))
    }

    /// The values of `apiVersion` under which a kind is served.
    pub(crate) fn versions(&self, group: &str, kind: &str) -> BTreeSet<String> {
        self.versions.get(&(group.to_owned(), kind.to_owned())).cloned().unwrap_or_default()
    }

    /// A kind in its version of choice.
    pub(crate) fn preferred(&self, group: &str, kind: &str) -> Option<&Kind> {
        self.get(self.preferred.get(&(group.to_owned(), kind.to_owned()))?, kind)
    }

    /// The kinds in which objects of ours may be though git names none, each in its version of
    /// choice, without those of `known` (group, kind).
    pub(crate) fn others(&self, except: &BTreeSet<(String, String)>) -> Vec<Kind> {
        self.preferred
            .iter()
            .filter(|(key, _)| !except.contains(*key))
            .filter(|((group, kind), _)| {
                // `extensions` serves under another name what other groups serve.
                group != "extensions" && !NEVER_OURS.contains(&(group.as_str(), kind.as_str()))
            })
            .filter_map(|((_, kind), api_version)| self.get(api_version, kind).cloned())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kinds() -> Kinds {
        let resource = |kind: &str, plural: &str, verbs: &[&str]| json!({ "resource": plural, "scope": "Namespaced", "verbs": verbs, "responseKind": { "kind": kind } });
        let all = ["get", "list", "watch", "patch"];
        Kinds::of_aggregated([serde_json::from_value(json!({ "items": [
            { "metadata": {}, "versions": [{ "version": "v1", "resources": [
                resource("ConfigMap", "configmaps", &all), resource("Event", "events", &all), resource("Binding", "bindings", &["create"]),
            ] }] },
            { "metadata": { "name": "autoscaling" }, "versions": [
                { "version": "v2", "resources": [resource("HorizontalPodAutoscaler", "horizontalpodautoscalers", &all)] },
                { "version": "v1", "resources": [resource("HorizontalPodAutoscaler", "horizontalpodautoscalers", &all)] },
            ] },
            { "metadata": { "name": "metrics.k8s.io" }, "versions": [{ "version": "v1", "freshness": "Stale", "resources": [] }] },
        ] })).unwrap()])
    }

    #[test]
    fn a_kind_is_known_in_every_version() {
        for version in ["autoscaling/v1", "autoscaling/v2"] {
            assert_eq!(
                kinds().get(version, "HorizontalPodAutoscaler").unwrap().resource.api_version,
                version
            );
        }
        assert!(kinds().get("v1", "Widget").is_none());
    }

    #[test]
    fn others_are_looked_for_once_in_their_version_of_choice() {
        let names = |known: &[(&str, &str)]| {
            let known = known.iter().map(|(g, k)| ((*g).to_owned(), (*k).to_owned())).collect();
            kinds()
                .others(&known)
                .into_iter()
                .map(|k| format!("{} {}", k.resource.api_version, k.resource.kind))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&[]), ["v1 ConfigMap", "autoscaling/v2 HorizontalPodAutoscaler"]);
        assert_eq!(names(&[("autoscaling", "HorizontalPodAutoscaler")]), ["v1 ConfigMap"]);
    }

    #[test]
    fn a_group_that_is_unavailable_is_named() {
        assert_eq!(kinds().silent.len(), 1);
        assert!(kinds().silent[0].1.starts_with("metrics.k8s.io/v1"));
    }
}

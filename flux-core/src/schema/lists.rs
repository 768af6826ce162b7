//! How lists of built-in kinds merge: which are maps by key, which are sets.
//!
//! All others are atomic, as are those of custom resources.

use super::path::{Elem, FieldPath};

/// How the items of a list, or the entries of an object, belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Items are identified by these fields.
    Map(&'static [&'static str]),
    /// Items are scalars, each at most once.
    Set,
    /// The whole is one value.
    Atomic,
}

const CONTAINERS: &[&str] = &["containers", "initContainers", "ephemeralContainers"];

/// The lists that merge, but for a few whose names other lists have as well: the fields they stand
/// in (none for the root of the object), their own name, their keys.
const MERGING: &[(&[&str], &str, Shape)] = &[
    (&["spec"], "containers", Shape::Map(&["name"])),
    (&["spec"], "initContainers", Shape::Map(&["name"])),
    (&["spec"], "ephemeralContainers", Shape::Map(&["name"])),
    (&["spec"], "volumes", Shape::Map(&["name"])),
    (&["spec"], "imagePullSecrets", Shape::Map(&["name"])),
    (&["spec"], "hostAliases", Shape::Map(&["ip"])),
    (&["spec"], "topologySpreadConstraints", Shape::Map(&["topologyKey", "whenUnsatisfiable"])),
    (&["spec"], "resourceClaims", Shape::Map(&["name"])),
    (&["spec"], "schedulingGates", Shape::Map(&["name"])),
    (&["spec"], "ports", Shape::Map(&["port", "protocol"])),
    (CONTAINERS, "env", Shape::Map(&["name"])),
    (CONTAINERS, "ports", Shape::Map(&["containerPort", "protocol"])),
    (CONTAINERS, "volumeMounts", Shape::Map(&["mountPath"])),
    (CONTAINERS, "volumeDevices", Shape::Map(&["devicePath"])),
    (&["resources"], "claims", Shape::Map(&["name"])),
    (&["spec"], "drivers", Shape::Map(&["name"])),
    (&["spec"], "podCIDRs", Shape::Set),
    (&["spec"], "validationActions", Shape::Set),
    (&["spec"], "volumeLifecycleModes", Shape::Set),
    (&["spec", "webhooks"], "matchConditions", Shape::Map(&["name"])),
    (&["onExitCodes", "exitCodes"], "values", Shape::Set),
    (&["endpoints"], "addresses", Shape::Set),
    (&["nonResourceRules"], "nonResourceURLs", Shape::Set),
    (&["nonResourceRules"], "verbs", Shape::Set),
    (&["status"], "conditions", Shape::Map(&["type"])),
    (&["metadata"], "ownerReferences", Shape::Map(&["uid"])),
    (&["metadata"], "finalizers", Shape::Set),
    (&[], "webhooks", Shape::Map(&["name"])),
    (&[], "secrets", Shape::Map(&["name"])),
];

/// The objects that are one value: label selectors.
const ATOMIC_OBJECTS: &[&str] = &["selector", "nodeSelector", "labelSelector"];

/// Returns `true` if a group is one of Kubernetes' own, whose kinds have the meaning that tables of
/// kinds and fields give them.
pub(crate) fn is_builtin_group(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io")
}

/// The meaning of the fields of an object, by its API group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema {
    builtin: bool,
}

impl Schema {
    pub(crate) fn of_group(group: &str) -> Self {
        Self { builtin: is_builtin_group(group) }
    }

    /// Returns `true` if the kinds of the group are built in.
    pub(crate) fn is_builtin(self) -> bool {
        self.builtin
    }

    /// Returns how the list at a path merges.
    pub(crate) fn list(self, path: &FieldPath) -> Shape {
        let mut fields = path.0.iter().rev().filter_map(|elem| match elem {
            Elem::Field(name) => Some(name.as_str()),
            _ => None,
        });
        let (own, within) = (fields.next(), fields.next());
        let metadata = within == Some("metadata") && path.0.len() == 2;
        if !self.builtin && !metadata {
            return Shape::Atomic;
        }
        MERGING
            .iter()
            .find(|(parents, name, _)| {
                own == Some(*name) && within.map_or(parents.is_empty(), |within| parents.contains(&within))
            })
            .map_or(Shape::Atomic, |(.., shape)| *shape)
    }

    /// Returns `true` if the object at a path is one value.
    pub(crate) fn is_atomic_object(self, path: &FieldPath) -> bool {
        self.builtin
            && matches!(path.0.last(), Some(Elem::Field(name)) if ATOMIC_OBJECTS.contains(&name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_merge_as_the_api_server_merges_them() {
        let web = Elem::parse(r#"k:{"name":"web"}"#).unwrap();
        let container = FieldPath::from_fields(&["spec", "template", "spec", "containers"]);
        let in_web = |field: &str| container.join(web.clone()).join(Elem::Field(field.to_owned()));
        let apps = Schema::of_group("apps");
        assert_eq!(apps.list(&container), Shape::Map(&["name"]));
        assert_eq!(apps.list(&in_web("env")), Shape::Map(&["name"]));
        assert_eq!(apps.list(&in_web("ports")), Shape::Map(&["containerPort", "protocol"]));
        assert_eq!(apps.list(&in_web("args")), Shape::Atomic);
        assert_eq!(
            Schema::of_group("").list(&FieldPath::from_fields(&["spec", "ports"])),
            Shape::Map(&["port", "protocol"])
        );
        assert_eq!(
            Schema::of_group("networking.k8s.io")
                .list(&FieldPath::from_fields(&["spec", "ingress", "ports"])),
            Shape::Atomic
        );
        let custom = Schema::of_group("example.com");
        assert_eq!(custom.list(&container), Shape::Atomic);
        assert_eq!(custom.list(&FieldPath::from_fields(&["metadata", "finalizers"])), Shape::Set);
    }
}

//! The keys of a kustomization (kustomize 5.5), with the shapes of their values and what the values
//! name.
//!
//! From this one table it follows which objects are taken for kustomizations, which mistakes one
//! has, which files it lists, and which files are parts of it.

use Shape::{Items, Keys, Map as AnyMap, Maps, Number, Text, TextMap, Texts, Truth};

/// The shape of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Text,
    Number,
    Truth,
    /// A mapping with any entries.
    Map,
    /// A mapping of strings.
    TextMap,
    /// A list of strings.
    Texts,
    /// A mapping of these keys.
    Keys(&'static [(&'static str, Shape)]),
    /// A list of mappings of these keys.
    Items(&'static [(&'static str, Shape)]),
    /// A list of mappings with any entries.
    Maps,
}

const METADATA: &[(&str, Shape)] =
    &[("name", Text), ("namespace", Text), ("labels", TextMap), ("annotations", TextMap)];

const IMAGE: &[(&str, Shape)] =
    &[("name", Text), ("newName", Text), ("newTag", Text), ("digest", Text), ("tagSuffix", Text)];

const PATCH: &[(&str, Shape)] = &[("path", Text), ("patch", Text), ("target", AnyMap), ("options", AnyMap)];

const REPLICA: &[(&str, Shape)] = &[("name", Text), ("count", Number)];

const LABEL: &[(&str, Shape)] =
    &[("pairs", TextMap), ("includeSelectors", Truth), ("includeTemplates", Truth), ("fields", Maps)];

const SOURCES: &[(&str, Shape)] = &[
    ("name", Text),
    ("namespace", Text),
    ("behavior", Text),
    ("literals", Texts),
    ("files", Texts),
    ("envs", Texts),
    ("env", Text),
    ("options", AnyMap),
    // For secrets.
    ("type", Text),
];

/// The kinds of things that the entries of a list name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Nothing in the repository.
    Nothing,
    /// Files of objects, and folders with kustomizations.
    Objects,
    /// Folders with components.
    Components,
    /// Files that define the scopes of kinds and their fields; they may be objects as well.
    Kinds,
    /// Files of configuration.
    Configuration,
    /// Files and folders with the configuration of plugins, or the configuration itself as text.
    Plugins,
    /// Files of patches, or the patches themselves as text.
    Patches,
    /// A file for each entry, at the key `path` of a mapping.
    AtPath,
    /// The files that a config map or a secret is made of.
    Sources,
}

/// A key that kustomize knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    names: Names,
    /// `true` if a mapping with this key is taken for a kustomization without a kind, provided that
    /// its other keys are known as well.
    pub(crate) telling: bool,
    /// The key to write in its place, if kustomize warns of it.
    pub(crate) instead: Option<&'static str>,
}

/// Returns a key whose value names nothing.
const fn key(name: &'static str, shape: Shape) -> Key {
    Key { name, shape, names: Names::Nothing, telling: false, instead: None }
}

impl Key {
    const fn names(self, names: Names) -> Self {
        Self { names, ..self }
    }

    const fn telling(self) -> Self {
        Self { telling: true, ..self }
    }

    const fn instead(self, key: &'static str) -> Self {
        Self { instead: Some(key), ..self }
    }
}

/// The keys of a kustomization.
///
/// The first dozen are listed in the message about an unknown key.
pub(crate) const KEYS: [Key; 34] = [
    key("apiVersion", Text),
    key("kind", Text),
    key("metadata", Keys(METADATA)),
    key("resources", Texts).names(Names::Objects).telling(),
    key("components", Texts).names(Names::Components).telling(),
    key("images", Items(IMAGE)).telling(),
    key("namePrefix", Text),
    key("nameSuffix", Text),
    key("namespace", Text),
    key("commonLabels", TextMap).instead("labels"),
    key("commonAnnotations", TextMap),
    key("labels", Items(LABEL)),
    key("patches", Items(PATCH)).names(Names::AtPath),
    key("replicas", Items(REPLICA)),
    key("configMapGenerator", Items(SOURCES)).names(Names::Sources),
    key("secretGenerator", Items(SOURCES)).names(Names::Sources),
    key("generatorOptions", AnyMap),
    key("configurations", Texts).names(Names::Configuration),
    key("crds", Texts).names(Names::Kinds),
    key("generators", Texts).names(Names::Plugins),
    key("transformers", Texts).names(Names::Plugins),
    key("validators", Texts).names(Names::Plugins),
    key("openapi", TextMap),
    key("buildMetadata", Texts),
    key("sortOptions", AnyMap),
    key("helmCharts", Maps),
    key("helmGlobals", AnyMap),
    key("helmChartInflationGenerator", Maps),
    key("bases", Texts).names(Names::Objects).telling().instead("resources"),
    key("imageTags", Items(IMAGE)).instead("images"),
    key("patchesJson6902", Items(PATCH)).names(Names::AtPath).instead("patches"),
    key("patchesStrategicMerge", Texts).names(Names::Patches).instead("patches"),
    key("replacements", Maps).names(Names::AtPath),
    key("vars", Maps).instead("replacements"),
];

/// The keys that earlier versions of kustomize accepted and this one refuses.
///
/// A mapping with one of them is still taken for a kustomization.
pub(crate) const FORMER: [&str; 1] = ["inventory"];

/// The keys with their shapes.
pub(crate) const SHAPES: [(&str, Shape); KEYS.len()] = {
    let (mut shapes, mut at) = ([("", Text); KEYS.len()], 0);
    while at < KEYS.len() {
        shapes[at] = (KEYS[at].name, KEYS[at].shape);
        at += 1;
    }
    shapes
};

/// Returns the lists whose entries name such things, in the order in which kustomize reads them.
pub(crate) fn lists(of: Names) -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter(move |key| key.names == of).map(|key| key.name)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::manifest::kustomization::looks_like_one;

    #[test]
    fn lists_stand_in_the_order_in_which_they_are_taken_in() {
        let table = [
            (Names::Objects, &["resources", "bases"][..]),
            (Names::Components, &["components"]),
            (Names::Kinds, &["crds"]),
            (Names::Configuration, &["configurations"]),
            (Names::Plugins, &["generators", "transformers", "validators"]),
            (Names::Patches, &["patchesStrategicMerge"]),
            (Names::AtPath, &["patches", "patchesJson6902", "replacements"]),
            (Names::Sources, &["configMapGenerator", "secretGenerator"]),
        ];
        for (names, expected) in table {
            assert_eq!(lists(names).collect::<Vec<_>>(), expected, "{names:?}");
        }
    }

    #[test]
    fn a_mapping_is_taken_for_a_kustomization_by_its_keys() {
        let table = [
            (&["resources"][..], true),
            (&["bases", "namePrefix"], true),
            (&["images", "inventory"], true),
            (&["components", "other"], false),
            (&["namePrefix"], false),
            (&["inventory"], false),
            (&["Resources"], false),
            (&[], false),
        ];
        for (keys, expected) in table {
            let object = keys.iter().map(|key| ((*key).to_owned(), Value::Null)).collect();
            assert_eq!(looks_like_one(&object), expected, "{keys:?}");
        }
    }

    #[test]
    fn every_key_is_listed_once_and_every_replacement_is_a_key() {
        for key in KEYS {
            let alike = KEYS.iter().filter(|other| other.name.eq_ignore_ascii_case(key.name)).count();
            assert_eq!((alike, FORMER.contains(&key.name)), (1, false), "{}", key.name);
            let known = |name| KEYS.iter().any(|other| other.name == name && other.instead.is_none());
            assert!(key.instead.is_none_or(known), "{}", key.name);
        }
    }
}

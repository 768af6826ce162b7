//! Checks of objects, with no API server asked: what it will refuse of them.
//!
//! Built-in kinds are held against the table of their fields, and against the rules of the API
//! server's validation that no table has; kinds whose definition is among the manifests against the
//! schema of that; metadata of any kind against the rules that hold for all. A finding says that
//! the server refuses the object for certain: it may refuse others for reasons that are not known
//! here.
//!
//! Looked at is what would be sent. Of what a kustomization changes that nobody builds, little is
//! said, as a patch may make it right. A text that another tool is to fill in (`${…}`, `$(…)`,
//! `{{ … }}`) can be anything, and so nothing is said of it.

mod at;
mod data;
mod definitions;
mod fault;
mod forms;
mod metadata;
mod others;
mod places;
mod pods;
mod ports;
mod rules;
mod selectors;
mod services;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;

use serde_json::Value;

use self::{
    definitions::{Defined, is_definition},
    fault::{Fault, Faults, Path},
    walk::Walk,
};
use crate::{
    finding::{Finding, Place},
    kustomize,
    manifest_set::{Located, Manifests},
    repo_path::RepoPath,
    schema::{
        table::builtin,
        types::{Type, Types},
    },
};

/// The type of the metadata of any object.
const METADATA: &str = "meta.v1.ObjectMeta";

/// An object with its faults.
#[derive(Debug)]
struct Faulty<'m> {
    at: Located<'m>,
    faults: Vec<Fault<'m>>,
}

/// The objects to be checked, and the definitions of kinds that speak for them, as trees.
#[derive(Debug)]
pub(crate) struct Trees<'m> {
    manifests: &'m Manifests,
    definitions: Vec<Value>,
    objects: Vec<(Located<'m>, Value)>,
}

impl<'m> Trees<'m> {
    /// Reads objects of these manifests.
    pub(crate) fn of(manifests: &'m Manifests, objects: impl IntoIterator<Item = Located<'m>>) -> Self {
        let definitions = manifests.resources().filter(|located| is_definition(located.resource));
        let checked = objects.into_iter().filter(|at| !at.resource.is_encrypted());
        Self {
            manifests,
            definitions: definitions.map(|located| located.resource.object.value()).collect(),
            objects: checked.map(|at| (at.clone(), at.resource.object.value())).collect(),
        }
    }
}

/// The objects that the API server will refuse, with the reasons.
#[derive(Debug, Default)]
pub(crate) struct ObjectChecks<'m>(Vec<Faulty<'m>>);

impl<'m> ObjectChecks<'m> {
    /// Checks objects.
    pub(crate) fn of(trees: &'m Trees<'m>) -> Self {
        let defined = Defined::by(trees.manifests, &trees.definitions);
        let unfinished = kustomize::unfinished(trees.manifests.files());
        let faulty = trees.objects.iter().filter_map(|(at, object)| {
            let faults = object_faults(object, &defined, unfinished.contains(at.path));
            (!faults.is_empty()).then(|| Faulty { at: at.clone(), faults })
        });
        Self(faulty.collect())
    }

    /// Returns the paths of the files whose texts are needed to place the findings.
    pub(crate) fn paths(&self) -> Vec<&'m RepoPath> {
        let mut paths: Vec<&RepoPath> = self.0.iter().map(|faulty| faulty.at.path).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Returns the findings, each at its place in the texts of the files.
    ///
    /// Without the text of its file, a finding is at the place of its object.
    pub(crate) fn findings(&self, texts: &BTreeMap<RepoPath, String>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut rest = self.0.as_slice();
        while let Some(first) = rest.first() {
            let (of_file, others) =
                rest.split_at(rest.partition_point(|faulty| faulty.at.path == first.at.path));
            rest = others;
            let wanted: Vec<(usize, &Fault<'_>)> = of_file
                .iter()
                .flat_map(|faulty| faulty.faults.iter().map(|f| (faulty.at.index, f)))
                .collect();
            let positions = texts.get(first.at.path).map(|text| places::positions(text, &wanted));
            let faults = of_file.iter().flat_map(|faulty| faulty.faults.iter().map(move |f| (faulty, f)));
            for (n, (Faulty { at, .. }, fault)) in faults.enumerate() {
                let position = positions.as_ref().and_then(|positions| *positions.get(n)?);
                findings.push(finding(at, fault, at.place_of(position.unwrap_or(at.resource.position))));
            }
        }
        findings
    }
}

fn finding(at: &Located<'_>, fault: &Fault<'_>, place: Place) -> Finding {
    Finding {
        code: fault.code,
        subject: at.workload_id().to_string(),
        place: Some(place),
        evidence: fault.evidence.clone(),
        remedy: fault.remedy.clone(),
    }
}

/// Returns what the API server refuses of an object.
///
/// Of an object that a kustomization changes before it is sent, it is only told what hardly any
/// change makes right: fields that there are not, items that stand twice, numbers in the place of
/// texts.
fn object_faults<'v>(object: &'v Value, defined: &Defined<'_>, is_unfinished: bool) -> Vec<Fault<'v>> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let mut faults = Faults {
        is_secret: kind == "Secret" && api_version == "v1",
        is_unfinished,
        claims: claims(object),
        ..Faults::default()
    };
    let (known, types) = match builtin().kind(api_version, kind) {
        Some(known) => (Some(known), builtin()),
        None => (defined.types.kind(api_version, kind), &defined.types),
    };
    if let Some(known) = known {
        walk(types, &known.of, object, Path::default(), &mut faults);
    }
    // That of built-in kinds was walked with them.
    let metadata = object.get("metadata").filter(|_| builtin().kind(api_version, kind).is_none());
    let of = builtin().objects.iter().position(|object| object.name == METADATA);
    if let Some((metadata, of)) = metadata.zip(of) {
        let path = Path::default().within(&["metadata"]);
        walk(builtin(), &Type::Object(of), metadata, path, &mut faults);
    }
    let names = known.and_then(|known| known.names);
    let is_namespaced =
        known.map_or_else(|| defined.is_namespaced(api_version, kind), |known| known.is_namespaced);
    if is_unfinished {
        return faults.all;
    }
    if let Some(of_object) = object.get("metadata").and_then(Value::as_object) {
        metadata::check(of_object, names, is_namespaced, &mut faults);
    }
    faults.all
}

fn walk<'t, 'v>(
    types: &'t Types<'t>,
    of: &Type<'_>,
    value: &'v Value,
    path: Path<'v>,
    faults: &mut Faults<'v>,
) {
    Walk { types, path, faults }.value(of, value);
}

/// Returns the names of the claims that a StatefulSet makes volumes of.
fn claims(object: &Value) -> Vec<&str> {
    let claims = object.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
    claims.into_iter().flatten().filter_map(|claim| claim.pointer("/metadata/name")?.as_str()).collect()
}

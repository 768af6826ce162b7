//! All manifests of a revision: which files they are, and what they say together.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value;

use crate::{
    finding::{Code, Finding, Place, Problem},
    kustomize::{self, Build, Described, Origins, PartFiles},
    manifest::{ParsedFile, Resource, ResourceId, Scope, WorkloadId, kustomization, scope_of},
    position::Position,
    workload,
};

/// The namespace of namespaced objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// All manifests of a revision. Pure assembly of parsed files: equal files give equal manifests.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    files: BTreeMap<String, Arc<ParsedFile>>,
    kinds: BTreeMap<(String, String), Scope>,
    /// File, index and id of the objects, by path and place. Those that are described twice are left out.
    objects: Vec<Object>,
    /// The workloads by their ids, as indexes into `objects`.
    workloads: HashMap<WorkloadId, usize>,
    /// What is wrong with the files together.
    findings: Vec<Finding>,
    generated: BTreeMap<String, Generated>,
    /// What kustomize built objects from, by the path under which these are known.
    builds: BTreeMap<String, Build>,
    origins: Origins,
    /// The files that kustomizations name as patches and the like. They describe no objects.
    parts: PartFiles,
}

/// What is known of objects that no file holds: commands made them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// Why their images cannot be changed, if they cannot.
    pub refuses_images: Option<String>,
    /// Why their policies cannot be changed, if they cannot.
    pub refuses_policies: Option<String>,
    /// The commands that printed them, in the order of their outputs.
    pub outputs: Vec<CommandOutput>,
}

/// A command whose output is part of what is known under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutput {
    /// The line of the whole at which the output of the command starts, counted from 1.
    pub first_line: u32,
    /// The command; of a script, its beginning.
    pub command: String,
    /// Where the command is written.
    pub place: Place,
}

impl Generated {
    /// Returns the place of a position in what the commands printed; `None` if it is in the output of no command.
    fn place(&self, position: Position) -> Option<Place> {
        let output = self.outputs.iter().rev().find(|output| output.first_line <= position.line)?;
        let line = position.line - output.first_line + 1;
        Some(output.place.clone().in_output(&*output.command, Position { line, ..position }))
    }
}

/// Returns the place of a position in the file of this path, or in what the commands printed that is known under it.
fn place_in(generated: &BTreeMap<String, Generated>, path: &str, position: Position) -> Place {
    let printed = generated.get(path).and_then(|generated| generated.place(position));
    printed.unwrap_or_else(|| Place::in_file(path, position))
}

/// Puts a finding about what commands printed in its place.
fn placed(generated: &BTreeMap<String, Generated>, mut finding: Finding) -> Finding {
    if let Some(place) = &mut finding.place
        && place.output.is_none()
        && generated.contains_key(&place.path)
    {
        *place = place_in(generated, &place.path, place.position);
    }
    finding
}

#[derive(Clone, Debug)]
struct Object {
    path: String,
    index: usize,
    id: ResourceId,
    /// Its id as a workload, with the group where another has the same without it.
    workload: WorkloadId,
}

/// An object and where it stands.
#[derive(Clone, Debug)]
pub struct Located<'a> {
    /// The file's path, as it was given.
    pub path: &'a str,
    /// The object's index in the file.
    pub index: usize,
    /// The object.
    pub resource: &'a Resource,
    /// Its identity. Namespaced objects that name no namespace are in `default`; cluster-scoped ones are in none.
    pub id: ResourceId,
    /// Its id as a workload.
    workload: WorkloadId,
    /// Set if no file holds it: its path is none, and there are no bytes to edit.
    pub generated: Option<&'a Generated>,
}

impl Located<'_> {
    /// Where it stands.
    pub fn place(&self) -> Place {
        self.place_of(Position { line: self.resource.line, column: self.resource.column })
    }

    /// The place of a position in the object's file, or in what the commands printed that made it.
    pub fn place_of(&self, position: Position) -> Place {
        let printed = self.generated.and_then(|generated| generated.place(position));
        printed.unwrap_or_else(|| Place::in_file(self.path, position))
    }

    /// The finding about a problem of the object's file, or of what the commands printed that made it.
    pub fn finding(&self, problem: &Problem) -> Finding {
        let position = Position { line: problem.line, column: problem.column };
        Finding { place: Some(self.place_of(position)), ..problem.at(self.path) }
    }

    /// The id in v1's text form; with the API group where a workload of another group has the same without it.
    pub fn workload_id(&self) -> WorkloadId {
        self.workload.clone()
    }
}

impl Manifests {
    /// Puts files together, given by their paths.
    ///
    /// Objects that are described more than once are left out, all copies of them, and a finding names the places.
    ///
    /// What one file says of another is put in: rules for custom workloads (`spec.workloads` of a `FluxPolicy`) make workloads of the objects that
    /// they are for, and the `images:` of kustomizations set the images of the objects that these list, in [`Container`](super::Container) and in
    /// [`object`](Resource::object) alike. Kustomizations themselves are no objects, nor is what they name as patches.
    pub fn new(files: BTreeMap<String, Arc<ParsedFile>>) -> Self {
        Self::of(files, BTreeMap::new())
    }

    /// Puts files together as [`new`](Self::new) does, those under the paths of `generated` being what commands made.
    pub fn of(mut files: BTreeMap<String, Arc<ParsedFile>>, generated: BTreeMap<String, Generated>) -> Self {
        let kinds = defined_kinds(&files);
        let mut findings = workload::apply(&mut files);
        findings.extend(kustomize::apply(&mut files));
        let parts = kustomize::parts(&files);
        let mut places: BTreeMap<ResourceId, Vec<(&str, usize)>> = BTreeMap::new();
        for (path, file) in files.iter().filter(|(path, _)| !parts.contains(path)) {
            for (index, resource) in file.resources.iter().enumerate() {
                match (kustomization::is_file(path), kustomization::is_kustomization(resource)) {
                    (false, false) => {
                        places.entry(identity(resource, &kinds)).or_default().push((path, index));
                    }
                    (false, true) => findings.push(kustomize::misplaced(path, resource)),
                    (true, _) => {}
                }
            }
        }
        let described =
            places.keys().map(|id| (id.group.as_str(), id.kind.as_str(), id.name.as_str())).collect();
        findings.extend(parts.alone(&files, &described));
        let mut objects = Vec::new();
        for (id, places) in places {
            match *places.as_slice() {
                [(path, index)] => {
                    let workload = id.workload_id();
                    objects.push(Object { path: path.to_owned(), index, id, workload });
                }
                _ => findings.push(duplicate(&id.to_string(), &places, &files, &generated)),
            }
        }
        objects.sort_by(|a, b| (&a.path, a.index).cmp(&(&b.path, b.index)));
        let mut by_text: BTreeMap<WorkloadId, Vec<usize>> = BTreeMap::new();
        for (at, object) in objects.iter().enumerate() {
            if files[&object.path].resources[object.index].workload.is_some() {
                by_text.entry(object.id.workload_id()).or_default().push(at);
            }
        }
        let findings = findings.into_iter().map(|finding| placed(&generated, finding)).collect();
        let mut workloads = HashMap::new();
        for (id, found) in by_text {
            let several = found.len() > 1;
            for at in found {
                let Object { id: ResourceId { group, .. }, workload, .. } = &mut objects[at];
                *workload = if several { id.clone().in_group(group) } else { id.clone() };
                workloads.insert(workload.clone(), at);
            }
        }
        Self {
            kinds,
            objects,
            workloads,
            findings,
            files,
            generated,
            builds: BTreeMap::new(),
            origins: Origins::new(),
            parts,
        }
    }

    /// The same manifests, of which those under these paths were made by commands.
    #[must_use]
    pub fn with_generated(self, generated: BTreeMap<String, Generated>) -> Self {
        Self { generated, ..self }
    }

    /// The same manifests, of which those under these paths were built by kustomize: their images and policies are written in the files that they were
    /// built from.
    #[must_use]
    pub fn with_builds(mut self, mut builds: BTreeMap<String, Build>) -> Self {
        for build in builds.values_mut() {
            workload::apply_those_of(&self.files, &mut build.files);
        }
        self.origins = kustomize::trace(&builds, &mut self.files);
        self.builds = builds;
        self
    }

    /// The documents that describe an object that kustomize built: the object itself, then the patches of it, the last word last. None for
    /// other objects, and for those that no file is known to describe.
    pub fn described(&self, at: &Located<'_>) -> Vec<(&Described, &Resource)> {
        let documents = self.origins.get(&(at.path.to_owned(), at.index)).into_iter().flatten();
        let files = self.builds.get(at.path).map(|build| &build.files);
        let resource = |document: &Described| files?.get(&document.path)?.resources.get(document.resource);
        documents.filter_map(|document| Some((document, resource(document)?))).collect()
    }

    /// What gives an annotation to an object that kustomize built, where none of the documents that describe it does; for people.
    pub(crate) fn annotated_by(&self, at: &Located<'_>, key: &str) -> Option<String> {
        kustomize::annotated_by(self.builds.get(at.path)?, key)
    }

    /// Whether kustomize built what is known under a path.
    pub(crate) fn is_build(&self, path: &str) -> bool {
        self.builds.contains_key(path)
    }

    /// What is known of the objects that commands made, by the path they are known under.
    pub fn generated(&self) -> &BTreeMap<String, Generated> {
        &self.generated
    }

    /// The place of a position in the file of this path, or in what the commands printed that is known under it.
    pub fn place(&self, path: &str, position: Position) -> Place {
        place_in(&self.generated, path, position)
    }

    /// All objects, by path and place.
    pub fn resources(&self) -> impl Iterator<Item = Located<'_>> {
        self.objects.iter().map(|object| self.located(object))
    }

    /// The workloads that can be released, by path and place.
    pub fn workloads(&self) -> impl Iterator<Item = Located<'_>> {
        self.resources()
            .filter(|at| at.resource.workload.is_some() && self.workloads.contains_key(&at.workload))
    }

    /// The workload with an id, or the only one that it [may mean](Self::candidates_for).
    pub fn workload(&self, id: &WorkloadId) -> Option<Located<'_>> {
        let at = self.workloads.get(id).or_else(|| match self.candidates_for(id).as_slice() {
            [one] => self.workloads.get(one),
            _ => None,
        });
        at.map(|&at| self.located(&self.objects[at]))
    }

    /// The ids of the workloads that an id may mean: the one that has it, else all that it fits, with the API group or without.
    pub fn candidates_for(&self, id: &WorkloadId) -> Vec<WorkloadId> {
        if self.workloads.contains_key(id) {
            return vec![id.clone()];
        }
        let is = |at: &Located<'_>| at.resource.is(id) && at.workload.namespace() == id.namespace();
        self.workloads().filter(is).map(|at| at.workload_id()).collect()
    }

    /// The files by their paths.
    pub fn files(&self) -> &BTreeMap<String, Arc<ParsedFile>> {
        &self.files
    }

    /// The kinds that CustomResourceDefinitions among the manifests define, by API group and kind.
    pub fn defined_kinds(&self) -> &BTreeMap<(String, String), Scope> {
        &self.kinds
    }

    /// The scope of a kind: built in, or defined among the manifests.
    pub fn scope_of(&self, api_version: &str, kind: &str) -> Option<Scope> {
        scope_in(api_version, kind, &self.kinds)
    }

    /// What is wrong with the files and what they describe twice, sorted.
    pub fn findings(&self) -> Vec<Finding> {
        let problems = self.files.iter().flat_map(|(path, file)| {
            // Nothing but the kustomization counts in its file.
            let objects =
                |code| matches!(code, Code::NotAnObject | Code::NotForKubernetes | Code::MissingName);
            let whole = |code| matches!(code, Code::InvalidYaml | Code::TooLarge | Code::Template);
            let is_part = self.parts.contains(path);
            let counted = file.problems.iter().filter(move |p| {
                !(objects(p.code) && kustomization::is_file(path) || is_part && !whole(p.code))
            });
            counted.map(|problem| placed(&self.generated, problem.at(path)))
        });
        let mut findings: Vec<_> = problems.chain(self.findings.iter().cloned()).collect();
        findings.sort_by(|a, b| (&a.place, a).cmp(&(&b.place, b)));
        findings
    }

    fn located<'a>(&'a self, object: &'a Object) -> Located<'a> {
        Located {
            path: &object.path,
            index: object.index,
            resource: &self.files[&object.path].resources[object.index],
            id: object.id.clone(),
            workload: object.workload.clone(),
            generated: self.generated.get(&object.path),
        }
    }
}

fn scope_in(api_version: &str, kind: &str, defined: &BTreeMap<(String, String), Scope>) -> Option<Scope> {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    scope_of(api_version, kind).or_else(|| defined.get(&(group.to_owned(), kind.to_owned())).copied())
}

/// The identity of an object. Where the kind is unknown, the namespace is what is written.
fn identity(resource: &Resource, defined: &BTreeMap<(String, String), Scope>) -> ResourceId {
    let scope = scope_in(&resource.api_version, &resource.kind, defined)
        .or_else(|| resource.workload.as_ref().map(|_| Scope::Namespaced));
    let namespace = match scope {
        Some(Scope::Cluster) => None,
        Some(Scope::Namespaced) => {
            Some(resource.namespace.clone().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()))
        }
        None => resource.namespace.clone(),
    };
    let (kind, name, group) = (resource.kind.clone(), resource.name.clone(), resource.group().to_owned());
    ResourceId { namespace, kind, name, group }
}

fn defined_kinds(files: &BTreeMap<String, Arc<ParsedFile>>) -> BTreeMap<(String, String), Scope> {
    let definitions = files.values().flat_map(|file| &file.resources).filter(|resource| {
        resource.group() == "apiextensions.k8s.io" && resource.kind == "CustomResourceDefinition"
    });
    let defined = |resource: &Resource| {
        let text = |pointer| resource.object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let scope = match text("/spec/scope")?.as_str() {
            "Namespaced" => Scope::Namespaced,
            "Cluster" => Scope::Cluster,
            _ => return None,
        };
        Some(((text("/spec/group")?, text("/spec/names/kind")?), scope))
    };
    definitions.filter_map(defined).collect()
}

/// How many places a finding names.
const PLACES_NAMED: usize = 20;

/// The finding about an id that several objects have, at the last of its places.
fn duplicate(
    id: &str,
    places: &[(&str, usize)],
    files: &BTreeMap<String, Arc<ParsedFile>>,
    generated: &BTreeMap<String, Generated>,
) -> Finding {
    let place = |&(path, index): &(&str, usize)| {
        let resource = &files[path].resources[index];
        place_in(generated, path, Position { line: resource.line, column: resource.column })
    };
    let (last, others) = places.split_last().map_or((None, places), |(last, others)| (Some(last), others));
    let mut named: Vec<String> = others.iter().take(PLACES_NAMED).map(|at| place(at).to_string()).collect();
    named.extend(
        others
            .len()
            .checked_sub(PLACES_NAMED)
            .filter(|&more| more > 0)
            .map(|more| format!("{more} more places")),
    );
    Finding {
        code: Code::DuplicateId,
        subject: id.to_owned(),
        place: last.map(place),
        evidence: format!("it is described at {} as well; neither description is used", named.join(", ")),
        remedy: "keep one description of it, or give the other another name or namespace".to_owned(),
    }
}

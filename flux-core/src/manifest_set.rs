//! All manifests of a revision: the files, and the objects that they describe together.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value;

use crate::{
    api_version::group_of,
    finding::{Code, Finding, Findings, Place, Problem},
    kustomize::{self, Build, Described, Origins, PartFiles},
    manifest::{DocumentId, ParsedFile, Resource, ResourceId, Scope, WorkloadId, kustomization, scope_of},
    position::Position,
    repo_path::RepoPath,
    workload,
};

mod changed;
mod generated;

pub use generated::{CommandOutput, Generated};

/// The namespace of namespaced objects without a `metadata.namespace`, if no other is given.
pub const DEFAULT_NAMESPACE: &str = "default";

/// All manifests of a revision.
///
/// They are assembled from parsed files and nothing else: equal files give equal manifests.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    files: Arc<BTreeMap<RepoPath, Arc<ParsedFile>>>,
    /// The namespace of objects that name none; empty for [`DEFAULT_NAMESPACE`].
    default_namespace: String,
    kinds: BTreeMap<(String, String), Scope>,
    /// The objects, by path and index, with their ids.
    ///
    /// Those that are described twice are left out.
    objects: Arc<Vec<Object>>,
    /// The workloads by their ids, as indexes into `objects`.
    workloads: Arc<HashMap<WorkloadId, usize>>,
    /// The findings about the files together.
    findings: Findings,
    generated: BTreeMap<RepoPath, Generated>,
    /// The builds of kustomize, by the path under which their objects are.
    builds: BTreeMap<RepoPath, Build>,
    origins: Origins,
    /// The files that kustomizations name as patches and the like.
    ///
    /// They describe no objects.
    parts: PartFiles,
    /// `true` if each file speaks for its own objects alone.
    stands_alone: bool,
}

/// Returns the place of a position in the file of this path, or in the output under this path.
fn place_in(generated: &BTreeMap<RepoPath, Generated>, path: &str, position: Position) -> Place {
    let printed = generated.get(path).and_then(|generated| generated.place(position));
    printed.unwrap_or_else(|| Place::in_file(path, position))
}

/// Returns the place in the output of the commands for one under the path of generated objects.
fn printed_place(generated: &BTreeMap<RepoPath, Generated>, place: &Place) -> Option<Place> {
    if place.output.is_some() {
        return None;
    }
    generated.get(&*place.path)?.place(place.position)
}

#[derive(Clone, Debug)]
struct Object {
    document: DocumentId,
    id: ResourceId,
    /// Its id as a workload, with the API group if another object has the same id without it.
    workload: WorkloadId,
}

/// An object and its place.
#[derive(Clone, Debug)]
pub struct Located<'a> {
    /// The file's path, as given.
    pub path: &'a RepoPath,
    /// The object's index in the file.
    pub index: usize,
    /// The object.
    pub resource: &'a Resource,
    /// Its identity.
    ///
    /// Namespaced objects without a namespace of their own are in the default one; cluster-scoped
    /// ones are in none.
    pub id: ResourceId,
    /// Its id as a workload.
    workload: &'a WorkloadId,
    /// The origin of the object, if no file holds it.
    ///
    /// Then its path is no file's, and there are no bytes to edit.
    pub generated: Option<&'a Generated>,
}

impl Located<'_> {
    /// Returns the place of the object.
    pub fn place(&self) -> Place {
        self.place_of(self.resource.position)
    }

    /// Returns the place of a position in the object's file, or in the output that the object is
    /// from.
    pub fn place_of(&self, position: Position) -> Place {
        let printed = self.generated.and_then(|generated| generated.place(position));
        printed.unwrap_or_else(|| Place::in_file(self.path, position))
    }

    /// Returns the finding about a problem of the object's file, or of the output that it is from.
    pub fn finding(&self, problem: &Problem) -> Finding {
        Finding { place: Some(self.place_of(problem.position)), ..problem.at(self.path) }
    }

    /// Returns the id in v1's text form.
    ///
    /// It has the API group if a workload of another group has the same id without it.
    pub fn workload_id(&self) -> WorkloadId {
        self.workload.clone()
    }
}

impl Manifests {
    /// Assembles the manifests of files, given by their paths.
    ///
    /// Objects that are described more than once are left out, all copies of them, and a finding
    /// names the places.
    ///
    /// Settings in one file that apply to objects in another are applied: rules for custom
    /// workloads (`spec.workloads` of a `FluxPolicy`) turn the objects that they match into
    /// workloads, and the `images:` of kustomizations set the images of the objects that these
    /// list, in [`Container`](crate::manifest::Container) and in [`object`](Resource::object)
    /// alike. Kustomizations themselves are no objects, and neither are the files that they name as
    /// patches.
    pub fn new(files: BTreeMap<RepoPath, Arc<ParsedFile>>) -> Self {
        Self::of(files, BTreeMap::new(), DEFAULT_NAMESPACE)
    }

    /// Assembles the manifests as [`new`](Self::new) does.
    ///
    /// The files under the paths of `generated` are the output of commands. Namespaced objects that
    /// name no namespace are in `default_namespace`.
    pub fn of(
        mut files: BTreeMap<RepoPath, Arc<ParsedFile>>,
        generated: BTreeMap<RepoPath, Generated>,
        default_namespace: &str,
    ) -> Self {
        let kinds = defined_kinds(&files);
        let mut findings = workload::apply(&mut files);
        findings.extend(kustomize::apply(&mut files));
        let parts = kustomize::parts(&files);
        let mut places: BTreeMap<ResourceId, Vec<DocumentId>> = BTreeMap::new();
        for (path, file) in files.iter().filter(|(path, _)| !parts.contains(path)) {
            for (index, resource) in file.resources.iter().enumerate() {
                match (kustomization::is_file(path), kustomization::is_kustomization(resource)) {
                    (false, false) => {
                        let document = DocumentId::new(path.clone(), index);
                        places
                            .entry(identity(resource, &kinds, default_namespace))
                            .or_default()
                            .push(document);
                    }
                    (false, true) => findings.push(kustomize::misplaced(path, resource)),
                    (true, _) => {}
                }
            }
        }
        let described = places.keys().map(|id| (id.group(), id.kind(), id.name())).collect();
        findings.extend(parts.alone(&files, &described));
        let mut objects = Vec::new();
        for (id, places) in places {
            match <[DocumentId; 1]>::try_from(places) {
                Ok([document]) => {
                    let workload = id.workload_id();
                    objects.push(Object { document, id, workload });
                }
                Err(places) => findings.push(duplicate(&id.to_string(), &places, &files, &generated)),
            }
        }
        objects.sort_by(|a: &Object, b| a.document.cmp(&b.document));
        let mut by_text: BTreeMap<WorkloadId, Vec<usize>> = BTreeMap::new();
        for (at, object) in objects.iter().enumerate() {
            if object.document.find(&files).is_some_and(|resource| resource.workload.is_some()) {
                by_text.entry(object.id.workload_id()).or_default().push(at);
            }
        }
        let mut findings = Findings::from(findings);
        findings.relocate(|place| printed_place(&generated, place));
        let mut workloads = HashMap::new();
        for (id, found) in by_text {
            let several = found.len() > 1;
            for at in found {
                let Object { id: object, workload, .. } = &mut objects[at];
                *workload = if several { id.clone().in_group(object.group()) } else { id.clone() };
                workloads.insert(workload.clone(), at);
            }
        }
        let manifests = Self {
            default_namespace: default_namespace.to_owned(),
            kinds,
            objects: Arc::new(objects),
            workloads: Arc::new(workloads),
            findings,
            files: Arc::new(files),
            generated,
            builds: BTreeMap::new(),
            origins: Origins::new(),
            parts,
            stands_alone: false,
        };
        Self { stands_alone: manifests.each_stands_alone(), ..manifests }
    }

    /// Returns the same manifests, with those under these paths marked as the output of commands.
    #[must_use]
    pub fn with_generated(self, generated: BTreeMap<RepoPath, Generated>) -> Self {
        Self { stands_alone: self.stands_alone && generated.is_empty(), generated, ..self }
    }

    /// Returns the same manifests, with those under these paths marked as built by kustomize.
    ///
    /// Their images and policies are written in the files that they were built from.
    #[must_use]
    pub fn with_builds(mut self, mut builds: BTreeMap<RepoPath, Build>) -> Self {
        for build in builds.values_mut() {
            workload::apply_those_of(&self.files, &mut build.files);
        }
        self.origins = kustomize::trace(&builds, Arc::make_mut(&mut self.files));
        self.stands_alone &= builds.is_empty();
        self.builds = builds;
        self
    }

    /// Returns the namespace of namespaced objects that name none.
    pub fn default_namespace(&self) -> &str {
        if self.default_namespace.is_empty() { DEFAULT_NAMESPACE } else { &self.default_namespace }
    }

    /// Returns the documents that describe an object that kustomize built.
    ///
    /// The object itself comes first, then its patches, in the order in which they apply. There are
    /// none for other objects, and for those that no file is known to describe.
    pub fn described(&self, at: &Located<'_>) -> Vec<(&Described, &Resource)> {
        let documents = self.origins.get(&DocumentId::new(at.path.clone(), at.index)).into_iter().flatten();
        let files = self.builds.get(at.path).map(|build| &build.files);
        let resource = |described: &Described| described.document.find(files?);
        documents.filter_map(|described| Some((described, resource(described)?))).collect()
    }

    /// Returns the origin of an annotation that none of the documents of a built object has, for
    /// people.
    pub(crate) fn annotated_by(&self, at: &Located<'_>, key: &str) -> Option<String> {
        kustomize::annotated_by(self.builds.get(at.path)?, key)
    }

    /// Returns `true` if kustomize built the objects under a path.
    pub(crate) fn is_build(&self, path: &str) -> bool {
        self.builds.contains_key(path)
    }

    /// Returns the origins of the objects that commands printed, by their paths.
    pub fn generated(&self) -> &BTreeMap<RepoPath, Generated> {
        &self.generated
    }

    /// Returns the place of a position in the file of this path, or in the output under this path.
    pub fn place(&self, path: &str, position: Position) -> Place {
        place_in(&self.generated, path, position)
    }

    /// Returns all objects, by path and place.
    pub fn resources(&self) -> impl Iterator<Item = Located<'_>> {
        self.objects.iter().map(|object| self.located(object))
    }

    /// Returns the workloads that can be released, by path and place.
    pub fn workloads(&self) -> impl Iterator<Item = Located<'_>> {
        self.resources()
            .filter(|at| at.resource.workload.is_some() && self.workloads.contains_key(at.workload))
    }

    /// Returns the workload with an id, or the only [candidate](Self::candidates_for) for it.
    pub fn workload(&self, id: &WorkloadId) -> Option<Located<'_>> {
        let at = self.workloads.get(id).or_else(|| match self.candidates_for(id).as_slice() {
            [one] => self.workloads.get(one),
            _ => None,
        });
        at.map(|&at| self.located(&self.objects[at]))
    }

    /// Returns the ids of the workloads that an id may stand for.
    ///
    /// They are the id itself if a workload has it, else all that match it with or without the API
    /// group.
    pub fn candidates_for(&self, id: &WorkloadId) -> Vec<WorkloadId> {
        if self.workloads.contains_key(id) {
            return vec![id.clone()];
        }
        let is = |at: &Located<'_>| {
            at.resource.is(id, self.default_namespace()) && at.workload.namespace() == id.namespace()
        };
        self.workloads().filter(is).map(|at| at.workload_id()).collect()
    }

    /// Returns the files by their paths.
    pub fn files(&self) -> &BTreeMap<RepoPath, Arc<ParsedFile>> {
        &self.files
    }

    /// Returns the kinds that CustomResourceDefinitions among the manifests define, by API group
    /// and kind.
    pub fn defined_kinds(&self) -> &BTreeMap<(String, String), Scope> {
        &self.kinds
    }

    /// Returns the scope of a kind: built in, or defined among the manifests.
    pub fn scope_of(&self, api_version: &str, kind: &str) -> Option<Scope> {
        scope_in(api_version, kind, &self.kinds)
    }

    /// Returns the findings about the files and about objects that are described twice.
    ///
    /// They are in the order of their places.
    pub fn findings(&self) -> Vec<Finding> {
        let problems = self.files.iter().flat_map(|(path, file)| {
            // In the file of a kustomization, only the kustomization counts.
            let objects =
                |code| matches!(code, Code::NotAnObject | Code::NotForKubernetes | Code::MissingName);
            let whole = |code| matches!(code, Code::InvalidYaml | Code::TooLarge | Code::Template);
            let is_part = self.parts.contains(path);
            let counted = file.problems.iter().filter(move |p| {
                !(objects(p.code) && kustomization::is_file(path) || is_part && !whole(p.code))
            });
            counted.map(|problem| problem.at(path))
        });
        let mut findings: Findings = problems.collect();
        findings.relocate(|place| printed_place(&self.generated, place));
        findings.extend(self.findings.iter().cloned());
        findings.by_place()
    }

    fn located<'a>(&'a self, object: &'a Object) -> Located<'a> {
        Located {
            path: &object.document.path,
            index: object.document.index,
            resource: &self.files[&object.document.path].resources[object.document.index],
            id: object.id.clone(),
            workload: &object.workload,
            generated: self.generated.get(&object.document.path),
        }
    }
}

fn scope_in(api_version: &str, kind: &str, defined: &BTreeMap<(String, String), Scope>) -> Option<Scope> {
    let of = || (group_of(api_version).to_owned(), kind.to_owned());
    scope_of(api_version, kind).or_else(|| defined.get(&of()).copied())
}

/// Returns the identity of an object.
///
/// If the kind is unknown, the namespace is the written one.
fn identity(
    resource: &Resource,
    defined: &BTreeMap<(String, String), Scope>,
    default_namespace: &str,
) -> ResourceId {
    let scope = scope_in(resource.api_version.as_str(), &resource.kind, defined)
        .or_else(|| resource.workload.as_ref().map(|_| Scope::Namespaced));
    let namespace = match scope {
        Some(Scope::Cluster) => None,
        Some(Scope::Namespaced) => Some(resource.namespace.as_deref().unwrap_or(default_namespace)),
        None => resource.namespace.as_deref(),
    };
    let id = resource.object.id();
    if (id.kind(), id.name(), id.group()) == (&*resource.kind, &*resource.name, resource.group()) {
        return id.in_namespace(namespace);
    }
    ResourceId::new(namespace, &resource.kind, &resource.name, resource.group())
}

fn defined_kinds(files: &BTreeMap<RepoPath, Arc<ParsedFile>>) -> BTreeMap<(String, String), Scope> {
    let definitions = files.values().flat_map(|file| &file.resources).filter(|resource| {
        resource.group() == "apiextensions.k8s.io" && resource.kind == "CustomResourceDefinition"
    });
    let defined = |resource: &Resource| {
        let object = resource.object.value();
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let scope = match text("/spec/scope")?.as_str() {
            "Namespaced" => Scope::Namespaced,
            "Cluster" => Scope::Cluster,
            _ => return None,
        };
        Some(((text("/spec/group")?, text("/spec/names/kind")?), scope))
    };
    definitions.filter_map(defined).collect()
}

/// The number of places that a finding names.
const PLACES_NAMED: usize = 20;

/// Returns the finding about an id that several objects have, at the last of its places.
fn duplicate(
    id: &str,
    places: &[DocumentId],
    files: &BTreeMap<RepoPath, Arc<ParsedFile>>,
    generated: &BTreeMap<RepoPath, Generated>,
) -> Finding {
    let place = |DocumentId { path, index }: &DocumentId| {
        place_in(generated, path, files[path].resources[*index].position)
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

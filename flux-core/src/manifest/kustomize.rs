//! Kustomizations: their `images:` say what the objects that they list run, so that is where a tag is set.
//!
//! A kustomization governs the files that its `resources` list, and those of the folders that its `resources`, `bases` and `components` list, by the
//! kustomizations of these; a component governs all that the kustomization which lists it has, once for each time that it is reached. Entries apply as
//! kustomize applies them: in order, the inner folder's before the outer's, to the images of `containers` and `initContainers` wherever an object has such
//! lists, and to no others. `name` is a regular expression for the image's name as written; `newName`, `newTag` and `digest` take the place of what is there.
//! The image of a container is what comes out, and it is set in the last entry that gives a tag or a digest. An entry with `newName` alone leaves the tag to
//! the object; one with `digest` alone gets a `newTag` when there is one to write. An entry that makes something else than an image is told.
//!
//! What is synced has the same image, also when no kustomize is run; nothing else of a kustomization is carried out here. The files that it names as patches
//! and the like describe no objects.
//!
//! An entry that several workloads take their tag from is changed when all of them change to the same; read-only workloads (Jobs, Pods) follow and
//! have no say. A file that several kustomizations list on the same level has as many images as there are of these: where they differ from
//! it, it is not edited.

mod annotated;
mod chain;
mod entries;
#[cfg_attr(
    not(feature = "deployer"),
    allow(dead_code, reason = "shapes are for checks, which the deployer makes")
)]
mod keys;
mod parts;
#[cfg(feature = "deployer")]
mod shape;
mod shared;
mod trace;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{
    BadImage, Code, Container, Elsewhere, Leaf, ParsedFile, Part, Problem, Resource, SharedScalar, Site,
};
use crate::{finding::Finding, image::ImageRef, path::name};

pub(super) use annotated::annotated_by;
#[cfg(feature = "deployer")]
pub(crate) use chain::join;
use chain::{Chain, Chains};
use entries::{Entries, Entry};
use keys::{FORMER, KEYS};
pub(crate) use keys::{Names, lists};
pub(super) use parts::{PartFiles, parts};
#[cfg(feature = "deployer")]
pub(crate) use shape::{Mistake, is_of_another_group, mistakes};

pub use trace::{Build, Described};
pub(super) use trace::{Origins, trace};

/// The API version of kustomizations that name none.
const VERSION: &str = "kustomize.config.k8s.io/v1beta1";

/// The kind of kustomizations that name none.
const KIND: &str = "Kustomization";

/// The version and the kind of components.
const COMPONENT_VERSION: &str = "kustomize.config.k8s.io/v1alpha1";
const COMPONENT: &str = "Component";

const GROUP: &str = "kustomize.config.k8s.io";

/// The names of the files that hold kustomizations.
pub(crate) const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Whether a path is that of a kustomization.
pub(crate) fn is_file(path: &str) -> bool {
    FILES.contains(&name(path))
}

/// Whether an object is a kustomization.
pub(crate) fn is_kustomization(resource: &Resource) -> bool {
    is_kind(&resource.api_version, &resource.kind)
}

/// Whether objects of this version and kind are kustomizations.
pub(super) fn is_kind(api_version: &str, kind: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    group == GROUP && matches!(kind, KIND | COMPONENT)
}

/// The version and the kind of an object, where a kustomization may leave out either: kustomize knows what it is by its file.
pub(super) fn completed<'a>(
    version: Option<&'a str>,
    kind: Option<&'a str>,
    object: &Map<String, Value>,
) -> (Option<&'a str>, Option<&'a str>) {
    match (version, kind) {
        (None, None | Some(KIND)) if looks_like_one(object) => (Some(VERSION), Some(KIND)),
        (None, Some(COMPONENT)) if looks_like_one(object) => (Some(COMPONENT_VERSION), kind),
        (Some(text), None) if is_kind(text, KIND) => (version, Some(KIND)),
        said => said,
    }
}

/// Whether a mapping without version or kind looks like a kustomization.
fn looks_like_one(object: &Map<String, Value>) -> bool {
    let known = |name: &String| KEYS.iter().find(|key| key.name == name);
    object.keys().any(|name| known(name).is_some_and(|key| key.telling))
        && object.keys().all(|name| known(name).is_some() || FORMER.contains(&name.as_str()))
}

/// The finding about a kustomization in a file of another name.
pub(super) fn misplaced(path: &str, resource: &Resource) -> Finding {
    let problem = Problem {
        code: Code::NotForKubernetes,
        subject: None,
        line: resource.line,
        column: resource.column,
        evidence: format!("it is a {KIND}, which is read from {} only", FILES.join(", ")),
        remedy: "give the file that name, or keep it outside of the synced paths".to_owned(),
    };
    problem.at(path)
}

/// The image that the entry of this name makes of one: what it leaves out is as it was. None if a kustomization has no such entry.
pub(crate) fn image_by_entry(kustomization: &Resource, name: &str, of: &ImageRef) -> Option<ImageRef> {
    let entries = Entries::of(kustomization);
    let entry = entries.iter().find(|entry| entry.name == name && entry.sets_tag())?;
    entry.apply(&of.to_string()).parse().ok()
}

/// An entry by the index of its kustomization, and its own.
type EntryId = (usize, usize);

/// What kustomizations make of the image of a container.
#[derive(Debug)]
struct Outcome {
    /// The image as kustomize has it: it need be none.
    text: String,
    /// The entry that gives the tag or digest; none if the object does.
    set_by: Option<EntryId>,
    /// The last entry that is for the image.
    last: Option<EntryId>,
    /// Whether the entry that gives the tag is also what gives the name.
    named_there: bool,
    /// Whether an entry gives another name.
    renamed: bool,
    refused: Option<String>,
}

/// The containers that kustomizations give images, by file, object and place in the object.
type Outcomes = BTreeMap<(String, usize, usize), Outcome>;

/// Gives containers the images that kustomizations set, and says where these are written. What is wrong with such images is told at their entries.
pub(super) fn apply(files: &mut BTreeMap<String, Arc<ParsedFile>>) -> Vec<Finding> {
    let chains = Chains::of(files);
    if chains.is_empty() {
        return Vec::new();
    }
    let entries: Vec<Entries> = chains.documents(files).map(Entries::of).collect();
    let mut outcomes = Outcomes::new();
    let mut users: HashMap<EntryId, u32> = HashMap::new();
    for (path, file) in &*files {
        let Some(chain) = chains.chain(path) else { continue };
        for (index, resource) in file.resources.iter().enumerate() {
            for (at, container) in resource.workload.iter().flatten().enumerate() {
                let Some(outcome) = outcome(container, &entries, &chain, &chains) else { continue };
                if let (Some(entry), None) = (outcome.set_by, resource.held()) {
                    *users.entry(entry).or_default() += 1;
                }
                outcomes.insert((path.clone(), index, at), outcome);
            }
        }
    }
    let place = |id: EntryId| Some((chains.elsewhere(id.0), entries.get(id.0)?.get(id.1)?));
    let mut wrong: BTreeMap<EntryId, Finding> = BTreeMap::new();
    for ((path, index, at), outcome) in outcomes {
        let uses = outcome.set_by.and_then(|entry| users.get(&entry).copied()).unwrap_or(1);
        let (last, set_by) = (outcome.last, outcome.set_by.and_then(place));
        let by = last.and_then(|id| Some((id, place(id)?)));
        let Some(file) = files.get_mut(&path) else { continue };
        let file = Arc::make_mut(file);
        let held = file.resources[index].held();
        let resource = &mut file.resources[index];
        let Some(container) = resource.workload.as_mut().and_then(|all| all.get_mut(at)) else { continue };
        if let Some(site) = container.sites.first()
            && let Some(value) = Arc::make_mut(&mut resource.object).pointer_mut(&site.pointer)
        {
            *value = Value::String(outcome.text.clone());
        }
        put(container, outcome, set_by, uses, held);
        if let (Err(bad), Some((id, (elsewhere, entry)))) = (&mut container.image, by) {
            let told = wrong.entry(id).or_insert_with(|| no_image(&elsewhere, entry, bad));
            let Some(place) = &told.place else { continue };
            bad.problem = format!("{}; {place} makes it", bad.problem);
        }
    }
    wrong.into_values().collect()
}

/// The finding about an entry that makes something else than an image.
fn no_image(elsewhere: &Elsewhere, entry: &Entry, bad: &BadImage) -> Finding {
    let (line, column) = entry.place();
    let problem = Problem {
        code: Code::InvalidImage,
        subject: None,
        line,
        column,
        evidence: format!(
            "the entry for `{}` makes `{}`, which is no image: {}",
            entry.name, bad.text, bad.problem
        ),
        remedy: "give it a `newTag` that is a tag, a `digest` as `sha256:…`, and a `newName` without either"
            .to_owned(),
    };
    problem.at(&elsewhere.path)
}

/// What becomes of a container's image; none if no entry is for it.
fn outcome(container: &Container, entries: &[Entries], chain: &Chain, chains: &Chains) -> Option<Outcome> {
    let mut outcome = Outcome::of(container)?;
    for &k in &chain.through {
        outcome.take(k, &entries[k], chains);
    }
    let differs = |k: &&usize| entries[**k].next(&outcome.text, 0).is_some();
    let forked: Vec<&str> = chain.fork.iter().filter(differs).map(|&k| chains.path(k)).collect();
    let touched = outcome.last.is_some() || !forked.is_empty() || chain.cut;
    if !forked.is_empty() {
        outcome.refused = Some(format!("kustomizations set it differently: {}", forked.join(", ")));
    } else if chain.cut {
        outcome.refused = Some(TOO_MANY.to_owned());
    }
    touched.then_some(outcome)
}

/// Why an image is not changed that goes through more than is followed.
const TOO_MANY: &str = "more kustomizations and components have a say in it than are followed";

/// Whether kustomize changes what stands at a place: the images of `containers` and `initContainers`, in whatever kind and however deep.
fn is_changed(pointer: &str) -> bool {
    let mut steps = pointer.rsplit('/');
    let (key, index, list) = (steps.next(), steps.next(), steps.next());
    key == Some("image")
        && index.is_some_and(|index| index.bytes().all(|b| b.is_ascii_digit()))
        && matches!(list, Some("containers" | "initContainers"))
}

impl Outcome {
    /// The image as the object has it; none where kustomizations set no images.
    fn of(container: &Container) -> Option<Self> {
        let [Site { part: Part::Image, pointer, .. }] = container.sites.as_slice() else { return None };
        if !is_changed(pointer) {
            return None;
        }
        Some(Self {
            text: container.image.as_ref().ok()?.to_string(),
            set_by: None,
            last: None,
            named_there: false,
            renamed: false,
            refused: None,
        })
    }

    /// What has come of it.
    fn image(&self) -> Result<ImageRef, BadImage> {
        self.text.parse::<ImageRef>().map_err(BadImage::from)
    }

    /// Applies the entries of a kustomization.
    fn take(&mut self, k: usize, entries: &Entries, chains: &Chains) {
        let mut from = 0;
        while let Some((e, entry)) = entries.next(&self.text, from) {
            from = e + 1;
            self.last = Some((k, e));
            if entry.suffix {
                self.refused = Some(format!("its entry in {} has a `tagSuffix`", chains.path(k)));
            }
            if entry.new_name.is_some() {
                self.renamed = true;
                self.named_there = false;
            }
            if entry.sets_tag() {
                self.set_by = Some((k, e));
                self.named_there = entry.new_name.is_some();
            }
            self.text = entry.apply(&self.text);
        }
    }
}

/// Gives a container the image that came of it. `place` is the entry that sets it, `uses` how many take theirs from there.
fn put(
    container: &mut Container,
    outcome: Outcome,
    place: Option<(Elsewhere, &Entry)>,
    uses: u32,
    held: Option<&str>,
) {
    match place {
        None if outcome.renamed => {
            container.renamed = container.image.as_ref().ok().map(|image| image.name.clone());
        }
        None => {}
        Some((elsewhere, entry)) => {
            let pointer = container.sites.first().map(|site| site.pointer.clone()).unwrap_or_default();
            let name = entry.new_name.as_ref().filter(|_| outcome.named_there);
            let tag = entry.tag.as_ref().or(entry.tag_place.as_ref());
            let leaves = [(Part::Name, name), (Part::Tag, tag), (Part::Digest, entry.digest.as_ref())];
            let path = elsewhere.path.clone();
            let site = |(part, leaf): (Part, Option<&Leaf>)| Some(shared(leaf?.site(part), uses, &path));
            container.sites = leaves.into_iter().filter_map(site).collect();
            let (line, column) = entry.place();
            container.elsewhere =
                Some(Elsewhere { pointer, name: entry.name.clone(), line, column, ..elsewhere });
        }
    }
    container.image = outcome.image();
    if let Some(why) = held.map(str::to_owned).or(outcome.refused) {
        for site in &mut container.sites {
            site.refused = Some(why.clone());
            site.shared = None;
        }
    }
}

/// A scalar that several workloads take their image from.
fn shared(mut site: Site, uses: u32, path: &str) -> Site {
    if uses > 1 && site.refused.is_none() {
        site.refused =
            Some(format!("an entry of {path} sets it for other workloads too: release them together"));
        site.shared =
            Some(SharedScalar { start: site.start, end: site.end, source: site.source.clone(), uses });
    }
    site
}

//! Kustomizations: their `images:` say what the objects that they list run, so that is where a tag is set.
//!
//! A kustomization governs the files that its `resources` list, and those of the folders that its `resources`, `bases` and `components` list, by the
//! kustomizations of these; a component governs all that the kustomization which lists it has. Entries apply as kustomize applies them: in order, the inner folder's before the outer's, to `containers` and
//! `initContainers`, where `name` is the image's name as written; `newName`, `newTag` and `digest` take the place of what is there. The image of a container is
//! what comes out, and it is set in the last entry that gives a tag or a digest. An entry with `newName` alone leaves the tag to the object.
//!
//! What is synced has the same image, also when no kustomize is run; nothing else of a kustomization is carried out here. The files that it names as patches
//! and the like describe no objects.
//!
//! An entry that several workloads take their tag from is changed when all of them change to the same; read-only workloads (Jobs, Pods) follow and
//! have no say. A file that several kustomizations list on the same level has as many images as there are of these: where they differ from
//! it, it is not edited.

mod chain;
mod parts;
mod shape;
mod trace;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{
    BadImage, Code, Container, ContainerRole, Elsewhere, Leaf, ParsedFile, Part, Problem, Resource,
    SharedScalar, Site,
};
use crate::{finding::Finding, image::ImageRef};

use chain::Chains;
pub(crate) use chain::{folder, join};
pub(super) use parts::parts;
pub(crate) use shape::{Mistake, is_of_another_group, mistakes};

pub use trace::{Build, Described};
pub(super) use trace::{Origins, trace};

/// The API version of kustomizations that name none.
pub(super) const VERSION: &str = "kustomize.config.k8s.io/v1beta1";

/// The kind of kustomizations that name none.
pub(super) const KIND: &str = "Kustomization";

const GROUP: &str = "kustomize.config.k8s.io";

/// The names of the files that hold kustomizations.
pub(crate) const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Whether a path is that of a kustomization.
pub(crate) fn is_file(path: &str) -> bool {
    FILES.contains(&path.rsplit('/').next().unwrap_or(path))
}

/// Whether an object is a kustomization.
pub(crate) fn is_kustomization(resource: &Resource) -> bool {
    is_kind(&resource.api_version, &resource.kind)
}

/// Whether objects of this version and kind are kustomizations.
pub(super) fn is_kind(api_version: &str, kind: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    group == GROUP && matches!(kind, "Kustomization" | "Component")
}

/// Whether a mapping without version and kind looks like a kustomization.
pub(super) fn looks_like_one(object: &Map<String, Value>) -> bool {
    const TELLING: [&str; 4] = ["resources", "bases", "components", "images"];
    const OTHERS: [&str; 31] = [
        "apiVersion",
        "buildMetadata",
        "commonAnnotations",
        "commonLabels",
        "configMapGenerator",
        "configurations",
        "crds",
        "generatorOptions",
        "generators",
        "helmChartInflationGenerator",
        "helmCharts",
        "helmGlobals",
        "inventory",
        "kind",
        "labels",
        "metadata",
        "namePrefix",
        "nameSuffix",
        "namespace",
        "openapi",
        "patches",
        "patchesJson6902",
        "patchesStrategicMerge",
        "replacements",
        "replicas",
        "secretGenerator",
        "sortOptions",
        "transformers",
        "validators",
        "vars",
        "imageTags",
    ];
    object.keys().any(|key| TELLING.contains(&key.as_str()))
        && object.keys().all(|key| TELLING.contains(&key.as_str()) || OTHERS.contains(&key.as_str()))
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

/// An entry of `images:`.
#[derive(Debug)]
struct Entry {
    name: String,
    new_name: Option<Leaf>,
    tag: Option<Leaf>,
    digest: Option<Leaf>,
    suffix: bool,
}

impl Entry {
    fn all(resource: &Resource) -> Vec<Self> {
        let entries = resource.object.get("images").and_then(Value::as_array).into_iter().flatten();
        let entry = |(index, entry): (usize, &Value)| {
            let leaf = |key: &str| {
                let leaf = resource.leaf(&format!("/images/{index}/{key}"));
                leaf.filter(|leaf| !leaf.text.is_empty()).cloned()
            };
            Some(Self {
                name: entry.get("name")?.as_str()?.to_owned(),
                new_name: leaf("newName"),
                tag: leaf("newTag"),
                digest: leaf("digest"),
                suffix: entry.get("tagSuffix").is_some(),
            })
        };
        entries.enumerate().filter_map(entry).collect()
    }

    fn takes(&self, image: &ImageRef) -> bool {
        image.name.to_string() == self.name
    }

    fn sets_tag(&self) -> bool {
        self.tag.is_some() || self.digest.is_some()
    }

    fn apply(&self, image: &ImageRef) -> Result<ImageRef, BadImage> {
        let mut text =
            self.new_name.as_ref().map_or_else(|| image.name.to_string(), |name| name.text.clone());
        if self.sets_tag() {
            text += &self.tag.as_ref().map(|tag| format!(":{}", tag.text)).unwrap_or_default();
            text += &self.digest.as_ref().map(|digest| format!("@{}", digest.text)).unwrap_or_default();
        } else {
            text += &image.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
            text += &image.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
        }
        text.parse::<ImageRef>().map_err(BadImage::from)
    }
}

/// The image that the entry of this name makes of one: what it leaves out is as it was. None if a kustomization has no such entry.
pub(crate) fn image_by_entry(kustomization: &Resource, name: &str, of: &ImageRef) -> Option<ImageRef> {
    let entry = Entry::all(kustomization).into_iter().find(|entry| entry.name == name && entry.sets_tag())?;
    entry.apply(of).ok()
}

/// An entry by the index of its kustomization, and its own.
type EntryId = (usize, usize);

/// What kustomizations make of the image of a container.
#[derive(Debug)]
struct Outcome {
    image: Result<ImageRef, BadImage>,
    /// The entry that gives the tag or digest; none if the object does.
    set_by: Option<EntryId>,
    /// Whether that entry is also what gives the name.
    named_there: bool,
    /// Whether an entry gives another name.
    renamed: bool,
    refused: Option<String>,
}

/// The containers that kustomizations give images, by file, object and place in the object.
type Outcomes = BTreeMap<(String, usize, usize), Outcome>;

/// Gives containers the images that kustomizations set, and says where these are written.
pub(super) fn apply(files: &mut BTreeMap<String, Arc<ParsedFile>>) {
    let chains = Chains::of(files);
    if chains.is_empty() {
        return;
    }
    let entries: Vec<Vec<Entry>> = chains.documents(files).map(Entry::all).collect();
    let mut outcomes = Outcomes::new();
    let mut users: HashMap<EntryId, u32> = HashMap::new();
    for (path, file) in &*files {
        let Some((chain, fork)) = chains.chain(path) else { continue };
        for (index, resource) in file.resources.iter().enumerate() {
            for (at, container) in resource.workload.iter().flatten().enumerate() {
                let Some(outcome) = outcome(container, &entries, &chain, &fork, &chains) else { continue };
                if let (Some(entry), None) = (outcome.set_by, resource.held()) {
                    *users.entry(entry).or_default() += 1;
                }
                outcomes.insert((path.clone(), index, at), outcome);
            }
        }
    }
    for ((path, index, at), outcome) in outcomes {
        let place = outcome.set_by.map(|entry| (entry, users.get(&entry).copied().unwrap_or(1)));
        let place = place.map(|((k, e), uses)| (chains.elsewhere(k), &entries[k][e], uses));
        let Some(file) = files.get_mut(&path) else { continue };
        let file = Arc::make_mut(file);
        let held = file.resources[index].held();
        let resource = &mut file.resources[index];
        let Some(container) = resource.workload.as_mut().and_then(|all| all.get_mut(at)) else { continue };
        if let Ok(image) = &outcome.image
            && let Some(site) = container.sites.first()
            && let Some(value) = Arc::make_mut(&mut resource.object).pointer_mut(&site.pointer)
        {
            *value = Value::String(image.to_string());
        }
        put(container, outcome, place, held);
    }
}

/// What becomes of a container's image; none if no entry is for it.
fn outcome(
    container: &Container,
    entries: &[Vec<Entry>],
    chain: &[usize],
    fork: &[usize],
    chains: &Chains,
) -> Option<Outcome> {
    let mut outcome = Outcome::of(container)?;
    let mut touched = false;
    for &k in chain {
        touched |= outcome.take(k, &entries[k], chains);
    }
    if let Ok(image) = &outcome.image {
        let differs = |k: &&usize| entries[**k].iter().any(|entry| entry.takes(image));
        let forked: Vec<&str> = fork.iter().filter(differs).map(|&k| chains.path(k)).collect();
        if !forked.is_empty() {
            touched = true;
            outcome.refused = Some(format!("kustomizations set it differently: {}", forked.join(", ")));
        }
    }
    touched.then_some(outcome)
}

impl Outcome {
    /// The image as the object has it; none where kustomizations set no images.
    fn of(container: &Container) -> Option<Self> {
        let [Site { part: Part::Image, .. }] = container.sites.as_slice() else { return None };
        if container.role == ContainerRole::Ephemeral {
            return None;
        }
        Some(Self {
            image: Ok(container.image.as_ref().ok()?.clone()),
            set_by: None,
            named_there: false,
            renamed: false,
            refused: None,
        })
    }

    /// Applies the entries of a kustomization, and says whether any is for the image.
    fn take(&mut self, k: usize, entries: &[Entry], chains: &Chains) -> bool {
        let mut touched = false;
        for (e, entry) in entries.iter().enumerate() {
            let Ok(image) = &self.image else { break };
            if entry.name.is_empty() || !entry.takes(image) {
                continue;
            }
            touched = true;
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
            self.image = entry.apply(image);
        }
        touched
    }
}

fn put(
    container: &mut Container,
    outcome: Outcome,
    place: Option<(Elsewhere, &Entry, u32)>,
    held: Option<&str>,
) {
    match place {
        None if outcome.renamed => {
            container.renamed = container.image.as_ref().ok().map(|image| image.name.clone());
        }
        None => {}
        Some((elsewhere, entry, uses)) => {
            let pointer = container.sites.first().map(|site| site.pointer.clone()).unwrap_or_default();
            container.elsewhere = Some(Elsewhere { pointer, entry: Some(entry.name.clone()), ..elsewhere });
            let name = entry.new_name.as_ref().filter(|_| outcome.named_there);
            let leaves =
                [(Part::Name, name), (Part::Tag, entry.tag.as_ref()), (Part::Digest, entry.digest.as_ref())];
            let site = |(part, leaf): (Part, Option<&Leaf>)| Some(shared(leaf?.site(part), uses));
            container.sites = leaves.into_iter().filter_map(site).collect();
        }
    }
    container.image = outcome.image;
    if let Some(why) = held.map(str::to_owned).or(outcome.refused) {
        for site in &mut container.sites {
            site.refused = Some(why.clone());
            site.shared = None;
        }
    }
}

/// A scalar that several workloads take their image from.
fn shared(mut site: Site, uses: u32) -> Site {
    if uses > 1 && site.refused.is_none() {
        site.refused =
            Some("the kustomization sets it for other workloads too: release them together".to_owned());
        site.shared =
            Some(SharedScalar { start: site.start, end: site.end, source: site.source.clone(), uses });
    }
    site
}

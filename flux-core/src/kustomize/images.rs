//! The images that kustomizations set, and the places where they are written.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value;

use super::{
    chain::{Chain, Chains},
    entries::{Entries, Entry},
};
use crate::{
    finding::{Code, Finding, Problem},
    image::ImageRef,
    manifest::{
        BadImage, Container, DocumentId, ImageOrigin, ParsedFile, Part, Resource, ScalarRef, SharedScalar,
        Site,
        kustomization::{FILES, KIND},
    },
    repo_path::RepoPath,
};

/// Returns the finding about a kustomization in a file of another name.
pub(crate) fn misplaced(path: &str, resource: &Resource) -> Finding {
    let problem = Problem {
        code: Code::NotForKubernetes,
        subject: None,
        position: resource.position,
        evidence: format!("it is a {KIND}, which is read from {} only", FILES.join(", ")),
        remedy: "give the file that name, or keep it outside of the synced paths".to_owned(),
    };
    problem.at(path)
}

/// Returns the image that the entry of this name makes of one; `None` if there is no such entry.
///
/// The parts that the entry leaves out stay as they were.
pub(crate) fn image_by_entry(kustomization: &Resource, name: &str, of: &ImageRef) -> Option<ImageRef> {
    let entries = Entries::of(kustomization);
    let entry = entries.iter().find(|entry| entry.name == name && entry.sets_tag())?;
    entry.apply(&of.to_string()).parse().ok()
}

/// The id of an entry: the index of its kustomization, and its own index.
pub(crate) type EntryId = (usize, usize);

/// The image of a container after the kustomizations have applied.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The image as kustomize has it; it may be no valid image.
    pub(crate) text: String,
    /// The entry that gives the tag or digest; `None` if the object gives it.
    pub(crate) set_by: Option<EntryId>,
    /// The last entry that applies to the image.
    pub(crate) last: Option<EntryId>,
    /// `true` if the entry that gives the tag also gives the name.
    pub(crate) named_there: bool,
    /// `true` if an entry gives another name.
    pub(crate) renamed: bool,
    pub(crate) refused: Option<String>,
}

/// The containers whose images kustomizations set, by object and place in the object.
type Outcomes = BTreeMap<(DocumentId, usize), Outcome>;

/// Gives containers the images that kustomizations set, and returns findings.
///
/// The containers get the places where these images are written. A problem with such an image is
/// reported at its entry.
pub(crate) fn apply(files: &mut BTreeMap<RepoPath, Arc<ParsedFile>>) -> Vec<Finding> {
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
                if let (Some(entry), None) = (outcome.set_by, resource.read_only_reason()) {
                    *users.entry(entry).or_default() += 1;
                }
                outcomes.insert((DocumentId::new(path.clone(), index), at), outcome);
            }
        }
    }
    let place = |id: EntryId| Some((chains.origin(id.0), entries.get(id.0)?.get(id.1)?));
    let mut wrong: BTreeMap<EntryId, Finding> = BTreeMap::new();
    for ((DocumentId { path, index }, at), outcome) in outcomes {
        let uses = outcome.set_by.and_then(|entry| users.get(&entry).copied()).unwrap_or(1);
        let (last, set_by) = (outcome.last, outcome.set_by.and_then(place));
        let by = last.and_then(|id| Some((id, place(id)?)));
        let Some(file) = files.get_mut(&path) else { continue };
        let file = Arc::make_mut(file);
        let read_only_reason = file.resources[index].read_only_reason();
        let resource = &mut file.resources[index];
        let Some(container) = resource.workload.as_mut().and_then(|all| all.get_mut(at)) else { continue };
        if let Some(site) = container.sites.first() {
            resource.object.change(|object| {
                if let Some(value) = object.pointer_mut(&site.pointer) {
                    *value = Value::String(outcome.text.clone());
                }
            });
        }
        put(container, outcome, set_by, uses, read_only_reason);
        if let (Err(bad), Some((id, (origin, entry)))) = (&mut container.image, by) {
            let finding = wrong.entry(id).or_insert_with(|| no_image(&origin, entry, bad));
            let Some(place) = &finding.place else { continue };
            bad.problem = format!("{}; {place} makes it", bad.problem);
        }
    }
    wrong.into_values().collect()
}

/// Returns the finding about an entry whose result is no valid image.
fn no_image(origin: &ImageOrigin, entry: &Entry, bad: &BadImage) -> Finding {
    let problem = Problem {
        code: Code::InvalidImage,
        subject: None,
        position: entry.position(),
        evidence: format!(
            "the entry for `{}` makes `{}`, which is no image: {}",
            entry.name, bad.text, bad.problem
        ),
        remedy: "give it a `newTag` that is a tag, a `digest` as `sha256:…`, and a `newName` without either"
            .to_owned(),
    };
    problem.at(&origin.document.path)
}

/// Returns the image of a container after a chain; `None` if no entry applies to it.
fn outcome(container: &Container, entries: &[Entries], chain: &Chain, chains: &Chains) -> Option<Outcome> {
    let mut outcome = Outcome::of(container)?;
    for &k in &chain.through {
        outcome.take(k, &entries[k], chains);
    }
    let differs = |k: &&usize| entries[**k].next(&outcome.text, 0).is_some();
    let forked: Vec<&str> = chain.fork.iter().filter(differs).map(|&k| chains.path(k).as_str()).collect();
    let touched = outcome.last.is_some() || !forked.is_empty() || chain.cut;
    if !forked.is_empty() {
        outcome.refused = Some(format!("kustomizations set it differently: {}", forked.join(", ")));
    } else if chain.cut {
        outcome.refused = Some(TOO_MANY.to_owned());
    }
    touched.then_some(outcome)
}

/// The reason that an image is not changed whose way has more kustomizations than are followed.
pub(crate) const TOO_MANY: &str = "more kustomizations and components have a say in it than are followed";

/// Returns `true` if kustomize changes the image at a pointer.
///
/// It changes the images of `containers` and `initContainers`, in any kind and at any depth.
fn is_changed(pointer: &str) -> bool {
    let mut steps = pointer.rsplit('/');
    let (key, index, list) = (steps.next(), steps.next(), steps.next());
    key == Some("image")
        && index.is_some_and(|index| index.bytes().all(|b| b.is_ascii_digit()))
        && matches!(list, Some("containers" | "initContainers"))
}

impl Outcome {
    /// Returns the image as the object has it; `None` if kustomizations do not change images there.
    pub(crate) fn of(container: &Container) -> Option<Self> {
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

    /// Returns the resulting image.
    pub(crate) fn image(&self) -> Result<ImageRef, BadImage> {
        self.text.parse::<ImageRef>().map_err(BadImage::from)
    }

    /// Applies the entries of a kustomization.
    pub(crate) fn take(&mut self, k: usize, entries: &Entries, chains: &Chains) {
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

/// Gives a container the resulting image.
///
/// `place` is the entry that sets it, `uses` the number of containers that take their image from
/// there.
pub(crate) fn put(
    container: &mut Container,
    outcome: Outcome,
    place: Option<(ImageOrigin, &Entry)>,
    uses: u32,
    read_only_reason: Option<&str>,
) {
    match place {
        None if outcome.renamed => {
            container.renamed = container.image.as_ref().ok().map(|image| image.name.clone());
        }
        None => {}
        Some((origin, entry)) => {
            let pointer = container.sites.first().map(|site| site.pointer.clone()).unwrap_or_default();
            let name = entry.new_name.as_ref().filter(|_| outcome.named_there);
            let tag = entry.tag.as_ref().or(entry.tag_place.as_ref());
            let leaves = [(Part::Name, name), (Part::Tag, tag), (Part::Digest, entry.digest.as_ref())];
            let path = origin.document.path.clone();
            let site = |(part, leaf): (Part, Option<&ScalarRef>)| Some(shared(leaf?.site(part), uses, &path));
            container.sites = leaves.into_iter().filter_map(site).collect();
            let (name, position) = (entry.name.clone(), entry.position());
            container.origin = Some(ImageOrigin { pointer, name, position, ..origin });
        }
    }
    container.image = outcome.image();
    if let Some(why) = read_only_reason.map(str::to_owned).or(outcome.refused) {
        for site in &mut container.sites {
            site.refused = Some(why.clone());
            site.shared = None;
        }
    }
}

/// Returns a site that several workloads take their image from, as a shared one.
fn shared(mut site: Site, uses: u32, path: &str) -> Site {
    if uses > 1 && site.refused.is_none() {
        site.refused =
            Some(format!("an entry of {path} sets it for other workloads too: release them together"));
        site.shared = Some(Box::new(SharedScalar {
            start: site.start,
            end: site.end,
            source: site.source.clone(),
            uses,
        }));
    }
    site
}

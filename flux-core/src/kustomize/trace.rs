//! Tracing the objects that kustomize builds back to their files, so that a release writes its
//! changes there.
//!
//! An object is identified by its kind and its name, with the prefixes and suffixes that the
//! kustomizations on its way add. Its image is followed the same way: as the object has it, then by
//! the patches (files that describe the same object again) and the `images:` of one kustomization
//! after the other. The result is compared with what was built. If it is the same, the last place
//! that gave the tag is the one to write; anything else that kustomize can do to an image (JSON
//! patches, patches within a kustomization, replacements) is the reason why it is not changed.
//!
//! A file may be built into several objects, and by kustomizations outside of the builds here. A
//! place in such a file is written when all of them change to the same, else never.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use serde_json::Value;

use super::{
    chain::{Chain, Chains},
    entries::Entries,
    images::{Outcome, TOO_MANY, put},
    origins::{Described, Origins},
    shared::{Others, Passing, User, Users, can_be_written, share, user_of},
};
use crate::{
    manifest::{Container, DocumentId, ImageOrigin, ParsedFile, Resource, Site, kustomization::is_file},
    position::Position,
    repo_path::RepoPath,
};

/// A build of a kustomization, and the files that belong to it.
///
/// Exhaustive: whoever reads the repository makes it.
#[derive(Clone, Debug)]
pub struct Build {
    /// The path of the kustomization.
    pub root: RepoPath,
    /// All kustomizations of the repository, and the files that [`wants`](Self::wants) names,
    /// parsed.
    pub files: BTreeMap<RepoPath, Arc<ParsedFile>>,
}

impl Build {
    /// Returns the paths of the files that a kustomization is built from.
    ///
    /// `files` has all kustomizations of the repository. Some of the paths may not exist.
    pub fn wants(root: &str, files: &BTreeMap<RepoPath, Arc<ParsedFile>>) -> BTreeSet<String> {
        Chains::of(files).reach(root).1
    }
}

/// Gives the built containers the places where their images are written, and returns the origins of
/// the built objects.
///
/// `builds` are by the path under which `built` has their results.
pub(crate) fn trace(
    builds: &BTreeMap<RepoPath, Build>,
    built: &mut BTreeMap<RepoPath, Arc<ParsedFile>>,
) -> Origins {
    let all = builds
        .values()
        .flat_map(|build| &build.files)
        .map(|(path, file)| (path.clone(), file.clone()))
        .collect();
    let mut others = Others::of(Chains::of(&all), builds.values().map(|build| &build.root).collect());
    let mut origins = Origins::new();
    let mut places = Vec::new();
    let (mut users, mut passing) = (Users::new(), Passing::new());
    let mut chains: BTreeMap<&str, Chains> = BTreeMap::new();
    for (path, build) in builds {
        let Some(file) = built.get(path) else { continue };
        let tracer = Tracer::new(build);
        for (index, resource) in file.resources.iter().enumerate().filter(|(_, r)| r.workload.is_some()) {
            let raw = tracer.find(resource);
            for (at, container) in resource.workload.iter().flatten().enumerate() {
                let container = tracer.container(raw, container);
                let mut behind = BTreeSet::new();
                if let (Some(origin), None) = (&container.origin, resource.read_only_reason()) {
                    behind = raw.map(|raw| tracer.behind(raw, &origin.document.path)).unwrap_or_default();
                    for site in container.sites.iter().filter(|site| can_be_written(site)) {
                        let user = user_of(&origin.document.path, site);
                        for &k in &behind {
                            *passing.entry((user.clone(), path.clone(), k)).or_default() += 1;
                        }
                        *users.entry(user).or_default() += 1;
                    }
                }
                places.push((DocumentId::new(path.clone(), index), at, container, behind));
            }
            if let Some(raw) = raw {
                let mut documents = vec![raw.described()];
                for patch in tracer.patches_of(raw).map(|patch| patch.described()) {
                    // A component may be reached several times.
                    documents.retain(|document| *document != patch);
                    documents.push(patch);
                }
                origins.insert(DocumentId::new(path.clone(), index), documents);
            }
        }
        chains.insert(path, tracer.chains);
    }
    share(&mut origins, &mut others);
    for (DocumentId { path, index }, at, mut container, behind) in places {
        let Some(file) = built.get_mut(&path) else { continue };
        let alone = |user: &User| {
            let once = |k: &&usize| passing.get(&(user.clone(), path.clone(), **k)) == Some(&1);
            behind.iter().find(once).and_then(|&k| Some(chains.get(&*path)?.path(k).clone()))
        };
        others.guard(&mut container, &builds[&path].root, &users, &alone);
        if let Some(place) =
            Arc::make_mut(file).resources[index].workload.as_mut().and_then(|all| all.get_mut(at))
        {
            *place = container;
        }
    }
    origins
}

/// The longest way of which a kustomization is proposed as the place for an image.
const MOST_PROPOSED: usize = 64;

/// One build, read for tracing.
struct Tracer<'a> {
    build: &'a Build,
    chains: Chains,
    entries: Vec<Entries>,
    /// The objects by group, kind and the name under which they are built.
    objects: HashMap<Key, Vec<Raw<'a>>>,
    /// The documents that a kustomization names as patches, by their group, kind and name.
    patches: HashMap<(usize, Key), Vec<(&'a RepoPath, usize, &'a Resource)>>,
}

/// A group, a kind and a name.
type Key = (String, String, String);

fn key(resource: &Resource, name: String) -> Key {
    (resource.group().to_owned(), resource.kind.clone(), name)
}

/// An object in its file, before any kustomization applies.
#[derive(Clone, Debug)]
struct Raw<'a> {
    path: &'a RepoPath,
    index: usize,
    resource: &'a Resource,
    chain: Chain,
    /// The namespace that it is built with.
    namespace: Option<String>,
}

impl Raw<'_> {
    fn described(&self) -> Described {
        Described { document: DocumentId::new(self.path.clone(), self.index), refused: None }
    }

    fn container(&self, like: &Container) -> Option<&Container> {
        self.resource.workload.iter().flatten().find(|c| c.name == like.name && c.role == like.role)
    }

    /// Returns a container of the file as one of the built object.
    fn place(&self, container: &Container, built: &Container) -> Container {
        let origin = ImageOrigin {
            document: DocumentId::new(self.path.clone(), self.index),
            pointer: String::new(),
            position: container.position,
            name: self.resource.name.clone(),
        };
        Container { origin: Some(origin), sites: container.sites.clone(), ..built.clone() }
    }
}

impl<'a> Tracer<'a> {
    fn new(build: &'a Build) -> Self {
        let through = Chains::of(&build.files).reach(&build.root).0;
        let chains = Chains::among(&build.files, |path| through.contains(path));
        let documents: Vec<&Resource> = chains.documents(&build.files).collect();
        let entries = documents.iter().map(|document| Entries::of(document)).collect();
        let values: Vec<Value> = documents.iter().map(|document| document.object.value()).collect();
        let text = |k: usize, key: &str| values[k].get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
        let mut objects: HashMap<_, Vec<Raw<'a>>> = HashMap::new();
        for (path, file) in build.files.iter().filter(|(path, _)| !is_file(path)) {
            for chain in chains.ways(path).unwrap_or_default() {
                for (index, resource) in file.resources.iter().enumerate() {
                    let name = chain.through.iter().fold(resource.name.clone(), |name, &k| {
                        let (prefix, suffix) = (text(k, "namePrefix"), text(k, "nameSuffix"));
                        format!("{}{name}{}", prefix.unwrap_or_default(), suffix.unwrap_or_default())
                    });
                    let set = chain.through.iter().rev().find_map(|&k| text(k, "namespace"));
                    let namespace = set.or(resource.namespace.as_deref()).map(str::to_owned);
                    let chain = chain.clone();
                    let raw = Raw { path, index, resource, chain, namespace };
                    objects.entry(key(resource, name)).or_default().push(raw);
                }
            }
        }
        let mut patches: HashMap<_, Vec<_>> = HashMap::new();
        for k in 0..documents.len() {
            let files = chains.patches(k).iter().filter_map(|path| build.files.get_key_value(path.as_str()));
            for (path, file) in files {
                for (index, patch) in file.resources.iter().enumerate() {
                    let place = (path, index, patch);
                    patches.entry((k, key(patch, patch.name.clone()))).or_default().push(place);
                }
            }
        }
        Self { build, chains, entries, objects, patches }
    }

    /// Returns the kustomizations that an object passes behind the place of an image.
    ///
    /// An entry of their `images` for this image applies after that place.
    fn behind(&self, raw: &Raw<'a>, place: &RepoPath) -> BTreeSet<usize> {
        let through = &raw.chain.through;
        let after_itself = through.iter().rposition(|&k| self.chains.path(k) == place).map(|at| at + 1);
        let names_it = |&k: &usize| self.chains.patches(k).iter().any(|patch| place == patch.as_str());
        let from = after_itself.or_else(|| through.iter().rposition(names_it)).unwrap_or_default();
        // No real way is longer; of longer ones none is proposed.
        let all = if through.len() > MOST_PROPOSED { through.len() } else { from };
        through.iter().copied().skip(all).collect()
    }

    /// Returns the file's object that a built one comes from; `None` if there is none or several
    /// match.
    fn find(&self, built: &Resource) -> Option<&Raw<'a>> {
        let found = self.objects.get(&key(built, built.name.clone()))?;
        let mut same = found.iter().filter(|raw| raw.namespace == built.namespace);
        match (same.next(), same.next()) {
            (Some(raw), None) => Some(raw),
            (None, _) => found.first().filter(|_| found.len() == 1),
            (Some(_), Some(_)) => None,
        }
    }

    /// Returns the patches that describe an object, in the order in which they apply.
    fn patches_of<'t>(&'t self, raw: &'t Raw<'a>) -> impl Iterator<Item = Raw<'a>> + 't {
        raw.chain.through.iter().flat_map(move |&k| self.patches_in(k, raw))
    }

    fn patches_in<'t>(&'t self, k: usize, raw: &'t Raw<'a>) -> impl Iterator<Item = Raw<'a>> + 't {
        let found = self.patches.get(&(k, key(raw.resource, raw.resource.name.clone())));
        let patch = |&(path, index, resource)| Raw { path, index, resource, ..raw.clone() };
        found.into_iter().flatten().map(patch)
    }

    /// Returns a built container with the place where its image is written, or the reason that
    /// there is none.
    fn container(&self, raw: Option<&Raw<'a>>, built: &Container) -> Container {
        let refused = built.sites.first().and_then(|site| site.refused.clone());
        let traced = match raw {
            Some(raw) => self.follow(raw, built),
            None => Err(format!(
                "no file is known to describe the object, or several do: change it by hand in what {} lists, or give the object a file and a name of its own",
                self.build.root
            )),
        };
        let why = match traced {
            Ok(container) => return container,
            Err(why) => refused.unwrap_or(why),
        };
        let origin = ImageOrigin {
            document: DocumentId::new(self.build.root.clone(), 0),
            pointer: String::new(),
            position: Position::START,
            name: String::new(),
        };
        let sites =
            built.sites.iter().map(|site| Site { refused: Some(why.clone()), shared: None, ..site.clone() });
        Container { sites: sites.collect(), origin: Some(origin), ..built.clone() }
    }

    /// Follows the image from the object outwards.
    fn follow(&self, raw: &Raw<'a>, built: &Container) -> Result<Container, String> {
        let mut now = raw.container(built).map(|container| (raw.clone(), container.clone()));
        let mut outcome = now.as_ref().and_then(|(_, container)| Outcome::of(container));
        for &k in &raw.chain.through {
            for patch in self.patches_in(k, raw) {
                if let Some(container) =
                    patch.container(built).filter(|container| container.image.is_ok()).cloned()
                {
                    outcome = Outcome::of(&container);
                    now = Some((patch, container));
                }
            }
            if let Some(outcome) = &mut outcome {
                outcome.take(k, &self.entries[k], &self.chains);
            }
        }
        let (from, container) = now.ok_or("none of the files that it is built from has this container")?;
        if raw.chain.cut {
            return Err(TOO_MANY.to_owned());
        }
        // kustomize does not change images in several parts.
        let image = outcome.as_ref().map_or_else(|| container.image.clone(), Outcome::image);
        if image != built.image {
            return Err(match image {
                Ok(image) => format!(
                    "{} has {image} for it, and something that is not followed makes another of it",
                    from.path
                ),
                Err(bad) => format!("its files say `{}`: {}", bad.text, bad.problem),
            });
        }
        let mut traced = from.place(&container, built);
        if let Some(outcome) = outcome {
            let place =
                outcome.set_by.and_then(|(k, e)| Some((self.chains.origin(k), self.entries[k].get(e)?)));
            traced.image = container.image;
            put(&mut traced, outcome, place, 1, None);
        }
        if let (Some(origin), Some(site)) = (&mut traced.origin, built.sites.first()) {
            origin.pointer.clone_from(&site.pointer);
        }
        Ok(traced)
    }
}

//! What is wrong with kustomizations: in themselves, and held against the tree. Told without a kustomize, as kustomize would say it.
//!
//! Those among the loaded files count, those that kustomize is to build, and those that these list, wherever in the repository. Only what is
//! wrong is read again, for its lines.

mod listed;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use serde_json::Value;

use super::{DeployError, look::Looker};
use crate::{
    backend::{ConfigRepo, ContentId, FileBody, Tree},
    finding::{Code, Finding, Place},
    generate::{How, Source},
    manifest::{
        self, ParsedFile, Places, Spot,
        kustomize::{FILES, Mistake, is_file, is_kustomization, is_of_another_group, mistakes},
    },
    path::folder,
};

/// The mistakes that are told of one kustomization.
const MOST: usize = 100;

/// The values that a kustomization may have to be checked. People write some hundreds.
const MOST_VALUES: usize = 50_000;

/// A kustomization of the tree.
#[derive(Debug)]
struct Kustomization {
    path: String,
    object: Arc<Value>,
    /// Where it starts in its file.
    line: u32,
}

impl Kustomization {
    /// Whether it is larger than anybody writes one: checking it would take more than reading it did.
    fn is_huge(&self) -> bool {
        let (mut left, mut values) = (MOST_VALUES, vec![&*self.object]);
        while let Some(value) = values.pop() {
            let within = match value {
                Value::Array(items) => items.len(),
                Value::Object(map) => map.len(),
                _ => 0,
            };
            let Some(rest) = left.checked_sub(within) else { return true };
            left = rest;
            match value {
                Value::Array(items) => values.extend(items),
                Value::Object(map) => values.extend(map.values()),
                _ => {}
            }
        }
        false
    }

    fn is_component(&self) -> bool {
        self.object.get("kind").is_some_and(|kind| kind == "Component")
    }
}

/// The kustomizations that count.
#[derive(Debug, Default)]
struct Gathered {
    /// By their paths.
    all: BTreeMap<String, Kustomization>,
    /// The folders that they list.
    listed: BTreeSet<String>,
    /// What is wrong with files that hold none.
    broken: Vec<Finding>,
    /// That some are too large to be judged.
    huge: Vec<Finding>,
}

impl Gathered {
    /// What is wrong with them, by their paths: in themselves, and held against the tree.
    fn judged(&self, tree: &Tree, loaded: &BTreeMap<String, ContentId>) -> BTreeMap<&str, Wrong> {
        let mut wrong = listed::cycles(&self.all);
        for (path, kustomization) in &self.all {
            let of_it = wrong.entry(path).or_default();
            if is_of_another_group(&kustomization.object) && !self.listed.contains(folder(path)) {
                of_it.add(|| unread(&kustomization.object));
                continue;
            }
            let own = mistakes(&kustomization.object).into_iter();
            let of_lists = listed::mistakes(kustomization, tree, &self.all);
            own.chain(of_lists).for_each(|mistake| of_it.add(|| mistake));
            if let Some(mistake) =
                loaded.contains_key(path).then(|| not_built(&kustomization.object)).flatten()
            {
                of_it.add(|| mistake);
            }
            if let Some(first) = in_folder(tree, folder(path)).next().filter(|first| first != path) {
                let said = format!("{first} stands beside it, and kustomize refuses a folder with two");
                of_it.add(|| Mistake::error("", said, "keep one of them"));
            }
        }
        wrong.retain(|_, wrong| !wrong.told.is_empty());
        wrong
    }
}

/// What is wrong with a kustomization.
#[derive(Debug, Default)]
struct Wrong {
    /// What is told of it.
    told: Vec<Mistake>,
    /// How many mistakes there are besides.
    more: usize,
}

impl Wrong {
    /// Adds a mistake, which is not made if enough are told.
    fn add(&mut self, mistake: impl FnOnce() -> Mistake) {
        if self.told.len() < MOST {
            self.told.push(mistake());
        } else {
            self.more += 1;
        }
    }

    /// The findings, each at its place in the text of the file, where the kustomization starts at a line.
    fn told(self, path: &str, text: &str, line: u32) -> Vec<Finding> {
        let (places, start) = (Places::of(text, line), (line, 1));
        let place = |(line, column): Spot| Place { path: path.to_owned(), line, column };
        let at_its_place = |mistake: Mistake| {
            let spot = places.nearest(&mistake.pointer).unwrap_or(start);
            finding(mistake, place(spot))
        };
        let mut findings: Vec<Finding> = self.told.into_iter().map(at_its_place).collect();
        if self.more > 0 {
            let said = format!("there are {} mistakes more", self.more);
            let mistake = Mistake::error("", said, "correct those that are told first");
            findings.push(finding(mistake, place(start)));
        }
        findings
    }
}

/// What a kustomization does to objects beside their images: only a kustomize run does it.
const NEEDS_A_BUILD: [&str; 16] = [
    "commonAnnotations",
    "commonLabels",
    "configMapGenerator",
    "generators",
    "helmCharts",
    "labels",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "replacements",
    "replicas",
    "secretGenerator",
    "transformers",
];

/// That files which a kustomization lists are read as they stand, where it would make something else of them.
fn not_built(object: &Value) -> Option<Mistake> {
    let keys: Vec<&str> = NEEDS_A_BUILD.into_iter().filter(|key| object.get(key).is_some()).collect();
    let first = keys.first()?;
    let said = format!(
        "no kustomize is run for it, so what it lists is taken as it stands, without its `{}`",
        keys.join("`, `")
    );
    let remedy =
        "name its folder as a path (--git-path) and allow kustomize to be run (--manifest-generation)";
    Some(Mistake { code: Code::NotBuilt, ..Mistake::warning(format!("/{first}"), said, remedy) })
}

impl Looker {
    /// What is wrong with the kustomizations of a tree, of which these files are loaded and parsed.
    pub(super) async fn kustomizations(
        &self,
        repo: &dyn ConfigRepo,
        tree: &Tree,
        loaded: (&BTreeMap<String, ContentId>, &HashMap<ContentId, Arc<ParsedFile>>),
        sources: &[Source],
    ) -> Result<Vec<Finding>, DeployError> {
        let (loaded, known) = loaded;
        let built = sources.iter().filter(|source| source.how == How::Kustomize).map(|source| &source.by);
        let files = loaded.keys().filter(|path| is_file(path));
        let first = files.chain(built).cloned().collect();
        let mut gathered = self.gather(repo, tree, first, known).await?;
        // What is wrong with loaded files is told of them already.
        let is_loaded = |place: &Place| loaded.contains_key(&place.path);
        gathered.broken.retain(|finding| !finding.place.as_ref().is_some_and(is_loaded));
        let mut findings = std::mem::take(&mut gathered.broken);
        findings.append(&mut gathered.huge);
        let wrong = gathered.judged(tree, loaded);
        let paths: Vec<&str> = wrong.keys().copied().collect();
        let texts = texts(repo, tree, &paths).await?;
        for (path, wrong) in wrong {
            let line = gathered.all.get(path).map_or(1, |kustomization| kustomization.line);
            let text = texts.get(path).map_or("", String::as_str);
            findings.extend(wrong.told(path, text, line));
        }
        Ok(findings)
    }

    /// These kustomizations and all that they list.
    async fn gather(
        &self,
        repo: &dyn ConfigRepo,
        tree: &Tree,
        mut next: BTreeSet<String>,
        known: &HashMap<ContentId, Arc<ParsedFile>>,
    ) -> Result<Gathered, DeployError> {
        let (mut gathered, mut seen) = (Gathered::default(), BTreeSet::new());
        while !next.is_empty() {
            let (found, broken) = self.read_kustomizations(repo, tree, &next, known).await?;
            gathered.broken.extend(broken);
            seen.append(&mut next);
            for kustomization in found {
                if kustomization.is_huge() {
                    gathered.huge.push(huge(kustomization));
                    continue;
                }
                for folder in listed::folders(&kustomization) {
                    next.extend(in_folder(tree, &folder).filter(|path| !seen.contains(path)));
                    gathered.listed.insert(folder);
                }
                gathered.all.insert(kustomization.path.clone(), kustomization);
            }
        }
        Ok(gathered)
    }

    /// The kustomizations of these files, and what is wrong with files that hold none.
    async fn read_kustomizations(
        &self,
        repo: &dyn ConfigRepo,
        tree: &Tree,
        paths: &BTreeSet<String>,
        known: &HashMap<ContentId, Arc<ParsedFile>>,
    ) -> Result<(Vec<Kustomization>, Vec<Finding>), DeployError> {
        let ids = paths.iter().filter_map(|path| tree.file(path));
        let (parsed, _) = self.parsed(repo, ids.filter(|id| !known.contains_key(*id))).await?;
        let file = |path: &String| {
            let id = tree.file(path)?;
            known.get(id).or_else(|| parsed.get(id))
        };
        let (mut found, mut broken, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for (path, file) in paths.iter().filter_map(|path| Some((path, file(path)?))) {
            match file.resources.iter().find(|resource| is_kustomization(resource)) {
                Some(resource) => found.push(Kustomization {
                    path: path.clone(),
                    object: resource.object.clone(),
                    line: resource.line,
                }),
                None if unreadable(file).next().is_some() => {
                    let told = unreadable(file).map(|problem| problem.at(path));
                    broken.extend(told.map(|told| Finding { code: Code::InvalidKustomization, ..told }));
                }
                None => unknown.push(path.as_str()),
            }
        }
        for (path, text) in texts(repo, tree, &unknown).await? {
            let document = match manifest::first_document(text.as_bytes()) {
                Ok(document) => document,
                Err(problem) => {
                    broken.push(Finding { code: Code::InvalidKustomization, ..problem.at(&path) });
                    continue;
                }
            };
            let line = document.places.first_line().unwrap_or(1);
            found.push(Kustomization { path, object: Arc::new(document.value), line });
        }
        Ok((found, broken))
    }
}

/// What keeps a file from being read at all.
fn unreadable(file: &ParsedFile) -> impl Iterator<Item = &manifest::Problem> {
    let codes = [Code::InvalidYaml, Code::TooLarge, Code::Template, Code::Encrypted];
    file.problems.iter().filter(move |problem| codes.contains(&problem.code))
}

/// The texts of files, by path.
async fn texts(
    repo: &dyn ConfigRepo,
    tree: &Tree,
    paths: &[&str],
) -> Result<BTreeMap<String, String>, DeployError> {
    let (paths, ids): (Vec<&str>, Vec<_>) =
        paths.iter().filter_map(|path| Some((*path, tree.file(path)?.clone()))).unzip();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let bodies = repo.read(&ids, manifest::MAX_FILE_BYTES).await?;
    let texts = paths.into_iter().zip(bodies).filter_map(|(path, body)| match body {
        FileBody::Bytes(bytes) => Some((path.to_owned(), String::from_utf8(bytes.to_vec()).ok()?)),
        FileBody::TooLarge { .. } => None,
    });
    Ok(texts.collect())
}

/// The files of kustomize's names that a folder has.
fn in_folder(tree: &Tree, folder: &str) -> impl Iterator<Item = String> {
    let path = move |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    FILES.into_iter().map(path).filter(|path| tree.file(path).is_some())
}

fn huge(kustomization: Kustomization) -> Finding {
    let Kustomization { path, line, .. } = kustomization;
    let said = format!("it has more than {MOST_VALUES} values, and is not checked");
    let mistake = Mistake::warning("", said, "divide it into kustomizations of several folders");
    finding(mistake, Place { path, line, column: 1 })
}

/// The mistake of an object that stands where only a kustomization counts.
fn unread(object: &Value) -> Mistake {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let group = text("apiVersion").split('/').next().unwrap_or_default();
    let said =
        format!("it is a {} of {group}; of a file of this name only a kustomization is read", text("kind"));
    Mistake::warning("", said, "give the file another name")
}

fn finding(mistake: Mistake, place: Place) -> Finding {
    let Mistake { code, evidence, remedy, .. } = mistake;
    Finding { code, subject: place.path.clone(), place: Some(place), evidence, remedy }
}

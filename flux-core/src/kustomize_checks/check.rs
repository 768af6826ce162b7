//! The check of all kustomizations that count.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value;

use super::{
    cycles::cycles,
    entries::entry_mistakes,
    gather::{Gathered, gather},
    kustomization::files_in,
    mistakes::Mistakes,
    shape::{Mistake, is_of_another_group, mistakes},
};
use crate::{
    api_version::group_of,
    backend::{ContentId, Error as BackendError, Tree},
    finding::{Code, Finding, Place},
    manifest::{ParsedFile, kustomization::is_file},
    parse_cache::{CachedParser, read_texts},
    repo_path::{RepoPath, folder},
};

/// Returns the findings about the kustomizations of a tree.
///
/// These are the kustomizations among the loaded files, those that kustomize builds, and those that
/// these list.
pub(crate) async fn check(
    parser: CachedParser<'_>,
    tree: &Tree,
    loaded: &BTreeMap<RepoPath, ContentId>,
    known: &HashMap<ContentId, Arc<ParsedFile>>,
    built: impl IntoIterator<Item = RepoPath>,
) -> Result<Vec<Finding>, BackendError> {
    let first = loaded.keys().filter(|path| is_file(path)).cloned().chain(built).collect();
    let mut gathered = gather(parser, tree, first, known).await?;
    // The problems of loaded files are reported elsewhere.
    let is_loaded = |place: &Place| loaded.contains_key(&*place.path);
    gathered.broken.retain(|finding| !finding.place.as_ref().is_some_and(is_loaded));
    let mut findings = std::mem::take(&mut gathered.broken);
    findings.append(&mut gathered.huge);
    let mistakes = all_mistakes(&gathered, tree, loaded);
    let texts = read_texts(parser.repo, |path| tree.file(path).cloned(), mistakes.keys().copied()).await?;
    for (path, mistakes) in mistakes {
        let line = gathered.all.get(path).map_or(1, |kustomization| kustomization.line);
        let text = texts.get(path).map_or("", String::as_str);
        findings.extend(mistakes.findings(path, text, line));
    }
    Ok(findings)
}

/// Returns the mistakes of kustomizations by their paths: in themselves, and against the tree.
fn all_mistakes<'g>(
    gathered: &'g Gathered,
    tree: &Tree,
    loaded: &BTreeMap<RepoPath, ContentId>,
) -> BTreeMap<&'g RepoPath, Mistakes> {
    let mut found = cycles(&gathered.all);
    for (path, kustomization) in &gathered.all {
        let own = found.entry(path).or_default();
        if is_of_another_group(&kustomization.object) && !gathered.listed.contains(folder(path)) {
            own.add(|| of_another_group(&kustomization.object));
            continue;
        }
        let in_itself = mistakes(&kustomization.object).into_iter();
        let of_entries = entry_mistakes(kustomization, tree, &gathered.all);
        in_itself.chain(of_entries).for_each(|mistake| own.add(|| mistake));
        if let Some(mistake) = loaded.contains_key(path).then(|| not_built(&kustomization.object)).flatten() {
            own.add(|| mistake);
        }
        if let Some(first) = files_in(tree, folder(path)).next().filter(|first| first != path) {
            let evidence = format!("{first} stands beside it, and kustomize refuses a folder with two");
            own.add(|| Mistake::error("", evidence, "keep one of them"));
        }
    }
    found.retain(|_, mistakes| !mistakes.is_empty());
    found
}

/// The fields that change objects beyond their images: only a kustomize run applies them.
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

/// Returns the mistake of a kustomization whose files are read as they are, without its changes.
fn not_built(object: &Value) -> Option<Mistake> {
    let keys: Vec<&str> = NEEDS_A_BUILD.into_iter().filter(|key| object.get(key).is_some()).collect();
    let first = keys.first()?;
    let evidence = format!(
        "no kustomize is run for it, so what it lists is taken as it stands, without its `{}`",
        keys.join("`, `")
    );
    let remedy = "configure its folder as a path of its own, and allow kustomize to be run";
    Some(Mistake { code: Code::NotBuilt, ..Mistake::warning(format!("/{first}"), evidence, remedy) })
}

/// Returns the mistake of an object in a file where only a kustomization counts.
fn of_another_group(object: &Value) -> Mistake {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let group = group_of(text("apiVersion"));
    let kind = text("kind");
    let evidence = format!("it is a {kind} of {group}; of a file of this name only a kustomization is read");
    Mistake::warning("", evidence, "give the file another name")
}

//! Making the manifests that commands make.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use serde_json::Value;

use super::{DeployError, look::missing_path};
use crate::{
    backend::{ConfigRepo, FileBody, Tree},
    finding::{Code, Finding},
    generate::{
        self, Checkout, Config, Found, GenerateError, Generation, Generator, How, InvalidConfig, Run, Source,
    },
    manifest::{self, Generated, ParsedFile},
};

/// The manifests that the commands of a git path made.
#[derive(Clone, Debug)]
pub struct Made {
    /// Where they come from.
    pub source: Source,
    /// What the commands printed, before patches.
    pub printed: Arc<ParsedFile>,
    /// What they are, after patches.
    pub file: Arc<ParsedFile>,
}

impl Made {
    /// What the planners need to know of them.
    pub(super) fn marks(&self) -> Generated {
        Generated {
            refuses_images: self.source.refuses_images(),
            refuses_policies: self.source.refuses_policies(),
        }
    }
}

/// The git paths of a tree, told apart by where their manifests come from.
#[derive(Debug, Default)]
pub(super) struct Sources {
    paths: Vec<String>,
    /// Whether the files of a path are read as they stand.
    raw: Vec<bool>,
    /// The paths that are generated.
    pub(super) generated: Vec<Source>,
    /// What is wrong with what says so.
    pub(super) findings: Vec<Finding>,
}

impl Sources {
    /// Reads every `.flux.yaml` that counts.
    pub(super) async fn read(
        generation: &Generation,
        repo: &dyn ConfigRepo,
        tree: &Tree,
    ) -> Result<Self, DeployError> {
        let files: BTreeSet<&str> = tree.files.keys().map(String::as_str).collect();
        let mut sources = Self::default();
        for (path, found) in generate::find(&generation.paths, &files) {
            let there = path.is_empty() || files.iter().any(|file| generate::is_under(file, path));
            let source = match found {
                _ if !there => {
                    sources.findings.push(missing_path(path));
                    Ok(None)
                }
                // Without commands, its files are read as they stand.
                Found::Kustomization(_) if generation.generator.is_none() => Ok(None),
                Found::Kustomization(by) => Ok(Some(Source::of_kustomization(path, &by))),
                Found::FluxYaml(by) => source_of(repo, tree, path, &by).await?,
                Found::Nothing => Ok(None),
            };
            sources.paths.push(path.to_owned());
            sources.raw.push(matches!(source, Ok(None)));
            match source {
                Ok(source) => sources.generated.extend(source),
                Err(InvalidConfig(findings)) => sources.findings.extend(findings),
            }
        }
        Ok(sources)
    }

    /// Whether a file is read as it stands.
    pub(super) fn are_raw(&self) -> impl Fn(&str) -> bool {
        let paths: Vec<&str> = self.paths.iter().map(String::as_str).collect();
        move |file| generate::owner(file, &paths).is_some_and(|at| self.raw[at])
    }
}

/// A git path as its `.flux.yaml` says; none if its files are read as they stand.
async fn source_of(
    repo: &dyn ConfigRepo,
    tree: &Tree,
    path: &str,
    by: &str,
) -> Result<Result<Option<Source>, InvalidConfig>, DeployError> {
    let bytes = file(repo, &tree.files, by).await?.unwrap_or_default();
    let source = Config::parse(by, &bytes).and_then(|config| {
        Source::of_config(path, by, config).map_err(|evidence| {
            InvalidConfig(vec![Finding {
                code: Code::InvalidGeneration,
                subject: by.to_owned(),
                place: None,
                evidence,
                remedy: "name a file within the repository, relative to the git path".to_owned(),
            }])
        })
    });
    Ok(source)
}

/// The contents of a file of a tree; none if it is not there, or too large.
async fn file(
    repo: &dyn ConfigRepo,
    files: &BTreeMap<String, crate::backend::ContentId>,
    path: &str,
) -> Result<Option<Bytes>, DeployError> {
    let Some(id) = files.get(path) else { return Ok(None) };
    let bodies = repo.read(std::slice::from_ref(id), manifest::MAX_FILE_BYTES).await?;
    Ok(bodies.into_iter().next().and_then(|body| match body {
        FileBody::Bytes(bytes) => Some(bytes),
        FileBody::TooLarge { .. } => None,
    }))
}

/// Runs the commands of every source in one private copy of a tree. Each is on its own: what is wrong with one is among the findings.
///
/// # Errors
/// [`DeployError`] if the repository cannot be read.
pub(super) async fn make(
    generation: &Generation,
    repo: &dyn ConfigRepo,
    tree: &Tree,
    over: &BTreeMap<String, Bytes>,
    sources: &[Source],
) -> Result<(Vec<Made>, Vec<Finding>), DeployError> {
    if sources.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let Some(generator) = &generation.generator else {
        return Ok((Vec::new(), sources.iter().map(off).collect()));
    };
    let mut checkout = match copy(&**generator, repo, tree, over).await? {
        Ok(checkout) => checkout,
        Err(error) => {
            let findings = sources.iter().map(|source| failed(source, error.to_string(), FAILED)).collect();
            return Ok((Vec::new(), findings));
        }
    };
    let (mut all, mut findings) = (Vec::new(), Vec::new());
    for source in sources {
        let printed = match print(generation, &mut *checkout, source).await {
            Ok(printed) => printed,
            Err(finding) => {
                findings.push(*finding);
                continue;
            }
        };
        let patches = match &source.how {
            How::Patches { file: path, .. } => match over.get(path) {
                Some(bytes) => Some(bytes.clone()),
                None => file(repo, &tree.files, path).await?,
            },
            How::Commands { .. } | How::Kustomize => None,
        };
        let file = patches.map(|patches| patched(source, &printed, &patches, &mut findings));
        let printed = Arc::new(printed);
        let file = file.map_or_else(|| printed.clone(), Arc::new);
        all.push(Made { source: source.clone(), printed, file });
    }
    Ok((all, findings))
}

/// A private copy. That the repository cannot be read is an error, that the copy cannot be made is not.
pub(super) async fn copy(
    generator: &dyn Generator,
    repo: &dyn ConfigRepo,
    tree: &Tree,
    over: &BTreeMap<String, Bytes>,
) -> Result<Result<Box<dyn Checkout>, GenerateError>, DeployError> {
    match generator.checkout(repo, tree, over).await {
        Err(GenerateError::Repo(error)) => Err(error.into()),
        other => Ok(other),
    }
}

/// What the commands of a source print, read as manifests.
async fn print(
    generation: &Generation,
    checkout: &mut dyn Checkout,
    source: &Source,
) -> Result<ParsedFile, Box<Finding>> {
    let generators = source.generators();
    let mut text = Vec::new();
    for command in &generators.commands {
        let run = Run {
            command: command.text.clone(),
            folder: source.folder().to_owned(),
            env: BTreeMap::new(),
            timeout: Source::timeout(command, generation.timeout),
        };
        let output =
            checkout.run(&run).await.map_err(|error| Box::new(failed(source, error.to_string(), FAILED)))?;
        if !text.is_empty() {
            text.extend_from_slice(b"\n---\n");
        }
        text.extend_from_slice(&output.stdout);
    }
    let printed = manifest::parse(&text);
    if printed.resources.is_empty() && printed.problems.is_empty() && !generators.allow_empty {
        let remedy = "correct the commands, or write `allowEmpty: true` beside them if nothing is what they should print";
        return Err(Box::new(failed(source, "the commands printed no object".to_owned(), remedy)));
    }
    Ok(printed)
}

/// What was printed, with patches applied. A patch that cannot be is a finding.
fn patched(source: &Source, printed: &ParsedFile, patches: &[u8], findings: &mut Vec<Finding>) -> ParsedFile {
    let How::Patches { file, .. } = &source.how else { return printed.clone() };
    let patches = manifest::parse(patches);
    // That a patch is no whole workload is no mistake.
    findings.extend(patches.problems.iter().filter(|p| p.subject.is_none()).map(|p| p.at(file)));
    let mut objects: Vec<Value> = values(printed);
    for (at, error) in generate::apply_patches(&mut objects, &values(&patches)) {
        let place = patches.resources.get(at).map(|patch| crate::finding::Place {
            path: file.clone(),
            line: patch.line,
            column: patch.column,
        });
        let remedy = "remove the patch, or correct its kind, namespace and name".to_owned();
        findings.push(Finding { place, ..failed(source, error.to_string(), &remedy) });
    }
    let text: String = objects.iter().map(|object| format!("---\n{}", manifest::emit(object))).collect();
    let mut file = manifest::parse(text.as_bytes());
    // What is wrong with documents was found when they were printed.
    file.problems.extend(printed.problems.iter().filter(|problem| problem.subject.is_none()).cloned());
    file
}

/// The objects of a file.
pub(super) fn values(file: &ParsedFile) -> Vec<Value> {
    file.resources.iter().map(|resource| Value::clone(&resource.object)).collect()
}

const FAILED: &str = "correct the commands, or run them in the git path to see what they say";

fn failed(source: &Source, evidence: String, remedy: &str) -> Finding {
    Finding {
        code: Code::GenerationFailed,
        subject: source.output_path(),
        place: None,
        evidence,
        remedy: remedy.to_owned(),
    }
}

fn off(source: &Source) -> Finding {
    let path = if source.path.is_empty() { "the repository" } else { &source.path };
    Finding {
        code: Code::GenerationOff,
        subject: source.by.clone(),
        place: None,
        evidence: format!("it has commands that make the manifests of {path}, and no commands are run here"),
        remedy: "allow commands of the repository to be run (--manifest-generation), or take the file away"
            .to_owned(),
    }
}

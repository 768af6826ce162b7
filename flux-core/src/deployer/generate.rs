//! Making the manifests that commands make.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use serde_json::Value;

use super::{DeployError, look::missing_path, patched::Patched};
use crate::{
    backend::{ConfigRepo, FileBody, Tree},
    finding::{Code, Finding, Place},
    generate::{
        self, Checkout, Command, Config, Found, GenerateError, Generation, Generator, How, InvalidConfig,
        Run, Source,
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
    /// The commands, each with the line of the whole that its output starts at.
    pub(crate) starts: Vec<(u32, Command)>,
    /// What of the patch file was not applied, if anything: rewriting the file would lose it.
    pub unapplied: Option<String>,
}

impl Made {
    /// What the planners need to know of them.
    pub(super) fn marks(&self) -> Generated {
        let unapplied = || self.unapplied.clone();
        Generated {
            refuses_images: self.source.refuses_images().or_else(unapplied),
            refuses_policies: self.source.refuses_policies().or_else(unapplied),
        }
    }

    /// A finding about what was printed, at the place of the command that printed it: no file has the line it speaks of.
    fn told(&self, finding: Finding) -> Finding {
        let Some((place, which)) = finding.place.as_ref().and_then(|at| self.printer(at.line, at.column))
        else {
            return finding;
        };
        Finding { place: Some(place), evidence: format!("{which}: {}", finding.evidence), ..finding }
    }

    /// Where the command stands that printed a line, and which line of its output that is.
    fn printer(&self, line: u32, column: u32) -> Option<(Place, String)> {
        let (start, command) = self.starts.iter().rev().find(|(start, _)| *start <= line)?;
        let (line, name) = (line - start + 1, generate::brief(&command.text));
        Some((command.place.clone(), format!("line {line}, column {column} of what `{name}` prints")))
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
    /// Reads every `.flux.yaml` that counts, of the files of a tree with those in `over` instead or beside them.
    pub(super) async fn read(
        generation: &Generation,
        repo: &dyn ConfigRepo,
        tree: &Tree,
        over: &BTreeMap<String, Bytes>,
    ) -> Result<Self, DeployError> {
        // That a `.flux.yaml` is a link makes it none that can be read, and no path without one.
        let configs = tree.links().filter(|path| generate::is_config(path));
        let files = tree.file_paths().chain(over.keys().map(String::as_str)).chain(configs);
        let files: BTreeSet<&str> = files.collect();
        let (mut sources, mut used) = (Self::default(), BTreeSet::new());
        for (path, found) in generate::find(&generation.paths, &files) {
            if let Found::FluxYaml(by) = &found {
                used.insert(by.clone());
            }
            let there = path.is_empty() || files.iter().any(|file| generate::is_under(file, path));
            let source = match found {
                _ if !there => {
                    sources.findings.push(missing_path(path));
                    Ok(None)
                }
                // Without commands, its files are read as they stand.
                Found::Kustomization(_) if generation.generator.is_none() => Ok(None),
                Found::Kustomization(by) => Ok(Some(Source::of_kustomization(path, &by))),
                Found::FluxYaml(by) => source_of(repo, tree, over, path, &by).await?,
                Found::Nothing => Ok(None),
            };
            sources.paths.push(generate::folder(path).to_owned());
            sources.raw.push(matches!(source, Ok(None)));
            match source {
                Ok(source) => sources.generated.extend(source),
                Err(InvalidConfig(findings)) => sources.findings.extend(findings),
            }
        }
        let paths: Vec<&str> = sources.paths.iter().map(String::as_str).collect();
        let others = files.iter().filter(|file| generate::is_config(file) && !used.contains(**file));
        let unused = others.filter_map(|file| Some(unused(file, paths[generate::owner(file, &paths)?])));
        sources.findings.extend(unused);
        Ok(sources)
    }

    /// The manifests that are read as they stand, out of all files of a tree, sorted.
    pub(super) fn raw_manifests<'a>(&self, files: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let is_raw = self.are_raw();
        manifest::manifest_paths(files).into_iter().filter(|path| is_raw(path)).collect()
    }

    /// The first of the git paths that other sources generate in another way, or read otherwise.
    pub(super) fn differs(&self, other: &Self) -> Option<&str> {
        let of = |sources: &Self, path: &str| {
            let at = sources.paths.iter().position(|p| p == path)?;
            let made = sources.generated.iter().filter(|source| source.folder() == path).cloned();
            Some((sources.raw[at], made.collect::<Vec<_>>()))
        };
        self.paths.iter().map(String::as_str).find(|path| of(self, path) != of(other, path))
    }

    /// Whether a file or folder under this path could hold manifests that are read as they stand.
    pub(super) fn hold(&self, path: &str) -> bool {
        let manifest = [".yaml", ".yml", ".json", "/"].iter().any(|end| path.ends_with(end));
        manifest && self.are_raw()(path)
    }

    /// Whether a file or folder counts, as one that could hold manifests or as one that commands may read.
    pub(super) fn want(&self, path: &str) -> bool {
        let paths: Vec<&str> = self.paths.iter().map(String::as_str).collect();
        let is_generated = generate::owner(path, &paths).is_some_and(|at| !self.raw[at]);
        is_generated || self.hold(path) || manifest::is_kustomization_file(path) && self.are_raw()(path)
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
    over: &BTreeMap<String, Bytes>,
    path: &str,
    by: &str,
) -> Result<Result<Option<Source>, InvalidConfig>, DeployError> {
    let bytes = match over.get(by) {
        Some(bytes) => bytes.clone(),
        None if tree.is_link(by) => {
            let place = Place { path: by.to_owned(), line: 1, column: 1 };
            let evidence = "it is a symbolic link or a submodule, which is not followed".to_owned();
            let remedy = "put the file itself there";
            return Ok(Err(InvalidConfig(vec![generate::invalid(place, evidence, remedy)])));
        }
        None => file(repo, tree, by).await?.unwrap_or_default(),
    };
    Ok(Config::parse(by, &bytes).and_then(|config| Source::of_config(path, by, config)))
}

/// The contents of a file of a tree; none if it is not there, or too large.
pub(super) async fn file(
    repo: &dyn ConfigRepo,
    tree: &Tree,
    path: &str,
) -> Result<Option<Bytes>, DeployError> {
    let Some(id) = tree.file(path) else { return Ok(None) };
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
            let findings = sources
                .iter()
                .map(|source| failed(source, source.place(), error.to_string(), UNAVAILABLE))
                .collect();
            return Ok((Vec::new(), findings));
        }
    };
    let (mut all, mut findings) = (Vec::new(), Vec::new());
    for source in sources {
        let (printed, starts) = match print(generation, &mut *checkout, source).await {
            Ok(printed) => printed,
            Err(finding) => {
                findings.push(*finding);
                continue;
            }
        };
        let printed = Arc::new(printed);
        let patched = match &source.how {
            How::Patches { file, .. } => Patched::read(repo, tree, over, source, file, &printed).await?,
            How::Commands { .. } | How::Kustomize => None,
        };
        let (file, unapplied) = match patched {
            Some(patched) => {
                findings.extend(patched.findings);
                (Arc::new(patched.file), patched.unapplied)
            }
            None => (printed.clone(), None),
        };
        all.push(Made { source: source.clone(), printed, file, starts, unapplied });
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

/// What the commands of a source print, read as manifests, and the lines that their outputs start at.
async fn print(
    generation: &Generation,
    checkout: &mut dyn Checkout,
    source: &Source,
) -> Result<(ParsedFile, Vec<(u32, Command)>), Box<Finding>> {
    let generators = source.generators();
    let (mut text, mut starts) = (Vec::new(), Vec::new());
    for command in &generators.commands {
        let run = Run {
            command: command.text.clone(),
            folder: source.folder().to_owned(),
            env: BTreeMap::new(),
            timeout: Source::timeout(command, generation.timeout),
            place: command.place.clone(),
        };
        let output = checkout.run(&run).await.map_err(|error| {
            Box::new(failed(source, command.place.clone(), error.to_string(), source.how.remedy()))
        })?;
        if !text.is_empty() {
            text.extend_from_slice(b"\n---\n");
        }
        let lines = text.iter().filter(|byte| **byte == b'\n').count();
        starts.push((u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1), command.clone()));
        text.extend_from_slice(&output.stdout);
    }
    let printed = manifest::parse(&text);
    if printed.resources.is_empty() && printed.problems.is_empty() && !generators.allow_empty {
        let remedy = "correct the commands, or write `allowEmpty: true` beside them if nothing is what they should print";
        let evidence = "the commands printed no object".to_owned();
        return Err(Box::new(failed(source, generators.place, evidence, remedy)));
    }
    Ok((printed, starts))
}

/// Findings, those about what commands printed at the places of the commands.
pub(super) fn told(generated: &BTreeMap<String, Made>, findings: &mut [Finding]) {
    for finding in findings {
        let made = finding.place.as_ref().and_then(|place| generated.get(&place.path));
        if let Some(made) = made {
            *finding = made.told(finding.clone());
        }
        if let Some(evidence) = retold(generated, &finding.evidence) {
            finding.evidence = evidence;
        }
    }
}

/// A text that speaks of lines of what was printed, with the places of the commands in their stead; none if it speaks of none.
fn retold(generated: &BTreeMap<String, Made>, text: &str) -> Option<String> {
    let longest = generated.keys().map(String::len).max()?;
    let (mut told, mut done) = (String::new(), 0);
    for (mark, _) in text.match_indices(generate::GENERATED) {
        let end = mark + generate::GENERATED.len();
        let place = text[end..].strip_prefix(':').and_then(|rest| {
            let (line, rest) = number(rest)?;
            let (column, rest) = number(rest.strip_prefix(':')?)?;
            let (start, made) = path_before(generated, longest, text, done, end)?;
            let (place, which) = made.printer(line, column)?;
            Some((start, format!("{place} ({which})"), text.len() - rest.len()))
        });
        if let Some((start, place, after)) = place {
            told.push_str(&text[done..start]);
            told.push_str(&place);
            done = after;
        }
    }
    (done > 0).then(|| told + &text[done..])
}

/// The longest known path that ends at a byte of a text, and where it starts. Paths may have blanks in them.
fn path_before<'m>(
    generated: &'m BTreeMap<String, Made>,
    longest: usize,
    text: &str,
    from: usize,
    end: usize,
) -> Option<(usize, &'m Made)> {
    let before = text.get(from..end)?;
    let opens = |c: char| c.is_whitespace() || matches!(c, '`' | '"' | '\'' | '(' | '[');
    let starts = before.char_indices().rev().take_while(|(at, _)| before.len() - at <= longest);
    let found = starts.filter_map(|(at, _)| {
        let is_start = before[..at].chars().next_back().is_none_or(opens);
        is_start.then(|| Some((from + at, generated.get(&before[at..])?))).flatten()
    });
    found.last()
}

/// The number that a text begins with, and what follows.
fn number(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    Some((digits.parse().ok()?, rest))
}

/// The objects of a file.
pub(super) fn values(file: &ParsedFile) -> Vec<Value> {
    file.resources.iter().map(|resource| Value::clone(&resource.object)).collect()
}

const UNAVAILABLE: &str = "see that this machine has room for a private copy, then try again";

impl How {
    /// What to do when a command of it fails.
    fn remedy(&self) -> &'static str {
        match self {
            Self::Kustomize => "correct what it says; `kustomize build` says the same in that folder",
            Self::Commands { .. } | Self::Patches { .. } => {
                "correct the command; run it in the git path, with nothing but PATH in its environment, to see what it says"
            }
        }
    }
}

pub(super) fn failed(source: &Source, place: Place, evidence: String, remedy: &str) -> Finding {
    Finding {
        code: Code::GenerationFailed,
        subject: source.output_path(),
        place: Some(place),
        evidence,
        remedy: remedy.to_owned(),
    }
}

fn unused(file: &str, path: &str) -> Finding {
    let (of, folder) =
        (if path.is_empty() { "the repository" } else { path }, file.trim_end_matches(".flux.yaml"));
    Finding {
        code: Code::UnusedGeneration,
        subject: file.to_owned(),
        place: Some(Place { path: file.to_owned(), line: 1, column: 1 }),
        evidence: format!(
            "for {of} only a .flux.yaml there or above counts; the files beside this one are not generated"
        ),
        remedy: format!(
            "name its folder as a path too (--git-path {}), or take it away",
            folder.trim_end_matches('/')
        ),
    }
}

fn off(source: &Source) -> Finding {
    let path = if source.path.is_empty() { "the repository" } else { &source.path };
    Finding {
        code: Code::GenerationOff,
        subject: source.by.clone(),
        place: Some(source.place()),
        evidence: format!("it has commands that make the manifests of {path}, and no commands are run here"),
        remedy: "allow commands of the repository to be run (--manifest-generation), or take the file away"
            .to_owned(),
    }
}

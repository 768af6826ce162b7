//! Running the commands of sources: what they print, read as manifests.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Checkout, Generation, Method, Run, Source,
    error::short_command,
    files::RevisionFiles,
    findings::{failed, off},
    patched::Patched,
};
use crate::{
    backend::Error as BackendError,
    finding::Finding,
    manifest::ParsedFile,
    manifest_set::{CommandOutput, Generated},
    workload,
};

/// The manifests that the commands of a git path made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GeneratedManifests {
    /// Where they come from.
    pub source: Source,
    /// The objects that the commands printed, before patches.
    pub printed: Arc<ParsedFile>,
    /// The objects after patches.
    pub file: Arc<ParsedFile>,
    /// The commands, in the order of their outputs.
    pub outputs: Vec<CommandOutput>,
    /// The part of the patch file that was not applied, if any: rewriting the file would lose it.
    pub unapplied: Option<String>,
}

impl GeneratedManifests {
    /// Returns what the planners need to know of them.
    pub(crate) fn to_generated(&self) -> Generated {
        let unapplied = || self.unapplied.clone();
        Generated {
            refuses_images: self.source.refuses_images().or_else(unapplied),
            refuses_policies: self.source.refuses_policies().or_else(unapplied),
            outputs: self.outputs.clone(),
        }
    }
}

/// Runs the commands of every source in one private copy of a revision.
///
/// Each is on its own: those that fail are among the findings.
pub(super) async fn generate(
    generation: &Generation,
    revision: RevisionFiles<'_>,
    sources: &[Source],
) -> Result<(Vec<GeneratedManifests>, Vec<Finding>), BackendError> {
    if sources.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let Some(generator) = &generation.generator else {
        return Ok((Vec::new(), sources.iter().map(off).collect()));
    };
    let mut checkout = match revision.checkout(&**generator).await? {
        Ok(checkout) => checkout,
        Err(error) => {
            let finding = |source| failed(source, source.place(), error.to_string(), UNAVAILABLE);
            return Ok((Vec::new(), sources.iter().map(finding).collect()));
        }
    };
    let (mut all, mut findings) = (Vec::new(), Vec::new());
    for source in sources {
        let (printed, outputs) = match print(generation, &mut *checkout, source).await {
            Ok(printed) => printed,
            Err(finding) => {
                findings.push(*finding);
                continue;
            }
        };
        let printed = Arc::new(printed);
        let patched = match &source.method {
            Method::Patches { file, .. } => Patched::read(revision, source, file, &printed).await?,
            Method::Commands { .. } | Method::Kustomize => None,
        };
        let (file, unapplied) = match patched {
            Some(patched) => {
                findings.extend(patched.findings);
                (Arc::new(patched.file), patched.unapplied)
            }
            None => (printed.clone(), None),
        };
        all.push(GeneratedManifests { source: source.clone(), printed, file, outputs, unapplied });
    }
    Ok((all, findings))
}

/// Runs the commands of a source and reads what they print as manifests.
async fn print(
    generation: &Generation,
    checkout: &mut dyn Checkout,
    source: &Source,
) -> Result<(ParsedFile, Vec<CommandOutput>), Box<Finding>> {
    let generators = source.generators();
    let (mut text, mut outputs) = (Vec::new(), Vec::new());
    for command in &generators.commands {
        let run = Run {
            command: command.text.clone(),
            folder: source.folder().to_owned(),
            env: BTreeMap::new(),
            timeout: Source::timeout(command, generation.timeout),
            place: command.place.clone(),
        };
        let output = checkout.run(&run).await.map_err(|error| {
            Box::new(failed(source, command.place.clone(), error.to_string(), source.method.remedy()))
        })?;
        if !text.is_empty() {
            text.extend_from_slice(b"\n---\n");
        }
        let lines = text.iter().filter(|byte| **byte == b'\n').count();
        outputs.push(CommandOutput {
            first_line: u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1),
            command: short_command(&command.text),
            place: command.place.clone(),
        });
        text.extend_from_slice(&output.stdout);
    }
    let printed = workload::parse(&text);
    if printed.resources.is_empty() && printed.problems.is_empty() && !generators.allow_empty {
        let remedy = "correct the commands, or write `allowEmpty: true` beside them if nothing is what they should print";
        let evidence = "the commands printed no object".to_owned();
        return Err(Box::new(failed(source, generators.place, evidence, remedy)));
    }
    Ok((printed, outputs))
}

const UNAVAILABLE: &str = "see that this machine has room for a private copy, then try again";

impl Method {
    /// Returns what to do when a command of it fails.
    fn remedy(&self) -> &'static str {
        match self {
            Self::Kustomize => "correct what it says; `kustomize build` says the same in that folder",
            Self::Commands { .. } | Self::Patches { .. } => {
                "correct the command; run it in the git path, with nothing but PATH in its environment, to see what it says"
            }
        }
    }
}

//! `check`: a linter for config repositories.

use std::{collections::BTreeMap, io::Write, path::Path, sync::Arc};

use flux::{
    Finding, Place, Severity,
    deployer::{CheckReport, Deployer},
    finding::printable,
    memory::{MemoryCluster, MemoryRegistry},
};

use crate::{
    args::{Check, Format},
    common::{BackendArgs, Failure, flags},
    folder_repo::FolderRepo,
    output::{Out, named},
};

/// Prints every finding to standard output, as findings are the result of this verb.
pub(crate) async fn run(args: &Check, backends: &BackendArgs, out: &mut Out) -> Result<u8, Failure> {
    let report = compose(args.folder.as_deref(), backends)?.check().await?;
    match out.format {
        Format::Json => out.json(&named(&report.findings))?,
        Format::Table => write!(out.stdout, "{}", text(&report))?,
    }
    Ok(u8::from(report.errors() > 0))
}

/// Composes a deployer over the repository, or over a folder in its place.
///
/// Its registry and its cluster are empty.
pub(crate) fn compose(folder: Option<&Path>, backends: &BackendArgs) -> Result<Deployer, Failure> {
    let (registry, cluster) = (Arc::new(MemoryRegistry::new()), Arc::new(MemoryCluster::new()));
    let deployer = match folder {
        Some(folder) => {
            let repo = FolderRepo::open(folder)?;
            Deployer::new(Arc::new(repo), registry, cluster)
        }
        None => {
            // A kustomization may list files outside of the paths.
            let (repo, parsed) = backends.repo_of(&[])?;
            Deployer::new(repo, registry, cluster).with_parse_cache(parsed)
        }
    };
    Ok(deployer.with_generation(backends.generation()).with_options(backends.options()))
}

/// The most findings of one code that are printed for one file.
const MOST_ALIKE: usize = 20;

/// Formats a finding like a compiler's: place, severity and problem.
fn one(finding: &Finding) -> String {
    let finding = flags::named(finding);
    let Finding { code, subject, place, evidence, remedy } = &*finding;
    let severity = match finding.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    // The place names the file already.
    let of_the_file = place.as_ref().is_none_or(|place| *place.path == **subject);
    let of = if of_the_file { String::new() } else { format!("{}: ", printable(subject)) };
    // Editors open the file at the position; of an output, the words follow.
    let (place, output) = match place {
        Some(Place { path, position, output, .. }) => (format!("{path}:{position}"), output.as_ref()),
        None => (subject.clone(), None),
    };
    let output = output.map(|output| format!("{}: ", printable(&output.to_string()))).unwrap_or_default();
    let (place, evidence) = (printable(&place), printable(evidence));
    let mut text = format!("{place}: {severity}[{code}]: {of}{output}{evidence}\n");
    if !remedy.is_empty() {
        text += &format!("  remedy: {}\n", printable(remedy));
    }
    text
}

/// Formats the findings of a check like a compiler's, followed by the counts.
fn text(report: &CheckReport) -> String {
    let mut text = String::new();
    let alike = |finding: &'_ Finding| (finding.place.as_ref().map(|place| place.path.clone()), finding.code);
    let mut all: BTreeMap<_, usize> = BTreeMap::new();
    report.findings.iter().for_each(|finding| *all.entry(alike(finding)).or_default() += 1);
    let mut printed: BTreeMap<_, usize> = BTreeMap::new();
    for finding in &report.findings {
        let nth = printed.entry(alike(finding)).or_default();
        *nth += 1;
        if *nth <= MOST_ALIKE {
            text += &one(finding);
        }
        if *nth == MOST_ALIKE && all[&alike(finding)] > MOST_ALIKE {
            let more = all[&alike(finding)] - MOST_ALIKE;
            text += &format!("  and {more} more {} in this file: -o json has all\n", finding.code);
        }
    }
    let manifests = &report.loaded.manifests;
    if report.loaded.stats.files == 0 && report.loaded.generated.is_empty() && report.findings.is_empty() {
        text += "there is no .yaml, .yml or .json file to check\n";
    }
    let counted = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let errors = report.errors();
    text += &format!(
        "{}, {}, {}: {}, {}\n",
        counted(report.loaded.stats.files, "file"),
        counted(manifests.resources().count(), "object"),
        counted(manifests.workloads().count(), "workload"),
        counted(errors, "error"),
        counted(report.findings.len() - errors, "warning"),
    );
    text
}

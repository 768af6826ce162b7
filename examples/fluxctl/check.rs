//! `check`: a linter for config repositories.

use std::{io::Write, sync::Arc};

use flux::{
    Finding, Severity,
    deployer::{Checked, Deployer},
    memory::{MemoryCluster, MemoryRegistry},
};

use crate::{
    args::{Check, Format},
    common::{BackendArgs, Failure},
    folder_repo::FolderRepo,
    output::Out,
};

/// Prints every finding. They are what was asked for, and so go to standard output.
pub(crate) async fn run(args: &Check, backends: &BackendArgs, out: &mut Out) -> Result<u8, Failure> {
    let checked = compose(args, backends)?.check().await?;
    match out.format {
        Format::Json => out.json(&checked.findings)?,
        Format::Table => write!(out.stdout, "{}", text(&checked))?,
    }
    Ok(u8::from(checked.errors() > 0))
}

/// The repository, or a folder in its place; there is no registry and no cluster to ask.
fn compose(args: &Check, backends: &BackendArgs) -> Result<Deployer, Failure> {
    let (registry, cluster) = (Arc::new(MemoryRegistry::new()), Arc::new(MemoryCluster::new()));
    let deployer = match &args.folder {
        Some(folder) => {
            let repo = FolderRepo::open(folder)?;
            Deployer::new(Arc::new(repo), registry, cluster)
        }
        None => {
            let (repo, parsed) = backends.repo()?;
            Deployer::new(repo, registry, cluster).with_parse_cache(parsed)
        }
    };
    Ok(deployer.with_generation(backends.generation()))
}

/// The findings of a check as compilers print them, and what was checked.
fn text(checked: &Checked) -> String {
    let mut text = String::new();
    for finding in &checked.findings {
        let Finding { code, subject, place, evidence, remedy } = finding;
        let severity = match finding.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let place = place.as_ref().map_or_else(|| subject.clone(), ToString::to_string);
        text += &format!("{place}: {severity}[{code}]: {subject}: {evidence}\n");
        if !remedy.is_empty() {
            text += &format!("  remedy: {remedy}\n");
        }
    }
    let manifests = &checked.look.manifests;
    let counted = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let errors = checked.errors();
    text += &format!(
        "{}, {}, {}: {}, {}\n",
        counted(checked.look.reading.files, "file"),
        counted(manifests.resources().count(), "object"),
        counted(manifests.workloads().count(), "workload"),
        counted(errors, "error"),
        counted(checked.findings.len() - errors, "warning"),
    );
    text
}

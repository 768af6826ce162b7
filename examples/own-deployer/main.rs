//! A deployer of one's own: a person approves what is planned before it is done.
//!
//! ```text
//! # Plans a release, shows it and writes it to a file.
//! cargo run --example own-deployer
//! # Carries out the release that was shown under this id.
//! cargo run --example own-deployer -- approve ID
//! ```
//!
//! The two runs are two processes that share only data: the plan, in a file that any tool can read,
//! and its id, which a person has seen. Equal inputs give equal ids, so the second run plans anew
//! and compares: if the branch, the images or the policies have changed meanwhile, the id differs
//! and nothing is done.
//!
//! The backends are in memory, to keep the example short; those of `flux::git`, `flux::registry`
//! and `flux::k8s` can take their places without other changes.

use std::{error::Error, fs, io::Write, path::Path, sync::Arc};

use flux::{
    backend::FixedClock,
    deployer::{Deployer, ReleaseReport},
    image::ImageInfo,
    memory::{MemoryCluster, MemoryRegistry, MemoryRepo},
    release::{ReleasePlan, Request},
    sync::{SyncOptions, SyncPlan, SyncReport, SyncSet},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const MANIFEST: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: team/web:1.0}
";

/// Returns a deployer over a repository with an old image and a registry with a newer one.
fn deployer() -> Result<Deployer> {
    let name = "team/web".parse()?;
    let mut registry = MemoryRegistry::new();
    for (tag, created) in [("1.0", "2026-11-01T12:00:00Z"), ("1.1", "2026-11-20T12:00:00Z")] {
        let image = ImageInfo { created: Some(created.parse()?), ..ImageInfo::default() };
        registry = registry.with_image(&name, tag.parse()?, image);
    }
    let repo = Arc::new(MemoryRepo::new([("web.yaml", MANIFEST)]));
    let clock = FixedClock("2026-11-21T12:00:00Z".parse()?);
    let deployer = Deployer::new(repo, Arc::new(registry), Arc::new(MemoryCluster::new()));
    Ok(deployer.with_clock(Arc::new(clock)))
}

fn sync_options() -> SyncOptions {
    SyncOptions::new(SyncSet::new("shop"))
}

/// Plans a release, and keeps the plan in a file for whoever approves it.
async fn propose(deployer: &Deployer, request: &Request, file: &Path) -> Result<ReleasePlan> {
    let plan = deployer.plan_release(request).await?.plan;
    fs::write(file, serde_json::to_vec_pretty(&plan)?)?;
    Ok(plan)
}

/// Carries out the plan in a file, if its id is the approved one and its inputs have not changed.
async fn approve(deployer: &Deployer, file: &Path, approved: &str) -> Result<ReleaseReport> {
    let stored: ReleasePlan = serde_json::from_slice(&fs::read(file)?)?;
    if stored.id.to_string() != approved {
        return Err(format!(
            "the plan in {} is {}, not {approved}: nothing is done",
            file.display(),
            stored.id
        )
        .into());
    }
    // Only the request is taken from the file; the plan is made, proven and checked anew.
    let anew = deployer.plan_release(&stored.request).await?;
    if anew.plan.id != stored.id {
        return Err(format!("something moved since {approved} was shown: plan again").into());
    }
    Ok(deployer.carry_out(anew).await?)
}

/// Carries out a stored plan of a sync, if its inputs have not changed.
async fn approve_sync(deployer: &Deployer, stored: &str) -> Result<SyncReport> {
    let plan: SyncPlan = serde_json::from_str(stored)?;
    Ok(deployer.carry_out_sync(&plan, &sync_options(), &()).await?)
}

fn show(out: &mut dyn Write, plan: &ReleasePlan) -> Result<()> {
    for (id, verdict) in &plan.workloads {
        writeln!(out, "{id}: {} {}", verdict.status, verdict.message)?;
    }
    for edit in &plan.edits {
        writeln!(out, "{}: {} becomes {}", edit.path, edit.edit.before, edit.edit.after)?;
    }
    writeln!(out, "approve {}", plan.id)?;
    Ok(())
}

async fn run(arguments: &[String], out: &mut dyn Write, file: &Path) -> Result<()> {
    let deployer = deployer()?;
    // The cluster of the example starts empty; a release is about what it runs.
    deployer.sync(&sync_options(), &()).await?;
    match arguments {
        [] => {
            let request = Request::latest("shop:deployment/web".parse()?);
            show(out, &propose(&deployer, &request, file).await?)?;
        }
        [verb, id] if verb == "approve" => {
            let report = approve(&deployer, file, id).await?;
            let revision = report.revision.ok_or("there was nothing to do")?;
            writeln!(out, "committed as {revision}: {}", report.plan.message())?;
            // The same step for the cluster: plan, show, approve, carry out.
            let plan = deployer.plan_sync(&sync_options()).await?;
            write!(out, "{plan}")?;
            write!(out, "{}", approve_sync(&deployer, &serde_json::to_string(&plan)?).await?)?;
        }
        _ => return Err("the arguments are none, or `approve ID`".into()),
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let file = std::env::temp_dir().join("own-deployer-plan.json");
    run(&arguments, &mut std::io::stdout(), &file).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn output(arguments: &[&str], file: &Path) -> Result<String> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let mut out = Vec::new();
        run(&arguments, &mut out, file).await?;
        Ok(String::from_utf8(out)?)
    }

    #[tokio::test]
    async fn a_release_is_done_by_the_id_that_was_shown_and_by_no_other() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("plan.json");
        let shown = output(&[], &file).await?;
        assert!(shown.contains("web.yaml: team/web:1.0 becomes team/web:1.1"), "{shown}");
        let id = shown.lines().last().and_then(|line| line.strip_prefix("approve ")).ok_or("no id")?;

        let other = output(&["approve", &"0".repeat(64)], &file).await.unwrap_err().to_string();
        assert!(other.contains("nothing is done"), "{other}");
        let done = output(&["approve", id], &file).await?;
        assert!(done.starts_with("committed as ") && done.contains("changed shop:deployment/web"), "{done}");
        Ok(())
    }

    #[tokio::test]
    async fn what_moved_since_it_was_shown_is_not_done() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("plan.json");
        let deployer = deployer()?;
        deployer.sync(&sync_options(), &()).await?;
        let request = Request::latest("shop:deployment/web".parse()?);
        let plan = propose(&deployer, &request, &file).await?;
        let sync = serde_json::to_string(&deployer.plan_sync(&sync_options()).await?)?;
        deployer.release(&request).await?;
        let error = approve(&deployer, &file, &plan.id.to_string()).await.unwrap_err().to_string();
        assert!(error.contains("something moved"), "{error}");
        let error = approve_sync(&deployer, &sync).await.unwrap_err().to_string();
        assert!(error.contains("plan anew"), "{error}");
        Ok(())
    }
}

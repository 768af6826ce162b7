//! The verbs: each looks, prints, and gives its exit code.

use std::io::Write;

use flux::{
    Code, Findings,
    manifest::WorkloadId,
    release::{ExplainRequest, Request},
    sync::{Outcome, SyncOptions},
};

use crate::{
    args::{Explain, Format, Landing, ListImages, ListWorkloads, Sync, Verb, Waiting},
    common::{Composition, Failure},
    output::{self, Out},
    requests,
    wait::{self, TokioSleeper},
    workloads,
};

/// The exit code of a request that was carried out.
const DONE: u8 = 0;
/// The exit code of a request that could not be carried out.
const FAILED: u8 = 1;
/// The exit code when there was nothing to do and the flag for it is set.
const UNCHANGED: u8 = 3;

/// Runs a verb.
pub(crate) async fn run(verb: &Verb, with: &Composition, out: &mut Out) -> Result<u8, Failure> {
    match verb {
        Verb::ListWorkloads(args) => list_workloads(args, with, out).await,
        Verb::ListImages(args) => list_images(args, with, out).await,
        Verb::Release(args) => {
            let request = requests::release(args, with).await?;
            land(request, &args.landing, args.watch.then_some(&args.waiting), with, out).await
        }
        Verb::Automate(args)
        | Verb::Deautomate(args)
        | Verb::Lock(args)
        | Verb::Unlock(args)
        | Verb::Suspend(args)
        | Verb::Resume(args) => {
            land(requests::one_policy(verb, args, with).await?, &args.landing, None, with, out).await
        }
        Verb::Policy(args) => land(requests::policy(args, with).await?, &args.landing, None, with, out).await,
        Verb::Rollback(args) => {
            land(requests::rollback(args, with).await?, &args.landing, None, with, out).await
        }
        Verb::Explain(args) => explain(args, with, out).await,
        Verb::Sync(args) => sync(args, with, out).await,
        Verb::Rbac(_) | Verb::Check(_) | Verb::Demo(_) => {
            Err(Failure::usage("this verb composes its own backends"))
        }
    }
}

async fn list_workloads(args: &ListWorkloads, with: &Composition, out: &mut Out) -> Result<u8, Failure> {
    let namespace = args.namespace.as_deref();
    let listing = match args.digests {
        true => with.deployer.list_running(namespace).await?,
        false => with.deployer.list_workloads(namespace).await?,
    };
    match out.format {
        Format::Json => out.json(&listing.entries)?,
        Format::Table => out.table(&output::workloads(&listing.entries, args))?,
    }
    out.findings(&listing.findings)?;
    Ok(DONE)
}

async fn list_images(args: &ListImages, with: &Composition, out: &mut Out) -> Result<u8, Failure> {
    let ids = workloads::named(&args.which, &with.deployer).await?;
    let namespace = args.which.namespace.as_deref();
    let wanted = |id: &WorkloadId| {
        if ids.is_empty() { namespace.is_none_or(|n| n == id.namespace()) } else { ids.contains(id) }
    };
    let listing = with.deployer.list_images(wanted).await?;
    match out.format {
        Format::Json => out.json(&listing.entries)?,
        Format::Table => out.table(&output::images(&listing.entries, args.limit, !args.no_headers))?,
    }
    out.findings(&listing.findings)?;
    // The images of a workload that was named could not be read.
    let unread = [
        Code::RegistryUnavailable,
        Code::RegistryUnauthorized,
        Code::RegistryForbidden,
        Code::ImageRepositoryNotFound,
    ];
    let mut code = match listing.findings.iter().any(|finding| unread.contains(&finding.code)) {
        true if !ids.is_empty() => FAILED,
        _ => DONE,
    };
    for id in ids.iter().filter(|id| listing.entries.iter().all(|view| view.id != **id)) {
        writeln!(
            out.stderr,
            "{id}: neither git nor the cluster has such a workload; `fluxctl list-workloads` shows which there are"
        )?;
        code = FAILED;
    }
    Ok(code)
}

/// Plans a request and lands it, unless it is a dry run.
///
/// With `watch`, then waits until the cluster has it and is healthy.
async fn land(
    request: Request,
    how: &Landing,
    watch: Option<&Waiting>,
    with: &Composition,
    out: &mut Out,
) -> Result<u8, Failure> {
    let (plan, report) = if how.dry_run {
        (with.deployer.plan_release(&request).await?.plan, None)
    } else {
        let report = with.deployer.release(&request).await?;
        (report.plan.clone(), Some(report))
    };
    let revision = report.as_ref().and_then(|report| report.revision.as_ref());
    if out.format == Format::Table {
        out.table(&output::release(&plan, how.verbose))?;
        if let Some(revision) = revision {
            writeln!(out.stdout, "Commit pushed:\t{}", revision.short())?;
        }
        out.findings(&plan.findings)?;
    }
    let waited = match (watch, &report) {
        (Some(waiting), Some(report)) => {
            let (options, lines) = (wait::options(waiting), wait::Lines::default());
            Some(with.deployer.wait_for_release(report, &options, &TokioSleeper, &lines).await)
        }
        _ => None,
    };
    if out.format == Format::Json {
        out.json(&wait::with_health(output::release_json(&plan, revision), waited.as_ref()))?;
    }
    out.waited(waited, watch)?;
    Ok(if plan.failures().next().is_some() {
        FAILED
    } else if plan.is_empty() && how.fail_if_unchanged {
        UNCHANGED
    } else {
        DONE
    })
}

async fn explain(args: &Explain, with: &Composition, out: &mut Out) -> Result<u8, Failure> {
    let mut explanations = Vec::new();
    let mut findings = Findings::new();
    let mut code = DONE;
    for workload in workloads::named(&args.which, &with.deployer).await? {
        let inquiry = ExplainRequest { workload: workload.clone(), container: args.container.clone() };
        let listing = with.deployer.explain(&inquiry).await?;
        if listing.entries.is_empty() {
            let what = args.container.as_ref().map_or_else(
                || format!("{workload}: git describes no such workload"),
                |container| {
                    format!("{workload}: git describes no container `{container}` of such a workload")
                },
            );
            writeln!(out.stderr, "{what}; `fluxctl list-workloads` shows which there are")?;
            code = FAILED;
        }
        explanations.extend(listing.entries);
        findings.extend(listing.findings);
    }
    match out.format {
        Format::Json => out.json(&explanations)?,
        Format::Table => {
            for explanation in &explanations {
                out.explanation(explanation)?;
            }
        }
    }
    out.findings(&findings)?;
    Ok(code)
}

async fn sync(args: &Sync, with: &Composition, out: &mut Out) -> Result<u8, Failure> {
    let force = args.force.iter().cloned().collect();
    let options = SyncOptions { force, ..with.sync_options(&args.how).await? };
    let report = if args.dry_run {
        with.deployer.plan_sync(&options).await?.dry_run()
    } else {
        let report = with.deployer.sync(&options, &()).await?;
        if let Some(file) = &with.cluster_file {
            file.write_back()?;
        }
        report
    };
    if out.format == Format::Table {
        out.table(&output::sync(&report, args.verbose))?;
        let unchanged = report.resources.iter().filter(|r| r.outcome == Outcome::Unchanged).count();
        let revision = report.revision.as_ref().map_or("nothing", |r| r.short());
        let verb = if args.dry_run { "Would sync to" } else { "Synced to" };
        writeln!(out.stdout, "{verb} {revision}; {unchanged} of {} unchanged", report.resources.len())?;
        out.findings(&report.findings)?;
    }
    let waited = if args.wait {
        let (limits, lines) = (wait::options(&args.waiting), wait::Lines::default());
        Some(with.deployer.wait_for_sync(&report, &options, &limits, &TokioSleeper, &lines).await)
    } else {
        None
    };
    if out.format == Format::Json {
        out.json(&wait::with_health(output::sync_json(&report), waited.as_ref()))?;
    }
    out.waited(waited, Some(&args.waiting))?;
    let broken = report.findings.iter().any(|f| f.code.hides_objects());
    let failed = report.resources.iter().any(|r| r.outcome == Outcome::Failed);
    let touched = [Outcome::Created, Outcome::Changed, Outcome::Pruned];
    let changed = report.resources.iter().any(|r| touched.contains(&r.outcome));
    Ok(if failed || broken {
        FAILED
    } else if !changed && args.fail_if_unchanged {
        UNCHANGED
    } else {
        DONE
    })
}

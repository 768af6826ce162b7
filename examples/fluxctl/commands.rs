//! The verbs: each looks, prints, and gives its exit code.

use std::io::Write;

use flux::{
    deployer::Released,
    image::ImageRef,
    manifest::WorkloadId,
    release::{Cause, ImageRelease, Request, Selection, Spec, Wish},
    sync::{Outcome, SyncOptions},
};

use crate::{
    args::{Format, ListImages, ListWorkloads, Release, Sync, Verb},
    common::{Composition, Failure},
    output::{self, Out},
    workloads,
};

/// What was asked for was done.
const DONE: u8 = 0;
/// Something asked for could not be done.
const FAILED: u8 = 1;
/// There was nothing to do, and that was to be told.
const UNCHANGED: u8 = 3;

/// Does what a verb says.
pub(crate) async fn run(verb: &Verb, with: &Composition, out: &mut Out) -> Result<u8, Failure> {
    match verb {
        Verb::ListWorkloads(args) => list_workloads(args, with, out).await,
        Verb::ListImages(args) => list_images(args, with, out).await,
        Verb::Release(args) => release(args, with, out).await,
        Verb::Sync(args) => sync(args, with, out).await,
        Verb::Check(_) | Verb::Demo(_) => Err(Failure::usage("this verb composes its own backends")),
    }
}

async fn list_workloads(args: &ListWorkloads, with: &Composition, out: &mut Out) -> Result<u8, Failure> {
    let listing = with.deployer.list_workloads(args.namespace.as_deref()).await?;
    match out.format {
        Format::Json => out.json(&listing.entries)?,
        Format::Table => out.table(&output::workloads(&listing.entries, !args.no_headers))?,
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
    let mut code = DONE;
    for id in ids.iter().filter(|id| listing.entries.iter().all(|view| view.id != **id)) {
        writeln!(
            out.stderr,
            "{id}: git describes no such workload; `fluxctl list-workloads` shows which there are"
        )?;
        code = FAILED;
    }
    Ok(code)
}

async fn release(args: &Release, with: &Composition, out: &mut Out) -> Result<u8, Failure> {
    let request = request(args, with).await?;
    let (released, revision) = if args.dry_run {
        (with.deployer.plan_release(&request).await?, None)
    } else {
        let report = with.deployer.release(&request).await?;
        (Released { plan: report.plan, files: Default::default() }, report.revision)
    };
    let plan = &released.plan;
    match out.format {
        Format::Json => out.json(&output::release_json(&released, revision.as_ref()))?,
        Format::Table => {
            out.table(&output::release(plan, args.verbose))?;
            if let Some(revision) = &revision {
                writeln!(out.stdout, "Commit pushed:\t{}", revision.short())?;
            }
            out.findings(&plan.findings)?;
        }
    }
    Ok(if plan.failures().next().is_some() {
        FAILED
    } else if plan.is_empty() && args.fail_if_unchanged {
        UNCHANGED
    } else {
        DONE
    })
}

/// The request that the flags describe.
async fn request(args: &Release, with: &Composition) -> Result<Request, Failure> {
    let cause = Cause { user: args.user.clone(), message: args.message.clone() };
    if args.automated {
        return Ok(Request { spec: Spec::Auto, cause });
    }
    let namespace = args.which.namespace.as_deref();
    let image = match &args.update_image {
        None => Wish::Latest,
        Some(text) => {
            let image: ImageRef = text.parse().map_err(Failure::usage)?;
            if image.tag.is_none() && image.digest.is_none() {
                return Err(Failure::usage(format!(
                    "`{text}` names no tag: write name:tag, or use --update-all-images"
                )));
            }
            Wish::Image(image)
        }
    };
    let exclude = workloads::parsed(&args.exclude, namespace)?;
    let (workloads, force) = match (args.all, namespace) {
        (true, None) => (Selection::All, args.force),
        (true, Some(namespace)) => {
            let all = with.deployer.list_workloads(Some(namespace)).await?;
            // As with every `--all`, force has no effect.
            (Selection::Named(all.entries.into_iter().map(|view| view.id).collect()), false)
        }
        (false, _) => (Selection::Named(workloads::named(&args.which, &with.deployer).await?), args.force),
    };
    Ok(Request { spec: Spec::Image(ImageRelease { workloads, image, exclude, force }), cause })
}

async fn sync(args: &Sync, with: &Composition, out: &mut Out) -> Result<u8, Failure> {
    let options = SyncOptions { prune: args.prune, ..SyncOptions::new(with.sync_set.clone()) };
    let report = if args.dry_run {
        with.deployer.plan_sync(&options).await?.dry_run()
    } else {
        let report = with.deployer.sync(&options, &()).await?;
        if let Some(file) = &with.cluster_file {
            file.write_back()?;
        }
        report
    };
    match out.format {
        Format::Json => out.json(&output::sync_json(&report))?,
        Format::Table => {
            out.table(&output::sync(&report, args.verbose))?;
            let unchanged = report.resources.iter().filter(|r| r.outcome == Outcome::Unchanged).count();
            let revision = report.revision.as_ref().map_or("nothing", |r| r.short());
            let verb = if args.dry_run { "Would sync to" } else { "Synced to" };
            writeln!(out.stdout, "{verb} {revision}; {unchanged} of {} unchanged", report.resources.len())?;
            out.findings(&report.findings)?;
        }
    }
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

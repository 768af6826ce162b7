//! `fluxd`: a minimal daemon over the crates of Flux.
//!
//! It keeps the cluster equal to git and releases automated workloads, with the same flags as
//! `fluxctl`. It has no API.

#[path = "../common/mod.rs"]
mod common;

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use flux::{
    daemon::{Daemon, Event, Observer, Settings},
    deployer::Deployer,
    release::Status,
    sync::{Outcome, SyncOptions},
};

use common::{BackendArgs, Failure, SyncArgs, duration, flags};

/// Keeps the cluster equal to git, and git equal to the newest images that policy allows.
#[derive(Parser, Debug)]
#[command(name = "fluxd", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    backends: BackendArgs,
    /// How often the branch is asked for its tip
    #[arg(long, default_value = "1m", value_parser = duration, value_name = "DURATION")]
    git_poll_interval: Duration,
    /// How often the cluster is held against git
    #[arg(long, default_value = "30s", value_parser = duration, value_name = "DURATION")]
    sync_interval: Duration,
    /// When a change by others in the cluster is undone
    #[arg(long, value_enum, default_value_t = Repair::AtOnce)]
    repair: Repair,
    /// How often the registries are asked for newer images
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "DURATION")]
    automation_interval: Duration,
    /// Release nothing
    #[arg(long)]
    no_automation: bool,
    #[command(flatten)]
    sync: SyncArgs,
}

/// When a change by others in the cluster is undone.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Repair {
    /// As soon as the cluster reports it
    AtOnce,
    /// At the next sync
    Interval,
    /// Never: it is only reported
    Report,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    common::log("info");
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            tracing::error!("{message}");
            ExitCode::from(code)
        }
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let with = cli.backends.compose().await?;
    let stop = stopped()?;
    let mut stop = std::pin::pin!(stop);
    let sync = loop {
        match with.sync_options(&cli.sync).await {
            Ok(sync) => break SyncOptions { report_drift: cli.repair == Repair::Report, ..sync },
            Err(failure) => tracing::warn!("the branch cannot be asked for: {}", failure.message),
        }
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = tokio::time::sleep(cli.git_poll_interval) => {}
        }
    };
    let settings = Settings {
        git_poll_interval: cli.git_poll_interval,
        sync_interval: cli.sync_interval,
        repair_at_once: cli.repair == Repair::AtOnce,
        automation_interval: (!cli.no_automation).then_some(cli.automation_interval),
        sync,
    };
    let accounts = tokio::spawn(account_for_memory(with.deployer.clone())?);
    Daemon::new(with.deployer, settings, Arc::new(Log)).run(stop).await;
    accounts.abort();
    if let Some(file) = &with.cluster_file {
        file.write_back()?;
    }
    Ok(())
}

/// Returns a future that is ready when the process is asked to end.
fn stopped() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Returns a future that logs, at each SIGUSR1, what is kept in memory, part by part.
fn account_for_memory(deployer: Deployer) -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut asked = signal(SignalKind::user_defined1())?;
    Ok(async move {
        while asked.recv().await.is_some() {
            for part in deployer.footprint() {
                let (items, kib) = (part.items, part.bytes / 1024);
                tracing::info!(part = part.part, items, kib, "memory");
            }
            // Pages that are resident: the second number, in pages of 4 KiB on the usual machines.
            let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
            let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
            if let Some(pages) = pages {
                tracing::info!(part = "the whole process, resident", kib = pages * 4, "memory");
            }
        }
    })
}

/// Logs the events of the deployer.
#[derive(Debug)]
struct Log;

impl Observer for Log {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Synced(report) => {
                let revision = report.revision.as_ref().map_or("", |r| r.short());
                for resource in &report.resources {
                    let id = &resource.id;
                    match resource.outcome {
                        Outcome::Failed => tracing::warn!(%id, message = resource.message, "failed"),
                        Outcome::Created | Outcome::Changed | Outcome::Pruned => {
                            let fields = resource.fields.join(", ");
                            tracing::info!(%id, revision, reason = ?resource.reason, fields, "{:?}", resource.outcome);
                        }
                        Outcome::Unchanged | Outcome::Skipped => {}
                    }
                }
                report.findings.iter().for_each(|finding| tracing::warn!("{}", flags::named(finding)));
            }
            Event::Released(report) => {
                for (id, verdict) in &report.plan.workloads {
                    if verdict.status == Status::Success {
                        for container in verdict.containers.iter().filter(|c| c.target.is_some()) {
                            let target = container.target.as_ref().map(ToString::to_string);
                            tracing::info!(%id, container = container.container, from = container.current, to = target, "released");
                        }
                    }
                }
                report.plan.findings.iter().for_each(|finding| tracing::warn!("{}", flags::named(finding)));
            }
            Event::SyncFailed(error) => tracing::warn!("sync failed: {error}"),
            Event::ReleaseFailed(error) => tracing::warn!("automation failed: {error}"),
            Event::PollFailed(error) => tracing::warn!("the branch cannot be asked: {error}"),
            other => tracing::debug!(?other),
        }
    }
}

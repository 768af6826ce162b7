//! Timers and triggers around the [`Deployer`]: calls it, decides nothing.
//!
//! Three things happen on their own: the branch is asked for its tip, the cluster is made equal to git, and what is automated is released. A sync also
//! follows at once when the tip moved or a release landed. They take turns: each works on what the one before it left. What fails is told, and
//! tried again at its next turn.

#[cfg(test)]
mod tests;

use std::{fmt, future::Future, pin::pin, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use crate::{
    backend::Revision,
    deployer::{DeployError, Deployer, ReleaseReport},
    release::Request,
    sync::{SyncOptions, SyncReport},
};

/// How often things are done, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often the branch is asked for its tip. Asking an unmoved branch transfers nothing.
    pub git_poll_interval: Duration,
    /// How often the cluster is held against git. With nothing changed this makes no request beyond the cluster's watches.
    pub sync_interval: Duration,
    /// How often the registries are asked for newer images; none to release nothing.
    pub automation_interval: Option<Duration>,
    /// How to sync.
    pub sync: SyncOptions,
}

impl Settings {
    /// The defaults: git is polled every minute, the cluster held against git every 30 seconds, the registries asked every 5 minutes.
    pub fn new(sync: SyncOptions) -> Self {
        Self {
            git_poll_interval: Duration::from_secs(60),
            sync_interval: Duration::from_secs(30),
            automation_interval: Some(Duration::from_secs(300)),
            sync,
        }
    }
}

/// What a daemon tells of.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A sync was done.
    Synced(&'a SyncReport),
    /// A sync could not be done; it is tried again at its next turn.
    SyncFailed(&'a DeployError),
    /// The registries were asked, and this is what came of it.
    Released(&'a ReleaseReport),
    /// Automation could not be done; it is tried again at its next turn.
    ReleaseFailed(&'a DeployError),
    /// The branch could not be asked for its tip; it is tried again at its next turn.
    PollFailed(&'a DeployError),
}

/// Told of what a daemon does. Calls must not block.
pub trait Observer: fmt::Debug + Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// A daemon over a deployer.
#[derive(Clone, Debug)]
pub struct Daemon {
    deployer: Deployer,
    settings: Settings,
    observer: Arc<dyn Observer>,
}

impl Daemon {
    /// A daemon that tells `observer` what it does.
    pub fn new(deployer: Deployer, settings: Settings, observer: Arc<dyn Observer>) -> Self {
        Self { deployer, settings, observer }
    }

    /// Runs until `stop` is ready. What is under way then is dropped at its next step; every step leaves things so that the next run converges.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        tokio::select! {
            () = &mut stop => {}
            () = self.turns() => {}
        }
    }

    async fn turns(&self) {
        let start = Instant::now();
        let (mut poll, mut sync) = (start, start);
        let mut automation = self.settings.automation_interval.map(|_| start);
        let mut synced: Option<Revision> = None;
        loop {
            let next = [Some(poll), Some(sync), automation].into_iter().flatten().min().unwrap_or(sync);
            sleep_until(next).await;
            if poll <= Instant::now() {
                match self.deployer.head().await {
                    Ok(head) if synced.as_ref() != Some(&head) => sync = Instant::now(),
                    Ok(_) => {}
                    Err(error) => self.observer.event(&Event::PollFailed(&error)),
                }
                poll = Instant::now() + self.settings.git_poll_interval;
            }
            if sync <= Instant::now() {
                if let Some(revision) = self.sync().await {
                    synced = Some(revision);
                }
                sync = Instant::now() + self.settings.sync_interval;
            }
            if automation.is_some_and(|at| at <= Instant::now()) {
                if self.release().await {
                    sync = Instant::now();
                }
                automation = self.settings.automation_interval.map(|interval| Instant::now() + interval);
            }
        }
    }

    async fn sync(&self) -> Option<Revision> {
        match self.deployer.sync(&self.settings.sync, &()).await {
            Ok(report) => {
                self.observer.event(&Event::Synced(&report));
                report.revision
            }
            Err(error) => {
                self.observer.event(&Event::SyncFailed(&error));
                None
            }
        }
    }

    /// Whether a commit landed.
    async fn release(&self) -> bool {
        match self.deployer.release(&Request::automation()).await {
            Ok(report) => {
                self.observer.event(&Event::Released(&report));
                report.revision.is_some()
            }
            Err(error) => {
                self.observer.event(&Event::ReleaseFailed(&error));
                false
            }
        }
    }
}

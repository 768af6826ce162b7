//! The changes that the watches of a cluster report, and those who wait for them.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, watch};

/// The changes that the watches of a cluster report.
#[derive(Default)]
pub(crate) struct Changes {
    /// Others have changed more than a status.
    by_others: Notify,
    /// How often anything has changed.
    any: watch::Sender<u64>,
    /// Counts all that may change what an observation shows: also what we do ourselves, and how
    /// watches go.
    version: AtomicU64,
}

impl Changes {
    /// Returns the number of what observations show.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Takes note that an observation may show something else.
    pub(crate) fn shows_else(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes note of a change, of which more than a status may be the work of others.
    pub(crate) fn report(&self, by_others: bool) {
        self.shows_else();
        self.any.send_modify(|count| *count += 1);
        if by_others {
            self.by_others.notify_one();
        }
    }

    /// Waits until others have changed something.
    pub(crate) async fn by_others(&self) {
        self.by_others.notified().await;
    }

    /// Waits until anything has changed since the number `since`, and returns the next one; the
    /// first is 1.
    pub(crate) async fn since(&self, since: u64) -> u64 {
        let mut count = self.any.subscribe();
        let now = count.wait_for(|count| count + 1 != since).await.map(|count| *count + 1);
        match now {
            Ok(now) => now,
            // The sender lives as long as its changes.
            Err(_) => std::future::pending().await,
        }
    }
}

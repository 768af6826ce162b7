//! [`Retry`]: a registry that is asked again when it is away for a moment.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;

use super::Pause;
use crate::{
    backend::{Clock, Error, Images, Observation, Registry, Result, Tags},
    image::{ImageName, Tag},
};

/// Lets time pass.
///
/// Runtimes have one each, so it is given.
#[async_trait]
pub trait Sleeper: fmt::Debug + Send + Sync {
    /// Returns after `duration`.
    async fn sleep(&self, duration: Duration);
}

/// How often and how soon a call that failed for a while is made again.
///
/// Exhaustive: embedders write their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a call is made at most, the first time included.
    ///
    /// At least 1.
    pub attempts: u32,
    /// The pause before the second attempt; each further one is twice as long.
    ///
    /// A random part of up to a half is taken off, so that many clients do not come back at once.
    pub first: Duration,
    /// The longest pause.
    ///
    /// Where the other side asks for a longer one, the call fails at once with the time at which it
    /// may be made again.
    pub longest: Duration,
}

impl RetryPolicy {
    /// Every call is made once.
    pub const NEVER: Self = Self { attempts: 1, first: Duration::ZERO, longest: Duration::ZERO };

    /// Returns the pause after so many attempts that failed.
    pub fn wait(&self, failed: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failed.saturating_sub(1));
        let full = self.first.saturating_mul(doubled).min(self.longest);
        // Randomly keyed hashers are the standard library's only source of randomness; this needs
        // no better one.
        let random = RandomState::new().hash_one(failed) as u32;
        full / 2 + full.mul_f64(f64::from(random) / f64::from(u32::MAX) / 2.0)
    }
}

impl Default for RetryPolicy {
    /// Four attempts, the second after 200 ms; the longest pause is 5 s.
    fn default() -> Self {
        Self { attempts: 4, first: Duration::from_millis(200), longest: Duration::from_secs(5) }
    }
}

/// A [`Registry`] around another that makes calls again whose failure
/// [is retryable](Error::is_retryable), and keeps to the pauses that hosts ask for.
#[derive(Debug)]
pub struct Retry<R> {
    inner: R,
    policy: RetryPolicy,
    clock: Arc<dyn Clock>,
    sleeper: Arc<dyn Sleeper>,
    /// By host.
    pauses: Mutex<BTreeMap<String, Arc<Pause>>>,
}

impl<R> Retry<R> {
    /// Wraps a registry.
    pub fn new(inner: R, policy: RetryPolicy, clock: Arc<dyn Clock>, sleeper: Arc<dyn Sleeper>) -> Self {
        Self { inner, policy, clock, sleeper, pauses: Mutex::default() }
    }

    fn pause_of(&self, name: &ImageName) -> Arc<Pause> {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pauses.entry(name.registry().to_owned()).or_default())
    }

    async fn tried<T, F>(&self, name: &ImageName, call: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let pause = self.pause_of(name);
        let mut failed = 0;
        loop {
            self.sit_out(&pause, name).await?;
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            failed += 1;
            if let Some(at) = error.retry_at() {
                pause.extend_to(at);
            }
            if !error.is_retryable() || failed >= self.policy.attempts {
                return Err(error);
            }
            tracing::debug!(%name, failed, %error, "asking the registry again");
            if error.retry_at().is_none() {
                self.sleeper.sleep(self.policy.wait(failed)).await;
            }
        }
    }

    /// Waits for the end of a pause, unless that is longer than a caller should wait.
    async fn sit_out(&self, pause: &Pause, name: &ImageName) -> Result<()> {
        let now = self.clock.now();
        let Some(until) = pause.until(now) else { return Ok(()) };
        let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        if left > self.policy.longest {
            return Err(paused(name, until));
        }
        self.sleeper.sleep(left).await;
        Ok(())
    }
}

fn paused(name: &ImageName, until: Timestamp) -> Error {
    let host = name.registry();
    let text = format!(
        "image repository {name} cannot be read now, {host} asked for a pause; it may be asked again at {until}"
    );
    Error::rate_limited(name, text).with_retry_at(until)
}

#[async_trait]
impl<R: Registry> Registry for Retry<R> {
    async fn tags(&self, name: &ImageName) -> Result<Observation<Tags>> {
        self.tried(name, || self.inner.tags(name)).await
    }

    async fn inspect(&self, name: &ImageName, tags: &[Tag]) -> Result<Observation<Images>> {
        self.tried(name, || self.inner.inspect(name, tags)).await
    }
}

#[cfg(test)]
mod policy_tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(1));
        let policy = RetryPolicy { attempts: 9, first, longest };
        for (failed, full) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (60, 1000)] {
            let wait = policy.wait(failed).as_millis();
            assert!((full / 2..=full).contains(&wait), "after {failed}: {wait}");
        }
        assert_eq!(RetryPolicy::NEVER.wait(1), Duration::ZERO);
    }
}

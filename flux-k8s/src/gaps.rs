//! The gaps in an observation, gathered on the way and reported with it.

use std::{collections::BTreeSet, time::Duration};

use flux_core::backend::Completeness;
use jiff::SignedDuration;

use crate::{
    failure::{Failure, FailureKind},
    watch::Health,
};

/// The gaps in an observation.
#[derive(Default)]
pub(crate) struct Gaps {
    /// The things that could not be observed.
    missing: BTreeSet<String>,
    /// The kinds that git does not name and that must not be listed.
    unsearched: BTreeSet<String>,
    /// The longest time for which a watch has failed, and why.
    stale: Option<(Duration, String)>,
}

impl Gaps {
    /// Something could not be looked at.
    pub(crate) fn missing(&mut self, what: &str, failure: &Failure) {
        self.missing.insert(format!("{what}: {}", failure.text()));
    }

    /// Adds gaps that are described already.
    pub(crate) fn already_described(&mut self, what: impl IntoIterator<Item = String>) {
        self.missing.extend(what);
    }

    /// A kind must not be listed in which objects of ours could be.
    pub(crate) fn unsearched(&mut self, what: String) {
        self.unsearched.insert(what);
    }

    /// Takes in how a watch goes. Returns whether its kind is gone.
    ///
    /// # Errors
    /// A failure that concerns the whole server, when there is nothing from before it.
    pub(crate) fn judge(&mut self, what: &str, health: Health) -> Result<bool, Failure> {
        match health.broken {
            None => {}
            Some(broken) if broken.failure.kind == FailureKind::NotFound => return Ok(true),
            Some(broken) if health.synced => {
                let age = broken.since.elapsed();
                if self.stale.as_ref().is_none_or(|(longest, _)| age > *longest) {
                    self.stale = Some((age, format!("{what}: {}", broken.failure.text())));
                }
            }
            Some(broken) if broken.failure.is_of_server() => return Err(broken.failure),
            Some(broken) => self.missing(what, &broken.failure),
        }
        Ok(false)
    }

    /// Returns how complete they leave the observation. A gap weighs more than an old answer.
    pub(crate) fn completeness(self) -> Completeness {
        let mut missing: Vec<String> = self.missing.into_iter().collect();
        if !self.unsearched.is_empty() {
            let names = self.unsearched.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            missing.push(format!(
                "objects of ours of {} other kinds are not seen, because listing them is forbidden: {names}",
                self.unsearched.len()
            ));
        }
        match (missing.is_empty(), self.stale) {
            (true, None) => Completeness::Complete,
            (true, Some((age, reason))) => Completeness::Stale {
                age: SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX),
                reason,
            },
            (false, stale) => {
                missing.extend(stale.map(|(age, why)| format!("seen {} s ago: {why}", age.as_secs())));
                Completeness::Partial(missing)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_gaps_all_is_seen() {
        assert!(Gaps::default().completeness().is_complete());
    }

    #[test]
    fn what_is_missing_is_named_and_weighs_more_than_what_is_old() {
        let mut gaps = Gaps { stale: Some((Duration::from_secs(7), "cut".into())), ..Gaps::default() };
        gaps.missing("Secret (v1)", &Failure::new(FailureKind::Forbidden, "no"));
        gaps.unsearched("Pod (v1)".into());
        gaps.unsearched("Lease (v1)".into());
        let Completeness::Partial(missing) = gaps.completeness() else { panic!("partial") };
        assert_eq!(missing.len(), 3);
        assert_eq!(missing[0], "Secret (v1): no");
        assert!(missing[1].contains("2 other kinds") && missing[1].ends_with("Lease (v1), Pod (v1)"));
        assert_eq!(missing[2], "seen 7 s ago: cut");
    }
}

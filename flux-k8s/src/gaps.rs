//! The gaps in an observation, gathered on the way and reported with it.

use std::{collections::BTreeSet, time::Duration};

use flux_core::backend::Completeness;
use jiff::SignedDuration;

use crate::{
    failure::{Failure, FailureKind},
    watch::Health,
};

/// An API group and a kind; an empty kind stands for all of the group.
pub(crate) type GroupKind = (String, String);

/// The gaps in an observation.
#[derive(Default)]
pub(crate) struct Gaps {
    /// The things that could not be observed, for people.
    missing: BTreeSet<String>,
    /// The kinds of which some objects could not be observed, or not lately.
    pub(crate) unseen: BTreeSet<GroupKind>,
    /// The kinds that git does not name and that must not be listed.
    unsearched: BTreeSet<GroupKind>,
    /// The longest time for which a watch has failed, and why.
    stale: Option<(Duration, String)>,
}

impl Gaps {
    /// Something could not be looked at.
    pub(crate) fn missing(&mut self, of: GroupKind, what: &str, failure: &Failure) {
        self.described(of, format!("{what}: {}", failure.text()));
    }

    /// Adds a gap that is described already.
    pub(crate) fn described(&mut self, of: GroupKind, what: String) {
        self.missing.insert(what);
        self.unseen.insert(of);
    }

    /// Objects of a kind may be missing, which nobody needs to hear of: git names none of it.
    pub(crate) fn unseen(&mut self, of: GroupKind) {
        self.unseen.insert(of);
    }

    /// A kind must not be listed in which objects of ours could be.
    pub(crate) fn unsearched(&mut self, of: GroupKind) {
        self.unsearched.insert(of);
    }

    /// Takes in how a watch goes. Returns whether its kind is gone.
    ///
    /// # Errors
    /// A failure that concerns the whole server, when there is nothing from before it.
    pub(crate) fn judge(&mut self, of: GroupKind, what: &str, health: Health) -> Result<bool, Failure> {
        match health.broken {
            None => {}
            Some(broken) if broken.failure.kind == FailureKind::NotFound => return Ok(true),
            Some(broken) if health.synced => {
                let age = broken.since.elapsed();
                if self.stale.as_ref().is_none_or(|(longest, _)| age > *longest) {
                    self.stale = Some((age, format!("{what}: {}", broken.failure.text())));
                }
                self.unseen.insert(of);
            }
            Some(broken) if broken.failure.is_of_server() => return Err(broken.failure),
            Some(broken) => self.missing(of, what, &broken.failure),
        }
        Ok(false)
    }

    /// Returns how complete they leave the observation, and the kinds of which something is
    /// missing. A gap weighs more than an old answer.
    pub(crate) fn completeness(mut self) -> (Completeness, BTreeSet<GroupKind>) {
        let mut missing: Vec<String> = self.missing.into_iter().collect();
        if !self.unsearched.is_empty() {
            missing.push(format!(
                "{} kinds that git does not name must not be listed, so that objects of ours among them are not seen; to limit the sync to the namespaces that may be read ends this",
                self.unsearched.len()
            ));
        }
        self.unseen.extend(self.unsearched);
        let completeness = match (missing.is_empty(), self.stale) {
            (true, None) => Completeness::Complete,
            (true, Some((age, reason))) => Completeness::Stale {
                age: SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX),
                reason,
            },
            (false, stale) => {
                missing.extend(stale.map(|(age, why)| format!("seen {} s ago: {why}", age.as_secs())));
                Completeness::Partial(missing)
            }
        };
        (completeness, self.unseen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str) -> GroupKind {
        (String::new(), name.to_owned())
    }

    #[test]
    fn without_gaps_all_is_seen() {
        assert_eq!(Gaps::default().completeness(), (Completeness::Complete, BTreeSet::new()));
    }

    #[test]
    fn what_is_missing_is_named_and_weighs_more_than_what_is_old() {
        let mut gaps = Gaps { stale: Some((Duration::from_secs(7), "cut".into())), ..Gaps::default() };
        gaps.missing(kind("Secret"), "Secret (v1)", &Failure::new(FailureKind::Forbidden, "no"));
        gaps.unsearched(kind("Pod"));
        gaps.unsearched(kind("Event"));
        let (completeness, unseen) = gaps.completeness();
        let Completeness::Partial(missing) = completeness else { panic!("partial") };
        assert_eq!(missing.len(), 3);
        assert_eq!(missing[0], "Secret (v1): no");
        assert!(missing[1].starts_with("2 kinds that git does not name"), "{}", missing[1]);
        assert_eq!(missing[2], "seen 7 s ago: cut");
        assert_eq!(unseen, BTreeSet::from([kind("Secret"), kind("Pod"), kind("Event")]));
    }

    #[test]
    fn a_kind_that_nobody_asks_for_leaves_the_rest_complete() {
        let mut gaps = Gaps::default();
        gaps.unseen(("metrics.k8s.io".to_owned(), String::new()));
        let (completeness, unseen) = gaps.completeness();
        assert_eq!((completeness, unseen.len()), (Completeness::Complete, 1));
    }
}

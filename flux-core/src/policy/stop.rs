//! Stops: the policies that stop any release of a workload, whatever tags there are.

use std::fmt;

use jiff::Timestamp;

use super::{Frozen, Hold, Ignore, Lock, Policies};

/// The reason why nothing of a workload is released.
///
/// A person may pass all of these by force, as in Flux v1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// It is locked.
    Locked(Lock),
    /// It is ignored.
    Ignored,
    /// These policies cannot be read, and what they would keep back is not known.
    InvalidGuards(Vec<String>),
    /// It is frozen for now.
    Frozen(Frozen),
    /// It is held: automation waits.
    Held(Hold),
}

impl Policies {
    /// Returns the first policy that stops a release at a time; see [`stops`](Self::stops).
    pub fn stop(&self, now: Timestamp, automatic: bool) -> Option<Stop> {
        self.stops(now, automatic).into_iter().next()
    }

    /// Returns all policies that stop a release at a time, in the order of [`Stop`]'s variants.
    ///
    /// Locks, `ignore`, freeze windows and guards that cannot be read stop a person's releases as
    /// well; a hold stops only automation.
    pub fn stops(&self, now: Timestamp, automatic: bool) -> Vec<Stop> {
        let mut stops: Vec<Stop> = self.locked.iter().map(|lock| Stop::Locked(lock.clone())).collect();
        if self.ignore == Some(Ignore::True) {
            stops.push(Stop::Ignored);
        }
        let names = self.invalid_guards.iter().filter(|name| automatic || *name != "hold");
        let invalid: Vec<String> = names.cloned().collect();
        if !invalid.is_empty() {
            stops.push(Stop::InvalidGuards(invalid));
        }
        stops.extend(self.guards.freeze.as_ref().and_then(|freeze| freeze.frozen(now)).map(Stop::Frozen));
        stops.extend(self.guards.hold.clone().filter(|_| automatic).map(Stop::Held));
        stops
    }
}

impl Stop {
    /// Returns the name of the policy that stops.
    pub fn policy(&self) -> &str {
        match self {
            Self::Locked(_) => "locked",
            Self::Ignored => "ignore",
            Self::InvalidGuards(names) => names.first().map_or("", String::as_str),
            Self::Frozen(_) => "freeze",
            Self::Held(_) => "hold",
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because = |f: &mut fmt::Formatter<'_>, message: &Option<String>| match message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        };
        match self {
            Self::Locked(Lock { user, message }) => {
                f.write_str("locked")?;
                if let Some(user) = user {
                    write!(f, " by {user}")?;
                }
                because(f, message)
            }
            Self::Ignored => f.write_str("ignored"),
            Self::InvalidGuards(names) => write!(f, "the value of {} cannot be read", names.join(", ")),
            Self::Frozen(Frozen { window, opens: Some(opens) }) => {
                write!(f, "frozen by {window}; opens at {opens}")
            }
            Self::Frozen(Frozen { window, opens: None }) => {
                write!(f, "frozen by {window}, which does not open in any foreseeable time")
            }
            Self::Held(Hold { message }) => {
                f.write_str("held")?;
                because(f, message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{manifest::Annotation, position::Position};

    fn stop(annotations: &[(&str, &str)], automatic: bool) -> Option<String> {
        let annotation = |value: &str| Annotation { value: value.to_owned(), position: Position::START };
        let all = annotations.iter().map(|(k, v)| (format!("fluxcd.io/{k}"), annotation(v))).collect();
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        Policies::of(&all).stop(now, automatic).map(|stop| stop.to_string())
    }

    #[test]
    fn a_stop_is_reported_and_a_hold_stops_only_automation() {
        let weekend = ("freeze", "0 16 * * 5 for 64h Europe/Berlin");
        let frozen = "frozen by 0 16 * * 5 for 64h Europe/Berlin; opens at 2026-11-23T07:00:00Z";
        let held = ("hold", "true");
        let table: [(&[(&str, &str)], Option<&str>, Option<&str>); 9] = [
            (&[], None, None),
            (&[("automated", "true"), ("ignore", "sync_only")], None, None),
            (&[("locked", "true")], Some("locked"), Some("locked")),
            (
                &[("locked", "true"), ("locked_user", "ann"), ("locked_msg", "fair"), held],
                Some("locked by ann: fair"),
                Some("locked by ann: fair"),
            ),
            (&[("ignore", "true")], Some("ignored"), Some("ignored")),
            (&[weekend, held], Some(frozen), Some(frozen)),
            (&[held, ("hold_msg", "it leaks")], Some("held: it leaks"), None),
            (&[("hold", "yes")], Some("the value of hold cannot be read"), None),
            (
                &[("min-age", "x"), weekend],
                Some("the value of min-age cannot be read"),
                Some("the value of min-age cannot be read"),
            ),
        ];
        for (annotations, automatic, by_hand) in table {
            assert_eq!(stop(annotations, true).as_deref(), automatic, "{annotations:?}");
            assert_eq!(stop(annotations, false).as_deref(), by_hand, "{annotations:?}");
        }
    }
}

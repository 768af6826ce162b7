//! Choices: the answer to a selection, and the verdict on a tag.

use std::fmt;

use super::rule::Rejection;
use crate::image::{Digest, ImageRef, Tag, UntrustedDate};

/// The tag that a container should run.
///
/// Exhaustive: a caller must handle every outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The one that runs already.
    Keep {
        /// The tag that runs; `None` if the reference has only a digest and no tag is known to have
        /// it.
        tag: Option<Tag>,
        /// The newest tag that would have been chosen but for a guard, and what rejects it.
        held: Option<(Tag, Rejection)>,
    },
    /// Another one.
    Update {
        /// The tag.
        tag: Tag,
        /// The reference to write, with its digest if it is to have one.
        image: ImageRef,
    },
    /// Too little is known.
    Undecided(Missing),
    /// The pattern takes no tag that there is.
    NoCandidate,
}

/// The knowledge that is missing for a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// The rest of the list of tags.
    Tags,
    /// The images of these tags.
    Images {
        /// Those that the registry was not asked for, in ascending order.
        ask: Vec<Tag>,
        /// Those that it did not describe, in ascending order, with its error.
        unreadable: Vec<(Tag, String)>,
    },
    /// A trustworthy build date of any competitor.
    Dates,
    /// A trustworthy build date of the running tag.
    RunningDate {
        /// The tag.
        tag: Tag,
        /// Why its date is not believed.
        why: UntrustedDate,
    },
    /// The build date of the running tag, which the registry does not list.
    RunningNotListed(Tag),
    /// The tag of what runs, where the reference has only a digest.
    RunningTag(Digest),
}

/// How many tags a message names before it counts.
const NAMED: usize = 5;

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tags => f.write_str("the list of tags is incomplete"),
            Self::Images { ask, unreadable } => match unreadable.first() {
                Some((tag, error)) if unreadable.len() == 1 => {
                    write!(f, "nothing could be learnt of tag {tag}, so nothing is decided: {error}")
                }
                Some((tag, error)) => write!(
                    f,
                    "nothing could be learnt of {} tags, so nothing is decided; {tag}: {error}",
                    unreadable.len()
                ),
                None => {
                    let (named, more) = ask.split_at(ask.len().min(NAMED));
                    let named: Vec<&str> = named.iter().map(Tag::as_str).collect();
                    write!(f, "the registry was not asked for {}", named.join(", "))?;
                    if more.is_empty() { Ok(()) } else { write!(f, " and {} more", more.len()) }
                }
            },
            Self::Dates => f.write_str("no tag that the pattern takes has a trustworthy build date"),
            Self::RunningDate { tag, why } => write!(
                f,
                "the running tag {tag} has no trustworthy build date ({why}), so nothing can be told to be \
                 newer; release by hand, or set fluxcd.io/allow-downgrade"
            ),
            Self::RunningNotListed(tag) => write!(
                f,
                "the registry does not list the running tag {tag}, so nothing can be told to be newer than it; \
                 release by hand, or set fluxcd.io/allow-downgrade"
            ),
            Self::RunningTag(digest) => write!(f, "no tag is known that has the running digest {digest}"),
        }
    }
}

/// The verdict of [`explain`](super::explain) on a tag.
///
/// Exhaustive: a caller must handle every outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It should run, and does not yet.
    Selected,
    /// It runs.
    Current,
    /// Rules speak against it: the one that decides, and those that would if it did not.
    Rejected {
        /// The rule that decides.
        by: Rejection,
        /// The other rules that speak against it, in their order.
        also: Vec<Rejection>,
    },
}

//! Which tag a container should run: given a pattern, what runs, what the registry told and the guards.
//!
//! [`choose`] decides; [`explain`] says of every tag what speaks for or against it. Both are pure, and neither depends on the
//! order in which tags are given.
//!
//! What only repository and pattern decide, which tags compete and in which order, is worked out once, in a [`Field`]; a [`Question`] is
//! one container's, and answering it costs what has to be looked at, not the number of tags.
//!
//! # The rules, in the order in which they are applied
//!
//! 1. **The list must be whole.** A list of tags known to be incomplete decides nothing, unless the pattern names
//!    one tag and that tag is in the list.
//! 2. **Competitors** are the tags that the pattern takes and whose images are not known to be gone.
//! 3. **Build dates** are needed when tags are ordered by them and two or more compete, the running one among them if the
//!    pattern takes it. Then an image of which nothing is known might be the newest, so nothing is decided; and
//!    one that is known to have no trustworthy date is no candidate.
//! 4. **The newest competitor that no guard rejects** is chosen, unless
//!    - it has the rank of the running one: the running tag wins ties and is never rewritten to an equal one;
//!    - it is older than the running one and automation asks (never downgrade). By version, number and text that is judged whether or
//!      not the pattern takes the running tag, except that `latest` and texts without a version or number are older than nothing;
//!      by date it is judged only if the pattern takes the running tag, and if that tag's date is unknown then, nothing is decided.
//!      A person who asks for a release, and `allow-downgrade`, may go down.
//! 5. **Guards** that need to know an image ([minimum age](Guards::min_age), [platforms](Guards::platforms), [digests](Guards::pin_digest))
//!    and know nothing of it decide nothing; they say which tags to ask for. What is known of an image is taken as it is: no trustworthy
//!    date is not old enough, platforms not told are not there. The tag that runs is not held against guards again.
//! 6. **Digests.** With `pin-digest` the digest is written beside the tag, and when the running tag has moved its new digest is.
//!    A reference that has a digest gets that of the new tag with it, so the digest must be known.
//!
//! So what is missing can only turn a decision into [`Choice::Undecided`]: it never makes a higher or a lower one.

mod field;
mod rule;
mod survey;
mod words;

#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;

use crate::{
    backend::InspectError,
    image::{Digest, ImageInfo, ImageRef, Tag},
    policy::Guards,
};

pub use field::{Field, Listing};
pub use rule::{Rejection, Rule};
use survey::Survey;

/// A tag of the repository, and what is known of its image.
#[derive(Clone, Copy, Debug)]
pub struct Tagged<'a> {
    /// The tag.
    pub tag: &'a Tag,
    /// What is known of its image.
    pub seen: Seen<'a>,
}

/// What is known of an image.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// The registry was not asked.
    NotAsked,
    /// The registry told.
    Known(&'a ImageInfo),
    /// The tag is listed, but the image is not there.
    Gone(&'a str),
    /// The registry was asked and nothing was learnt; it may be there.
    Unreadable(&'a str),
}

impl<'a> From<&'a Result<ImageInfo, InspectError>> for Seen<'a> {
    fn from(answer: &'a Result<ImageInfo, InspectError>) -> Self {
        match answer {
            Ok(info) => Self::Known(info),
            Err(e) if e.missing => Self::Gone(&e.message),
            Err(e) => Self::Unreadable(&e.message),
        }
    }
}

impl<'a> Seen<'a> {
    /// What the registry told.
    pub fn info(self) -> Option<&'a ImageInfo> {
        match self {
            Self::Known(info) => Some(info),
            _ => None,
        }
    }
}

/// What is asked about one container.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The tags of its repository: which compete, and in which order.
    pub field: &'a Field<'a>,
    /// What runs, or stands in git.
    pub current: &'a ImageRef,
    /// The guards of the workload. Freeze, hold and group are of the whole workload and not asked here.
    pub guards: &'a Guards,
    /// A tag that was taken back: only something newer is chosen.
    pub newer_than: Option<&'a Tag>,
    /// The time.
    pub now: Timestamp,
    /// Whether automation asks. A person may go down, automation only if the guards allow it.
    pub automatic: bool,
}

/// Which tag a container should run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// What runs already.
    Keep {
        /// The tag that runs; none if the reference has only a digest and no tag is known to have it.
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

/// What is missing for a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The rest of the list of tags.
    Tags,
    /// The images of these tags.
    Images {
        /// Those that the registry was not asked for, in ascending order.
        ask: Vec<Tag>,
        /// Those of which it told nothing, in ascending order, with what it said.
        unreadable: Vec<(Tag, String)>,
    },
    /// A trustworthy build date of any competitor.
    Dates,
    /// A trustworthy build date of the running tag.
    RunningDate(Tag),
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
            Self::RunningDate(tag) => write!(
                f,
                "the running tag {tag} has no trustworthy build date, so nothing can be told to be newer; \
                 release by hand, or set fluxcd.io/allow-downgrade"
            ),
            Self::RunningTag(digest) => write!(f, "no tag is known that has the running digest {digest}"),
        }
    }
}

/// What [`explain`] says of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It should run, and does not yet.
    Selected,
    /// It runs.
    Current,
    /// Something speaks against it.
    Rejected(Rejection),
}

/// Decides which tag a container should run.
pub fn choose(question: &Question<'_>) -> Choice {
    Survey::of(question).choose()
}

/// What the guards have to say about one tag, for someone who asks for it by name: patterns, ranks and ties aside.
///
/// `None` if nothing speaks against it.
///
/// # Errors
/// [`Missing`] if its image must be known for that, and is not.
pub fn guarded<'a>(question: &'a Question<'a>, tag: &'a Tag) -> Result<Option<Rejection>, Missing> {
    Survey::of(question).guarded_by_name(tag)
}

/// Says of every tag, newest first, whether it is chosen, or the one rule that rejects it.
pub fn explain(question: &Question<'_>) -> Vec<(Tag, Verdict)> {
    let survey = Survey::of(question);
    let choice = survey.choose();
    survey.all_newest_first().iter().map(|e| (e.tagged.tag.clone(), survey.verdict(e, &choice))).collect()
}

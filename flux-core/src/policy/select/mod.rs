//! The tag that a container should run: given a pattern, what runs, what the registry has and the
//! guards.
//!
//! [`choose`] decides; [`explain`] says of every tag what speaks for or against it. Both are pure,
//! and neither depends on the order in which tags are given.
//!
//! Repository and pattern alone decide which tags compete and in which order: that is worked out
//! once, in a [`CandidateSet`]. A [`SelectionInput`] is one container's, and deciding on it costs
//! what has to be looked at, not the number of tags.
//!
//! # The rules, in the order in which they are applied
//!
//! 1. **The list must be whole.** A list of tags known to be incomplete decides nothing, unless the
//!    pattern names one tag and that tag is in the list.
//! 2. **Competitors** are the tags that the pattern takes and whose images are not known to be
//!    gone. [Artifacts](crate::image::ArtifactKind) (signatures, charts, build caches) never
//!    compete, be they known by their names or by what the registry tells.
//! 3. **Build dates** are needed when tags are ordered by them and two or more compete, the running
//!    one among them if the pattern takes it. Then an image of which nothing is known might be the
//!    newest, so nothing is decided; and one that is known to have no trustworthy date is no
//!    candidate.
//! 4. **The newest competitor that no guard rejects** is chosen, unless
//!    - it has the rank of the running one: the running tag wins ties and is never rewritten to an
//!      equal one;
//!    - it is older than the running one and automation asks (never downgrade). By version, number
//!      and text that is judged whether or not the pattern takes the running tag, except that
//!      `latest` and texts without a version or number are older than nothing; by date it is judged
//!      only if the pattern takes the running tag, and if that tag's date is unknown then, nothing
//!      is decided. A person who asks for a release, and `allow-downgrade`, may go down.
//! 5. **Nothing is chosen that was not looked at.** Where nothing is known of the tag that would be
//!    chosen, nothing is decided, and the choice reports which tags to ask for: that one, and some
//!    more if those before it turned out to be no images. **Guards** ([minimum
//!    age](crate::policy::Guards::min_age), [platforms](crate::policy::Guards::platforms),
//!    [digests](crate::policy::Guards::pin_digest)) take the known facts of an image as they are:
//!    no trustworthy date is not old enough, platforms not listed are not there. The tag that runs
//!    is not held against guards again.
//! 6. **Digests.** With `pin-digest` the digest is written beside the tag, and when the running tag
//!    has moved its new digest is. A reference that has a digest gets that of the new tag with it,
//!    so the digest must be known.
//!
//! So what is missing can only turn a decision into [`Choice::Undecided`]: it never makes a higher
//! or a lower one.

mod candidate_set;
mod choice;
mod explain;
mod input;
mod objection;
mod rule;
mod selection;
mod tagged;

#[cfg(test)]
mod tests;

use crate::image::Tag;

pub use candidate_set::{CandidateSet, Listing};
pub use choice::{Choice, Missing, Verdict};
pub use input::SelectionInput;
pub use rule::{Rejection, Rule};
use selection::Selection;
pub use tagged::{Seen, Tagged};

/// Decides which tag a container should run.
pub fn choose(input: &SelectionInput<'_>) -> Choice {
    Selection::of(input).choose()
}

/// Returns the guard that speaks against one tag, for someone who asks for it by name: patterns,
/// ranks and ties aside.
///
/// `None` if none does.
///
/// # Errors
/// [`Missing`] if its image must be known for that, and is not.
pub fn guarded<'a>(input: &'a SelectionInput<'a>, tag: &'a Tag) -> Result<Option<Rejection>, Missing> {
    Selection::of(input).guarded_by_name(tag)
}

/// Returns the reason that no container can run a tag that somebody asks for by name.
///
/// `None` if its image is there.
///
/// # Errors
/// [`Missing`] if nothing is known of its image.
pub fn unrunnable<'a>(input: &'a SelectionInput<'a>, tag: &'a Tag) -> Result<Option<Rejection>, Missing> {
    Selection::of(input).unrunnable_by_name(tag)
}

/// Says of every tag, newest first, that it is chosen, or which rules speak against it.
pub fn explain(input: &SelectionInput<'_>) -> Vec<(Tag, Verdict)> {
    let selection = Selection::of(input);
    let choice = selection.choose();
    let all = selection.all_newest_first();
    all.iter().map(|tag| (tag.tagged.tag.clone(), selection.verdict(tag, &choice))).collect()
}

//! Candidates: the tags of a repository that a pattern takes, in their order.
//!
//! This is the part of a decision that does not depend on the workload, and the only part whose
//! cost grows with the number of tags. A [`CandidateSet`] is made once, for as many workloads as
//! share repository, pattern and the way in which build dates are read.

use std::{cmp::Ordering, collections::BTreeSet, sync::Arc};

use jiff::Timestamp;

use super::tagged::{Seen, Tagged};
use crate::{
    image::{Dates, Digest, Tag},
    policy::{Candidate, Rank, TagPattern},
};

/// The tags of a repository, with the known facts about each.
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    /// In ascending order, each once.
    tags: Vec<Tagged<'a>>,
    complete: bool,
}

impl<'a> Listing<'a> {
    /// Lists tags, given in whatever order; `complete` says that these are all of the repository.
    ///
    /// A tag that is listed twice counts once.
    pub fn new(tags: impl IntoIterator<Item = Tagged<'a>>, complete: bool) -> Self {
        let mut tags: Vec<Tagged<'a>> = tags.into_iter().collect();
        tags.sort_by_key(|t| t.tag);
        tags.dedup_by_key(|t| t.tag);
        Self { tags, complete }
    }

    /// Returns the tags in ascending order.
    pub fn tags(&self) -> &[Tagged<'a>] {
        &self.tags
    }

    /// Reports that these are all tags of the repository.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Returns a tag, if it is listed.
    pub fn get(&self, tag: &str) -> Option<Tagged<'a>> {
        let at = self.tags.binary_search_by(|t| t.tag.as_str().cmp(tag)).ok()?;
        self.tags.get(at).copied()
    }
}

/// The tags of a repository that compete under a pattern, in their order.
///
/// Those compete that the pattern takes and that a container can run as far as is known: no
/// artifacts, and none whose image is gone. Making a set
/// looks at every tag; everything else costs what it has to look at. A set keeps a few bytes a tag
/// beside the [`Listing`], which the sets of one repository share.
#[derive(Clone, Debug)]
pub struct CandidateSet<'a> {
    pattern: Arc<TagPattern>,
    listing: Arc<Listing<'a>>,
    dates: Dates,
    /// Where the competitors stand in the listing; the newest comes first.
    order: Vec<usize>,
    /// Where those of them stand of whose images nothing is known, in ascending order.
    unknown: Vec<usize>,
    /// How many tags the pattern takes that the registry told to be no images, or gone.
    ruled_out: usize,
}

impl<'a> CandidateSet<'a> {
    /// Orders the tags of `listing` by `pattern`; build dates are read as `dates` says.
    pub fn new(
        pattern: impl Into<Arc<TagPattern>>,
        listing: impl Into<Arc<Listing<'a>>>,
        dates: Dates,
    ) -> Self {
        let (pattern, listing) = (pattern.into(), listing.into());
        let ranks: Vec<Option<Rank<'a>>> =
            listing.tags.iter().map(|tagged| competing(&pattern, tagged, &dates)).collect();
        let stands = |at: &usize| ranks.get(*at).is_some_and(Option::is_some);
        let asked = |at: &usize| {
            let seen = listing.tags.get(*at).map(|tagged| tagged.seen);
            !matches!(seen, Some(Seen::NotAsked | Seen::Unreadable(_)))
        };
        let ruled_out = listing.tags.iter().filter(|tagged| is_ruled_out(&pattern, tagged)).count();
        let mut order: Vec<usize> = (0..ranks.len()).filter(stands).collect();
        let unknown = order.iter().copied().filter(|at| !asked(at)).collect();
        order.sort_by(|a, b| ranks.get(*b).cmp(&ranks.get(*a)));
        Self { pattern, listing, dates, order, unknown, ruled_out }
    }

    /// Returns the pattern.
    pub fn pattern(&self) -> &TagPattern {
        &self.pattern
    }

    /// Returns how build dates are read.
    pub fn dates(&self) -> &Dates {
        &self.dates
    }

    /// Returns all tags, not only the competitors.
    pub fn listing(&self) -> &Listing<'a> {
        &self.listing
    }

    /// Returns the competitors, newest first.
    ///
    /// Those that are not looked at cost nothing.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = RankedTag<'a>> {
        self.at(&self.order).map(|tagged| self.ranked(tagged))
    }

    /// Counts the competitors.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Counts the tags that the pattern takes and that the registry told to be no images, or gone.
    pub(super) fn ruled_out(&self) -> usize {
        self.ruled_out
    }

    /// Returns the competitors of whose images nothing is known, in ascending order.
    pub(super) fn unknown(&self) -> impl Iterator<Item = Tagged<'a>> {
        self.at(&self.unknown)
    }

    /// Returns the newest competitors, if their build date is the same and their images are not:
    /// dates do not tell which of them is newer.
    ///
    /// Images whose digests are not known count as one.
    pub(crate) fn undistinguished(&self) -> Option<(Timestamp, Vec<&'a Tag>)> {
        if !self.pattern.order().needs_created() {
            return None;
        }
        let first = self.newest_first().next()?;
        let built = self.dates.built(first.tagged.seen.info()?).ok()?;
        let same: Vec<Tagged<'a>> = self
            .newest_first()
            .take_while(|ranked| ranked.rank.same(&first.rank))
            .map(|ranked| ranked.tagged)
            .collect();
        let digests: BTreeSet<&Digest> =
            same.iter().filter_map(|tagged| tagged.seen.info()?.digest.as_ref()).collect();
        (digests.len() > 1).then(|| (built, same.iter().map(|tagged| tagged.tag).collect()))
    }

    /// Returns a tag, if it competes.
    pub(super) fn competitor(&self, tag: &str) -> Option<RankedTag<'a>> {
        let tagged = self.listing.get(tag)?;
        Some(RankedTag { rank: competing(&self.pattern, &tagged, &self.dates)?, tagged })
    }

    /// Returns a tag with its rank; it need not compete.
    pub(super) fn ranked(&self, tagged: Tagged<'a>) -> RankedTag<'a> {
        RankedTag { rank: rank(&self.pattern, &tagged, &self.dates), tagged }
    }

    fn at(&self, places: &[usize]) -> impl Iterator<Item = Tagged<'a>> {
        places.iter().filter_map(|at| self.listing.tags.get(*at).copied())
    }
}

/// Returns where a tag stands, if it competes.
fn competing<'a>(pattern: &TagPattern, tagged: &Tagged<'a>, dates: &Dates) -> Option<Rank<'a>> {
    if tagged.cannot_run() { None } else { pattern.taken(&candidate(tagged, dates)) }
}

fn is_ruled_out(pattern: &TagPattern, tagged: &Tagged<'_>) -> bool {
    matches!(tagged.seen, Seen::Gone(_) | Seen::NotAnImage(..)) && pattern.matches(tagged.tag.as_str())
}

fn rank<'a>(pattern: &TagPattern, tagged: &Tagged<'a>, dates: &Dates) -> Rank<'a> {
    pattern.rank(&candidate(tagged, dates))
}

fn candidate<'a>(tagged: &Tagged<'a>, dates: &Dates) -> Candidate<'a> {
    let created = tagged.seen.info().and_then(|info| dates.built(info).ok());
    Candidate { tag: tagged.tag.as_str(), created }
}

/// A tag with its rank.
#[derive(Clone, Debug)]
pub(super) struct RankedTag<'a> {
    pub(super) rank: Rank<'a>,
    pub(super) tagged: Tagged<'a>,
}

impl Ord for RankedTag<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl PartialOrd for RankedTag<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for RankedTag<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for RankedTag<'_> {}

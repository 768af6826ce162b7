//! The choice of a tag: what holds for all tags at once, then the competitors one by one, the
//! newest first.

use jiff::{SignedDuration, Timestamp};

use super::{
    candidate_set::{CandidateSet, RankedTag},
    choice::{Choice, Missing},
    input::SelectionInput,
    objection::Objection,
    rule::{Rejection, gone, not_an_image},
    tagged::{Seen, Tagged},
};
use crate::{
    image::{ArtifactKind, Tag, UntrustedDate},
    policy::{Candidate, Rank, guard::lacking, pattern::is_latest},
};

/// A selection among candidates, with the facts that are computed before they are walked.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    pub(super) input: &'a SelectionInput<'a>,
    pub(super) running: Option<&'a str>,
    /// `true` if the pattern takes the running tag.
    taken: bool,
    /// Where the running tag stands, if it can be judged.
    standing: Option<Rank<'a>>,
    /// The rank that a tag must be newer than, beside the running one.
    floor: Option<Rank<'a>>,
    /// `true` if build dates decide.
    dates: bool,
}

impl<'a> Selection<'a> {
    pub(super) fn of(input: &'a SelectionInput<'a>) -> Self {
        let candidates = input.candidates;
        let running = input.current.effective_tag().or_else(|| tag_of_digest(input));
        let standing = running.map(|tag| Standing::of(candidates, tag)).unwrap_or_default();
        let floor = input.newer_than.map(|tag| Standing::of(candidates, tag.as_str())).unwrap_or_default();
        let count = candidates.len() + usize::from(standing.taken && !standing.competes);
        Self {
            input,
            running,
            taken: standing.taken,
            standing: standing.rank,
            floor: floor.rank,
            dates: candidates.pattern().order().needs_created() && count > 1,
        }
    }

    fn never_down(&self) -> bool {
        self.input.automatic && !self.input.guards.allow_downgrade
    }

    pub(super) fn choose(&self) -> Choice {
        if let Some(missing) = self.missing() {
            return Choice::Undecided(missing);
        }
        let mut held = None;
        for (walked, ranked) in self.input.candidates.newest_first().enumerate() {
            if self.runs(&ranked) {
                return self.keep_or_follow(&ranked, held);
            }
            match self.objection(&ranked) {
                None => return self.update(&ranked),
                Some(Objection::Unknown) => return Choice::Undecided(self.to_look_at(&ranked, walked)),
                Some(Objection::SameRank) => break,
                Some(objection @ Objection::Downgrade) => {
                    // What a pattern takes is in order below what runs; that is no news unless the
                    // pattern does not take what runs.
                    if !self.taken {
                        held = held.or_else(|| Some(self.held_back(&ranked, &objection)));
                    }
                    break;
                }
                Some(objection) => held = held.or_else(|| Some(self.held_back(&ranked, &objection))),
            }
        }
        if self.input.candidates.len() == 0 && !self.taken {
            return Choice::NoCandidate;
        }
        Choice::Keep { tag: self.running_tag(), held }
    }

    pub(super) fn runs(&self, ranked: &RankedTag<'_>) -> bool {
        self.running == Some(ranked.tagged.tag.as_str())
    }

    fn running_tag(&self) -> Option<Tag> {
        self.running.and_then(|tag| tag.parse().ok())
    }

    /// Returns what is missing before any competitor is looked at.
    fn missing(&self) -> Option<Missing> {
        let q = self.input;
        let candidates = q.candidates;
        let named = || candidates.pattern().literal().is_some_and(|tag| candidates.competitor(tag).is_some());
        if !candidates.listing().is_complete() && !named() {
            return Some(Missing::Tags);
        }
        let unknown = || candidates.unknown().next().is_some().then(|| images(candidates.unknown()));
        if let (None, Some(digest)) = (self.running, &q.current.digest)
            && self.never_down()
            && candidates.len() > 0
        {
            return unknown().or_else(|| Some(Missing::RunningTag(digest.clone())));
        }
        if !self.dates {
            return None;
        }
        if let Some(missing) = unknown() {
            return Some(missing);
        }
        // The order says least of the last, so if it says nothing of the first it says nothing at
        // all.
        if !candidates.newest_first().next().is_some_and(|newest| newest.rank.is_known()) {
            return Some(Missing::Dates);
        }
        if self.never_down() && self.taken && self.standing.is_none() {
            return self.running_tag().map(|tag| self.missing_date(tag));
        }
        match q.newer_than {
            Some(tag) if self.floor.is_none() && candidates.pattern().matches(tag.as_str()) => {
                Some(self.missing_date(tag.clone()))
            }
            _ => None,
        }
    }

    /// Returns that the date of a tag that others are judged against is missing, and why.
    fn missing_date(&self, tag: Tag) -> Missing {
        let candidates = self.input.candidates;
        let Some(listed) = candidates.listing().get(tag.as_str()) else {
            return Missing::RunningNotListed(tag);
        };
        let why = listed.seen.info().and_then(|info| candidates.dates().built(info).err());
        Missing::RunningDate { tag, why: why.unwrap_or(UntrustedDate::Missing) }
    }

    /// Returns the images to look at where the choice has come to `ranked`, after `walked` others.
    ///
    /// That is one, and as many more as were looked at in vain, so that a long row of tags that
    /// cannot be chosen is passed in few rounds and with at most twice the requests.
    fn to_look_at(&self, ranked: &RankedTag<'a>, walked: usize) -> Missing {
        let candidates = self.input.candidates;
        if !matches!(ranked.tagged.seen, Seen::NotAsked) {
            return images([ranked.tagged]);
        }
        let count = (walked + candidates.ruled_out()).max(1);
        let next = candidates.newest_first().skip(walked).take(count);
        let next = next.take_while(|other| !self.runs(other)).filter(|other| {
            matches!(other.tagged.seen, Seen::NotAsked)
                && matches!(self.objection(other), Some(Objection::Unknown))
        });
        images(next.map(|other| other.tagged))
    }

    /// Returns the first objection to a competitor that does not run.
    pub(super) fn objection(&self, ranked: &RankedTag<'a>) -> Option<Objection<'a>> {
        self.objections(ranked).into_iter().next()
    }

    /// Returns all objections to a competitor that does not run, in the order in which they count.
    ///
    /// Cheap: nothing is put into words.
    pub(super) fn objections(&self, ranked: &RankedTag<'a>) -> Vec<Objection<'a>> {
        let q = self.input;
        let rank = &ranked.rank;
        let mut objections = Vec::new();
        if self.dates && !rank.is_known() {
            let why = ranked.tagged.seen.info().map(|info| q.candidates.dates().built(info));
            return vec![Objection::NoDate(why.and_then(Result::err).unwrap_or(UntrustedDate::Missing))];
        }
        if let Some(standing) = &self.standing {
            if rank.same(standing) {
                return vec![Objection::SameRank];
            }
            if self.never_down() && rank < standing {
                objections.push(Objection::Downgrade);
            }
        }
        if self.floor.as_ref().is_some_and(|floor| rank.same(floor) || rank < floor) {
            objections.push(Objection::TakenBack);
        }
        let digest = q.guards.pin_digest || q.current.digest.is_some();
        self.guards(ranked.tagged, digest, &mut objections);
        objections
    }

    /// Adds the objections of the guards, and that nothing is known of the image.
    ///
    /// No image is written that was not looked at.
    fn guards(&self, tagged: Tagged<'a>, digest: bool, objections: &mut Vec<Objection<'a>>) {
        let SelectionInput { guards, candidates, .. } = self.input;
        let min_age = guards.min_age.filter(|age| *age > SignedDuration::ZERO);
        let Some(info) = tagged.seen.info() else {
            return objections.push(Objection::Unknown);
        };
        if let Some(age) = min_age {
            let (built, seen) = (candidates.dates().built(info), info.first_seen);
            // Publishers choose the one, and nobody the other: the later one counts.
            match built.ok().max(seen) {
                None => objections.push(Objection::NoDate(built.err().unwrap_or(UntrustedDate::Missing))),
                Some(since) => {
                    let from = since.saturating_add(age).unwrap_or(Timestamp::MAX);
                    if from > candidates.dates().now {
                        objections.push(Objection::MinAge { since, built: built == Ok(since), from });
                    }
                }
            }
        }
        let lacking = lacking(&guards.platforms, &info.platforms);
        if !lacking.is_empty() {
            objections.push(Objection::Platforms { lacking, had: &info.platforms });
        }
        if digest && info.digest.is_none() {
            objections.push(Objection::NoDigest);
        }
    }

    /// Returns the first objection of the guards.
    fn guarded(&self, tagged: Tagged<'a>, digest: bool) -> Option<Objection<'a>> {
        let mut objections = Vec::new();
        self.guards(tagged, digest, &mut objections);
        objections.into_iter().next()
    }

    pub(super) fn guarded_by_name(&self, tag: &'a Tag) -> Result<Option<Rejection>, Missing> {
        let SelectionInput { candidates, guards, current, .. } = self.input;
        let listed = candidates.listing().get(tag.as_str());
        let ranked = candidates.ranked(listed.unwrap_or(Tagged { tag, seen: Seen::NotAsked }));
        match self.guarded(ranked.tagged, guards.pin_digest || current.digest.is_some()) {
            Some(Objection::Unknown) => Err(images([ranked.tagged])),
            objection => Ok(objection.map(|objection| self.rejection(&ranked, &objection))),
        }
    }

    /// Returns the reason that no container can run a tag that somebody asks for by name.
    ///
    /// Here the content alone decides, so what is not known must be asked.
    pub(super) fn unrunnable_by_name(&self, tag: &'a Tag) -> Result<Option<Rejection>, Missing> {
        let tagged = self.input.candidates.listing().get(tag.as_str());
        let tagged = tagged.unwrap_or(Tagged { tag, seen: Seen::NotAsked });
        match tagged.seen {
            Seen::Known(_) => Ok(None),
            Seen::Gone(error) => Ok(Some(gone(error))),
            Seen::NotAnImage(kind, words) => Ok(Some(not_an_image(kind, Some(words)))),
            Seen::NotAsked | Seen::Unreadable(_) => Err(images([tagged])),
        }
    }

    fn update(&self, ranked: &RankedTag<'a>) -> Choice {
        let SelectionInput { guards, current, .. } = self.input;
        let tag = ranked.tagged.tag.clone();
        let pinned = guards.pin_digest || current.digest.is_some();
        let digest = ranked.tagged.seen.info().and_then(|info| info.digest.clone()).filter(|_| pinned);
        match current.with_tag(tag.clone(), digest) {
            Ok(image) => Choice::Update { tag, image },
            Err(_) => Choice::Keep {
                tag: self.running_tag(),
                held: Some(self.held_back(ranked, &Objection::NoDigest)),
            },
        }
    }

    /// Returns the choice to keep the running tag, or with `pin-digest` to follow its digest.
    fn keep_or_follow(&self, ranked: &RankedTag<'a>, held: Option<(Tag, Rejection)>) -> Choice {
        let keep = |held| Choice::Keep { tag: Some(ranked.tagged.tag.clone()), held };
        if !self.input.guards.pin_digest {
            return keep(held);
        }
        let current = self.input.current.digest.as_ref();
        match ranked.tagged.seen.info().map(|info| info.digest.as_ref()) {
            None => Choice::Undecided(images([ranked.tagged])),
            Some(digest) if digest.is_some() && digest == current => keep(held),
            Some(_) => match self.guarded(ranked.tagged, true) {
                None => self.update(ranked),
                Some(objection) => keep(held.or_else(|| Some(self.held_back(ranked, &objection)))),
            },
        }
    }

    fn held_back(&self, ranked: &RankedTag<'_>, objection: &Objection<'_>) -> (Tag, Rejection) {
        (ranked.tagged.tag.clone(), self.rejection(ranked, objection))
    }
}

/// Returns the newest tag that is known to have the digest of what runs.
fn tag_of_digest<'a>(input: &'a SelectionInput<'a>) -> Option<&'a str> {
    let digest = input.current.digest.as_ref()?;
    let has = |t: &&Tagged<'a>| {
        t.artifact().is_none() && t.seen.info().is_some_and(|info| info.digest.as_ref() == Some(digest))
    };
    let having = input.candidates.listing().tags().iter().filter(has);
    let newest = having.map(|t| input.candidates.ranked(*t)).max()?;
    Some(newest.tagged.tag.as_str())
}

/// Where a tag stands that others are judged against.
#[derive(Default)]
struct Standing<'a> {
    /// `true` if the pattern takes it.
    taken: bool,
    /// `true` if it is listed too, and not known to be gone.
    competes: bool,
    /// Its rank; `None` if others cannot be judged against it, and need not.
    rank: Option<Rank<'a>>,
}

impl<'a> Standing<'a> {
    fn of(candidates: &CandidateSet<'a>, tag: &'a str) -> Self {
        let pattern = candidates.pattern();
        if ArtifactKind::named_by(tag).is_some() {
            // No container runs it, so every image may take its place.
            return Self::default();
        }
        let taken = pattern.matches(tag);
        let listed = candidates.listing().get(tag);
        let competes = taken && listed.is_some_and(|t| !t.cannot_run());
        if !taken && (pattern.order().needs_created() || is_latest(tag)) {
            return Self { taken, competes, rank: None };
        }
        let rank = match listed {
            Some(listed) => candidates.ranked(listed).rank,
            None => pattern.rank(&Candidate { tag, created: None }),
        };
        Self { taken, competes, rank: Some(rank).filter(Rank::is_known) }
    }
}

/// Returns the choice for tags whose images are missing.
fn images<'a>(tags: impl IntoIterator<Item = Tagged<'a>>) -> Missing {
    let (mut ask, mut unreadable) = (Vec::new(), Vec::new());
    for Tagged { tag, seen } in tags {
        match seen {
            Seen::Unreadable(error) | Seen::Gone(error) | Seen::NotAnImage(_, error) => {
                unreadable.push((tag.clone(), error.to_owned()));
            }
            Seen::NotAsked | Seen::Known(_) => ask.push(tag.clone()),
        }
    }
    ask.sort();
    unreadable.sort();
    Missing::Images { ask, unreadable }
}

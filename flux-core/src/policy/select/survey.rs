//! How a tag is chosen: what can be said of all tags at once, then the competitors one by one, the newest first.

use jiff::{SignedDuration, Timestamp};

use super::{
    Choice, Missing, Question, Rejection, Seen, Tagged,
    field::{Entrant, Field},
    rule::Bar,
};
use crate::{
    image::Tag,
    policy::{Candidate, Rank, guard::lacking, pattern::is_latest},
};

/// What can be said before the candidates are walked.
#[derive(Debug)]
pub(super) struct Survey<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) running: Option<&'a str>,
    /// Whether the pattern takes the running tag.
    taken: bool,
    /// Where the running tag stands, if it can be judged.
    standing: Option<Rank<'a>>,
    /// What a tag must be newer than, beside the running one.
    floor: Option<Rank<'a>>,
    /// Whether build dates decide.
    dates: bool,
}

impl<'a> Survey<'a> {
    pub(super) fn of(question: &'a Question<'a>) -> Self {
        let field = question.field;
        let running = question.current.effective_tag().or_else(|| tag_of_digest(question));
        let standing = running.map(|tag| Standing::of(field, tag)).unwrap_or_default();
        let floor = question.newer_than.map(|tag| Standing::of(field, tag.as_str())).unwrap_or_default();
        let count = field.len() + usize::from(standing.taken && !standing.competes);
        Self {
            question,
            running,
            taken: standing.taken,
            standing: standing.rank,
            floor: floor.rank,
            dates: field.pattern().order().needs_created() && count > 1,
        }
    }

    fn never_down(&self) -> bool {
        self.question.automatic && !self.question.guards.allow_downgrade
    }

    pub(super) fn choose(&self) -> Choice {
        if let Some(missing) = self.missing() {
            return Choice::Undecided(missing);
        }
        let mut held = None;
        for entrant in self.question.field.newest_first() {
            if self.runs(&entrant) {
                return self.keep_or_follow(&entrant, held);
            }
            match self.bar(&entrant) {
                None => return self.update(&entrant),
                Some(Bar::Unknown) => return Choice::Undecided(images([entrant.tagged])),
                Some(Bar::SameRank) => break,
                Some(bar @ Bar::Downgrade) => {
                    // What a pattern takes is in order below what runs; that is no news unless the pattern does not take what runs.
                    if !self.taken {
                        held = held.or_else(|| Some(self.told(&entrant, &bar)));
                    }
                    break;
                }
                Some(bar) => held = held.or_else(|| Some(self.told(&entrant, &bar))),
            }
        }
        if self.question.field.len() == 0 && !self.taken {
            return Choice::NoCandidate;
        }
        Choice::Keep { tag: self.running_tag(), held }
    }

    pub(super) fn runs(&self, entrant: &Entrant<'_>) -> bool {
        self.running == Some(entrant.tagged.tag.as_str())
    }

    fn running_tag(&self) -> Option<Tag> {
        self.running.and_then(|tag| tag.parse().ok())
    }

    /// What is missing before any competitor is looked at.
    fn missing(&self) -> Option<Missing> {
        let q = self.question;
        let field = q.field;
        let named = || field.pattern().literal().is_some_and(|tag| field.competitor(tag).is_some());
        if !field.listing().is_complete() && !named() {
            return Some(Missing::Tags);
        }
        let unknown = || field.unknown().next().is_some().then(|| images(field.unknown()));
        if let (None, Some(digest)) = (self.running, &q.current.digest)
            && self.never_down()
            && field.len() > 0
        {
            return unknown().or_else(|| Some(Missing::RunningTag(digest.clone())));
        }
        if !self.dates {
            return None;
        }
        if let Some(missing) = unknown() {
            return Some(missing);
        }
        // The order says least of the last, so if it says nothing of the first it says nothing at all.
        if !field.newest_first().next().is_some_and(|newest| newest.rank.is_known()) {
            return Some(Missing::Dates);
        }
        if self.never_down() && self.taken && self.standing.is_none() {
            return self.running_tag().map(Missing::RunningDate);
        }
        match q.newer_than {
            Some(tag) if self.floor.is_none() && field.pattern().matches(tag.as_str()) => {
                Some(Missing::RunningDate(tag.clone()))
            }
            _ => None,
        }
    }

    /// What speaks against a competitor that does not run. Cheap: nothing is put into words.
    pub(super) fn bar(&self, entrant: &Entrant<'a>) -> Option<Bar<'a>> {
        let q = self.question;
        let rank = &entrant.rank;
        if self.dates && !rank.is_known() {
            return Some(Bar::NoDate);
        }
        if let Some(standing) = &self.standing {
            if rank.same(standing) {
                return Some(Bar::SameRank);
            }
            if self.never_down() && rank < standing {
                return Some(Bar::Downgrade);
            }
        }
        if self.floor.as_ref().is_some_and(|floor| rank.same(floor) || rank < floor) {
            return Some(Bar::TakenBack);
        }
        self.guarded(entrant.tagged, q.guards.pin_digest || q.current.digest.is_some())
    }

    /// What the guards that need to know an image have against it.
    fn guarded(&self, tagged: Tagged<'a>, digest: bool) -> Option<Bar<'a>> {
        let Question { guards, now, .. } = self.question;
        let min_age = guards.min_age.filter(|age| *age > SignedDuration::ZERO);
        if min_age.is_none() && guards.platforms.is_empty() && !digest {
            return None;
        }
        let Some(info) = tagged.seen.info() else {
            return Some(Bar::Unknown);
        };
        if let Some(age) = min_age {
            let Some(built) = info.built() else {
                return Some(Bar::NoDate);
            };
            let from = built.saturating_add(age).unwrap_or(Timestamp::MAX);
            if from > *now {
                return Some(Bar::MinAge { built, from });
            }
        }
        let lacking = lacking(&guards.platforms, &info.platforms);
        if !lacking.is_empty() {
            return Some(Bar::Platforms { lacking, had: &info.platforms });
        }
        (digest && info.digest.is_none()).then_some(Bar::NoDigest)
    }

    pub(super) fn guarded_by_name(&self, tag: &'a Tag) -> Result<Option<Rejection>, Missing> {
        let Question { field, guards, current, .. } = self.question;
        let listed = field.listing().get(tag.as_str());
        let entrant = field.entrant(listed.unwrap_or(Tagged { tag, seen: Seen::NotAsked }));
        match self.guarded(entrant.tagged, guards.pin_digest || current.digest.is_some()) {
            Some(Bar::Unknown) => Err(images([entrant.tagged])),
            bar => Ok(bar.map(|bar| self.rejection(&entrant, &bar))),
        }
    }

    fn update(&self, entrant: &Entrant<'a>) -> Choice {
        let Question { guards, current, .. } = self.question;
        let tag = entrant.tagged.tag.clone();
        let pinned = guards.pin_digest || current.digest.is_some();
        let digest = entrant.tagged.seen.info().and_then(|info| info.digest.clone()).filter(|_| pinned);
        match current.with_tag(tag.clone(), digest) {
            Ok(image) => Choice::Update { tag, image },
            Err(_) => {
                Choice::Keep { tag: self.running_tag(), held: Some(self.told(entrant, &Bar::NoDigest)) }
            }
        }
    }

    /// The running tag is the one that should run; with `pin-digest` its digest too.
    fn keep_or_follow(&self, entrant: &Entrant<'a>, held: Option<(Tag, Rejection)>) -> Choice {
        let keep = |held| Choice::Keep { tag: Some(entrant.tagged.tag.clone()), held };
        if !self.question.guards.pin_digest {
            return keep(held);
        }
        let current = self.question.current.digest.as_ref();
        match entrant.tagged.seen.info().map(|info| info.digest.as_ref()) {
            None => Choice::Undecided(images([entrant.tagged])),
            Some(digest) if digest.is_some() && digest == current => keep(held),
            Some(_) => match self.guarded(entrant.tagged, true) {
                None => self.update(entrant),
                Some(bar) => keep(held.or_else(|| Some(self.told(entrant, &bar)))),
            },
        }
    }

    fn told(&self, entrant: &Entrant<'_>, bar: &Bar<'_>) -> (Tag, Rejection) {
        (entrant.tagged.tag.clone(), self.rejection(entrant, bar))
    }
}

/// The newest tag that is known to have the digest of what runs.
fn tag_of_digest<'a>(question: &'a Question<'a>) -> Option<&'a str> {
    let digest = question.current.digest.as_ref()?;
    let has = |t: &&Tagged<'a>| t.seen.info().is_some_and(|info| info.digest.as_ref() == Some(digest));
    let having = question.field.listing().tags().iter().filter(has);
    let newest = having.map(|t| question.field.entrant(*t)).max()?;
    Some(newest.tagged.tag.as_str())
}

/// Where a tag stands that others are judged against.
#[derive(Default)]
struct Standing<'a> {
    /// Whether the pattern takes it.
    taken: bool,
    /// Whether it is listed too, and not known to be gone.
    competes: bool,
    /// Its rank; none if others cannot be judged against it, and need not.
    rank: Option<Rank<'a>>,
}

impl<'a> Standing<'a> {
    fn of(field: &Field<'a>, tag: &'a str) -> Self {
        let pattern = field.pattern();
        let taken = pattern.matches(tag);
        let listed = field.listing().get(tag);
        let competes = taken && listed.is_some_and(|t| !matches!(t.seen, Seen::Gone(_)));
        if !taken && (pattern.order().needs_created() || is_latest(tag)) {
            return Self { taken, competes, rank: None };
        }
        let rank = match listed {
            Some(listed) => field.entrant(listed).rank,
            None => pattern.rank(&Candidate { tag, created: None }),
        };
        Self { taken, competes, rank: Some(rank).filter(Rank::is_known) }
    }
}

/// The images of these tags are missing.
fn images<'a>(tags: impl IntoIterator<Item = Tagged<'a>>) -> Missing {
    let (mut ask, mut unreadable) = (Vec::new(), Vec::new());
    for Tagged { tag, seen } in tags {
        match seen {
            Seen::Unreadable(error) | Seen::Gone(error) => unreadable.push((tag.clone(), error.to_owned())),
            Seen::NotAsked | Seen::Known(_) => ask.push(tag.clone()),
        }
    }
    ask.sort();
    unreadable.sort();
    Missing::Images { ask, unreadable }
}

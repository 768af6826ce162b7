//! Verdicts on tags: what speaks against each, in words.

use jiff::Timestamp;

use super::{
    candidate_set::RankedTag,
    choice::{Choice, Verdict},
    objection::Objection,
    rule::{Rejection, Rule, gone, list, not_an_image},
    selection::Selection,
    tagged::Seen,
};
use crate::{image::Tag, policy::pattern::is_latest};

impl<'a> Selection<'a> {
    /// Returns all tags, not only the competitors.
    pub(super) fn all_newest_first(&self) -> Vec<RankedTag<'a>> {
        let candidates = self.input.candidates;
        let mut all: Vec<RankedTag<'_>> =
            candidates.listing().tags().iter().map(|t| candidates.ranked(*t)).collect();
        // Artifacts come last: whatever their names are, they are newer than nothing.
        let is_artifact = |ranked: &RankedTag<'_>| ranked.tagged.artifact().is_some();
        all.sort_by(|a, b| is_artifact(a).cmp(&is_artifact(b)).then_with(|| b.cmp(a)));
        all
    }

    /// Returns the verdict on a tag, given the choice.
    pub(super) fn verdict(&self, ranked: &RankedTag<'a>, choice: &Choice) -> Verdict {
        let pattern = self.input.candidates.pattern();
        let tag = ranked.tagged.tag;
        if matches!(choice, Choice::Update { tag: chosen, .. } if chosen == tag) {
            return Verdict::Selected;
        }
        if self.runs(ranked) {
            return Verdict::Current;
        }
        let by = |by: Rejection| Verdict::Rejected { by, also: Vec::new() };
        match (ranked.tagged.artifact(), ranked.tagged.seen) {
            (Some(kind), Seen::NotAnImage(_, words)) => return by(not_an_image(kind, Some(words))),
            (Some(kind), _) => return by(not_an_image(kind, None)),
            (None, _) => {}
        }
        if !pattern.matches(tag.as_str()) {
            let (rule, message) = if is_latest(tag.as_str()) {
                (Rule::Latest, "the tag latest is released only where glob:latest asks for it".to_owned())
            } else {
                (Rule::Pattern, format!("the pattern {pattern} does not take it"))
            };
            return by(Rejection::new(rule, message).with("pattern", pattern));
        }
        if let Seen::Gone(error) = ranked.tagged.seen {
            return by(gone(error));
        }
        let mut objections = self.objections(ranked).into_iter();
        let objection = match objections.next() {
            Some(Objection::NoDate(_)) if ranked.tagged.seen.info().is_none() => Some(Objection::Unknown),
            objection => objection,
        };
        let chosen = match choice {
            Choice::Update { tag, .. } | Choice::Keep { tag: Some(tag), .. } => {
                self.input.candidates.competitor(tag.as_str())
            }
            _ => None,
        };
        let outranked = chosen.is_some_and(|chosen| ranked.rank < chosen.rank);
        match objection {
            // What is not known of it could not change that another one is newer.
            Some(Objection::Unknown) if outranked => by(self.passed_over(ranked, choice)),
            // What runs is newer anyway.
            Some(objection @ Objection::Downgrade) => by(self.rejection(ranked, &objection)),
            Some(objection) => {
                let known = objections.filter(|objection| !matches!(objection, Objection::Unknown));
                let also = known.map(|objection| self.rejection(ranked, &objection)).collect();
                Verdict::Rejected { by: self.rejection(ranked, &objection), also }
            }
            None => by(self.passed_over(ranked, choice)),
        }
    }

    /// Says why a tag is not chosen that nothing speaks against.
    fn passed_over(&self, ranked: &RankedTag<'a>, choice: &Choice) -> Rejection {
        match choice {
            Choice::Undecided(missing) => {
                Rejection::new(Rule::Undecided, format!("nothing is decided: {missing}"))
                    .with("missing", missing)
            }
            Choice::Update { tag, .. } | Choice::Keep { tag: Some(tag), .. } => {
                let other = self.input.candidates.competitor(tag.as_str());
                Rejection::new(Rule::Outranked, format!("{tag} is newer"))
                    .with("newer", tag)
                    .with_some("built", self.built(Some(ranked)))
                    .with_some("newer_built", self.built(other.as_ref()))
            }
            Choice::Keep { tag: None, .. } | Choice::NoCandidate => {
                Rejection::new(Rule::Undecided, "nothing is decided: the running tag is not known")
            }
        }
    }

    fn built(&self, ranked: Option<&RankedTag<'_>>) -> Option<Timestamp> {
        self.input.candidates.dates().built(ranked?.tagged.seen.info()?).ok()
    }

    /// Puts an objection to a competitor into words.
    pub(super) fn rejection(&self, ranked: &RankedTag<'_>, objection: &Objection<'_>) -> Rejection {
        let tag = ranked.tagged.tag;
        let running = self.running.unwrap_or_default();
        let running_built = || self.built(self.input.candidates.competitor(running).as_ref());
        match objection {
            Objection::SameRank => {
                Rejection::new(Rule::SameRank, format!("{tag} has the rank of {running}, which runs"))
                    .with("running", running)
            }
            Objection::Downgrade => {
                let message =
                    format!("{tag} is older than {running}, which runs; automation does not go down");
                Rejection::new(Rule::Downgrade, message)
                    .with("running", running)
                    .with_some("built", self.built(Some(ranked)))
                    .with_some("running_built", running_built())
            }
            Objection::TakenBack => {
                let taken_back = self.input.newer_than.map_or("", Tag::as_str);
                Rejection::new(
                    Rule::TakenBack,
                    format!("{tag} is not newer than {taken_back}, which was taken back"),
                )
                .with("taken_back", taken_back)
            }
            Objection::NoDate(why) => {
                let created = ranked.tagged.seen.info().and_then(|info| info.created);
                let message = format!("the image of {tag} has no trustworthy build date: {why}");
                Rejection::new(Rule::NoDate, message).with_some("created", created)
            }
            Objection::MinAge { since, built, from } => Rejection::new(
                Rule::MinAge,
                format!(
                    "{tag} was {} at {since}, and is old enough from {from}",
                    if *built { "built" } else { "first seen" }
                ),
            )
            .with(if *built { "built" } else { "first_seen" }, since)
            .with("from", from)
            .with_some("min_age", self.input.guards.min_age),
            Objection::Platforms { lacking, had } => {
                let lacking = list(lacking);
                Rejection::new(Rule::Platforms, format!("the image of {tag} is not built for {lacking}"))
                    .with("lacking", lacking)
                    .with("platforms", list(had))
            }
            Objection::NoDigest => Rejection::new(
                Rule::NoDigest,
                format!("the digest of {tag} is not known, and it is to be written beside the tag"),
            ),
            Objection::Unknown => match ranked.tagged.seen {
                Seen::Unreadable(error) | Seen::Gone(error) | Seen::NotAnImage(_, error) => {
                    Rejection::new(Rule::Unreadable, format!("nothing could be learnt of its image: {error}"))
                        .with("error", error)
                }
                Seen::NotAsked | Seen::Known(_) => {
                    Rejection::new(Rule::Undecided, "the registry was not asked for its image")
                }
            },
        }
    }
}

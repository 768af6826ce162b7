//! What is said of a tag, and of what speaks against it.

use jiff::Timestamp;

use super::{
    Choice, Rejection, Rule, Seen, Verdict,
    field::Entrant,
    rule::{Bar, list},
    survey::Survey,
};
use crate::{
    image::{ImageInfo, Tag},
    policy::pattern::is_latest,
};

impl<'a> Survey<'a> {
    /// All tags, not only the competitors.
    pub(super) fn all_newest_first(&self) -> Vec<Entrant<'a>> {
        let field = self.question.field;
        let mut all: Vec<Entrant<'_>> = field.listing().tags().iter().map(|t| field.entrant(*t)).collect();
        all.sort_by(|a, b| b.cmp(a));
        all
    }

    pub(super) fn verdict(&self, entrant: &Entrant<'a>, choice: &Choice) -> Verdict {
        let pattern = self.question.field.pattern();
        let tag = entrant.tagged.tag;
        if matches!(choice, Choice::Update { tag: chosen, .. } if chosen == tag) {
            return Verdict::Selected;
        }
        if self.runs(entrant) {
            return Verdict::Current;
        }
        let rejection =
            |rule, message: String| Verdict::Rejected(Rejection::new(rule, message).with("pattern", pattern));
        if !pattern.matches(tag.as_str()) {
            return if is_latest(tag.as_str()) {
                rejection(
                    Rule::Latest,
                    "the tag latest is released only where glob:latest asks for it".to_owned(),
                )
            } else {
                rejection(Rule::Pattern, format!("the pattern {pattern} does not take it"))
            };
        }
        if let Seen::Gone(error) = entrant.tagged.seen {
            let message = format!("the tag is listed, but its image is not there: {error}");
            return Verdict::Rejected(Rejection::new(Rule::Gone, message).with("error", error));
        }
        let bar = match self.bar(entrant) {
            Some(Bar::NoDate) if entrant.tagged.seen.info().is_none() => Some(Bar::Unknown),
            bar => bar,
        };
        let chosen = match choice {
            Choice::Update { tag, .. } | Choice::Keep { tag: Some(tag), .. } => {
                self.question.field.competitor(tag.as_str())
            }
            _ => None,
        };
        let outranked = chosen.is_some_and(|chosen| entrant.rank < chosen.rank);
        Verdict::Rejected(match bar {
            // What is not known of it could not change that another one is newer.
            Some(Bar::Unknown) if outranked => self.passed_over(entrant, choice),
            Some(bar) => self.rejection(entrant, &bar),
            None => self.passed_over(entrant, choice),
        })
    }

    /// Why a tag is not chosen that nothing speaks against.
    fn passed_over(&self, entrant: &Entrant<'a>, choice: &Choice) -> Rejection {
        match choice {
            Choice::Undecided(missing) => {
                Rejection::new(Rule::Undecided, format!("nothing is decided: {missing}"))
                    .with("missing", missing)
            }
            Choice::Update { tag, .. } | Choice::Keep { tag: Some(tag), .. } => {
                let other = self.question.field.competitor(tag.as_str());
                Rejection::new(Rule::Outranked, format!("{tag} is newer"))
                    .with("newer", tag)
                    .with_some("built", built(entrant))
                    .with_some("newer_built", other.as_ref().and_then(built))
            }
            Choice::Keep { tag: None, .. } | Choice::NoCandidate => {
                Rejection::new(Rule::Undecided, "nothing is decided: the running tag is not known")
            }
        }
    }

    /// Puts into words what speaks against a competitor.
    pub(super) fn rejection(&self, entrant: &Entrant<'_>, bar: &Bar<'_>) -> Rejection {
        let tag = entrant.tagged.tag;
        let running = self.running.unwrap_or_default();
        let running_built = || self.question.field.competitor(running).as_ref().and_then(built);
        match bar {
            Bar::SameRank => {
                Rejection::new(Rule::SameRank, format!("{tag} has the rank of {running}, which runs"))
                    .with("running", running)
            }
            Bar::Downgrade => {
                let message =
                    format!("{tag} is older than {running}, which runs; automation does not go down");
                Rejection::new(Rule::Downgrade, message)
                    .with("running", running)
                    .with_some("built", built(entrant))
                    .with_some("running_built", running_built())
            }
            Bar::TakenBack => {
                let taken_back = self.question.newer_than.map_or("", Tag::as_str);
                Rejection::new(
                    Rule::TakenBack,
                    format!("{tag} is not newer than {taken_back}, which was taken back"),
                )
                .with("taken_back", taken_back)
            }
            Bar::NoDate => {
                let created = entrant.tagged.seen.info().and_then(|info| info.created);
                Rejection::new(Rule::NoDate, format!("the image of {tag} has no trustworthy build date"))
                    .with_some("created", created)
            }
            Bar::MinAge { built, from } => Rejection::new(
                Rule::MinAge,
                format!("{tag} was built at {built}, and is old enough from {from}"),
            )
            .with("built", built)
            .with("from", from)
            .with_some("min_age", self.question.guards.min_age),
            Bar::Platforms { lacking, had } => {
                let lacking = list(lacking);
                Rejection::new(Rule::Platforms, format!("the image of {tag} is not built for {lacking}"))
                    .with("lacking", lacking)
                    .with("platforms", list(had))
            }
            Bar::NoDigest => Rejection::new(
                Rule::NoDigest,
                format!("the digest of {tag} is not known, and it is to be written beside the tag"),
            ),
            Bar::Unknown => match entrant.tagged.seen {
                Seen::Unreadable(error) | Seen::Gone(error) => {
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

fn built(entrant: &Entrant<'_>) -> Option<Timestamp> {
    entrant.tagged.seen.info().and_then(ImageInfo::built)
}

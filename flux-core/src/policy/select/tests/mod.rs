//! Cases of a selection, and how a test asks them.

mod laws;
mod looked_at;
mod rules;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::{
    image::{ArtifactKind, Dates, Digest, ImageInfo, UntrustedDate},
    policy::{Guards, TagPattern, parse_platforms, select::*},
};

/// The registry's answer about a tag.
#[derive(Clone, Debug)]
enum Answer {
    NotAsked,
    /// The day of 2026 on which it was built, if the registry says, and whether it says for which
    /// platforms.
    Built(Option<i64>),
    /// Built in 1970.
    Epoch,
    Gone,
    Artifact,
    Unreadable,
}

use Answer::{Artifact, Built, Epoch, Gone, NotAsked, Unreadable};

/// A tag that is known by its name to be a signature.
const SIGNATURE: &str = "sha256-44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a.sig";

/// A tag that is known by its name to be an index of referrers.
const REFERRERS: &str = "sha256-44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

fn day(day: i64) -> Timestamp {
    let new_year: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    new_year.checked_add((day * 24).hours()).unwrap()
}

fn digest_of(tag: &str) -> Digest {
    let hex: String =
        tag.bytes().map(|b| format!("{b:02x}")).chain(std::iter::repeat("00".to_owned())).take(32).collect();
    format!("sha256:{hex}").parse().unwrap()
}

/// A question that owns its parts.
///
/// It is day 100 of 2026, and automation asks.
#[derive(Clone, Debug)]
struct Case {
    pattern: &'static str,
    current: String,
    tags: Vec<(String, Answer)>,
    complete: bool,
    guards: Guards,
    newer_than: Option<&'static str>,
    automatic: bool,
}

fn case(pattern: &'static str, current: &str, tags: &[(&str, Answer)]) -> Case {
    Case {
        pattern,
        current: current.to_owned(),
        tags: tags.iter().map(|(tag, answer)| ((*tag).to_owned(), answer.clone())).collect(),
        complete: true,
        guards: Guards::default(),
        newer_than: None,
        automatic: true,
    }
}

/// Tags of images of which the registry tells no date.
fn names(tags: &[&'static str]) -> Vec<(&'static str, Answer)> {
    tags.iter().map(|tag| (*tag, Built(None))).collect()
}

/// Tags of which the registry was not asked for more than the names.
fn not_asked(tags: &[&'static str]) -> Vec<(&'static str, Answer)> {
    tags.iter().map(|tag| (*tag, NotAsked)).collect()
}

impl Case {
    fn ask<T>(&self, then: impl FnOnce(&SelectionInput<'_>) -> T) -> T {
        let platforms = parse_platforms("linux/amd64").unwrap();
        let info = |tag: &str, created| ImageInfo {
            digest: Some(digest_of(tag)),
            created,
            first_seen: None,
            labels: BTreeMap::new(),
            platforms: platforms.clone(),
        };
        let infos: Vec<(Tag, ImageInfo)> = self
            .tags
            .iter()
            .map(|(tag, answer)| {
                let created = match answer {
                    Built(at) => at.map(day),
                    Epoch => Some(Timestamp::UNIX_EPOCH),
                    _ => None,
                };
                (tag.parse().unwrap(), info(tag, created))
            })
            .collect();
        let tags = infos.iter().zip(&self.tags).map(|((tag, info), (_, answer))| Tagged {
            tag,
            seen: match answer {
                NotAsked => Seen::NotAsked,
                Built(_) | Epoch => Seen::Known(info),
                Gone => Seen::Gone("manifest unknown"),
                Artifact => Seen::NotAnImage(ArtifactKind::HelmChart, "it is a chart"),
                Unreadable => Seen::Unreadable("500"),
            },
        });
        let pattern: TagPattern = self.pattern.parse().unwrap();
        let newer_than = self.newer_than.map(|tag| tag.parse().unwrap());
        then(&SelectionInput {
            candidates: &CandidateSet::new(pattern, Listing::new(tags, self.complete), Dates::at(day(100))),
            current: &self.current.parse().unwrap(),
            guards: &self.guards,
            newer_than: newer_than.as_ref(),
            automatic: self.automatic,
        })
    }

    fn choice(&self) -> Choice {
        self.ask(choose)
    }

    /// Returns the choice in a word: `=tag`, `>tag`, `?`, `-`.
    fn word(&self) -> String {
        match self.choice() {
            Choice::Keep { tag, .. } => format!("={}", tag.as_ref().map_or("", Tag::as_str)),
            Choice::Update { tag, .. } => format!(">{tag}"),
            Choice::Undecided(_) => "?".to_owned(),
            Choice::NoCandidate => "-".to_owned(),
        }
    }

    /// Returns the rule that holds back a newer tag.
    fn held_back(&self) -> Option<(String, Rule)> {
        match self.choice() {
            Choice::Keep { held, .. } => held.map(|(tag, rejection)| (tag.to_string(), rejection.rule)),
            _ => None,
        }
    }

    fn by_hand(mut self) -> Self {
        self.automatic = false;
        self
    }

    fn guarded(mut self, set: impl FnOnce(&mut Guards)) -> Self {
        set(&mut self.guards);
        self
    }

    fn incomplete(mut self) -> Self {
        self.complete = false;
        self
    }

    fn newer_than(mut self, tag: &'static str) -> Self {
        self.newer_than = Some(tag);
        self
    }

    fn verdicts(&self) -> Vec<(String, String)> {
        let text = |verdict| match verdict {
            Verdict::Selected => "selected".to_owned(),
            Verdict::Current => "current".to_owned(),
            Verdict::Rejected { by, .. } => by.rule.as_str().to_owned(),
        };
        self.ask(explain).into_iter().map(|(tag, verdict)| (tag.to_string(), text(verdict))).collect()
    }
}

const D: fn(i64) -> Answer = |day| Built(Some(day));

//! Release policies: tag patterns, the orders they imply, guards, and the annotations that set
//! policy.
//!
//! # Policies
//!
//! A policy `P` of a workload is its annotation `fluxcd.io/P`, in v1's older spelling
//! `flux.weave.works/P`. [`Policies::of`] reads them.
//!
//! | policy | value | means |
//! |---|---|---|
//! | `automated` | `true` | automation releases it |
//! | `tag.CONTAINER`, `filter.fluxcd.io/CONTAINER` | a pattern, below | which tags may be released |
//! | `locked`, `locked_user`, `locked_msg` | `true`, who, why | nothing is released by anybody |
//! | `ignore` | `true`, `sync_only` | left alone by releases and sync; applied but never pruned |
//! | `allow-downgrade` | `true` | automation may go to something older |
//! | `min-age` | `24h`, `90m`, `7d`, `2w` | an image must have been built that long ago |
//! | `freeze` | `0 16 * * 5 for 64h Europe/Berlin` | nothing is released in such a window |
//! | `hold`, `hold_msg` | `true`, why | automation waits |
//! | `platforms` | `linux/amd64,linux/arm64` | an image must have been built for all of them |
//! | `pin-digest` | `true` | digests are written beside tags, and followed when a tag moves |
//! | `group` | a name | workloads of one group move together or not at all |
//! | `version-labels` | `true` | the labels that repeat a container's tag follow it |
//! | `label-dates` | `true` | build dates are those of an image's labels first |
//!
//! Several freeze windows have `;` between them. The labels are `version` and
//! `app.kubernetes.io/version`.
//!
//! A value that cannot be read is a [`Problem`](crate::finding::Problem) with its place. It never
//! opens what it was to keep shut: an unreadable pattern matches nothing, and while a guard is
//! unreadable [`Policies::stop`] lets nothing through.
//!
//! The same can be set for many workloads at once by [rules in a file](PolicyRules).
//!
//! # Patterns
//!
//! | pattern | takes | order, newest first |
//! |---|---|---|
//! | `glob:GLOB`, or the glob | tags that match as a whole; only `*` is special | by build date |
//! | `regexp:RE`, `regex:RE` | tags in which the expression is found | by build date |
//! | `regexp:RE` with a group `order` | the same, if the group captures text | by the captured text |
//! | `semver:CONSTRAINT` | versions, read loosely | by version |
//! | `semver-strict:CONSTRAINT` | Semantic Versioning 2.0, with an optional `v` | by version |
//! | `numeric:GLOB` | tags that match and are whole numbers, or have one for `*` | by number |
//! | `alpha:GLOB` | tags that match (all if empty) | by text, the last first |
//!
//! Without a pattern of its own a container has `glob:*`. An empty glob of `numeric:` and `alpha:`
//! takes every tag. What the group `order` captures is compared as whole numbers, the highest
//! first, then as text, the last first.
//!
//! ```
//! use flux_core::policy::{Candidate, TagPattern};
//!
//! let newest = |pattern: &str, tags: &[&'static str]| {
//!     let pattern: TagPattern = pattern.parse().unwrap();
//!     let candidates = tags.iter().map(|tag| Candidate { tag, created: None });
//!     let taken = candidates.filter(|c| pattern.matches(c.tag));
//!     taken.min_by(|a, b| pattern.newest_first(a, b)).map(|c| c.tag.to_owned())
//! };
//! let tags =
//!     ["1.9.0", "v1.10.0", "2.0.0-rc.1", "20260102", "build-9", "build-10", "1234e56", "latest"];
//! assert_eq!(newest("semver:
//! 1", &tags).unwrap(), "v1.10.0");
//! assert_eq!(newest("semver:*", &tags).unwrap(), "20260102");
//! assert_eq!(newest("semver-strict:*", &tags).unwrap(), "v1.10.0");
//! assert_eq!(newest("semver-strict:>=1-0", &tags).unwrap(), "2.0.0-rc.1");
//! assert_eq!(newest("numeric:", &tags).unwrap(), "20260102");
//! assert_eq!(newest("numeric:build-*", &tags).unwrap(), "build-10");
//! assert_eq!(newest("alpha:build-*", &tags).unwrap(), "build-9");
//! assert_eq!(newest(r"regexp:^build-(?P<order>\d+)$", &tags).unwrap(), "build-10");
//! assert_eq!(newest("glob:none-*", &tags), None);
//! ```
//!
//! - **latest**: a tag that is `latest`, in whatever case, is a name that moves. Only the patterns
//!   `latest` and `glob:latest` take it.
//! - **Case, white space, prefixes** count. A pattern whose prefix is not in the table is a glob.
//! - **Numbers** of any length compare exactly; nothing is ever a float, so `1234e56` and `NaN` are
//!   text.
//! - **Regular expressions** are those of the `regex` crate, in which Go's are valid but for rare
//!   escapes.
//!
//! # Versions and constraints
//!
//! Read loosely, `1`, `1.2`, `v1`, `01.2.3` and any number are versions, zeros standing for what is
//! missing; `1.2.3.4` is none. Build metadata (`+…`) does not count. Precedence is that of Semantic
//! Versioning 2.0.
//!
//! A constraint is what Masterminds/semver, and so Flux v1, takes:
//!
//! | constraint | means |
//! |---|---|
//! | `=1.2.3`, `1.2.3`, `!=1.2.3`, `>1.2.3`, `<1.2.3`, `>=1.2.3`, `<=1.2.3` | as it says |
//! | `1.2`, `1.2.x`, `1.2.*`, `=1.2` | `>=1.2.0 <1.3.0` |
//! | `*`, nothing | any release |
//! | `>1.2`, `<=1.2` | `>=1.3.0`, `<1.3.0` |
//! | `
//! 1.2.3`, `
//! 1.2`, `
//! 1` | `>=1.2.3 <1.3.0`, `>=1.2.0 <1.3.0`, `>=1.0.0 <2.0.0` |
//! | `^1.2.3`, `^0.2.3`, `^0.0.3` | `>=1.2.3 <2.0.0`, `>=0.2.3 <0.3.0`, `=0.0.3` |
//! | `1.2 - 1.4` | `>=1.2 <=1.4` |
//! | `A, B` or `A B` | both |
//! | `A \|\| B` | either |
//!
//! **Pre-releases** are taken only where every comparator of an alternative has one itself, `!=` of
//! a full version excepted: `>=1.2.3` never takes `1.3.0-rc.1`, `>=1.2.3-0` does, and
//! `>=1.0.0-rc.0, <1.0.1` does not, because `<1.0.1` has none.
//!
//! # Orders
//!
//! Orders are total, so that the same tags give the same answer in whatever order a registry lists
//! them. Tags without a place in an order (no trustworthy date, no version) come last. Of equal
//! build dates and numbers the tag whose text comes first wins; of equal versions, such as `v1.2.3`
//! and `1.2.3`, the one whose text comes last, as in v1. The tag that runs wins every tie: see
//! [`choose`], which has the rules by which one tag is chosen, and [`explain`], which says of every
//! tag why.

mod annotations;
mod constraint;
mod document;
mod glob;
mod group;
mod guard;
mod number;
mod pattern;
mod patterns;
mod select;
mod stop;
mod suspension;
mod version;

pub(crate) use annotations::is_of_syncs;
pub use annotations::{Ignore, Lock, PREFIX, Policies, PolicyText};
pub use document::{PolicyRules, PolicySubject};
#[cfg(feature = "deployer")]
pub(crate) use glob::Glob;
pub use group::{Apart, Member, apart};
pub use guard::{Freeze, Frozen, Guards, Hold, parse_duration, parse_platforms};
pub use pattern::{Candidate, InvalidPattern, Order, Rank, TagPattern};
pub(crate) use patterns::Patterns;
pub use select::{
    CandidateSet, Choice, Listing, Missing, Rejection, Rule, Seen, SelectionInput, Tagged, Verdict, choose,
    explain, guarded, unrunnable,
};
pub use stop::Stop;
pub use suspension::Suspension;

pub use crate::manifest::{POLICY_GROUP, POLICY_KIND, is_policy_document};

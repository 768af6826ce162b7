//! Objections: what speaks against a competitor, before it is put into words.

use jiff::Timestamp;

use crate::image::{Platform, UntrustedDate};

/// An objection to a competitor.
#[derive(Debug)]
pub(super) enum Objection<'a> {
    SameRank,
    Downgrade,
    TakenBack,
    NoDate(UntrustedDate),
    MinAge {
        /// The time that counts.
        since: Timestamp,
        /// `true` if it is the build date, `false` if it is when the image was first seen.
        built: bool,
        from: Timestamp,
    },
    Platforms {
        lacking: Vec<&'a Platform>,
        had: &'a [Platform],
    },
    NoDigest,
    /// Its image must be known, and is not.
    Unknown,
}

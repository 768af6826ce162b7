//! The input of a selection.

use super::candidate_set::CandidateSet;
use crate::{
    image::{ImageRef, Tag},
    policy::Guards,
};

/// The input of a selection: what is asked about one container.
///
/// Exhaustive: callers make it.
#[derive(Clone, Copy, Debug)]
pub struct SelectionInput<'a> {
    /// The candidates among the tags of its repository, in their order.
    pub candidates: &'a CandidateSet<'a>,
    /// The image that runs, or stands in git.
    pub current: &'a ImageRef,
    /// The guards of the workload.
    ///
    /// Freeze, hold and group are of the whole workload and not asked here.
    pub guards: &'a Guards,
    /// A tag that was taken back: only something newer is chosen.
    pub newer_than: Option<&'a Tag>,
    /// `true` if automation asks.
    ///
    /// A person may go down, automation only if the guards allow it.
    pub automatic: bool,
}

//! The conformance suite of [`Cluster`](crate::backend::Cluster).
//!
//! An implementation writes a [`ClusterFixture`], with hands that change the cluster behind its
//! back, and runs the suite with [`cluster_conformance!`](crate::testing::cluster_conformance).
//! Cases have names and sync sets of their own and may run at the same time on one cluster. A case
//! that fails panics and says what it expected.
//!
//! The suite observes, plans and applies as the deployer does: what it asserts is what the plan and
//! the backend make of it together.

mod bench;
mod cases;
mod fixture;
mod memory;

pub use cases::{
    a_change_in_git_is_applied, a_change_of_a_status_is_reported_to_all_who_wait,
    a_copied_mark_counts_for_nothing, a_different_object_is_adopted_and_changed,
    a_field_that_git_no_longer_names_goes, a_foreign_field_is_left_alone, a_hand_deletion_is_undone,
    a_hand_edit_is_undone, a_version_holds_until_something_else_may_be_seen,
    an_equal_object_is_adopted_as_unchanged, an_object_that_changed_since_is_not_pruned,
    an_unknown_kind_is_reported_and_the_rest_applied, one_refused_object_does_not_stop_the_others,
    pods_are_taken_by_their_labels, progress_is_reported_for_every_step,
    string_data_of_a_secret_is_not_drift, what_an_autoscaler_set_is_left_alone,
    what_git_no_longer_names_is_pruned_when_asked, what_is_missing_is_created_and_then_left,
    what_was_adopted_is_never_pruned, workloads_are_listed_with_their_images,
};
pub use fixture::ClusterFixture;
pub use memory::MemoryFixture;

/// Expands to the conformance suite of `Cluster`, a test for each case.
///
/// It is given an async function that makes a [fixture](crate::testing::cluster::ClusterFixture),
/// or `None` where what it needs is not there; then the test passes without having run.
///
/// ```
/// use flux_core::testing::cluster::MemoryFixture;
///
/// flux_core::testing::cluster_conformance!(async || Some(MemoryFixture::new()));
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! cluster_conformance {
    ($make:expr) => {
        $crate::cluster_conformance! {
            @each $make;
            what_is_missing_is_created_and_then_left
            a_change_in_git_is_applied
            a_field_that_git_no_longer_names_goes
            a_hand_edit_is_undone
            a_hand_deletion_is_undone
            a_foreign_field_is_left_alone
            what_an_autoscaler_set_is_left_alone
            an_equal_object_is_adopted_as_unchanged
            a_different_object_is_adopted_and_changed
            what_git_no_longer_names_is_pruned_when_asked
            what_was_adopted_is_never_pruned
            an_object_that_changed_since_is_not_pruned
            a_copied_mark_counts_for_nothing
            one_refused_object_does_not_stop_the_others
            an_unknown_kind_is_reported_and_the_rest_applied
            string_data_of_a_secret_is_not_drift
            progress_is_reported_for_every_step
            workloads_are_listed_with_their_images
            a_change_of_a_status_is_reported_to_all_who_wait
            a_version_holds_until_something_else_may_be_seen
            pods_are_taken_by_their_labels
        }
    };
    (@each $make:expr; $($case:ident)*) => {$(
        #[test]
        fn $case() {
            $crate::testing::check($make, async |fixture| {
                $crate::testing::cluster::$case(&fixture).await;
            });
        }
    )*};
}

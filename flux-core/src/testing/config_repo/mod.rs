//! The conformance suite of [`ConfigRepo`](crate::backend::ConfigRepo).
//!
//! An implementation writes a [`ConfigRepoFixture`], which makes upstreams, and runs the suite with
//! [`config_repo_conformance!`](crate::testing::config_repo_conformance). A case that fails panics,
//! and says which rule was broken.

mod commits;
mod fixture;
mod memory;
mod reading;

pub use commits::{
    commit_adds_files_that_are_not_there, commit_keeps_everything_else, commit_lands_with_all_it_says,
    commit_of_several_at_once_lands_one, commit_on_a_stale_base_changes_nothing,
    commit_refused_upstream_says_why, commit_that_cannot_be_is_refused,
};
pub use fixture::{ConfigRepoFixture, Refusal, Seed, SeedKind, Upstream};
pub use memory::MemoryFixture;
pub use reading::{
    head_follows_a_forced_push, head_follows_upstream, history_tells_of_the_paths_newest_first,
    read_gives_contents_in_order_and_within_the_limit, tree_lists_files_under_the_paths,
    tree_of_an_old_revision_stays, tree_tells_of_modes_and_links, what_is_not_there_is_not_found,
};

/// Expands to the conformance suite of `ConfigRepo`, a test for each case.
///
/// It is given an async function that makes a
/// [fixture](crate::testing::config_repo::ConfigRepoFixture), or `None` where what it needs is not
/// there; then the test passes without having run.
///
/// ```
/// use flux_core::testing::config_repo::MemoryFixture;
///
/// flux_core::testing::config_repo_conformance!(async || Some(MemoryFixture::new()));
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! config_repo_conformance {
    ($make:expr) => {
        $crate::config_repo_conformance! {
            @each $make;
            head_follows_upstream
            head_follows_a_forced_push
            tree_lists_files_under_the_paths
            tree_tells_of_modes_and_links
            tree_of_an_old_revision_stays
            read_gives_contents_in_order_and_within_the_limit
            history_tells_of_the_paths_newest_first
            what_is_not_there_is_not_found
            commit_lands_with_all_it_says
            commit_keeps_everything_else
            commit_adds_files_that_are_not_there
            commit_on_a_stale_base_changes_nothing
            commit_of_several_at_once_lands_one
            commit_that_cannot_be_is_refused
            commit_refused_upstream_says_why
        }
    };
    (@each $make:expr; $($case:ident)*) => {$(
        #[test]
        fn $case() {
            $crate::testing::check($make, async |fixture| {
                $crate::testing::config_repo::$case(&fixture).await;
            });
        }
    )*};
}

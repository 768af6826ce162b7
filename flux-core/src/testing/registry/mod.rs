//! The conformance suite of [`Registry`](crate::backend::Registry).
//!
//! An implementation writes a [`RegistryFixture`], which can push images, and runs the suite with
//! [`registry_conformance!`](crate::testing::registry_conformance). A case that fails panics, and
//! says which rule was broken.

mod cases;
mod fixture;
mod memory;

pub use cases::{
    a_missing_tag_stops_no_other, a_repository_that_is_not_there_says_so, a_tag_that_moves_is_followed,
    all_tags_are_listed, an_artifact_is_told_for_what_it_is, an_image_is_described_as_it_was_pushed,
    an_index_is_described_with_all_its_platforms, names_are_looked_up_in_canonical_form,
};
pub use fixture::{Build, RegistryFixture};
pub use memory::MemoryFixture;

/// Expands to the conformance suite of `Registry`, a test for each case.
///
/// It is given an async function that makes a [fixture](crate::testing::registry::RegistryFixture),
/// or `None` where what it needs is not there; then the test passes without having run.
///
/// ```
/// use flux_core::testing::registry::MemoryFixture;
///
/// flux_core::testing::registry_conformance!(async || Some(MemoryFixture::new()));
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! registry_conformance {
    ($make:expr) => {
        $crate::registry_conformance! {
            @each $make;
            all_tags_are_listed
            a_repository_that_is_not_there_says_so
            an_image_is_described_as_it_was_pushed
            an_index_is_described_with_all_its_platforms
            a_missing_tag_stops_no_other
            an_artifact_is_told_for_what_it_is
            a_tag_that_moves_is_followed
            names_are_looked_up_in_canonical_form
        }
    };
    (@each $make:expr; $($case:ident)*) => {$(
        #[test]
        fn $case() {
            $crate::testing::check($make, async |fixture| {
                $crate::testing::registry::$case(&fixture).await;
            });
        }
    )*};
}

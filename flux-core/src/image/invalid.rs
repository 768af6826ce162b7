//! The error of texts that are no image names, tags, digests or references.

/// The error for a text that is no image reference.
///
/// Exhaustive: it is a text and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an image reference: {problem}")]
pub struct InvalidImage {
    /// The text.
    pub text: String,
    /// The rule that it breaks.
    pub problem: &'static str,
}

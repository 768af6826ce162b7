//! The one-shot operations.

//! What every [`ConfigRepo`](crate::backend::ConfigRepo) must do.

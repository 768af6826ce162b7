//! What every [`Registry`](crate::backend::Registry) must do.

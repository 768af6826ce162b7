//! What every [`Cluster`](crate::backend::Cluster) must do.

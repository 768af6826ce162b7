//! Timers and triggers.

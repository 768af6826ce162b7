//! The planner of releases.

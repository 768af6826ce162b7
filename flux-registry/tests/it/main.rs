//! The OCI registry against real and against ill-behaved servers.

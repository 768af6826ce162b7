//! Registry over the OCI distribution API.

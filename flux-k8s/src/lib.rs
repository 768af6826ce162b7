//! Cluster over the Kubernetes API: server-side apply, observation by watch.

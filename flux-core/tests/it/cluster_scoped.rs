//! Workloads of custom kinds that are cluster-scoped: a missing namespace is not `default` there.

use std::{collections::BTreeMap, sync::Arc};

use flux_core::{manifest::WorkloadId, manifest_set::Manifests, workload};

const FILE: &str = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: pipelines.example.com}
spec: {group: example.com, scope: Cluster, names: {kind: Pipeline}, versions: [{name: v1}]}
---
apiVersion: fluxcd.io/v1alpha1
kind: FluxPolicy
metadata: {name: platform}
spec:
  workloads:
  - {group: example.com, kind: Pipeline, images: [{name: agent, image: spec.agent}]}
---
apiVersion: example.com/v1
kind: Pipeline
metadata: {name: build}
spec: {agent: 'team/agent:1.0'}
";

fn candidates(id: &str) -> Vec<String> {
    let file = Arc::new(workload::parse(FILE.as_bytes()));
    let manifests = Manifests::new(BTreeMap::from([("all.yaml".parse().unwrap(), file)]));
    let id: WorkloadId = id.parse().unwrap();
    manifests.candidates_for(&id).iter().map(ToString::to_string).collect()
}

#[test]
fn an_id_with_or_without_the_group_means_a_cluster_scoped_workload() {
    for id in ["<cluster>:pipeline/build", "<cluster>:pipeline.example.com/build"] {
        assert_eq!(candidates(id), ["<cluster>:pipeline/build"], "{id}");
    }
}

#[test]
fn an_id_in_the_default_namespace_means_no_cluster_scoped_workload() {
    for id in ["default:pipeline/build", "default:pipeline.example.com/build"] {
        assert_eq!(candidates(id), [""; 0], "{id}");
    }
}

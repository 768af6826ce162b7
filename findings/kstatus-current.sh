#!/usr/bin/env bash
# Software:  sigs.k8s.io/cli-utils 0.37.2, package kstatus (Go; what Flux v2, cli-utils and kpt wait by).
# Seen:      `Current` is the status of a Job that has merely started, of a Pod in phase Failed (an
#            evicted one, too), of a StatefulSet with the strategy OnDelete that has no pod, and of a
#            PodDisruptionBudget that is not met. A LoadBalancer without an address is `Current` too;
#            without a cluster IP it is `InProgress`.
# Memory:    a wait that ends with `Current` means that Jobs have succeeded and Pods run.
# For Flux:  `health_of` has kstatus's words, and says of each rule that differs that it does; waiting
#            for a migration Job means waiting until it is complete.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >main.go <<'GO'
package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

var objects = []struct{ name, json string }{
	{"a Job that has started", `{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"},
		"status": {"startTime": "2026-11-28T00:00:00Z", "active": 1}}`},
	{"a Pod that was evicted", `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
		"status": {"phase": "Failed", "reason": "Evicted"}}`},
	{"a StatefulSet, OnDelete, no pod of 3", `{"apiVersion": "apps/v1", "kind": "StatefulSet",
		"metadata": {"name": "a", "generation": 1}, "spec": {"replicas": 3, "updateStrategy": {"type": "OnDelete"}},
		"status": {"observedGeneration": 1, "replicas": 0}}`},
	{"a PodDisruptionBudget that is not met", `{"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
		"metadata": {"name": "a", "generation": 1},
		"status": {"observedGeneration": 1, "currentHealthy": 0, "desiredHealthy": 2, "disruptionsAllowed": 0}}`},
	{"a LoadBalancer without an address", `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
		"spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}, "status": {"loadBalancer": {}}}`},
	{"a LoadBalancer without a cluster IP", `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
		"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {}}}`},
}

func main() {
	for _, object := range objects {
		var parsed unstructured.Unstructured
		if err := parsed.UnmarshalJSON([]byte(object.json)); err != nil {
			panic(err)
		}
		result, err := status.Compute(&parsed)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%-38s%s\n", object.name, result.Status)
	}
}
GO
cat >go.mod <<'MOD'
module finding

go 1.22

require (
	k8s.io/apimachinery v0.31.3
	sigs.k8s.io/cli-utils v0.37.2
)
MOD
go mod tidy >/dev/null 2>&1

expected='a Job that has started                Current
a Pod that was evicted                Current
a StatefulSet, OnDelete, no pod of 3  Current
a PodDisruptionBudget that is not met Current
a LoadBalancer without an address     Current
a LoadBalancer without a cluster IP   InProgress'
saw=$(go run .)
printf '%s\n' "$saw"
[ "$saw" = "$expected" ] || { printf 'this has changed; it was\n%s\n' "$expected" >&2; exit 1; }

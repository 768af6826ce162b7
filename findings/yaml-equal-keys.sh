#!/usr/bin/env bash
# Software:  sigs.k8s.io/yaml 1.6.0 (Go; what kubectl and most Kubernetes tools read manifests
#            with).
# Seen:      a mapping with the keys 1 and "1" (or 1.0 and "1", true and "true") is one key in JSON,
#            and which of the two values it has differs from one reading of the same bytes to the
#            next, in one process.
# Memory:    reading is deterministic: the last of two equal keys wins, or it is an error.
# For Flux:  keys are compared as JSON will have them; two that become equal are a finding, as no
#            reading of such a file can be equal to kubectl's.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >main.go <<'GO'
package main

import (
	"fmt"
	"sort"
	"strings"

	"sigs.k8s.io/yaml"
)

func main() {
	for _, text := range []string{`{1: a, "1": b}`, `{1.0: a, "1": b}`, `{true: a, "true": b}`} {
		readings := map[string]bool{}
		for range 2000 {
			json, err := yaml.YAMLToJSON([]byte(text))
			if err != nil {
				panic(err)
			}
			readings[string(json)] = true
		}
		var sorted []string
		for reading := range readings {
			sorted = append(sorted, reading)
		}
		sort.Strings(sorted)
		fmt.Printf("%-21s %s\n", text, strings.Join(sorted, " or "))
	}
}
GO

go mod init finding >/dev/null
go get sigs.k8s.io/yaml@v1.6.0 >/dev/null

was='{1: a, "1": b}        {"1":"a"} or {"1":"b"}
{1.0: a, "1": b}      {"1":"a"} or {"1":"b"}
{true: a, "true": b}  {"true":"a"} or {"true":"b"}'
saw=$(go run .)
printf '%s\n' "$saw"
[ "$saw" = "$was" ] || { printf 'this has changed; it was\n%s\n' "$was" >&2; exit 1; }

#!/usr/bin/env bash
# Software:  k8s.io/apimachinery 0.36.3 (Go; what the Kubernetes API server reads times with).
# Seen:      a field of type MicroTime (`renewTime` and `acquireTime` of a Lease, `eventTime` of an
#            Event) takes exactly six digits of fraction: none, three and nine are errors. A field
#            of type Time takes all of them.
# Memory:    both are RFC 3339, in which a fraction is optional and of any length; whatever a good
#            library prints will do.
# For Flux:  a client that writes Leases or Events formats these fields itself, always with six
#            digits, and not by the default of its time library, which leaves out a fraction of
#            zero.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func main() {
	for _, text := range []string{
		"2026-11-27T12:00:00Z",
		"2026-11-27T12:00:00.123Z",
		"2026-11-27T12:00:00.123456Z",
		"2026-11-27T12:00:00.123456789Z",
	} {
		var micro meta.MicroTime
		var plain meta.Time
		quoted := []byte(`"` + text + `"`)
		asTime, asMicro := json.Unmarshal(quoted, &plain), json.Unmarshal(quoted, &micro)
		fmt.Printf("%-30s Time %-5t MicroTime %t\n", text, asTime == nil, asMicro == nil)
	}
}
GO

go mod init finding >/dev/null
go get k8s.io/apimachinery@v0.36.3 >/dev/null
go mod tidy >/dev/null

was='2026-11-27T12:00:00Z           Time true  MicroTime false
2026-11-27T12:00:00.123Z       Time true  MicroTime false
2026-11-27T12:00:00.123456Z    Time true  MicroTime true
2026-11-27T12:00:00.123456789Z Time true  MicroTime false'
saw=$(go run .)
printf '%s\n' "$saw"
[ "$saw" = "$was" ] || { printf 'this has changed; it was\n%s\n' "$was" >&2; exit 1; }

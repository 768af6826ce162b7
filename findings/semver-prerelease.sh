#!/usr/bin/env bash
# Software:  github.com/Masterminds/semver/v3 3.3.1 and 3.4.0 (Go; the ranges of Helm and of Flux v1
#            and v2).
# Seen:      3.4.0, a minor release, lets pre-releases into ranges that 3.3.1 kept them out of. In
#            3.3.1 each comparison of a range had to name a pre-release itself; since 3.4.0 it is
#            enough that one of them does. So `>=1.0.0-0 <2.0.0` takes 1.5.0-beta, and also
#            2.0.0-rc.1, the pre-release of the excluded version.
# Memory:    a range means the same in every 3.x; and `-0` on the lower bound of `>=1.0.0-0 <2.0.0`
#            either has no effect or admits pre-releases of 1.x, but never one of 2.0.0.
# For Flux:  which versions a `semver:` pattern takes is a rule of ours, stated in docs/policies.md,
#            and not "as in Masterminds": the answer depends on the version of that library.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/Masterminds/semver/v3"
)

func main() {
	for _, pair := range [][2]string{
		{">=1.0.0-0 <2.0.0", "1.5.0-beta"},
		{">=1.0.0-0 <2.0.0", "2.0.0-rc.1"},
		{">=1.0.0-0 <2.0.0-0", "2.0.0-rc.1"},
		{"^1.0.0-0", "1.5.0-beta"},
		{">=1.0.0 <2.0.0", "1.5.0-beta"},
	} {
		constraint, err := semver.NewConstraint(pair[0])
		if err != nil {
			panic(err)
		}
		fmt.Printf("%-20s %-11s %t\n", pair[0], pair[1], constraint.Check(semver.MustParse(pair[1])))
	}
}
GO

run() {
  rm -f go.mod go.sum
  go mod init finding >/dev/null
  go get "github.com/Masterminds/semver/v3@v$1" >/dev/null
  go run .
}

expect() {
  local saw
  saw=$(run "$1")
  printf -- '-- %s\n%s\n' "$1" "$saw"
  [ "$saw" = "$2" ] || { printf 'this has changed; it was\n%s\n' "$2" >&2; exit 1; }
}

expect 3.3.1 '>=1.0.0-0 <2.0.0     1.5.0-beta  false
>=1.0.0-0 <2.0.0     2.0.0-rc.1  false
>=1.0.0-0 <2.0.0-0   2.0.0-rc.1  false
^1.0.0-0             1.5.0-beta  true
>=1.0.0 <2.0.0       1.5.0-beta  false'
expect 3.4.0 '>=1.0.0-0 <2.0.0     1.5.0-beta  true
>=1.0.0-0 <2.0.0     2.0.0-rc.1  true
>=1.0.0-0 <2.0.0-0   2.0.0-rc.1  false
^1.0.0-0             1.5.0-beta  true
>=1.0.0 <2.0.0       1.5.0-beta  false'

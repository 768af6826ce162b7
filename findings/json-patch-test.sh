#!/usr/bin/env bash
# Software:  github.com/evanphx/json-patch/v5 5.9.11 (Go), and jsonpatch 1.33 (Python) beside it.
# Seen:      the operation `test` of the Go library holds for a key that is missing when it is
#            tested for null, and does not hold for 1 tested against 1.0. The Python library has it
#            the other way round in both. A parent that is missing is an error in both.
# Memory:    RFC 6902 settles it: the location has to exist, and numbers are equal when their values
#            are.
# For Flux:  a JSON patch that is guarded by `test` tests for a value that cannot be null, written
#            as the server writes it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

func main() {
	for arguments := os.Args[1:]; len(arguments) > 2; arguments = arguments[3:] {
		operation := fmt.Sprintf(`[{"op": "test", "path": "%s", "value": %s}]`, arguments[1], arguments[2])
		patch, err := jsonpatch.DecodePatch([]byte(operation))
		if err == nil {
			_, err = patch.Apply([]byte(arguments[0]))
		}
		fmt.Printf("%-11s %-4s is %-4s: %t\n", arguments[0], arguments[1], arguments[2], err == nil)
	}
}
GO
cat >main.py <<'PYTHON'
import json
import sys

import jsonpatch

arguments = iter(sys.argv[1:])
for document, path, value in zip(arguments, arguments, arguments):
    patch = jsonpatch.JsonPatch([{"op": "test", "path": path, "value": json.loads(value)}])
    try:
        patch.apply(json.loads(document))
        holds = True
    except jsonpatch.JsonPatchException:
        holds = False
    print(f"{document:11} {path:4} is {value:4}: {str(holds).lower()}")
PYTHON

go mod init finding >/dev/null
go get github.com/evanphx/json-patch/v5@v5.9.11 >/dev/null
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check jsonpatch==1.33

cases=('{}' /a null '{"a":null}' /a null '{"a":1}' /a 1.0 '{"a":1}' /a 1 '{}' /a/b null)
expect() {
  local saw
  saw=$("${@:3}" "${cases[@]}")
  printf -- '-- %s\n%s\n' "$1" "$saw"
  [ "$saw" = "$2" ] || { printf 'this has changed; it was\n%s\n' "$2" >&2; exit 1; }
}

expect 'json-patch 5.9.11' '{}          /a   is null: true
{"a":null}  /a   is null: true
{"a":1}     /a   is 1.0 : false
{"a":1}     /a   is 1   : true
{}          /a/b is null: false' go run .
expect 'jsonpatch 1.33' '{}          /a   is null: false
{"a":null}  /a   is null: true
{"a":1}     /a   is 1.0 : true
{"a":1}     /a   is 1   : true
{}          /a/b is null: false' python/bin/python main.py

#!/usr/bin/env bash
# Software:  sigs.k8s.io/kustomize/kustomize/v5 5.5.0 (Go).
# Seen:      `tagSuffix` of an entry of `images:` is applied twice to the containers of a Deployment
#            (1.0 becomes 1.0-a-a), once where the same entry also has a `newName`, once to
#            `containers` at a place that kustomize does not know, and not at all beside a `newTag`.
#            None of this is an error or a warning.
# Memory:    a suffix is put behind the tag, once, whatever tag it is.
# For Flux:  what an entry makes of an image is computed as kustomize does it, or the list of images
#            is wrong.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

GOBIN=$folder go install sigs.k8s.io/kustomize/kustomize/v5@v5.5.0 >/dev/null

cat >deployment.yaml <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: web, image: "team/web:1.0"}]}}}
YAML
cat >other.yaml <<'YAML'
apiVersion: example.com/v1
kind: Web
metadata: {name: web}
spec: {pods: {containers: [{name: web, image: "team/web:1.0"}]}}
YAML

saw=$(
  while IFS='|' read -r file entry; do
    printf 'resources: [%s]\nimages: [{name: team/web, %s}]\n' "$file" "$entry" >kustomization.yaml
    printf '%-16s %-32s %s\n' "$file" "$entry" "$(./kustomize build . | grep -o 'image: .*')"
  done <<'CASES'
deployment.yaml|tagSuffix: -a
deployment.yaml|tagSuffix: -a, newName: site/web
other.yaml|tagSuffix: -a
deployment.yaml|tagSuffix: -a, newTag: "2.0"
CASES
)
printf '%s\n' "$saw"

was='deployment.yaml  tagSuffix: -a                    image: team/web:1.0-a-a
deployment.yaml  tagSuffix: -a, newName: site/web image: site/web:1.0-a
other.yaml       tagSuffix: -a                    image: team/web:1.0-a
deployment.yaml  tagSuffix: -a, newTag: "2.0"     image: team/web:2.0'
[ "$saw" = "$was" ] || { printf 'this has changed; it was\n%s\n' "$was" >&2; exit 1; }

//! Manifests in which one file has another content.

use std::sync::Arc;

use super::Manifests;
use crate::{
    manifest::{ParsedFile, Resource, is_policy_document, kustomization},
    repo_path::RepoPath,
    workload,
};

impl Manifests {
    /// Returns the same manifests with other contents of some files, if nothing but the content of
    /// their objects changes: equal to those that are assembled anew of all files, and made in the
    /// time that the map of files takes to copy.
    ///
    /// Returns `None` if they have to be assembled anew: a file or an object comes or goes, or a
    /// file speaks for others or others for it (kustomizations, policies, definitions, rules for
    /// custom workloads, an id that is described twice).
    pub fn with_files<'f>(
        &self,
        changed: impl IntoIterator<Item = (&'f RepoPath, &'f Arc<ParsedFile>)>,
    ) -> Option<Self> {
        if !self.stands_alone {
            return None;
        }
        let mut manifests = self.clone();
        let files = Arc::make_mut(&mut manifests.files);
        for (path, now) in changed {
            let before = files.get_mut(path)?;
            let (old, new) = (&before.resources, &now.resources);
            if old.len() != new.len() || !old.iter().zip(new).all(|(old, new)| is_alike(old, new)) {
                return None;
            }
            *before = now.clone();
        }
        Some(manifests)
    }

    /// Returns `true` if each file speaks for its own objects alone.
    pub(super) fn each_stands_alone(&self) -> bool {
        let has_kustomizations = || self.files.keys().any(|path| kustomization::is_file(path));
        let is_whole = self.findings.is_empty() && self.generated.is_empty() && self.builds.is_empty();
        is_whole && !has_kustomizations() && !workload::has_rules(&self.files)
    }
}

/// Returns `true` if two contents of an object are the same to everything else.
fn is_alike(before: &Resource, now: &Resource) -> bool {
    let speaks = |resource: &Resource| {
        is_policy_document(resource)
            || kustomization::is_kustomization(resource)
            || resource.kind == "CustomResourceDefinition"
    };
    !speaks(before)
        && !speaks(now)
        && before.kind == now.kind
        && before.api_version == now.api_version
        && before.namespace == now.namespace
        && before.name == now.name
        && before.workload.is_some() == now.workload.is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Contents that files may have: some speak for others.
    const CONTENTS: [&str; 12] = [
        "",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: x}\ndata: {k: one}\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: x}\ndata: {k: two}\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: x}\n",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: c, image: 'i:1'}]}}}\n",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: c, image: 'i:2'}]}}}\n",
        "apiVersion: example.com/v1\nkind: Pipe\nmetadata: {name: p}\nspec: {steps: [{name: s, image: 'i:1'}]}\n",
        "apiVersion: example.com/v1\nkind: Pipe\nmetadata: {name: p}\nspec: {steps: [{name: s, image: 'i:2'}]}\n",
        "apiVersion: fluxcd.io/v1alpha1\nkind: FluxPolicy\nmetadata: {name: f}\nspec: {workloads: [{group: example.com, kind: Pipe, containers: [spec.steps]}]}\n",
        "apiVersion: fluxcd.io/v1alpha1\nkind: FluxPolicy\nmetadata: {name: f}\nspec: {}\n",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: pipes.example.com}\nspec: {group: example.com, scope: Cluster, names: {kind: Pipe}}\n",
        "resources: [a.yaml]\nimages: [{name: i, newTag: '3'}]\n",
    ];
    const PATHS: [&str; 5] = ["a.yaml", "b.yaml", "c.yaml", "d.yaml", "kustomization.yaml"];

    fn manifests(files: &BTreeMap<RepoPath, Arc<ParsedFile>>) -> Manifests {
        Manifests::new(files.clone())
    }

    /// Returns all that manifests hold.
    fn all(manifests: &Manifests) -> String {
        let workloads: BTreeMap<_, _> = manifests.workloads.iter().collect();
        let Manifests { files, kinds, objects, findings, .. } = manifests;
        format!("{files:?} {kinds:?} {objects:?} {findings:?} {workloads:?} {}", manifests.stands_alone)
    }

    proptest! {
        /// Manifests with another content of a file are those that are assembled anew.
        #[test]
        fn another_content_makes_what_all_files_make(
            history in prop::collection::vec((0..PATHS.len(), 0..CONTENTS.len()), 1..12),
        ) {
            let parsed: Vec<_> =
                CONTENTS.iter().map(|text| Arc::new(workload::parse(text.as_bytes()))).collect();
            let mut files = BTreeMap::new();
            let mut now = manifests(&files);
            for (path, content) in history {
                let path: RepoPath = PATHS[path].parse().unwrap();
                let changed = now.with_files([(&path, &parsed[content])]);
                files.insert(path, parsed[content].clone());
                let anew = manifests(&files);
                if let Some(changed) = changed {
                    prop_assert_eq!(all(&changed), all(&anew));
                    now = changed;
                } else {
                    now = anew;
                }
            }
        }
    }

    #[test]
    fn an_ordinary_change_is_not_assembled_anew() {
        let file = |at: usize| Arc::new(workload::parse(CONTENTS[at].as_bytes()));
        let paths = PATHS.map(|path| path.parse::<RepoPath>().unwrap());
        let files = BTreeMap::from([(paths[0].clone(), file(1)), (paths[1].clone(), file(4))]);
        let before = manifests(&files);
        let with = |path: usize, at: usize| before.with_files([(&paths[path], &file(at))]).is_some();
        assert!(with(0, 2) && with(1, 5));
        assert!(!with(0, 3), "another object");
        assert!(!with(0, 9), "a policy");
        assert!(!with(2, 1), "another file");
    }
}

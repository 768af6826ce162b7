//! The commands that change generated workloads.

use std::{collections::BTreeMap, time::Duration};

use super::{Command, Method, Run, Source, Updater};
use crate::{image::ImageRef, manifest::WorkloadId};

impl Source {
    /// Returns why images cannot be changed here; `None` if they can.
    pub fn refuses_images(&self) -> Option<String> {
        self.refuses("containerImage", |updater| updater.container_image.as_ref())
    }

    /// Returns why policies cannot be changed here; `None` if they can.
    pub fn refuses_policies(&self) -> Option<String> {
        self.refuses("policy", |updater| updater.policy.as_ref())
    }

    fn refuses(&self, key: &str, of: impl Fn(&Updater) -> Option<&Command>) -> Option<String> {
        match &self.method {
            Method::Commands { updaters, .. } if updaters.iter().any(|updater| of(updater).is_some()) => None,
            Method::Commands { .. } => Some(format!("{} has no updater with a `{key}` command", self.by)),
            // Where it is written is found object by object.
            Method::Patches { .. } | Method::Kustomize => None,
        }
    }
}

/// Returns the commands that set the image of a container, in their order.
pub fn image_runs(
    source: &Source,
    workload: &WorkloadId,
    container: &str,
    image: &ImageRef,
    default: Duration,
) -> Vec<Run> {
    let mut env = workload_env(workload);
    env.insert("FLUX_CONTAINER".to_owned(), container.to_owned());
    env.insert("FLUX_IMG".to_owned(), image.name.to_string());
    env.insert("FLUX_TAG".to_owned(), image.tag.as_ref().map(ToString::to_string).unwrap_or_default());
    if let Some(digest) = &image.digest {
        env.insert("FLUX_DIGEST".to_owned(), digest.to_string());
    }
    runs(source, &env, default, |updater| updater.container_image.as_ref())
}

/// Returns the commands that set or remove a policy, in their order.
pub fn policy_runs(
    source: &Source,
    workload: &WorkloadId,
    policy: &str,
    value: Option<&str>,
    default: Duration,
) -> Vec<Run> {
    let mut env = workload_env(workload);
    env.insert("FLUX_POLICY".to_owned(), policy.to_owned());
    if let Some(value) = value {
        env.insert("FLUX_POLICY_VALUE".to_owned(), value.to_owned());
    }
    runs(source, &env, default, |updater| updater.policy.as_ref())
}

fn workload_env(id: &WorkloadId) -> BTreeMap<String, String> {
    [
        ("FLUX_WORKLOAD", id.to_string()),
        ("FLUX_WL_NS", id.namespace().to_owned()),
        ("FLUX_WL_KIND", id.kind().to_owned()),
        ("FLUX_WL_NAME", id.name().to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn runs(
    source: &Source,
    env: &BTreeMap<String, String>,
    default: Duration,
    of: impl Fn(&Updater) -> Option<&Command>,
) -> Vec<Run> {
    let Method::Commands { updaters, .. } = &source.method else { return Vec::new() };
    let run = |command: &Command| Run {
        command: command.text.clone(),
        folder: source.folder().to_owned(),
        env: env.clone(),
        timeout: Source::timeout(command, default),
        place: command.place.clone(),
    };
    updaters.iter().filter_map(of).map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Config;

    fn source(text: &str) -> Source {
        let config = Config::parse(".flux.yaml", text.as_bytes()).unwrap();
        Source::of_config("prod", &".flux.yaml".parse().unwrap(), config).unwrap().unwrap()
    }

    const COMMANDS: &str = "version: 1\ncommandUpdated:\n  generators: [{command: g}]\n  updaters:\n  - containerImage: {command: one, timeout: 5s}\n    policy: {command: p}\n  - containerImage: {command: two}\n";

    #[test]
    fn every_updater_is_run_in_its_order_with_v1s_variables() {
        let id: WorkloadId = "shop:deployment/web".parse().unwrap();
        let image: ImageRef = "quay.io/shop/web:1.2".parse().unwrap();
        let runs = image_runs(&source(COMMANDS), &id, "main", &image, Duration::from_secs(60));
        let commands: Vec<_> = runs.iter().map(|run| (run.command.as_str(), run.timeout.as_secs())).collect();
        assert_eq!(commands, [("one", 5), ("two", 60)]);
        assert_eq!(runs[0].folder, "prod");
        let env: Vec<String> = runs[0].env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            env,
            [
                "FLUX_CONTAINER=main",
                "FLUX_IMG=quay.io/shop/web",
                "FLUX_TAG=1.2",
                "FLUX_WL_KIND=deployment",
                "FLUX_WL_NAME=web",
                "FLUX_WL_NS=shop",
                "FLUX_WORKLOAD=shop:deployment/web",
            ]
        );
        let runs = policy_runs(&source(COMMANDS), &id, "automated", Some("true"), Duration::from_secs(60));
        assert_eq!((runs.len(), runs[0].env["FLUX_POLICY_VALUE"].as_str()), (1, "true"));
        let runs = policy_runs(&source(COMMANDS), &id, "automated", None, Duration::from_secs(60));
        assert!(!runs[0].env.contains_key("FLUX_POLICY_VALUE"));
    }

    #[test]
    fn without_an_updater_of_the_kind_nothing_can_be_changed() {
        assert_eq!(source(COMMANDS).refuses_images(), None);
        let bare = source("version: 1\ncommandUpdated: {generators: [{command: g}]}\n");
        assert!(bare.refuses_images().unwrap().contains("containerImage"));
        let only = "version: 1\ncommandUpdated: {generators: [{command: g}], updaters: [{containerImage: {command: c}}]}\n";
        assert!(source(only).refuses_policies().unwrap().contains("policy"));
        let patches = source("version: 1\npatchUpdated: {generators: [{command: g}], patchFile: p}\n");
        assert_eq!((patches.refuses_images(), patches.refuses_policies()), (None, None));
        let built = Source::of_kustomization("a", &"a/kustomization.yaml".parse().unwrap());
        assert_eq!((built.refuses_images(), built.refuses_policies()), (None, None));
    }
}

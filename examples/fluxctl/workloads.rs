//! Workload ids from the command line.

use std::collections::BTreeSet;

use flux::{deployer::Deployer, manifest::WorkloadId};

use crate::{args::Which, common::Failure};

/// Returns the workload ids on the command line.
///
/// They are `namespace:kind/name`, `kind/name`, or with `--service` `namespace/name`.
pub(crate) async fn named(which: &Which, deployer: &Deployer) -> Result<BTreeSet<WorkloadId>, Failure> {
    let namespace = default_namespace(which, deployer);
    let mut ids = parsed(&which.workload, namespace)?;
    if !which.service.is_empty() {
        let known: Vec<WorkloadId> =
            deployer.list_workloads(None).await?.entries.into_iter().map(|view| view.id).collect();
        for text in &which.service {
            ids.insert(service(text, namespace, &known)?);
        }
    }
    Ok(ids)
}

/// Returns the namespace of workloads that name none.
pub(crate) fn default_namespace<'a>(which: &'a Which, deployer: &'a Deployer) -> &'a str {
    which.namespace.as_deref().unwrap_or(&deployer.options().default_namespace)
}

/// Parses ids that can be resolved without the repository.
pub(crate) fn parsed(texts: &[String], namespace: &str) -> Result<BTreeSet<WorkloadId>, Failure> {
    texts.iter().map(|text| WorkloadId::parse_in(namespace, text).map_err(Failure::usage)).collect()
}

/// Returns the workload of a name, whatever its kind, if there is only one.
fn service(text: &str, namespace: &str, known: &[WorkloadId]) -> Result<WorkloadId, Failure> {
    if text.contains(':') {
        return text.parse().map_err(Failure::usage);
    }
    let (namespace, name) = match text.split_once('/') {
        Some(parts) => parts,
        None => (namespace, text),
    };
    // For a name that no workload has, v1's stand-in for "any kind" is used, so that the verdict
    // can say so.
    let unknown: WorkloadId = format!("{namespace}:service/{name}")
        .parse()
        .map_err(|_| Failure::usage(format!("`{text}` is not a service: write namespace/name")))?;
    let found: Vec<&WorkloadId> =
        known.iter().filter(|id| id.namespace() == namespace && id.name() == name).collect();
    match found[..] {
        [] => Ok(unknown),
        [id] => Ok(id.clone()),
        _ => {
            let ids: Vec<String> = found.iter().map(ToString::to_string).collect();
            Err(Failure::failed(format!(
                "`{text}` is the name of several workloads: name one of {} with --workload",
                ids.join(", ")
            )))
        }
    }
}

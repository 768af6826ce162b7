//! A cluster kept in a file.
//!
//! Its objects are read at the start, and written back after a sync that changed something.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use flux::{Code, memory::MemoryCluster, workload, yaml};
use serde_json::{Value, json};

use super::failure::Failure;

/// A cluster kept in a file.
#[derive(Debug)]
pub(crate) struct ClusterFile {
    path: PathBuf,
    cluster: Arc<MemoryCluster>,
    read: Vec<Value>,
}

impl ClusterFile {
    /// Reads the objects of a file.
    ///
    /// The file is a stream of YAML documents, or JSON; a list stands for its items. A file that
    /// does not exist is an empty cluster.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.display();
        let source = match fs::read(path) {
            Ok(source) => source,
            Err(error) if error.kind() == ErrorKind::NotFound && has_parent(path) => Vec::new(),
            Err(error) => {
                return Err(Failure::failed(format!(
                    "the cluster file {name} cannot be read: {error}; name a file in a folder that exists: one that is not there is an empty cluster"
                )));
            }
        };
        let parsed = workload::parse(&source);
        let broken = parsed.problems.iter().map(|p| p.at(&name.to_string()));
        // Writing the file back would lose what cannot be read. An odd workload is kept as it is.
        let lost = |f: &flux::Finding| f.code.hides_objects() || f.code == Code::NotForKubernetes;
        if let Some(finding) = broken.into_iter().find(lost) {
            let flux::Finding { evidence, .. } = &finding;
            let place = finding.place.as_ref().map_or_else(|| name.to_string(), ToString::to_string);
            return Err(Failure::failed(format!(
                "the cluster file cannot be used: {place}: {evidence}; correct it, or name another file with --cluster"
            )));
        }
        let objects = parsed.resources.iter().map(|r| r.object.value()).collect();
        let cluster = MemoryCluster::from_objects(objects)
            .map_err(|e| Failure::failed(format!("the cluster file {name} cannot be used: {e}")))?;
        let cluster = Arc::new(cluster);
        Ok(Self { path: path.to_owned(), read: cluster.objects(), cluster })
    }

    /// Returns the cluster.
    pub(crate) fn cluster(&self) -> Arc<MemoryCluster> {
        self.cluster.clone()
    }

    /// Writes the objects back if they changed: JSON if the file's name ends so, YAML otherwise.
    pub(crate) fn write_back(&self) -> Result<(), Failure> {
        let objects = self.cluster.objects();
        if objects == self.read {
            return Ok(());
        }
        let cannot = |e: &dyn std::fmt::Display| {
            Failure::failed(format!("the cluster file {} cannot be written: {e}", self.path.display()))
        };
        let text = if self.path.extension().is_some_and(|e| e == "json") {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
            serde_json::to_string_pretty(&list).map_err(|e| cannot(&e))? + "\n"
        } else {
            let mut text = String::new();
            for object in &objects {
                text += "---\n";
                text += &yaml::emit(object);
            }
            text
        };
        let mut fresh = self.path.clone().into_os_string();
        fresh.push(".new");
        fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, &self.path)).map_err(|e| cannot(&e))
    }
}

fn has_parent(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder.as_os_str().is_empty() || folder.is_dir())
}

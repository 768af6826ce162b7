//! The rules of Services.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    at::At,
    fault::Faults,
    forms::{is_final, label_problem},
    metadata::label_entries,
    ports::{port_name, port_number},
};
use crate::finding::Code;

/// A Service has ports, and several have names.
pub(super) fn service<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    if let Some(selector) = at.map("selector") {
        label_entries(selector, &at.path.within(&["selector"]), faults);
    }
    let ports = at.list("ports");
    let needs_none = at.text("type") == Some("ExternalName") || at.text("clusterIP") == Some("None");
    if ports.is_empty() && !needs_none && at.get("ports").is_none_or(Value::is_array) {
        let evidence = format!("`{}` has no `ports`", at.path);
        faults.add(Code::InvalidField, at.path.clone(), evidence, "add a port");
    }
    let mut seen = HashSet::new();
    for (n, port) in ports.iter().enumerate().filter(|(_, port)| port.is_object()) {
        let path = at.path.within(&["ports"]).item(n);
        match port.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()) {
            Some(name) if !seen.insert(name) => {
                let path = path.within(&["name"]);
                let evidence = format!("`{path}` is {}, as that of another port is", faults.shown(name));
                faults.add(Code::DuplicateItem, path, evidence, "give each port a name of its own");
            }
            None if ports.len() > 1 && port.get("name").is_none_or(|n| n.is_null() || n.is_string()) => {
                let evidence = format!("`{path}` has no `name`, and a Service with several ports names them");
                faults.add(Code::InvalidField, path, evidence, "give each port a name");
            }
            _ => {}
        }
    }
}

/// A port of a Service.
pub(super) fn port<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    port_number(at, "port", false, faults);
    port_number(at, "targetPort", true, faults);
    port_number(at, "nodePort", true, faults);
    port_name(at, "targetPort", faults);
    if let Some(name) = at.text("name").filter(|name| !name.is_empty() && is_final(name))
        && let Some(problem) = label_problem(name)
    {
        let path = at.path.within(&["name"]);
        let evidence = format!("`{path}` is {}: {problem}", faults.shown(name));
        faults.add(Code::InvalidField, path, evidence, "rename the port");
    }
}

/// The port that an Ingress asks for.
pub(super) fn backend_port<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    port_number(at, "number", true, faults);
    port_name(at, "name", faults);
}

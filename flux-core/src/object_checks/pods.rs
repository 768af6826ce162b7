//! The rules of pods: containers, their environment, ports, resources and probes, and volumes.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{
    at::At,
    fault::Faults,
    forms::{self, amount, is_final, label_problem},
    ports::{port_name, port_number},
};
use crate::finding::Code;

const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// The fields of a pod: its containers have names of their own, and mount volumes that it has.
pub(super) fn pod<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    if at.get("containers").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        let evidence = format!("`{}.containers` is empty", at.path);
        faults.add(Code::InvalidField, at.path.within(&["containers"]), evidence, "add a container");
    }
    let name = |value: &'v Value| value.get("name").and_then(Value::as_str);
    let mut volumes: HashSet<&str> = at.list("volumes").iter().filter_map(name).collect();
    volumes.extend(faults.claims.iter().copied());
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for list in CONTAINERS {
        for (n, container) in at.list(list).iter().enumerate() {
            let path = at.path.within(&[list]).item(n);
            if let Some(name) = name(container) {
                // Within one list, the walk tells.
                let other = *seen.entry(name).or_insert(list);
                if other != list {
                    let shown = faults.shown(name);
                    let evidence = format!("`{path}` has the name {shown}, as one of the {other} has");
                    let remedy = "give each container of a pod a name of its own";
                    faults.add(Code::DuplicateItem, path.within(&["name"]), evidence, remedy);
                }
            }
            for mounts in ["volumeMounts", "volumeDevices"] {
                let list = container.get(mounts).and_then(Value::as_array).into_iter().flatten();
                for (m, mount) in list.enumerate() {
                    let Some(name) = name(mount).filter(|name| is_final(name) && !name.is_empty()) else {
                        continue;
                    };
                    if !volumes.contains(name) {
                        let path = path.within(&[mounts]).item(m).within(&["name"]);
                        let evidence = format!("`{path}`: the pod has no volume {}", faults.shown(name));
                        let remedy = "add the volume, or name one that there is";
                        faults.add(Code::InvalidField, path, evidence, remedy);
                    }
                }
            }
        }
    }
}

/// A container: its name, its image, the names of its ports.
pub(super) fn container<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    if let Some(name) = at.text("name").filter(|name| is_final(name))
        && let Some(problem) = label_problem(name)
    {
        let evidence = format!("`{}.name` is {}: {problem}", at.path, faults.shown(name));
        faults.add(Code::InvalidField, at.path.within(&["name"]), evidence, "rename the container");
    }
    match at.get("image") {
        None => {
            let evidence = format!("`{}` has no `image`", at.path);
            faults.add(Code::InvalidField, at.path.clone(), evidence, "give it an image");
        }
        Some(Value::String(image)) if image.is_empty() => {
            let evidence = format!("`{}.image` is empty", at.path);
            faults.add(Code::InvalidField, at.path.within(&["image"]), evidence, "give it an image");
        }
        Some(_) => {}
    }
    let mut seen = HashSet::new();
    for (n, port) in at.list("ports").iter().enumerate() {
        let name = port.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
        if let Some(name) = name
            && !seen.insert(name)
        {
            let path = at.path.within(&["ports"]).item(n).within(&["name"]);
            let evidence = format!("`{path}` is {}, as that of another port is", faults.shown(name));
            faults.add(Code::DuplicateItem, path, evidence, "give each port a name of its own");
        }
    }
}

/// A port of a container.
pub(super) fn container_port<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    port_number(at, "containerPort", false, faults);
    port_number(at, "hostPort", true, faults);
    port_name(at, "name", faults);
}

/// The port that a probe or a hook asks.
pub(super) fn probed_port<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    port_number(at, "port", false, faults);
    port_name(at, "port", faults);
}

/// A variable of the environment: its name, and one value.
pub(super) fn env_var<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    if let Some(name) = at.text("name") {
        let path = at.path.within(&["name"]);
        if name.is_empty() {
            faults.add(Code::InvalidField, path, format!("`{}.name` is empty", at.path), "name the variable");
        } else if !name.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=') {
            let evidence = format!(
                "`{path}` is {}: a variable takes printable characters of ASCII other than `=`",
                faults.shown(name)
            );
            faults.add(Code::InvalidField, path, evidence, "rename the variable");
        }
    }
    let has_value = at.get("value").is_some_and(|value| value.as_str() != Some(""));
    if has_value && at.get("valueFrom").is_some() {
        let evidence = format!("`{}` has both `value` and `valueFrom`", at.path);
        faults.add_on_key(Code::InvalidField, at.path.within(&["valueFrom"]), evidence, "keep one of them");
    }
}

/// A container requests no more than its limit.
pub(super) fn resources<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    for list in ["limits", "requests"] {
        for (name, quantity) in at.map(list).into_iter().flatten() {
            if amount(quantity).is_some_and(|amount| amount < 0.0) {
                let path = at.path.within(&[list, name]);
                let evidence = format!("`{path}` is less than 0");
                faults.add(Code::InvalidField, path, evidence, "correct the quantity");
            }
        }
    }
    let Some((requests, limits)) = at.map("requests").zip(at.map("limits")) else { return };
    for (name, request) in requests {
        let amounts = amount(request).zip(limits.get(name).and_then(amount));
        // Of equal quantities in two spellings, the numbers may differ in their last bits.
        if let Some((request, limit)) = amounts
            && request > limit * (1.0 + f64::EPSILON * 8.0)
        {
            let path = at.path.within(&["requests", name]);
            let evidence = format!("`{path}` is more than the limit of {name}");
            faults.add(Code::InvalidField, path, evidence, "raise the limit, or lower the request");
        }
    }
}

/// Reports an object that has none or several of the fields of which it takes one.
fn one_of<'v>(at: At<'_, 'v>, keys: &[&'static str], faults: &mut Faults<'v>) {
    match at.those_of(keys).as_slice() {
        [_] => {}
        [] => {
            let evidence = format!("`{}` has none of {}", at.path, keys.join(", "));
            faults.add(Code::InvalidField, at.path.clone(), evidence, "give it one of them");
        }
        [first, second, ..] => {
            let evidence = format!("`{}` has both `{first}` and `{second}`", at.path);
            faults.add_on_key(Code::InvalidField, at.path.within(&[second]), evidence, "keep one of them");
        }
    }
}

/// A value of a variable comes from one place.
pub(super) fn env_source<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    one_of(at, &["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"], faults);
}

/// Variables come from one place.
pub(super) fn env_from<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    one_of(at, &["configMapRef", "secretRef"], faults);
}

/// A probe asks in one way.
pub(super) fn probe<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    one_of(at, &["exec", "httpGet", "tcpSocket", "grpc"], faults);
}

/// A hook of a container does one thing.
pub(super) fn lifecycle_handler<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    one_of(at, &["exec", "httpGet", "tcpSocket", "sleep"], faults);
}

/// A volume has a name, and one source.
pub(super) fn volume<'v>(at: At<'_, 'v>, faults: &mut Faults<'v>) {
    if let Some(name) = at.text("name").filter(|name| is_final(name))
        && let Some(problem) = label_problem(name)
    {
        let evidence = format!("`{}.name` is {}: {problem}", at.path, faults.shown(name));
        faults.add(Code::InvalidField, at.path.within(&["name"]), evidence, "rename the volume");
    }
    let sources = at.entries.iter().filter(|(key, value)| *key != "name" && !value.is_null());
    let sources: Vec<&'v str> = sources.map(|(key, _)| key.as_str()).collect();
    if let [first, second, ..] = sources.as_slice() {
        let evidence =
            format!("`{}` has both `{}` and `{}`", at.path, forms::short(first), forms::short(second));
        faults.add_on_key(Code::InvalidField, at.path.within(&[second]), evidence, "keep one of them");
    }
}

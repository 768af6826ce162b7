//! The numbers and names of ports.

use super::{
    at::At,
    fault::Faults,
    forms::{is_final, port_name_problem, whole},
};
use crate::finding::Code;

/// Reports a number that is no port; 0 is none that is given.
pub(super) fn port_number<'v>(
    at: At<'_, 'v>,
    key: &'static str,
    zero_is_none: bool,
    faults: &mut Faults<'v>,
) {
    let Some(number) = at.get(key).and_then(whole) else { return };
    let is_port = (1..=65_535).contains(&number) || number == 0 && zero_is_none;
    if !is_port {
        let path = at.path.within(&[key]);
        let evidence = format!("`{path}` is {number}, and ports are from 1 to 65535");
        faults.add(Code::InvalidField, path, evidence, "correct the port");
    }
}

/// Reports a text that cannot be the name of a port.
pub(super) fn port_name<'v>(at: At<'_, 'v>, key: &'static str, faults: &mut Faults<'v>) {
    let Some(name) = at.text(key).filter(|name| !name.is_empty() && is_final(name)) else { return };
    if let Some(problem) = port_name_problem(name) {
        let path = at.path.within(&[key]);
        let evidence = format!("`{path}` is {}, which names no port: {problem}", faults.shown(name));
        let remedy =
            if name.parse::<u16>().is_ok() { "write the number without quotes" } else { "rename it" };
        faults.add(Code::InvalidField, path, evidence, remedy);
    }
}

//! Printing: tables for people, JSON for scripts.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use flux::{
    Finding,
    backend::Revision,
    deployer::{AvailableTag, ContainerImages, DeployError, ImagesView, WaitReport, WorkloadView},
    release::{Explanation, Operation, PolicyUpdate, ReleasePlan, Status, TagStatus},
    sync::{Outcome, SyncReport},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    args::{Format, ListWorkloads, Waiting},
    common::{Failure, flags},
    wait,
};

/// The destination of output; the demo has its own.
pub(crate) struct Out {
    pub(crate) format: Format,
    pub(crate) stdout: Box<dyn Write>,
    pub(crate) stderr: Box<dyn Write>,
}

impl Out {
    pub(crate) fn standard(format: Format) -> Self {
        Self { format, stdout: Box::new(io::stdout()), stderr: Box::new(io::stderr()) }
    }

    /// Prints a value as JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)?;
        Ok(writeln!(self.stdout, "{text}")?)
    }

    /// Prints findings to standard error.
    pub(crate) fn findings(&mut self, findings: &[Finding]) -> Result<(), Failure> {
        for finding in findings {
            writeln!(self.stderr, "{}", flags::named(finding))?;
        }
        Ok(())
    }

    /// Prints how a wait ended; one that did not end well is a failure.
    ///
    /// There is nothing to print without a wait.
    pub(crate) fn waited(
        &mut self,
        waited: Option<Result<WaitReport, DeployError>>,
        waiting: Option<&Waiting>,
    ) -> Result<(), Failure> {
        let (Some(report), Some(waiting)) = (waited.transpose()?, waiting) else { return Ok(()) };
        if let Some(failure) = wait::failure(&report, waiting.timeout) {
            return Err(failure);
        }
        if self.format == Format::Table {
            writeln!(self.stdout, "{}", wait::sentence(&report))?;
        }
        Ok(())
    }

    /// Prints an explanation: its subject, then a row for each tag, newest first.
    pub(crate) fn explanation(&mut self, of: &Explanation) -> Result<(), Failure> {
        writeln!(self.stdout, "{} {}: {}", of.id, of.container, of.image)?;
        let from = of.pattern.from.as_ref().map_or_else(|| "the default".to_owned(), ToString::to_string);
        writeln!(self.stdout, "  pattern {} ({from})", of.pattern.text)?;
        match &of.selected {
            Some(tag) => writeln!(self.stdout, "  should run: {tag}")?,
            None => writeln!(self.stdout, "  should run: undecided")?,
        }
        let rows: Vec<Vec<String>> = of
            .tags
            .iter()
            .flat_map(|tag| {
                let glyph = match tag.verdict {
                    TagStatus::Selected => "=>",
                    TagStatus::Current => "'->",
                    TagStatus::Rejected => "",
                };
                let first = row(&["", glyph, tag.tag.as_str(), &tag.because.reason, &tag.because.message]);
                let also = tag.also.iter().map(|also| row(&["", "", "", &also.reason, &also.message]));
                std::iter::once(first).chain(also)
            })
            .collect();
        self.table(&rows)
    }

    /// Prints rows with their columns aligned; no blanks at the ends of lines.
    pub(crate) fn table(&mut self, rows: &[Vec<String>]) -> Result<(), Failure> {
        let mut widths: Vec<usize> = Vec::new();
        for row in rows {
            for (i, cell) in row.iter().enumerate() {
                let width = cell.chars().count();
                match widths.get_mut(i) {
                    Some(widest) => *widest = width.max(*widest),
                    None => widths.push(width),
                }
            }
        }
        for row in rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line += &format!("{cell:width$}  ");
            }
            writeln!(self.stdout, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// Returns the table of `list-workloads`; the digests that run are a column of their own.
pub(crate) fn workloads(views: &[WorkloadView], args: &ListWorkloads) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    if !args.no_headers {
        let mut headings = row(&["WORKLOAD", "CONTAINER", "IMAGE", "RELEASE", "POLICY"]);
        headings.extend(args.digests.then(|| "RUNNING".to_owned()));
        rows.push(headings);
    }
    for view in views {
        let policies: Vec<&str> = ["automated", "locked", "ignore"]
            .into_iter()
            .filter(|name| view.policies.get(*name).is_some_and(|value| value != "false"))
            .collect();
        let (id, status, policies) = (view.id.to_string(), view.status.to_string(), policies.join(","));
        let mut first = Some((id, status, policies));
        let none = [flux::deployer::ContainerView::default()];
        let containers = if view.containers.is_empty() { &none[..] } else { &view.containers };
        for container in containers {
            let (id, status, policies) = first.take().unwrap_or_default();
            let mut cells = vec![id, container.name.clone(), container.image.clone(), status, policies];
            let running = container.running.iter().map(|image| format!("{} ({})", image.digest, image.pods));
            cells.extend(args.digests.then(|| running.collect::<Vec<_>>().join(", ")));
            rows.push(cells);
        }
    }
    rows
}

/// Returns the table of `list-images`.
///
/// Under each container are its tags, newest first, with a marker at the running one.
pub(crate) fn images(views: &[ImagesView], limit: usize, headers: bool) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    if headers {
        rows.push(row(&["WORKLOAD", "CONTAINER", "IMAGE", "CREATED"]));
    }
    for view in views {
        let mut id = view.id.to_string();
        for container in &view.containers {
            let (name, tag) = split(&container.current);
            rows.push(vec![std::mem::take(&mut id), container.name.clone(), name, String::new()]);
            rows.extend(tags(container, &tag, limit));
        }
    }
    rows
}

fn tags(container: &ContainerImages, running: &str, limit: usize) -> Vec<Vec<String>> {
    let line = |glyph: &str, tag: &str, created: String| row(&["", "", &format!("{glyph} {tag}"), &created]);
    let created = |tag: &AvailableTag| match (tag.artifact, tag.created) {
        (Some(kind), _) => kind.to_string(),
        (None, Some(created)) => created.strftime("%d %b %y %H:%M UTC").to_string(),
        (None, None) => "?".to_owned(),
    };
    if container.available.is_empty() {
        return vec![line("'->", running, "image data not available".to_owned())];
    }
    let limit = if limit == 0 { container.available.len() } else { limit };
    let at = container.available.iter().position(|tag| tag.tag.as_str() == running);
    let mut rows = Vec::new();
    for (i, tag) in container.available.iter().enumerate() {
        let glyph = match at {
            Some(at) if i == at => "'->",
            Some(at) if i > at => "   ",
            _ => "|  ",
        };
        // The running image is always shown, because the list shows how far behind it is.
        if i < limit || at == Some(i) {
            if at == Some(i) && i > limit {
                rows.push(line(":  ", "...", format!("({} more)", i - limit)));
            }
            rows.push(line(glyph, tag.tag.as_str(), created(tag)));
        }
    }
    let shown = limit.max(at.map_or(0, |at| at + 1));
    if container.available.len() > shown {
        let older = if at.is_some_and(|at| at < shown) { "   " } else { ":  " };
        rows.push(line(older, "...", format!("({} more)", container.available.len() - shown)));
    }
    if at.is_none() {
        rows.push(line("'->", running, "not in the registry".to_owned()));
    }
    rows
}

/// Returns the name and the rest of an image as written.
fn split(image: &str) -> (String, String) {
    match image.parse::<flux::image::ImageRef>() {
        Ok(parsed) => {
            let tag = parsed.tag.map_or_else(|| "(untagged)".to_owned(), |tag| tag.to_string());
            (parsed.name.to_string(), tag)
        }
        Err(_) => (image.to_owned(), "(no valid image)".to_owned()),
    }
}

/// Returns the table of a release: one row for each workload with its first update, others below.
pub(crate) fn release(plan: &ReleasePlan, verbose: bool) -> Vec<Vec<String>> {
    let mut rows = vec![row(&["WORKLOAD", "STATUS", "UPDATES"])];
    for (id, verdict) in &plan.workloads {
        if verdict.status == Status::Ignored && !verbose {
            continue;
        }
        let mut updates: Vec<String> = Vec::new();
        if !verdict.message.is_empty() {
            updates.push(verdict.message.clone());
        }
        for container in &verdict.containers {
            if let Some(target) = &container.target {
                let to = target.tag.as_ref().map_or_else(|| target.to_string(), ToString::to_string);
                updates.push(format!("{}: {} -> {to}", container.container, container.current));
            } else if container.reason.is_undecided() || verbose {
                let flag = flags::hint(container.reason.as_str());
                updates.push(format!("{}: {}{flag}", container.container, container.message));
            }
        }
        if let (Operation::Policy(change), Status::Success) = (&plan.request.operation, verdict.status) {
            let update = change.updates.get(id).into_iter();
            let of = |u: &PolicyUpdate| -> Vec<String> {
                let set = u.add.iter().map(|(name, value)| format!("{name}: {value}"));
                set.chain(u.remove.iter().map(|name| format!("{name} removed"))).collect()
            };
            updates.extend(update.flat_map(of));
        }
        let mut head = [id.to_string(), verdict.status.to_string()];
        if updates.is_empty() {
            updates.push(String::new());
        }
        for update in updates {
            rows.push(vec![std::mem::take(&mut head[0]), std::mem::take(&mut head[1]), update]);
        }
    }
    rows
}

/// Returns findings whose remedies name the flags.
pub(crate) fn named(findings: &[Finding]) -> Vec<Cow<'_, Finding>> {
    findings.iter().map(flags::named).collect()
}

/// Returns the JSON of a release, stable for scripts.
pub(crate) fn release_json(plan: &ReleasePlan, revision: Option<&Revision>) -> Value {
    json!({
        "id": plan.id,
        "base": plan.base,
        "revision": revision,
        "workloads": plan.workloads,
        "edits": plan.edits,
        "generated": plan.generated,
        "findings": named(&plan.findings),
    })
}

/// Returns the table of a sync.
pub(crate) fn sync(report: &SyncReport, verbose: bool) -> Vec<Vec<String>> {
    let mut rows = vec![row(&["RESOURCE", "OUTCOME", "REASON", "FIELDS"])];
    for resource in &report.resources {
        if resource.outcome == Outcome::Unchanged && !verbose {
            continue;
        }
        let outcome = format!("{:?}", resource.outcome).to_lowercase();
        let why =
            if resource.message.is_empty() { resource.reason.to_string() } else { resource.message.clone() };
        let with_owner = |field: &String| match (resource.owners.get(field), resource.changed.get(field)) {
            (Some(owner), Some(time)) => format!("{field} (set by {owner} at {time})"),
            (Some(owner), None) => format!("{field} (set by {owner})"),
            (None, _) => field.clone(),
        };
        let fields: Vec<String> = resource.fields.iter().map(with_owner).collect();
        rows.push(vec![resource.id.to_string(), outcome, why, fields.join(", ")]);
    }
    rows
}

/// Returns the JSON of a sync, stable for scripts.
pub(crate) fn sync_json(report: &SyncReport) -> Value {
    let resources: Vec<Value> = report
        .resources
        .iter()
        .map(|r| {
            json!({
                "id": r.id.to_string(),
                "outcome": r.outcome,
                "reason": r.reason,
                "message": r.message,
                "fields": r.fields,
                "owners": r.owners,
                "changed": r.changed,
            })
        })
        .collect();
    json!({"revision": report.revision, "resources": resources, "findings": named(&report.findings)})
}

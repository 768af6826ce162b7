//! From flags to requests.

use std::collections::{BTreeMap, BTreeSet};

use flux::{
    Position,
    image::ImageRef,
    manifest::{Annotation, WorkloadId},
    policy::{Policies, TagPattern},
    release::{
        Cause, ImageRelease, ImageTarget, Operation, PolicyChange, PolicyUpdate, Request, Rollback as Back,
        Selection,
    },
};

use crate::{
    args::{Landing, OnePolicy, Policy, Release, Rollback, Verb, Which},
    common::{Composition, Failure},
    workloads,
};

/// Returns the request of `release`.
pub(crate) async fn release(args: &Release, with: &Composition) -> Result<Request, Failure> {
    let cause = cause(&args.landing);
    if args.automated {
        return Ok(Request { operation: Operation::Auto, cause });
    }
    let image = match &args.update_image[..] {
        [] => ImageTarget::Latest,
        [_, _, ..] => return Err(Failure::usage("one release is of one image: give --update-image once")),
        [text] => {
            let image: ImageRef = text.parse().map_err(Failure::usage)?;
            if image.tag.is_none() && image.digest.is_none() {
                return Err(Failure::usage(format!(
                    "`{text}` names no tag: write name:tag, or use --update-all-images"
                )));
            }
            ImageTarget::Image(image)
        }
    };
    let exclude =
        workloads::parsed(&args.exclude, workloads::default_namespace(&args.which, &with.deployer))?;
    let workloads = selection(&args.which, args.all, with).await?;
    let force = args.force && !args.all;
    Ok(Request { operation: Operation::Image(ImageRelease { workloads, image, exclude, force }), cause })
}

/// Returns the request of `automate`, `deautomate`, `lock`, `unlock`, `suspend` and `resume`.
pub(crate) async fn one_policy(
    verb: &Verb,
    args: &OnePolicy,
    with: &Composition,
) -> Result<Request, Failure> {
    let mut update = PolicyUpdate::default();
    match verb {
        Verb::Automate(_) => set(&mut update, "automated", "true"),
        Verb::Deautomate(_) => unset(&mut update, &["automated"]),
        Verb::Lock(_) => hold_back(&mut update, "locked", &args.landing),
        Verb::Suspend(_) => hold_back(&mut update, "suspended", &args.landing),
        Verb::Resume(_) => unset(&mut update, SUSPENSION),
        _ => unset(&mut update, LOCK),
    }
    change(&args.which, &args.landing, &update, with).await
}

/// Returns the request of `policy`.
pub(crate) async fn policy(args: &Policy, with: &Composition) -> Result<Request, Failure> {
    let mut update = PolicyUpdate::default();
    if let Some(pattern) = &args.tag_all {
        set_pattern(&mut update, "tag_all".to_owned(), pattern)?;
    }
    for text in &args.tag {
        let (container, pattern) = split(text, "CONTAINER=PATTERN")?;
        set_pattern(&mut update, format!("tag.{container}"), pattern)?;
    }
    if args.automate {
        set(&mut update, "automated", "true");
    }
    if args.deautomate {
        unset(&mut update, &["automated"]);
    }
    if args.lock {
        hold_back(&mut update, "locked", &args.landing);
    }
    if args.unlock {
        unset(&mut update, LOCK);
    }
    if let Some(how) = &args.ignore {
        set(&mut update, "ignore", how);
    }
    if args.unignore {
        unset(&mut update, &["ignore"]);
    }
    for text in &args.set {
        let (name, value) = split(text, "POLICY=VALUE")?;
        let annotation = Annotation { value: value.to_owned(), position: Position::START };
        let read = Policies::of(&[(format!("fluxcd.io/{name}"), annotation)].into_iter().collect());
        if let Some(problem) = read.problems.first() {
            return Err(Failure::usage(format!("`{text}`: {}; {}", problem.evidence, problem.remedy)));
        }
        set(&mut update, name, value);
    }
    update.remove.extend(args.unset.iter().cloned());
    if update == PolicyUpdate::default() {
        return Err(Failure::usage("which policies? give --automate, --lock, --tag, --ignore, --set, …"));
    }
    change(&args.which, &args.landing, &update, with).await
}

/// Returns the request of `rollback`.
pub(crate) async fn rollback(args: &Rollback, with: &Composition) -> Result<Request, Failure> {
    let to = with.deployer.resolve(&args.to).await?;
    let workloads = selection(&args.which, args.all, with).await?;
    let force = args.force && !args.all;
    Ok(Request { operation: Operation::Rollback(Back { to, workloads, force }), cause: cause(&args.landing) })
}

/// The policies that a lock consists of.
const LOCK: &[&str] = &["locked", "locked_user", "locked_msg"];
/// The annotations that a suspension consists of.
const SUSPENSION: &[&str] = &["suspended", "suspended_user", "suspended_msg"];

/// Sets a policy that holds something back, with who asks for it and why.
fn hold_back(update: &mut PolicyUpdate, policy: &str, landing: &Landing) {
    set(update, policy, "true");
    if let Some(user) = &landing.user {
        set(update, &format!("{policy}_user"), user);
    }
    if let Some(message) = &landing.message {
        set(update, &format!("{policy}_msg"), message);
    }
}

fn set(update: &mut PolicyUpdate, name: &str, value: &str) {
    update.add.insert(name.to_owned(), value.to_owned());
}

fn set_pattern(update: &mut PolicyUpdate, name: String, pattern: &str) -> Result<(), Failure> {
    pattern.parse::<TagPattern>().map_err(Failure::usage)?;
    update.add.insert(name, pattern.to_owned());
    Ok(())
}

fn unset(update: &mut PolicyUpdate, names: &[&str]) {
    update.remove.extend(names.iter().map(|name| (*name).to_owned()));
}

fn split<'a>(text: &'a str, form: &str) -> Result<(&'a str, &'a str), Failure> {
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| Failure::usage(format!("`{text}` is not of the form {form}")))
}

async fn change(
    which: &Which,
    landing: &Landing,
    update: &PolicyUpdate,
    with: &Composition,
) -> Result<Request, Failure> {
    let ids: BTreeSet<WorkloadId> = workloads::named(which, &with.deployer).await?;
    let updates: BTreeMap<WorkloadId, PolicyUpdate> =
        ids.into_iter().map(|id| (id, update.clone())).collect();
    Ok(Request { operation: Operation::Policy(PolicyChange { updates }), cause: cause(landing) })
}

/// Returns the selected workloads: those named, all, or all of a namespace.
async fn selection(which: &Which, all: bool, with: &Composition) -> Result<Selection, Failure> {
    match (all, which.namespace.as_deref()) {
        (true, None) => Ok(Selection::All),
        (true, Some(namespace)) => {
            let views = with.deployer.list_workloads(Some(namespace)).await?.entries;
            Ok(Selection::Named(views.into_iter().map(|view| view.id).collect()))
        }
        (false, _) => Ok(Selection::Named(workloads::named(which, &with.deployer).await?)),
    }
}

fn cause(landing: &Landing) -> Cause {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    Cause { user: given(&landing.user), message: given(&landing.message) }
}

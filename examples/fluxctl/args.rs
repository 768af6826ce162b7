//! The flags. They are stable: scripts depend on them.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::common::{BackendArgs, Failure, SyncArgs, duration};

/// Keeps a cluster equal to git, and git equal to the newest images that policy allows.
#[derive(Parser, Debug)]
#[command(name = "fluxctl", version, max_term_width = 100, after_help = EXIT_CODES, args_override_self = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) backends: BackendArgs,
    /// How to print: a table for people, or JSON for scripts
    #[arg(short, long, global = true, env = "FLUX_OUTPUT", default_value = "table")]
    pub(crate) output: Format,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 what was asked for was done; 1 something asked for could not be done; 2 bad usage; \
3 nothing to do, with --fail-if-unchanged.";

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[value(alias = "tab")]
    Table,
    /// For scripts.
    Json,
}

/// The verb of a command line.
#[derive(Subcommand, Debug)]
pub(crate) enum Verb {
    /// List workloads with what runs, how far their rollouts are, and their policies
    #[command(visible_aliases = ["list-services", "list-controllers"])]
    ListWorkloads(ListWorkloads),
    /// List the images that could run, newest first, with a marker at the running one
    ListImages(ListImages),
    /// Release images: change the manifests in git with one commit
    Release(Release),
    /// Let automation release workloads
    Automate(OnePolicy),
    /// Keep automation from releasing workloads
    Deautomate(OnePolicy),
    /// Keep everybody from releasing workloads; say why with --message
    Lock(OnePolicy),
    /// Let workloads be released again
    Unlock(OnePolicy),
    /// Leave objects as they are in the cluster until they are resumed, whatever git says; say why
    /// with --message. Any object that git describes can be named
    Suspend(OnePolicy),
    /// Make objects equal to git again
    Resume(OnePolicy),
    /// Change the policies of workloads
    Policy(Policy),
    /// Go back to the images of an earlier revision, with one commit
    Rollback(Rollback),
    /// Say of every tag that a container could run what speaks for or against it
    Explain(Explain),
    /// Make the cluster equal to git
    Sync(Sync),
    /// Print the least Roles and ClusterRoles that a sync of what git describes needs
    Rbac(Rbac),
    /// Print everything that is wrong with what git describes; for CI
    Check(Check),
    /// Tell the story of the sock shop, on a repository, a registry and a cluster made for it
    Demo(Demo),
}

#[derive(Args, Debug)]
pub(crate) struct ListWorkloads {
    /// Only this namespace
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// All namespaces; so it is without --namespace
    #[arg(short, long, conflicts_with = "namespace")]
    pub(crate) all_namespaces: bool,
    /// Also show which digests the pods run: a request for each workload
    #[arg(long)]
    pub(crate) digests: bool,
    /// Leave out the line of headings
    #[arg(long)]
    pub(crate) no_headers: bool,
}

/// Which workloads.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Which {
    /// A workload, namespace:kind/name, or kind/name in --namespace; repeatable
    #[arg(short, long, value_name = "ID", value_delimiter = ',')]
    pub(crate) workload: Vec<String>,
    /// A workload by namespace/name, as in early versions; repeatable
    #[arg(long, value_name = "NAMESPACE/NAME", value_delimiter = ',')]
    pub(crate) service: Vec<String>,
    /// The namespace of workloads that name none
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ListImages {
    #[command(flatten)]
    pub(crate) which: Which,
    /// How many images of a container the table shows; 0 for all. JSON has all
    #[arg(short, long, default_value_t = 10)]
    pub(crate) limit: usize,
    /// Leave out the line of headings
    #[arg(long)]
    pub(crate) no_headers: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Release {
    #[command(flatten)]
    pub(crate) which: Which,
    /// All workloads (with --namespace, all of it)
    #[arg(long)]
    pub(crate) all: bool,
    /// Release this image
    #[arg(short = 'i', long, value_name = "IMAGE")]
    pub(crate) update_image: Vec<String>,
    /// Release the newest image of each container that its policy allows
    #[arg(long)]
    pub(crate) update_all_images: bool,
    /// Do what automation would do now
    #[arg(long, conflicts_with_all = ["workload", "service", "all", "update_image", "update_all_images", "exclude", "force"])]
    pub(crate) automated: bool,
    /// Leave this workload out; repeatable
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(crate) exclude: Vec<String>,
    /// Disregard locks, tag patterns and the other guards (ignore, freeze, min-age, platforms,
    /// groups); no effect with --all or --update-all-images
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Wait until the cluster has the released images and is healthy; something else has to sync
    /// meanwhile, as fluxd does
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
    #[command(flatten)]
    pub(crate) landing: Landing,
}

/// How long is waited until all is healthy.
#[derive(Args, Debug, Clone)]
pub(crate) struct Waiting {
    /// How long is waited at most
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "DURATION")]
    pub(crate) timeout: Duration,
    /// Wait for the others when one object has failed
    #[arg(long)]
    pub(crate) no_fail_fast: bool,
}

/// How a change of the repository lands.
#[derive(Args, Debug)]
pub(crate) struct Landing {
    /// Print the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The message of the commit
    #[arg(short, long)]
    pub(crate) message: Option<String>,
    /// The author of the commit, `Name <address>`
    #[arg(long, env = "FLUX_USER")]
    pub(crate) user: Option<String>,
    /// Exit with 3 if there is nothing to do
    #[arg(long)]
    pub(crate) fail_if_unchanged: bool,
    /// Also show the workloads that were not asked for
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Args, Debug)]
pub(crate) struct OnePolicy {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) landing: Landing,
}

#[derive(Args, Debug)]
pub(crate) struct Policy {
    #[command(flatten)]
    pub(crate) which: Which,
    /// The tag pattern of every container; `glob:*` removes it
    #[arg(long, value_name = "PATTERN")]
    pub(crate) tag_all: Option<String>,
    /// The tag pattern of a container; repeatable; `glob:*` removes it
    #[arg(long, value_name = "CONTAINER=PATTERN")]
    pub(crate) tag: Vec<String>,
    /// Let automation release them
    #[arg(long)]
    pub(crate) automate: bool,
    /// Keep automation from releasing them
    #[arg(long, conflicts_with = "automate")]
    pub(crate) deautomate: bool,
    /// Keep everybody from releasing them
    #[arg(long)]
    pub(crate) lock: bool,
    /// Let them be released again
    #[arg(long, conflicts_with = "lock")]
    pub(crate) unlock: bool,
    /// Leave them alone: neither synced nor released; with `sync_only`, synced but never pruned
    #[arg(long, value_name = "true|sync_only", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = ["true", "sync_only"])]
    pub(crate) ignore: Option<String>,
    /// No longer leave them alone
    #[arg(long, conflicts_with = "ignore")]
    pub(crate) unignore: bool,
    /// Any other policy: min-age, freeze, hold, hold_msg, allow-downgrade, platforms, pin-digest,
    /// group, version-labels, label-dates; repeatable
    #[arg(long, value_name = "POLICY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Remove a policy; repeatable
    #[arg(long, value_name = "POLICY")]
    pub(crate) unset: Vec<String>,
    #[command(flatten)]
    pub(crate) landing: Landing,
}

#[derive(Args, Debug)]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(crate) which: Which,
    /// All workloads (with --namespace, all of it)
    #[arg(long)]
    pub(crate) all: bool,
    /// The revision whose images are wanted; may be written short
    #[arg(long, value_name = "REVISION")]
    pub(crate) to: String,
    /// Disregard locks; no effect with --all
    #[arg(short, long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) landing: Landing,
}

#[derive(Args, Debug)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Only this container
    #[arg(short, long)]
    pub(crate) container: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Sync {
    #[command(flatten)]
    pub(crate) how: SyncArgs,
    /// An object, as shop:job/migrate, that may be deleted and created anew if a field of it cannot
    /// be changed; repeatable
    #[arg(long, value_name = "ID")]
    pub(crate) force: Vec<String>,
    /// Wait until all objects are healthy, and what is pruned is gone
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
    /// Print what would be done and send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Exit with 3 if there is nothing to do
    #[arg(long)]
    pub(crate) fail_if_unchanged: bool,
    /// Also show what is unchanged
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Rbac {
    /// Also what --prune needs
    #[arg(long)]
    pub(crate) prune: bool,
    /// Also what --k8s-events needs
    #[arg(long)]
    pub(crate) events: bool,
    /// Also what list-workloads needs
    #[arg(long)]
    pub(crate) lists: bool,
    /// Also what --wait needs to say why pods are not healthy
    #[arg(long)]
    pub(crate) wait: bool,
    /// The name of the roles and their bindings
    #[arg(long, default_value = "flux", value_name = "NAME")]
    pub(crate) name: String,
    /// The account that syncs
    #[arg(long, default_value = "flux:flux", value_name = "NAMESPACE:NAME")]
    pub(crate) service_account: String,
    /// A user in place of a service account
    #[arg(long, value_name = "NAME", conflicts_with = "service_account")]
    pub(crate) user: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    /// A folder to check as it stands, committed or not [default: the tip of --git-url]
    pub(crate) folder: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Keep the repository, and say where it is and what to try on it
    #[arg(long)]
    pub(crate) keep: bool,
    /// Make it in this folder, which must not exist yet [default: a temporary one]
    #[arg(long, requires = "keep")]
    pub(crate) folder: Option<PathBuf>,
}

impl Verb {
    /// Checks the rules that the parser of flags cannot.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let named = |which: &Which, all: bool, ways: &str| {
            if which.workload.is_empty() && which.service.is_empty() && !all {
                return Err(Failure::usage(format!("which workloads? give {ways}")));
            }
            Ok(())
        };
        match self {
            Self::Release(release) if !release.automated => {
                named(&release.which, release.all, "--workload ID (repeatable), --all, or --automated")?;
                release.images()
            }
            Self::Automate(args)
            | Self::Deautomate(args)
            | Self::Lock(args)
            | Self::Unlock(args)
            | Self::Suspend(args)
            | Self::Resume(args) => named(&args.which, false, "--workload ID (repeatable)"),
            Self::Policy(args) => named(&args.which, false, "--workload ID (repeatable)"),
            Self::Rollback(args) => named(&args.which, args.all, "--workload ID (repeatable) or --all"),
            Self::Explain(args) => named(&args.which, false, "--workload ID (repeatable)"),
            _ => Ok(()),
        }
    }
}

impl Release {
    fn images(&self) -> Result<(), Failure> {
        match (self.update_image.is_empty(), self.update_all_images) {
            (true, false) => Err(Failure::usage(
                "which images? give --update-image IMAGE, or --update-all-images for the newest that policy allows",
            )),
            (false, true) => Err(Failure::usage("--update-image and --update-all-images exclude each other")),
            _ => Ok(()),
        }
    }
}

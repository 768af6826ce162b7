//! The flags. They are stable: scripts depend on them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::common::{BackendArgs, Failure};

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

/// What to do.
#[derive(Subcommand, Debug)]
pub(crate) enum Verb {
    /// List workloads with what runs, how far their rollouts are, and their policies
    #[command(visible_aliases = ["list-services", "list-controllers"])]
    ListWorkloads(ListWorkloads),
    /// List the images that could run, newest first, with a marker at the running one
    ListImages(ListImages),
    /// Release images: change the manifests in git with one commit
    Release(Release),
    /// Make the cluster equal to git
    Sync(Sync),
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
    pub(crate) update_image: Option<String>,
    /// Release the newest image of each container that its policy allows
    #[arg(long)]
    pub(crate) update_all_images: bool,
    /// Do what automation would do now
    #[arg(long, conflicts_with_all = ["workload", "service", "all", "update_image", "update_all_images", "exclude", "force"])]
    pub(crate) automated: bool,
    /// Leave this workload out; repeatable
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(crate) exclude: Vec<String>,
    /// Disregard locks and tag patterns; no effect with --all or --update-all-images
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Print the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The message of the commit
    #[arg(short, long)]
    pub(crate) message: Option<String>,
    /// Who asks: the author of the commit, `Name <address>`
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
pub(crate) struct Sync {
    /// Delete what this tool created and git no longer names
    #[arg(long)]
    pub(crate) prune: bool,
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
    /// Checks what the parser of flags cannot.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let Self::Release(release) = self else { return Ok(()) };
        if release.automated {
            return Ok(());
        }
        let which = &release.which;
        if which.workload.is_empty() && which.service.is_empty() && !release.all {
            return Err(Failure::usage(
                "which workloads? give --workload ID (repeatable), --all, or --automated",
            ));
        }
        match (&release.update_image, release.update_all_images) {
            (None, false) => Err(Failure::usage(
                "which images? give --update-image IMAGE, or --update-all-images for the newest that policy allows",
            )),
            (Some(_), true) => {
                Err(Failure::usage("--update-image and --update-all-images exclude each other"))
            }
            _ => Ok(()),
        }
    }
}

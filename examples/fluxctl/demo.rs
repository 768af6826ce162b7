//! The story of the sock shop, with the real commands on a real git repository.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Parser;
use flux::{
    backend::FixedClock,
    deployer::Deployer,
    git::GitRepo,
    image::{ImageInfo, ImageName, Tag},
    manifest::ResourceId,
    memory::{ImagesFile, MemoryCluster, MemoryRegistry},
    yaml,
};
use serde_json::json;

use crate::{
    args::{Cli, Demo},
    commands,
    common::{Composition, Failure, SyncArgs},
    output::Out,
    sock_shop,
};

/// The image that is pushed in the story, and that automation follows.
const PUSHED: (&str, &str, &str) = ("weaveworksdemos/catalogue", "0.2.1", "2016-11-18T16:30:00Z");

/// The exit code of an interrupted process, as shells report it.
const INTERRUPTED: u8 = 130;

/// Tells the story.
pub(crate) async fn run(args: &Demo, out: &mut Out) -> Result<u8, Failure> {
    let temporary = tempfile::Builder::new().prefix("flux-demo-").tempdir()?;
    let folder = match &args.folder {
        Some(folder) => {
            fs::create_dir(folder).map_err(|e| {
                Failure::failed(format!("the folder {} cannot be made: {e}", folder.display()))
            })?;
            folder.clone()
        }
        None => temporary.path().to_owned(),
    };
    let telling = async {
        let story = Story::set_up(&folder).await?;
        story.tell(out).await?;
        Ok::<_, Failure>(story)
    };
    let story = tokio::select! {
        story = telling => story?,
        _ = tokio::signal::ctrl_c() => {
            // Ends here and not by the signal, so that nothing is left behind.
            return Ok(INTERRUPTED);
        }
    };
    if args.keep {
        let folder = if args.folder.is_some() { folder } else { temporary.keep() };
        story.keep(&folder, out)?;
    }
    Ok(0)
}

struct Story {
    git: PathBuf,
    registry: Arc<MemoryRegistry>,
    cluster: Arc<MemoryCluster>,
    with: Composition,
}

impl Story {
    /// Makes the repository, the registry and the cluster, and brings the cluster to what git says.
    async fn set_up(folder: &Path) -> Result<Self, Failure> {
        let git = folder.join("sock-shop.git");
        make_repository(&git)?;
        let images: ImagesFile = serde_yaml::from_str(&sock_shop::images_yaml(&[]))?;
        let registry = Arc::new(MemoryRegistry::from_images(&images)?);
        let cluster = Arc::new(MemoryCluster::new());
        let url = git.display().to_string();
        let repo = Arc::new(GitRepo::builder(&url).open()?);
        let deployer = Deployer::new(repo.clone(), registry.clone(), cluster.clone())
            .with_clock(Arc::new(FixedClock(sock_shop::NOW.parse()?)));
        let with =
            Composition { deployer, cluster_file: None, repo, url, paths: Vec::new(), namespaces: None };
        with.deployer.sync(&with.sync_options(&SyncArgs::default()).await?, &()).await?;
        Ok(Self { git, registry, cluster, with })
    }

    async fn tell(&self, out: &mut Out) -> Result<(), Failure> {
        say(
            out,
            "The sock shop runs thirteen services; git describes them, the cluster runs them. What runs?",
        )?;
        self.fluxctl("list-services --namespace=sock-shop", out).await?;

        say(
            out,
            "Which images could the front-end run? (newest first; '-> marks the running one: way behind!)",
        )?;
        self.fluxctl("list-images --service=sock-shop/front-end", out).await?;

        say(
            out,
            "What would a release do? Three tags were pushed in the same minute: `latest` never competes, and of equally\n\
             old images the first by name wins, so it is 7f511af.",
        )?;
        self.fluxctl("release --service=sock-shop/front-end --update-all-images --dry-run", out).await?;

        say(out, "Do it: one commit.")?;
        self.fluxctl("release --service=sock-shop/front-end --update-all-images", out).await?;
        self.git_log(out)?;

        say(out, "The cluster follows git.")?;
        self.fluxctl("sync", out).await?;
        self.fluxctl("release --service=sock-shop/front-end --update-all-images", out).await?;

        say(out, "Somebody edits the cluster by hand: three replicas of the cart, and an older image.")?;
        self.edit_by_hand()?;
        self.fluxctl("sync --dry-run", out).await?;
        self.fluxctl("sync", out).await?;

        let (name, tag, created) = PUSHED;
        say(
            out,
            &format!(
                "A build pushes {name}:{tag}. The catalogue is automated (semver:~0.2), so fluxd does this by itself:"
            ),
        )?;
        let info = ImageInfo { created: Some(created.parse()?), ..ImageInfo::default() };
        self.registry.push(&name.parse::<ImageName>()?, tag.parse::<Tag>()?, info);
        self.fluxctl("release --automated", out).await?;
        self.git_log(out)?;
        self.fluxctl("sync", out).await?;
        self.fluxctl("list-workloads -n sock-shop", out).await?;
        say(
            out,
            "That is the whole idea: git says what should run, policy says how git may move, and both are kept.",
        )
    }

    /// Runs a command as it would be typed.
    async fn fluxctl(&self, line: &str, out: &mut Out) -> Result<(), Failure> {
        writeln!(out.stdout, "$ fluxctl {line}")?;
        let words = std::iter::once("fluxctl").chain(line.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(Failure::usage)?;
        commands::run(&cli.verb, &self.with, out).await?;
        Ok(writeln!(out.stdout)?)
    }

    fn edit_by_hand(&self) -> Result<(), Failure> {
        let cart = ResourceId::new(Some(sock_shop::NAMESPACE), "Deployment", "cart", "apps");
        self.cluster.edit(&cart, |object| {
            object["spec"]["replicas"] = json!(3);
            object["spec"]["template"]["spec"]["containers"][0]["image"] =
                json!("weaveworksdemos/cart:0.2.0");
        })?;
        Ok(())
    }

    /// Prints the newest commit with its changes, as `git log -p -1` does.
    fn git_log(&self, out: &mut Out) -> Result<(), Failure> {
        writeln!(out.stdout, "$ git log -p -1")?;
        let repo = git2::Repository::open_bare(&self.git)?;
        let commit = repo.head()?.peel_to_commit()?;
        let parent = commit.parent(0)?;
        let author = commit.author();
        writeln!(out.stdout, "commit {}", commit.id())?;
        writeln!(
            out.stdout,
            "Author: {} <{}>\n",
            author.name().unwrap_or_default(),
            author.email().unwrap_or_default()
        )?;
        for line in commit.message().unwrap_or_default().lines() {
            writeln!(out.stdout, "    {line}")?;
        }
        writeln!(out.stdout)?;
        let diff = repo.diff_tree_to_tree(Some(&parent.tree()?), Some(&commit.tree()?), None)?;
        let mut text = Vec::new();
        diff.print(git2::DiffFormat::Patch, |_, _, line| {
            if matches!(line.origin(), ' ' | '+' | '-') {
                text.push(line.origin() as u8);
            }
            text.extend_from_slice(line.content());
            true
        })?;
        out.stdout.write_all(&text)?;
        Ok(writeln!(out.stdout)?)
    }

    /// Keeps the repository and the images of the story in a folder, and prints commands to try on
    /// it.
    fn keep(&self, folder: &Path, out: &mut Out) -> Result<(), Failure> {
        let images = folder.join("images.yaml");
        fs::write(&images, sock_shop::images_yaml(&[PUSHED]))?;
        let cluster = folder.join("cluster.yaml");
        let mut text = String::new();
        for object in self.cluster.objects() {
            text += "---\n";
            text += &yaml::emit(&object);
        }
        fs::write(&cluster, text)?;
        writeln!(
            out.stdout,
            "Kept in {folder}. To go on with it:\n\n  \
             export FLUX_GIT_URL={git} FLUX_IMAGES={images} FLUX_CLUSTER={cluster} FLUX_NOW={now}\n  \
             cargo run --example fluxctl -- list-images --service=sock-shop/user\n  \
             cargo run --example fluxctl -- release -w sock-shop:deployment/front-end -i weaveworksdemos/front-end:0.2.0\n  \
             cargo run --example fluxctl -- sync\n  \
             git -C {git} log -p",
            folder = folder.display(),
            git = self.git.display(),
            images = images.display(),
            cluster = cluster.display(),
            now = sock_shop::NOW,
        )?;
        Ok(())
    }
}

fn say(out: &mut Out, words: &str) -> Result<(), Failure> {
    for line in words.lines() {
        writeln!(out.stdout, "# {line}")?;
    }
    Ok(())
}

/// Makes a bare repository with the sock shop in one commit.
fn make_repository(path: &Path) -> Result<(), Failure> {
    let mut options = git2::RepositoryInitOptions::new();
    let repo =
        git2::Repository::init_opts(path, options.bare(true).external_template(false).initial_head("main"))?;
    let mut index = git2::Index::new()?;
    for (path, text) in sock_shop::files() {
        let id = repo.blob(text.as_bytes())?;
        let none = git2::IndexTime::new(0, 0);
        index.add(&git2::IndexEntry {
            ctime: none,
            mtime: none,
            dev: 0,
            ino: 0,
            mode: 0o100_644,
            uid: 0,
            gid: 0,
            file_size: 0,
            id,
            flags: 0,
            flags_extended: 0,
            path: path.into_bytes(),
        })?;
    }
    let tree = repo.find_tree(index.write_tree_to(&repo)?)?;
    let time = git2::Time::new(sock_shop::NOW.parse::<jiff::Timestamp>()?.as_second(), 0);
    let author = git2::Signature::new("Sock Shop", "shop@example.com", &time)?;
    repo.commit(Some("HEAD"), &author, &author, "Describe the sock shop", &tree, &[])?;
    Ok(())
}

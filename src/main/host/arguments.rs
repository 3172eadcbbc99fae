//! What `doctor` and `tune` are told.

use super::root::Root;
use super::scene::Scene;
use crate::arguments::Serve;
use crate::failure::Failure;
use crate::serve;
use clap::Args;
use ottla::config::Settings;
use std::path::PathBuf;

/// Which host, and for which broker.
#[derive(Args)]
pub(crate) struct Host {
    /// Where the host's /proc, /sys and /etc lie, when not at the top: its root directory inside a container.
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    #[command(flatten)]
    wishes: Serve,
}

impl Host {
    pub(crate) fn scene(&self) -> Result<Scene, Failure> {
        let usage = |error: Box<dyn std::error::Error>| Failure::usage(error.to_string());
        let file = serve::file(&self.wishes).map_err(usage)?;
        let sources = serve::sources(&self.wishes, file.as_ref()).map_err(usage)?;
        let settings = Settings::load(sources);
        let settings = settings.map_err(|error| Failure::usage(error.to_string()))?;
        if !self.root.is_dir() {
            let failure = Failure::usage(format!("{} is no directory", self.root.display()));
            return Err(failure.fix("--root with the directory that holds proc and sys"));
        }
        Ok(Scene::new(Root::new(&self.root), &settings))
    }
}

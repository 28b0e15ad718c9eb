//! What the program gets to see.

use super::Run;
use super::options::Directory;
use crate::module;
use anyhow::anyhow;
use std::path::Path;
use wrt_platform::text::Line;
use wrt_vm::WasiConfig;
use wrt_vm::world::{Output, Stdin};

impl Run {
    /// What the program gets to see.
    pub(super) fn world(&self) -> anyhow::Result<WasiConfig> {
        let file_name = || match self.module().file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => "-".to_owned(),
        };
        let mut world = WasiConfig::new()
            .stdout(Output::Inherit)
            .stderr(Output::Inherit)
            // A module from standard input has used it up, and several programs cannot share it.
            .stdin(if self.jobs.is_some() {
                self.own.input.open()?
            } else if self.module() == Path::new(module::STREAM) {
                Stdin::Empty
            } else {
                Stdin::Inherit
            })
            .arg(self.argv0.clone().unwrap_or_else(file_name));
        if let Some(bytes) = self.max_output {
            world = world.max_output(bytes);
        }
        if self.invoke.is_none() {
            world = world.args(self.args());
        }
        for variable in &self.env {
            world = match variable.split_once('=') {
                Some((name, value)) => world.env(name, value),
                None => match std::env::var(variable) {
                    Ok(value) => world.env(variable, value),
                    Err(std::env::VarError::NotPresent) => world,
                    Err(error) => return Err(anyhow!("--env {}: {}", Line(variable), Line(error))),
                },
            };
        }
        for Directory { host, guest, read_only } in &self.dir {
            world = match read_only {
                true => world.read_only_dir(host, guest),
                false => world.dir(host, guest),
            };
        }
        Ok(world)
    }
}

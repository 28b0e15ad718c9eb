//! `wrt-vm completions` and `wrt-vm man`: what shells and `man(1)` know of the command line.

use super::say::complain;
use super::{Arguments, code, version};
use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wrt_platform::text::Line;

/// Print what completes the words of wrt-vm in a shell.
#[derive(Args)]
#[command(after_help = "Examples:
  wrt-vm completions bash > ~/.local/share/bash-completion/completions/wrt-vm
  wrt-vm completions zsh > \"${fpath[1]}/_wrt-vm\"
  wrt-vm completions fish > ~/.config/fish/completions/wrt-vm.fish")]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

/// Print the manual page, or write the pages of all commands.
#[derive(Args)]
#[command(after_help = "Examples:
  wrt-vm man | man -l -
  wrt-vm man ~/.local/share/man/man1 && man wrt-vm-run")]
pub(super) struct Man {
    /// A folder for `wrt-vm.1` and a page for each command, such as `wrt-vm-run.1`. It is made if
    /// it is not there. Without one, the page of wrt-vm itself goes to standard output.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Completions {
    pub(super) fn execute(self) -> ExitCode {
        exit_code(print(script(self.shell).as_bytes()))
    }
}

fn script(shell: Shell) -> String {
    let all = Arguments::command();
    // Without the command that is hidden.
    let shown = all.get_subcommands().filter(|command| !command.is_hide_set());
    let mut shown = clap::Command::new("wrt-vm")
        .version(version::SHORT)
        .propagate_version(true)
        .subcommands(shown.cloned());
    // A hyphen in the program's name keeps bash from completing the options of its commands
    // (github.com/clap-rs/clap/issues/6421): so the script has it where it is registered alone.
    const PLAIN: &str = "wrt_vm";
    let name = if shell == Shell::Bash { PLAIN } else { "wrt-vm" };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown, name, &mut script);
    let registered = format!(" {PLAIN}\n");
    String::from_utf8_lossy(&script).replace(&registered, " wrt-vm\n")
}

impl Man {
    pub(super) fn execute(self) -> ExitCode {
        exit_code(match &self.dir {
            Some(dir) => write_all(dir),
            None => page().and_then(|page| print(&page)),
        })
    }
}

fn exit_code(done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("{error:#}"));
            ExitCode::from(code::FAILED)
        }
    }
}

fn print(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).context("cannot write to standard output")
}

fn page() -> Result<Vec<u8>> {
    let mut page = Vec::new();
    let made = clap_mangen::Man::new(Arguments::command()).render(&mut page);
    made.context("cannot make the page")?;
    Ok(page)
}

/// Writes a page for wrt-vm and one for each of its commands.
fn write_all(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), dir))
        .with_context(|| format!("cannot write the pages to {}", Line(dir.display())))
}

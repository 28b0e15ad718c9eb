//! What an engine tells, said in words.

use crate::module::STREAM;
use crate::say::note;
use crate::termination;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use wrt_platform::text::Line;
use wrt_vm::engine::{Notice, Observer};
use wrt_vm::error::Bytes;

/// From this size on, people see that something is going on.
const SHOWN: usize = 256 << 10;
/// From this size on, which takes some ten seconds, they are told.
const SAID: usize = 8 << 20;

/// Says what an engine tells.
pub(crate) struct Words {
    /// Whether a terminal shows that something takes its time: not for several at a time.
    progress: bool,
    shown: Mutex<Option<ProgressBar>>,
}

impl Words {
    pub(crate) fn new(progress: bool) -> Self {
        Self { progress, shown: Mutex::default() }
    }

    /// Shows what goes on, instead of what went on before; unless standard error is no terminal.
    fn show(&self, message: Option<String>) {
        let bar = message.filter(|_| self.progress).map(spinner);
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = std::mem::replace(&mut *shown, bar) {
            before.finish_and_clear();
        }
    }
}

impl Observer for Words {
    fn notice(&self, program: &str, notice: &Notice<'_>) {
        match notice {
            Notice::Compiling { bytes } if *bytes >= SHOWN => {
                let what = format!("compiling {program} ({})", Bytes(*bytes as u64));
                // What no terminal shows is said if it will take long.
                if *bytes >= SAID && !(self.progress && io::stderr().is_terminal()) {
                    note(format_args!("{what}, which is done once if the code can be kept"));
                }
                self.show(Some(what));
            }
            Notice::Waiting => {
                self.show(Some(format!("waiting for another wrt-vm, which compiles {program}")));
            }
            Notice::Compiled => self.show(None),
            Notice::TooLarge { bytes, kept } if program != STREAM => {
                let size = Bytes(*bytes as u64);
                let how = match kept {
                    true => format!(
                        "`wrt-vm run --engine native {program}` compiles it once and for all"
                    ),
                    false => format!("`wrt-vm compile {program}` makes code that runs at once"),
                };
                note(format_args!("{program} has {size} and runs on the interpreter; {how}"));
            }
            Notice::NotCompiled(error) => {
                note(format_args!("{program}: {error}, as is done now"));
            }
            Notice::NotKept { dir, error } => {
                let dir = Line(dir.display());
                note(format_args!("cannot keep compiled code in {dir}: {error}"));
            }
            // Threads that are made before would be outside of the jail.
            Notice::Begins => termination::listen(),
            _ => {}
        }
    }
}

fn spinner(message: String) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let spinner = ProgressBar::new_spinner().with_style(style).with_message(message);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

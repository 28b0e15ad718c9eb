//! What the command line says about a run.

use super::engine::Wanted;
use crate::batch::{self, Input};
use crate::cache::CacheOptions;
use crate::{code, jobs, log, module, quantity, result};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wrt_platform::text::Line;
use wrt_vm::Backend;
use wrt_vm::engine::PARALLEL_MAX;
use wrt_vm::error::Bytes;
use wrt_vm::vm::STACKS;

const EXAMPLES: &str = "Examples:
  wrt-vm run hello.wasm
  wrt-vm run --dir data::/data,ro --env LANG --timeout 5s tool.wasm /data/input
  wrt-vm run --invoke add math.wat 2 40
  wrt-vm run --jobs 4 --timeout 10s a.wasm b.wasm c.wasm
  wrt-vm run --jobs 4 --batch programs.jsonl --result json:results.jsonl";

/// Run a WebAssembly program in a micro-VM.
///
/// The program is a core module for WASI preview 1 (`wasm32-wasip1`) or a command component for
/// WASI 0.2 (`wasm32-wasip2`), which always runs as native code. It sees its arguments, the
/// standard streams, and what --dir and --env give it; nothing else of this machine.
///
/// Options before MODULE are wrt-vm's; everything after it belongs to the program. With --jobs,
/// every word is a module: the programs run at the same time, each in a VM of its own.
#[derive(Args, Clone)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}", code::HELP))]
pub(crate) struct Run {
    /// Open a directory to the program: HOST, under the name GUEST (the same unless given).
    /// With `,ro` nothing below it can be changed. Repeatable [default: none].
    #[arg(long, value_name = "HOST[::GUEST][,ro]", value_parser = Directory::parse)]
    pub(super) dir: Vec<Directory>,

    /// Set an environment variable, or pass this process's own on. Repeatable [default: none].
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = variable)]
    pub(super) env: Vec<String>,

    /// The program's name, as it sees it in its first argument [default: the module's file name].
    #[arg(long, value_name = "NAME", conflicts_with = "jobs")]
    pub(super) argv0: Option<String>,

    /// Call this function of a core module instead of running the program. ARGS are its values
    /// (`42`, `-0x2a`, `1.5`); results are printed, one a line [default: run the program].
    #[arg(long, value_name = "EXPORT", conflicts_with = "jobs")]
    pub(super) invoke: Option<String>,

    /// End the program after this long, with exit code 124: `250ms`, `5s` (or `5`), `2m`, `1h`
    /// [default: never].
    #[arg(long, value_name = "TIME", value_parser = quantity::duration)]
    pub(crate) timeout: Option<Duration>,

    /// Linear memory that the program may have, all its memories together: `65536` (bytes),
    /// `64KiB`, `64MiB`, `1GiB`. To grow further fails in the program; it decides what then
    /// [default: 4GiB, or half of what the control group (the container) may have, if that is
    /// less].
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes)]
    pub(super) max_memory: Option<u64>,

    /// Bytes that the program may write to standard output and standard error together: `64KiB`,
    /// `1MiB`. One that writes more ends there, with exit code 153; what fits is written
    /// [default: no limit].
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes)]
    pub(super) max_output: Option<u64>,

    /// Stack that the program's calls may take in all: `1MiB`, `256MiB`. Deeper recursion traps.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = stack)]
    pub(super) max_stack: u64,

    /// What to run it in: `kvm` (Linux), `hvf` (macOS), `process` (a child process without system
    /// calls, where there is no hypervisor), or `auto`, the best of them that works.
    #[arg(long, default_value = "auto", value_parser = str::parse::<Backend>)]
    pub(super) backend: Backend,

    /// Make the VM in a process of its own, whose end does not end this one.
    #[arg(long)]
    pub(super) worker: bool,

    /// Do not jail the process that has the VM. In the jail it has given up, before the program
    /// begins, all but the program's own directories and streams: files, network, processes,
    /// devices (`wrt-vm doctor` says how far this system can enforce that).
    #[arg(long)]
    pub(super) no_jail: bool,

    /// Run several programs, N at the same time at most: each word is a MODULE then, and each
    /// program has a process with a jail of its own. One that fails does not stop the others;
    /// --timeout and --max-memory hold for each. They have no arguments and no input: see --batch
    /// [default: one program].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(PARALLEL_MAX)))]
    pub(crate) jobs: Option<u32>,

    /// The programs for --jobs, each with arguments, environment and input of its own: a file (or
    /// `-`, standard input) with an object of JSON a line, such as {"module": "a.wasm", "args":
    /// ["x"], "env": {"A": "1"}, "stdin": "text", "dir": ["data::/data,ro"], "timeout": "5s"}.
    /// Only `module` must be there; `argv0`, `stdin_file`, `max_memory` and `max_output` may be.
    /// --env and --dir hold for all; a line's limits replace the options of their names. Files
    /// are relative to the current directory [default: the words of the command line].
    #[arg(long, value_name = "FILE", requires = "jobs")]
    pub(crate) batch: Option<PathBuf>,

    /// How urgent --jobs are: the system gives their threads more or less of the processors.
    #[arg(long, value_name = "CLASS", value_enum, default_value = "default", requires = "jobs")]
    pub(crate) qos: jobs::Qos,

    /// Make VMs even if the machine is short of memory. Otherwise none is made when it is about
    /// to kill processes (critical), and --jobs run one by one before that.
    #[arg(long)]
    pub(crate) ignore_pressure: bool,

    /// The engine to use. The interpreter starts at once; native code is some ten times as fast.
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) engine: Wanted,

    #[command(flatten)]
    pub(super) cache: CacheOptions,

    /// Write what is done, and when, to a file that https://ui.perfetto.dev opens: each step of
    /// this command and each call of the program as a span, exits and memory as graphs. Of a VM
    /// in another process (--worker, --jobs) only what it is told to do. `-` is standard output, which has the program's own output
    /// as well: for programs that print nothing [default: none].
    #[arg(long, value_name = "FILE")]
    pub(super) trace: Option<PathBuf>,

    /// Print times, exits and memory to standard error at the end.
    #[arg(long)]
    pub(crate) stats: bool,

    /// Write how the program ended as a line of JSON: in which way, exit code, error, trap and
    /// backtrace, limits, usage, engine. `json` is the last line of standard error; `json:FILE`
    /// goes to a file (`json:-` to standard output, `json:/dev/fd/3` to a descriptor that is open).
    /// With --jobs, a line for
    /// each program as it ends, with its `index` [default: none].
    #[arg(long, value_name = "json[:FILE]", value_parser = result::Wanted::parse)]
    pub(crate) result: Option<result::Wanted>,

    /// Where the log goes: what the program says by `wrt_log`, and what wrt-vm does.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub(super) log: log::Destination,

    /// Log more. Without it, the program's errors and warnings (and those of wrt-vm, if the log
    /// goes to other programs); once, what is of interest; twice, every detail.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,

    /// Leave out notes, such as how to make a program faster. Errors are still told.
    #[arg(short, long)]
    pub(super) quiet: bool,

    /// The module, and the program's arguments. The module is a file, or `-` for standard
    /// input: a `.wasm` binary, or a `.cwasm` that `wrt-vm compile` wrote, which are only
    /// looked at inside a VM; a text (`.wat`, or standard input that begins with `(` or `;`) is
    /// assembled on the host, for convenience.
    // One list, so that everything after its first word is the program's, options too.
    #[arg(required_unless_present = "batch", conflicts_with = "batch", trailing_var_arg = true, value_names = ["MODULE", "ARGS"])]
    pub(crate) program: Vec<String>,

    /// What holds for one of several programs.
    #[arg(skip)]
    pub(super) own: Own,
}

/// What `--env` says.
fn variable(text: &str) -> Result<String, String> {
    match text.split_once('=').map_or(text, |(name, _)| name) {
        "" => Err("a variable needs a name".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// What `--max-stack` says.
fn stack(text: &str) -> Result<u64, String> {
    let bytes = quantity::bytes(text)?;
    match STACKS.contains(&bytes) {
        true => Ok(bytes),
        false => {
            let [least, most] = [STACKS.start(), STACKS.end()].map(|bytes| Bytes(*bytes));
            Err(format!("a stack can have {least} to {most}"))
        }
    }
}

/// What the command line does not say of a program.
#[derive(Clone, Default)]
pub(super) struct Own {
    /// Which of several it is.
    index: Option<usize>,
    pub(super) input: Input,
}

/// A directory to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Directory {
    pub(super) host: PathBuf,
    pub(super) guest: String,
    pub(super) read_only: bool,
}

impl Directory {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (paths, read_only) = match text.strip_suffix(",ro") {
            Some(paths) => (paths, true),
            None => (text.strip_suffix(",rw").unwrap_or(text), false),
        };
        let (host, guest) = paths.split_once("::").unwrap_or((paths, paths));
        if host.is_empty() || guest.is_empty() {
            return Err("a directory has no name".to_owned());
        }
        Ok(Self { host: host.into(), guest: guest.to_owned(), read_only })
    }
}

impl Run {
    /// The programs that --jobs runs, in their order.
    ///
    /// # Errors
    ///
    /// When the file of --batch cannot be read, or not be understood.
    pub(crate) fn programs(&self) -> anyhow::Result<Vec<Self>> {
        let programs = match &self.batch {
            Some(path) => {
                batch::read(path)?.into_iter().map(|program| self.with_program(program)).collect()
            }
            None => {
                let one = |module: &String| Self { program: vec![module.clone()], ..self.clone() };
                self.program.iter().map(one).collect::<Vec<_>>()
            }
        };
        let numbered = programs.into_iter().enumerate().map(|(index, mut program)| {
            program.own.index = Some(index);
            program
        });
        Ok(numbered.collect())
    }

    /// The same for a program of a batch.
    fn with_program(&self, program: batch::Program) -> Self {
        let mut run = self.clone();
        run.program = vec![program.module];
        run.program.extend(program.args);
        run.argv0 = program.argv0;
        run.env.extend(program.env.into_iter().map(|(name, value)| format!("{name}={value}")));
        run.dir.extend(program.dir);
        run.timeout = program.timeout.or(self.timeout);
        run.max_memory = program.max_memory.or(self.max_memory);
        run.max_output = program.max_output.or(self.max_output);
        run.own.input = program.input;
        run
    }

    /// Which of several programs it is.
    pub(crate) fn index(&self) -> Option<usize> {
        self.own.index
    }

    /// Bytes that the program may write.
    pub(crate) fn max_output(&self) -> Option<u64> {
        self.max_output
    }

    pub(super) fn module(&self) -> &Path {
        // clap makes sure of the first word.
        Path::new(self.program.first().map_or(module::STREAM, String::as_str))
    }

    /// The module's name, for messages.
    pub(crate) fn name(&self) -> String {
        Line(self.module().display()).to_string()
    }

    pub(super) fn args(&self) -> &[String] {
        self.program.get(1..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories() {
        let parsed = |text| Directory::parse(text).map(|d| (d.host, d.guest, d.read_only));
        let ok = |host: &str, guest: &str, ro| Ok((PathBuf::from(host), guest.to_owned(), ro));
        assert_eq!(parsed("a"), ok("a", "a", false));
        assert_eq!(parsed("a::/b"), ok("a", "/b", false));
        assert_eq!(parsed("a::/b,ro"), ok("a", "/b", true));
        assert_eq!(parsed("a,ro"), ok("a", "a", true));
        assert!(parsed("::b").is_err() && parsed("a::").is_err() && parsed("").is_err());
    }
}

//! What the command line says about a run.

use crate::cli::cache::CacheOptions;
use crate::cli::native::Wanted;
use crate::cli::{jobs, log, module, quantity};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wrt_vm::Backend;

/// Run a WebAssembly program in a micro-VM.
///
/// The program is a core module for WASI preview 1 (`wasm32-wasip1`) or a command component for
/// WASI 0.2 (`wasm32-wasip2`), which always runs as native code. Options before MODULE are
/// wrt-vm's; everything after it belongs to the program. With --jobs, every word is a module:
/// the programs run at the same time, each in a VM of its own, without arguments or input.
///
/// Exit codes: the program's own; 134 when it traps; 124 on --timeout; 153 on --max-output; 130 on
/// Ctrl-C, 143 on SIGTERM, 129 on SIGHUP; 1 for other failures; 2 for wrong usage. With --jobs, 0 if
/// all programs succeeded, else the code of the first one in the order of the command line that did
/// not.
#[derive(Args, Clone)]
#[command(after_help = "Examples:\n  wrt-vm run hello.wasm\n  wrt-vm run --dir data::/data,ro \
    --env LANG --timeout 5s tool.wasm /data/input\n  wrt-vm run --invoke add math.wat 2 40\n  \
    wrt-vm run --jobs 4 --timeout 10s a.wasm b.wasm c.wasm")]
pub(in crate::cli) struct Run {
    /// Open a directory to the program: HOST, under the name GUEST (the same unless given).
    /// With `,ro` nothing below it can be changed. Repeatable.
    #[arg(long, value_name = "HOST[::GUEST][,ro]", value_parser = Directory::parse)]
    pub(super) dir: Vec<Directory>,

    /// Set an environment variable, or pass this process's own on. Repeatable.
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(super) env: Vec<String>,

    /// The program's name, as it sees it [default: the module's file name].
    #[arg(long, value_name = "NAME", conflicts_with = "jobs")]
    pub(super) argv0: Option<String>,

    /// Call this export of a core module instead of running the program. ARGS are its values;
    /// results are printed, one a line.
    #[arg(long, value_name = "EXPORT", conflicts_with = "jobs")]
    pub(super) invoke: Option<String>,

    /// End the program after this long: `5`, `5s`, `250ms`, `2m`.
    #[arg(long, value_name = "TIME", value_parser = quantity::duration)]
    pub(in crate::cli) timeout: Option<Duration>,

    /// Linear memory that the program may have in all: `64MiB`, `1GiB` [default: 4GiB, or half of
    /// what the control group (the container) may have, if that is less].
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes)]
    pub(super) max_memory: Option<u64>,

    /// Bytes that the program may write to standard output and standard error together: `64KiB`,
    /// `1MiB`. One that writes more ends there, with exit code 153; what fits is written.
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes)]
    pub(super) max_output: Option<u64>,

    /// What to run it in: `kvm` (Linux), `hvf` (macOS), `process` (a child process without system
    /// calls, for want of a hypervisor), or `auto`, the best of them that works.
    #[arg(long, default_value = "auto", value_parser = str::parse::<Backend>)]
    pub(super) backend: Backend,

    /// Have the VM in a process of its own: what becomes of that is no affair of this one.
    #[arg(long)]
    pub(super) worker: bool,

    /// Leave the process that has the VM its rights. Otherwise it gives up, before the program
    /// begins, all but the program's own directories and streams: files, network, processes,
    /// devices (`wrt-vm doctor` says how far this system can enforce that).
    #[arg(long)]
    pub(super) no_jail: bool,

    /// Run several programs, N at the same time at most: each word is a MODULE then, and each
    /// program has a process with a jail of its own. One that fails does not stop the others;
    /// --timeout and --max-memory hold for each.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=jobs::MAX))]
    pub(in crate::cli) jobs: Option<u32>,

    /// How urgent --jobs are: the system gives their threads more or less of the processors.
    #[arg(long, value_name = "CLASS", value_enum, default_value = "default", requires = "jobs")]
    pub(in crate::cli) qos: jobs::Qos,

    /// Make VMs however short of memory the machine is. Otherwise none is made when it is about
    /// to kill processes (critical), and --jobs run one by one before that.
    #[arg(long)]
    pub(in crate::cli) ignore_pressure: bool,

    /// The engine to use.
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) engine: Wanted,

    #[command(flatten)]
    pub(super) cache: CacheOptions,

    /// Write what is done, and when, to a file that https://ui.perfetto.dev opens: each step of
    /// this command and each call of the program as a span, exits and memory as graphs. Of a VM
    /// in another process (--worker, --jobs) only what it is told to do.
    #[arg(long, value_name = "FILE")]
    pub(super) trace: Option<PathBuf>,

    /// Print times, exits and memory to standard error at the end.
    #[arg(long)]
    pub(in crate::cli) stats: bool,

    /// Where the log goes: what the program says by `wrt_log`, and what wrt-vm does.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub(super) log: log::Destination,

    /// Log more. Without it, the program's errors and warnings (and those of wrt-vm, if the log
    /// goes to other programs); once, what is of interest; twice, every detail.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,

    /// The module, and the program's arguments. The module is a file, or `-` for standard
    /// input: a `.wasm` binary, or a `.cwasm` that `wrt-vm compile` wrote, which are only
    /// looked at inside a VM; a `.wat` text is assembled on the host, for convenience.
    // One list, so that everything after its first word is the program's, options too.
    #[arg(required = true, trailing_var_arg = true, value_names = ["MODULE", "ARGS"])]
    pub(in crate::cli) program: Vec<String>,
}

/// A directory to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) host: PathBuf,
    pub(super) guest: String,
    pub(super) read_only: bool,
}

impl Directory {
    fn parse(text: &str) -> Result<Self, String> {
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
    /// The same for one module without arguments.
    pub(in crate::cli) fn with_module(&self, module: &str) -> Self {
        Self { program: vec![module.to_owned()], ..self.clone() }
    }

    pub(super) fn module(&self) -> &Path {
        // clap makes sure of the first word.
        Path::new(self.program.first().map_or(module::STREAM, String::as_str))
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

//! `wrt-vm run`: run a program.

use super::cache::CacheOptions;
use super::compilers::Compilers;
use super::native::{Choice, Chooser, Wanted};
use super::stats::Timeline;
use super::{admission, code, complain, invoke, jobs, log, module, quantity};
use anyhow::{Context as _, anyhow};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wrt_platform::citizen::Activity;
use wrt_platform::descriptors::Inherited;
use wrt_platform::dispatch::Group;
use wrt_platform::pressure::PressureLevel;
use wrt_vm::hypervisor::Hypervisor;
use wrt_vm::worker::in_workers;
use wrt_vm::{
    Backend, Builder, Cache, EngineKind, Error, Instance, Interruption, Jail, MicroVm, Module,
    Output, Pool, Seconds, Stdin, WasiConfig,
};

/// How much later than `--timeout` the process ends by force, should a host call hang.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// Run a WebAssembly program in a micro-VM.
///
/// The program is a core module for WASI preview 1 (`wasm32-wasip1`) or a command component for
/// WASI 0.2 (`wasm32-wasip2`), which always runs as native code. Options before MODULE are
/// wrt-vm's; everything after it belongs to the program. With --jobs, every word is a module:
/// the programs run at the same time, each in a VM of its own, without arguments or input.
///
/// Exit codes: the program's own; 134 when it traps; 124 on --timeout; 130 on Ctrl-C; 1 for
/// other failures; 2 for wrong usage. With --jobs, 0 if all programs succeeded, else the code of
/// the first one in the order of the command line that did not.
#[derive(Args, Clone)]
#[command(after_help = "Examples:\n  wrt-vm run hello.wasm\n  wrt-vm run --dir data::/data,ro \
    --env LANG --timeout 5s tool.wasm /data/input\n  wrt-vm run --invoke add math.wat 2 40\n  \
    wrt-vm run --jobs 4 --timeout 10s a.wasm b.wasm c.wasm")]
pub(super) struct Run {
    /// Open a directory to the program: HOST, under the name GUEST (the same unless given).
    /// With `,ro` nothing below it can be changed. Repeatable.
    #[arg(long, value_name = "HOST[::GUEST][,ro]", value_parser = Directory::parse)]
    dir: Vec<Directory>,

    /// Set an environment variable, or pass this process's own on. Repeatable.
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,

    /// The program's name, as it sees it [default: the module's file name].
    #[arg(long, value_name = "NAME", conflicts_with = "jobs")]
    argv0: Option<String>,

    /// Call this export of a core module instead of running the program. ARGS are its values;
    /// results are printed, one a line.
    #[arg(long, value_name = "EXPORT", conflicts_with = "jobs")]
    invoke: Option<String>,

    /// End the program after this long: `5`, `5s`, `250ms`, `2m`.
    #[arg(long, value_name = "TIME", value_parser = quantity::duration)]
    pub(super) timeout: Option<Duration>,

    /// Linear memory that the program may have in all: `64MiB`, `1GiB`.
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = quantity::bytes)]
    max_memory: u64,

    /// What to run it in: `kvm` (Linux), `hvf` (macOS), `process` (a child process without system
    /// calls, for want of a hypervisor), or `auto`, the best of them that works.
    #[arg(long, default_value = "auto", value_parser = str::parse::<Backend>)]
    backend: Backend,

    /// Have the VM in a process of its own: what becomes of that is no affair of this one.
    #[arg(long)]
    worker: bool,

    /// Leave the process that has the VM its rights. Otherwise it gives up, before the program
    /// begins, all but the program's own directories and streams: files, network, processes,
    /// devices (`wrt-vm doctor` says how far this system can enforce that).
    #[arg(long)]
    no_jail: bool,

    /// Run several programs, N at the same time at most: each word is a MODULE then, and each
    /// program has a process with a jail of its own. One that fails does not stop the others;
    /// --timeout and --max-memory hold for each.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=jobs::MAX))]
    pub(super) jobs: Option<u32>,

    /// How urgent --jobs are: the system gives their threads more or less of the processors.
    #[arg(long, value_name = "CLASS", value_enum, default_value = "default", requires = "jobs")]
    pub(super) qos: jobs::Qos,

    /// Make VMs however short of memory the machine is. Otherwise none is made when it is about
    /// to kill processes (critical), and --jobs run one by one before that.
    #[arg(long)]
    pub(super) ignore_pressure: bool,

    /// The engine to use.
    #[arg(long, value_enum, default_value = "auto")]
    engine: Wanted,

    #[command(flatten)]
    cache: CacheOptions,

    /// Write what is done, and when, to a file that https://ui.perfetto.dev opens: each step of
    /// this command and each call of the program as a span, exits and memory as graphs. Of a VM
    /// in another process (--worker, --jobs) only what it is told to do.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// Print times, exits and memory to standard error at the end.
    #[arg(long)]
    pub(super) stats: bool,

    /// Where the log goes: what the program says by `wrt_log`, and what wrt-vm does.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    log: log::Destination,

    /// Log more. Without it, the program's errors and warnings (and those of wrt-vm, if the log
    /// goes to other programs); once, what is of interest; twice, every detail.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,

    /// The module, and the program's arguments. The module is a file, or `-` for standard
    /// input: a `.wasm` binary, or a `.cwasm` that `wrt-vm compile` wrote, which are only
    /// looked at inside a VM; a `.wat` text is assembled on the host, for convenience.
    // One list, so that everything after its first word is the program's, options too.
    #[arg(required = true, trailing_var_arg = true, value_names = ["MODULE", "ARGS"])]
    pub(super) program: Vec<String>,
}

/// A directory to open.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Directory {
    host: PathBuf,
    guest: String,
    read_only: bool,
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

/// What all programs of a command share.
pub(super) struct Host {
    pub(super) hypervisor: Box<dyn Hypervisor>,
    /// They run elsewhere, if this process is about to be jailed.
    pub(super) compilers: Compilers,
    /// Whether this process enters a jail once it has its VM.
    pub(super) jail: bool,
    /// VMs that were made ahead.
    pub(super) pool: Option<Pool>,
    pub(super) cache: Option<Cache>,
    /// Files of the cache that are being written: they are waited for before the process ends.
    pub(super) writes: Group,
}

impl Host {
    /// Gives up what was kept for later, as memory is short.
    pub(super) fn relieve(&self, level: PressureLevel) {
        if let Some(pool) = &self.pool {
            pool.relieve(level);
        }
        if level != PressureLevel::Normal {
            self.compilers.relieve();
            // Code that no program uses.
            wrt_platform::memory::purge_all();
        }
    }
}

/// How a run ended, when nothing went wrong with the VM.
pub(super) enum Ending {
    Returned,
    Exited(i32),
}

impl Run {
    /// The same for one module without arguments.
    pub(super) fn with_module(&self, module: &str) -> Self {
        Self { program: vec![module.to_owned()], ..self.clone() }
    }

    fn module(&self) -> &Path {
        // clap makes sure of the first word.
        Path::new(self.program.first().map_or(module::STREAM, String::as_str))
    }

    fn args(&self) -> &[String] {
        self.program.get(1..).unwrap_or_default()
    }

    /// `inherited` is what the module may be read from, and nobody else shall have.
    pub(super) fn execute(self, inherited: Option<Inherited>) -> ExitCode {
        let failed = |error| {
            complain(format_args!("{error:#}"));
            ExitCode::from(code::FAILED)
        };
        match log::install(self.log, self.verbose, self.trace.as_deref()) {
            Ok(None) => self.execute_watched(inherited),
            Ok(Some(trace)) => {
                let code = self.execute_watched(inherited);
                trace.finish().map_or_else(failed, |()| code)
            }
            Err(error) => failed(error),
        }
    }

    fn execute_watched(&self, inherited: Option<Inherited>) -> ExitCode {
        if let Err(error) = wrt_platform::signal::exit_on_interrupt(code::INTERRUPTED) {
            complain(format_args!("cannot handle Ctrl-C: {error}"));
        }
        if self.no_jail {
            warn_of_no_jail();
        }
        if let Some(jobs) = self.jobs {
            return jobs::run(self, jobs);
        }
        if let Some(timeout) = self.timeout {
            end_by_force(timeout);
        }
        let mut timeline = Timeline::start();
        let deadline = self.deadline();
        let result =
            self.admit(&mut timeline).and_then(|()| self.read(&mut timeline)).and_then(|module| {
                drop(inherited);
                self.run(module, deadline, &mut timeline)
            });
        if self.stats {
            timeline.print();
        }
        ExitCode::from(self.report(result))
    }

    /// When a program that begins now has to be done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timeout.map(|timeout| Instant::now() + timeout)
    }

    /// Looks whether there is memory for one more VM: at a glance, since a whole run may take no
    /// longer than to find out all there is to know.
    fn admit(&self, timeline: &mut Timeline) -> anyhow::Result<()> {
        if self.ignore_pressure {
            return Ok(());
        }
        let level = wrt_platform::pressure::level_at_a_glance();
        timeline.admitted(level);
        match level {
            PressureLevel::Critical => Err(admission::refused()),
            _ => Ok(()),
        }
    }

    fn run(
        &self,
        module: Module,
        deadline: Option<Instant>,
        timeline: &mut Timeline,
    ) -> anyhow::Result<Ending> {
        let host = self.open()?;
        let ended = self.run_on(&host, module, deadline, timeline);
        host.writes.wait();
        ended
    }

    /// Opens what every program of this command needs.
    pub(super) fn open(&self) -> anyhow::Result<Host> {
        let hypervisor = super::open(self.backend)?;
        let jailed = !self.no_jail;
        // Several programs share no process if that can be jailed but once.
        let apart =
            self.worker || (self.jobs.is_some() && (jailed || hypervisor.one_vm_a_process()));
        let in_workers = |hypervisor| -> anyhow::Result<_> {
            Ok(in_workers(hypervisor, super::workers(self.verbose)?.jailed(jailed)))
        };
        let compilers = match apart || jailed {
            true => in_workers(hypervisor.another())?,
            false => hypervisor.another(),
        };
        let compilers = Compilers::new(compilers);
        let compilers = if self.jobs.is_some() { compilers.keep() } else { compilers };
        let hypervisor = if apart { in_workers(hypervisor)? } else { hypervisor };
        let (cache, writes) = (self.cache.open()?, Group::new());
        Ok(Host { hypervisor, compilers, jail: jailed && !apart, pool: None, cache, writes })
    }

    /// VMs for programs of this command, of which `ahead` are there before they are wanted.
    pub(super) fn pool(&self, hypervisor: &dyn Hypervisor, ahead: usize) -> Pool {
        let engine = match self.engine {
            Wanted::Interp => EngineKind::Interp,
            // Nearly always.
            Wanted::Native | Wanted::Auto => EngineKind::Native,
        };
        Pool::new(self.settings(engine), hypervisor, ahead)
    }

    fn settings(&self, engine: EngineKind) -> Builder {
        MicroVm::builder().engine(engine).max_memory(self.max_memory)
    }

    /// Reads the module.
    pub(super) fn read(&self, timeline: &mut Timeline) -> anyhow::Result<Module> {
        let module = timeline.step("read", || module::read(self.module()))?;
        if self.invoke.is_some() && module.is_component() {
            return Err(anyhow!(Error::Component(
                "--invoke calls a function of a core module, and this is a component".to_owned()
            )));
        }
        Ok(module)
    }

    /// Runs the program in a VM.
    pub(super) fn run_on(
        &self,
        host: &Host,
        module: Module,
        deadline: Option<Instant>,
        timeline: &mut Timeline,
    ) -> anyhow::Result<Ending> {
        let cache = &host.cache;
        let chooser = Chooser {
            compilers: &host.compilers,
            wanted: self.engine,
            cache: cache.as_ref(),
            // A jail takes the cache from threads, too.
            writes: (!host.jail).then_some(&host.writes),
            name: &self.module().display().to_string(),
            deadline,
            progress: self.jobs.is_none(),
        };
        let choice = timeline.step("choose", || chooser.choose(module.clone()))?;
        let ended = self.run_as(&choice, host, deadline, timeline);
        if let (Some(cache), true, Err(error)) = (cache, choice.from_cache, &ended)
            && let Some(Error::UnusableArtifact(_)) = error.downcast_ref()
        {
            // Somebody put it there: the cache is as good as empty.
            cache.remove(&choice.module);
            if host.jail {
                // In here nothing can be compiled any more.
                return ended.context(
                    "the code cache had something else for this module, and has it no more: \
                     run it again",
                );
            }
            return self.run_as(&chooser.choose(module)?, host, deadline, timeline);
        }
        ended
    }

    fn run_as(
        &self,
        choice: &Choice,
        host: &Host,
        deadline: Option<Instant>,
        timeline: &mut Timeline,
    ) -> anyhow::Result<Ending> {
        let world = self.world()?;
        let entrance = host.jail.then(|| {
            let jail = Jail::of(&world);
            match &host.cache {
                Some(cache) if choice.from_cache => jail.forgetting(cache),
                _ => jail,
            }
        });
        let entrance = entrance.map(Jail::close_names).transpose()?;
        let mut vm = timeline.step("create", || match &host.pool {
            Some(pool) if pool.engine() == choice.engine => pool.take(world),
            _ => self.settings(choice.engine).wasi(world).build_on(host.hypervisor.as_ref()),
        })?;
        vm.set_deadline(deadline);
        if let Some(entrance) = entrance {
            let jailed = timeline.step("jail", || entrance.enter(&vm))?;
            if !jailed.is_complete() {
                tracing::warn!("the jail is {jailed}");
            }
            timeline.jailed(jailed.to_string());
        }
        let ending = self.run_in(&mut vm, &choice.module, timeline);
        timeline.finished(&vm, choice.why);
        ending
    }

    fn run_in(
        &self,
        vm: &mut MicroVm,
        module: &Module,
        timeline: &mut Timeline,
    ) -> anyhow::Result<Ending> {
        let ended = |error| match error {
            Error::Exit(code) => Ok(Ending::Exited(code)),
            other => Err(anyhow!(other)),
        };
        // A hint: without it the program runs as well.
        let _activity = Activity::begin(self.qos.activity(), "runs a WebAssembly program");
        let loaded = timeline.step("load", || vm.load(module))?;
        let instance = match timeline.step("instantiate", || vm.instantiate(loaded)) {
            Ok(instance) => instance,
            Err(error) => return ended(error),
        };
        timeline.step("run", || self.run_instance(vm, instance)).or_else(|error| {
            match error.downcast::<Error>() {
                Ok(error) => ended(error),
                Err(other) => Err(other),
            }
        })
    }

    fn run_instance(&self, vm: &mut MicroVm, instance: Instance) -> anyhow::Result<Ending> {
        if let Some(export) = &self.invoke {
            return invoke::call(vm, instance, export, self.args()).map(|()| Ending::Returned);
        }
        match vm.run(instance) {
            Err(Error::NoSuchExport(_)) => Err(anyhow!(
                "the module is not a program: it exports no function `_start`\n  \
                 call one of its exports with --invoke: {}",
                invoke::exported_functions(vm, instance)?
            )),
            ran => Ok(ran.map(|()| Ending::Returned)?),
        }
    }

    /// What the program gets to see.
    fn world(&self) -> anyhow::Result<WasiConfig> {
        let file_name = || match self.module().file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => "-".to_owned(),
        };
        let mut world = WasiConfig::new()
            .stdout(Output::Inherit)
            .stderr(Output::Inherit)
            // A module from standard input has used it up, and several programs cannot share it.
            .stdin(if self.jobs.is_some() || self.module() == Path::new(module::STREAM) {
                Stdin::Empty
            } else {
                Stdin::Inherit
            })
            .arg(self.argv0.clone().unwrap_or_else(file_name));
        if self.invoke.is_none() {
            world = world.args(self.args());
        }
        for variable in &self.env {
            world = match variable.split_once('=') {
                Some(("", _)) => return Err(anyhow!("--env {variable}: a variable needs a name")),
                Some((name, value)) => world.env(name, value),
                None => match std::env::var(variable) {
                    Ok(value) => world.env(variable, value),
                    Err(std::env::VarError::NotPresent) => world,
                    Err(error) => return Err(anyhow!("--env {variable}: {error}")),
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

    /// The code for how it ended; says what went wrong, if something did.
    pub(super) fn report(&self, result: anyhow::Result<Ending>) -> u8 {
        match result {
            Ok(Ending::Returned) => 0,
            // The system keeps the low eight bits.
            Ok(Ending::Exited(code)) => code.to_le_bytes()[0],
            Err(error) => self.explain(&error),
        }
    }

    /// Says that the program took longer than it may; returns the code for it.
    pub(super) fn explain_timeout(&self) -> u8 {
        let what = timed_out(self.timeout.unwrap_or_default());
        match self.jobs {
            Some(_) => complain(format_args!("{}: {what}", self.module().display())),
            None => complain(what),
        }
        code::TIMED_OUT
    }

    /// Says what went wrong; returns the code for it.
    fn explain(&self, error: &anyhow::Error) -> u8 {
        let code = match error.downcast_ref::<Error>() {
            Some(Error::Interrupted(Interruption::TimedOut)) => {
                return self.explain_timeout();
            }
            Some(Error::Trap(_)) => code::TRAPPED,
            _ => code::FAILED,
        };
        let about_module = matches!(
            error.downcast_ref(),
            Some(
                Error::NotWasm(_)
                    | Error::InvalidModule { .. }
                    | Error::CannotCompile(_)
                    | Error::UnusableArtifact(_)
                    | Error::Unlinkable { .. }
                    | Error::MemoryLimit { .. }
                    | Error::NoSuchExport(_)
                    | Error::Component(_)
            )
        );
        let hint = match error.downcast_ref() {
            Some(Error::MemoryLimit { .. }) => " (--max-memory)",
            // A component has no such way out.
            Some(Error::CannotCompile(why)) if why.contains("interpreter") => " (--engine interp)",
            _ => "",
        };
        // Which of several it is about needs to be said in any case.
        match about_module || self.jobs.is_some() {
            true => complain(format_args!("{}: {error:#}{hint}", self.module().display())),
            false => complain(format_args!("{error:#}{hint}")),
        }
        code
    }
}

/// Says what is given away.
pub(super) fn warn_of_no_jail() {
    complain("note: --no-jail: whoever breaks out of a VM has all rights of this user");
}

fn timed_out(after: Duration) -> String {
    format!("timed out after {}", Seconds(after))
}

/// Ends the process some time after the timeout: a host call that the system does not give
/// back (a read from a dead network file system) cannot be interrupted otherwise.
fn end_by_force(timeout: Duration) {
    let (time, line) = (timeout.saturating_add(GRACE), super::line(timed_out(timeout)));
    // Should there be no timer for it, the VM's own deadline still holds.
    let _ = wrt_platform::signal::exit_after(time, &line, code::TIMED_OUT);
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

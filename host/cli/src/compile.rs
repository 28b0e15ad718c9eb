//! `wrt-vm compile`: make machine code of a module.

use super::log::Destination;
use super::run::{Words, warn_of_a_weak_jail, warn_of_no_jail};
use super::say::{self, complain};
use super::{code, log, module};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;
use wrt_platform::signal::{exit_after, move_exit};
use wrt_platform::text::Line;
use wrt_vm::compiler::{Arch, Target};
use wrt_vm::error::{Bytes, Seconds};
use wrt_vm::{Backend, Engine, Error, Module};

/// Compile a WebAssembly module or component to machine code.
///
/// `wrt-vm run` runs the result, without compiling and without an interpreter. The compiler
/// runs in a micro-VM of its own: nothing outside a VM looks into the module, or into the code.
///
/// Exit codes: 0; 1 when the module is invalid or cannot be compiled; 2 for wrong usage.
#[derive(Args)]
#[command(after_help = "Examples:\n  wrt-vm compile app.wasm -o app.cwasm\n  \
    wrt-vm compile --target aarch64 app.wasm -o app-arm.cwasm")]
pub(super) struct Compile {
    /// The module: a file, or `-` for standard input. A `.wat` text is assembled on the host.
    #[arg(value_name = "MODULE")]
    module: PathBuf,

    /// Where the code goes: a file, or `-` for standard output [default: MODULE's name with
    /// `.cwasm`].
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,

    /// Compile for every machine of this architecture [default: this very machine alone].
    #[arg(long, value_name = "ARCH", value_parser = PossibleValuesParser::new(
        Arch::ALL.iter().map(|arch| arch.name())))]
    target: Option<String>,

    /// Give up after this long: `90`, `90s`, `10m`.
    #[arg(long, value_name = "TIME", default_value = "10m",
        value_parser = super::quantity::duration)]
    timeout: Duration,

    /// What the compiler runs in: `kvm`, `process` or `auto`, as for `wrt-vm run`.
    #[arg(long, default_value = "auto", value_parser = str::parse::<Backend>)]
    backend: Backend,

    /// Have the compiler's VM in this process, and leave that its rights. Otherwise it is in
    /// a process that has none.
    #[arg(long)]
    no_jail: bool,

    /// Log what wrt-vm does to standard error. Twice for more.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,

    /// Leave out notes. Errors are still told.
    #[arg(short, long)]
    quiet: bool,
}

impl Compile {
    pub(super) fn execute(self) -> ExitCode {
        match self.compile() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                match error.downcast_ref() {
                    // It names the module.
                    Some(Error::Read { .. }) => complain(format_args!("{error:#}")),
                    _ => complain(format_args!("{}: {error:#}", Line(self.module.display()))),
                }
                ExitCode::from(code::FAILED)
            }
        }
    }

    fn compile(&self) -> Result<()> {
        say::be_quiet(self.quiet);
        log::install(Destination::Text, self.verbose, None)?;
        // Before anything takes its time.
        let output = self.output()?;
        let cannot_write = || match output == Path::new(module::STREAM) {
            true => "cannot write to standard output".to_owned(),
            false => format!("cannot write {}", Line(output.display())),
        };
        let sink = Sink::open(&output).with_context(cannot_write)?;
        let last =
            say::line(format_args!("timed out: no module came in {}", Seconds(self.timeout)));
        // A pipe is waited for no longer than that; should there be no timer, for as long as it takes.
        let _ = exit_after(self.timeout, &last, code::FAILED);
        let module = module::read(&self.module);
        move_exit(None);
        let module = module?;
        if module.target().is_some() {
            bail!("it is compiled already");
        }
        match self.no_jail {
            true => warn_of_no_jail(),
            false => warn_of_a_weak_jail(),
        }
        let name = Line(self.module.display()).to_string();
        let engine = Engine::builder()
            .jail(!self.no_jail)
            .workers(super::workers(self.verbose))
            .observer(Words::new(true))
            .build_on(super::open(self.backend)?)?;
        let target = match self.target.as_deref().and_then(Arch::from_name) {
            Some(arch) => Target::baseline(arch),
            None => engine.target(),
        };
        let started = Instant::now();
        let compiled = engine.compile(&name, &module, target, self.timeout)?;
        sink.write(&compiled).with_context(cannot_write)?;
        tracing::info!(
            "wrote {}: {} of code for {} in {:.1?}",
            Line(output.display()),
            Bytes(compiled.len() as u64),
            target.arch,
            started.elapsed()
        );
        Ok(())
    }

    fn output(&self) -> Result<PathBuf> {
        match &self.output {
            Some(output) => Ok(output.clone()),
            None if self.module == Path::new(module::STREAM) => {
                bail!("a module from standard input has no name: say where the code goes (-o)")
            }
            None => Ok(self.module.with_extension("cwasm")),
        }
    }
}

/// Where code goes.
enum Sink {
    Stream,
    /// A device or a pipe, which cannot be replaced.
    Device(File),
    /// A file that is written whole, or not at all, and its name.
    File(NamedTempFile, PathBuf),
}

impl Sink {
    /// Opens it; a file that has this name stays as it is for now.
    fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new(module::STREAM) {
            return Ok(Self::Stream);
        }
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => return File::create(path).map(Self::Device),
            _ => {}
        }
        let dir = match path.parent() {
            Some(dir) if dir != Path::new("") => dir,
            _ => Path::new("."),
        };
        // Asked first: the error of a temporary file names that one.
        std::fs::metadata(dir)?;
        // Readable as any new file of this user: the umask applies.
        let permissions = Permissions::from_mode(0o666);
        let file = tempfile::Builder::new().permissions(permissions).tempfile_in(dir);
        let file = file.map_err(|error| io::Error::from(error.kind()))?;
        Ok(Self::File(file, path.to_owned()))
    }

    fn write(self, module: &Module) -> io::Result<()> {
        match self {
            Self::Stream => module.write(&mut io::stdout().lock()),
            Self::Device(mut file) => module.write(&mut file),
            Self::File(mut file, path) => {
                module.write(file.as_file_mut())?;
                file.flush()?;
                file.persist(path).map_err(|error| error.error)?;
                Ok(())
            }
        }
    }
}

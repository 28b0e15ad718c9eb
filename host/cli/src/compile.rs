//! `wrt-vm compile`: make machine code of a module.

use super::compilers::Compilers;
use super::log::Destination;
use super::run::{warn_of_a_weak_jail, warn_of_no_jail};
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
use wrt_platform::text::Line;
use wrt_vm::{Arch, Backend, Bytes, Module, Placement, Target};

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
                complain(format_args!("{}: {error:#}", Line(self.module.display())));
                ExitCode::from(code::FAILED)
            }
        }
    }

    fn compile(&self) -> Result<()> {
        say::be_quiet(self.quiet);
        log::install(Destination::Text, self.verbose, None)?;
        // Before anything takes its time.
        let output = self.output()?;
        let module = module::read(&self.module)?;
        if module.target().is_some() {
            bail!("it is compiled already");
        }
        let hypervisor = super::open(self.backend)?;
        let placement = if self.no_jail {
            warn_of_no_jail();
            Placement::Here
        } else {
            warn_of_a_weak_jail();
            super::workers(self.verbose).into()
        };
        let compilers = Compilers::new(hypervisor, placement);
        let target = match self.target.as_deref().and_then(Arch::from_name) {
            Some(arch) => Target::baseline(arch),
            None => compilers.target(),
        };
        let started = Instant::now();
        let name = Line(self.module.display()).to_string();
        let compiled = compilers.compile(&module, &name, target, self.timeout, true)?;
        if output == Path::new(module::STREAM) {
            compiled.write(&mut io::stdout().lock()).context("cannot write to standard output")?;
            return Ok(());
        }
        write(&compiled, &output)
            .with_context(|| format!("cannot write {}", Line(output.display())))?;
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

/// Writes a file whole, or not at all.
fn write(module: &Module, path: &Path) -> io::Result<()> {
    let elsewhere = std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
    if elsewhere {
        // A device or a pipe cannot be replaced.
        return module.write(&mut File::create(path)?);
    }
    let dir = match path.parent() {
        Some(dir) if dir != Path::new("") => dir,
        _ => Path::new("."),
    };
    // Readable as any new file of this user: the umask applies.
    let mut file =
        tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(dir)?;
    module.write(file.as_file_mut())?;
    file.flush()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

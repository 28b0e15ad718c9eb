//! The ahead-of-time compiler: a module or a component on standard input, an artefact on
//! standard output.
//!
//! It is built for WASI and runs in a VM of its own, so that nobody but a VM ever looks at
//! the bytes of an untrusted module. Built for the machine itself it compiles one trusted
//! module: itself. [`wrt_abi::compiler`] says how it is called.

mod imports;

use cranelift_codegen::timing::{Pass, Profiler, set_thread_profiler};
use imports::MissingImports;
use std::any::Any;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;
use wasmtime::wasmparser::{BinaryReaderError, Validator};
use wasmtime::{Engine, Result, bail, error::Context as _};
use wrt_abi::binary::is_component;
use wrt_abi::compiler::{
    EXIT_FAILED, EXIT_INVALID_MODULE, EXIT_UNLINKABLE, NO_ADDRESS_MAP, Rejection,
};
use wrt_abi::cpu::{Arch, CpuFeatures};

const USAGE: &str = "usage: wrt-compiler ARCH FEATURES [--no-address-map] <module >artefact";

/// Bytes to ask for in the first read.
///
/// Each read is an exit of the VM, and the size of the module is not known before its end.
const FIRST_READ: usize = 64 << 10;

/// Measures nothing.
///
/// Cranelift looks at the clock before and after each pass over each function, and in a VM
/// each look is an exit.
struct NoTimes;

impl Profiler for NoTimes {
    fn start_pass(&self, _: Pass) -> Box<dyn Any> {
        Box::new(())
    }
}

fn main() -> ExitCode {
    set_thread_profiler(Box::new(NoTimes));
    match run() {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(Refused::Unlinkable(missing))) => {
            // An exit code without the report is the host's to make sense of.
            let _ = missing.write(&mut io::stderr().lock());
            EXIT_UNLINKABLE.into()
        }
        Ok(Err(Refused::Invalid(invalid))) => {
            let offset = u64::try_from(invalid.offset()).ok();
            eprint!("{}", Rejection { offset, reason: invalid.message() });
            EXIT_INVALID_MODULE.into()
        }
        Err(error) => {
            eprintln!("{error:#}");
            EXIT_FAILED.into()
        }
    }
}

/// Why a module is not compiled that no other compiler of ours would compile either.
enum Refused {
    Invalid(BinaryReaderError),
    Unlinkable(MissingImports),
}

/// Compiles; the inner error is the module's.
fn run() -> Result<Result<(), Refused>> {
    let mut args = std::env::args().skip(1);
    let (Some(arch), Some(features)) = (args.next(), args.next()) else { bail!("{USAGE}") };
    let address_map = match (args.next().as_deref(), args.next()) {
        (None, None) => true,
        (Some(NO_ADDRESS_MAP), None) => false,
        _ => bail!("{USAGE}"),
    };
    let Some(arch) = Arch::from_name(&arch) else { bail!("unknown architecture {arch:?}") };
    let features = match CpuFeatures::parse(&features) {
        Ok(features) => features,
        Err(error) => bail!("{error}"),
    };
    let mut config = wrt_engine_config::compiler(arch, features)?;
    config.generate_address_map(address_map);
    let engine = Engine::new(&config)?;

    let module = read_input().context("cannot read the module")?;
    let compiled = match is_component(&module) {
        true => match imports::missing(&module, engine.get_wasm_features()) {
            Ok(None) => engine.precompile_component(&module),
            Ok(Some(missing)) => return Ok(Err(Refused::Unlinkable(missing))),
            Err(invalid) => return Ok(Err(Refused::Invalid(invalid))),
        },
        false => engine.precompile_module(&module),
    };
    let artifact = match compiled {
        Ok(artifact) => artifact,
        // wasmtime's error does not say reliably whose fault it is: validation does.
        Err(error) => {
            let mut validator = Validator::new_with_features(engine.get_wasm_features());
            return match validator.validate_all(&module) {
                Err(invalid) => Ok(Err(Refused::Invalid(invalid))),
                Ok(_) => Err(error),
            };
        }
    };
    drop(module);
    let mut output = io::stdout().lock();
    output.write_all(&artifact).context("cannot write the artefact")?;
    output.flush().context("cannot write the artefact")?;
    Ok(Ok(()))
}

/// Reads standard input to its end, in reads that double in size.
fn read_input() -> io::Result<Vec<u8>> {
    let mut input = io::stdin().lock();
    let mut bytes = Vec::new();
    let mut len = 0;
    loop {
        if len == bytes.len() {
            bytes.resize((2 * len).max(FIRST_READ), 0);
        }
        match input.read(&mut bytes[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(len);
    Ok(bytes)
}

//! What all errors have in common.

use super::*;
use std::error::Error as StdError;
use std::io;
use wrt_abi::proposals::Proposal;
use wrt_platform::dispatch::DispatchError;
use wrt_platform::memory::AllocError;
use wrt_platform::pressure::PressureError;
use wrt_platform::sandbox::{ProfileError, SandboxError};

/// What causes have in common.
const CAUSE: &str = "the cause";
/// What a terminal obeys.
const NASTY: &str = "a\x1b[31mb\u{202e}\u{2028}c\n\u{9b}d";

fn io() -> io::Error {
    io::Error::other(CAUSE)
}

fn text() -> String {
    NASTY.to_owned()
}

fn exception() -> Exception {
    Exception { name: "page fault".into(), vector: 14, instruction: 1, stack: 2, address: Some(3) }
}

/// One of each kind; a new one does not compile before it is here.
fn ends() -> Vec<VmEnd> {
    let all = vec![
        VmEnd::Panic(CAUSE.to_owned()),
        VmEnd::OutOfMemory { wanted: 1 },
        VmEnd::StackOverflow { exception: exception() },
        VmEnd::Exception(exception()),
        VmEnd::BadAccess { gpa: Gpa(1), write: true },
        VmEnd::SystemCall { number: 1 },
        VmEnd::BadExit(Exit::Halt),
        VmEnd::Protocol(CAUSE.to_owned()),
        VmEnd::AbiVersion { have: 1, want: 2 },
        VmEnd::Hypervisor(CAUSE.to_owned()),
        VmEnd::Worker(CAUSE.to_owned()),
        VmEnd::Earlier,
    ];
    for end in &all {
        match end {
            VmEnd::Panic(_)
            | VmEnd::OutOfMemory { .. }
            | VmEnd::StackOverflow { .. }
            | VmEnd::Exception(_)
            | VmEnd::BadAccess { .. }
            | VmEnd::SystemCall { .. }
            | VmEnd::BadExit(_)
            | VmEnd::Protocol(_)
            | VmEnd::AbiVersion { .. }
            | VmEnd::Hypervisor(_)
            | VmEnd::Worker(_)
            | VmEnd::Earlier => {}
        }
    }
    all
}

fn hypervisor() -> Vec<HypervisorError> {
    let all = vec![
        HypervisorError::Unavailable {
            name: "kvm".into(),
            reason: CAUSE.to_owned(),
            remedy: "none".into(),
        },
        HypervisorError::Call { action: "create a VM".into(), error: io() },
        HypervisorError::Unsupported("no".into()),
    ];
    for error in &all {
        match error {
            HypervisorError::Unavailable { .. }
            | HypervisorError::Call { .. }
            | HypervisorError::Unsupported(_) => {}
        }
    }
    all
}

fn errors() -> Vec<Error> {
    let trap =
        Trap { kind: TrapKind::Unreachable, message: String::new(), frames: vec![], depth: None };
    let mut all = vec![
        Error::Memory(io()),
        Error::Thread(io()),
        Error::OutOfDescriptors(io()),
        Error::Jail(CAUSE.to_owned()),
        Error::Read { name: text(), error: io() },
        Error::NotWasm(CAUSE.to_owned()),
        Error::InvalidModule { offset: Some(1), reason: CAUSE.to_owned() },
        Error::Unsupported {
            needs: Proposals::NONE.with(Proposal::Gc),
            engine: EngineKind::Interp,
        },
        Error::UnusableArtifact(CAUSE.to_owned()),
        Error::CannotCompile { reason: CAUSE.to_owned(), interpretable: true },
        Error::CannotInterpret(CAUSE.to_owned()),
        Error::NotAProgram { functions: CAUSE.to_owned() },
        Error::Pressure,
        Error::Cache { dir: PathBuf::from(NASTY), reason: CAUSE.to_owned() },
        Error::Unlinkable { module: "m".into(), name: "n".into(), reason: CAUSE.to_owned() },
        Error::MemoryLimit { wanted: 2, allowed: 1 },
        Error::NoSuchExport(CAUSE.to_owned()),
        Error::Component(CAUSE.to_owned()),
        Error::TypeMismatch(CAUSE.to_owned()),
        Error::Trap(trap),
        Error::OutputLimit { limit: 1 },
        Error::Exit(1),
        Error::Interrupted(Interruption::TimedOut),
        Error::Wasi(CAUSE.to_owned()),
        Error::Setting(CAUSE.to_owned()),
        Error::Engine(CAUSE.to_owned()),
        Error::WrongHandle,
        Error::OutOfRange { at: 1, wanted: 2, len: 2 },
        Error::TooLong(CAUSE.to_owned()),
        Error::Snapshot(CAUSE.to_owned()),
        Error::Worker(CAUSE.to_owned()),
        Error::Failed(CAUSE.to_owned()),
    ];
    for error in &all {
        match error {
            Error::Hypervisor(_)
            | Error::Memory(_)
            | Error::Thread(_)
            | Error::OutOfDescriptors(_)
            | Error::Jail(_)
            | Error::Read { .. }
            | Error::NotWasm(_)
            | Error::InvalidModule { .. }
            | Error::Unsupported { .. }
            | Error::UnusableArtifact(_)
            | Error::CannotCompile { .. }
            | Error::CannotInterpret(_)
            | Error::NotAProgram { .. }
            | Error::Pressure
            | Error::Cache { .. }
            | Error::Unlinkable { .. }
            | Error::MemoryLimit { .. }
            | Error::NoSuchExport(_)
            | Error::Component(_)
            | Error::TypeMismatch(_)
            | Error::Trap(_)
            | Error::OutputLimit { .. }
            | Error::Exit(_)
            | Error::Interrupted(_)
            | Error::Ended(_)
            | Error::Wasi(_)
            | Error::Setting(_)
            | Error::Engine(_)
            | Error::WrongHandle
            | Error::OutOfRange { .. }
            | Error::TooLong(_)
            | Error::Snapshot(_)
            | Error::Worker(_)
            | Error::Failed(_) => {}
        }
    }
    all.extend(ends().into_iter().map(Error::from));
    all.extend(hypervisor().into_iter().map(Error::from));
    all
}

fn platform() -> Vec<Box<dyn StdError>> {
    vec![
        Box::new(AllocError::System { doing: "map memory", error: io() }),
        Box::new(PressureError::System(io())),
        Box::new(DispatchError::System(io())),
        Box::new(SandboxError::Limit { what: "open files", error: io() }),
        Box::new(ProfileError::Place { path: PathBuf::from(NASTY), error: io() }),
    ]
}

/// A worker's error is its parent's: of the same kind, with the same words.
#[test]
fn an_error_arrives_as_itself() {
    let numbered =
        Error::Thread(io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error()));
    let made = Error::Memory(io::Error::new(io::ErrorKind::OutOfMemory, CAUSE));
    for error in errors().into_iter().chain([numbered, made]) {
        let message = postcard::to_allocvec(&error).unwrap();
        let arrived: Error = postcard::from_bytes(&message).unwrap();
        assert_eq!(format!("{arrived:?}"), format!("{error:?}"));
        assert_eq!(arrived.to_string(), error.to_string());
    }
}

/// Every message is complete, and what prints the whole chain (`{:#}` of anyhow) prints nothing
/// twice.
#[test]
fn no_message_repeats_its_source() {
    let own = errors().into_iter().map(|error| Box::new(error) as Box<dyn StdError>);
    for error in own.chain(platform()) {
        let message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            assert!(!message.contains(&cause.to_string()), "{message:?} repeats {cause}");
            source = cause.source();
        }
        assert!(message.matches(CAUSE).count() <= 1, "{message:?}");
    }
    let io =
        [Error::Memory(io()), HypervisorError::Call { action: "run".into(), error: io() }.into()];
    for error in io {
        assert!(error.to_string().contains(CAUSE), "{error} has no cause");
        assert_eq!(format!("{:#}", anyhow::anyhow!(error)).matches(CAUSE).count(), 1);
    }
}

/// Names of files are data.
#[test]
fn no_message_has_what_a_terminal_obeys() {
    let own = errors().into_iter().map(|error| error.to_string());
    for message in own.chain(platform().iter().map(ToString::to_string)) {
        let harmless = wrt_platform::text::Lines(&message).to_string();
        assert_eq!(message, harmless);
        assert!(!message.contains("c\n"), "a name has a line end: {message:?}");
    }
}

/// Words, not what `{:?}` writes.
#[test]
fn exits_are_told_in_words() {
    use wrt_hypervisor::Fault;
    let fault = Fault { vector: 13, instruction: 0x1000, stack: 0, address: None };
    let exits = [
        (Exit::Fault(fault), "the guest took processor exception 13 at instruction 0x1000"),
        (Exit::Killed { signal: 9 }, "the guest lost its process to signal 9 (SIGKILL)"),
        (
            Exit::Failed { code: 9 },
            "the guest cannot be run any further by the hypervisor (reason 0x9)",
        ),
        (
            Exit::Port { port: 0x60, width: 1, write: true },
            "the guest wrote to port 0x60 (8 bits), which no device serves",
        ),
    ];
    for (exit, words) in exits {
        assert_eq!(VmEnd::BadExit(exit).to_string(), words);
    }
}

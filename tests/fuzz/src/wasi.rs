//! WASI's arguments: any function with any words, on a linear memory with anything in it.
//!
//! The program has one directory that it may write and one that it may only read. What must
//! hold: the host does not panic, and lives on; nothing outside of the directories changes, nor
//! does the read-only one; no byte of a file outside gets into the program's memory.

use crate::machine::{Form, Guest, Memory, Mock};
use arbitrary::Arbitrary;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use wrt_abi::layout::REGION_FIRST;
use wrt_abi::mailbox::{REQUEST_ARGS, Request};
use wrt_abi::services::{FIRST_ARGUMENT, word};
use wrt_abi::{ABI_VERSION, Call, Reply, Status};
use wrt_vm::hypervisor::Exit;
use wrt_vm::vm::Builder;
use wrt_vm::vm::ServiceId;
use wrt_vm::world::{Output, OutputBuffer, Stdin};
use wrt_vm::{Module, WasiConfig};

/// Calls of a program, one after another.
#[derive(Arbitrary, Clone, Debug)]
pub struct Case {
    /// What it calls.
    pub calls: Vec<WasiCall>,
}

/// One call.
#[derive(Arbitrary, Clone, Debug)]
pub struct WasiCall {
    /// What is put into memory before.
    pub puts: Vec<Put>,
    /// Index of the function.
    pub function: u8,
    /// Its arguments; more of them are zero.
    pub args: Vec<Argument>,
}

/// What a function takes: a word, or two that make sense together.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Argument {
    /// A word.
    Word(Arg),
    /// A descriptor: a stream, a folder, or what was opened.
    Descriptor(u8),
    /// Address and length of a path of two parts, by number.
    Path([u8; 2]),
    /// Address and number of vectors, of which there is one.
    Vector(Arg, Arg),
}

/// Bytes in linear memory.
#[derive(Arbitrary, Clone, Debug)]
pub enum Put {
    /// Any.
    Bytes {
        /// Where.
        at: u16,
        /// What.
        bytes: Vec<u8>,
    },
    /// A path.
    Path {
        /// Where.
        at: u16,
        /// Parts of it, by number.
        parts: Vec<u8>,
    },
    /// A pair of words, as an `iovec` is.
    Pair {
        /// Where.
        at: u16,
        /// Its words.
        words: (Arg, Arg),
    },
    /// What `poll_oneoff` waits for.
    Subscription {
        /// Where.
        at: u16,
        /// Its kind, and for a clock which.
        kind: u8,
        /// A descriptor or a clock.
        of: u8,
        /// How long, in nanoseconds.
        time: u64,
        /// A clock's flags.
        flags: u16,
    },
}

/// An argument.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Arg {
    /// A small number: a descriptor, a count, flags.
    Small(u8),
    /// An address.
    Address(u16),
    /// Near the end of memory.
    NearTheEnd(i8),
    /// All rights, and some more flags.
    All,
    /// Any.
    Raw(u64),
}

/// Linear memory in bytes: one page of WebAssembly's.
const MEMORY: u64 = 64 << 10;
/// Where arguments lead to, and how far apart.
const SLOTS: u16 = 0xe000;
const SLOT: usize = 0x100;
/// Calls of a case that are made.
const CALLS: usize = 16;
/// A whole case takes no longer.
const DEADLINE: Duration = Duration::from_millis(300);
/// What is in the file outside.
const SECRET: &[u8] = b"what nobody outside may read: 3e7c81f09a";
/// What is in the files inside.
const DATA: &[u8] = b"what is in a file, for all to read";

/// Parts of paths: what is there, and what is not.
const PARTS: [&str; 16] = [
    "file",
    "folder",
    "out",
    "..",
    "/",
    ".",
    "secret",
    "new",
    "link",
    "",
    "etc/passwd",
    "//",
    "a-rather-long-name",
    "\u{e4}",
    "\0",
    "../secret",
];

/// Runs one input.
pub fn fuzz(data: &[u8]) {
    if let Some(case) = crate::input(data) {
        run(&case);
    }
}

/// Runs one case.
///
/// # Panics
///
/// When something does not hold.
pub fn run(case: &Case) {
    let folder = scratch().expect("a temporary folder");
    let root = folder.path();
    populate(root).expect("the folder can be filled");
    let before = (contents(&root.join("read-only")), names(root));
    let mock = Mock::new(Form::Itself, Program::new(case));
    let world = WasiConfig::new()
        .args(["program", "--flag", "\u{e4}"])
        .env("NAME", "value")
        .dir(root.join("writable"), "/")
        .read_only_dir(root.join("read-only"), "read-only")
        .stdin(Stdin::Bytes(DATA.to_vec()))
        .stdout(Output::Capture(OutputBuffer::new(1024)))
        .stderr(Output::Capture(OutputBuffer::new(1024)));
    let builder = Builder::default().max_memory(MEMORY).wasi(world);
    let mut vm = builder.build_on(&mock).expect("a VM can be made here");
    vm.set_deadline(Some(Instant::now() + DEADLINE));
    let module = Module::from_bytes(b"\0asm\x01\0\0\0").expect("it begins like one");
    // How it ends is the program's business.
    let _ = vm.load(&module);
    let last = vm.usage().exits.of(ServiceId::Wasi);
    assert!(last <= CALLS as u64);
    drop(vm);
    assert_eq!(contents(&root.join("read-only")), before.0, "a read-only folder has changed");
    assert_eq!(names(root), before.1, "something was made outside");
    assert_eq!(fs::read(root.join("secret")).ok().as_deref(), Some(SECRET), "a file outside");
    let program = mock.guest().lock().unwrap_or_else(PoisonError::into_inner);
    assert!(!program.has_secret, "a file outside was read");
}

/// A folder in memory, if there is one.
fn scratch() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    let builder = tempfile::Builder::new();
    match memory.is_dir() {
        true => builder.tempdir_in(memory),
        false => builder.tempdir(),
    }
}

fn populate(root: &Path) -> std::io::Result<()> {
    fs::write(root.join("secret"), SECRET)?;
    for folder in ["writable", "read-only"] {
        let folder = root.join(folder);
        fs::create_dir_all(folder.join("folder"))?;
        fs::write(folder.join("file"), DATA)?;
        fs::write(folder.join("folder/file"), DATA)?;
        std::os::unix::fs::symlink("../secret", folder.join("out"))?;
        std::os::unix::fs::symlink("folder/file", folder.join("link"))?;
    }
    Ok(())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it is a folder");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<String> =
        entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Files in a folder, and what is in them; folders have nothing.
fn contents(folder: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let all = [String::new(), "folder/".to_owned()].into_iter().flat_map(|prefix| {
        let names = names(&folder.join(&prefix));
        names.into_iter().map(move |name| format!("{prefix}{name}"))
    });
    all.map(|name| (name.clone(), fs::read(folder.join(name)).ok())).collect()
}

/// The guest: makes the calls, then has done its command.
struct Program {
    calls: Vec<WasiCall>,
    next: usize,
    state: State,
    has_secret: bool,
}

#[derive(PartialEq, Eq)]
enum State {
    Booting,
    Loading,
    Calling,
}

impl Program {
    fn new(case: &Case) -> Self {
        let calls = case.calls.iter().take(CALLS).cloned().collect();
        Self { calls, next: 0, state: State::Booting, has_secret: false }
    }
}

impl Guest for Program {
    fn boot(&mut self) {
        (self.next, self.state) = (0, State::Booting);
    }

    fn run(&mut self, memory: &mut Memory) -> Exit {
        let request = |call: Call, args: &[u64]| {
            let mut request = Request { call: call as u32, ..Request::default() };
            request.args[..args.len()].copy_from_slice(args);
            request
        };
        let next = match self.state {
            State::Booting => {
                self.state = State::Loading;
                request(Call::Ready, &[ABI_VERSION.into()])
            }
            State::Loading => {
                self.state = State::Calling;
                request(Call::RegionCommit, &[REGION_FIRST, MEMORY, MEMORY])
            }
            State::Calling => {
                let (response, _) = memory.response();
                let status = Status::try_from(response.status).expect("a status");
                match self.calls.get(self.next) {
                    Some(call) if status != Status::Exit && status != Status::Trap => {
                        self.next += 1;
                        for put in &call.puts {
                            put.apply(memory);
                        }
                        request(Call::Service, &call.args(memory))
                    }
                    _ => {
                        let mut bytes = vec![0; MEMORY as usize];
                        memory.read(REGION_FIRST, &mut bytes);
                        let starts =
                            bytes.iter().enumerate().filter(|(_, byte)| **byte == SECRET[0]);
                        let mut found = starts.map(|(start, _)| bytes[start..].starts_with(SECRET));
                        self.has_secret = found.any(|found| found);
                        request(Call::Done, &[Reply::Failed as u64])
                    }
                }
            }
        };
        memory.request(&next, &[]);
        Exit::Mailbox
    }
}

impl WasiCall {
    /// The words of the call. What some of them lead to is put into memory.
    fn args(&self, memory: &mut Memory) -> [u64; REQUEST_ARGS] {
        let mut args = [0; REQUEST_ARGS];
        // The upper half is that of preview 0, which has one function less.
        let module = u16::from(self.function >= 0x80);
        let functions = ServiceId::Wasi.table().modules[0].functions.len();
        let function = usize::from(self.function) % functions;
        let function = word(ServiceId::Wasi as u32, module, u16::try_from(function).unwrap_or(0));
        let first = [function, REGION_FIRST, MEMORY];
        args[..FIRST_ARGUMENT].copy_from_slice(&first);
        let slots = (SLOTS..).step_by(SLOT);
        let words = slots.zip(&self.args).take(REQUEST_ARGS).flat_map(|(at, argument)| {
            let [word, length] = argument.words(at, memory);
            word.into_iter().chain(length)
        });
        for (place, word) in args[FIRST_ARGUMENT..].iter_mut().zip(words) {
            *place = word;
        }
        args
    }
}

impl Argument {
    /// One word or two; what they lead to is put at `at`.
    fn words(self, at: u16, memory: &mut Memory) -> [Option<u64>; 2] {
        let mut put = |put: Put| {
            put.apply(memory);
            Some(u64::from(at))
        };
        match self {
            Self::Word(arg) => [Some(arg.word()), None],
            Self::Descriptor(number) => [Some((number % 8).into()), None],
            Self::Path(parts) => {
                let len = path(&parts).len() as u64;
                [put(Put::Path { at, parts: parts.to_vec() }), Some(len)]
            }
            Self::Vector(start, len) => [put(Put::Pair { at, words: (start, len) }), Some(1)],
        }
    }
}

/// A path of parts by their numbers.
fn path(parts: &[u8]) -> String {
    let part = |part: &u8| PARTS[usize::from(*part) % PARTS.len()];
    parts.iter().take(16).map(part).collect::<Vec<_>>().join("/")
}

impl Arg {
    fn word(self) -> u64 {
        match self {
            Self::Small(number) => number.into(),
            Self::Address(address) => address.into(),
            Self::NearTheEnd(offset) => MEMORY.wrapping_add_signed(offset.into()),
            Self::All => 0x1fff_ffff,
            Self::Raw(word) => word,
        }
    }
}

impl Put {
    fn apply(&self, memory: &mut Memory) {
        let mut write = |at: u16, bytes: &[u8]| {
            let room = usize::from(u16::MAX) + 1 - usize::from(at);
            memory.write(REGION_FIRST + u64::from(at), &bytes[..bytes.len().min(room)]);
        };
        match self {
            Self::Bytes { at, bytes } => write(*at, bytes),
            Self::Path { at, parts } => write(*at, path(parts).as_bytes()),
            Self::Pair { at, words: (a, b) } => {
                #[expect(clippy::cast_possible_truncation, reason = "words of 32 bits")]
                let words = [a, b].map(|word| (word.word() as u32).to_le_bytes());
                write(*at, &words.concat());
            }
            Self::Subscription { at, kind, of, time, flags } => {
                // userdata, tag, and for a clock id, timeout, precision and flags; for a
                // descriptor its number.
                let mut bytes = [0; 48];
                (bytes[8], bytes[16]) = (*kind, *of);
                bytes[24..32].copy_from_slice(&time.to_le_bytes());
                bytes[40..42].copy_from_slice(&flags.to_le_bytes());
                write(*at, &bytes);
            }
        }
    }
}

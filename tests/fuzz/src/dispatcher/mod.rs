//! The dispatcher, and all above it, against a guest that does anything: exits, words in the
//! mailbox, bytes anywhere that it may write, answers to commands that make no sense.
//!
//! What must hold: the host does not panic; the guest never reaches what is not its own
//! ([`crate::machine`] looks after each call for memory); calls that succeed have done what they
//! say ([`script`]); errors are text that a terminal can be shown; a VM that has ended stays so.

mod owner;
pub mod script;

use crate::machine::{Form, Mock};
use arbitrary::Arbitrary;
use owner::Owner;
use script::{Scripted, Step};
use std::time::{Duration, Instant};
use wrt_abi::layout::GRANULE;
use wrt_vm::vm::Builder;
use wrt_vm::world::{Output, OutputBuffer, Stdin};
use wrt_vm::{EngineKind, Error, WasiConfig};

/// What a guest does, and what its owner does.
#[derive(Arbitrary, Clone, Debug)]
pub struct Case {
    /// How its addresses are translated.
    pub form: Form,
    /// Whether it runs compiled code.
    pub native: bool,
    /// Memory that programs may have, in granules; the engine's comes on top.
    pub memory: u8,
    /// Whether the guest boots as it should, without a step for it.
    pub boots: bool,
    /// What the owner does, in turn.
    pub owner: Vec<Action>,
    /// What the guest does, an exit each.
    pub guest: Vec<Step>,
}

/// One call of the library's.
#[derive(Arbitrary, Clone, Debug)]
#[expect(missing_docs, reason = "the library's functions by their names")]
pub enum Action {
    Load { len: u16 },
    Instantiate,
    Function { name: String },
    Call { values: Vec<u8> },
    Run,
    Memory,
    MemorySize,
    ReadMemory { at: u64, len: u16 },
    WriteMemory { at: u64, len: u16 },
    Global,
    Exports,
    Register { name: String },
    Snapshot,
    Restore,
    Reset,
}

/// A whole case takes no longer: guests sleep, too.
const DEADLINE: Duration = Duration::from_millis(300);
/// Actions of a case that are made.
const ACTIONS: usize = 24;
/// The most that an error says: a trap's message, and its frames with their names.
const TEXT_MAX: usize = 64 << 10;
/// What the engine may have besides.
const ENGINE_MEMORY: u64 = 1 << 30;

/// Runs one input.
pub fn fuzz(data: &[u8]) {
    if let Some(case) = crate::input(data) {
        run(&case, false);
    }
}

/// Runs one case; `watched` as in [`Mock::watched`].
///
/// # Panics
///
/// When something does not hold.
pub fn run(case: &Case, watched: bool) {
    let mock = Mock::new(case.form, Scripted::new(&case.guest, case.boots));
    let mock = if watched { mock.watched() } else { mock };
    let max_memory = u64::from(case.memory) * GRANULE;
    let world = WasiConfig::new()
        .args(["program", "argument"])
        .env("NAME", "value")
        .stdin(Stdin::Bytes(b"input".to_vec()))
        .stdout(Output::Capture(OutputBuffer::new(4096)));
    let engine = if case.native { EngineKind::Native } else { EngineKind::Interp };
    let builder = Builder::default().engine(engine).max_memory(max_memory).wasi(world);
    let mut owner = Owner::new(builder.build_on(&mock).expect("a VM can be made here"));
    owner.vm().set_deadline(Some(Instant::now() + DEADLINE));
    for action in case.owner.iter().take(ACTIONS) {
        match owner.act(action) {
            Ok(()) => tell(&mock, action),
            Err(error) => check_text(&error),
        }
        let usage = owner.vm().usage();
        assert!(usage.mapped <= usage.peak && usage.peak <= max_memory + ENGINE_MEMORY);
    }
}

/// Tells the guest's stand-in which guest it is from now on: it looks after what it has.
fn tell(mock: &Mock<Scripted>, done: &Action) {
    let mut guest = mock.guest().lock().expect("no panic is survived");
    match done {
        Action::Snapshot => guest.keep(),
        Action::Restore => guest.go_on(),
        Action::Reset => guest.begin_anew(),
        _ => {}
    }
}

/// What a guest says is data: no text of it moves a terminal, or fills one.
fn check_text(error: &Error) {
    let text = error.to_string();
    assert!(text.len() <= TEXT_MAX, "{} bytes of text", text.len());
    let moves = |c: char| c.is_control() && c != '\n';
    assert!(!text.contains(moves), "not for a terminal: {text:?}");
}

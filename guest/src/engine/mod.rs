//! Wasm engines behind one face. An image holds one of them.

mod answers;
#[cfg(feature = "interp")]
mod interp;
mod limits;
mod names;
#[cfg(feature = "native")]
mod native;

#[cfg(all(feature = "interp", not(feature = "native")))]
pub use interp::Interp as Chosen;
#[cfg(all(feature = "native", not(feature = "interp")))]
pub use native::{Native as Chosen, on_fault};
#[cfg(all(feature = "interp", feature = "native"))]
compile_error!("an image holds one engine: `interp` or `native`");
#[cfg(not(any(feature = "interp", feature = "native")))]
compile_error!("an image needs an engine: `interp` or `native`");

use crate::hostcall::{Answer, Payload};
use alloc::borrow::ToOwned as _;
use alloc::string::String;
use wrt_abi::wire::Reader;
use wrt_abi::{EngineKind, Reply};

/// What [`Engine::load`] is to take.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Guest-virtual address of the module's or the artefact's first byte.
    pub address: u64,
    /// Its length in bytes.
    pub len: u64,
    /// Bytes that all linear memories together may take.
    pub memory_limit: u64,
    /// What compiled code may use of this processor: `wrt_abi::cpu::CpuFeatures`.
    #[cfg_attr(feature = "interp", expect(dead_code, reason = "an interpreter makes no code"))]
    pub cpu_features: u64,
}

impl Load {
    /// The bytes, if they are in the address space.
    ///
    /// # Safety
    ///
    /// The host has mapped them, and leaves them for `'a`.
    unsafe fn bytes<'a>(&self) -> Option<&'a [u8]> {
        let (address, len) = (usize::try_from(self.address).ok()?, usize::try_from(self.len).ok()?);
        // SAFETY: the caller's promise. Were they missing, the fault would end this VM and
        // nothing else.
        Some(unsafe {
            core::slice::from_raw_parts(core::ptr::with_exposed_provenance::<u8>(address), len)
        })
    }
}

/// Numbers are `u32` on the wire; tables are far shorter, since each entry took an exit.
fn number_of<T>(table: &[T]) -> u32 {
    u32::try_from(table.len()).unwrap_or(u32::MAX)
}

fn name_in(payload: &mut Payload, len: usize) -> Option<String> {
    Some(core::str::from_utf8(payload.bytes().get(..len)?).ok()?.to_owned())
}

/// Runs `_start` of a module's instance.
fn run_start(engine: &mut impl Engine, instance: u64, payload: &mut Payload) -> Answer {
    let name = b"_start";
    payload.bytes()[..name.len()].copy_from_slice(name);
    let found = engine.find_function(instance, name.len(), payload);
    if found.reply != Reply::Ok {
        return found;
    }
    // The answer has the function's type, which begins with the count of its parameters.
    if Reader::new(payload.bytes()).u32() != Ok(0) {
        let reason = "the function `_start` of a program takes no parameters";
        return answers::with_text(payload, Reply::TypeMismatch, [0; 3], reason);
    }
    engine.call(found.words[0], 0, payload)
}

/// What an engine does, one function a [`wrt_abi::Command`]; numbers are those that earlier
/// answers gave out. A wrong number or name is an answer like any other. The payload is, on
/// the way in, what the command brought; on the way out, what the answer takes along.
pub trait Engine {
    /// Which engine this is.
    const KIND: EngineKind;

    /// Takes a module, validating it where it was not compiled before.
    fn load(&mut self, load: Load, payload: &mut Payload) -> Answer;
    /// Finds out which proposals a module needs.
    fn examine(&mut self, _load: Load, payload: &mut Payload) -> Answer {
        answers::failed(payload, "this engine does not examine modules")
    }
    /// Instantiates a module and runs its start function.
    fn instantiate(&mut self, module: u64, payload: &mut Payload) -> Answer;
    /// Runs an instance as a program.
    fn run(&mut self, instance: u64, payload: &mut Payload) -> Answer;
    /// Finds an exported function.
    fn find_function(&mut self, instance: u64, name: usize, payload: &mut Payload) -> Answer;
    /// Calls a function with `count` values.
    fn call(&mut self, function: u64, count: u64, payload: &mut Payload) -> Answer;
    /// Finds an exported memory.
    fn find_memory(&mut self, instance: u64, name: usize, payload: &mut Payload) -> Answer;
    /// Says where a memory is now.
    fn locate_memory(&mut self, memory: u64) -> Answer;
    /// Reads an exported global.
    fn read_global(&mut self, instance: u64, name: usize, payload: &mut Payload) -> Answer;
    /// Offers an instance's exports to later instantiations.
    fn register(&mut self, instance: u64, name: usize, payload: &mut Payload) -> Answer;
    /// Lists an instance's exports from the one numbered `first`.
    fn list_exports(&mut self, instance: u64, first: u64, payload: &mut Payload) -> Answer;
    /// Says whether the program was ever refused memory.
    fn was_refused_memory(&self) -> bool;
}

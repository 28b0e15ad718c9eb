//! Wasm engines behind one face.

pub mod interp;

use crate::hostcall::{Answer, Payload};
use wrt_abi::EngineKind;

/// What an engine does, one function a [`wrt_abi::Command`]; numbers are those that earlier
/// answers gave out. A wrong number or name is an answer like any other. The payload is, on
/// the way in, what the command brought; on the way out, what the answer takes along.
pub trait Engine {
    /// Which engine this is.
    const KIND: EngineKind;

    /// Compiles and validates the module whose bytes are at `address`, with at most
    /// `memory_limit` bytes for all linear memories together.
    fn load(&mut self, address: u64, len: u64, memory_limit: u64, payload: &mut Payload) -> Answer;
    /// Instantiates a module and runs its start function.
    fn instantiate(&mut self, module: u64, payload: &mut Payload) -> Answer;
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
}

//! Services of the host, as far as engines do not matter.
//!
//! An engine links what a module imports, and hands each call on with its caller's memory and
//! its arguments as words. A call is one exit, unless the kernel knows the answer.

use crate::ahead;
use crate::hostcall;
use alloc::string::String;
use core::sync::atomic::{AtomicU64, Ordering};
use wrt_abi::LogLevel;
use wrt_abi::services::log::FunctionId;
use wrt_abi::services::{Arguments, Import, ServiceId};
use wrt_abi::value::ValueType;

/// Why a call does not return.
pub enum Refusal {
    /// The program asked to exit with this code.
    Exit(i32),
    /// An argument leads out of the memory: the caller must trap.
    OutOfBounds,
    /// The caller must trap, for this reason.
    Message(String),
}

/// The highest level that lines are wanted of, as the host said with the latest module.
static LOG_LEVEL: AtomicU64 = AtomicU64::new(0);

/// Lines of higher levels than this are not sent from now on.
pub fn set_log_level(highest: u64) {
    LOG_LEVEL.store(highest, Ordering::Relaxed);
}

/// The type of a function's sizes, for an import whose parameters are told by `is_i64`.
pub fn size(import: Import, is_i64: impl FnOnce(usize) -> bool) -> ValueType {
    match import.function().first_size() {
        Some(parameter) if is_i64(parameter) => ValueType::I64,
        _ => ValueType::I32,
    }
}

/// Calls a function on the caller's memory; returns the bits of its result, if it has one.
pub fn call(import: Import, memory: &mut [u8], arguments: &Arguments) -> Result<u64, Refusal> {
    match known(import, memory, arguments) {
        Some(bits) => Ok(bits),
        None => hostcall::service(import, memory, arguments),
    }
}

/// What the kernel knows without an exit. Without an answer, the kernel is ready for one.
fn known(import: Import, memory: &mut [u8], arguments: &Arguments) -> Option<u64> {
    let service = import.service();
    if service == ServiceId::Wasi {
        return ahead::serve(import, memory, arguments);
    }
    if service == ServiceId::Log
        && let Some(bits) = without_listener(import, memory, arguments)
    {
        return Some(bits);
    }
    // Vectors are computed in the program's memory: nothing is told or learnt.
    if service != ServiceId::Vector {
        ahead::end();
    }
    None
}

/// Answers a call of `wrt_log` that concerns no line that is wanted. Errors are the host's to tell.
fn without_listener(import: Import, memory: &[u8], arguments: &Arguments) -> Option<u64> {
    let [level, text, len, ..] = *arguments;
    let level = LogLevel::try_from(level);
    let is_wanted = |level| level as u64 <= LOG_LEVEL.load(Ordering::Relaxed);
    match (FunctionId::of(import)?, level) {
        (FunctionId::Enabled, level) => Some(level.is_ok_and(is_wanted).into()),
        (FunctionId::Log, Ok(level)) if !is_wanted(level) => {
            let (at, len) = (usize::try_from(text).ok()?, usize::try_from(len).ok()?);
            memory.get(at..at.checked_add(len)?).map(|_| 0)
        }
        (FunctionId::Log, _) => None,
    }
}

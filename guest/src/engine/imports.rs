//! Import modules of wrt-vm's own, `wrt_vec` and `wrt_log`, as far as engines do not matter.
//!
//! An engine links what a module imports, and hands each call on with its caller's memory and
//! its arguments as words.

use crate::hostcall::{self, VectorOutcome};
use alloc::format;
use alloc::string::String;
use core::sync::atomic::{AtomicU64, Ordering};
use wrt_abi::imports::Function;
use wrt_abi::mailbox::REQUEST_ARGS;
use wrt_abi::value::ValueType;
use wrt_abi::vector::FIRST_ARGUMENT;
use wrt_abi::{LogLevel, log, vector};

/// A function that a module may import.
#[derive(Clone, Copy, Debug)]
pub enum Import {
    /// Of `wrt_vec`, by its index.
    Vector(usize),
    /// Of `wrt_log`: `log`.
    Log,
    /// Of `wrt_log`: `enabled`.
    LogEnabled,
}

/// Why a call must trap.
pub enum Refusal {
    /// It reached out of the memory.
    OutOfBounds,
    /// What was asked for makes no sense.
    Message(String),
}

/// The highest level that lines are wanted of, as the host said with the latest module.
static LOG_LEVEL: AtomicU64 = AtomicU64::new(0);

/// Lines of higher levels than this are not sent from now on.
pub fn set_log_level(highest: u64) {
    LOG_LEVEL.store(highest, Ordering::Relaxed);
}

fn is_enabled(level: LogLevel) -> bool {
    level as u64 <= LOG_LEVEL.load(Ordering::Relaxed)
}

impl Import {
    /// What a module names by an import, if it is one of these.
    pub fn find(module: &str, name: &str) -> Option<Self> {
        match module {
            vector::MODULE => {
                vector::FUNCTIONS.iter().position(|f| f.name == name).map(Self::Vector)
            }
            log::MODULE if name == log::LOG.name => Some(Self::Log),
            log::MODULE if name == log::ENABLED.name => Some(Self::LogEnabled),
            _ => None,
        }
    }

    /// Its types.
    pub fn function(self) -> &'static Function {
        match self {
            Self::Vector(index) => &vector::FUNCTIONS[index],
            Self::Log => &log::LOG,
            Self::LogEnabled => &log::ENABLED,
        }
    }

    /// The type of its sizes for an import whose parameters are told by `is_i64`.
    pub fn size(self, is_i64: impl FnOnce(usize) -> bool) -> ValueType {
        match self.function().first_size() {
            Some(parameter) if is_i64(parameter) => ValueType::I64,
            _ => ValueType::I32,
        }
    }

    /// Serves a call; returns the bits of its result, if it has one.
    ///
    /// The host reads and writes `memory` in the meantime. An argument is a word, an `i32` of it
    /// without its sign, a float its bits; those that the function does not have are zero.
    pub fn call(self, memory: &mut [u8], arguments: [u64; ARGUMENTS]) -> Result<u64, Refusal> {
        match self {
            Self::Vector(index) => {
                let mut args = [0; REQUEST_ARGS];
                args[0] = index as u64;
                args[1] = memory.as_mut_ptr().expose_provenance() as u64;
                args[2] = memory.len() as u64;
                args[FIRST_ARGUMENT..].copy_from_slice(&arguments);
                match hostcall::vector(args) {
                    VectorOutcome::Returned(bits) => Ok(bits),
                    VectorOutcome::OutOfBounds => Err(Refusal::OutOfBounds),
                    VectorOutcome::Trap(len) => Err(Refusal::Message(hostcall::message(len))),
                }
            }
            Self::Log => {
                let [number, text, len, ..] = arguments;
                let Ok(level) = LogLevel::try_from(number) else {
                    return Err(Refusal::Message(format!("{}: no level {number}", log::MODULE)));
                };
                let text = slice(memory, text, len).ok_or(Refusal::OutOfBounds)?;
                if is_enabled(level) {
                    hostcall::log(level, text);
                }
                Ok(0)
            }
            Self::LogEnabled => Ok(LogLevel::try_from(arguments[0]).is_ok_and(is_enabled).into()),
        }
    }
}

/// Words of arguments that a call takes at most.
pub const ARGUMENTS: usize = REQUEST_ARGS - FIRST_ARGUMENT;

fn slice(memory: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    let (at, len) = (usize::try_from(at).ok()?, usize::try_from(len).ok()?);
    memory.get(at..at.checked_add(len)?)
}

//! Waiting, for times and for standard input.

use super::STDIN;
use crate::engine::native::component::Wasi;
use crate::engine::native::component::bindings::wasi::io::poll;
use alloc::vec::Vec;
use wasmtime::component::Resource;
use wasmtime::{Error, Result};
use wrt_abi::services::wasi::Clockid;

/// What can be waited for.
#[derive(Clone, Copy, Debug)]
pub enum Pollable {
    /// What has happened.
    Ready,
    /// A time of the monotonic clock.
    Clock(u64),
    /// Something to read on standard input, or its end.
    Stdin,
}

impl poll::Host for Wasi {
    fn poll(&mut self, pollables: Vec<Resource<Pollable>>) -> Result<Vec<u32>> {
        if pollables.is_empty() {
            return Err(Error::msg("empty poll list"));
        }
        let pollables = pollables
            .iter()
            .map(|pollable| self.table.get(pollable).copied())
            .collect::<Result<Vec<Pollable>, _>>()?;
        self.wait_for(&pollables)
    }
}

impl Wasi {
    /// Waits until something has happened; returns the places of all that has.
    fn wait_for(&mut self, pollables: &[Pollable]) -> Result<Vec<u32>> {
        let happened = |pollables: &[Pollable], now: u64, input: bool| -> Vec<u32> {
            let ready = pollables.iter().zip(0..).filter(|(pollable, _)| match pollable {
                Pollable::Ready => true,
                Pollable::Clock(deadline) => *deadline <= now,
                Pollable::Stdin => input,
            });
            ready.map(|(_, place)| place).collect()
        };
        let has_stdin = pollables.iter().any(|pollable| matches!(pollable, Pollable::Stdin));
        let deadlines = pollables.iter().filter_map(|pollable| match pollable {
            Pollable::Clock(deadline) => Some(*deadline),
            // A time that was: the wait only looks.
            Pollable::Ready => Some(0),
            Pollable::Stdin => None,
        });
        let earliest = deadlines.min();
        loop {
            let stdin = has_stdin.then_some(STDIN);
            // One that only looks at what is ready needs no look at the host.
            let input = match (earliest, stdin) {
                (Some(0), None) => false,
                _ => self.host.wait(earliest, stdin)?,
            };
            let has_clock = pollables.iter().any(|pollable| matches!(pollable, Pollable::Clock(_)));
            let now = if has_clock { self.host.now(Clockid::Monotonic)? } else { 0 };
            let ready = happened(pollables, now, input);
            if !ready.is_empty() {
                return Ok(ready);
            }
        }
    }
}

impl poll::HostPollable for Wasi {
    fn ready(&mut self, pollable: Resource<Pollable>) -> Result<bool> {
        Ok(match *self.table.get(&pollable)? {
            Pollable::Ready => true,
            Pollable::Clock(deadline) => deadline <= self.host.now(Clockid::Monotonic)?,
            Pollable::Stdin => self.host.wait(Some(0), Some(STDIN))?,
        })
    }

    fn block(&mut self, pollable: Resource<Pollable>) -> Result<()> {
        let pollable = *self.table.get(&pollable)?;
        self.wait_for(&[pollable])?;
        Ok(())
    }

    fn drop(&mut self, pollable: Resource<Pollable>) -> Result<()> {
        self.table.delete(pollable)?;
        Ok(())
    }
}

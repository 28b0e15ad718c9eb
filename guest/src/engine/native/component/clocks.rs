//! `wasi:clocks`.

use super::Wasi;
use super::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use super::io::Pollable;
use wall_clock::Datetime;
use wasmtime::Result;
use wasmtime::component::Resource;
use wrt_abi::services::wasi::{Clockid, Errno};

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// Nanoseconds since 1970 as seconds and the rest.
pub fn datetime(nanoseconds: u64) -> Datetime {
    // The rest of a division by less than 2^32.
    Datetime { seconds: nanoseconds / SECOND, nanoseconds: (nanoseconds % SECOND) as u32 }
}

/// The same in nanoseconds, of which preview 1 can count 584 years.
pub fn nanoseconds(time: Datetime) -> core::result::Result<u64, Errno> {
    time.seconds
        .checked_mul(SECOND)
        .and_then(|nanoseconds| nanoseconds.checked_add(time.nanoseconds.into()))
        .ok_or(Errno::Overflow)
}

impl monotonic_clock::Host for Wasi {
    fn now(&mut self) -> Result<u64> {
        Ok(self.host.now(Clockid::Monotonic)?)
    }

    fn resolution(&mut self) -> Result<u64> {
        Ok(self.host.resolution(Clockid::Monotonic)?)
    }

    fn subscribe_instant(&mut self, when: u64) -> Result<Resource<Pollable>> {
        Ok(self.table.push(Pollable::Clock(when))?)
    }

    fn subscribe_duration(&mut self, duration: u64) -> Result<Resource<Pollable>> {
        let now = self.host.now(Clockid::Monotonic)?;
        self.subscribe_instant(now.saturating_add(duration))
    }
}

impl wall_clock::Host for Wasi {
    fn now(&mut self) -> Result<Datetime> {
        Ok(datetime(self.host.now(Clockid::Realtime)?))
    }

    fn resolution(&mut self) -> Result<Datetime> {
        Ok(datetime(self.host.resolution(Clockid::Realtime)?))
    }
}

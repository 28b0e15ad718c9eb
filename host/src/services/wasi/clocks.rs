//! `clock_res_get` and `clock_time_get`: of the realtime clock and a monotonic one.

use super::call::Call;
use super::errno::Result;
use super::memory::Place;
use rustix::time::{ClockId, clock_getres};
use std::time::{Duration, Instant, SystemTime};
use wrt_abi::services::wasi::{Clockid, Errno};

/// The clocks of one VM.
#[derive(Debug)]
pub(super) struct Clocks {
    /// What the monotonic clock counts from: how long the machine runs is not the program's to know.
    start: Instant,
}

impl Clocks {
    /// The monotonic clock begins at 0.
    pub(super) fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// What a clock shows, in nanoseconds. Times before 1970 are 0.
    pub(super) fn now(&self, id: Clockid) -> Result<u64> {
        let time = match id {
            Clockid::Realtime => {
                SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
            }
            Clockid::Monotonic => self.start.elapsed(),
            Clockid::ProcessCputimeId | Clockid::ThreadCputimeId => {
                return Err(Errno::Badf.into());
            }
        };
        nanoseconds(time)
    }
}

fn resolution(id: Clockid) -> Result<u64> {
    let id = match id {
        Clockid::Realtime => ClockId::Realtime,
        Clockid::Monotonic => ClockId::Monotonic,
        Clockid::ProcessCputimeId | Clockid::ThreadCputimeId => return Err(Errno::Badf.into()),
    };
    let time = Duration::try_from(clock_getres(id)).map_err(|_| Errno::Overflow)?;
    nanoseconds(time)
}

fn nanoseconds(time: Duration) -> Result<u64> {
    Ok(time.as_nanos().try_into()?)
}

impl Call<'_> {
    pub(super) fn clock_res_get(&mut self, id: Clockid, result: Place<u64>) -> Result<()> {
        self.memory.write(result, &resolution(id)?)
    }

    pub(super) fn clock_time_get(
        &mut self,
        id: Clockid,
        _precision: u64,
        result: Place<u64>,
    ) -> Result<()> {
        self.memory.write(result, &self.wasi.clocks.now(id)?)
    }
}

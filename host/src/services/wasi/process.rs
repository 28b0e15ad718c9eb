//! `proc_exit`, `proc_raise`, `sched_yield`.

use super::call::Call;
use super::errno::{Failed, Result};
use wrt_abi::services::wasi::{Errno, Signal};

impl Call<'_> {
    /// Ends the program. Wasmtime takes codes below 126 alone.
    pub(super) fn proc_exit(&mut self, code: u32) -> Result<()> {
        Err(Failed::Exit(code.cast_signed()))
    }

    pub(super) fn proc_raise(&mut self, _signal: Signal) -> Result<()> {
        Err(Errno::Notsup.into())
    }

    /// There is no other thread of the program to yield to.
    pub(super) fn sched_yield(&mut self) -> Result<()> {
        Ok(())
    }
}

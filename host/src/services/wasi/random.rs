//! `random_get`: the system's random bytes.

use super::call::Call;
use super::errno::{Result, go_on};
use super::memory::Bytes;
use wrt_abi::services::wasi::Errno;

/// Bytes that the system makes at a time. Between two times a call can be interrupted.
const AT_ONCE: usize = 64 << 10;

impl Call<'_> {
    pub(super) fn random_get(&mut self, bytes: Bytes) -> Result<()> {
        for some in self.memory.bytes_mut(bytes)?.chunks_mut(AT_ONCE) {
            go_on(self.cancel)?;
            getrandom::fill(some).map_err(|_| Errno::Io)?;
        }
        Ok(())
    }
}

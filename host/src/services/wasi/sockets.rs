//! `sock_accept`, `sock_recv`, `sock_send`, `sock_shutdown`: no descriptor is a socket.

use super::call::{Call, Fd};
use super::errno::Result;
use super::memory::List;
use wrt_abi::services::wasi::{Errno, Fdflags, Iovec, Riflags, Sdflags};

impl Call<'_> {
    pub(super) fn sock_accept(&mut self, fd: Fd, _flags: Fdflags) -> Result<()> {
        self.refuse_socket(fd)
    }

    pub(super) fn sock_recv(&mut self, fd: Fd, _to: List<Iovec>, _flags: Riflags) -> Result<()> {
        self.refuse_socket(fd)
    }

    /// Of its flags any would do.
    pub(super) fn sock_send(&mut self, fd: Fd, _from: List<Iovec>, _flags: u16) -> Result<()> {
        self.refuse_socket(fd)
    }

    pub(super) fn sock_shutdown(&mut self, fd: Fd, _how: Sdflags) -> Result<()> {
        self.refuse_socket(fd)
    }

    fn refuse_socket(&self, fd: Fd) -> Result<()> {
        self.wasi.descriptors.get(fd)?;
        Err(Errno::Notsock.into())
    }
}

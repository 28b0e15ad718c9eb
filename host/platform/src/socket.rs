//! Sockets whose other end may be gone.

use rustix::net::SendFlags;
use std::os::fd::AsFd;

/// Flags of a send that fails when nobody is there, rather than end the process by a signal.
#[cfg(target_os = "linux")]
pub const SEND: SendFlags = SendFlags::NOSIGNAL;
/// macOS has this as a property of the socket: see [`send_without_signal`].
#[cfg(target_os = "macos")]
pub const SEND: SendFlags = SendFlags::empty();

/// Prepares a socket for sends with [`SEND`]. Best effort: a socket whose other end is gone
/// already may refuse it.
pub fn send_without_signal(socket: impl AsFd) {
    #[cfg(target_os = "macos")]
    let _ = rustix::net::sockopt::set_socket_nosigpipe(socket, true);
    #[cfg(target_os = "linux")]
    let _ = socket;
}

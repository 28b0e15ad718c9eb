//! Calls about mounts, for which the C library has no functions (`open_tree(2)`, `fsopen(2)`,
//! `fsmount(2)`, `move_mount(2)`, `mount_setattr(2)`).

use std::ffi::{CStr, c_int, c_long};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

// `linux/mount.h`.
const OPEN_TREE_CLONE: u32 = 1;
const OPEN_TREE_CLOEXEC: u32 = libc::O_CLOEXEC.cast_unsigned();
const FSOPEN_CLOEXEC: u32 = 1;
const FSMOUNT_CLOEXEC: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;
const MOVE_MOUNT_F_EMPTY_PATH: u32 = 4;
const ATTR_RDONLY: u32 = 1;
const ATTR_NOSUID: u32 = 2;
const ATTR_NODEV: u32 = 4;
const ATTR_NOEXEC: u32 = 8;
// `linux/fcntl.h`.
const AT_RECURSIVE: u32 = 0x8000;

/// What a call returned, as a result.
fn checked(returned: c_long) -> io::Result<c_int> {
    match c_int::try_from(returned) {
        Ok(number) if number >= 0 => Ok(number),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A descriptor that a call has made.
fn descriptor(returned: c_long) -> io::Result<OwnedFd> {
    let number = checked(returned)?;
    // SAFETY: the kernel has just made it, for this caller alone.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A mount of its own, attached nowhere, of what has this path, with the mounts below it. Its
/// root is that file or directory: `..` leads no higher.
pub(super) fn copy_of_tree(path: &CStr) -> io::Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
    // SAFETY: the string ends with NUL and outlives the call.
    descriptor(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })
}

/// Keeps a mount that is attached nowhere, and those below it, from being written by anyone who
/// has it.
pub(super) fn make_read_only(tree: BorrowedFd<'_>) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: ATTR_RDONLY.into(),
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let flags = AT_RECURSIVE | libc::AT_EMPTY_PATH.cast_unsigned();
    // SAFETY: an empty string with its end, and a structure of the size that is named; both
    // outlive the call, which writes neither.
    checked(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    })?;
    Ok(())
}

/// An empty file system that stays empty, mounted nowhere yet.
pub(super) fn empty_file_system() -> io::Result<OwnedFd> {
    let none: *const u8 = std::ptr::null();
    let attributes = ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC;
    // SAFETY: a string with its end, descriptors that outlive the calls, and null pointers where
    // `fsconfig(2)` wants them.
    unsafe {
        let context =
            descriptor(libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), FSOPEN_CLOEXEC))?;
        let context = context.as_raw_fd();
        checked(libc::syscall(libc::SYS_fsconfig, context, FSCONFIG_CMD_CREATE, none, none, 0))?;
        descriptor(libc::syscall(libc::SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes))
    }
}

/// Mounts it over the root directory.
pub(super) fn cover_root(mount: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: strings with their ends, and a descriptor that outlives the call.
    checked(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            c"/".as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        )
    })?;
    Ok(())
}

/// Keeps what this namespace mounts and unmounts from all other namespaces.
pub(super) fn make_private() -> io::Result<()> {
    let none = std::ptr::null();
    let flags = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: a string with its end, and null where `mount(2)` says that nothing is looked at.
    checked(unsafe { libc::mount(none, c"/".as_ptr(), none, flags, none.cast()) }.into())?;
    Ok(())
}

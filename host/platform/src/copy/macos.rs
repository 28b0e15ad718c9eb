//! macOS: pages that Mach copies when either side writes.

use mach2::kern_return::KERN_SUCCESS;
use mach2::traps::mach_task_self;
use mach2::vm::{mach_vm_allocate, mach_vm_deallocate, mach_vm_remap};
use mach2::vm_inherit::VM_INHERIT_NONE;
use mach2::vm_statistics::VM_FLAGS_ANYWHERE;
use std::io;

/// An image, of which nobody has a mutable borrow once it is made.
#[derive(Debug)]
pub(super) struct Image(Pages);

/// Pages of this task.
#[derive(Debug)]
pub(super) struct Pages {
    start: u64,
    len: usize,
}

fn failed(code: i32) -> io::Error {
    io::Error::other(format!("Mach says {code}"))
}

impl Image {
    pub(super) fn new(bytes: &[u8]) -> io::Result<Self> {
        let mut start = 0;
        let len = bytes.len().max(1);
        // SAFETY: `mach/mach_vm.h`: new zeroed pages at an address of the kernel's choice.
        let code = unsafe {
            mach_vm_allocate(mach_task_self(), &raw mut start, len as u64, VM_FLAGS_ANYWHERE)
        };
        if code != KERN_SUCCESS {
            return Err(failed(code));
        }
        let mut pages = Pages { start, len };
        pages.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        Ok(Self(pages))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    pub(super) fn copy(&self) -> io::Result<Pages> {
        let (mut start, mut current, mut maximum) = (0, 0, 0);
        // SAFETY: `mach/mach_vm.h`: with `copy` set, a copy-on-write copy of this image's
        // pages at an address of the kernel's choice; writes three values.
        let code = unsafe {
            mach_vm_remap(
                mach_task_self(),
                &raw mut start,
                self.0.len as u64,
                0,
                VM_FLAGS_ANYWHERE,
                mach_task_self(),
                self.0.start,
                1,
                &raw mut current,
                &raw mut maximum,
                VM_INHERIT_NONE,
            )
        };
        match code {
            KERN_SUCCESS => Ok(Pages { start, len: self.0.len }),
            code => Err(failed(code)),
        }
    }
}

impl Pages {
    fn as_ptr(&self) -> *mut u8 {
        std::ptr::with_exposed_provenance_mut(usize::try_from(self.start).unwrap_or(0))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes of pages that are this value's alone.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.len) }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; a copy keeps the source's protection, which is read and write.
        unsafe { std::slice::from_raw_parts_mut(self.as_ptr(), self.len) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the pages are this value's, which nobody has any more.
        unsafe { mach_vm_deallocate(mach_task_self(), self.start, self.len as u64) };
    }
}

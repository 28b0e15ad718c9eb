//! Canaries: pages right before and right behind a guest's memory, which nobody writes.

use super::maps::{self, Process, Span};
use anyhow::{Result, bail, ensure};
use std::fs::File;
use std::os::unix::fs::FileExt as _;

const PAGE: usize = 4096;
/// What they hold.
const SONG: u8 = 0xca;

/// The canaries of one VM.
#[derive(Default)]
pub(crate) struct Canaries {
    own: Vec<u64>,
    /// Those of an earlier VM of the attack's, in whose place this one is.
    others: Vec<u64>,
}

impl Canaries {
    /// Has `make` make a VM, and places canaries around the memory that it got.
    pub(crate) fn around<T>(make: impl FnOnce() -> Result<T>) -> Result<(T, Self)> {
        let before = maps::read(Process::This)?;
        let made = make()?;
        let mut canaries = Self::default();
        let spans = maps::new_since(&before, &maps::read(Process::This)?);
        ensure!(!spans.is_empty(), "no memory of the guest was found");
        for Span { start, end, .. } in spans {
            canaries.place(start - PAGE as u64);
            canaries.place(end);
        }
        Ok((made, canaries))
    }

    /// Places one, unless something is there: with a thread of its own, a VM may lie between
    /// stacks and heaps.
    fn place(&mut self, at: u64) {
        let address = std::ptr::without_provenance_mut(usize::try_from(at).unwrap_or(0));
        let (protection, flags) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE,
        );
        // SAFETY: a new mapping, which replaces none.
        let mapped = unsafe { libc::mmap(address, PAGE, protection, flags, -1, 0) };
        if mapped == libc::MAP_FAILED {
            if check(&[at]).is_ok() {
                self.others.push(at);
            }
            return;
        }
        // SAFETY: just mapped, and nobody else's.
        unsafe { mapped.cast::<u8>().write_bytes(SONG, PAGE) };
        self.own.push(at);
    }

    /// Whether all of them are as they were.
    pub(crate) fn check(&self) -> Result<()> {
        check(&self.own)?;
        check(&self.others)
    }
}

/// Whether there are canaries at all of these addresses.
fn check(places: &[u64]) -> Result<()> {
    let memory = File::open("/proc/self/mem")?;
    for &at in places {
        let mut page = [0; PAGE];
        memory.read_exact_at(&mut page, at)?;
        if let Some(offset) = page.iter().position(|&byte| byte != SONG) {
            bail!("the canary at {at:#x} was changed, {offset} bytes from its start");
        }
    }
    Ok(())
}

impl Drop for Canaries {
    fn drop(&mut self) {
        for &at in &self.own {
            let address = std::ptr::without_provenance_mut(usize::try_from(at).unwrap_or(0));
            // SAFETY: a page of our own, which nothing refers to.
            unsafe { libc::munmap(address, PAGE) };
        }
    }
}

//! Guests that others go on from: memory that is kept, and shared until it is written.
//!
//! Between two commands a guest is its memory and nothing else: its stack holds nothing, its
//! registers matter to nobody, and its engine is in its data. So a guest can boot in the memory of
//! another one, and go on with the modules and instances that that had. What it may write is
//! the pages of an image, which all such guests share, and a page of its own for each that it
//! writes. Page tables and all else that a stub uses are made anew.
#![expect(clippy::cast_possible_truncation, reason = "usize has 64 bits: see lib.rs")]

use super::super::image::Image;
use super::regions::{Content, Region};
use super::{GuestMemory, MemoryRefused};
use std::collections::VecDeque;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use wrt_abi::layout::REGION_MAX;
use wrt_hypervisor::{Gva, Vm};
use wrt_platform::memory::{AllocError, Image as Pages, Protection, Reservation, SharedBytes};

/// Ranges of one stretch of memory that are shown one by one, at most: a guest chooses them.
const RUNS_MAX: usize = 1024;

/// The memory of a guest as it was between two commands.
#[derive(Debug)]
pub(crate) struct Prepared {
    image: &'static Image<'static>,
    stack_size: usize,
    data: Stretch,
    heap: Own,
    regions: Vec<(u64, KeptRegion)>,
    free: VecDeque<u64>,
}

/// A region.
#[derive(Debug)]
enum KeptRegion {
    /// Memory of the guest's own.
    Own(Own),
    /// A module's bytes.
    Shared {
        bytes: Arc<SharedBytes>,
        content: Content,
        /// What of it is executable.
        published: Vec<Range<u64>>,
    },
}

/// Memory of a guest's own that grows.
#[derive(Debug)]
struct Own {
    contents: Stretch,
    mapped: u64,
    backed: u64,
}

/// Bytes from some address on: pages where there is anything, zeros elsewhere.
#[derive(Debug, Default)]
struct Stretch {
    pages: Option<Pages>,
    /// Where there is anything; `pages` reaches to the end of the last.
    runs: Vec<Range<usize>>,
}

impl Prepared {
    /// Whether a guest of this image, with a stack of so many bytes, can go on from it.
    pub(crate) fn suits(&self, image: &'static Image<'static>, stack_size: usize) -> bool {
        std::ptr::eq(self.image, image) && self.stack_size == stack_size
    }

    /// Bytes that are kept: pages that hold anything.
    pub(crate) fn size(&self) -> u64 {
        self.own().map(|own| own.contents.size()).sum::<u64>() + self.data.size()
    }

    /// Bytes of heap and regions that are mapped.
    fn mapped(&self) -> u64 {
        self.own().map(|own| own.mapped).sum()
    }

    /// The heap, and regions of the guest's own.
    fn own(&self) -> impl Iterator<Item = &Own> {
        let regions = self.regions.iter().filter_map(|(_, kept)| match kept {
            KeptRegion::Own(own) => Some(own),
            KeptRegion::Shared { .. } => None,
        });
        std::iter::once(&self.heap).chain(regions)
    }
}

impl Stretch {
    /// Copies bytes.
    ///
    /// # Safety
    ///
    /// 1. They are committed, and nobody writes them meanwhile.
    unsafe fn capture(memory: &Reservation, at: usize, len: usize) -> Result<Self, MemoryRefused> {
        // SAFETY: by (1), and within the reservation, as its committed bytes are.
        let bytes = unsafe { std::slice::from_raw_parts(memory.base().add(at).as_ptr(), len) };
        let mut runs: Vec<_> = Pages::worth_showing(bytes).collect();
        let Some(end) = runs.last().map(|run| run.end) else { return Ok(Self::default()) };
        if runs.len() > RUNS_MAX {
            runs = std::iter::once(0..end).collect();
        }
        // SAFETY: by (1).
        let pages = unsafe { memory.capture(at, end) }.map_err(system)?;
        Ok(Self { pages: Some(pages), runs })
    }

    fn size(&self) -> u64 {
        self.runs.iter().map(|run| run.len() as u64).sum()
    }

    /// Shows the bytes from `at` on, in the place of memory that no VM has mapped.
    fn show(&self, memory: &Reservation, at: usize) -> Result<(), MemoryRefused> {
        let Some(pages) = &self.pages else { return Ok(()) };
        for run in &self.runs {
            let to = at + run.start;
            memory.show(to, pages, run.start, run.len(), Protection::ReadWrite)?;
        }
        Ok(())
    }

    /// Copies the bytes to memory that is zero.
    ///
    /// # Safety
    ///
    /// 1. As many bytes from `to` on as were captured are writable, and nobody uses them.
    unsafe fn copy(&self, to: NonNull<u8>) -> Result<(), MemoryRefused> {
        let Some(pages) = &self.pages else { return Ok(()) };
        for run in &self.runs {
            let from = Reservation::new(run.len())?;
            from.show(0, pages, run.start, run.len(), Protection::Read)?;
            // SAFETY: the view is readable and this function's; the other by (1).
            unsafe { to.add(run.start).copy_from_nonoverlapping(from.base(), run.len()) };
        }
        Ok(())
    }
}

impl GuestMemory {
    /// Keeps the memory of a guest that waits for a command, for others to go on from. What it
    /// holds is copied.
    pub(crate) fn prepare(
        &mut self,
        image: &'static Image<'static>,
    ) -> Result<Prepared, MemoryRefused> {
        let parts = self.parts;
        let keep = |region: &Region, memory: &Reservation, at: usize| {
            let Region { mapped, backed, .. } = *region;
            // SAFETY: (1) what is mapped is committed; `&mut self` keeps the vCPU stopped, and
            // no reference to its memory.
            let contents = unsafe { Stretch::capture(memory, at, mapped as usize) }?;
            Ok::<_, MemoryRefused>(Own { contents, mapped, backed })
        };
        let mut regions = Vec::with_capacity(self.regions.len());
        for (number, region) in &self.regions {
            let kept = match (&region.shared, &region.reservation) {
                (Some(bytes), _) => KeptRegion::Shared {
                    bytes: Arc::clone(bytes),
                    content: region.content,
                    published: region.published.clone(),
                },
                (None, Some(memory)) => KeptRegion::Own(keep(region, memory, 0)?),
                // Only the heap is like that.
                (None, None) => return Err(MemoryRefused::Unknown),
            };
            regions.push((*number, kept));
        }
        Ok(Prepared {
            image,
            stack_size: parts.stack_size,
            // SAFETY: (1) as above.
            data: unsafe { Stretch::capture(&self.backing.core, parts.data, parts.data_size) }?,
            heap: keep(&self.heap, &self.backing.core, parts.heap)?,
            regions,
            free: self.free.clone(),
        })
    }

    /// Whether pages of a prepared guest are shared until they are written. Where much is expected
    /// they are copied at once, to large pages: a fault for each page costs more than that.
    pub(super) fn shares_pages(&self, vm: &dyn Vm) -> bool {
        vm.takes_pages() && !self.backing.much_expected
    }

    /// Has the core's pages be those of a prepared guest's data and heap, before the VM gets it.
    pub(super) fn show_core(&self, prepared: &Prepared) -> Result<(), MemoryRefused> {
        prepared.data.show(&self.backing.core, self.parts.data)?;
        prepared.heap.contents.show(&self.backing.core, self.parts.heap)
    }

    /// Takes over the rest of what a prepared guest had. The core and the image are mapped.
    pub(super) fn take_over(
        &mut self,
        vm: &mut dyn Vm,
        prepared: &Prepared,
    ) -> Result<(), MemoryRefused> {
        self.backing.check_limit(prepared.mapped().saturating_sub(self.backing.mapped))?;
        let Own { contents, mapped, backed } = &prepared.heap;
        self.back_heap(vm, *backed, *mapped)?;
        if !self.shares_pages(vm) {
            // SAFETY: (1) the parts are committed and as long, and no vCPU runs.
            unsafe {
                prepared.data.copy(self.backing.core.base().add(self.parts.data))?;
                contents.copy(self.heap.host)?;
            }
        }
        self.free.clone_from(&prepared.free);
        for (number, kept) in &prepared.regions {
            match kept {
                KeptRegion::Own(own) => self.take_over_region(vm, *number, own)?,
                KeptRegion::Shared { bytes, content, published } => {
                    let gva = self.share_as(vm, *number, Arc::clone(bytes), *content)?;
                    for range in published {
                        self.publish(vm, Gva(gva.0 + range.start), range.end - range.start)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn take_over_region(
        &mut self,
        vm: &mut dyn Vm,
        number: u64,
        Own { contents, mapped, backed }: &Own,
    ) -> Result<(), MemoryRefused> {
        let memory = Reservation::new(REGION_MAX as usize)?;
        let host = memory.base();
        if self.shares_pages(vm) {
            contents.show(&memory, 0)?;
        }
        self.make_region(vm, number, memory, *backed, *mapped)?;
        if !self.shares_pages(vm) {
            // SAFETY: (1) what is mapped is committed, and no vCPU runs.
            unsafe { contents.copy(host) }?;
        }
        Ok(())
    }
}

fn system(error: AllocError) -> MemoryRefused {
    MemoryRefused::System(match error {
        AllocError::System { error, .. } => error,
        other => std::io::Error::other(other),
    })
}

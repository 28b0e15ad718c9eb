//! The program's own limits: bytes of all linear memories, entries of all tables.
//!
//! They give a program the answer that the specification wants (`memory.grow` returns -1).
//! The host bounds guest RAM on its own and trusts none of this.

/// Table entries in all; each takes 16 bytes.
const MAX_TABLE_ENTRIES: usize = 10_000_000;
/// Instances, tables and memories in one VM.
pub const MAX_ITEMS: usize = 10_000;

/// What is used of the limits, and what was refused last.
pub struct Limits {
    memory_limit: u64,
    memory_used: u64,
    table_entries: usize,
    last_growth: u64,
    refusal: Option<(u64, u64)>,
    refused_ever: bool,
}

impl Limits {
    /// Limits that refuse all memory until [`Self::set_limit`].
    pub fn new() -> Self {
        Self {
            memory_limit: 0,
            memory_used: 0,
            table_entries: 0,
            last_growth: 0,
            refusal: None,
            refused_ever: false,
        }
    }

    /// Bytes that all linear memories together may take.
    pub fn set_limit(&mut self, bytes: u64) {
        self.memory_limit = bytes;
    }

    /// Whether a memory was ever refused.
    pub fn refused_ever(&self) -> bool {
        self.refused_ever
    }

    fn refuse(&mut self, wanted: u64) {
        self.refusal = Some((wanted, self.memory_limit));
        self.refused_ever = true;
    }

    /// Forgets an earlier refusal.
    pub fn forget_refusal(&mut self) {
        self.refusal = None;
    }

    /// Bytes wanted and allowed at the latest refusal. A memory whose size no word can hold
    /// is refused without a word to this limiter.
    #[cfg(feature = "interp")]
    pub fn refusal(&self) -> (u64, u64) {
        self.refusal.unwrap_or((u64::MAX, self.memory_limit))
    }

    /// Bytes wanted and allowed, if a memory was refused since [`Self::forget_refusal`].
    #[cfg(feature = "native")]
    pub fn refused(&self) -> Option<(u64, u64)> {
        self.refusal
    }

    /// Whether a memory may grow from `current` to `desired` bytes.
    pub fn grow_memory(&mut self, current: usize, desired: usize) -> bool {
        let growth = desired.saturating_sub(current) as u64;
        let wanted = self.memory_used.saturating_add(growth);
        if wanted > self.memory_limit {
            self.refuse(wanted);
            return false;
        }
        self.memory_used = wanted;
        self.last_growth = growth;
        true
    }

    /// What was allowed last could not be had.
    pub fn memory_grow_failed(&mut self) {
        self.refuse(self.memory_used);
        self.memory_used -= core::mem::take(&mut self.last_growth);
    }

    /// Whether a table may grow from `current` to `desired` entries.
    pub fn grow_table(&mut self, current: usize, desired: usize) -> bool {
        let growth = desired.saturating_sub(current);
        let wanted = self.table_entries.saturating_add(growth);
        if wanted > MAX_TABLE_ENTRIES {
            return false;
        }
        self.table_entries = wanted;
        true
    }
}

//! The program's own limits: bytes of all linear memories, entries of all tables.
//!
//! They give a program the answer that the specification wants (`memory.grow` returns -1).
//! The host bounds guest RAM on its own and trusts none of this.

use wasmi::ResourceLimiter;
use wasmi::errors::MemoryError;
use wasmi_core::LimiterError;

/// Table entries in all; each takes 16 bytes.
const MAX_TABLE_ENTRIES: usize = 10_000_000;
/// Instances, tables and memories in one VM.
const MAX_ITEMS: usize = 10_000;

/// wasmi's limiter, and what it refused last.
pub struct Limits {
    memory_limit: u64,
    memory_used: u64,
    table_entries: usize,
    last_growth: u64,
    refusal: Option<(u64, u64)>,
}

impl Limits {
    /// Limits that refuse all memory until [`Self::set_limit`].
    pub fn new() -> Self {
        Self { memory_limit: 0, memory_used: 0, table_entries: 0, last_growth: 0, refusal: None }
    }

    /// Bytes that all linear memories together may take.
    pub fn set_limit(&mut self, bytes: u64) {
        self.memory_limit = bytes;
    }

    /// Forgets an earlier refusal.
    pub fn forget_refusal(&mut self) {
        self.refusal = None;
    }

    /// Bytes wanted and allowed at the latest refusal. A memory whose size no word can hold
    /// is refused without a word to this limiter.
    pub fn refusal(&self) -> (u64, u64) {
        self.refusal.unwrap_or((u64::MAX, self.memory_limit))
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        let growth = desired.saturating_sub(current) as u64;
        let wanted = self.memory_used.saturating_add(growth);
        if wanted > self.memory_limit {
            self.refusal = Some((wanted, self.memory_limit));
            return Ok(false);
        }
        self.memory_used = wanted;
        self.last_growth = growth;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: &MemoryError) -> Result<(), LimiterError> {
        // Called for our own refusals too, which took nothing.
        if !matches!(error, MemoryError::ResourceLimiterDeniedAllocation) {
            self.refusal = Some((self.memory_used, self.memory_limit));
            self.memory_used -= core::mem::take(&mut self.last_growth);
        }
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        let growth = desired.saturating_sub(current);
        let wanted = self.table_entries.saturating_add(growth);
        if wanted > MAX_TABLE_ENTRIES {
            return Ok(false);
        }
        self.table_entries = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_ITEMS
    }

    fn tables(&self) -> usize {
        MAX_ITEMS
    }

    fn memories(&self) -> usize {
        MAX_ITEMS
    }
}

//! [`Limits`] as wasmtime asks for them.

use crate::engine::limits::{Limits, MAX_ITEMS};
use wasmtime::{Error, ResourceLimiter, Result};

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        Ok(self.grow_memory(current, desired))
    }

    fn memory_grow_failed(&mut self, _: Error) -> Result<()> {
        Limits::memory_grow_failed(self);
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        Ok(self.grow_table(current, desired))
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

//! `wasi:random`. What may be insecure is as random as the rest.

use super::Wasi;
use super::bindings::wasi::random::{insecure, insecure_seed, random};
use alloc::vec;
use alloc::vec::Vec;
use wasmtime::{Error, Result};

/// The most bytes that a program gets at once.
const MOST: u64 = 64 << 20;

impl Wasi {
    fn random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        if len > MOST {
            return Err(Error::msg("more than 64 MiB of random bytes at once"));
        }
        // Within memory, as was just checked.
        let mut bytes = vec![0; len as usize];
        self.host.random(&mut bytes)?;
        Ok(bytes)
    }

    fn random_number(&mut self) -> Result<u64> {
        let mut bytes = [0; 8];
        self.host.random(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

impl random::Host for Wasi {
    fn get_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        self.random_bytes(len)
    }

    fn get_random_u64(&mut self) -> Result<u64> {
        self.random_number()
    }
}

impl insecure::Host for Wasi {
    fn get_insecure_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        self.random_bytes(len)
    }

    fn get_insecure_random_u64(&mut self) -> Result<u64> {
        self.random_number()
    }
}

impl insecure_seed::Host for Wasi {
    fn insecure_seed(&mut self) -> Result<(u64, u64)> {
        if let Some(seed) = self.seed {
            return Ok(seed);
        }
        let seed = (self.random_number()?, self.random_number()?);
        Ok(*self.seed.insert(seed))
    }
}

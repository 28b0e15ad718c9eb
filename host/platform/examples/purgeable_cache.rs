//! A cache that the system may empty, and that knows when it did.
//!
//!     cargo run -p wrt-platform --example purgeable_cache

use wrt_platform::memory::{AllocError, AllocatorBuilder, Purgeable, PurgeableState, purge_all};

fn main() -> Result<(), AllocError> {
    let allocator = AllocatorBuilder::new().with_purgeable_behavior(true).build()?;
    let mut cache = allocator.allocate_purgeable(1024)?;
    regenerate(&mut cache)?;

    cache.set_state(PurgeableState::Volatile)?;
    println!("volatile: {}", if cache.bytes().is_err() { "out of reach" } else { "in reach" });
    use_cache(&mut cache)?;

    println!("under pressure: {}", if purge_all() == cache.len() { "purged" } else { "kept" });
    use_cache(&mut cache)
}

/// Uses the cache, and makes its contents anew if they are gone.
fn use_cache(cache: &mut Purgeable) -> Result<(), AllocError> {
    let was_purged = cache.set_state(PurgeableState::NonVolatile)?;
    if was_purged {
        println!("the memory was purged: regenerating the cache");
        regenerate(cache)?;
    }
    let right = cache.bytes()?.iter().all(|byte| *byte == 42);
    println!("the cache is {}", if right { "right" } else { "wrong" });
    cache.set_state(PurgeableState::Volatile)?;
    Ok(())
}

fn regenerate(cache: &mut Purgeable) -> Result<(), AllocError> {
    cache.bytes_mut()?.fill(42);
    Ok(())
}

//! Random numbers of all kinds.

use std::collections::{HashMap, HashSet};
use wasip2::random::{insecure, insecure_seed, random};

fn main() {
    let (one, other) = insecure_seed::insecure_seed();
    // A seed is the same each time that it is asked for.
    assert_eq!(insecure_seed::insecure_seed(), (one, other));
    let numbers: HashSet<u64> = (0..20)
        .flat_map(|_| [random::get_random_u64(), insecure::get_insecure_random_u64()])
        .chain([one, other])
        .collect();
    assert_eq!(numbers.len(), 42);
    for len in [0, 1, 31, 70_000] {
        assert_eq!(random::get_random_bytes(len).len() as u64, len);
        assert_eq!(insecure::get_insecure_random_bytes(len).len() as u64, len);
    }
    let bytes = random::get_random_bytes(200_000);
    let mut counts: HashMap<u8, u32> = HashMap::new();
    bytes.iter().for_each(|byte| *counts.entry(*byte).or_default() += 1);
    // Each of 256 comes 781 times, give or take 28.
    assert!(counts.len() == 256 && counts.values().all(|count| (500..1100).contains(count)));
    println!("done");
}

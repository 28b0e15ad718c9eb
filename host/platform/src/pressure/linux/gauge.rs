//! Numbers in the kernel's files.

use super::PressureLevel;
use std::path::Path;

/// The level by the memory that is available to the machine.
pub(super) fn machine(meminfo: &Path) -> Option<PressureLevel> {
    let text = std::fs::read_to_string(meminfo).ok()?;
    // Both in KiB.
    let (available, all) = (value(&text, "MemAvailable:")?, value(&text, "MemTotal:")?);
    Some(level(available, all))
}

/// The number behind a name at the beginning of a line.
pub(super) fn value(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        if words.next()? == name { words.next()?.parse().ok() } else { None }
    })
}

/// The number that is all of a file.
pub(super) fn number(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The level when so much of all memory is available: below 10 %, 5 % and 2 %.
pub(super) fn level(available: u64, all: u64) -> PressureLevel {
    // In thousandths, so that nothing is divided by zero.
    let below = |share: u128| u128::from(available) * 1000 < u128::from(all) * share;
    match () {
        () if below(20) => PressureLevel::Critical,
        () if below(50) => PressureLevel::Urgent,
        () if below(100) => PressureLevel::Warning,
        () => PressureLevel::Normal,
    }
}

#[cfg(test)]
mod tests {
    use super::PressureLevel::{Critical, Normal, Urgent, Warning};
    use super::*;

    #[test]
    fn less_is_worse() {
        for (available, expected) in
            [(1000, Normal), (100, Normal), (99, Warning), (49, Urgent), (19, Critical)]
        {
            assert_eq!(level(available, 1000), expected, "{available}");
        }
        assert_eq!(level(u64::MAX, u64::MAX), Normal);
        assert!(Normal < Warning && Warning < Urgent && Urgent < Critical);
    }
}

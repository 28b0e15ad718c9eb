//! Durations and sizes as people type them.

use std::sync::OnceLock;
use std::time::Duration;
use wrt_platform::text::Line;
use wrt_vm::DEFAULT_MAX_MEMORY;

/// A duration: `5`, `5s`, `250ms`, `2m`, `1h`; fractions such as `0.5` are fine.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let seconds = match unit {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "us" => 1e-6,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        other => return Err(format!("`{}` is no unit of time; use ms, s, m or h", Line(other))),
    };
    let number: f64 =
        number.parse().map_err(|_| format!("`{}` is no duration, such as 5s", Line(text)))?;
    Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())
}

/// A number of bytes: `65536`, `64KiB`, `64K`, `1GiB`; decimal units such as `64MB` too.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        other => return Err(format!("`{}` is no unit of size; use KiB, MiB or GiB", Line(other))),
    };
    let number: u64 =
        number.parse().map_err(|_| format!("`{}` is no size, such as 64MiB", Line(text)))?;
    number
        .checked_mul(factor)
        .ok_or_else(|| format!("`{}` is more than any machine has", Line(text)))
}

/// Linear memory that a program may have unless told otherwise: half of what the control group of
/// this process may have, if that is less than usual. The rest is for the engine and for this
/// process; without it the kernel would end them before a program hits its limit.
/// It is looked up once.
pub(super) fn default_max_memory() -> u64 {
    static DEFAULT: OnceLock<u64> = OnceLock::new();
    *DEFAULT.get_or_init(|| default_within(wrt_platform::pressure::memory_limit()))
}

fn default_within(limit: Option<u64>) -> u64 {
    limit.map_or(DEFAULT_MAX_MEMORY, |limit| (limit / 2).min(DEFAULT_MAX_MEMORY))
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in
            [("5", 5000), ("5s", 5000), ("250ms", 250), ("0.5", 500), ("2m", 120_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "5x", "-1", "1e999h", "5 5"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_default_of_memory_fits_into_a_container() {
        assert_eq!(default_within(None), 4 << 30);
        assert_eq!(default_within(Some(64 << 30)), 4 << 30);
        assert_eq!(default_within(Some(512 << 20)), 256 << 20);
    }

    #[test]
    fn sizes() {
        for (text, size) in [
            ("65536", 65536),
            ("64KiB", 65536),
            ("64k", 65536),
            ("1GiB", 1 << 30),
            ("2MB", 2_000_000),
        ] {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "MiB", "1.5GiB", "5x", "-1", "99999999999GiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}

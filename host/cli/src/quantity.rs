//! Durations and sizes as people type them.

use std::time::Duration;
use wrt_platform::text::Line;

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
    Duration::try_from_secs_f64(number * seconds)
        .map_err(|_| format!("`{}` is no time that a program can take", Line(text)))
}

/// A number of bytes: `65536`, `64KiB`, `64K`, `1GiB`; decimal units such as `64MB` too.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        other => {
            return Err(format!("`{}` is no unit of size; use KiB, MiB, GiB or TiB", Line(other)));
        }
    };
    let number: u64 =
        number.parse().map_err(|_| format!("`{}` is no size, such as 64MiB", Line(text)))?;
    number
        .checked_mul(factor)
        .ok_or_else(|| format!("`{}` is more than any machine has", Line(text)))
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

//! Linux: USDT probes. `bpftrace -l 'usdt:PROGRAM:wrt:*'` lists them, `readelf -n` too.
//!
//! | probe | arguments |
//! |---|---|
//! | `begin`, `end` | number of the interval, address and length of its name |
//! | `event` | address and length of its name |
//! | `value` | address and length of its name, bits of the `f64` |

use probe::probe;

pub(super) const HOW: &str = "USDT probes of provider `wrt`";

/// The probes; there is nothing to open.
#[derive(Debug)]
pub(super) struct Signposts;

impl Signposts {
    pub(super) fn new(_subsystem: &'static str) -> Self {
        Self
    }

    #[inline]
    pub(super) fn begin(&self, name: &str, id: u64) {
        probe!(wrt, begin, id, name.as_ptr(), name.len());
    }

    #[inline]
    pub(super) fn end(&self, name: &str, id: u64) {
        probe!(wrt, end, id, name.as_ptr(), name.len());
    }

    #[inline]
    pub(super) fn event(&self, name: &str) {
        probe!(wrt, event, name.as_ptr(), name.len());
    }

    #[inline]
    pub(super) fn value(&self, name: &str, value: f64) {
        probe!(wrt, value, name.as_ptr(), name.len(), value.to_bits());
    }
}

//! The functions of `wrt_log`: lines for the host's log.
//!
//! | | parameters | result |
//! |---|---|---|
//! | `log` | level: `i32`, text, length in bytes | – |
//! | `enabled` | level: `i32` | `i32`: 1 if lines of this level are wanted, else 0 |
//!
//! Levels are those of [`LogLevel`](crate::LogLevel), the loudest first: error 1, warn 2,
//! info 3, debug 4, trace 5. `log` traps for any other, and for text that is not in the
//! memory.
//!
//! Text is data: it should be UTF-8; what is not, what a terminal would obey and the ends of
//! lines are shown escaped, and a text is cut at 4 KiB. Of more than 100 lines in a second the
//! rest is counted and not shown. A line of a level that is not wanted costs no exit; the host says
//! what is wanted when a module is loaded.

use super::{Module, Table};

/// What the service offers.
pub const TABLE: Table =
    Table { name: "log", modules: &[Module { name: MODULE, functions: FUNCTIONS }] };

/// Name of the import module.
pub const MODULE: &str = "wrt_log";

super::functions! { Log:
    Log = "log"(I32, Size, Size);
    Enabled = "enabled"(I32) -> I32;
}

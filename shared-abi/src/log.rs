//! The functions of `wrt_log`: lines for the host's log.
//!
//! | | parameters | result |
//! |---|---|---|
//! | `log` | level: `i32`, text, length in bytes | – |
//! | `enabled` | level: `i32` | `i32`: 1 if somebody wants lines of this level, else 0 |
//!
//! Levels are those of [`LogLevel`](crate::LogLevel), the loudest first: error 1, warn 2,
//! info 3, debug 4, trace 5. `log` traps for any other, and for text that is not in the
//! memory.
//!
//! Text is data: it should be UTF-8; what is not, what a terminal would obey and the ends of
//! lines are shown escaped, and a text is cut at 4 KiB. Of more than 100 lines in a second the
//! rest is counted and not shown. A line of a level that nobody wants costs no exit; what is
//! wanted is asked when the module is loaded.

use crate::imports::{Function, Param};
use crate::value::ValueType::I32;

/// Name of the import module.
pub const MODULE: &str = "wrt_log";

/// `log`.
pub const LOG: Function =
    Function { name: "log", params: &[Param::Of(I32), Param::Size, Param::Size], result: None };

/// `enabled`.
pub const ENABLED: Function =
    Function { name: "enabled", params: &[Param::Of(I32)], result: Some(I32) };

//! Codes of `proc_exit`, as exit statuses.

use crate::support::{has_hypervisor, run_wat};

#[test]
fn every_code_that_has_room_in_an_exit_status_arrives() {
    if !has_hypervisor() {
        return;
    }
    // Of larger ones the low eight bits do, or 255 where those would say success.
    for (code, status) in
        [(0, 0), (1, 1), (125, 125), (126, 126), (200, 200), (255, 255), (-1, 255), (300, 44)]
            .into_iter()
            .chain([(256, 255), (512, 255), (i32::MIN, 255)])
    {
        let text = format!(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                (memory (export "memory") 1)
                (func (export "_start") (call $exit (i32.const {code}))))"#
        );
        assert_eq!(run_wat(&[], &text, &[]).code(), Some(status), "proc_exit({code})");
    }
}

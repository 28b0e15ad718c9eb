//! Components in the text format.

/// A program whose `run` returns this.
pub(crate) fn returns(result: u8) -> String {
    format!(
        r#"(component
            (core module $m (func (export "run") (result i32) (i32.const {result})))
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $r (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $r)))"#
    )
}

/// A program that traps in a function that is called by another.
pub(crate) const TRAPS: &str = r#"(component
    (core module $m
        (func $inner (drop (i32.div_u (i32.const 1) (i32.const 0))))
        (func $outer (export "run") (result i32) (call $inner) (i32.const 0)))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $r (export "run" (func $run)))
    (export "wasi:cli/run@0.2.3" (instance $r)))"#;

/// A program that asks for a random number by this version of WASI, and fails if it is 0.
pub(crate) fn imports_version(version: &str) -> String {
    format!(
        r#"(component
            (import "wasi:random/random@{version}" (instance $random
                (export "get-random-u64" (func (result u64)))))
            (core func $get (canon lower (func $random "get-random-u64")))
            (core module $m
                (import "" "get" (func $get (result i64)))
                (func (export "run") (result i32) (i64.eqz (call $get))))
            (core instance $i (instantiate $m (with "" (instance (export "get" (func $get))))))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $r (export "run" (func $run)))
            (export "wasi:cli/run@{version}" (instance $r)))"#
    )
}

/// A component that imports an interface with one function.
pub(crate) fn imports(interface: &str, function: &str) -> String {
    format!(r#"(component (import "{interface}" (instance (export {function}))))"#)
}

//! Proposals that an engine does not support: the engine is chosen by what a module needs, and a
//! module that no engine runs is not called invalid.

use crate::support::{
    Wat, assert_fails, code_cache, has_hypervisor, setups, stderr, wrt_vm_with_cache,
};
use std::process::Output;

/// Programs that the interpreter does not run, by the proposal that they need: declared, or in
/// one instruction or constant alone.
const FOR_NATIVE: [(&str, &str); 6] = [
    (
        "gc",
        "(type $s (struct (field i32)))
         (func (export \"_start\") (drop (struct.get $s 0 (struct.new $s (i32.const 7)))))",
    ),
    ("gc", "(func (export \"_start\") (drop (i31.get_s (ref.i31 (i32.const 1)))))"),
    (
        "gc",
        "(global $one i32 (i32.const 1)) (global i32 (global.get $one)) (func (export \"_start\"))",
    ),
    (
        "exceptions",
        "(tag $t (param i32))
         (func (export \"_start\") (drop (block $b (result i32)
            (try_table (catch $t $b) (throw $t (i32.const 7))) (i32.const 0))))",
    ),
    ("exceptions", "(func (export \"_start\") (block $b (try_table (catch_all $b) (nop))))"),
    (
        "function references",
        "(type $f (func)) (func $g (type $f)) (elem declare func $g)
         (func (export \"_start\") (call_ref $f (ref.func $g)))",
    ),
];

/// Programs that no engine runs.
const FOR_NONE: [(&str, &str); 3] = [
    (
        "threads",
        "(memory 1 1 shared)
         (func (export \"_start\") (drop (i32.atomic.load (i32.const 0))))",
    ),
    ("legacy exceptions", "(func (export \"_start\") try nop catch_all nop end)"),
    (
        "stack switching",
        "(type $f (func)) (type $c (cont $f)) (func (export \"_start\") (drop (ref.null $c)))",
    ),
];

/// A module, and the same with what makes it too large to be compiled in passing.
fn sizes(body: &str) -> [Wat; 2] {
    let padding = "x".repeat(600 << 10);
    let small = format!("(module {body})");
    let large = format!("(module {body} (memory 16) (data \"{padding}\"))");
    let large = match body.contains("(memory") {
        true => format!("(module {body} (data \"{padding}\"))"),
        false => large,
    };
    [Wat::new(&small), Wat::new(&large)]
}

fn run(options: &[&str], wat: &Wat) -> Output {
    let cache = code_cache();
    let mut command = wrt_vm_with_cache(cache.path());
    command.arg("run").args(options).arg(wat.path()).output().expect("the binary runs")
}

#[test]
fn a_module_that_needs_the_native_engine_runs_on_it() {
    if !has_hypervisor() {
        return;
    }
    for (proposal, body) in FOR_NATIVE {
        for wat in sizes(body) {
            let output = run(&["--stats"], &wat);
            let said = stderr(&output);
            assert!(
                output.status.success() && said.contains("native"),
                "{proposal}: {body}: {said}"
            );
        }
    }
}

#[test]
fn the_interpreter_says_what_a_module_needs() {
    for setup in setups().into_iter().filter(|setup| setup.engine == "interp") {
        for (proposal, body) in FOR_NATIVE {
            let [wat, _] = sizes(body);
            let output = run(&setup.options(), &wat);
            let needs = format!("needs {proposal}, which the interpreter does not support");
            assert_fails(&output, 1, &[&needs, "--engine native"]);
            assert!(!stderr(&output).contains("invalid"), "{}", stderr(&output));
        }
    }
}

#[test]
fn what_no_engine_supports_is_called_that() {
    for setup in setups() {
        for (proposal, body) in FOR_NONE {
            for wat in sizes(body) {
                let output = run(&setup.options(), &wat);
                assert_fails(&output, 1, &[&format!("not supported: {proposal}")]);
                assert!(!stderr(&output).contains("invalid"), "{}", stderr(&output));
            }
        }
    }
}

#[test]
fn no_choice_is_left_to_a_module_that_no_engine_runs() {
    if !has_hypervisor() {
        return;
    }
    for (proposal, body) in FOR_NONE {
        for wat in sizes(body) {
            assert_fails(&run(&[], &wat), 1, &[&format!("not supported: {proposal}")]);
        }
    }
}

#[test]
fn asynchronous_components_are_not_supported() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new("(component (type (future u32)))");
    let output = run(&[], &wat);
    assert_fails(&output, 1, &["not supported: asynchronous components"]);
}

#[test]
fn an_invalid_module_is_invalid_whatever_else_it_needs() {
    for setup in setups() {
        for body in [
            "(type (struct)) (func (export \"_start\") (result i32))",
            "(memory 1 1 shared) (func (export \"_start\") (result i32))",
            "(func (export \"_start\") (result i32))",
        ] {
            for wat in sizes(body) {
                assert_fails(&run(&setup.options(), &wat), 1, &["invalid module"]);
            }
        }
    }
}

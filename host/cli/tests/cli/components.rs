//! Components on the command line.

use crate::support::{
    Wat, assert_fails, code_cache, has_hypervisor, setups, stderr, stdout, wrt_vm,
    wrt_vm_with_cache,
};
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

/// A program for WASI 0.2 that writes a line of an interface with `version`, then does what
/// `then` says and returns `result`. Made larger by `padding` bytes.
fn program(version: &str, then: &str, result: u8, padding: usize) -> String {
    let padding = "x".repeat(padding);
    format!(
        r#"(component
            (import "wasi:io/error@{version}" (instance $errors
                (export "error" (type (sub resource)))))
            (alias export $errors "error" (type $error))
            (import "wasi:io/streams@{version}" (instance $streams
                (export "output-stream" (type $stream (sub resource)))
                (alias outer 1 $error (type $outer-error))
                (export "error" (type $error (eq $outer-error)))
                (type $failed (variant (case "last-operation-failed" (own $error)) (case "closed")))
                (export "stream-error" (type $stream-error (eq $failed)))
                (export "[method]output-stream.blocking-write-and-flush"
                    (func (param "self" (borrow $stream)) (param "contents" (list u8))
                        (result (result (error $stream-error)))))))
            (alias export $streams "output-stream" (type $stream))
            (import "wasi:cli/stdout@{version}" (instance $stdout
                (alias outer 1 $stream (type $outer-stream))
                (export "output-stream" (type $stream (eq $outer-stream)))
                (export "get-stdout" (func (result (own $stream))))))
            (core module $memory (memory (export "memory") 64))
            (core instance $memory (instantiate $memory))
            (core func $get (canon lower (func $stdout "get-stdout")))
            (core func $write (canon lower
                (func $streams "[method]output-stream.blocking-write-and-flush")
                (memory (core memory $memory "memory"))))
            (core module $main
                (import "" "memory" (memory 64))
                (import "" "get" (func $get (result i32)))
                (import "" "write" (func $write (param i32 i32 i32 i32)))
                (data (i32.const 0) "hello\n")
                (data (i32.const 65536) "{padding}")
                (func (export "run") (result i32)
                    (call $write (call $get) (i32.const 0) (i32.const 6) (i32.const 64))
                    {then}
                    (i32.const {result})))
            (core instance $main (instantiate $main (with "" (instance
                (export "memory" (memory $memory "memory"))
                (export "get" (func $get))
                (export "write" (func $write))))))
            (func $run (result (result)) (canon lift (core func $main "run")))
            (instance $program (export "run" (func $run)))
            (export "wasi:cli/run@{version}" (instance $program)))"#
    )
}

/// A program that does no more.
fn hello() -> Wat {
    Wat::new(&program("0.2.0", "", 0, 0))
}

/// Runs a component on the native engine of every backend.
fn run_native(options: &[&str], component: &Path) -> Vec<(String, Output)> {
    let native = setups().into_iter().filter(|setup| setup.engine == "native");
    native
        .map(|setup| {
            let mut command = wrt_vm();
            command.arg("run").args(setup.options()).args(options).arg(component);
            (setup.options().join(" "), command.output().expect("the binary runs"))
        })
        .collect()
}

/// Runs a component with a cache of its own and the default engine.
fn run_auto(cache: &Path, options: &[&str], component: &Path) -> Output {
    let mut command = wrt_vm_with_cache(cache);
    command.arg("run").args(options).arg(component).output().expect("the binary runs")
}

#[test]
fn a_program_runs_on_every_backend_by_any_version_of_wasi_0_2() {
    for version in ["0.2.0", "0.2.6", "0.2.12"] {
        let component = Wat::new(&program(version, "", 0, 0));
        for (setup, output) in run_native(&[], &component.path()) {
            assert_eq!(stdout(&output), "hello\n", "{setup}: {}", stderr(&output));
            assert_eq!(output.status.code(), Some(0), "{setup}");
            assert_eq!(stderr(&output), "", "{setup}");
        }
    }
}

#[test]
fn its_end_is_the_exit_code() {
    let failed = Wat::new(&program("0.2.3", "", 1, 0));
    for (setup, output) in run_native(&[], &failed.path()) {
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(1), ""), "{setup}");
        assert_eq!(stdout(&output), "hello\n", "{setup}");
    }
    let trap = Wat::new(&program("0.2.3", "(drop (i32.div_u (i32.const 1) (i32.const 0)))", 0, 0));
    for (_, output) in run_native(&[], &trap.path()) {
        assert_fails(&output, 134, &["integer divide by zero", "backtrace"]);
    }
    let endless = Wat::new(&program("0.2.3", "(loop $for_ever (br $for_ever))", 0, 0));
    for (setup, output) in run_native(&["--timeout", "3s"], &endless.path()) {
        assert_fails(&output, 124, &["timed out after 3 s"]);
        assert_eq!(stdout(&output), "hello\n", "{setup}");
    }
    for (_, output) in run_native(&["--max-memory", "1MiB"], &hello().path()) {
        assert_fails(&output, 1, &["4.0 MiB", "1.0 MiB", "--max-memory"]);
    }
}

#[test]
fn the_default_engine_is_the_native_one_whatever_the_size() {
    if !has_hypervisor() {
        return;
    }
    let cache = code_cache();
    for padding in [0, 600 << 10] {
        let component = Wat::new(&program("0.2.0", "", 0, padding));
        for why in ["a component; compiled just now", "its code was in the cache"] {
            let output = run_auto(cache.path(), &["--stats"], &component.path());
            let said = stderr(&output);
            assert_eq!(stdout(&output), "hello\n", "{said}");
            assert!(said.contains("native") && said.contains(why), "{why:?} is not in {said}");
            assert!(!said.contains("interpreter"), "{said}");
        }
    }
}

#[test]
fn the_interpreter_says_how_to_run_it() {
    if !has_hypervisor() {
        return;
    }
    let component = hello();
    let output = run_auto(code_cache().path(), &["--engine", "interp"], &component.path());
    assert_fails(&output, 1, &["module.wat", "component", "without `--engine interp`"]);
}

#[test]
fn compiled_it_runs_as_it_is() {
    if !has_hypervisor() {
        return;
    }
    let component = hello();
    let output = wrt_vm().arg("compile").arg(component.path()).output().expect("the binary runs");
    assert!(output.status.success(), "{}", stderr(&output));
    let code = component.path().with_extension("cwasm");
    for (setup, output) in run_native(&["--stats"], &code) {
        assert_eq!(stdout(&output), "hello\n", "{setup}: {}", stderr(&output));
        assert!(stderr(&output).contains("the module is compiled code"), "{setup}");
    }
    let output = run_auto(code_cache().path(), &["--engine", "interp"], &code);
    assert_fails(&output, 1, &["compiled code", "interpreter"]);
}

#[test]
fn from_a_pipe() {
    if !has_hypervisor() {
        return;
    }
    let bytes = wat::parse_str(program("0.2.0", "", 0, 0)).expect("valid text");
    let mut command = wrt_vm();
    command.args(["run", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    child.stdin.take().expect("a pipe").write_all(&bytes).expect("it reads");
    assert_eq!(stdout(&child.wait_with_output().expect("it ends")), "hello\n");
}

#[test]
fn an_import_that_nobody_has_is_named() {
    let text = r#"(component (import "wasi:keyvalue/store@0.2.0-draft" (instance
        (export "open" (func (result u32))))))"#;
    for (_, output) in run_native(&[], &Wat::new(text).path()) {
        let parts =
            ["`wasi:keyvalue/store@0.2.0-draft`", "`open`", "nothing defines it", "wasi:cli"];
        assert_fails(&output, 1, &parts);
    }
}

#[test]
fn a_component_without_a_program_says_what_it_exports() {
    let text = r#"(component (instance $i) (export "a:b/c@1.2.3" (instance $i)))"#;
    for (_, output) in run_native(&[], &Wat::new(text).path()) {
        assert_fails(&output, 1, &["not a program", "`wasi:cli/run@0.2`", "`a:b/c@1.2.3`"]);
    }
    for (_, output) in run_native(&[], &Wat::new("(component)").path()) {
        assert_fails(&output, 1, &["not a program", "exports nothing"]);
    }
}

#[test]
fn invoke_is_for_modules() {
    if !has_hypervisor() {
        return;
    }
    let component = hello();
    let cache = code_cache();
    let output = run_auto(cache.path(), &["--invoke", "run"], &component.path());
    assert_fails(&output, 1, &["--invoke", "component"]);
    // Of compiled code only the guest knows.
    let compiled = wrt_vm().arg("compile").arg(component.path()).output().expect("it runs");
    assert!(compiled.status.success(), "{}", stderr(&compiled));
    let code = component.path().with_extension("cwasm");
    let output = run_auto(cache.path(), &["--invoke", "run"], &code);
    assert_fails(&output, 1, &["component", "no core WebAssembly types"]);
}

#[test]
fn an_invalid_component_has_no_way_out_by_the_interpreter() {
    if !has_hypervisor() {
        return;
    }
    let invalid = Wat::new("(component (core module (func (result i32))))");
    let cache = code_cache();
    let output = run_auto(cache.path(), &[], &invalid.path());
    assert_fails(&output, 1, &["invalid module at offset 0x", "type mismatch"]);

    let component = hello();
    let output = run_auto(cache.path(), &["--timeout", "1ms"], &component.path());
    assert_fails(&output, 124, &["timed out"]);
    let mut command = wrt_vm();
    command.args(["compile", "--timeout", "1ms"]).arg(component.path());
    let output = command.output().expect("the binary runs");
    assert_fails(&output, 1, &["longer than 1 ms"]);
    assert!(!stderr(&output).contains("interpreter"), "{}", stderr(&output));
}

#[test]
fn a_closed_stdout_is_a_closed_stream() {
    // Writes until it fails, then twice more. Its code says what it heard: 1, and 134 for
    // anything but `closed` each time.
    let text = "(i32.store (i32.const 32) (call $get))
        (loop $more
            (call $write (i32.load (i32.const 32)) (i32.const 0) (i32.const 6) (i32.const 64))
            (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))
        (if (i32.ne (i32.load8_u (i32.const 68)) (i32.const 1)) (then unreachable))
        (i32.store (i32.const 68) (i32.const 0))
        (call $write (i32.load (i32.const 32)) (i32.const 0) (i32.const 6) (i32.const 64))
        (if (i32.ne (i32.load8_u (i32.const 68)) (i32.const 1)) (then unreachable))
        (i32.store (i32.const 68) (i32.const 0))
        (call $write (call $get) (i32.const 0) (i32.const 6) (i32.const 64))
        (if (i32.ne (i32.load8_u (i32.const 68)) (i32.const 1)) (then unreachable))";
    let component = Wat::new(&program("0.2.0", text, 1, 0));
    for setup in setups().into_iter().filter(|setup| setup.engine == "native") {
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).args(["--timeout", "60s"]).arg(component.path());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(1), "{setup:?}: {}", stderr(&output));
    }
}

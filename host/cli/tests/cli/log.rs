//! What a program says by `wrt_log`: where it is shown, and how.

#[cfg(target_os = "linux")]
use crate::support::in_mount_namespace;
use crate::support::{Wat, assert_fails, has_hypervisor, run, run_wat, setups, stderr, wrt_vm};

/// A program that says a word at each level.
const LEVELS: &str = r#"(module
  (import "wrt_log" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "one  two  threefour five ")
  (func (export "_start")
    (call $log (i32.const 1) (i32.const 0) (i32.const 3))
    (call $log (i32.const 2) (i32.const 5) (i32.const 3))
    (call $log (i32.const 3) (i32.const 10) (i32.const 5))
    (call $log (i32.const 4) (i32.const 15) (i32.const 4))
    (call $log (i32.const 5) (i32.const 20) (i32.const 4))))"#;

/// A program that says one text, `len` bytes of it, as a warning.
fn says(text: &str, len: usize) -> String {
    format!(
        r#"(module
          (import "wrt_log" "log" (func $log (param i32 i32 i32)))
          (memory (export "memory") 161)
          (data (i32.const 0) "{text}")
          (func (export "_start") (call $log (i32.const 2) (i32.const 0) (i32.const {len}))))"#
    )
}

/// The lines of the program, of all that was logged.
fn programs(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.starts_with("module.wat: ")).collect()
}

const SHOWN: [&str; 5] = [
    "module.wat: error: one",
    "module.wat: warn: two",
    "module.wat: info: three",
    "module.wat: debug: four",
    "module.wat: trace: five",
];

#[test]
fn warnings_are_shown_and_more_with_verbose() {
    if !has_hypervisor() {
        return;
    }
    for (options, count) in [(&[][..], 2), (&["-v"][..], 3), (&["-vv"][..], 5)] {
        let ran = run_wat(options, LEVELS, &[]);
        assert_eq!((ran.code(), ran.stdout().as_str()), (Some(0), ""));
        for (setup, log) in ran.errors() {
            assert_eq!(programs(&log), SHOWN[..count], "{setup} {options:?}: {log}");
            let ours = log.lines().count() > count;
            assert_eq!(ours, !options.is_empty(), "{setup} {options:?}: {log}");
        }
    }
}

#[test]
fn so_are_those_of_a_program_in_a_worker() {
    if !has_hypervisor() {
        return;
    }
    for (options, count) in [(&["--worker"][..], 2), (&["--worker", "-vv"][..], 5)] {
        for (setup, log) in run_wat(options, LEVELS, &[]).errors() {
            assert_eq!(programs(&log), SHOWN[..count], "{setup} {options:?}: {log}");
        }
    }
}

#[test]
fn lines_begin_with_the_programs_name() {
    if !has_hypervisor() {
        return;
    }
    let ran = run_wat(&["--argv0", "my\x1b[31m tool"], LEVELS, &[]);
    for (setup, log) in ran.errors() {
        let want = "my\\u{1b}[31m tool: error: one\nmy\\u{1b}[31m tool: warn: two\n";
        assert_eq!(log, want, "{setup}");
    }
    let wat = Wat::new(LEVELS);
    let path = wat.path();
    let output = wrt_vm()
        .args(["run", "--jobs", "2"])
        .args([&path, &path])
        .output()
        .expect("the binary runs");
    assert_eq!(programs(&stderr(&output)).len(), 4, "{}", stderr(&output));
}

#[test]
fn as_json_a_line_is_an_object() {
    if !has_hypervisor() {
        return;
    }
    for (setup, log) in run_wat(&["--log", "json", "-vv"], LEVELS, &[]).errors() {
        let lines: Vec<serde_json::Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
            .collect();
        let guests: Vec<_> = lines.iter().filter(|line| line["target"] == "guest").collect();
        let words: Vec<&str> =
            guests.iter().filter_map(|line| line["fields"]["message"].as_str()).collect();
        assert_eq!(words, ["one", "two", "three", "four", "five"], "{setup}: {log}");
        assert_eq!(guests[1]["level"], "WARN", "{setup}");
        assert_eq!(guests[1]["fields"]["program"], "module.wat", "{setup}");
        assert!(lines.len() > guests.len(), "{setup}: nothing of ours: {log}");
    }
}

#[test]
fn the_systems_log_takes_it_or_its_absence_is_told() {
    if !has_hypervisor() {
        return;
    }
    let there = std::path::Path::new("/run/systemd/journal/socket").exists();
    for (setup, log) in run_wat(&["--log", "system", "-v"], LEVELS, &[]).errors() {
        assert_eq!(log.contains("--log system: no journal"), !there, "{setup}: {log}");
        assert!(programs(&log).is_empty(), "{setup}: it is not for standard error: {log}");
    }
    if !there {
        run_wat(&["--log", "system"], LEVELS, &[])
            .assert_fails(1, &["--log system: no journal", "standard error"]);
    }
}

/// The words of the program that come to a journal, until nothing runs and nothing is left.
#[cfg(target_os = "linux")]
fn words_of(
    journal: &std::os::unix::net::UnixDatagram,
    running: &std::sync::atomic::AtomicBool,
) -> Vec<&'static str> {
    let mut words = Vec::new();
    let mut bytes = vec![0; 1 << 16];
    loop {
        let was_running = running.load(std::sync::atomic::Ordering::Relaxed);
        let Ok(len) = journal.recv(&mut bytes) else {
            if was_running {
                continue;
            }
            return words;
        };
        let entry = String::from_utf8_lossy(&bytes[..len]);
        if entry.contains("module.wat") && entry.contains("wrt-vm") {
            let word = |word: &&str| entry.contains(&format!("\0{word}\n"));
            words.extend(["one", "two", "three", "four", "five"].into_iter().filter(word));
        }
    }
}

/// A journal of the test's own, in the place of the system's: the process that has the VM sends to
/// it from its jail.
#[cfg(target_os = "linux")]
#[test]
fn each_line_reaches_the_systems_log_from_the_jail() {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;
    if !has_hypervisor() {
        return;
    }
    let (wat, program) = (Wat::new(LEVELS), env!("CARGO_BIN_EXE_wrt-vm"));
    for setup in setups() {
        for place in ["", "--worker", "--jobs 1"] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("socket");
            let journal = std::os::unix::net::UnixDatagram::bind(path).expect("a socket");
            let script = format!(
                "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && \
                 mount --bind '{}' /run/systemd/journal && \
                 exec '{program}' run {} {place} --log system -vv '{}'",
                folder.path().display(),
                setup.options().join(" "),
                wat.path().display(),
            );
            // It is read while the program runs: the system keeps ten entries, and no more.
            journal.set_read_timeout(Some(Duration::from_millis(100))).expect("a time limit");
            let running = AtomicBool::new(true);
            let (output, words) = std::thread::scope(|scope| {
                let reader = scope.spawn(|| words_of(&journal, &running));
                let output = in_mount_namespace(&script);
                running.store(false, Ordering::Relaxed);
                (output, reader.join().expect("a reader"))
            });
            let Some(output) = output else { return };
            assert_eq!(output.status.code(), Some(0), "{setup:?} {place}: {}", stderr(&output));
            assert_eq!(words, ["one", "two", "three", "four", "five"], "{setup:?} {place}");
        }
    }
}

#[test]
fn text_is_shown_and_not_obeyed() {
    if !has_hypervisor() {
        return;
    }
    for (text, len, shown) in [
        (r"%s%n%d {} {0} \\n $(id) `id`", 27, r"%s%n%d {} {0} \n $(id) `id`"),
        (r"\1b[2J\1b]0;t\07\9b", 11, "\\u{1b}[2J\\u{1b}]0;t\\u{7}\u{fffd}"),
        (r"a\0amodule.wat: error: b\0d\09", 24, r"a\nmodule.wat: error: b\r\t"),
        (r"\e2\80\aeabc", 6, r"\u{202e}abc"),
        (r"x\00y", 3, r"x\u{0}y"),
        (r"\ff\fe\c3", 3, "\u{fffd}\u{fffd}\u{fffd}"),
        ("", 0, ""),
    ] {
        for (setup, log) in run_wat(&[], &says(text, len), &[]).errors() {
            assert_eq!(log, format!("module.wat: warn: {shown}\n"), "{setup}");
        }
    }
}

#[test]
fn a_long_text_is_cut() {
    if !has_hypervisor() {
        return;
    }
    for (byte, len) in [("x", 10_000_000), (r"\ff", 10_000_000), ("x", 4097)] {
        for (setup, log) in run_wat(&[], &says(&byte.repeat(5000), len), &[]).errors() {
            assert_eq!(log.lines().count(), 1, "{setup}");
            assert!(log.ends_with("...\n") || log.ends_with("more)\n"), "{setup}: {log}");
            assert!(log.len() < 3 * 4096 + 100, "{setup}: {} bytes", log.len());
        }
    }
}

#[test]
fn a_flood_is_cut_and_counted() {
    if !has_hypervisor() {
        return;
    }
    let flood = r#"(module
      (import "wrt_log" "log" (func $log (param i32 i32 i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "again")
      (func (export "_start") (local $i i32)
        (loop $next
          (call $log (i32.const 1) (i32.const 0) (i32.const 5))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $next (i32.lt_u (local.get $i) (i32.const 5000))))))"#;
    for options in [&[][..], &["--worker"][..]] {
        for (setup, log) in run_wat(options, flood, &[]).errors() {
            let shown = log.lines().filter(|line| line.ends_with(": error: again")).count();
            let dropped: usize = log
                .lines()
                .filter_map(|line| line.split_once("too many dropped="))
                .map(|(_, count)| count.parse::<usize>().unwrap_or(0))
                .sum();
            assert_eq!(shown + dropped, 5000, "{setup}: {log}");
            assert!(shown >= 100 && dropped > 0, "{setup}: {log}");
        }
    }
}

#[test]
fn a_program_can_ask_what_is_shown() {
    if !has_hypervisor() {
        return;
    }
    let asks = r#"(module
      (import "wrt_log" "enabled" (func $enabled (param i32) (result i32)))
      (func (export "enabled") (param i32) (result i32) (call $enabled (local.get 0))))"#;
    for (options, count) in [(&[][..], 2), (&["-v"][..], 3), (&["-vv"][..], 5)] {
        for level in 0..7 {
            let options = [options, &["--invoke", "enabled"]].concat();
            let ran = run_wat(&options, asks, &[&level.to_string()]);
            let want = if (1..=count).contains(&level) { "1\n" } else { "0\n" };
            assert_eq!(ran.stdout(), want, "{options:?} {level}");
        }
    }
}

#[test]
fn what_traps_is_told_as_for_any_trap() {
    if !has_hypervisor() {
        return;
    }
    let text = says("", 20_000_000);
    run_wat(&[], &text, &[]).assert_fails(134, &["out of bounds memory access"]);
    let vector = r#"(module
      (import "wrt_vec" "sum_f64" (func $sum (param i32 i32) (result f64)))
      (memory (export "memory") 1)
      (func (export "_start") (drop (call $sum (i32.const 8193) (i32.const 0)))))"#;
    run_wat(&[], vector, &[]).assert_fails(134, &["out of bounds memory access"]);
}

#[test]
fn a_long_product_ends_on_timeout() {
    let product = r#"(module
      (import "wrt_vec" "gemm_f32"
        (func $gemm (param i32 i32 i32 f32 i32 i32 f32 i32)))
      (memory (export "memory") 20000)
      (func (export "_start")
        (call $gemm (i32.const 12000) (i32.const 12000) (i32.const 12000) (f32.const 1)
          (i32.const 0) (i32.const 0) (f32.const 0) (i32.const 576000000))))"#;
    let wat = Wat::new(product);
    for setup in setups() {
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).args(["--timeout", "300ms"]).arg(wat.path());
        let output = command.output().expect("the binary runs");
        assert_fails(&output, 124, &["timed out after 300 ms"]);
    }
}

#[test]
fn the_example_runs() {
    if !has_hypervisor() {
        return;
    }
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/vectors.wat");
    let ran = run(&["-v"], example.as_ref(), &[]);
    assert_eq!((ran.code(), ran.stdout().as_str()), (Some(0), "1*4 + 2*5 + 3*6 = 32\n"));
    for (setup, log) in ran.errors() {
        let said = "vectors.wat: info: the host has computed a product\n";
        assert!(log.contains(said), "{setup}: {log}");
    }
}

/// Asserts that each line is an object of the log's shape; returns them.
#[track_caller]
fn objects(log: &str) -> Vec<serde_json::Value> {
    let object = |line: &str| {
        let object: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        for (member, is_there) in [
            ("time", object["time"].is_number()),
            ("level", object["level"].is_string()),
            ("target", object["target"].is_string()),
            ("message", object["fields"]["message"].is_string()),
        ] {
            assert!(is_there, "{member} of {line}");
        }
        object
    };
    log.lines().map(object).collect()
}

#[test]
fn our_own_notes_and_errors_are_objects_too() {
    if !has_hypervisor() {
        return;
    }
    let traps = r#"(module (func (export "_start") unreachable))"#;
    let spins = r#"(module (func (export "_start") (loop $again (br $again))))"#;
    for place in [&[][..], &["--no-jail"], &["--worker"], &["--jobs", "1"]] {
        for (more, text, code) in [
            (&[][..], traps, 134),
            (&["--timeout", "250ms"][..], spins, 124),
            (&["--stats"], traps, 134),
        ] {
            let options = [&["--log", "json"], place, more].concat();
            let ran = run_wat(&options, text, &[]);
            assert_eq!(ran.code(), Some(code), "{options:?}");
            for (setup, log) in ran.errors() {
                let objects = objects(&log);
                let errors = objects.iter().filter(|object| object["level"] == "ERROR").count();
                assert_eq!(errors, 1, "{setup} {options:?}: {log}");
                let stats = objects.iter().any(|object| object["fields"]["exits"].is_object());
                assert_eq!(stats, more == ["--stats"], "{setup} {options:?}: {log}");
            }
        }
    }
    let missing = run(&["--log", "json"], std::path::Path::new("there-is-none.wasm"), &[]);
    assert_eq!(missing.code(), Some(1));
    for (_, log) in missing.errors() {
        assert_eq!(objects(&log).len(), 1);
    }
}

//! Imports of components: what the compiler refuses before it compiles, and what the kernel links.

use crate::setups;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use wrt_abi::component::Interface;
use wrt_tests::Setup;
use wrt_vm::{Error, Module};

/// The version of the interfaces in the guest's build.
const VERSION: &str = "0.2.12";
/// Interfaces there that no component is given: what it exports itself, and an unstable one.
const NOT_IMPORTED: &[&str] = &["wasi:cli/run", "wasi:clocks/timezone"];

fn wit(file: &str) -> String {
    let path = Path::new(env!("WIT")).join(file);
    fs::read_to_string(path).unwrap()
}

/// The interfaces of a file of WIT, each with its resources and functions in the binary format's
/// words. The files are a line for each of these things.
fn interfaces(text: &str) -> Vec<(String, BTreeSet<String>)> {
    let mut package = "";
    let mut interfaces: Vec<(String, BTreeSet<String>)> = Vec::new();
    // What each brace belongs to: a resource's name, or nothing of interest.
    let mut open: Vec<Option<&str>> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        let words: Vec<&str> = line.split([' ', ';']).filter(|word| !word.is_empty()).collect();
        let resource = open.last().copied().flatten();
        let mut add = |item: String| {
            interfaces.last_mut().unwrap().1.insert(item);
        };
        match words.as_slice() {
            ["package", name, ..] => package = name.strip_suffix(VERSION).unwrap(),
            ["interface", name, ..] => {
                let name = format!("{}/{name}", package.strip_suffix('@').unwrap());
                interfaces.push((name, BTreeSet::new()));
            }
            ["resource", name, ..] => add((*name).to_owned()),
            [word, ..] if word.starts_with("constructor(") => {
                add(format!("[constructor]{}", resource.unwrap()));
            }
            [name, rest @ ..] if name.ends_with(':') => {
                let name = name.trim_end_matches(':').trim_start_matches('%');
                match (resource, rest) {
                    (Some(of), ["static", ..]) => add(format!("[static]{of}.{name}")),
                    (Some(of), [what, ..]) if what.starts_with("func") => {
                        add(format!("[method]{of}.{name}"));
                    }
                    (None, [what, ..]) if what.starts_with("func") => add(name.to_owned()),
                    _ => {}
                }
            }
            _ => {}
        }
        for brace in line.matches(['{', '}']) {
            match (brace, words.as_slice()) {
                ("{", ["resource", name, ..]) => open.push(Some(*name)),
                ("{", _) => open.push(None),
                _ => {
                    open.pop();
                }
            }
        }
    }
    interfaces
}

#[test]
fn the_table_of_imports_has_what_the_wit_files_define() {
    let mut named = BTreeSet::new();
    for package in ["cli", "clocks", "filesystem", "io", "random", "sockets"] {
        for (name, items) in interfaces(&wit(&format!("deps/{package}.wit"))) {
            let listed = Interface::ALL.iter().find(|listed| listed.name() == name);
            if NOT_IMPORTED.contains(&name.as_str()) {
                assert!(listed.is_none(), "{name}");
                continue;
            }
            let listed = listed.unwrap_or_else(|| panic!("{name} is not in the table"));
            let found: BTreeSet<String> = listed.items().map(str::to_owned).collect();
            assert_eq!(found, items, "{name}");
            assert_eq!(listed.items().count(), items.len(), "{name} has an item twice");
            named.insert(name);
        }
    }
    // The crate that the files are from has none of HTTP.
    let is_of_http = |listed: &&Interface| listed.name().starts_with("wasi:http/");
    let of_http = Interface::ALL.iter().filter(is_of_http).count();
    assert_eq!(named.len() + of_http, Interface::ALL.len(), "the table has more than the files");

    // What `bindgen!` makes, and what the kernel makes by the table.
    let world = wit("world.wit");
    let imports = world.lines().filter_map(|line| line.trim().strip_prefix("import "));
    let suffix = format!("@{VERSION};");
    let mut linked: BTreeSet<String> =
        imports.map(|import| import.strip_suffix(&suffix).unwrap().to_owned()).collect();
    let is_made = |name: &&String| name.starts_with("wasi:sockets/");
    linked.extend(named.iter().filter(is_made).cloned());
    assert_eq!(linked, named);
}

/// What compiling `text` ends in.
fn refusal(setup: Setup, text: &str) -> Error {
    let module = Module::from_text(text).unwrap();
    setup.compiler().compile(&module, setup.target()).unwrap_err()
}

/// A core function that no compiler takes shows that none has seen it.
#[test]
fn an_import_that_nothing_provides_is_refused_before_anything_is_compiled() {
    let body = "(core module (func (result i32) (i64.const 0)))";
    for setup in setups() {
        let error = refusal(setup, &format!("(component {body})"));
        assert!(matches!(error, Error::InvalidModule { .. }), "{setup}: {error}");
        for import in [
            r#"(import "wasi:keyvalue/store@0.2.0-draft" (instance (export "open" (func))))"#,
            r#"(import "wasi:io/poll@0.3.0" (instance (export "pollable" (type (sub resource)))))"#,
            r#"(import "wasi:io/poll@0.2.0-rc.1" (instance (export "poll" (func))))"#,
            r#"(import "wasi:io/poll@0.2.0" (instance (export "vote" (func))))"#,
            r#"(import "wasi:sockets/tcp@0.2.0" (instance (export "f" (func))))"#,
            r#"(import "plain" (func))"#,
            r#"(import "module" (core module))"#,
            r#"(import "nested" (instance (export "inner" (instance (export "f" (func))))))"#,
        ] {
            let error = refusal(setup, &format!("(component {import} {body})"));
            let Error::Unlinkable { module, reason, .. } = &error else {
                panic!("{setup}: {import}: {error}")
            };
            assert!(import.contains(&format!("\"{module}\"")), "{setup}: {import}: {error}");
            assert!(reason.contains("nothing defines it"), "{setup}: {error}");
        }
    }
}

#[test]
fn each_import_that_is_missing_is_named_up_to_a_bound() {
    for setup in setups() {
        let text = r#"(component
            (import "wasi:cli/exit@0.2.0" (instance
                (export "vanish" (func)) (export "exit" (func (param "status" (result))))
                (export "leave" (func))))
            (import "my:own/first" (instance (export "f" (func)) (export "g" (func))))
            (import "second" (func)))"#;
        let error = refusal(setup, text);
        let shown = error.to_string();
        let begin = "cannot link import `wasi:cli/exit@0.2.0` `vanish`: ";
        assert!(shown.starts_with(begin), "{setup}: {shown}");
        let rest = ", nor `wasi:cli/exit@0.2.0` `leave`, `my:own/first` `f`, `second`; ";
        assert!(shown.contains(rest), "{setup}: {shown}");

        let long = format!("a{}", "b".repeat(5000));
        let many: String = (0..500).fold(String::new(), |mut many, number| {
            write!(many, r#"(import "{long}{number}" (func))"#).unwrap();
            many
        });
        let shown = refusal(setup, &format!("(component {many})")).to_string();
        assert!(shown.contains(" and 489 more"), "{setup}: {shown}");
        assert!(shown.len() < 5000, "{setup}: {} bytes", shown.len());
    }
}

#[test]
fn a_name_that_needs_no_definition_is_not_missing() {
    let text = r#"(component
        (import "my:own/types" (instance (type $n u32) (export "number" (type (eq $n)))))
        (import "wasi:io/poll@0.2.0" (instance $poll
            (export "pollable" (type (sub resource)))))
        (alias export $poll "pollable" (type $pollable))
        (import "my:own/handles" (instance
            (alias outer 1 $pollable (type $pollable)) (export "handle" (type (eq $pollable)))))
        (import "again" (type (eq $pollable))))"#;
    for setup in setups() {
        let module = setup.module(Module::from_text(text).unwrap());
        let mut vm = setup.vm();
        let loaded = vm.load(&module).unwrap();
        vm.instantiate(loaded).unwrap_or_else(|error| panic!("{setup}: {error}"));
    }
}

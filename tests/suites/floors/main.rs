//! The host is built in floors, whose arrows run down only: crates, and modules at the top of two of
//! them. `table.rs` has the floors and what each may use.

mod source;
mod table;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use source::Of;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use table::{APART, COMMAND_ONLY, CRATES, Crate, Floor};

/// What to do about an arrow that runs upward.
const REMEDY: &str = "\
Move what both need down to a floor that both may use, or hand it down, as a value or by a trait of
the lower floor. The floors, and what each may use, are in tests/suites/floors/table.rs.";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(["--locked".to_owned()])
        .exec()
        .expect("cargo describes the workspace")
}

fn package<'m>(metadata: &'m Metadata, name: &str) -> &'m Package {
    let found = metadata.workspace_packages().into_iter().find(|package| package.name == name);
    found.unwrap_or_else(|| panic!("tests/suites/floors/table.rs: there is no crate `{name}`"))
}

/// Files of a folder and those below, by their paths from there.
fn files(folder: &Path, below: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder.join(below)).expect("a folder of sources") {
        let path = below.join(entry.expect("an entry").file_name());
        if folder.join(&path).is_dir() {
            files(folder, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The module that a file is, as steps from the crate; none for the crate's face.
fn module(file: &Path) -> Vec<String> {
    let steps = file.with_extension("");
    let mut steps: Vec<String> =
        steps.iter().map(|step| step.to_str().expect("a module's name").to_owned()).collect();
    steps.pop_if(|last| last == "mod" || last == "lib");
    steps
}

/// What is wrong with the uses of a file: a paragraph each.
fn wrong(floors: &[Floor], file: &Path, steps: &[String], text: &str) -> String {
    let mut wrong = String::new();
    // The crate's face may lead to everything.
    let Some(top) = steps.first() else { return wrong };
    let Some(floor) = floors.iter().find(|floor| floor.name == top) else {
        let file = file.display();
        return format!("{file}:1: the module `{top}` has no floor: give it one in the table\n");
    };
    for found in source::uses(text, steps.len()) {
        let why = match &found.of {
            Of::Super => {
                "uses what `super` leads to above it: write `crate::...`, by which floors are read"
                    .to_owned()
            }
            Of::Top(name) if *name == floor.name || floor.uses.contains(&name.as_str()) => continue,
            Of::Top(name) if floors.iter().any(|floor| floor.name == name) => {
                format!("uses `{name}`, which is no floor that it may use")
            }
            Of::Top(name) => {
                format!("uses `{name}` by the crate's face: name the module that has it")
            }
        };
        writeln!(wrong, "{}:{}: `{top}` {why}", file.display(), found.line).expect("a string");
    }
    wrong
}

fn check_order<'f>(floors: impl Iterator<Item = &'f Floor>) {
    let mut below = BTreeSet::new();
    for Floor { name, uses } in floors {
        for used in *uses {
            assert!(below.contains(used), "the table: `{used}` is not below `{name}`");
        }
        assert!(below.insert(name), "the table has `{name}` twice");
    }
}

#[test]
fn the_tables_arrows_run_down() {
    check_order(CRATES.iter().map(|Crate { floor, .. }| floor));
    for (_, floors) in CRATES.iter().filter_map(|row| row.modules) {
        check_order(floors.iter());
    }
}

#[test]
fn no_module_uses_one_above_it() {
    let mut all = String::new();
    for (folder, floors) in CRATES.iter().filter_map(|row| row.modules) {
        let mut found = Vec::new();
        files(&root().join(folder), Path::new(""), &mut found);
        found.sort();
        let tops: BTreeSet<String> =
            found.iter().filter_map(|f| module(f).into_iter().next()).collect();
        for Floor { name, .. } in floors {
            assert!(tops.contains(*name), "the table: {folder} has no module `{name}`");
        }
        for file in found {
            let text = std::fs::read_to_string(root().join(folder).join(&file)).expect("a source");
            all += &wrong(floors, &Path::new(folder).join(&file), &module(&file), &text);
        }
    }
    assert!(all.is_empty(), "\n{all}{REMEDY}");
}

#[test]
fn no_crate_depends_on_one_above_it() {
    let metadata = metadata();
    for Crate { floor, .. } in CRATES {
        for dependency in &package(&metadata, floor.name).dependencies {
            let ours = dependency.path.is_some() && dependency.kind != DependencyKind::Development;
            // What an option for tests brings in is in no program.
            let apart = dependency.optional && APART.contains(&dependency.name.as_str());
            assert!(
                !ours || apart || floor.uses.contains(&dependency.name.as_str()),
                "{}: `{}` depends on `{}`, which is no floor that it may use\n{REMEDY}",
                package(&metadata, floor.name).manifest_path,
                floor.name,
                dependency.name
            );
        }
    }
    for member in metadata.workspace_packages() {
        let name = member.name.as_str();
        let known = CRATES.iter().any(|row| row.floor.name == name) || APART.contains(&name);
        assert!(known, "{}: the crate has no floor: {REMEDY}", member.manifest_path);
    }
}

/// wasmtime brings anyhow along all the same, and its macros serde_json.
#[test]
fn what_the_command_needs_no_crate_below_it_asks_for() {
    let metadata = metadata();
    for Crate { floor, .. } in CRATES.iter().filter(|row| row.floor.name != "wrt-cli") {
        for dependency in &package(&metadata, floor.name).dependencies {
            let asked = dependency.kind != DependencyKind::Development
                && COMMAND_ONLY.contains(&dependency.name.as_str());
            assert!(
                !asked,
                "{}: `{}` depends on `{}`, which is for the command alone",
                package(&metadata, floor.name).manifest_path,
                floor.name,
                dependency.name
            );
        }
    }
}

#[test]
fn an_import_that_runs_upward_is_found_and_named() {
    let [below, above] =
        [Floor { name: "below", uses: &[] }, Floor { name: "above", uses: &["below"] }];
    let check = |module: &str, text: &str| {
        let file = PathBuf::from(format!("{module}.rs"));
        wrong(&[Floor { ..below }, Floor { ..above }], &file, &[module.to_owned()], text)
    };
    assert_eq!(check("above", "use crate::below::Value;\n"), "");
    assert_eq!(
        check("below", "use std::io;\nuse crate::above::Door;\n"),
        "below.rs:2: `below` uses `above`, which is no floor that it may use\n"
    );
    assert!(check("below", "use super::above::Door;\n").contains("below.rs:1: `below` uses what"));
    assert!(check("below", "use crate::Door;\n").contains("by the crate's face"));
    assert!(check("new", "").contains("has no floor"));
}

//! The programs of preview 1 as components: their calls go through the adapter to WASI 0.2, and
//! come out of the guest as calls of preview 1 again.

use crate::programs::{CASES, Case};
use crate::{outputs, run_all, setups};

/// Cases that the adapter answers otherwise than preview 1, each with the difference. A name that
/// ends with a colon stands for all of a program's cases.
const DIFFERENT: &[(&str, &[&str])] = &[
    (
        "the program's memory is the adapter's own: it traps, or reads on, by itself",
        &["pointers:", "pointers_unused", "oversized"],
    ),
    (
        "the adapter takes what are no values for others, or refuses them by an errno",
        &["invalid_values:", "poll_errors"],
    ),
    (
        "WASI 0.2's `exit` knows that it went well, or not",
        &[
            "main_returns",
            "proc_exit_skips_the_rest",
            "proc_exit with 77",
            "proc_exit with 125",
            "proc_exit with 126",
            "proc_exit with 200",
            "proc_exit with 255",
            "proc_exit with 256",
            "proc_exit with 4294967295",
        ],
    ),
    (
        "the adapter does not have these calls, and traps",
        &["proc_raise", "sockets", "bad_descriptor"],
    ),
    (
        "the adapter has a table of descriptors of its own, and checks more in it, or less",
        &[
            "fd_advise",
            "fd_allocate",
            "fd_fdstat_get",
            "fd_fdstat_set_rights",
            "fd_filestat_set_size",
            "fd_filestat_set_times",
            "fd_pread",
            "fd_pwrite",
            "fd_seek",
            "fd_sync",
            "many_descriptors",
            "path_create_directory",
            "path_filestat_get",
            "path_filestat_set_times",
            "path_link",
            "path_readlink",
            "path_remove_directory",
            "path_rename",
            "path_symlink",
            "path_unlink_file",
            "preopens:",
            "read_only",
            "read_only_poll",
            "stdio_closed",
        ],
    ),
    ("`.` and `..` are the adapter's, and have no inode", &["fd_readdir"]),
    ("a write is as long as WASI 0.2's stream permits", &["large_file"]),
    ("an empty read does nothing", &["stdin_errors"]),
    (
        "a stream of WASI 0.2 that has come to a file's end stays closed when the file grows",
        &["fd_read_runs"],
    ),
    (
        "WASI 0.2 says of a file that its directory is read-only, not how it was opened",
        &["read_only_and_read_write"],
    ),
    (
        "the adapter's answers say other numbers of bytes, and it counts in 64 bits",
        &["poll_clock", "poll_descriptors"],
    ),
    ("a string of WASI 0.2 is UTF-8, or the program traps", &["path_names", "path_not_utf8"]),
];

#[test]
fn every_case_of_preview_1_passes_on_every_backend() {
    let setups = setups();
    if setups.is_empty() {
        return;
    }
    let components = wrt_tests::programs::build_as_components(outputs());
    let cases: Vec<&Case> = CASES.iter().filter(|case| different(case.name).is_none()).collect();
    for setup in setups {
        run_all(setup, &components, cases.iter().copied());
    }
}

/// Whether `listed` stands for the case.
fn is(name: &str, listed: &str) -> bool {
    name == listed || listed.ends_with(':') && name.starts_with(listed)
}

/// Why a case is answered otherwise, if it is.
fn different(name: &str) -> Option<&'static str> {
    let found = DIFFERENT.iter().find(|(_, names)| names.iter().any(|listed| is(name, listed)));
    found.map(|(why, _)| *why)
}

#[test]
fn every_difference_is_one_of_a_case() {
    for listed in DIFFERENT.iter().flat_map(|(_, names)| *names) {
        assert!(CASES.iter().any(|case| is(case.name, listed)), "{listed} is no case");
    }
}

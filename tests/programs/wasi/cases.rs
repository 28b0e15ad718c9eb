// What each program is given and what must come of it.
//
// Plain data, to be `include!`d by whatever runs the programs, best in a module
// of its own. `world.rs`, included next to it, turns a case into files and
// checks them afterwards.
//
// Paths are relative to the case's world: a fresh directory of its own with
//
//     scratch/              empty, the usual preopen
//     outside/secret.txt    what no program may get at
//
// and the entries of `before`. Whoever runs a case keeps all else out of there.
// Whatever a case does, the part of its world that no writable preopen covers
// must come out unchanged: contents, links, times, the lot.
//
// In arguments and in the targets of links, `{world}` is the absolute path of
// the world.

/// A run of one program.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Unique. The program's name alone if there is just the one case.
    pub name: &'static str,
    /// The file in `src/bin`, without `.rs`.
    pub program: &'static str,
    /// The arguments after the program's own name.
    pub args: &'static [&'static str],
    /// The whole environment: nothing is inherited.
    pub env: &'static [(&'static str, &'static str)],
    /// All of standard input, which ends after it. None of the three standard
    /// streams is a terminal.
    pub stdin: Content,
    /// In order: the first becomes descriptor 3.
    pub preopens: &'static [Preopen],
    /// What is there before the run, parents first.
    pub before: &'static [Entry],
    pub outcome: Outcome,
    /// All of standard output.
    pub stdout: Content,
    /// All of standard error, if it matters.
    pub stderr: Option<Content>,
    /// What must be there after the run, exactly like this.
    pub after: &'static [Entry],
    /// What must not be there after the run.
    pub absent: &'static [&'static str],
    /// Whether files go from one preopen to another. Where each may be a mount of its own, which
    /// the system lets no link and no rename cross, the program gets a last argument, `mounts`.
    pub crosses: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Preopen {
    /// The directory in the world.
    pub host: &'static str,
    /// The name the program sees it by.
    pub guest: &'static str,
    pub access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    ReadOnly,
    ReadWrite,
}

#[derive(Clone, Copy, Debug)]
pub enum Entry {
    Dir(&'static str),
    File(&'static str, Content),
    /// An empty file, with a name that need not be UTF-8, in `parent`.
    OddName {
        parent: &'static str,
        name: &'static [u8],
    },
    Symlink {
        path: &'static str,
        target: &'static str,
    },
}

#[derive(Clone, Copy, Debug)]
pub enum Content {
    Text(&'static str),
    Bytes(&'static [u8]),
    /// The text this many times over.
    Repeat(&'static str, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The program ends on its own, with this code. The programs assert what
    /// they test, so that any other code or a trap means a failed assertion.
    Exit(u8),
    /// The host ends the program, in a way that is told from any exit code.
    Trap,
}

impl Content {
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Content::Text(text) => text.into(),
            Content::Bytes(bytes) => bytes.into(),
            Content::Repeat(text, times) => text.repeat(times).into(),
        }
    }
}

use Access::{ReadOnly, ReadWrite};
use Content::{Bytes, Repeat, Text};
use Entry::{Dir, File, OddName, Symlink};
use Outcome::{Exit, Trap};

const NOTHING: Content = Text("");
const SCRATCH: &[Preopen] = &[preopen("scratch", "/", ReadWrite)];

/// The case most programs need: an empty directory as `/`, and success.
const fn case(program: &'static str) -> Case {
    Case {
        name: program,
        program,
        args: &[],
        env: &[],
        stdin: NOTHING,
        preopens: SCRATCH,
        before: &[],
        outcome: Exit(0),
        stdout: NOTHING,
        stderr: Some(NOTHING),
        after: &[],
        absent: &[],
        crosses: false,
    }
}

/// A case of several for one program.
const fn named(name: &'static str, program: &'static str) -> Case {
    Case {
        name,
        ..case(program)
    }
}

const fn preopen(host: &'static str, guest: &'static str, access: Access) -> Preopen {
    Preopen {
        host,
        guest,
        access,
    }
}

const fn link(path: &'static str, target: &'static str) -> Entry {
    Symlink { path, target }
}

/// A code that no process can end with.
macro_rules! no_exit_code {
    ($code:literal) => {
        Case {
            name: concat!("proc_exit with ", $code),
            args: &[$code],
            outcome: Trap,
            stdout: Text(concat!("leaving with ", $code)),
            stderr: None,
            ..case("proc_exit")
        }
    };
}

macro_rules! exit_code {
    ($code:literal) => {
        Case {
            name: concat!("proc_exit with ", $code),
            args: &[stringify!($code)],
            outcome: Exit($code),
            stdout: Text(concat!("leaving with ", $code)),
            ..case("proc_exit")
        }
    };
}

/// A call that traps for its argument. The output shows that it got that far.
macro_rules! trap {
    ($program:literal, $call:literal) => {
        Case {
            name: concat!($program, ": ", $call),
            args: &[$call],
            outcome: Trap,
            stdout: Text(concat!("calling ", $call, "\n")),
            stderr: None,
            absent: &["scratch/new"],
            ..case($program)
        }
    };
}

pub const CASES: &[Case] = &[
    // Arguments and environment.
    named("args: none", "args"),
    Case {
        name: "args: unicode and empty strings",
        args: &[
            "",
            "zażółć 🦀",
            " two  words ",
            "",
            "--flag=value",
            "a\nb\"\\",
            "$HOME * ~",
            "",
        ],
        stdout: Text(
            r#"""
"zażółć 🦀"
" two  words "
""
"--flag=value"
"a\nb\"\\"
"$HOME * ~"
""
"#,
        ),
        ..case("args")
    },
    named("environ: empty", "environ"),
    Case {
        name: "environ: unicode and empty values",
        env: &[
            ("PLAIN", "value"),
            ("EMPTY", ""),
            ("EQUALS", "a=b=c"),
            ("SPACES", "  a\tb  "),
            ("LINES", "a\nb"),
            ("zażółć", "🦀"),
            ("lower", "case"),
        ],
        stdout: Text(
            r#""EMPTY="
"EQUALS=a=b=c"
"LINES=a\nb"
"PLAIN=value"
"SPACES=  a\tb  "
"lower=case"
"zażółć=🦀"
"#,
        ),
        ..case("environ")
    },
    // Clocks, randomness and the like.
    case("clock_res_get"),
    case("clock_time_get"),
    case("random_get"),
    case("sched_yield"),
    case("proc_raise"),
    case("sockets"),
    // Ways to end.
    exit_code!(0),
    exit_code!(1),
    exit_code!(77),
    exit_code!(125),
    exit_code!(126),
    exit_code!(200),
    exit_code!(255),
    // More than the exit status of a process has room for.
    no_exit_code!("256"),
    no_exit_code!("4294967295"),
    Case {
        outcome: Exit(3),
        after: &[File("scratch/file", Text("written"))],
        ..case("proc_exit_skips_the_rest")
    },
    Case {
        outcome: Exit(42),
        ..case("main_returns")
    },
    Case {
        outcome: Trap,
        stdout: Text("before\n"),
        stderr: None,
        ..case("main_panics")
    },
    // Descriptors.
    case("fd_advise"),
    Case {
        after: &[File("scratch/file", Text("four"))],
        ..case("fd_allocate")
    },
    case("fd_close"),
    case("fd_fdstat_get"),
    case("fd_fdstat_set_flags"),
    case("fd_fdstat_set_rights"),
    case("fd_filestat_get"),
    case("fd_filestat_set_size"),
    case("fd_filestat_set_times"),
    case("fd_pread"),
    Case {
        after: &[File("scratch/file", Text("01234ab789\0cd"))],
        ..case("fd_pwrite")
    },
    case("fd_read"),
    case("fd_readdir"),
    case("fd_readdir_many"),
    case("fd_readdir_removed"),
    case("fd_renumber"),
    Case {
        absent: &["scratch/file"],
        ..case("fd_read_runs")
    },
    case("fd_seek"),
    case("fd_sync"),
    Case {
        after: &[File("scratch/file", Text("abcd45678xyz\0\0!"))],
        ..case("fd_write")
    },
    Case {
        after: &[File("scratch/file", Text("start one two three four five"))],
        ..case("append")
    },
    Case {
        absent: &["scratch/hole"],
        ..case("large_file")
    },
    case("many_descriptors"),
    case("unlinked_file"),
    case("bad_descriptor"),
    // Standard streams.
    named("stdin_to_end: empty", "stdin_to_end"),
    Case {
        name: "stdin_to_end: a few bytes",
        stdin: Bytes(b"\0\xff one\r\ntwo"),
        stdout: Bytes(b"\0\xff one\r\ntwo"),
        ..case("stdin_to_end")
    },
    Case {
        name: "stdin_to_end: a megabyte",
        stdin: Repeat("0123456789abcde\n", 64 * 1024),
        stdout: Repeat("0123456789abcde\n", 64 * 1024),
        ..case("stdin_to_end")
    },
    Case {
        stdin: Text("two or more bytes"),
        ..case("stdin_errors")
    },
    Case {
        stdout: Bytes(b"out 1\nout 2\n\0\xff\xfe\r\n\0"),
        stderr: Some(Text("err 1\nerr 2\n")),
        ..case("stdout_stderr")
    },
    Case {
        stdout: Repeat("0123456789abcdef", 64 * 1024),
        ..case("stdout_large")
    },
    Case {
        stderr: Some(Text("moved stderr\n")),
        after: &[File("scratch/log", Text("into the file"))],
        ..case("stdio_renumber")
    },
    Case {
        after: &[File("scratch/file", Text("in the file\n"))],
        ..case("stdio_closed")
    },
    Case {
        stdin: Text("input"),
        stdout: Text("output"),
        ..case("iovecs")
    },
    // Polling.
    case("poll_clock"),
    Case {
        stdin: Text("some bytes"),
        ..case("poll_descriptors")
    },
    case("poll_errors"),
    Case {
        stdin: Text("some bytes"),
        ..case("poll_many")
    },
    // Paths.
    case("path_create_directory"),
    case("path_filestat_get"),
    case("path_filestat_set_times"),
    case("path_link"),
    case("path_names"),
    Case {
        before: &[
            File("scratch/good", Text("")),
            Dir("scratch/odd"),
            OddName {
                parent: "scratch/odd",
                name: b"not-\xff-utf8",
            },
            File("scratch/odd/good", Text("fine")),
        ],
        ..case("path_not_utf8")
    },
    case("path_open_errors"),
    case("path_open_flags"),
    case("path_open_links"),
    case("path_open_rights"),
    case("path_readlink"),
    case("path_remove_directory"),
    Case {
        after: &[
            Dir("scratch/d"),
            Dir("scratch/full"),
            File("scratch/link-2", Text("moved")),
        ],
        absent: &["scratch/a", "scratch/file", "scratch/old", "scratch/x"],
        ..case("path_rename")
    },
    Case {
        after: &[
            link("scratch/link", "file"),
            link("scratch/a/link", "../file"),
            link("scratch/dangling", "nowhere"),
        ],
        ..case("path_symlink")
    },
    case("path_trailing_slash"),
    case("path_unlink_file"),
    // Preopens.
    Case {
        name: "preopens: the usual one",
        stdout: Text("/\n"),
        ..case("preopens")
    },
    Case {
        name: "preopens: none",
        preopens: &[],
        ..case("preopens")
    },
    Case {
        name: "preopens: several",
        preopens: &[
            preopen("scratch", ".", ReadWrite),
            preopen("scratch/zażółć 🦀", "/zażółć 🦀", ReadOnly),
            preopen("scratch", "relative/name", ReadOnly),
            // The same name again is as good as any.
            preopen("scratch", ".", ReadWrite),
        ],
        before: &[Dir("scratch/zażółć 🦀")],
        stdout: Text(".\n/zażółć 🦀\nrelative/name\n.\n"),
        ..case("preopens")
    },
    Case {
        preopens: &[],
        ..case("no_preopens")
    },
    Case {
        preopens: &[
            preopen("one", "/one", ReadWrite),
            preopen("two", "/two", ReadWrite),
        ],
        before: &[Dir("one"), Dir("two")],
        after: &[
            File("one/back", Text("from one")),
            File("two/linked", Text("from one")),
        ],
        absent: &["one/file", "two/moved"],
        crosses: true,
        ..case("two_preopens")
    },
    Case {
        preopens: &[
            preopen("scratch", "/", ReadWrite),
            preopen("elsewhere", "/data", ReadWrite),
        ],
        before: &[
            Dir("elsewhere"),
            File("elsewhere/config", Text("from data")),
        ],
        after: &[
            File("elsewhere/new", Text("1")),
            File("scratch/new", Text("2")),
        ],
        absent: &["scratch/data"],
        ..case("nested_preopens")
    },
    Case {
        stdout: Text("hello, world\n"),
        after: &[
            File("scratch/greeting.txt", Text("hello")),
            File("scratch/moved/copy.txt", Text("hello, world")),
            Dir("scratch/moved/est"),
        ],
        absent: &["scratch/deep"],
        ..case("std_files")
    },
    // The sandbox.
    case("sandbox_dotdot"),
    Case {
        args: &["{world}/outside/secret.txt", "{world}/scratch"],
        ..case("sandbox_absolute")
    },
    Case {
        before: &[
            File("scratch/file", Text("inside")),
            Dir("scratch/below"),
            link("scratch/relative", "../outside/secret.txt"),
            link("scratch/absolute", "{world}/outside/secret.txt"),
            link(
                "scratch/by-way-of-a-directory",
                "below/../../outside/secret.txt",
            ),
            link("scratch/chain", "below/relative"),
            link("scratch/chain-absolute", "absolute"),
            link("scratch/below/relative", "../../outside/secret.txt"),
            link("scratch/out-and-in", "../scratch/file"),
            link("scratch/absolute-inside", "{world}/scratch/file"),
            link("scratch/to-missing", "../outside/missing.txt"),
            link("scratch/to-outside", "../outside"),
            link("scratch/to-parent", ".."),
            link("scratch/to-root", "/"),
        ],
        after: &[
            File("scratch/file", Text("inside")),
            File("scratch/absolute", Text("mine")),
            link("scratch/out-and-in", "../scratch/file"),
            link("scratch/to-parent", ".."),
        ],
        absent: &["scratch/stolen", "scratch/to-outside"],
        ..case("sandbox_symlinks")
    },
    case("sandbox_own_symlinks"),
    case("sandbox_symlink_chain"),
    Case {
        absent: &["scratch/stolen"],
        ..case("sandbox_hard_links")
    },
    Case {
        name: "sandbox_renamed_directory: in one preopen",
        after: &[Dir("scratch/b/moved/new")],
        absent: &["scratch/c"],
        ..case("sandbox_renamed_directory")
    },
    Case {
        name: "sandbox_renamed_directory: out to another",
        preopens: &[
            preopen("scratch", "/", ReadWrite),
            preopen("other", "/other", ReadWrite),
        ],
        before: &[Dir("other")],
        after: &[Dir("other/adopted/new"), Dir("other/adopted/newer")],
        absent: &["scratch/b/moved"],
        crosses: true,
        ..case("sandbox_renamed_directory")
    },
    // Read-only preopens.
    Case {
        preopens: &[preopen("scratch", "/", ReadOnly)],
        before: &[
            File("scratch/file", Text("12345")),
            Dir("scratch/a"),
            File("scratch/a/below", Text("678")),
            Dir("scratch/empty"),
            link("scratch/link", "file"),
        ],
        ..case("read_only")
    },
    Case {
        preopens: &[preopen("scratch", "/", ReadOnly)],
        before: &[File("scratch/file", Text("12345"))],
        ..case("read_only_poll")
    },
    Case {
        preopens: &[
            preopen("ro", "/ro", ReadOnly),
            preopen("rw", "/rw", ReadWrite),
        ],
        before: &[Dir("ro"), File("ro/file", Text("theirs")), Dir("rw")],
        after: &[File("rw/mine", Text("mine")), link("rw/link", "../ro/file")],
        ..case("read_only_and_read_write")
    },
    Case {
        preopens: &[
            preopen("scratch", "/ro", ReadOnly),
            preopen("scratch", "/rw", ReadWrite),
        ],
        after: &[File("scratch/file-2", Text("written"))],
        absent: &["scratch/file"],
        ..case("read_only_twice")
    },
    // Pointers.
    case("pointers_unused"),
    case("oversized"),
    trap!("pointers", "args_get argv"),
    trap!("pointers", "args_get argv unaligned"),
    trap!("pointers", "args_get argv_buf"),
    trap!("pointers", "args_sizes_get argc"),
    trap!("pointers", "args_sizes_get unaligned"),
    trap!("pointers", "args_sizes_get argv_buf_size"),
    Case {
        env: &[("NAME", "value")],
        ..trap!("pointers", "environ_get environ")
    },
    Case {
        env: &[("NAME", "value")],
        ..trap!("pointers", "environ_get environ_buf")
    },
    trap!("pointers", "environ_sizes_get count"),
    trap!("pointers", "environ_sizes_get size"),
    trap!("pointers", "clock_res_get"),
    trap!("pointers", "clock_time_get"),
    trap!("pointers", "clock_time_get unaligned"),
    trap!("pointers", "clock_time_get across the end"),
    trap!("pointers", "clock_time_get last address"),
    trap!("pointers", "fd_fdstat_get"),
    trap!("pointers", "fd_filestat_get"),
    trap!("pointers", "fd_pread iovs"),
    trap!("pointers", "fd_pread buffer"),
    trap!("pointers", "fd_pread nread"),
    trap!("pointers", "fd_prestat_get"),
    trap!("pointers", "fd_prestat_dir_name"),
    trap!("pointers", "fd_pwrite iovs"),
    trap!("pointers", "fd_pwrite buffer"),
    trap!("pointers", "fd_read iovs"),
    trap!("pointers", "fd_read iovs unaligned"),
    trap!("pointers", "fd_read iovs across the end"),
    trap!("pointers", "fd_read buffer"),
    trap!("pointers", "fd_read buffer across the end"),
    trap!("pointers", "fd_read nread"),
    trap!("pointers", "fd_readdir buf"),
    trap!("pointers", "fd_readdir bufused"),
    trap!("pointers", "fd_seek"),
    trap!("pointers", "fd_tell"),
    trap!("pointers", "fd_write iovs"),
    trap!("pointers", "fd_write buffer"),
    trap!("pointers", "fd_write buffer across the end"),
    trap!("pointers", "fd_write nwritten"),
    trap!("pointers", "fd_write stdout buffer"),
    trap!("pointers", "path_create_directory"),
    trap!("pointers", "path_filestat_get path"),
    trap!("pointers", "path_filestat_get filestat"),
    trap!("pointers", "path_filestat_set_times"),
    trap!("pointers", "path_link old"),
    trap!("pointers", "path_link new"),
    trap!("pointers", "path_open path"),
    trap!("pointers", "path_open path across the end"),
    trap!("pointers", "path_open opened_fd"),
    trap!("pointers", "path_readlink path"),
    trap!("pointers", "path_remove_directory"),
    trap!("pointers", "path_rename old"),
    trap!("pointers", "path_rename new"),
    trap!("pointers", "path_symlink old"),
    trap!("pointers", "path_symlink new"),
    trap!("pointers", "path_unlink_file"),
    trap!("pointers", "poll_oneoff in"),
    trap!("pointers", "poll_oneoff in unaligned"),
    trap!("pointers", "poll_oneoff out"),
    trap!("pointers", "poll_oneoff nevents"),
    trap!("pointers", "random_get"),
    // Arguments that are none of the values there are.
    trap!("invalid_values", "clock_res_get id"),
    trap!("invalid_values", "clock_time_get id"),
    trap!("invalid_values", "fd_advise advice"),
    trap!("invalid_values", "fd_seek whence"),
    trap!("invalid_values", "fd_seek whence and fd"),
    trap!("invalid_values", "proc_raise sig"),
    trap!("invalid_values", "fd_fdstat_set_flags flags"),
    trap!("invalid_values", "fd_fdstat_set_rights base"),
    trap!("invalid_values", "fd_fdstat_set_rights inheriting"),
    trap!("invalid_values", "fd_filestat_set_times fst_flags"),
    trap!("invalid_values", "path_filestat_get flags"),
    trap!("invalid_values", "path_filestat_set_times flags"),
    trap!("invalid_values", "path_filestat_set_times fst_flags"),
    trap!("invalid_values", "path_link old_flags"),
    trap!("invalid_values", "path_open dirflags"),
    trap!("invalid_values", "path_open oflags"),
    trap!("invalid_values", "path_open base"),
    trap!("invalid_values", "path_open inheriting"),
    trap!("invalid_values", "path_open fdflags"),
    trap!("invalid_values", "sock_accept flags"),
    trap!("invalid_values", "sock_recv ri_flags"),
    trap!("invalid_values", "sock_shutdown how"),
];

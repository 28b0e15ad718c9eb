// What each program is given and what must come of it.
//
// Of the types, and with the helpers, of `../wasi/cases.rs`; to be `include!`d behind it.

/// A case whose program prints a line when it has found nothing wrong.
const fn prints(program: &'static str, line: &'static str) -> Case {
    Case {
        stdout: Text(line),
        ..case(program)
    }
}

/// A run of the ordinary program.
const fn program(name: &'static str, args: &'static [&'static str]) -> Case {
    Case {
        args,
        ..named(name, "program")
    }
}

/// An exit code, by each of the ways to one.
macro_rules! leaves {
    ($way:literal, $code:literal) => {
        Case {
            outcome: Exit($code),
            ..program(
                concat!("program: ", $way, " ", $code),
                &[$way, stringify!($code)],
            )
        }
    };
}

/// A call that ends the program for what it asks for.
macro_rules! misuse {
    ($what:literal) => {
        Case {
            args: &[$what],
            outcome: Trap,
            stdout: Text(concat!("calling ", $what, "\n")),
            stderr: None,
            ..named(concat!("misuse: ", $what), "misuse")
        }
    };
}

pub const COMPONENT_CASES: &[Case] = &[
    // What a program is given.
    Case {
        stdout: Text("\"\"\n\"zażółć 🦀\"\n\" two  words \"\n"),
        ..program("program: args", &["args", "", "zażółć 🦀", " two  words "])
    },
    program("program: no args", &["args"]),
    Case {
        env: &[("NAME", "value"), ("EMPTY", ""), ("EQUALS", "a=b=c"), ("Ü", "ü")],
        stdout: Text("NAME=value\nEMPTY=\nEQUALS=a=b=c\nÜ=ü\n"),
        ..program("program: env", &["env"])
    },
    program("program: no env", &["env"]),
    // Standard streams.
    Case {
        stdin: Text("some\nlines"),
        stdout: Text("some\nlines"),
        stderr: Some(Text("10")),
        ..program("program: echo", &["echo"])
    },
    Case {
        stderr: Some(Text("0")),
        ..program("program: echo of nothing", &["echo"])
    },
    Case {
        stdin: Repeat("0123456789abcdef", 655_360),
        stdout: Repeat("0123456789abcdef", 655_360),
        stderr: Some(Text("10485760")),
        ..program("program: echo of 10 MiB", &["echo"])
    },
    Case {
        stdin: Repeat("0123456789abcdef", 655_361),
        stdout: Text("10485776\n"),
        ..program("program: count", &["count"])
    },
    Case {
        stdout: Text("out"),
        stderr: Some(Text("err")),
        ..program("program: streams", &["streams"])
    },
    // Ends.
    leaves!("exit", 0),
    // The interface has two codes for the standard library: it went well, or it did not.
    leaves!("exit", 1),
    leaves!("return", 0),
    leaves!("return", 1),
    Case {
        outcome: Exit(1),
        ..program("program: fail", &["fail"])
    },
    Case {
        outcome: Trap,
        stderr: None,
        ..program("program: panic", &["panic"])
    },
    Case {
        args: &["7"],
        outcome: Exit(7),
        stdout: Text("leaving\n"),
        ..named("exit_code 7", "exit_code")
    },
    Case {
        args: &["255"],
        outcome: Exit(255),
        stdout: Text("leaving\n"),
        ..named("exit_code 255", "exit_code")
    },
    // Files.
    Case {
        absent: &["scratch/a", "scratch/one.txt", "outside/planted"],
        after: &[File("scratch/four.txt", Text("first LINE"))],
        ..prints("files", "done\n")
    },
    prints("large_file", "10485760 bytes\n"),
    prints("descriptors", "done\n"),
    Case {
        after: &[
            File("scratch/file", Bytes(b"x1234567abcdd!\0\0\0")),
            File("scratch/copy", Bytes(b"x1234567abcdd!\0\0\0")),
        ],
        ..prints("streams", "written twice\n")
    },
    Case {
        preopens: &[preopen("scratch", "/", ReadOnly)],
        before: &[File("scratch/kept.txt", Text("kept\n")), Dir("scratch/folder")],
        ..prints("read_only", "refused\n")
    },
    // The rest.
    Case {
        stdin: Text("a line\n"),
        ..prints("clocks", "done\n")
    },
    prints("random", "done\n"),
    prints("sockets", "done\n"),
    prints("http", "done\n"),
    misuse!("too many streams"),
    misuse!("a write beyond the permit"),
    misuse!("zeroes beyond the permit"),
    misuse!("a blocking write of too much"),
    misuse!("blocking zeroes of too much"),
    misuse!("a stream that ends before its pollable"),
    misuse!("a sink that ends before its pollable"),
    misuse!("a body that ends before its stream"),
    misuse!("too many headers"),
    misuse!("too many random bytes"),
    misuse!("poll of nothing"),
];

//! Words that users of other runtimes are used to, and what to type here instead.
//!
//! A module that stands where a command should is run; that means the same everywhere. All else
//! is answered: an option of another runtime may mean almost what one of ours does.

use super::Arguments;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Error};
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Options of other runtimes, and the answer. A `-W`, `-S`, `-C` or `-D` takes `KEY=VALUE`: see
/// [`KEYS`].
const OPTIONS: [(&[&str], &str); 17] = [
    (&["--mapdir", "--volume"], "to open a directory under another name: --dir HOST::GUEST"),
    (&["--wasm-timeout"], "to end a program after some time: --timeout 5s"),
    (&["--fuel"], "instructions are not counted; to end a program after some time: --timeout 5s"),
    (&["--max-memory-size"], "to limit a program's memory: --max-memory 64MiB"),
    (&["-W", "--wasm", "--wasm-features", "--wasm-feature"], PROPOSALS),
    (&["-S", "--wasi", "--wasi-modules"], "WASI needs no option; see --dir and --env"),
    (
        &["-C", "--codegen", "--cranelift", "--target-feature"],
        "the compiler has no options; see --engine, and `wrt-vm compile --target`",
    ),
    (&["-O", "--optimize", "--opt-level"], "compiled code is always optimized: leave it out"),
    (&["-D", "--debug"], "to see what happens: -v logs, --stats counts, --trace FILE records"),
    (
        &["-g", "--debug-info"],
        "no debugger can look into a VM; the backtrace of a trap has the names of functions",
    ),
    (&["--disable-cache"], "to keep compiled code nowhere: --no-cache"),
    (&["--allow-precompiled"], "a .cwasm runs without an option: leave it out"),
    (&["--inherit-env"], "to pass on one variable: --env NAME (there is no option for all)"),
    (&["--tcplisten", "--listenfd", "--net"], NETWORK),
    (&["--preload"], "modules are not linked when they run: link them beforehand (wasm-merge)"),
    (&["--profile"], "to see where the time goes: --trace FILE"),
    (&["--config"], "there is no file of settings: all options are on the command line"),
];

/// What stands behind the short options.
const KEYS: [(&str, &str, &str); 12] = [
    ("-W", "max-memory-size", "to limit a program's memory: --max-memory 64MiB"),
    ("-W", "timeout", "to end a program after some time: --timeout 5s"),
    ("-W", "fuel", "instructions are not counted; to end a program after some time: --timeout 5s"),
    ("-S", "inherit-env", "to pass on one variable: --env NAME (there is no option for all)"),
    ("-S", "inherit-network", NETWORK),
    ("-S", "tcp", NETWORK),
    ("-S", "udp", NETWORK),
    ("-S", "listenfd", NETWORK),
    ("-S", "http", NETWORK),
    ("-C", "cache", "to keep compiled code nowhere: --no-cache; elsewhere: --cache-dir DIR"),
    ("-C", "cranelift", "the compiler has no options: leave it out"),
    ("-D", "logging", "to see what happens: -v or -vv"),
];

const PROPOSALS: &str = "proposals need no option: all that an engine knows are on";
const NETWORK: &str = "programs have no network";

/// Commands of other runtimes.
const COMMANDS: [(&str, &str); 7] = [
    ("serve", "wrt-vm serves no HTTP; it runs commands: wrt-vm run MODULE"),
    ("validate", "to check a module without running it: wrt-vm compile MODULE -o /dev/null"),
    ("wast", "scripts of the specification's tests are not run; a module is: wrt-vm run MODULE"),
    ("config", "there is no file of settings; for those of the code cache: wrt-vm cache --help"),
    ("settings", "for what this machine offers: wrt-vm doctor"),
    ("objdump", "wrt-vm does not look into modules or code: use the tools of LLVM or WABT"),
    ("explore", "wrt-vm does not look into modules or code: use the tools of LLVM or WABT"),
];

/// The words of the command line, with `run` in front of a module that stands first.
pub(super) fn with_run(mut words: Vec<OsString>) -> Vec<OsString> {
    if words.get(1).is_some_and(|first| is_module(first)) {
        words.insert(1, "run".into());
    }
    words
}

/// Whether a word can only be meant as a module.
fn is_module(word: &OsStr) -> bool {
    let path = Path::new(word);
    if word.as_encoded_bytes().starts_with(b"-") {
        return word == super::module::STREAM;
    }
    let named = path.extension().is_some_and(|it| it == "wasm" || it == "wat" || it == "cwasm");
    let command = || Arguments::command().find_subcommand(word).is_some() || word == "help";
    named || !command() && path.is_file()
}

/// Puts what to type instead into an error about a word that is not known.
pub(super) fn explain(mut error: Error, words: &[OsString]) -> Error {
    let kind = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        _ => return error,
    };
    let Some(ContextValue::String(word)) = error.get(kind) else { return error };
    let answer = match kind {
        ContextKind::InvalidArg => for_option(word, words),
        _ => for_command(word),
    };
    if let Some(answer) = answer {
        let answer = ContextValue::StyledStrs(vec![StyledStr::from(answer)]);
        error.insert(ContextKind::Suggested, answer);
    }
    error
}

fn for_command(word: &str) -> Option<String> {
    let known = COMMANDS.iter().find(|(command, _)| *command == word);
    known.map(|(_, answer)| (*answer).to_owned())
}

fn for_option(option: &str, words: &[OsString]) -> Option<String> {
    let key = key_of(option, words);
    let by_key = KEYS.iter().find(|(short, name, _)| {
        OPTIONS.iter().any(|(all, _)| all.contains(short) && all.contains(&option))
            && key.as_deref().is_some_and(|key| key.starts_with(name))
    });
    if let Some((.., answer)) = by_key {
        return Some((*answer).to_owned());
    }
    if let Some((_, answer)) = OPTIONS.iter().find(|(all, _)| all.contains(&option)) {
        return Some((*answer).to_owned());
    }
    // One of ours, before the command.
    let ours = Arguments::command().find_subcommand("run").is_some_and(|run| {
        run.get_arguments().any(|argument| {
            argument.get_long().is_some_and(|long| option.strip_prefix("--") == Some(long))
        })
    });
    ours.then(|| format!("options go behind the command: wrt-vm run {option} ... MODULE"))
}

/// What stands behind an option such as `-W`: in the same word, or in the next one.
fn key_of(option: &str, words: &[OsString]) -> Option<String> {
    let words = words.iter().map(|word| word.to_string_lossy());
    let mut from = words.skip_while(|word| !word.starts_with(option));
    let rest = from.next()?.strip_prefix(option)?.trim_start_matches('=').to_owned();
    if rest.is_empty() { from.next().map(|next| next.into_owned()) } else { Some(rest) }
}

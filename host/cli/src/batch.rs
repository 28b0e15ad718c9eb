//! `run --batch FILE`: several programs, each with a world of its own.
//!
//! The file has one object of JSON a line. All of it is read and checked before anything runs.

use super::quantity;
use super::run::Directory;
use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wrt_platform::memory::SharedBytes;
use wrt_platform::text::Line;
use wrt_vm::world::Stdin;

/// Longest line, in bytes: one may hold a program's input.
const LINE_MAX: u64 = 16 << 20;
/// Most lines.
const PROGRAMS_MAX: usize = 100_000;

/// A line, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object that describes a program")]
struct Written {
    module: String,
    #[serde(default)]
    args: Vec<String>,
    argv0: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    dir: Vec<String>,
    stdin: Option<String>,
    stdin_file: Option<PathBuf>,
    timeout: Option<Quantity>,
    max_memory: Option<Quantity>,
    max_output: Option<Quantity>,
}

/// A quantity with its unit, or a number: of seconds, or of bytes.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a number, or a text such as \"5s\" or \"64MiB\"")]
enum Quantity {
    Number(serde_json::Number),
    Text(String),
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// A program of a batch.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) module: String,
    pub(super) args: Vec<String>,
    pub(super) argv0: Option<String>,
    /// Added to what the command line says.
    pub(super) env: Vec<(String, String)>,
    pub(super) dir: Vec<Directory>,
    pub(super) input: Input,
    /// Instead of what the command line says.
    pub(super) timeout: Option<Duration>,
    pub(super) max_memory: Option<u64>,
    pub(super) max_output: Option<u64>,
}

/// What a program reads.
#[derive(Clone, Debug, Default)]
pub(super) enum Input {
    #[default]
    Nothing,
    Text(Vec<u8>),
    /// A regular file's bytes, as they are when the program begins.
    File(PathBuf),
}

/// Reads the programs of a file, or of standard input if that is its name.
///
/// # Errors
///
/// With the number of the line that is wrong.
pub(super) fn read(path: &Path) -> Result<Vec<Program>> {
    if path == Path::new(super::module::STREAM) {
        return parse(&mut io::stdin().lock(), "standard input");
    }
    let name = Line(path.display()).to_string();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    parse(&mut BufReader::new(file), &name)
}

fn parse(from: &mut dyn BufRead, name: &str) -> Result<Vec<Program>> {
    let (mut programs, mut line) = (Vec::new(), Vec::new());
    for number in 1_usize.. {
        line.clear();
        let at = || format!("{name}:{number}");
        let cannot_read = || format!("cannot read {name}");
        if Read::take(&mut *from, LINE_MAX + 1)
            .read_until(b'\n', &mut line)
            .with_context(cannot_read)?
            == 0
        {
            break;
        }
        if line.len() as u64 > LINE_MAX {
            bail!("{}: the line is longer than {LINE_MAX} bytes (stdin_file?)", at());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        if programs.len() == PROGRAMS_MAX {
            bail!("{}: more than {PROGRAMS_MAX} programs", at());
        }
        programs.push(program(&line).with_context(at)?);
    }
    if programs.is_empty() {
        bail!("{name}: no program in it; one is {{\"module\": \"app.wasm\", \"args\": [\"x\"]}}");
    }
    Ok(programs)
}

fn program(line: &[u8]) -> Result<Program> {
    let written: Written = serde_json::from_slice(line).map_err(|error| {
        // Its own number of a line is 1, or 2 at the end.
        let text = Line(&error).to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        match (error.line(), error.column()) {
            (1, column @ 1..) => anyhow!("{what} (column {column})"),
            _ => anyhow!("{what}"),
        }
    })?;
    if written.module == super::module::STREAM {
        bail!("`module`: standard input cannot be one of several modules");
    }
    if written.module.is_empty() {
        bail!("`module` is empty");
    }
    let words = written.args.iter().chain(&written.argv0).chain(&written.dir);
    if let Some(word) = words.chain([&written.module]).find(|word| word.contains('\0')) {
        bail!("no word of a program can hold a zero byte, as `{}` does", Line(word));
    }
    for (name, value) in &written.env {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            bail!("`env`: no variable can be `{}`=`{}`", Line(name), Line(value));
        }
    }
    let input = match (written.stdin, written.stdin_file) {
        (Some(_), Some(_)) => bail!("`stdin` and `stdin_file` are two inputs for one program"),
        (Some(text), None) => Input::Text(text.into_bytes()),
        (None, Some(path)) => {
            open(&path).context("`stdin_file`")?;
            Input::File(path)
        }
        (None, None) => Input::Nothing,
    };
    let dir = written.dir.iter().map(|dir| field("dir", Directory::parse(dir)));
    let time = |name, written: Option<Quantity>| {
        written.map(|given| field(name, quantity::duration(&given.to_string()))).transpose()
    };
    let size = |name, written: Option<Quantity>| {
        written.map(|given| field(name, quantity::bytes(&given.to_string()))).transpose()
    };
    Ok(Program {
        dir: dir.collect::<Result<_>>()?,
        timeout: time("timeout", written.timeout)?,
        max_memory: size("max_memory", written.max_memory)?,
        max_output: size("max_output", written.max_output)?,
        module: written.module,
        args: written.args,
        argv0: written.argv0,
        env: written.env.into_iter().collect(),
        input,
    })
}

/// Says of which field a value is wrong.
fn field<T>(name: &str, value: Result<T, String>) -> Result<T> {
    value.map_err(|why| anyhow!("`{name}`: {}", Line(why)))
}

impl Input {
    /// The program's standard input.
    pub(super) fn open(&self) -> Result<Stdin> {
        let path = match self {
            Self::Nothing => return Ok(Stdin::Empty),
            Self::Text(text) => return Ok(Stdin::Bytes(text.clone())),
            Self::File(path) => path,
        };
        let (mut file, len) = open(path)?;
        if len == 0 {
            return Ok(Stdin::Empty);
        }
        let bytes = SharedBytes::new(usize::try_from(len)?, |to| file.read_exact(to));
        let cannot_read = || format!("cannot read {}", Line(path.display()));
        Ok(Stdin::Shared(Arc::new(bytes.with_context(cannot_read)?)))
    }
}

/// Opens a regular file, and tells its size. Others have no end that could be known.
fn open(path: &Path) -> Result<(File, u64)> {
    let name = Line(path.display());
    let cannot_read = || format!("cannot read {name}");
    // A pipe that has no writer would be waited for.
    if !std::fs::metadata(path).with_context(cannot_read)?.is_file() {
        bail!("{name} is no regular file");
    }
    let file = File::open(path).with_context(cannot_read)?;
    let len = file.metadata().with_context(cannot_read)?.len();
    Ok((file, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Program>> {
        parse(&mut text.as_bytes(), "batch")
    }

    #[test]
    fn a_line_is_a_program() {
        let text = r#"
            {"module": "a.wasm"}

            {"module": "b.wasm", "args": ["x", ""], "argv0": "me", "env": {"B": "2", "A": "1"},
"#;
        assert!(parsed(text).is_err(), "an object is one line");
        let programs = parsed(
            r#"{"module": "a.wasm"}

            {"module": "b.wasm", "args": ["x", ""], "argv0": "me", "env": {"A": "1"}, "stdin": "in", "dir": ["d::/d,ro"], "timeout": 5, "max_memory": "1MiB", "max_output": 64}"#,
        )
        .unwrap();
        let [a, b] = programs.as_slice() else { panic!("{programs:?}") };
        assert!(a.args.is_empty() && a.timeout.is_none() && matches!(a.input, Input::Nothing));
        assert_eq!((b.args.len(), b.argv0.as_deref(), b.env.len()), (2, Some("me"), 1));
        assert!(matches!(&b.input, Input::Text(text) if text == b"in"));
        assert_eq!((b.timeout, b.max_memory), (Some(Duration::from_secs(5)), Some(1 << 20)));
        assert_eq!(b.max_output, Some(64));
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, parts) in [
            ("", &["batch: no program in it"][..]),
            ("{\"module\": \"a\"}\n{", &["batch:2", "EOF"]),
            ("[]", &["batch:1", "an object that describes a program"]),
            (r#"{"module": "a", "args": ["x\u0000y"]}"#, &["batch:1", "zero byte", "x"]),
            (r#"{"module": "a", "argv0": "x\u0000y"}"#, &["batch:1", "zero byte"]),
            (r#"{"module": "a", "max_output": []}"#, &["batch:1", "64MiB"]),
            ("{}", &["batch:1", "missing field `module`"]),
            (r#"{"module": "a", "arg": []}"#, &["batch:1", "unknown field `arg`", "`args`"]),
            (r#"{"module": "a", "args": [1]}"#, &["batch:1", "invalid type", "a string"]),
            (r#"{"module": "-"}"#, &["batch:1", "standard input"]),
            (r#"{"module": ""}"#, &["batch:1", "`module` is empty"]),
            (r#"{"module": "a", "env": {"": "x"}}"#, &["batch:1", "`env`"]),
            (r#"{"module": "a", "timeout": "soon"}"#, &["batch:1", "`timeout`", "`soon`"]),
            (r#"{"module": "a", "max_memory": "much"}"#, &["batch:1", "`max_memory`"]),
            (r#"{"module": "a", "dir": ["::"]}"#, &["batch:1", "`dir`"]),
            (r#"{"module": "a", "stdin": "", "stdin_file": "x"}"#, &["batch:1", "two inputs"]),
            (r#"{"module": "a", "stdin_file": "/nowhere"}"#, &["batch:1", "/nowhere"]),
            (r#"{"module": "a", "stdin_file": "/dev/zero"}"#, &["batch:1", "no regular file"]),
        ] {
            let error = format!("{:#}", parsed(text).unwrap_err());
            for part in parts {
                assert!(error.contains(part), "{text}: {part:?} is not in {error:?}");
            }
        }
    }
}

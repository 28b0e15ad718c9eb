//! A world on its way to a worker.

use super::message::{Sink, Source, World};
use crate::error::Error;
use crate::placement::jail::refuse_directories;
use crate::world::{
    Directory, Output, OutputBuffer, OutputFile, Preopen, Stdin, WasiConfig, cannot_open,
};
use rustix::fs::{Mode, OFlags, open};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use wrt_platform::memory::{SharedBytes, unnamed_file};
use wrt_platform::text::Line;

/// Bytes of standard input that go in a message; more go in a file.
const IN_MESSAGE: usize = 64 << 10;

// Numbers of the standard streams, on every system.
const STDIN: i32 = 0;
const STDOUT: i32 = 1;
const STDERR: i32 = 2;

impl WasiConfig {
    /// The world in words, and the descriptors that go with them.
    ///
    /// # Errors
    ///
    /// When a directory cannot be opened.
    pub(crate) fn describe(&self) -> Result<(World, Vec<OwnedFd>), Error> {
        let mut descriptors = Vec::new();
        let mut preopens = Vec::new();
        for Preopen { host, guest, read_only, .. } in &self.preopens {
            let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
            let opened = match host {
                Directory::At(path) => open(path, flags, Mode::empty())
                    .map_err(|error| cannot_open(Line(path.display()), io::Error::from(error)))?,
                Directory::Open(directory) => {
                    directory.try_clone().map_err(|error| cannot_open(guest, error))?
                }
            };
            descriptors.push(opened);
            preopens.push((guest.clone(), *read_only));
        }
        let stdin = match &self.stdin {
            Stdin::Empty => Source::Empty,
            Stdin::Inherit => match io::stdin().as_fd().try_clone_to_owned() {
                Ok(stream) => {
                    refuse_directories(&[(stream.as_fd(), "input")])?;
                    descriptors.push(stream);
                    Source::Inherit
                }
                // A closed one has nothing to read.
                Err(_) => Source::Empty,
            },
            Stdin::Bytes(bytes) if bytes.len() <= IN_MESSAGE => Source::Bytes(bytes.clone()),
            Stdin::Bytes(bytes) => {
                descriptors.push(unnamed_file(bytes).map_err(Error::Memory)?);
                Source::File(bytes.len() as u64)
            }
            Stdin::Shared(bytes) => {
                descriptors.push(bytes.to_file().map_err(Error::Memory)?);
                Source::File(bytes.as_slice().len() as u64)
            }
            Stdin::Module(module) => {
                descriptors.push(module.bytes().to_file().map_err(Error::Memory)?);
                Source::File(module.len() as u64)
            }
        };
        let stdout = sink(&self.stdout, (io::stdout(), "output"), &mut descriptors)?;
        let stderr = sink(&self.stderr, (io::stderr(), "error"), &mut descriptors)?;
        let (args, env, max_output) = (self.args.clone(), self.env.clone(), self.max_output);
        Ok((World { args, env, preopens, stdin, stdout, stderr, max_output }, descriptors))
    }

    /// The world that was described; `None` if words and descriptors do not fit together.
    pub(crate) fn from_world(world: World, descriptors: Vec<OwnedFd>) -> Option<Self> {
        let World { args, env, preopens, stdin, stdout, stderr, max_output } = world;
        let mut descriptors = descriptors.into_iter();
        let preopens = preopens
            .into_iter()
            .map(|(guest, read_only)| {
                let host = Directory::Open(Arc::new(descriptors.next()?));
                Some(Preopen::new(host, guest, read_only))
            })
            .collect::<Option<Vec<_>>>()?;
        let stdin = match stdin {
            Source::Empty => Stdin::Empty,
            Source::Inherit => {
                become_stream(STDIN, descriptors.next()?)?;
                Stdin::Inherit
            }
            Source::Bytes(bytes) => Stdin::Bytes(bytes),
            Source::File(len) => {
                let file = File::from(descriptors.next()?);
                // SAFETY: whoever described the world has made the file for this alone.
                let bytes = unsafe { SharedBytes::map_file(&file, 0, usize::try_from(len).ok()?) };
                Stdin::Shared(Arc::new(bytes.ok()?))
            }
        };
        let stdout = output(stdout, STDOUT, &mut descriptors)?;
        let stderr = output(stderr, STDERR, &mut descriptors)?;
        let config = Self { args, env, preopens, stdin, stdout, stderr, max_output };
        descriptors.next().is_none().then_some(config)
    }

    /// Where standard output and standard error are captured, if they are.
    pub(crate) fn captures(&self) -> [Option<OutputBuffer>; 2] {
        [&self.stdout, &self.stderr].map(|output| match output {
            Output::Capture(buffer) => Some(buffer.clone()),
            Output::Discard | Output::Inherit | Output::File(_) => None,
        })
    }
}

/// Where output goes, in words; its descriptor goes with them, if it has one: a stream of this
/// process's, or a file.
fn sink(
    output: &Output,
    (stream, name): (impl AsFd, &str),
    descriptors: &mut Vec<OwnedFd>,
) -> Result<Sink, Error> {
    Ok(match output {
        Output::Discard => Sink::Discard,
        Output::Inherit => match stream.as_fd().try_clone_to_owned() {
            Ok(stream) => {
                refuse_directories(&[(stream.as_fd(), name)])?;
                descriptors.push(stream);
                Sink::Inherit
            }
            // A closed one takes nothing.
            Err(_) => Sink::Discard,
        },
        Output::Capture(buffer) => Sink::Capture(buffer.capacity() as u64),
        Output::File(file) => {
            descriptors.push(file.descriptor().map_err(Error::Memory)?);
            Sink::File(file.capacity())
        }
    })
}

/// Where output goes; a stream that came along takes the place of this process's own.
fn output(
    sink: Sink,
    number: i32,
    descriptors: &mut impl Iterator<Item = OwnedFd>,
) -> Option<Output> {
    Some(match sink {
        Sink::Discard => Output::Discard,
        Sink::Inherit => {
            become_stream(number, descriptors.next()?)?;
            Output::Inherit
        }
        Sink::Capture(capacity) => {
            Output::Capture(OutputBuffer::new(usize::try_from(capacity).unwrap_or(usize::MAX)))
        }
        Sink::File(capacity) => Output::File(OutputFile::received(descriptors.next()?, capacity)),
    })
}

/// Makes a descriptor the standard stream of this number.
fn become_stream(number: i32, stream: OwnedFd) -> Option<()> {
    wrt_platform::descriptors::replace_stream(number, stream).ok()
}

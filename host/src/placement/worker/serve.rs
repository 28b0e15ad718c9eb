//! A worker: one machine, and orders for it.

use super::channel::{Channel, Endless};
use super::message::{self, CHUNK_MAX, Done, Failure, Message, Request, Response};
use super::process::{CANCELS, REQUESTS};
use crate::error::{Error, Interruption};
use crate::machine::{CancelState, Content, Usage};
use crate::placement::home::{Home, Kept, elsewhere};
use crate::placement::jail::Jail;
use crate::services::log::Forward;
use crate::world::{OutputBuffer, WasiConfig};
use rustix::io::{FdFlags, fcntl_setfd};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wrt_hypervisor::{Backend, Gva};
use wrt_platform::memory::SharedBytes;
use wrt_platform::text::Line;

/// Serves the process that has started this one, until it is gone. To be called first thing by
/// a program that was given `worker` as its first argument, and to end it.
pub fn serve() -> ExitCode {
    let (Some(requests), Some(cancels)) = (socket(REQUESTS), socket(CANCELS)) else {
        eprintln!("wrt-vm: `worker` is for wrt-vm itself: it takes its orders on sockets");
        return ExitCode::from(2);
    };
    wrt_platform::children::set_name(c"wrt-vm worker");
    let channel = match Channel::new(requests) {
        Ok(channel) => Arc::new(channel),
        Err(error) => {
            eprintln!("wrt-vm worker: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut worker =
        Worker { channel, commands: Arc::default(), cancels: Some(cancels), machine: None };
    loop {
        match worker.serve_one() {
            Ok(()) => {}
            // The parent has no use for this one any more, or is gone.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof
                        | io::ErrorKind::BrokenPipe
                        | io::ErrorKind::ConnectionReset
                ) =>
            {
                return ExitCode::SUCCESS;
            }
            Err(error) => {
                eprintln!("wrt-vm worker: {}", Line(error));
                return ExitCode::FAILURE;
            }
        }
    }
}

/// A socket that this process was started with.
fn socket(number: i32) -> Option<UnixStream> {
    // SAFETY: nothing else in this process knows of the number; whether it is open shows now.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    if fcntl_setfd(&descriptor, FdFlags::CLOEXEC).is_err() {
        // Not open, so not ours to close.
        std::mem::forget(descriptor);
        return None;
    }
    let socket = UnixStream::from(descriptor);
    match socket.peer_addr() {
        Ok(_) => Some(socket),
        Err(_) => {
            // Somebody else's file.
            std::mem::forget(socket);
            None
        }
    }
}

struct Worker {
    channel: Arc<Channel>,
    commands: Arc<Commands>,
    /// Until somebody listens to it.
    cancels: Option<UnixStream>,
    machine: Option<Built>,
}

struct Built {
    home: Home,
    captures: [Capture; 2],
    /// The guest that is kept to go on from, and what it is called.
    kept: Option<(u64, Kept)>,
}

/// Output that goes to the parent, and how much of it has.
struct Capture {
    buffer: Option<OutputBuffer>,
    sent: usize,
}

impl Capture {
    fn of(world: &WasiConfig) -> [Self; 2] {
        world.captures().map(|buffer| Self { buffer, sent: 0 })
    }

    /// The next piece that has not been sent, if there is one.
    fn next(&mut self) -> Option<Vec<u8>> {
        let piece = self.buffer.as_ref()?.piece(self.sent, CHUNK_MAX);
        self.sent += piece.len();
        (!piece.is_empty()).then_some(piece)
    }
}

impl Worker {
    fn serve_one(&mut self) -> io::Result<()> {
        let (request, descriptors) = self.channel.receive::<Request>(&Endless)?;
        let result = self.execute(request, descriptors).map_err(Failure::from);
        let mut usage = Usage::default();
        if let Some(machine) = &mut self.machine {
            usage = machine.home.usage();
            for (capture, error) in machine.captures.iter_mut().zip([false, true]) {
                while let Some(bytes) = capture.next() {
                    self.channel.send(&Message::Output { error, bytes }, &[], &Endless)?;
                }
            }
        }
        self.channel.send(&Message::Response(Response { result, usage }), &[], &Endless)
    }

    fn execute(&mut self, request: Request, descriptors: Vec<OwnedFd>) -> Result<Done, Error> {
        let machine = match (request, &mut self.machine) {
            (
                Request::Build { backend, engine, stack_size, memory_limit, world, jailed },
                machine @ None,
            ) => {
                let world = WasiConfig::from_world(world, descriptors).ok_or_else(confused)?;
                let config = message::config(engine, stack_size, memory_limit);
                let backend: Backend = backend.parse().map_err(Error::Failed)?;
                let hypervisor = backend.open()?;
                let entrance = jailed.then(|| Jail::of(&world).close_names()).transpose()?;
                // No thread is there before: it would be outside.
                self.commands.listen_to(self.cancels.take().ok_or_else(confused)?)?;
                let home = Home::new(
                    hypervisor.as_ref(),
                    config.ok_or_else(confused)?,
                    &world,
                    Some(to_parent(&self.channel)),
                    None,
                    None,
                )?;
                let jail =
                    entrance.map(|entrance| entrance.enter_with(home.child())).transpose()?;
                let boundary = home.boundary();
                let captures = Capture::of(&world);
                *machine = Some(Built { home, captures, kept: None });
                return Ok(Done::Built { boundary, jail: jail.map(|jail| jail.to_string()) });
            }
            (Request::Build { .. }, Some(_)) | (_, None) => return Err(confused()),
            (request, Some(machine)) => (request, machine),
        };
        let (request, Built { home, captures, kept }) = machine;
        Ok(match request {
            Request::Build { .. } => return Err(confused()),
            Request::Reset { world } => {
                let world = WasiConfig::from_world(world, descriptors).ok_or_else(confused)?;
                home.reset(&world)?;
                *captures = Capture::of(&world);
                Done::Nothing
            }
            Request::Prepare { number } => {
                // Two at a time are more than anybody wants.
                *kept = None;
                *kept = Some((number, home.prepare()?));
                Done::Nothing
            }
            Request::Restore { number, world } => {
                let world = WasiConfig::from_world(world, descriptors).ok_or_else(confused)?;
                match kept {
                    Some((called, kept)) if *called == number => home.restore(&world, kept)?,
                    _ => return Err(elsewhere()),
                }
                *captures = Capture::of(&world);
                Done::Nothing
            }
            Request::Share { len, code } => {
                let file = descriptors.into_iter().next().map(File::from).ok_or_else(confused)?;
                let len = usize::try_from(len).map_err(|_| confused())?;
                // SAFETY: the parent has made the file for this, and nobody else has it.
                let bytes = unsafe { SharedBytes::map_file(&file, 0, len) };
                let content = if code { Content::Code } else { Content::Data };
                Done::Shared(home.share(&Arc::new(bytes.map_err(Error::Memory)?), content)?)
            }
            Request::Unshare { address } => {
                home.unshare(address)?;
                Done::Nothing
            }
            Request::Command { sequence, command, words, payload } => {
                let command = message::command(command).ok_or_else(confused)?;
                self.commands.begin(sequence, home.cancel_state());
                let answer = home.command(command, &words, &payload);
                self.commands.end();
                answer?.into()
            }
            Request::Read { address, len } => {
                let len = usize::try_from(len).ok().filter(|len| *len <= CHUNK_MAX);
                let mut bytes = vec![0; len.ok_or_else(confused)?];
                home.read(Gva(address), &mut bytes)?;
                Done::Read(bytes)
            }
            Request::Write { address, bytes } => {
                home.write(Gva(address), &bytes)?;
                Done::Nothing
            }
        })
    }
}

/// Sends the guest's lines to the parent. They come while a request is served, so that nothing
/// else is sent at that time.
fn to_parent(channel: &Arc<Channel>) -> Forward {
    let channel = Arc::clone(channel);
    Arc::new(move |level, text| {
        let line = Message::Line { level: level as u64, text: text.to_vec() };
        // Should the parent be gone, this process is about to be.
        let _ = channel.send(&line, &[], &Endless);
    })
}

/// The parent does not know what it wants.
fn confused() -> Error {
    Error::Failed("a worker was asked for something that makes no sense".to_owned())
}

/// Which command runs, for those that the parent cancels.
#[derive(Default)]
struct Commands(Mutex<Running>);

#[derive(Default)]
struct Running {
    /// The latest command that was begun.
    sequence: u64,
    /// Its machine, and its call there, while it runs.
    call: Option<(Arc<CancelState>, u64)>,
    /// The latest command that was cancelled before it was begun.
    early: u64,
}

impl Commands {
    fn lock(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A command is about to run.
    fn begin(&self, sequence: u64, cancel: &Arc<CancelState>) {
        let mut running = self.lock();
        let call = cancel.current();
        running.sequence = sequence;
        if running.early >= sequence {
            cancel.cancel(call, Interruption::Cancelled);
        }
        running.call = Some((Arc::clone(cancel), call));
    }

    fn end(&self) {
        self.lock().call = None;
    }

    /// Has a thread listen to the parent.
    fn listen_to(self: &Arc<Self>, socket: UnixStream) -> Result<(), Error> {
        let commands = Arc::clone(self);
        let thread = std::thread::Builder::new().name("wrt-vm cancel".to_owned());
        thread.spawn(move || commands.listen(socket)).map(|_| ()).map_err(Error::Thread)
    }

    /// Cancels what the parent says, for as long as it is there; then ends the process, whatever
    /// the guest is doing.
    fn listen(&self, mut socket: UnixStream) {
        let mut word = [0; 8];
        while socket.read_exact(&mut word).is_ok() {
            let sequence = u64::from_le_bytes(word);
            let mut running = self.lock();
            match &running.call {
                Some((cancel, call)) if running.sequence == sequence => {
                    cancel.cancel(*call, Interruption::Cancelled);
                }
                _ if sequence > running.sequence => running.early = sequence,
                // It is over.
                _ => {}
            }
        }
        std::process::exit(0);
    }
}

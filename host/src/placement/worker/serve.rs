//! A worker: one machine, and orders for it.

use super::channel::{Channel, Endless};
use super::message::{Built, Message, Plan, Response};
use super::process::{CANCELS, REQUESTS};
use crate::error::{Error, Interruption};
use crate::machine::CancelState;
use crate::placement::jail::Jail;
use crate::placement::local::Local;
use crate::placement::order::{CHUNK_MAX, Done, Guest as _, Kept, Order, Whereabouts};
use crate::services::Services;
use crate::services::log::Forward;
use crate::world::{OutputBuffer, World};
use rustix::io::{FdFlags, fcntl_setfd};
use std::io::{self, Read as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wrt_hypervisor::Backend;
use wrt_platform::text::Line;

/// Serves the process that has started this one, until it is gone. To be called first thing by
/// a program that was given `worker` as its first argument, and to end it.
pub fn serve() -> ExitCode {
    let (Some(requests), Some(cancels)) = (socket(REQUESTS), socket(CANCELS)) else {
        eprintln!("wrt-vm: `worker` is for wrt-vm itself: it takes its orders on sockets");
        return ExitCode::from(2);
    };
    wrt_platform::children::set_name(c"wrt-vm worker");
    match Channel::new(requests).and_then(|channel| obey(&Arc::new(channel), cancels)) {
        Ok(()) => ExitCode::SUCCESS,
        // The parent has no use for this one any more, or is gone.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionReset
            ) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("wrt-vm worker: {}", Line(error));
            ExitCode::FAILURE
        }
    }
}

/// Makes the machine, and has it obey one order after another.
fn obey(channel: &Arc<Channel>, cancels: UnixStream) -> io::Result<()> {
    let plan: Plan<World> = channel.receive(&Endless)?;
    let mut captures = Capture::of(&plan.world);
    let commands = Arc::<Commands>::default();
    let (mut guest, built) = match build(plan, channel, &commands, cancels) {
        Ok(made) => made,
        // Without a machine it is of no use.
        Err(error) => return channel.send(&Message::Built(Err(error)), &Endless),
    };
    channel.send(&Message::Built(Ok(built)), &Endless)?;
    // Two at a time are more than anybody wants.
    let mut kept: Option<Kept> = None;
    loop {
        let (sequence, mut order) = channel.receive::<(u64, Order<'_>)>(&Endless)?;
        let renewed = order.world().map(Capture::of);
        let mut keeping = None;
        match &mut order {
            Order::Command { .. } => commands.begin(sequence, guest.canceller()),
            Order::Keep { number } => (keeping, kept) = (Some(*number), None),
            Order::Restore { from, .. } => {
                let this = kept.as_ref().filter(|kept| kept.number == from.number);
                from.here = this.and_then(|this| this.here.clone());
            }
            _ => {}
        }
        let result = guest.obey(order).map(Done::into_owned);
        commands.end();
        if let (Some(number), Ok(Done::Kept(here))) = (keeping, &result) {
            kept = Some(Kept { number, here: here.clone() });
        }
        if let (Some(renewed), Ok(_)) = (renewed, &result) {
            captures = renewed;
        }
        for (capture, error) in captures.iter_mut().zip([false, true]) {
            while let Some(bytes) = capture.next() {
                channel.send(&Message::Output { error, bytes }, &Endless)?;
            }
        }
        let usage = guest.usage();
        channel.send(&Message::Response(Response { result, usage }), &Endless)?;
    }
}

/// Makes the machine, in a jail if it is to have one.
fn build(
    plan: Plan<World>,
    channel: &Arc<Channel>,
    commands: &Arc<Commands>,
    cancels: UnixStream,
) -> Result<(Local, Built), Error> {
    let Plan { backend, config, mut world, jailed } = plan;
    let hypervisor = backend.parse::<Backend>().map_err(Error::Setting)?.open()?;
    let entrance = jailed.then(|| Jail::close_around(&mut world)).transpose()?;
    // No thread is there before: it would be outside.
    commands.listen_to(cancels)?;
    let services = Services::new(world, Some(to_parent(channel)));
    let guest = Local::new(hypervisor.as_ref(), config, services, None)?;
    let Whereabouts { boundary, child, .. } = guest.whereabouts();
    let jail = entrance.map(|entrance| entrance.enter_with(child)).transpose()?;
    Ok((guest, Built { boundary, jail: jail.map(|jail| jail.to_string()) }))
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

/// Output that goes to the parent, and how much of it has.
struct Capture {
    buffer: Option<OutputBuffer>,
    sent: usize,
}

impl Capture {
    fn of(world: &World) -> [Self; 2] {
        world.captures().map(|buffer| Self { buffer, sent: 0 })
    }

    /// The next piece that has not been sent, if there is one.
    fn next(&mut self) -> Option<Vec<u8>> {
        let piece = self.buffer.as_ref()?.piece(self.sent, CHUNK_MAX);
        self.sent += piece.len();
        (!piece.is_empty()).then_some(piece)
    }
}

/// Sends the guest's lines to the parent. They come while a request is served, so that nothing
/// else is sent at that time.
fn to_parent(channel: &Arc<Channel>) -> Forward {
    let channel = Arc::clone(channel);
    Arc::new(move |level, text| {
        let line = Message::Line { level: level as u64, text: text.to_vec() };
        // Should the parent be gone, this process is about to be.
        let _ = channel.send(&line, &Endless);
    })
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

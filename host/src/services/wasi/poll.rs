//! `poll_oneoff`.
//!
//! A clock is a time to wait for, the earliest of all. A file is always ready. The standard streams
//! are `wasmtime-wasi`'s, which is asked about all of them at once, however many subscriptions
//! there are to them.

use super::call::Call;
use super::descriptors::Descriptor;
use super::errno::{OrErrno as _, Result};
use super::files::bounded;
use super::stdio::Stream;
use super::wait::try_now;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::types::{
    Clockid, Errno, Event, EventFdReadwrite, Eventrwflags, Eventtype, Fd, Size, Subclockflags,
    Subscription, SubscriptionClock, SubscriptionFdReadwrite, SubscriptionU, Timestamp, Userdata,
};
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1 as _;
use wiggle::{GuestMemory, GuestPtr, GuestType as _};
use zerocopy::IntoBytes as _;

/// What a program waits for.
struct Awaited {
    userdata: Userdata,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    /// This moment; `None` is farther off than the host's clock counts.
    Time(Option<Instant>),
    /// A file to read, which is ready, with these flags.
    Read(Eventrwflags),
    /// A file to write, which is ready.
    Write,
    /// A standard stream.
    Stream(Stream),
}

/// Standard streams that a program waits for, or that are ready, by their numbers.
type Streams = [bool; 3];

/// The size of a subscription's and an event's structure.
const SUBSCRIPTION: usize = 48;
const EVENT: usize = 32;
/// Where events are, behind the subscriptions to three streams.
const EVENTS: u32 = 3 * 48;

impl Call<'_> {
    /// Waits until something of `subscriptions` has happened, and writes what to `events`.
    pub(super) async fn poll(
        &mut self,
        memory: &mut GuestMemory<'_>,
        subscriptions: GuestPtr<Subscription>,
        events: GuestPtr<Event>,
        count: Size,
    ) -> Result<Size> {
        if count == 0 {
            // That would be to wait without end.
            return Err(Errno::Inval.into());
        }
        bounded(count, Subscription::guest_size())?;
        let awaited = self.awaited(memory, subscriptions, count)?;
        let ready = self.until_ready(&awaited).await?;
        let now = Instant::now();
        let mut written = 0;
        for Awaited { userdata, what } in awaited {
            let Some((type_, flags, nbytes)) = what.event(now, ready) else { continue };
            let fd_readwrite = EventFdReadwrite { nbytes, flags };
            let event = Event { userdata, error: Errno::Success, type_, fd_readwrite };
            memory.write(events.add(written)?, event)?;
            written += 1;
        }
        Ok(written)
    }

    /// A copy of the subscriptions, with their descriptors looked up.
    fn awaited(
        &mut self,
        memory: &GuestMemory<'_>,
        subscriptions: GuestPtr<Subscription>,
        count: Size,
    ) -> Result<Vec<Awaited>> {
        let subscriptions = subscriptions.as_array(count);
        // They are in memory, so that their number has a bound before there is room for them.
        let bytes = (subscriptions.offset().0, count.saturating_mul(Subscription::guest_size()));
        memory.as_slice(GuestPtr::new(bytes))?;
        let mut awaited = Vec::with_capacity(usize::try_from(count)?);
        for subscription in subscriptions.iter() {
            let Subscription { userdata, u } = memory.read(subscription?)?;
            let what = match u {
                SubscriptionU::Clock(clock) => What::Time(self.moment(&clock, count == 1)?),
                SubscriptionU::FdRead(SubscriptionFdReadwrite { file_descriptor }) => {
                    self.to_read(file_descriptor)?
                }
                SubscriptionU::FdWrite(SubscriptionFdReadwrite { file_descriptor }) => {
                    self.to_write(file_descriptor)?
                }
            };
            awaited.push(Awaited { userdata, what });
        }
        Ok(awaited)
    }

    /// The moment that a clock will show a time.
    fn moment(&mut self, clock: &SubscriptionClock, alone: bool) -> Result<Option<Instant>> {
        let absolute = clock.flags.contains(Subclockflags::SUBSCRIPTION_CLOCK_ABSTIME);
        match clock.id {
            Clockid::Realtime | Clockid::Monotonic => {}
            // A program that only sleeps does so by any clock, as in `wasmtime-wasi`.
            Clockid::ProcessCputimeId | Clockid::ThreadCputimeId if alone && !absolute => {}
            Clockid::ProcessCputimeId | Clockid::ThreadCputimeId => {
                return Err(Errno::Inval.into());
            }
        }
        let remaining = match absolute {
            true => clock.timeout.saturating_sub(self.now(clock.id)?),
            false => clock.timeout,
        };
        Ok(Instant::now().checked_add(Duration::from_nanos(remaining)))
    }

    /// What a clock shows.
    fn now(&mut self, id: Clockid) -> Result<Timestamp> {
        self.wasi.world.clock_time_get(&mut GuestMemory::Unshared(&mut []), id, 0)
    }

    fn to_read(&self, fd: Fd) -> Result<What> {
        match self.wasi.descriptors.get(fd)? {
            Descriptor::Stream(Stream::Input) => Ok(What::Stream(Stream::Input)),
            Descriptor::File(file) => {
                let size = file.file.metadata().or_errno()?.len();
                Ok(What::Read(match size.saturating_sub(file.position) {
                    0 => Eventrwflags::FD_READWRITE_HANGUP,
                    _ => Eventrwflags::empty(),
                }))
            }
            _ => Err(Errno::Badf.into()),
        }
    }

    fn to_write(&self, fd: Fd) -> Result<What> {
        match self.wasi.descriptors.get(fd)? {
            Descriptor::Stream(stream @ (Stream::Output | Stream::Error)) => {
                Ok(What::Stream(*stream))
            }
            Descriptor::File(file) => file.may_change().map(|()| What::Write),
            _ => Err(Errno::Badf.into()),
        }
    }

    /// Waits until one of them is ready; says which streams are.
    async fn until_ready(&mut self, awaited: &[Awaited]) -> Result<Streams> {
        let mut streams = Streams::default();
        let mut files = false;
        let mut earliest = None;
        for Awaited { what, .. } in awaited {
            match *what {
                What::Time(Some(time)) => {
                    earliest = Some(earliest.map_or(time, |earliest: Instant| earliest.min(time)));
                }
                What::Time(None) => {}
                What::Read(_) | What::Write => files = true,
                What::Stream(stream) => streams[stream as usize] = true,
            }
        }
        let (world, alarm) = (&mut self.wasi.world, self.alarm);
        let mut ready = pin!(ready_streams(world, streams));
        if files {
            return try_now(ready.as_mut()).unwrap_or(Ok(Streams::default()));
        }
        let mut due = pin!(alarm.until(earliest));
        std::future::poll_fn(|context| {
            if let Poll::Ready(ready) = ready.as_mut().poll(context) {
                return Poll::Ready(ready);
            }
            due.as_mut().poll(context).map(|()| Ok(Streams::default()))
        })
        .await
    }
}

impl What {
    /// What an event says of it, if it has happened.
    fn event(self, now: Instant, ready: Streams) -> Option<(Eventtype, Eventrwflags, u64)> {
        let none = Eventrwflags::empty();
        match self {
            Self::Time(time) => {
                time.is_some_and(|time| time <= now).then_some((Eventtype::Clock, none, 0))
            }
            Self::Read(flags) => Some((Eventtype::FdRead, flags, 1)),
            Self::Write => Some((Eventtype::FdWrite, none, 1)),
            Self::Stream(stream) => ready[stream as usize].then_some(match stream {
                Stream::Input => (Eventtype::FdRead, none, 1),
                Stream::Output | Stream::Error => (Eventtype::FdWrite, none, 1),
            }),
        }
    }
}

/// Waits until one of these streams is ready; says which are.
async fn ready_streams(world: &mut WasiP1Ctx, wanted: Streams) -> Result<Streams> {
    let streams = [Stream::Input, Stream::Output, Stream::Error];
    let wanted = streams.into_iter().filter(|stream| wanted[*stream as usize]);
    // Of words: structures are aligned.
    let mut scratch = [0_u64; 3 * (SUBSCRIPTION + EVENT) / 8];
    let subscriptions = GuestPtr::<Subscription>::new(0);
    let events = GuestPtr::<Event>::new(EVENTS);
    let mut memory = GuestMemory::Unshared(scratch.as_mut_bytes());
    let mut count = 0;
    for stream in wanted {
        let on = SubscriptionFdReadwrite { file_descriptor: stream.number() };
        let u = match stream {
            Stream::Input => SubscriptionU::FdRead(on),
            Stream::Output | Stream::Error => SubscriptionU::FdWrite(on),
        };
        let subscription = Subscription { userdata: stream as u64, u };
        memory.write(subscriptions.add(count)?, subscription)?;
        count += 1;
    }
    if count == 0 {
        return std::future::pending().await;
    }
    let happened = world.poll_oneoff(&mut memory, subscriptions, events, count).await?;
    let mut ready = Streams::default();
    for index in 0..happened {
        let event: Event = memory.read(events.add(index)?)?;
        if let Some(stream) = usize::try_from(event.userdata).ok().and_then(|n| ready.get_mut(n)) {
            *stream = true;
        }
    }
    Ok(ready)
}

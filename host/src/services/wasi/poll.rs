//! `poll_oneoff`.
//!
//! A clock is a time to wait for, the earliest of all. A file is always ready, and so is output.
//! Standard input is waited for by the system's `poll`, once however many subscriptions there are
//! to it. Where there is nothing but times to wait for, the thread waits for the end of the VM's
//! call.

use super::call::{Call, Fd};
use super::descriptors::Descriptor;
use super::errno::{Failed, OrErrno as _, Result};
use super::memory::{List, Place};
use super::stdio::Stream;
use crate::error::Error;
use std::time::{Duration, Instant};
use wrt_abi::services::wasi::{
    Clockid, Errno, Event, Eventrwflags, Eventtype, Subclockflags, Subscription,
};
use zerocopy::FromBytes;

/// How many subscriptions are looked up between two looks at whether the call is to end.
const LOOK: u32 = 256;

/// What a program waits for.
struct Awaited {
    userdata: u64,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    /// This moment; `None` is farther off than the host's clock counts.
    Time(Option<Instant>),
    /// A file to read, which is ready, with these flags.
    Read(Eventrwflags),
    /// A file or output to write, which is ready.
    Write,
    /// Standard input.
    Input,
}

impl Call<'_> {
    /// Waits until something of the subscriptions has happened, and writes what to `events`.
    /// `S` is the structure of a version of the interface.
    pub(super) fn poll_oneoff<S>(
        &mut self,
        subscriptions: Place<S>,
        events: Place<Event>,
        count: u32,
        result: Place<u32>,
    ) -> Result<()>
    where
        S: Into<Subscription> + FromBytes,
    {
        if count == 0 {
            // That would be to wait without end.
            return Err(Errno::Inval.into());
        }
        let awaited = self.awaited(List { first: subscriptions, count })?;
        let has_input = self.wait_for(&awaited)?;
        let now = Instant::now();
        let mut written = 0;
        let happened = awaited.iter().filter_map(|awaited| awaited.event(now, has_input));
        for event in happened {
            self.memory.write(events.nth(written), &event)?;
            written += 1;
        }
        self.memory.write(result, &written)
    }

    /// A copy of the subscriptions, with their descriptors looked up.
    fn awaited<S>(&self, subscriptions: List<S>) -> Result<Vec<Awaited>>
    where
        S: Into<Subscription> + FromBytes,
    {
        subscriptions.bounded()?;
        // They are in memory, so that their number has a bound before there is room for them.
        self.memory.holds(subscriptions)?;
        let List { first, count } = subscriptions;
        let mut awaited = Vec::with_capacity(usize::try_from(count)?);
        for index in 0..count {
            // Each may ask the system for a file's size.
            if index % LOOK == 0
                && let Some(why) = self.cancel.interruption()
            {
                return Err(Failed::Ended(Error::Interrupted(why)));
            }
            let subscription: Subscription = self.memory.read(first.nth(index))?.into();
            let kind = Eventtype::try_from(u32::from(subscription.kind));
            let what = match kind.map_err(|_| Errno::Inval)? {
                Eventtype::Clock => What::Time(self.moment(&subscription, count == 1)?),
                Eventtype::FdRead => self.to_read(subscription.id)?,
                Eventtype::FdWrite => self.to_write(subscription.id)?,
            };
            awaited.push(Awaited { userdata: subscription.userdata, what });
        }
        Ok(awaited)
    }

    /// The moment that a clock will show a time.
    fn moment(&self, clock: &Subscription, alone: bool) -> Result<Option<Instant>> {
        let id = Clockid::try_from(clock.id).map_err(|_| Errno::Inval)?;
        let flags = Subclockflags::from_bits(clock.flags).ok_or(Errno::Inval)?;
        let absolute = flags.contains(Subclockflags::SUBSCRIPTION_CLOCK_ABSTIME);
        match id {
            Clockid::Realtime | Clockid::Monotonic => {}
            // A program that only sleeps does so by any clock, as in wasmtime.
            Clockid::ProcessCputimeId | Clockid::ThreadCputimeId if alone && !absolute => {}
            Clockid::ProcessCputimeId | Clockid::ThreadCputimeId => {
                return Err(Errno::Inval.into());
            }
        }
        let remaining = match absolute {
            true => clock.timeout.saturating_sub(self.wasi.clocks.now(id)?),
            false => clock.timeout,
        };
        Ok(Instant::now().checked_add(Duration::from_nanos(remaining)))
    }

    fn to_read(&self, fd: Fd) -> Result<What> {
        match self.wasi.descriptors.get(fd)? {
            Descriptor::Stream(Stream::Input) => Ok(What::Input),
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
            Descriptor::Stream(Stream::Output | Stream::Error) => Ok(What::Write),
            Descriptor::File(file) => file.may_change().map(|()| What::Write),
            _ => Err(Errno::Badf.into()),
        }
    }

    /// Waits until one of them is ready; says whether standard input is.
    fn wait_for(&self, awaited: &[Awaited]) -> Result<bool> {
        let mut earliest = None;
        let mut input = false;
        for Awaited { what, .. } in awaited {
            let time = match *what {
                What::Time(None) => continue,
                What::Time(Some(time)) => time,
                What::Read(_) | What::Write => Instant::now(),
                What::Input => {
                    input = true;
                    continue;
                }
            };
            earliest = Some(earliest.map_or(time, |earliest: Instant| earliest.min(time)));
        }
        if input {
            return self.wasi.streams.input.wait(earliest, self.cancel);
        }
        match self.cancel.wait_until(earliest) {
            Some(why) => Err(Failed::Ended(Error::Interrupted(why))),
            None => Ok(false),
        }
    }
}

impl Awaited {
    /// What an event says of it, if it has happened.
    fn event(&self, now: Instant, has_input: bool) -> Option<Event> {
        let none = Eventrwflags::empty();
        let (kind, flags, nbytes) = match self.what {
            What::Time(Some(time)) if time <= now => (Eventtype::Clock, none, 0),
            What::Time(_) => return None,
            What::Read(flags) => (Eventtype::FdRead, flags, 1),
            What::Write => (Eventtype::FdWrite, none, 1),
            What::Input if has_input => (Eventtype::FdRead, none, 1),
            What::Input => return None,
        };
        Some(Event { userdata: self.userdata, kind, flags, nbytes, ..Event::default() })
    }
}

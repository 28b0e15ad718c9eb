//! `poll_oneoff` of a program that only sleeps.
//!
//! `wasmtime-wasi` serves a single relative timer with a plain `thread::sleep` when file
//! operations may block the thread, as ours do; nothing could end that. So this one case is
//! served here, by a timer that a time limit or a cancel can cut short.

use super::Arguments;
use std::time::Duration;
use wasmtime_wasi::p1::types::{
    Errno, Event, EventFdReadwrite, Eventrwflags, Eventtype, Subclockflags, Subscription,
    SubscriptionU,
};
use wiggle::{GuestMemory, GuestPtr};

/// A call that does nothing but sleep.
pub(super) struct Sleep {
    userdata: u64,
    time: Duration,
    event: GuestPtr<Event>,
    count: GuestPtr<u32>,
}

impl Sleep {
    /// The sleep that these arguments of `poll_oneoff` ask for, if they ask for no more.
    /// Malformed ones are left to `wasmtime-wasi`.
    pub(super) fn parse(memory: &GuestMemory<'_>, arguments: &Arguments) -> Option<Self> {
        let pointer = |n: usize| u32::try_from(arguments[n]).ok();
        if arguments[2] != 1 {
            return None;
        }
        let subscription = GuestPtr::<Subscription>::new(pointer(0)?);
        let subscription = memory.read(subscription).ok()?;
        let SubscriptionU::Clock(clock) = subscription.u else { return None };
        if clock.flags.contains(Subclockflags::SUBSCRIPTION_CLOCK_ABSTIME) {
            return None;
        }
        Some(Self {
            userdata: subscription.userdata,
            time: Duration::from_nanos(clock.timeout),
            event: GuestPtr::new(pointer(1)?),
            count: GuestPtr::new(pointer(3)?),
        })
    }

    /// Sleeps, then tells the program.
    pub(super) async fn run(self, memory: &mut GuestMemory<'_>) -> wiggle::error::Result<i32> {
        tokio::time::sleep(self.time).await;
        let event = Event {
            userdata: self.userdata,
            error: Errno::Success,
            type_: Eventtype::Clock,
            fd_readwrite: EventFdReadwrite { nbytes: 1, flags: Eventrwflags::empty() },
        };
        memory.write(self.event, event)?;
        memory.write(self.count, 1)?;
        Ok(Errno::Success as i32)
    }
}

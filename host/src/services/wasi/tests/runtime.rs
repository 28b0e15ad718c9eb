//! Calls that wait, from threads of a tokio runtime: another one cannot be started there.

use super::{RESULT, World, scratch};
use crate::error::{Error, Interruption};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wrt_abi::services::wasi::FunctionId;

const EVENTS: u64 = RESULT + 64;
const MILLISECOND: Duration = Duration::from_millis(1);

/// Sleeps by `poll_oneoff`.
fn sleep(world: &mut World, time: u64) -> Result<i32, Error> {
    // All else is zero: the realtime clock, relative.
    world.bytes()[24..32].copy_from_slice(&time.to_le_bytes());
    world.call(FunctionId::PollOneoff, &[0, EVENTS, 1, RESULT])
}

/// Sleeps for some time, then until it is cancelled.
fn sleeps_and_is_cancelled() {
    let folder = scratch();
    let mut world = World::new(folder.path());
    let before = Instant::now();
    assert_eq!(sleep(&mut world, 5_000_000).unwrap(), 0);
    assert!(before.elapsed() >= 5 * MILLISECOND);

    let _call = world.cancel.begin().unwrap();
    let (cancel, call) = (Arc::clone(&world.cancel), world.cancel.current());
    let other = std::thread::spawn(move || {
        std::thread::sleep(10 * MILLISECOND);
        cancel.cancel(call, Interruption::Cancelled);
    });
    let ended = sleep(&mut world, u64::MAX);
    assert!(matches!(ended, Err(Error::Interrupted(Interruption::Cancelled))), "{ended:?}");
    other.join().unwrap();
}

#[test]
fn without_a_runtime() {
    sleeps_and_is_cancelled();
}

#[test]
fn on_the_thread_of_a_runtime_of_one() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { sleeps_and_is_cancelled() });
}

#[test]
fn on_a_thread_of_a_runtime_of_several() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let task = runtime.spawn(async { sleeps_and_is_cancelled() });
    runtime.block_on(task).unwrap();
    runtime.block_on(runtime.spawn_blocking(sleeps_and_is_cancelled)).unwrap();
}

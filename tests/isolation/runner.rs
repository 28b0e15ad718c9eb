//! Runs cases, each in a process of its own, and looks at how that ends.

use super::case::{Case, Outcome};
use anyhow::{Context as _, Result};
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use wrt_tests::Setup;

/// What of a host's output is read: the result on one stream, whatever it has to say on the
/// other.
const OUTPUT_MAX: u64 = 1 << 20;
/// Bytes on a host's standard error that are too many.
const NOISE_MAX: usize = 64 << 10;

/// Runs all of `cases`, `jobs` at a time; tells `done` of each.
pub(crate) fn run_all(
    cases: &[(&Case, Setup)],
    jobs: usize,
    done: impl Fn(&Outcome) + Sync,
) -> Vec<Outcome> {
    let next = Mutex::new(0..cases.len());
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, cases.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let index = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(index) = index else { return };
                    let (case, setup) = cases[index];
                    let outcome = run(case, setup);
                    done(&outcome);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((index, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Runs one, unless it is none for this setup.
pub(crate) fn run(case: &Case, setup: Setup) -> Outcome {
    if let Some(why) = case.skipped(setup) {
        return Outcome::skipped(case, setup, why);
    }
    let started = Instant::now();
    host(case, setup).unwrap_or_else(|error| Outcome {
        name: case.name.to_owned(),
        on: case.guests.on(setup),
        attacks: case.attacks.to_vec(),
        failure: Some(format!("{error:#}")),
        gap: None,
        skipped: None,
        end: String::new(),
        exits: 0,
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn host(case: &Case, setup: Setup) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let mut host = Command::new(std::env::current_exe()?)
        .args(["host", case.name, &case.guests.on(setup)])
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (output, noise) = (host.stdout.take(), host.stderr.take());
    let (status, output, noise) = std::thread::scope(|scope| {
        let read = |from: Option<Box<dyn std::io::Read + Send>>| {
            scope.spawn(move || {
                let mut bytes = Vec::new();
                // What cannot be read is missing below.
                let _ = from.map(|from| from.take(OUTPUT_MAX).read_to_end(&mut bytes));
                bytes
            })
        };
        let output = read(output.map(|output| Box::new(output) as _));
        let noise = read(noise.map(|noise| Box::new(noise) as _));
        let status = wait(&mut host, case.limit);
        (status, output.join().unwrap_or_default(), noise.join().unwrap_or_default())
    });
    let noise_text = String::from_utf8_lossy(&noise[..noise.len().min(NOISE_MAX)]).into_owned();
    let status = status.with_context(|| noise_text.clone())?;
    if let Some(signal) = status.signal() {
        anyhow::bail!("the host process died of signal {signal}: {noise_text}");
    }
    let last = output.split(|&byte| byte == b'\n').rfind(|line| !line.is_empty());
    let mut outcome: Outcome = serde_json::from_slice(last.unwrap_or_default())
        .with_context(|| format!("the host process died ({status}): {noise_text}"))?;
    if !status.success() && outcome.failure.is_none() {
        outcome.failure = Some(format!("the host process ended with {status}: {noise_text}"));
    }
    if noise.len() > NOISE_MAX && outcome.failure.is_none() {
        outcome.failure = Some(format!("{} bytes on the host's standard error", noise.len()));
    }
    Ok(outcome)
}

fn wait(host: &mut Child, limit: Duration) -> Result<std::process::ExitStatus> {
    let started = Instant::now();
    loop {
        if let Some(status) = host.try_wait()? {
            return Ok(status);
        }
        if started.elapsed() > limit {
            host.kill()?;
            host.wait()?;
            anyhow::bail!("the host process did not end within {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

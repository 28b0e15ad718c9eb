//! The command line.

use super::case::{Case, Outcome};
use super::{cases, fuzz, host, report, runner};
use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use wrt_tests::{Setup, matrix};

/// Attacks on wrt-vm, from inside its VMs, and what comes of them.
#[derive(Parser)]
#[command(name = "wrt-vm-isolation", version)]
struct Arguments {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Subcommand)]
enum Subcommands {
    /// Lists the cases, and the attacks that are not made and why.
    List,
    /// Makes cases, each in a process of its own. Fails unless all boundaries held.
    Run {
        /// Names of cases, or parts of them.
        names: Vec<String>,
        /// All cases.
        #[arg(long, conflicts_with = "names")]
        all: bool,
        /// Only where the backend, or backend/engine, is called so: `kvm`, `process/native`.
        #[arg(long, value_name = "WHERE")]
        on: Option<String>,
        /// Cases at a time.
        #[arg(long, default_value_t = 2)]
        jobs: usize,
        /// Writes a report in JSON.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Writes a report as JUnit has it.
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
    },
    /// Has evil guests run random programs, in a process of their own. What fails is written
    /// into a file and can be run again.
    Fuzz(fuzz::Settings),
    /// The process in which a case is made.
    #[command(hide = true)]
    Host {
        /// The case's name.
        name: String,
        /// Where.
        on: String,
    },
    /// The process in which programs are tried.
    #[command(hide = true)]
    FuzzHost(fuzz::HostSettings),
}

pub(crate) fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Subcommands::List => {
            list();
            Ok(ExitCode::SUCCESS)
        }
        Subcommands::Run { names, all, on, jobs, json, junit } => {
            ensure!(all || !names.is_empty(), "name cases, or say --all");
            let wanted = |case: &Case| all || names.iter().any(|name| case.name.contains(name));
            let found = applicable(|case, place| {
                wanted(case) && on.as_ref().is_none_or(|on| place.starts_with(on.as_str()))
            });
            ensure!(!found.is_empty(), "no such case here: see `wrt-vm-isolation list`");
            let started = Instant::now();
            let outcomes = runner::run_all(&found, jobs, |done| println!("{}", report::line(done)));
            let seconds = started.elapsed().as_secs_f64();
            println!("{}", report::sum(&outcomes, seconds));
            if let Some(path) = json {
                write(&path, &report::json(&outcomes)?)?;
            }
            if let Some(path) = junit {
                write(&path, &report::junit(&outcomes, seconds))?;
            }
            Ok(code(&outcomes))
        }
        Subcommands::Fuzz(settings) => fuzz::run(&settings),
        Subcommands::Host { name, on } => {
            let found = applicable(|case, place| case.name == name && place == on);
            let &(case, setup) = found.first().context("no such case here")?;
            let outcome = host::attack(case, setup);
            println!("{}", serde_json::to_string(&outcome)?);
            Ok(code(&[outcome]))
        }
        Subcommands::FuzzHost(settings) => fuzz::host(&settings),
    }
}

/// Cases and where they can be made on this machine, which `wanted` is asked about.
fn applicable(wanted: impl Fn(&Case, &str) -> bool) -> Vec<(&'static Case, Setup)> {
    let setups = matrix();
    let mut found = Vec::new();
    for case in cases::all() {
        for &setup in &setups {
            if case.guests.includes(setup) && wanted(case, &case.guests.on(setup)) {
                found.push((case, setup));
            }
        }
    }
    found
}

fn list() {
    let setups = matrix();
    for case in cases::all() {
        let numbers: Vec<String> = case.attacks.iter().map(u8::to_string).collect();
        let made =
            |setup: &&Setup| case.guests.includes(**setup) && case.skipped(**setup).is_none();
        let places = setups.iter().filter(made);
        let places: Vec<String> = places.map(|setup| case.guests.on(*setup)).collect();
        println!("{:<34} {:<9} {}", case.name, numbers.join(","), case.what);
        println!("{:<34} {:<9} on {}", "", "", places.join(", "));
        if let Some((arch, why)) = case.only {
            println!("{:<34} {:<9} {arch} only: {why}", "", "");
        }
    }
    println!("\nNot made:");
    for not in cases::NOT_MADE {
        let numbers: Vec<String> = not.attacks.iter().map(u8::to_string).collect();
        println!("{:<34} {}: {}", numbers.join(","), not.what, not.why);
    }
}

fn write(path: &PathBuf, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn code(outcomes: &[Outcome]) -> ExitCode {
    match outcomes.iter().all(|outcome| outcome.failure.is_none()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

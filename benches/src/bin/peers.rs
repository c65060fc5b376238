//! Times one task of this crate as `peers/` times the reference software: same file, same repetitions, same JSON.
//!
//! `cargo run --release -p cocreate-benches --bin peers -- TASK FILE [REPETITIONS]`. Reading the data is not timed, except in the task `csv`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs, io};

use cocreate::prelude::*;
use serde_json::{Map, Value, json};

/// Linux counts processor time in ticks of 1/100 s (USER_HZ, fixed by its interface to user space).
const TICKS_PER_SECOND: f64 = 100.0;
const DEFAULT_REPETITIONS: usize = 5;

/// What a task does once, and the numbers it found, which the driver compares with the peer's.
type Once = Box<dyn Fn() -> Result<Map<String, Value>, Failure>>;
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(record) => {
            println!("{record}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Value, Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [task, file, rest @ ..] = arguments.as_slice() else {
        return Err("usage: peers TASK FILE [REPETITIONS]".into());
    };
    let repetitions = match rest.first() {
        Some(text) => text.parse()?,
        None => DEFAULT_REPETITIONS,
    };
    let once = prepare(task, file)?;
    let found = once()?; // warm-up: page cache, allocator, thread pool

    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    let (mut peak, mut found_again) = (0.0_f64, found);
    for _ in 0..repetitions {
        reset_peak()?;
        let before = memory_mb("VmRSS:")?;
        let (start, cpu_start) = (Instant::now(), cpu_seconds()?);
        found_again = once()?;
        wall.push(start.elapsed().as_secs_f64());
        cpu.push(cpu_seconds()? - cpu_start);
        peak = peak.max(memory_mb("VmHWM:")? - before);
    }
    Ok(json!({
        "task": task, "peer": "cocreate", "version": env!("CARGO_PKG_VERSION"), "wall": wall, "cpu": cpu,
        "peak_rss_mb_above_data": peak, "coefficients": found_again,
    }))
}

/// Reads the data (not timed) and returns the work.
fn prepare(task: &str, file: &str) -> Result<Once, Failure> {
    match task {
        "csv" => {
            let path = file.to_owned();
            Ok(Box::new(move || {
                let frame = Frame::read_csv(&path)?;
                let mut found = Map::new();
                found.insert("rows".into(), json!(frame.rows()));
                found.insert("amount_sum".into(), json!(frame.real("amount")?.iter().filter(|v| !v.is_nan()).sum::<f64>()));
                Ok(found)
            }))
        }
        other => Err(format!("unknown task {other}; known: csv").into()),
    }
}

/// Processor seconds (user and system) of this process, threads that have ended included: fields 14 and 15 of `/proc/self/stat`.
fn cpu_seconds() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field is the program's name in parentheses and may hold spaces; count after its end.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 = after_name.split_whitespace().skip(11).take(2).filter_map(|f| f.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_SECOND)
}

/// A line of `/proc/self/status`, in megabytes of 2^20 bytes.
fn memory_mb(line: &str) -> io::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kilobytes = status.lines().find_map(|l| l.strip_prefix(line)).and_then(|v| v.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.map(|kb| kb / 1024.0).ok_or_else(|| io::Error::other(format!("no {line} in /proc/self/status")))
}

/// Sets the peak of resident memory back to its present value, so that reading the data does not count.
fn reset_peak() -> io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

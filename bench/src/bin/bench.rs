//! `bench [--quick] [--out FILE] [GROUP]…`: prints the table, and writes it as JSON.

use countersign_bench::{Measure, Pace, Report, Row, groups, loaded, timed};
use lexopt::{Arg, Parser, ValueExt};
use serde_json::Value;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let (mut pace, mut out, mut names) = (Pace::FULL, None::<PathBuf>, Vec::new());
    let mut arguments = Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("quick") => pace = Pace::QUICK,
            Arg::Long("out") => out = Some(arguments.value()?.into()),
            Arg::Value(name) => names.push(name.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let groups = groups::named(&names).map_err(|name| format!("there is no group `{name}`"))?;
    let counts = counts(&names)?;
    if counts.len() != groups.len() {
        return Err("`count` is another version's".into());
    }
    let (mut all, mut loads, mut unjudged) = (Vec::new(), Vec::new(), Vec::new());
    for (group, counts) in groups.into_iter().zip(counts) {
        let mut cases = (group.cases)();
        let times = timed(&mut cases, pace);
        let answers = cases.iter().zip(times.iter().zip(&counts));
        let rows = answers.flat_map(|(case, (times, counts))| {
            let ours = times[0].median;
            case.contenders.iter().zip(times.iter().zip(counts)).map(move |(contender, (time, allocations))| {
                let Measure { median, minimum } = *time;
                let (case, name, allocations) = (case.name.clone(), contender.name, *allocations);
                Row { case, name, ns: median, minimum, allocations, ratio_to_ours: median / ours }
            })
        });
        let report = Report { rows: rows.collect(), targets: (group.targets)() };
        println!("{}\n\n{report}", group.name);
        unjudged.extend(report.unjudged());
        for row in &report.rows {
            all.push(serde_json::to_value(row)?);
        }
        drop(cases);
        for load in loaded(&(group.served)(), pace)? {
            println!("{load}");
            loads.push(serde_json::to_value(load)?);
        }
    }
    if let Some(out) = out {
        write(&out, &all)?;
        if !loads.is_empty() {
            write(&out.with_extension("load.json"), &loads)?;
        }
    }
    if !unjudged.is_empty() {
        return Err(format!("targets about something that was not measured: {}", unjudged.join(", ")).into());
    }
    Ok(())
}

fn write(out: &Path, lines: &[Value]) -> Result<(), Box<dyn Error>> {
    Ok(fs::write(out, serde_json::to_vec_pretty(lines)?).map_err(|error| format!("{}: {error}", out.display()))?)
}

/// What the program beside this one counts.
fn counts(groups: &[String]) -> Result<Vec<Vec<Vec<usize>>>, Box<dyn Error>> {
    let count = env::current_exe()?.with_file_name(format!("count{}", env::consts::EXE_SUFFIX));
    let output = Command::new(&count).args(groups).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{}: {error}", count.display()))?;
    Ok(serde_json::from_slice(&output.stdout).map_err(|error| format!("`count` told nothing: {error}"))?)
}

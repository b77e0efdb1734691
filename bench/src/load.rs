//! What a guard costs a server: requests per second over loopback, as `wrk` counts them.

use crate::Pace;
use serde::Serialize;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// A server with two routes that answer the same, one of them behind a guard. It has one core for itself at most, and the one
/// who asks has another.
#[derive(Debug)]
pub struct Served {
    /// What is asked, for the table.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// The path of the guarded route.
    pub guarded: &'static str,
    /// The path of the other.
    pub open: &'static str,
    /// The `Authorization` of all requests, to either.
    pub authorization: String,
    /// How many of the open route's requests per second the guarded one is to answer.
    pub at_least: f64,
}

/// What a server came to. Each round asks both routes, and a figure is the median of the rounds; the ratio is the median of
/// the rounds' ratios, since what disturbs a machine lasts longer than one round.
#[derive(Debug, Serialize)]
pub struct Load {
    /// The server.
    pub case: &'static str,
    /// The guarded route's requests per second.
    pub requests_per_second: f64,
    /// The other's.
    pub unguarded: f64,
    /// The guarded route's over the other's.
    pub ratio_to_unguarded: f64,
    #[serde(skip)]
    at_least: f64,
}

/// Asks each server, in rounds.
///
/// # Errors
/// `wrk` cannot be run, or was answered with something else than 200.
pub fn loaded(servers: &[Served], pace: Pace) -> Result<Vec<Load>, Box<dyn Error>> {
    let mut rounds = vec![Vec::new(); servers.len()];
    for server in servers {
        // Warms both up.
        let _ = (server.ask(server.guarded)?, server.ask(server.open)?);
    }
    for round in 0..pace.loads {
        for (server, rounds) in servers.iter().zip(&mut rounds) {
            // Nobody is always first.
            let (guarded, open) = if round % 2 == 0 {
                let guarded = server.ask(server.guarded)?;
                (guarded, server.ask(server.open)?)
            } else {
                let open = server.ask(server.open)?;
                (server.ask(server.guarded)?, open)
            };
            rounds.push((guarded, open));
        }
    }
    let figures = servers.iter().zip(&rounds).map(|(server, rounds)| Load {
        case: server.name,
        requests_per_second: median(rounds.iter().map(|(guarded, _)| *guarded)),
        unguarded: median(rounds.iter().map(|(_, open)| *open)),
        ratio_to_unguarded: median(rounds.iter().map(|(guarded, open)| guarded / open)),
        at_least: server.at_least,
    });
    Ok(figures.collect())
}

impl Served {
    /// Requests per second, for one second.
    fn ask(&self, path: &str) -> Result<f64, Box<dyn Error>> {
        let mut wrk = Command::new("wrk");
        wrk.args(["--threads", "1", "--connections", "16", "--duration", "1s", "--header"]);
        wrk.arg(format!("Authorization: {}", self.authorization)).arg(format!("http://{}{path}", self.address));
        let output = wrk.stderr(Stdio::inherit()).output().map_err(|error| format!("wrk: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let refused = ["Non-2xx", "Socket errors"].iter().any(|line| text.contains(line));
        let told = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
        match told.and_then(|told| told.trim().parse().ok()) {
            Some(figure) if !refused && output.status.success() => Ok(figure),
            _ => Err(format!("{}: wrk says: {text}", self.name).into()),
        }
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, requests_per_second, unguarded, ratio_to_unguarded, at_least } = self;
        let met = if ratio_to_unguarded >= at_least { "met" } else { "MISSED" };
        write!(
            f,
            "{met:6}  {case}: at least {at_least} of the unguarded route's requests per second: \
             {ratio_to_unguarded:.3} ({requests_per_second:.0} of {unguarded:.0})"
        )
    }
}

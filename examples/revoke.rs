//! Revokes tokens and distrusts keys in every process of a fleet: the operator's side of `resource_server`.
//!
//! ```console
//! $ export REDIS_URL=redis://127.0.0.1/ FLEET_KEY=… ISSUER=https://issuer.example/
//! $ cargo run --example revoke -- token JTI               # one token
//! $ cargo run --example revoke -- subject SUB             # every token of theirs that was issued before the next minute
//! $ cargo run --example revoke -- thumbprint THUMBPRINT   # a key (RFC 7638, in base64url), under whichever id
//! $ cargo run --example revoke -- kid KID                 # a key, by the id under which the issuer publishes it
//! $ cargo run --example revoke -- restore-thumbprint THUMBPRINT
//! $ cargo run --example revoke -- restore-kid KID
//! ```
//!
//! `--for SECONDS` says for how long: as long as the tokens concerned live, leeway included, or until no copy of the document
//! with the key is left. A day unless told. Clocks differ: who logs in within the minute after `subject` does so again. Every process counts on it within the bound that is printed. Where the
//! store fails it ends with 1, and nobody can say whether the change is known: say it again, which does no harm.

use countersign::cache::FleetKey;
use countersign::clock::{Clock, SystemClock};
use countersign::revocation::RevocationLog;
use countersign_cache::RedisCache;
use lexopt::prelude::*;
use std::env::VarError;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The issuer's clock may be ahead of this one by as much.
const CLOCKS: Duration = Duration::from_secs(60);

const ORDERS: [&str; 6] = ["token", "subject", "thumbprint", "kid", "restore-thumbprint", "restore-kid"];

const USAGE: &str = "revoke token JTI | subject SUB | thumbprint THUMBPRINT | kid KID | restore-thumbprint THUMBPRINT | \
                     restore-kid KID [--for SECONDS]";

struct Order {
    what: String,
    name: String,
    lasting: Duration,
}

fn order(mut arguments: lexopt::Parser) -> Result<Option<Order>, lexopt::Error> {
    let (mut words, mut lasting) = (Vec::new(), DAY);
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("for") => lasting = Duration::from_secs(arguments.value()?.parse()?),
            Value(word) => words.push(word.string()?),
            other => return Err(other.unexpected()),
        }
    }
    match <[String; 2]>::try_from(words) {
        Ok([what, name]) if ORDERS.contains(&&*what) => Ok(Some(Order { what, name, lasting })),
        _ => Err(format!("wants: {USAGE}").into()),
    }
}

fn setting(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|error| match error {
        VarError::NotPresent => format!("`{name}` is not set"),
        VarError::NotUnicode(_) => format!("`{name}` is not UTF-8"),
    })
}

async fn carry_out(order: &Order) -> Result<Duration, Box<dyn Error>> {
    let store = RedisCache::builder(setting("REDIS_URL")?).build()?;
    let key = FleetKey::from_base64url(&setting("FLEET_KEY")?)?;
    let issuer = setting("ISSUER")?;
    let log = RevocationLog::builder(store, key).build()?;
    let now = SystemClock::new().now();
    let until = now.checked_add(order.lasting).ok_or("`--for` is too long")?;
    let before = now + CLOCKS;
    let name = &*order.name;
    match &*order.what {
        "token" => log.revoke_token(&issuer, name, until).await?,
        "subject" => log.revoke_subject_before(&issuer, name, before, until).await?,
        "kid" => log.distrust_key_id(&issuer, name, until).await?,
        "thumbprint" => log.distrust_thumbprint(&name.parse()?, until).await?,
        "restore-kid" => log.restore_key_id(&issuer, name).await?,
        "restore-thumbprint" => log.restore_thumbprint(&name.parse()?).await?,
        other => return Err(format!("`{other}` is no order").into()),
    }
    Ok(log.bound())
}

/// What is wrong, and why, in a line.
fn told(error: &dyn Error) -> String {
    let (mut causes, mut next) = (Vec::new(), Some(error));
    while let Some(error) = next {
        causes.push(error.to_string());
        next = error.source();
    }
    causes.dedup();
    causes.join(": ")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let order = match order(lexopt::Parser::from_env()) {
        Ok(Some(order)) => order,
        Ok(None) => {
            let _ = writeln!(std::io::stdout(), "{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            return ExitCode::from(2);
        }
    };
    match carry_out(&order).await {
        Ok(bound) => {
            let _ = writeln!(std::io::stdout(), "done; every process counts on it within {} s", bound.as_secs_f32());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {}", told(&*error));
            ExitCode::FAILURE
        }
    }
}

//! A protected API to deploy, configured by its environment: `ISSUER=… AUDIENCE=… cargo run --example resource_server`.
//! `countersign_examples::resource_server` says what can be set and what is served.

use countersign_examples::resource_server;
use std::process::ExitCode;

fn main() -> ExitCode {
    resource_server::run(std::env::vars_os())
}

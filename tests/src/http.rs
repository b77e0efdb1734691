//! One table of HTTP cases, run over sockets against axum, actix-web and warp: the same answer from each.

mod connections;
mod handlers;
mod late;
mod loaded;
mod observed;
mod own_adapter;
mod preflight;
mod reasons;
pub(crate) mod servers;
mod shared_cases;
mod spawned;
mod table;
mod typed;
mod warp_groups;
pub(crate) mod world;

pub(crate) use countersign_testkit::client;

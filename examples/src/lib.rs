//! What the example programs are made of. Read `quickstart.rs` first.

pub mod cookie_app;
pub mod own_adapter;
mod page;
pub mod quickstart;
pub mod resource_server;
pub mod rotation;
pub mod websocket;

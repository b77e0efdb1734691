//! What the example programs are made of. Read `quickstart.rs` first.

pub mod cookie_app;
pub mod quickstart;
pub mod resource_server;
pub mod websocket;

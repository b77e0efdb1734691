//! What the example programs share. Read `quickstart.rs` first.

pub mod quickstart;

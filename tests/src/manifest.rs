//! Guarded routers: the same declarations in three frameworks give one manifest and the same answers.

mod declared;
mod frameworks;
mod handlers;
mod precedence;
mod proofs;
mod surface;

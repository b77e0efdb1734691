//! Tokens, and how they are verified by Countersign and by the primitive alone.

pub(crate) mod bare;
pub(crate) mod fixture;
pub(crate) mod ours;

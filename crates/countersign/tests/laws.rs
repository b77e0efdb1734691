//! What holds for every input, whichever backend there is: `cargo xtask test` runs this on ring, and once more on aws-lc.

#![cfg(any(feature = "aws-lc", feature = "ring"))]

#[cfg(test)]
#[path = "laws/fuzz_replay.rs"]
mod fuzz_replay;
#[cfg(test)]
#[path = "../../../tests/fuzz/targets.rs"]
#[allow(unreachable_pub, reason = "the fuzz package, outside the workspace, has the same file as its library")]
mod fuzz_targets;
#[cfg(test)]
#[path = "laws/properties.rs"]
mod properties;

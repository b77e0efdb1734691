//! "All of none" would let everybody pass.

use countersign::authorize::{All, Requires};

fn demand<R: Requires>() {}

fn main() {
    demand::<All<()>>();
}

//! A type that requires nothing.

use countersign::authorize::Requires;

struct Admin;

fn demand<R: Requires>() {}

fn main() {
    demand::<Admin>();
}

use countersign::authorize::policy::{VetoPolicy, not};

fn unless(hold: impl VetoPolicy) {
    let _ = not(hold);
}

fn main() {}

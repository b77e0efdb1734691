use countersign::authorize::Decision;

fn status(decision: Decision) -> u16 {
    match decision {
        Decision::Allow => 200,
        Decision::Deny(_) => 403,
    }
}

fn main() {}

use countersign::authorize::policy::{DenyOverridesBuilder, VetoPolicy, deny_overrides};

fn posts(hold: impl VetoPolicy) -> DenyOverridesBuilder {
    deny_overrides("posts", ["posts:read"]).allow_if(hold)
}

fn main() {}

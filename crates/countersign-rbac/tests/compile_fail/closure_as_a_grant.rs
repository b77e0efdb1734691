use countersign::authorize::policy::deny_overrides;

fn main() {
    let _ = deny_overrides("posts", ["posts:read"]).allow_if(|_| true);
}

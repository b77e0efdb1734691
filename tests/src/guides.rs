//! The services that the three frameworks' guides begin with, compiled, and their tests, run.

#![allow(dead_code, clippy::print_stderr, reason = "programs of their own, as readers paste them")]

mod actix;
mod axum;
mod warp;

#[test]
fn each_guide_begins_with_the_service_that_is_tested_here() {
    for (page, service) in [
        (include_str!("../../docs/ACTIX.md"), include_str!("guides/actix.rs")),
        (include_str!("../../docs/AXUM.md"), include_str!("guides/axum.rs")),
        (include_str!("../../docs/WARP.md"), include_str!("guides/warp.rs")),
    ] {
        let first = page.split("```rust").nth(1).and_then(|rest| rest.split("```").next()).expect("a block of Rust");
        assert_eq!(first.strip_prefix(",no_run\n"), Some(service));
    }
}

//! Every reason has a case in the table and a place in the documentation.

use countersign_testkit::adapter::{AdapterTable, Case, OWN_CHECK};
use std::collections::BTreeSet;

/// The names of all reasons, as the source of the two `name` functions has them: what is missing there does not compile.
fn every_name() -> BTreeSet<&'static str> {
    let source = include_str!("../../../crates/countersign/src/reason.rs");
    let bodies = source.split("pub fn name(self) -> &'static str {\n        match self {\n").skip(1);
    let bodies: Vec<_> = bodies.map(|rest| rest.split_once("\n        }\n").expect("the end of a match").0).collect();
    assert_eq!(bodies.len(), 2, "`Rejection` and `Reason`");
    bodies.into_iter().flat_map(str::lines).filter_map(name).collect()
}

/// The name in an arm; `None` where it stands in the other function.
fn name(arm: &'static str) -> Option<&'static str> {
    let parts = arm.trim().strip_prefix("Self::").and_then(|arm| arm.strip_suffix(',')?.split_once(" => "));
    match parts.unwrap_or_else(|| panic!("an arm of its own for each variant: {arm}")) {
        ("Rejected(rejection)", "rejection.name()") => None,
        ("Check(reason)", "reason") => Some(OWN_CHECK),
        (variant, name) => {
            assert!(variant.chars().all(|c| c.is_ascii_alphabetic()), "one variant without a field: {arm}");
            Some(name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).expect("a literal"))
        }
    }
}

#[test]
fn every_reason_has_a_case_in_the_table() {
    let table = AdapterTable::new();
    let in_table: BTreeSet<_> = table.cases().iter().filter_map(Case::reason).collect();
    assert_eq!(in_table, every_name());
}

#[test]
fn every_reason_is_documented() {
    let page = include_str!("../../../docs/OBSERVABILITY.md");
    let missing: Vec<_> =
        every_name().into_iter().filter(|name| *name != OWN_CHECK && !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

use super::*;
use countersign::authorize::{permissions, role};

fn catalog(roles: &[&str], names: &[&str]) -> Arc<Catalog> {
    let all = roles.iter().fold(Catalog::builder(), |all, role| all.role(*role, [""; 0]));
    let all = names.iter().fold(all, |all, name| all.permission(*name));
    Arc::new(all.build().expect("a catalog"))
}

/// How many roles and permissions are remembered as lost.
fn lost(live: &LiveCatalog) -> (usize, usize) {
    let lost = live.lost();
    (lost.roles.len(), lost.permissions.len())
}

#[test]
fn what_a_newer_catalog_lacks_is_named_and_replaces_nothing() {
    let older = catalog(&["a", "b"], &["x", "y\n"]);
    let table = [
        (catalog(&["b", "a", "c"], &["x", "y\n"]), None),
        (catalog(&["a"], &["x", "y\n"]), Some("the newer catalog lacks the role `b`")),
        (catalog(&["a", "b"], &["z"]), Some("the newer catalog lacks the permissions `x`, `y\\n`")),
        (catalog(&["x"], &["y\n", "a"]), Some("the newer catalog lacks the roles `a`, `b`, and the permission `x`")),
    ];
    for (newer, expected) in table {
        let live = LiveCatalog::new(Arc::clone(&older));
        let answer = live.try_replace(Arc::clone(&newer));
        assert_eq!(answer.as_ref().map_err(ToString::to_string).err().as_deref(), expected);
        let stands = if expected.is_none() { &newer } else { &older };
        assert!(Arc::ptr_eq(&live.current(), stands), "{expected:?}");
        assert_eq!(lost(&live), (0, 0));
        if let Err(lost) = answer {
            assert!(Arc::ptr_eq(&live.replace(newer), &older), "whoever means it may");
            assert!(lost.roles().all(|name| live.ever_knew(&role(name))));
            assert!(lost.permissions().all(|name| live.ever_knew(&permissions([name]))));
        }
    }
}

#[test]
fn a_name_that_is_known_again_is_not_among_the_lost() {
    let live = LiveCatalog::new(catalog(&["a", "b"], &["x"]));
    live.replace(catalog(&[], &[]));
    assert_eq!(lost(&live), (2, 1));
    live.replace(catalog(&["a"], &["x", "y"]));
    assert_eq!(lost(&live), (1, 0), "the one that is still gone");
    assert!(live.try_replace(catalog(&["a", "b"], &["x", "y"])).is_ok());
    assert_eq!(lost(&live), (0, 0));
    live.replace(catalog(&["b"], &["x", "y"]));
    assert_eq!(lost(&live), (1, 0), "lost a second time");
    assert!(live.ever_knew(&role("a")) && live.ever_knew(&role("b")) && !live.ever_knew(&role("c")));
}

//! May they? A permission that a role grants, the roles that a token names, and policies together.

mod casbin;
mod cedar;
mod check;
mod claims;
mod gatehouse;
mod policies;

use crate::{Bound, Case, Group, Target};

pub(super) const GROUP: Group = Group { name: "authorization", cases, targets, served: Vec::new };

const OURS: &str = "countersign";

fn cases() -> Vec<Case> {
    let rules = check::RULES.into_iter().map(|rules| {
        let case = check::case(rules);
        let case = casbin::contend(case, rules);
        let case = cedar::contend(case, rules);
        gatehouse::contend(case, rules)
    });
    let sizes = check::SIZES.into_iter().map(check::beside_a_mask);
    sizes.chain(rules).chain([claims::case(), claims::small(), policies::case()]).collect()
}

fn targets() -> Vec<Target> {
    let of_size = |permissions| check::name_of_size(permissions);
    let mut targets = Vec::new();
    for size in check::SIZES {
        let case = of_size(size);
        targets.push(Target::new(&case, OURS, Bound::AtMost(5.0), (&case, check::MASK)));
        targets.push(Target::allocations(&case, OURS, 0));
    }
    for size in &check::SIZES[1..] {
        let smallest = of_size(check::SIZES[0]);
        targets.push(Target::new(&of_size(*size), OURS, Bound::AtMost(3.0), (&smallest, OURS)));
    }
    for rules in check::RULES {
        let case = check::name(rules);
        for peer in [casbin::NAME, casbin::CACHED, cedar::NAME, gatehouse::BY_ROLES, gatehouse::BY_RULES] {
            targets.push(Target::new(&case, OURS, Bound::Faster(50.0), (&case, peer)));
        }
    }
    for case in [claims::NAME, claims::SMALL] {
        targets.push(Target::new(case, OURS, Bound::AtMost(0.3), (case, claims::NAMES)));
        targets.push(Target::allocations(case, OURS, 1));
    }
    // The check that stands alone is a prepared one, or no more than its mask.
    targets.push(Target::new(policies::NAME, OURS, Bound::AtMost(10.0), (&of_size(check::SIZES[0]), OURS)));
    targets.push(Target::new(policies::NAME, OURS, Bound::AtMost(10.0), (policies::NAME, check::MASK)));
    targets.push(Target::allocations(policies::NAME, OURS, 0));
    targets
}

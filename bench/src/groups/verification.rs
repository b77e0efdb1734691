//! Is it true? A token, verified and read into a type; refused; found in the cache; signed.
//!
//! Everybody looks for the key among ten by the token's `kid`, holds the token to one issuer, one audience and the times,
//! and reads the claims into a type that owns them. What a service builds once, keys and rules, is built before.

mod issuers;
#[cfg(feature = "josekit")]
mod josekit;
mod jsonwebtoken;
mod jwt_simple;
mod keys;
mod threads;

use crate::tokens::fixture::{Alg, Fixture, Size};
use crate::tokens::ours::{self, AWS_LC, LINES, RING};
use crate::{Bound, Case, Group, Target};

pub(super) const GROUP: Group = Group { name: "verification", cases, targets, served: Vec::new };

fn cases() -> Vec<Case> {
    let fixtures = Alg::ALL.map(Fixture::new);
    let mut cases = Vec::new();
    for fixture in &fixtures {
        for size in [Size::Small, Size::Large] {
            cases.push(into_a_type(fixture, size));
        }
        cases.push(without_a_type(fixture));
        cases.push(signing(fixture));
    }
    let [hs256, rs256, ..] = &fixtures;
    cases.extend(REFUSED.map(|refused| refusal(hs256, refused)));
    cases.extend([keys::case(rs256), keys::hot(rs256), keys::cold(rs256)]);
    cases.extend([issuers::case(rs256, 1), issuers::case(rs256, issuers::MANY)]);
    cases.extend([threads::case(hs256), threads::case(rs256)]);
    cases
}

/// What a refused token is, and how it is made of one that is taken.
#[derive(Clone, Copy)]
struct Refused {
    what: &'static str,
    token: fn(&Fixture) -> String,
}

const MEGABYTE: &str = "refused: 1 MB of anything";
const REFUSED: [Refused; 6] = [
    Refused { what: "refused: no base64url", token: |fixture| fixture.small().replace(['A', 'e'], "*") },
    Refused { what: "refused: no dots", token: |fixture| fixture.small().replace('.', "_") },
    Refused { what: "refused: unknown kid", token: Fixture::unknown_key },
    Refused { what: "refused: expired", token: Fixture::expired },
    Refused { what: "refused: bad signature", token: Fixture::tampered },
    Refused { what: MEGABYTE, token: |_| "x".repeat(1 << 20) },
];

fn refusal(fixture: &Fixture, refused: Refused) -> Case {
    let token = (refused.token)(fixture);
    let mut case = Case::new(refused.what);
    for line in LINES {
        case = case.with(line.name, ours::refusing(line, fixture, token.clone()));
    }
    #[cfg(feature = "josekit")]
    let case = case.with(josekit::NAME, josekit::verifying(fixture, token.clone()));
    case.with(jsonwebtoken::v11::NAME, jsonwebtoken::v11::verifying(fixture, token.clone()))
        .with(jsonwebtoken::v9::NAME, jsonwebtoken::v9::verifying(fixture, token.clone()))
        .with(jwt_simple::NAME, jwt_simple::verifying(fixture, token))
}

fn into_a_type(fixture: &Fixture, size: Size) -> Case {
    let token = fixture.token(size);
    let mut case = Case::new(fixture.named(size));
    for line in LINES {
        case = case.with(line.name, taken(ours::verifying(line, fixture, token.clone())));
        case = case.with(line.bare, (line.verify)(fixture, &token));
    }
    #[cfg(feature = "josekit")]
    let case = case.with(josekit::NAME, taken(josekit::verifying(fixture, token.clone())));
    case.with(jsonwebtoken::v11::NAME, taken(jsonwebtoken::v11::verifying(fixture, token.clone())))
        .with(jsonwebtoken::v9::NAME, taken(jsonwebtoken::v9::verifying(fixture, token.clone())))
        .with(jwt_simple::NAME, taken(jwt_simple::verifying(fixture, token)))
}

/// Nobody measures how fast a token is refused that was to be taken.
fn taken<T>(mut verify: impl FnMut() -> Option<T>) -> impl FnMut() -> Option<T> {
    assert!(verify().is_some(), "a good token");
    verify
}

fn without_a_type(fixture: &Fixture) -> Case {
    let token = fixture.small();
    let mut case = Case::new(name_without_a_type(fixture.alg));
    for line in LINES {
        case = case.with(line.name, taken(ours::verifying_alone(line, fixture, token.clone())));
        case = case.with(line.bare, (line.verify)(fixture, &token));
    }
    case
}

fn name_without_a_type(alg: Alg) -> String {
    format!("{}, small, no type", alg.name())
}

fn signing(fixture: &Fixture) -> Case {
    let mut case = Case::new(format!("{}, signing", fixture.alg.name()));
    for line in LINES {
        case = case.with(line.name, ours::signing(line, fixture)).with(line.bare, (line.sign)(fixture));
    }
    #[cfg(feature = "josekit")]
    let case = case.with(josekit::NAME, josekit::signing(fixture));
    case.with(jsonwebtoken::v11::NAME, jsonwebtoken::v11::signing(fixture))
        .with(jsonwebtoken::v9::NAME, jsonwebtoken::v9::signing(fixture))
        .with(jwt_simple::NAME, jwt_simple::signing(fixture))
}

/// aws-lc's, unless ring is named.
fn targets() -> Vec<Target> {
    let ours = AWS_LC.name;
    let mut targets = Vec::new();
    for (alg, size, peer, at_most) in [
        (Alg::HS256, Size::Small, jsonwebtoken::v11::NAME, 0.28),
        (Alg::HS256, Size::Small, jsonwebtoken::v9::NAME, 0.38),
        (Alg::HS256, Size::Large, jsonwebtoken::v11::NAME, 0.45),
        (Alg::HS256, Size::Large, jsonwebtoken::v9::NAME, 0.55),
        (Alg::RS256, Size::Small, jsonwebtoken::v11::NAME, 0.74),
        (Alg::RS256, Size::Large, jsonwebtoken::v11::NAME, 0.70),
        (Alg::RS256, Size::Small, AWS_LC.bare, 1.05),
        (Alg::ES256, Size::Small, AWS_LC.bare, 1.03),
        (Alg::EdDSA, Size::Small, AWS_LC.bare, 1.03),
    ] {
        let case = alg.of_size(size);
        targets.push(Target::new(&case, ours, Bound::AtMost(at_most), (&case, peer)));
    }
    for alg in Alg::ALL {
        let case = alg.of_size(Size::Small);
        targets.push(Target::new(&case, RING.name, Bound::AtMost(1.07), (&case, RING.bare)));
    }
    for alg in Alg::ALL {
        let case = name_without_a_type(alg);
        for line in LINES {
            targets.push(Target::new(&case, line.name, Bound::AllocationsBeyond(2), (&case, line.bare)));
        }
    }
    let taken = Alg::HS256.of_size(Size::Small);
    for Refused { what, .. } in REFUSED {
        for line in LINES {
            targets.push(Target::new(what, line.name, Bound::AtMost(1.2), (&taken, line.name)));
            targets.push(Target::allocations(what, line.name, usize::from(what != MEGABYTE)));
        }
    }
    targets.push(Target::new(MEGABYTE, ours, Bound::Within(50.0), (MEGABYTE, ours)));
    for provider in [ours, keys::PROVIDER, keys::HANGING] {
        targets.push(Target::new(keys::NAME, provider, Bound::Beyond(25.0), (keys::NAME, keys::MAP)));
    }
    let rs256 = Alg::RS256.of_size(Size::Small);
    for (hit, at_most) in [(keys::HOT, 0.02), (keys::COLD, 0.08)] {
        targets.push(Target::new(hit, ours, Bound::AtMost(at_most), (&rs256, jsonwebtoken::v11::NAME)));
        targets.push(Target::allocations(hit, ours, 0));
    }
    for alg in [Alg::HS256, Alg::RS256] {
        let case = threads::name(alg);
        let scaling = Bound::Scaling(0.95, [threads::ONE; 2]);
        targets.push(Target::new(&case, threads::SHARED, scaling, (&case, threads::APART)));
    }
    let (one, many) = (issuers::name(1), issuers::name(issuers::MANY));
    targets.push(Target::new(&many, ours, Bound::AtMost(2.0), (&one, ours)));
    targets.into_iter().map(Target::by_minima).collect()
}

//! What is refused, beside what is taken and has the same length: strangers are not to cost more than customers.
//!
//! HS256, whose signature hides least, on aws-lc. The first lines of a case are the tokens that are taken.

mod corpus;

use crate::tokens::fixture::{Alg, Fixture, SIGNS};
use crate::tokens::ours::{AWS_LC, verify};
use crate::{Bound, Case, Group, Target};
use corpus::{OfOneSize, SIZES, Writer};
use countersign::{Algorithm, SigningKey};

pub(super) const GROUP: Group = Group { name: "rejections", cases, targets, served: Vec::new };

const TAKEN: &str = "taken";
const TAKEN_FOR_MANY: &str = "taken, for the last of many audiences";

fn corpus() -> Vec<(String, OfOneSize)> {
    let fixture = Fixture::new(Alg::HS256);
    let other = SigningKey::from_secret(Algorithm::HS256, [8; 32]).and_then(|key| key.with_key_id(SIGNS));
    let other = other.expect("a key");
    let writer = Writer { key: &fixture.key, other: &other };
    SIZES.into_iter().map(|size| (format!("refused, {size} bytes"), writer.of_size(size))).collect()
}

fn cases() -> Vec<Case> {
    let fixture = Fixture::new(Alg::HS256);
    let cases = corpus().into_iter().map(|(name, of_one_size)| {
        let verifier = AWS_LC.verifier(&fixture);
        let taken = of_one_size.taken;
        assert!(verify(&verifier, &taken).is_some(), "a good token");
        let case = Case::new(name).with(TAKEN, move || verify(&verifier, &taken));
        let (verifier, taken) = (AWS_LC.verifier(&fixture), of_one_size.taken_for_many);
        assert!(verify(&verifier, &taken).is_some(), "a good token");
        let case = case.with(TAKEN_FOR_MANY, move || verify(&verifier, &taken));
        of_one_size.refused.into_iter().fold(case, |case, refused| {
            let verifier = AWS_LC.verifier(&fixture);
            assert!(verify(&verifier, &refused.token).is_none(), "{}", refused.what);
            case.with(refused.what, move || verify(&verifier, &refused.token).is_none())
        })
    });
    cases.collect()
}

fn targets() -> Vec<Target> {
    let targets = corpus().into_iter().flat_map(|(case, of_one_size)| {
        let target = move |refused: corpus::Refused| {
            let beside = if refused.is_for_many { TAKEN_FOR_MANY } else { TAKEN };
            Target::new(&case, refused.what, Bound::AtMost(1.2), (&case, beside))
        };
        of_one_size.refused.into_iter().map(target)
    });
    targets.map(Target::by_minima).collect()
}

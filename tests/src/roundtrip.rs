//! What is signed is read back as it was, in every serialization.

use countersign::jws::{Compact, Header, Json, Policy, SignError, Signing, Unprotected};
use countersign::{Algorithm, SigningKey};
use proptest::prelude::*;
use serde_json::{Map, Value};
use std::sync::LazyLock;

static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret"));

/// JSON without fractions, which serde_json does not give back to the last digit.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..4).prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    });
    let deep = (tree.clone(), 0..40_u8).prop_map(|(value, levels)| (0..levels).fold(value, |v, _| vec![v].into()));
    prop_oneof![4 => tree, 1 => deep]
}

fn name() -> impl Strategy<Value = String> {
    let usual = prop::sample::select(vec!["jwk", "x5c", "exp", "url", "$serde_json::private::RawValue", "a"]);
    prop_oneof![usual.prop_map(str::to_owned), any::<String>()]
}

/// A member of an unprotected header, more often than not one that readers look at.
fn hint() -> impl Strategy<Value = (String, Value)> {
    let known = prop::sample::select(vec!["kid", "typ", "cty"]).prop_map(str::to_owned);
    let text = prop_oneof![Just("kid".to_owned()), any::<String>()].prop_map(Value::from);
    prop_oneof![(known, text), (name(), value())]
}

prop_compose! {
    fn header()(
        key_id in prop::option::of(prop_oneof![Just("kid".to_owned()), any::<String>()]),
        is_named in any::<bool>(),
        token_type in prop::option::of(any::<String>()),
        content_type in prop::option::of(any::<String>()),
        members in prop::collection::vec((name(), value(), any::<bool>()), 0..6),
    ) -> (SigningKey, Header) {
        // A `kid` that no token could name is no key's.
        let named = key_id.and_then(|key_id| KEY.clone().with_key_id(key_id).ok());
        let key = named.unwrap_or_else(|| KEY.clone());
        let mut header = Header::new(&key);
        if !is_named {
            header = header.without_key_id();
        }
        if let Some(token_type) = token_type {
            header = header.with_type(token_type);
        }
        if let Some(content_type) = content_type {
            header = header.with_content_type(content_type);
        }
        for (name, value, is_critical) in members {
            let with = if is_critical { Header::with_critical } else { Header::with };
            // Names that have methods of their own are refused, and left out here.
            header = with(header.clone(), name, value).unwrap_or(header);
        }
        (key, header)
    }
}

fn policy(names: &[String]) -> Policy {
    let open = Policy::new().max_bytes(usize::MAX).allow_unencoded_payload();
    names.iter().fold(open, |policy, name| policy.clone().understand(name).unwrap_or(policy))
}

/// Every name in the header, for a policy that understands them all.
fn names(header: &Header) -> Vec<String> {
    let written = serde_json::to_value(header).expect("a header");
    written.as_object().expect("an object").keys().cloned().collect()
}

proptest! {
    #[test]
    fn what_is_signed_is_read_back(
        (key, header) in header(),
        hints in prop::collection::vec(hint(), 0..4),
        payload in prop_oneof![any::<Vec<u8>>(), "[A-Za-z0-9~_-]{0,20}".prop_map(String::into_bytes)],
        unencoded in any::<bool>(),
        detached in any::<bool>(),
    ) {
        let hints = hints.into_iter().fold(Unprotected::new(), |hints, (name, value)| {
            hints.clone().with(name, value).unwrap_or(hints)
        });
        let policy = policy(&names(&header));
        let signing = |hints| {
            let signing = Signing::new(&payload).by_with_unprotected(&key, header.clone(), hints);
            let signing = if unencoded { signing.unencoded() } else { signing };
            if detached { signing.detached() } else { signing }
        };
        let json = |text: String| match detached {
            true => Json::parse_detached(text, &payload, &policy),
            false => Json::parse(text, &policy),
        };
        let mut read = Vec::new();
        match signing(Unprotected::new()).compact() {
            Ok(text) => {
                let compact = match detached {
                    true => Compact::parse_detached(&text, &payload, &policy),
                    false => Compact::parse_with(&text, &policy),
                };
                read.push(compact.expect("well-formed").into_verified(key.verifying_key()));
            }
            Err(error) => prop_assert!(matches!(error, SignError::Unreadable | SignError::TooLarge | SignError::Payload)),
        }
        for text in [signing(hints.clone()).flattened(), signing(hints).general()].into_iter().flatten() {
            read.push(json(text).expect("well-formed").verify(key.verifying_key()));
        }
        for verified in read {
            let verified = verified.expect("signed");
            prop_assert_eq!(verified.payload(), &payload);
            prop_assert!(*verified.header() == header);
        }
    }
}

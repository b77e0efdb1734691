//! Tokens that are refused, of several sizes, each beside one of the same size that is taken.
//!
//! What is taken is what issuers write: a list of permissions fills it up. What is refused is written by whoever wants to keep
//! the verifier busy.

use countersign::jws::{self, Header};
use countersign::{Algorithm, SigningKey};

/// Lengths of tokens, in bytes. The last is the longest that a verifier reads unless told otherwise.
pub(super) const SIZES: [usize; 3] = [375, 2_048, 16_384];

/// One refused token.
pub(super) struct Refused {
    pub(super) what: &'static str,
    /// Whether it has many audiences: what is signed is read whole, and the more there are, the more there is to compare.
    pub(super) is_for_many: bool,
    pub(super) token: String,
}

/// A token that is taken, and those of its length that are not.
pub(super) struct OfOneSize {
    pub(super) taken: String,
    /// One that is taken for the last of many audiences.
    pub(super) taken_for_many: String,
    pub(super) refused: Vec<Refused>,
}

/// The claims that all have, with a comma behind.
const REGISTERED: &str = r#""iss":"https://issuer.example/","aud":"my-api","sub":"7","exp":4000000000,"#;

const FOR_MANY: &str = "for many other audiences";

/// Who writes tokens: with the key that counts, or with another one.
pub(super) struct Writer<'k> {
    pub(super) key: &'k SigningKey,
    pub(super) other: &'k SigningKey,
}

impl Writer<'_> {
    pub(super) fn of_size(&self, size: usize) -> OfOneSize {
        let plain = Header::new(self.key).with_type("JWT");
        let taken = fitted(size, |room| self.signed(&plain, &usual(REGISTERED, room)));
        let mut refused = Vec::new();
        let mut add = |what, token: String| {
            assert!(token.len().abs_diff(taken.len()) <= size / 20, "{what}: {} beside {}", token.len(), taken.len());
            refused.push(Refused { what, is_for_many: what == FOR_MANY, token });
        };

        // All is well formed, and a claim is not what it has to be.
        for (what, from, to) in [
            ("expired", "4000000000", "1600000000"),
            ("of another issuer", "issuer.example", "another.exampl"),
            ("for another audience", "my-api", "my-app"),
            ("with an end in letters", "4000000000", "\"40000000\""),
        ] {
            let registered = REGISTERED.replace(from, to);
            add(what, fitted(size, |room| self.signed(&plain, &usual(&registered, room))));
        }
        let early = REGISTERED.replace("\"sub\":\"7\"", "\"nbf\":3999999999");
        add("not valid yet", fitted(size, |room| self.signed(&plain, &usual(&early, room))));
        let many = |room| format!("{{{}\"x\":0}}", REGISTERED.replace("\"my-api\"", &list(room, "\"other\"")));
        add(FOR_MANY, fitted(size, |room| self.signed(&plain, many(room).as_bytes())));
        let ours = |room| many(room).replacen("\"other\"]", "\"my-api\"]", 1);
        let taken_for_many = fitted(size, |room| self.signed(&plain, ours(room).as_bytes()));

        // What the claims are made of costs whoever reads them, and another key has signed. The issuer comes last, behind all that
        // is to be gone through.
        for (what, filling) in FILLINGS {
            let payload = |room: usize| {
                let claims = filling(room.saturating_sub(REGISTERED.len() + 2));
                format!("{{{claims},{}}}", REGISTERED.trim_end_matches(','))
            };
            add(what, fitted(size, |room| self.forged(&plain, payload(room).as_bytes())));
        }

        // It ends in something that is not JSON, or not a claims set.
        for (what, end) in [
            ("with a claim twice, the last", &b",\"sub\":\"7\"}"[..]),
            ("no JSON at its end", b",}"),
            ("no UTF-8 at its end", b",\"\xff\":0}"),
        ] {
            let payload = |room: usize| {
                let mut payload = usual(REGISTERED, room.saturating_sub(end.len()));
                payload.pop();
                payload.extend_from_slice(end);
                payload
            };
            add(what, fitted(size, |room| self.signed(&plain, &payload(room))));
        }

        // The header is not what it has to be.
        let unknown = self.key.clone().with_key_id("unknown").expect("a key id");
        add(
            "of an unknown key",
            fitted(size, |room| {
                jws::sign(&unknown, &Header::new(&unknown), &usual(REGISTERED, room)).expect("a token")
            }),
        );
        add(
            "of another type",
            fitted(size, |room| self.signed(&plain.clone().with_type("dpop+jwt"), &usual(REGISTERED, room))),
        );
        let critical = encode(br#"{"alg":"HS256","kid":"key-5","crit":["x"],"x":0}"#);
        add(
            "with a critical member",
            fitted(size, |room| {
                let input = format!("{critical}.{}", encode(&usual(REGISTERED, room)));
                let signature = self.key.sign(input.as_bytes()).expect("a signature");
                format!("{input}.{}", encode(&signature))
            }),
        );
        let header = |room: usize| {
            let names: String = (0..room / 12).map(|n| format!("\"\\u0061{n:03}\":0,")).take(200).collect();
            encode(format!("{{{names}\"alg\":\"none\"}}").as_bytes())
        };
        add(
            "without a signature, its header full of escapes",
            fitted(size, |room| {
                let header = header(room.min(size / 2) * 3 / 4);
                let room = size.saturating_sub(header.len() + 2) * 3 / 4;
                format!("{header}.{}.", encode(&usual(REGISTERED, room)))
            }),
        );

        // The three parts are not what they have to be.
        let mut last = |what, change: fn(&mut Vec<u8>, usize)| {
            let mut token = taken.clone().into_bytes();
            let signature = token.iter().rposition(|byte| *byte == b'.').expect("three parts");
            change(&mut token, signature);
            add(what, String::from_utf8(token).expect("ASCII"));
        };
        last("with another signature", |token, at| token[at + 1] = if token[at + 1] == b'A' { b'B' } else { b'A' });
        last("no base64url at the end of its claims", |token, at| token[at - 1] = b'*');
        last("no base64url at the end of its signature", |token, _| *token.last_mut().expect("a byte") = b'*');
        last("of four parts", |token, at| token[at - 1] = b'.');
        last("of nothing but dots", |token, _| token.fill(b'.'));
        last("without dots", |token, _| token.iter_mut().filter(|byte| **byte == b'.').for_each(|byte| *byte = b'_'));
        OfOneSize { taken, taken_for_many, refused }
    }

    fn signed(&self, header: &Header, payload: &[u8]) -> String {
        jws::sign(self.key, header, payload).expect("a token")
    }

    fn forged(&self, header: &Header, payload: &[u8]) -> String {
        jws::sign(self.other, header, payload).expect("a token")
    }
}

/// What fills the claims of a token so far, from the length.
type Filling = fn(usize) -> String;

const FILLINGS: [(&str, Filling); 20] = [
    ("forged: names with escapes", |room| members(room, |n| format!("\"\\u0061{n:03}\":0"))),
    ("forged: names of escapes alone", |room| members(room, |n| format!("\"{}\":0", escaped(n)))),
    ("forged: many names", |room| members(room, |n| format!("\"a{n:03}\":0"))),
    ("forged: names that look alike", |room| members(room, |n| format!("\"a{n:03}aa{n:03}a\":0"))),
    ("forged: text with escapes", |room| format!("\"x\":\"{}\"", "\\u0061".repeat(room.saturating_sub(6) / 6))),
    ("forged: many texts with escapes", |room| format!("\"x\":{}", list(room.saturating_sub(4), "\"\\n\""))),
    ("forged: many texts", |room| format!("\"x\":{}", list(room.saturating_sub(4), "\"a\""))),
    ("forged: many scopes", |room| format!("\"scp\":{}", list(room.saturating_sub(6), "\"a\""))),
    ("forged: text that is not ASCII", |room| format!("\"x\":\"{}\"", "ß".repeat(room.saturating_sub(6) / 2))),
    ("forged: many events", |room| {
        format!("\"events\":{{{}}}", members(room.saturating_sub(12), |n| format!("\"a{n:03}\":0")))
    }),
    ("forged: a time of many digits", |room| format!("\"nbf\":{}", "9".repeat(room.saturating_sub(6)))),
    ("forged: a bit of all", |room| {
        let item = r#"{"\n":[[-0.5]]}"#;
        format!("\"x\":{}", list(room.saturating_sub(4), item))
    }),
    ("forged: nested lists", |room| {
        format!("\"x\":{}{}", "[".repeat(room.saturating_sub(4) / 2), "]".repeat(room.saturating_sub(4) / 2))
    }),
    ("forged: nested objects", |room| {
        let depth = room.saturating_sub(5) / 6;
        format!("\"x\":{}0{}", "{\"a\":".repeat(depth), "}".repeat(depth))
    }),
    ("forged: many lists, nested", |room| format!("\"x\":{}", list(room.saturating_sub(4), "[[[[[[[[]]]]]]]]"))),
    ("forged: fractions", |room| format!("\"x\":{}", list(room.saturating_sub(4), "-1.5e-7"))),
    ("forged: a long number", |room| format!("\"x\":{}", "9".repeat(room.saturating_sub(4)))),
    ("forged: words", |room| format!("\"x\":{}", list(room.saturating_sub(4), "true"))),
    ("forged: spaces", |room| format!("\"x\":{}0", " ".repeat(room.saturating_sub(5)))),
    ("forged: numbers between spaces", |room| format!("\"x\":{}", list(room.saturating_sub(4), "0 \n"))),
];

/// A name in which each letter is an escape.
fn escaped(n: usize) -> String {
    format!("{n:03}").bytes().map(|digit| format!("\\u00{digit:02x}")).collect()
}

/// As many members as there is room for, and as may be.
fn members(room: usize, member: impl Fn(usize) -> String) -> String {
    let most = (0..240).map(member);
    let mut text = String::new();
    for member in most.take_while(|member| !member.is_empty()) {
        if text.len() + member.len() + 1 > room {
            break;
        }
        text.push_str(&member);
        text.push(',');
    }
    // What is left is one long text.
    format!("{text}\"x\":\"{}\"", "x".repeat(room.saturating_sub(text.len() + 6)))
}

fn list(room: usize, item: &str) -> String {
    format!("[{}]", vec![item; (room.saturating_sub(2) / (item.len() + 1)).max(1)].join(","))
}

/// Claims with permissions.
fn usual(registered: &str, room: usize) -> Vec<u8> {
    let around = registered.len() + 19;
    let many: Vec<_> =
        (0..room.saturating_sub(around) / 26).map(|n| format!("\"resource-{n:03}:read-write\"")).collect();
    let permissions = many.join(",");
    let left = room.saturating_sub(around + permissions.len());
    format!("{{{registered}\"permissions\":[{permissions}],\"x\":\"{}\"}}", "x".repeat(left.saturating_sub(7)))
        .into_bytes()
}

/// The token for the most room with which it is no longer than `size`.
fn fitted(size: usize, token: impl Fn(usize) -> String) -> String {
    let (mut fits, mut exceeds) = (0, size);
    while exceeds - fits > 1 {
        let middle = fits.midpoint(exceeds);
        if token(middle).len() <= size { fits = middle } else { exceeds = middle }
    }
    token(fits)
}

fn encode(bytes: &[u8]) -> String {
    // A detached JWS is what this crate encodes with.
    let key = SigningKey::from_secret(Algorithm::HS256, [1; 32]).expect("a key");
    let token = jws::sign(&key, &Header::new(&key), bytes).expect("a token");
    token.split('.').nth(1).unwrap_or_default().to_owned()
}

use countersign::{Algorithm, SigningKey, VerifyingKey};

/// Made for this purpose; nobody has the private half.
const RSA: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArTUXEsLeyvzCZC46Ni5i
yq5QSUlpWZiFFL7q6oG0SQGZSCW43RzOCU1TlF/aUdBucqn2nkzb0YxBXPnPmQl2
GusgQvBP2lw0FNHme8g58efUhsaDEfYOg2afyuqGWG4VcE/h8My5UgKRGdzJCBGP
AK+05SDdXA/GENQDOe+7oa7Yj7WrPCAw0Rt8rTHE7zCtGpe8BMoHoZ99nb4CV7il
dEG125DV3RjpPO+xizeOyzZ81oJ5aNZCByZrfPlyZlUycOrufkWxBaDLiHut6bw1
MwqX0oOjxJfHvlrjIlGer5a1yarEQERb248RPlUsZP6syvnUB/CVPIt0w1OJKufB
MQIDAQAB
-----END PUBLIC KEY-----
";

pub(super) fn key(algorithm: Algorithm, id: &str) -> VerifyingKey {
    let key = SigningKey::generate(algorithm).expect("randomness");
    key.verifying_key().clone().with_key_id(id).expect("a key id")
}

fn rsa(algorithm: Algorithm) -> VerifyingKey {
    VerifyingKey::from_pem(algorithm, RSA).expect("a key").with_key_id("r").expect("a key id")
}

/// Two of one algorithm, and two of one id.
pub(super) fn various_keys() -> Vec<VerifyingKey> {
    use Algorithm::{ES256, ES384, EdDSA, RS256};
    vec![key(ES256, "a"), key(ES256, "b"), key(EdDSA, "b"), key(ES384, "d"), rsa(RS256)]
}

/// Published as [`Algorithm::RS256`] among the [`various_keys`].
pub(super) fn same_material_for_another_algorithm() -> VerifyingKey {
    rsa(Algorithm::PS256)
}

/// Ids that a provider meets in the wild, or in an attack: up to 256 octets, without control characters.
pub(super) fn odd_ids() -> impl Iterator<Item = String> {
    let odd = [
        "\"",
        "'",
        "\\",
        "`",
        " ",
        "  ",
        "a b",
        "a\"b",
        "' OR '1'='1",
        "\",\"kid\":\"a",
        "{}",
        "[]",
        "null",
        "0",
        "..",
        "../a",
        "../../etc/passwd",
        "/",
        "a/b",
        "//evil.example",
        "https://evil.example/",
        "?a=b",
        "#a",
        "a:b",
        "%",
        "%00",
        "%0d%0a",
        "%2e%2e%2f",
        "*",
        "a*",
        "$a",
        "${a}",
        "{{a}}",
        "<script>",
        "A=B; c",
        "é",
        "e\u{301}",
        "\u{feff}a",
        "\u{202e}a",
        "𝔞",
        "__proto__",
        "keys",
    ];
    let long = ["a".repeat(256), format!("{}b", "a".repeat(255)), "a".repeat(255), "é".repeat(128)];
    odd.into_iter().map(str::to_owned).chain(long)
}

pub(super) fn odd_keys() -> Vec<VerifyingKey> {
    odd_ids().map(|id| key(Algorithm::ES256, &id)).collect()
}

use serde::Deserialize;
use serde_json::value::RawValue;

/// One line of a file of vectors. Members that say where a case comes from are not read.
#[derive(Debug, Deserialize)]
pub(super) struct Case {
    pub(super) id: String,
    pub(super) level: String,
    #[serde(default)]
    pub(super) token: String,
    /// A JWS in one of the JSON serializations.
    #[serde(default)]
    pub(super) json: Option<String>,
    /// A detached payload, in base64url.
    #[serde(default)]
    pub(super) payload: Option<String>,
    /// The keys given to the verifier, as they stand.
    #[serde(default)]
    pub(super) jwks: Option<Box<RawValue>>,
    /// The keys as text, and its form.
    #[serde(default)]
    pub(super) key_doc: Option<String>,
    #[serde(default)]
    pub(super) key_format: Option<String>,
    #[serde(default)]
    pub(super) options: Options,
    #[serde(default)]
    expect: Option<Expect>,
    #[serde(default)]
    grade: Option<String>,
    /// A document of keys, and its form.
    #[serde(default)]
    pub(super) doc: Option<String>,
    #[serde(default)]
    pub(super) format: Option<String>,
    /// How many keys of the document must be usable.
    #[serde(default)]
    pub(super) keys: Option<usize>,
    /// A key, and its thumbprint.
    #[serde(default)]
    pub(super) jwk: Option<Box<RawValue>>,
    #[serde(default)]
    pub(super) sha256: Option<String>,
}

/// What the verifier is told.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    #[serde(default)]
    pub(super) algs: Vec<String>,
    #[serde(default)]
    pub(super) iss: Option<String>,
    #[serde(default)]
    pub(super) aud: Option<String>,
    #[serde(default)]
    pub(super) now: Option<u64>,
    #[serde(default)]
    pub(super) leeway: Option<u64>,
    #[serde(default)]
    pub(super) required: Vec<String>,
    #[serde(default)]
    pub(super) typ: Option<String>,
    #[serde(default)]
    pub(super) crit: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expect {
    Accept,
    Reject,
    /// Any verdict, but no panic.
    Either,
}

impl Case {
    /// A thumbprint that is given is one that is to be met.
    pub(super) fn expect(&self) -> Expect {
        self.expect.unwrap_or(Expect::Accept)
    }

    /// Whether a token of this algorithm may be accepted. Where a token is merely parsed, any may.
    pub(super) fn allows(&self, algorithm: &str) -> bool {
        self.level == "parse" || self.options.algs.iter().any(|allowed| allowed == algorithm)
    }

    /// Whether an RFC or plain security demands the outcome. Of a key's thumbprint there is one.
    pub(super) fn is_binding(&self) -> bool {
        self.level == "thumbprint" || matches!(self.grade.as_deref(), Some("must" | "strict"))
    }
}

//! The backends that cases can be run under.

use countersign::crypto::{AwsLc, Backend, Ring};
use std::fmt;

/// A backend, and the registered algorithms (RFC 7518, 8037, 8812, 9964) that it has not.
pub(crate) struct Under {
    pub(crate) name: &'static str,
    pub(crate) backend: &'static dyn Backend,
    pub(crate) lacks: &'static [&'static str],
    pub(crate) lacks_curves: &'static [&'static str],
}

/// The first is the one of who names none.
pub(crate) const BACKENDS: [Under; 2] = [
    Under {
        name: "ring",
        backend: &Ring,
        lacks: &["ES512", "ES256K", "Ed448", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"],
        lacks_curves: &["P-521", "secp256k1", "Ed448"],
    },
    Under { name: "aws-lc", backend: &AwsLc, lacks: &["Ed448"], lacks_curves: &["Ed448"] },
];

impl fmt::Debug for Under {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

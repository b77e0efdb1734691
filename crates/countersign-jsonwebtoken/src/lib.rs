//! A bridge between `countersign` and [`jsonwebtoken`] 11, for who moves from one to the other, or has both.
//!
//! - **Conversions**, both ways: [`ToCountersign`] and [`ToJsonwebtoken`] where nothing is lost, functions with a name
//!   elsewhere. What one side cannot hold is a [`ConversionError`].
//! - **A backend** on jsonwebtoken's crypto providers: `ProviderBackend`. With the feature `rust_crypto` it takes neither a C
//!   compiler nor assembler.
//! - **ring for users of jsonwebtoken**: `RING`, a crypto provider for `CryptoProvider::install_default`.
//!
//! `docs/MIGRATING_FROM_JSONWEBTOKEN.md` says call by call how to move.
//!
//! # What can be converted
//!
//! | jsonwebtoken | | countersign |
//! |---|---|---|
//! | `Algorithm` | ⇄ | [`Algorithm`](countersign::Algorithm); ES512, ES256K, ML-DSA and the name `Ed25519` only exist here |
//! | `jwk::Jwk` | ⇄ | [`Jwk`](countersign::jwk::Jwk), public keys alone. Certificates are held there only: [`jwk_without_certificates`] |
//! | `jwk::JwkSet` | ⇄ | [`JwkSet`](countersign::jwk::JwkSet), bad keys set aside; [`jwk_set_without_certificates`] |
//! | `Header` | → | with the key that it is for: [`header_for`] |
//! | `Header` | ← | [`jws::Header`](countersign::jws::Header) |
//! | `DecodingKey` | → | [`VerifyingKey`](countersign::VerifyingKey), where the caller names the algorithm: [`verifying_key`] |
//! | `DecodingKey` | ← | a public `VerifyingKey`, as [`Decoding`], which keeps its algorithm and its `kid`; no secret, no custom key |
//! | `EncodingKey` | → | [`SigningKey`](countersign::SigningKey), where the caller names the algorithm: [`signing_key`] |
//! | `EncodingKey` | ← | an asymmetric `SigningKey`, as [`Encoding`]; a secret is not given out again |
//!
//! jsonwebtoken gives out the octets of both kinds of key (`EncodingKey::as_bytes`, `DecodingKey::kind`), so that none of them
//! is out of reach. Keys have a family there and one algorithm here, which is why the caller names it.
//!
//! What is refused here is refused on the way, too: short secrets, secrets that are the text of a key, small RSA keys, points
//! off their curve or of small order, private keys where public ones belong. jsonwebtoken reads the public half of a private
//! JWK and forgets the rest; that has happened before this crate sees the key.
//!
//! ```
//! use countersign::Algorithm;
//! use countersign_jsonwebtoken::{ToCountersign, ToJsonwebtoken};
//!
//! let algorithm = jsonwebtoken::Algorithm::ES256.to_countersign()?;
//! assert_eq!(algorithm, Algorithm::ES256);
//! assert!(Algorithm::ES512.to_jsonwebtoken().is_err(), "there is none in jsonwebtoken");
//! # Ok::<(), countersign_jsonwebtoken::ConversionError>(())
//! ```
//!
//! # Features
//!
//! None is on by default, and they add up. `rust_crypto` and `aws_lc_rs` turn on jsonwebtoken's features of those names, and
//! the backend; `backend` the backend alone, for a provider of the caller's own; `ring` the provider `RING`.
//! Where jsonwebtoken has both of its own providers, it wants one to be installed before it verifies or signs itself. The
//! backend asks for no installation: it is given its provider.

#[cfg(feature = "backend")]
mod backend;
mod convert;
mod error;
mod header;
mod key;
#[cfg(feature = "ring")]
mod ring;

#[cfg(feature = "backend")]
pub use backend::ProviderBackend;
pub use convert::{ToCountersign, ToJsonwebtoken, jwk_set_without_certificates, jwk_without_certificates};
pub use error::ConversionError;
pub use header::header_for;
pub use key::{Decoding, Encoding, signing_key, signing_key_with, verifying_key, verifying_key_with};
#[cfg(feature = "ring")]
pub use ring::RING;

#[cfg(all(doctest, feature = "aws_lc_rs", feature = "ring"))]
#[doc = include_str!("../../../docs/MIGRATING_FROM_JSONWEBTOKEN.md")]
mod migrating {}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

use crate::convert::{ToCountersign, ToJsonwebtoken, jwk_without_certificates};
use crate::error::ConversionError;
use countersign::SigningKey;
use countersign::jws::Header;
use jsonwebtoken as theirs;
use serde::Serialize;
use serde_json::{Map, Value};

const UNREADABLE: ConversionError = ConversionError::NoCounterpart("the header cannot be written as JSON");

/// jsonwebtoken's header as a header for `key`, every member of it.
///
/// # Errors
/// [`ConversionError::Misfit`] where `alg` is not the key's or `kid` another one than the key's; where `crit` lists what no
/// header may ([`Header::with_critical`]), or what is not there. [`ConversionError::Key`] for a `jwk` that is no public key:
/// headers are for everybody to read.
///
/// ```
/// use countersign::{Algorithm, SigningKey};
/// use countersign_jsonwebtoken::header_for;
///
/// # #[cfg(feature = "ring")] {
/// let key = SigningKey::from_secret(Algorithm::HS256, [7; 32])?;
/// let header = header_for(&key, &jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256))?;
/// assert_eq!(header.token_type(), Some("JWT"));
/// assert!(header_for(&key, &jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS512)).is_err());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn header_for(key: &SigningKey, header: &theirs::Header) -> Result<Header, ConversionError> {
    if header.alg.to_countersign()? != key.algorithm() {
        return Err(ConversionError::Misfit("`alg` is not the key's"));
    }
    if let Some(jwk) = &header.jwk {
        jwk_without_certificates(jwk)?;
    }
    let mut members = members(header)?;
    let before = members.clone();
    let mut ours = Header::new(key);
    match (&header.kid, key.key_id()) {
        (None, _) => ours = ours.without_key_id(),
        (Some(kid), Some(own)) if kid == own => {}
        (Some(_), _) => return Err(ConversionError::Misfit("`kid` is not the key's")),
    }
    for taken in ["alg", "kid", "typ", "cty", "crit"] {
        members.remove(taken);
    }
    if let Some(token_type) = &header.typ {
        ours = ours.with_type(token_type);
    }
    if let Some(content_type) = &header.cty {
        ours = ours.with_content_type(content_type);
    }
    if header.crit.as_ref().is_some_and(Vec::is_empty) {
        return Err(ConversionError::Misfit("`crit` is empty"));
    }
    for name in header.crit.iter().flatten() {
        let value = members.remove(name).ok_or(ConversionError::Misfit("`crit` lists what is not there"))?;
        ours = ours.with_critical(name, value).map_err(|_| ConversionError::Misfit("`crit` lists what it may not"))?;
    }
    for (name, value) in members {
        ours = ours.with(name, value).map_err(|_| ConversionError::Misfit("a member that is written otherwise"))?;
    }
    if self::members(&ours)? == before { Ok(ours) } else { Err(ConversionError::Loss("a member of the header")) }
}

/// Of a header that is not verified its `alg`, `typ`, `cty` and `kid`: it gives no more.
impl ToJsonwebtoken for Header {
    type Counterpart = theirs::Header;

    fn to_jsonwebtoken(&self) -> Result<theirs::Header, ConversionError> {
        self.algorithm().to_jsonwebtoken()?;
        let ours = members(self)?;
        let header: theirs::Header = serde_json::from_value(Value::Object(ours.clone()))
            .map_err(|_| ConversionError::NoCounterpart("a member that has another type there"))?;
        if members(&header)? == ours { Ok(header) } else { Err(ConversionError::Loss("a member of the header")) }
    }
}

fn members(header: &impl Serialize) -> Result<Map<String, Value>, ConversionError> {
    match serde_json::to_value(header) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(UNREADABLE),
    }
}

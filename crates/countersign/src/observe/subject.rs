use crate::crypto::default_backend;
use std::fmt;

/// Who a decision was about, for those who may not be named in a log.
///
/// `Debug` shows nothing of it.
///
/// ```
/// use countersign::observe::{Event, Subject};
///
/// /// A log that knows its own people by a hash, and nobody by name.
/// fn line(event: &Event<'_>) -> Option<String> {
///     match event {
///         Event::Decision { decision, subject, .. } => Some(format!("{decision:?} {}", subject.hash()?)),
///         _ => None,
///     }
/// }
/// assert_eq!(format!("{:?}", Subject::new(Some("https://issuer.example/"), Some("ada"))), "Subject");
/// ```
#[derive(Clone, Copy)]
pub struct Subject<'e> {
    issuer: Option<&'e str>,
    subject: Option<&'e str>,
}

impl<'e> Subject<'e> {
    /// The subject of this name, unique within this issuer.
    #[must_use]
    pub fn new(issuer: Option<&'e str>, subject: Option<&'e str>) -> Self {
        Self { issuer, subject }
    }

    /// SHA-256 over issuer and subject, each with its length before it, in hexadecimal digits. `None` where there is no
    /// subject, or no backend to hash with (feature `ring`). Computed when it is asked for.
    ///
    /// The same subject has the same hash everywhere, so that lines can be joined. It hides a subject from who reads, not
    /// from who tries subjects that may be: it has no key.
    ///
    /// ```
    /// use countersign::observe::Subject;
    ///
    /// let hash = |issuer, subject| Subject::new(Some(issuer), Some(subject)).hash();
    /// assert_eq!(hash("a", "7").map(|hash| hash.len()), Some(64));
    /// assert_ne!(hash("a", "7"), hash("b", "7"));
    /// assert_ne!(hash("a", "bc"), hash("ab", "c"));
    /// ```
    #[must_use]
    pub fn hash(&self) -> Option<String> {
        let (issuer, subject) = (self.issuer.unwrap_or_default(), self.subject?);
        let lengths = [issuer, subject].map(|text| (text.len() as u64).to_be_bytes());
        let [issuer_length, subject_length] = &lengths;
        let parts = [issuer_length.as_slice(), issuer.as_bytes(), subject_length.as_slice(), subject.as_bytes()];
        let digest = default_backend().ok()?.sha256(&parts);
        Some(digest.iter().map(|octet| format!("{octet:02x}")).collect())
    }
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject")
    }
}

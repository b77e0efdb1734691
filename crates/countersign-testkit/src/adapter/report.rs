use crate::client::Answer;

/// The header fields in which adapters must agree.
const COMPARED: [&str; 4] = ["www-authenticate", "content-type", "cache-control", "retry-after"];

/// How one framework answered an [`AdapterTable`](super::AdapterTable).
///
/// ```
/// use countersign_testkit::adapter::Report;
///
/// /// Both in order, and the same in every header field that they share.
/// fn compare(axum: &Report, mine: &Report) {
///     axum.assert_right();
///     mine.assert_right();
///     assert!(mine.asked() > 0 && mine.differences_from(axum).is_empty());
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Report {
    framework: String,
    pub(super) answers: Vec<Answered>,
    pub(super) differences: Vec<String>,
    pub(super) left_out: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Answered {
    pub(super) id: String,
    pub(super) answer: Answer,
    /// Whether the adapter gave it, and not the framework or its parser.
    pub(super) is_adapters: bool,
}

impl Report {
    pub(super) fn new(framework: &str) -> Self {
        Self { framework: framework.to_owned(), answers: Vec::new(), differences: Vec::new(), left_out: Vec::new() }
    }

    /// The name under which the framework was asked.
    #[must_use]
    pub fn framework(&self) -> &str {
        &self.framework
    }

    /// How many cases were asked.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.answers.len()
    }

    /// The cases that were not asked: they are for other frameworks, in a world for which there was no server, or over HTTP/2
    /// without the feature `http2`.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// What is not as the table has it: the case, and what was seen instead.
    #[must_use]
    pub fn differences(&self) -> &[String] {
        &self.differences
    }

    /// Fails the test where anything is not as the table has it.
    ///
    /// # Panics
    /// With all [differences](Self::differences), where there are any; and where nothing was asked.
    #[track_caller]
    pub fn assert_right(&self) {
        let Self { framework, differences, .. } = self;
        assert!(self.asked() > 0, "nothing was asked of {framework}");
        assert!(
            differences.is_empty(),
            "{} of {} cases are wrong in {framework}:\n{}",
            differences.len(),
            self.asked(),
            differences.join("\n")
        );
    }

    /// Where two frameworks answered the same case differently, in what the table leaves open too: fields and bodies.
    #[must_use]
    pub fn differences_from(&self, other: &Self) -> Vec<String> {
        let compared = |answer: &Answer| (answer.status, COMPARED.map(|name| answer.header(name)), answer.body.clone());
        let pairs = self.answers.iter().filter_map(|own| {
            let other = other.answers.iter().find(|other| other.id == own.id)?;
            (own.is_adapters && other.is_adapters).then(|| (own, compared(&own.answer), compared(&other.answer)))
        });
        let differing = pairs.filter(|(_, own, other)| own != other);
        differing
            .map(|(case, own, theirs)| {
                format!("{}: {} {own:?}, {} {theirs:?}", case.id, self.framework, other.framework)
            })
            .collect()
    }
}

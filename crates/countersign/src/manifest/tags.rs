use super::{Access, PathTemplate};
use crate::authorize::Requirement;
use crate::config::ConfigError;
use crate::guard::Guard;
use std::cell::Cell;

/// What becomes of a route that a [`TagPolicy`] judges and that has no tags. Exhaustive on purpose: code that forgets a case
/// must not compile.
///
/// ```
/// use countersign::manifest::{Declarations, TagPolicy, Untagged};
/// # use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
/// # let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("i").audience("a");
/// # let guard = Guard::builder(verifier.build()?).build()?;
///
/// let built = |untagged| {
///     Declarations::new(&guard).tags(TagPolicy::new(untagged)).untagged("GET", "/posts", "the handler").build()
/// };
/// assert!(built(Untagged::Pass).is_ok());
/// assert!(built(Untagged::Refuse).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untagged {
    /// It is public. Whoever forgets the tags of a route opens it.
    Pass,
    /// The router is not built, and the error names the route.
    Refuse,
}

/// What routes require by their tags.
///
/// A route with several tags has the requirements of all of them. A tag that the policy does not know is an error when the
/// router is built. The policy judges the routes that are declared with tags or as untagged, and no other.
///
/// ```
/// use countersign::authorize::{permissions, role};
/// use countersign::manifest::{TagPolicy, Untagged};
///
/// let policy = TagPolicy::new(Untagged::Refuse)
///     .tag("posts", permissions(["posts:read"]))
///     .tag("admin", role("admin"))
///     .ignore("/docs/*");
/// # let _ = policy;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TagPolicy {
    untagged: Untagged,
    tags: Vec<(String, Requirement)>,
    ignored: Vec<String>,
}

impl TagPolicy {
    /// A policy that knows no tag yet. There is no default for routes without tags.
    pub fn new(untagged: Untagged) -> Self {
        Self { untagged, tags: Vec::new(), ignored: Vec::new() }
    }

    /// What the routes with this tag require.
    pub fn tag(mut self, tag: impl Into<String>, requirement: Requirement) -> Self {
        self.tags.push((tag.into(), requirement));
        self
    }

    /// Makes routes public whatever their tags: the one with this path, or, where it ends with `/*`, all that begin like
    /// this and go on.
    ///
    /// It is held against the paths of routes as they are declared in this policy's table, not against requests: `/docs/*` is
    /// `/docs/a` and `/docs/{page}`, and neither `/docs` nor `/{*rest}`. A pattern that no route has is an error, and so
    /// is `/*`.
    pub fn ignore(mut self, pattern: impl Into<String>) -> Self {
        self.ignored.push(pattern.into());
        self
    }
}

/// A policy in its place: below a prefix, before a guard.
pub(super) struct Rules {
    untagged: Untagged,
    tags: Vec<(String, Requirement)>,
    ignored: Vec<Ignored>,
}

struct Ignored {
    text: String,
    path: PathTemplate,
    is_open: bool,
    is_used: Cell<bool>,
}

impl Ignored {
    fn parse(text: String, prefix: Option<&PathTemplate>) -> Result<Self, ConfigError> {
        let wrong = |error: &dyn std::fmt::Display| ConfigError::new("ignore", error.to_string());
        let (path, is_open) = match text.strip_suffix("/*") {
            Some("") => return Err(wrong(&"`/*` would make every route public")),
            Some(path) => (path, true),
            None => (text.as_str(), false),
        };
        let path = PathTemplate::parse(path).and_then(|path| path.below(prefix)).map_err(|error| wrong(&error))?;
        Ok(Self { text, path, is_open, is_used: Cell::new(false) })
    }

    fn covers(&self, route: &PathTemplate) -> bool {
        let (own, route) = (self.path.shape(), route.shape());
        if self.is_open { route.len() > own.len() && route.starts_with(&own) } else { route == own }
    }
}

impl Rules {
    pub(super) fn new(policy: TagPolicy, guard: &Guard, prefix: Option<&PathTemplate>) -> Result<Self, ConfigError> {
        let TagPolicy { untagged, tags, ignored } = policy;
        for (nth, (tag, requirement)) in tags.iter().enumerate() {
            let wrong = |problem: String| ConfigError::new("tag", format!("`{}`: {problem}", tag.escape_debug()));
            if tag.is_empty() || tags.iter().take(nth).any(|(earlier, _)| earlier == tag) {
                return Err(wrong("a tag has a name, and stands once".into()));
            }
            guard.check(requirement.clone()).map_err(|error| wrong(error.to_string()))?;
        }
        let ignored = ignored.into_iter().map(|text| Ignored::parse(text, prefix)).collect::<Result<_, _>>()?;
        Ok(Self { untagged, tags, ignored })
    }

    /// What a route requires. `tags` are sorted, each once.
    pub(super) fn access(&self, path: &PathTemplate, tags: &[String]) -> Result<Access, String> {
        let mut requirements = Vec::new();
        for tag in tags {
            match self.tags.iter().find(|(known, _)| known == tag) {
                Some((_, requirement)) => requirements.push(requirement.clone()),
                None => return Err(format!("the policy knows no tag `{}`", tag.escape_debug())),
            }
        }
        let covering: Vec<_> = self.ignored.iter().filter(|pattern| pattern.covers(path)).collect();
        covering.iter().for_each(|pattern| pattern.is_used.set(true));
        if !covering.is_empty() {
            return Ok(Access::Public);
        }
        match (requirements.len(), requirements.pop(), self.untagged) {
            (0, _, Untagged::Pass) => Ok(Access::Public),
            (1, Some(only), _) => Ok(Access::Requires(only)),
            (_, Some(last), _) => {
                requirements.push(last);
                Ok(Access::Requires(Requirement::AllOf(requirements)))
            }
            (_, None, _) => Err("no tags, and the policy refuses routes without".into()),
        }
    }

    /// Refuses patterns that cover nothing: they would open whatever route comes to have such a path.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        match self.ignored.iter().find(|ignored| !ignored.is_used.get()) {
            Some(unused) => {
                Err(ConfigError::new("ignore", format!("`{}` covers no tagged route", unused.text.escape_debug())))
            }
            None => Ok(()),
        }
    }
}

//! The table of requests and answers that every adapter of a framework is held to: [`AdapterTable`].
//!
//! The adapters for axum, actix-web and warp answer it alike. Whoever writes a fourth one mounts the routes below in the new
//! framework, starts a server for each [`World`], and reads in the [`Report`] where it differs.
//!
//! # The routes
//!
//! Each answers GET, HEAD and nothing else unless it says so. The guard of the world stands before all of them.
//!
//! | path | who may | answers 200 with |
//! |---|---|---|
//! | `/public` | anybody, with a bad token too | `public` |
//! | `/me`, also for POST and OPTIONS | a valid token | its claims as [`AnyClaims`], as JSON |
//! | `/optional` | a valid token, or none | the claims as JSON, or `null` |
//! | `/nickname` | a valid token whose claims fit [`Nicknamed`] | those, as JSON |
//! | `/optional-nickname` | the same, or no token | those, or `null` |
//! | `/subject` | a valid token | `sub` as JSON: a text, or `null` |
//! | `/sent` | a valid token | the `Authorization` field that sends it on: `SentToken::authorization` |
//! | `/sent-if-any` | a valid token, or none | how many octets that field has, or `0` |
//! | `/read` | permission `posts:read` | `read` |
//! | `/admin` | role `admin` | `admin` |
//! | `/scoped` | scopes `a` and `c` | `scoped` |
//! | `/unjudged` | what [`Unheard`] requires, which the guard learns of when the request comes: 500 | |
//! | `/protected/page`, in a router of its own | a valid token | `page` |
//! | what the guard's protected resource says | anybody | its metadata (RFC 9728) |
//!
//! In the world `unguarded` there is no guard: `/me` alone is asked for, and its handler wants claims. Where the framework makes
//! that impossible, [`run`](AdapterTable::run) is given no address for it.
//!
//! ```no_run
//! use countersign_testkit::adapter::{AdapterTable, World};
//! use std::net::SocketAddr;
//!
//! /// The routes above, behind the guard of the world, on a free port.
//! async fn start(world: World) -> Option<SocketAddr> {
//!     let guard = world.guard()?.clone(); // nothing is served without one
//! #   let _ = guard;
//!     // …
//! #   None
//! }
//!
//! # async fn example() {
//! AdapterTable::new().run("my-framework", start).await.assert_right();
//! # }
//! ```

mod case;
mod catalog;
mod report;
#[cfg(test)]
mod tests;
mod worlds;

pub use case::Case;
pub use report::Report;
pub use worlds::{OWN_CHECK, Worlds};

use countersign::Guard;
use countersign::authorize::{Requirement, Requires, role};
use countersign::observe::{Event, Observer};
use report::Answered;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The reason of a denial that no guard has told.
const UNGUARDED: &str = "unguarded";

/// Claims as they come.
///
/// ```
/// use countersign_testkit::adapter::AnyClaims;
/// use countersign_testkit::issuer::TestIssuer;
///
/// let issuer = TestIssuer::new();
/// # let credential = issuer.token("ada");
/// # let credential = countersign::request::Credential::new("Bearer", &credential);
/// # let verdict = countersign::verify::TokenVerifier::verify_now(&issuer.verifier(), &credential);
/// # let token = verdict.ok_or("waits")??;
/// let claims: AnyClaims = token.claims()?; // what `/me` answers with, as JSON
/// assert_eq!(claims["sub"], "ada");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type AnyClaims = BTreeMap<String, Value>;

/// Claims that the tokens of the table lack.
///
/// ```
/// use countersign_testkit::adapter::Nicknamed;
///
/// let fits: Nicknamed = serde_json::from_str(r#"{"nickname":"countess"}"#)?;
/// assert_eq!(serde_json::to_string(&fits)?, r#"{"nickname":"countess"}"#); // what `/nickname` answers with
/// assert!(serde_json::from_str::<Nicknamed>(r#"{"sub":"ada"}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Nicknamed {
    /// A claim of an application's own.
    pub nickname: String,
}

/// Requires what no catalog has.
///
/// ```
/// use countersign::authorize::Requires;
/// use countersign_testkit::adapter::{Unheard, Worlds};
///
/// let guard = Worlds::new().guard("default");
/// assert!(guard.check(Unheard::requirement()).is_err(), "so that `/unjudged` answers 500");
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Unheard;

impl Requires for Unheard {
    fn requirement() -> Requirement {
        role("nobody has heard of it")
    }
}

/// One way to set a guard up, for which a server is started.
///
/// ```
/// use countersign_testkit::adapter::{AdapterTable, World};
/// use std::net::SocketAddr;
///
/// /// Starts nothing: the one world without a guard is that of this name.
/// async fn start(world: World) -> Option<SocketAddr> {
///     assert_eq!(world.guard().is_none(), world.name() == "unguarded");
///     None
/// }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// AdapterTable::new().run("my-framework", start).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct World {
    name: String,
    guard: Option<Guard>,
}

impl World {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The guard; `None` where there is to be none.
    #[must_use]
    pub fn guard(&self) -> Option<&Guard> {
        self.guard.as_ref()
    }
}

/// Requests, and the answers that every adapter gives to them: status, challenge, `Retry-After`, `Cache-Control` and body, and
/// what the guard tells its observer. See [the module](self) for the routes.
///
/// Without the feature `http2` the cases that are asked over HTTP/2 are left out.
///
/// ```
/// use countersign_testkit::adapter::AdapterTable;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let table = AdapterTable::new();
/// // A framework that starts no servers is asked nothing.
/// let report = table.run("my-framework", async |_| None).await;
/// assert_eq!((report.asked(), report.left_out().len()), (0, table.cases().len()));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct AdapterTable {
    cases: Vec<Case>,
    worlds: Worlds,
}

impl Default for AdapterTable {
    fn default() -> Self {
        Self::new()
    }
}

impl AdapterTable {
    /// The table.
    ///
    /// # Panics
    /// Never: its lines can be read.
    #[must_use]
    pub fn new() -> Self {
        Self::with_worlds(Worlds::new())
    }

    /// The table, in worlds with another [authorizer](Worlds::authorizer).
    ///
    /// # Panics
    /// Never: its lines can be read.
    #[must_use]
    pub fn with_worlds(worlds: Worlds) -> Self {
        Self { cases: case::cases(), worlds }
    }

    /// The cases.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Asks the servers of one framework, one case after the other. `start` makes a server for a world on a port of this
    /// machine, or says that there can be none. Cases that are for one framework alone are asked of the one that has that name.
    ///
    /// # Panics
    /// Where nobody listens at an address, or what comes is no HTTP.
    pub async fn run(&self, framework: &str, start: impl AsyncFn(World) -> Option<SocketAddr>) -> Report {
        let told = Told::default();
        let mut servers = HashMap::new();
        let mut report = Report::new(framework);
        for case in &self.cases {
            if !servers.contains_key(&case.world) {
                let guard = (case.world != UNGUARDED).then(|| self.worlds.guard_told(&case.world, told.clone()));
                let server = start(World { name: case.world.clone(), guard }).await;
                servers.insert(case.world.clone(), server);
            }
            let is_meant = case.framework.as_deref().is_none_or(|only| only == framework);
            let can_be_asked = is_meant && (cfg!(feature = "http2") || !case.h2);
            match servers.get(&case.world).copied().flatten().filter(|_| can_be_asked) {
                Some(server) => self.ask(case, server, &told, &mut report).await,
                None => report.left_out.push(case.id.clone()),
            }
        }
        report
    }

    async fn ask(&self, case: &Case, server: SocketAddr, told: &Told, report: &mut Report) {
        let mut all = case.ask(server, &self.worlds).await;
        let answer = all.pop().unwrap_or_default();
        let is_parsers = case.is_parsers(&answer);
        let mut found = if is_parsers { Vec::new() } else { case.judge(&answer, &self.worlds) };
        let before: Vec<_> = all.iter().map(|answer| answer.status).collect();
        if before != case.before {
            found.push(format!("after {before:?}, not {:?}", case.before));
        }
        // Each denial is told once. Where there is no guard, nobody tells.
        let reason = case.reason.as_ref().filter(|reason| !is_parsers && *reason != UNGUARDED);
        let (told, denials) = (told.take(), before.iter().filter(|status| **status >= 400).count());
        if told.get(denials..) != Some(reason.cloned().as_slice()) {
            found.push(format!("the guard told {told:?}, not {reason:?}"));
        }
        report.differences.extend(found.into_iter().map(|found| format!("{}: {found}", case.id)));
        // 404 and 405 are the frameworks' own.
        let is_adapters = !is_parsers && !matches!(case.status, 404 | 405);
        report.answers.push(Answered { id: case.id.clone(), answer, is_adapters });
    }
}

/// The names of the reasons that a guard has told.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Told {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Refused { reason, .. } = event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(reason.name().to_owned());
        }
    }
}

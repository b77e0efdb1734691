//! A guard whose clock, revocations, roles and doubts are in the test's hands, and a server behind it.

use super::{proofs, servers};
use countersign::authorize::permissions;
use countersign::extract::{HeaderExtractor, SubprotocolExtractor};
use countersign::jwk::Thumbprint;
use countersign::observe::{Event, Observer};
use countersign::request::Credential;
use countersign::revocation::{Changes, Distrusting, MemoryDenylist, RevocationCheck, RevocationLog, TokenStatus};
use countersign::screening::{GuardBuilder, Tenure};
use countersign::verify::{TokenVerifier, VerifyError};
use countersign::{Algorithm, Guard, JwtVerifier, VerifiedToken, async_trait};
use countersign_rbac::{Catalog, LiveCatalog, RbacAuthorizer};
use countersign_testkit::clock::FakeClock;
use countersign_testkit::issuer::TestIssuer;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::watch;

pub(super) const FRAMEWORKS: [&str; 3] = ["axum", "actix-web", "warp"];
pub(super) const NOW: u64 = 1_800_000_000;
pub(super) const LIFETIME: Duration = Duration::from_secs(600);

pub(super) struct World {
    pub(super) clock: FakeClock,
    pub(super) doubt: Doubt,
    pub(super) address: SocketAddr,
    catalog: LiveCatalog,
    issuer: TestIssuer,
    ends: Ends,
    looks: Arc<AtomicUsize>,
    stage: Stage,
}

/// Counts how often a tenure has looked at the key of its token.
#[derive(Debug)]
struct Looked(JwtVerifier, Arc<AtomicUsize>);

#[async_trait]
impl TokenVerifier for Looked {
    async fn verify(&self, credential: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        self.0.verify(credential).await
    }
    async fn recheck(&self, token: &VerifiedToken) -> Result<(), VerifyError> {
        let answer = self.0.recheck(token).await;
        self.1.fetch_add(1, Ordering::SeqCst);
        answer
    }
    fn changes(&self) -> Option<Changes> {
        self.0.changes()
    }
}

/// Says that nobody can tell, when it is told to; else what the list says.
#[derive(Clone, Debug)]
pub(super) struct Doubt(Arc<AtomicBool>, Arc<MemoryDenylist>);

impl Doubt {
    pub(super) fn set(&self, is_in_doubt: bool) {
        self.0.store(is_in_doubt, Ordering::SeqCst);
    }
}

#[async_trait]
impl RevocationCheck for Doubt {
    async fn status(&self, token: &VerifiedToken) -> TokenStatus {
        if self.0.load(Ordering::SeqCst) { TokenStatus::Unknown } else { self.1.status(token).await }
    }
}

/// Counts the ends that are told.
#[derive(Clone, Debug, Default)]
struct Ends(Arc<AtomicUsize>);

impl Observer for Ends {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Ended { .. } = event {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// What handlers share with the test.
#[derive(Clone, Debug, Default)]
pub(super) struct Stage {
    handlers: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
    released: watch::Sender<bool>,
    tenures: Arc<Mutex<Vec<Tenure>>>,
}

/// A handler that runs. It is counted until it is dropped.
pub(super) struct Running(Stage);

impl Stage {
    pub(super) fn enter(&self, tenure: &Tenure) -> Running {
        self.handlers.fetch_add(1, Ordering::SeqCst);
        self.tenures.lock().expect("lock").push(tenure.clone());
        Running(self.clone())
    }
}

impl Running {
    pub(super) async fn released(&self) {
        self.0.released.subscribe().wait_for(|released| *released).await.expect("the stage holds the sender");
    }

    pub(super) fn count_sent(&self) {
        self.0.sent.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.handlers.fetch_sub(1, Ordering::SeqCst);
    }
}

fn catalog(permissions: &[&str]) -> Catalog {
    let builder = Catalog::builder().role("member", permissions.iter().copied()).permission("chat:join");
    builder.build().expect("a catalog")
}

impl World {
    /// With revocations that are found by looking.
    pub(super) fn start(framework: &str) -> Self {
        let clock = FakeClock::at(NOW);
        let issuer = TestIssuer::builder().algorithm(Algorithm::HS256).clock(clock.clone()).lifetime(LIFETIME).build();
        let doubt = Doubt(Arc::default(), Arc::new(MemoryDenylist::with_clock(clock.clone())));
        let builder = Guard::builder(issuer.verifier()).revocation(doubt.clone());
        Self::open(framework, clock, doubt, issuer, builder, Arc::default())
    }

    /// With revocations and keys as this log has them.
    pub(super) fn start_with_log(framework: &str, clock: FakeClock, log: &Arc<RevocationLog>) -> Self {
        let issuer = TestIssuer::builder().algorithm(Algorithm::ES256).clock(clock.clone()).lifetime(LIFETIME).build();
        let verifier = JwtVerifier::builder(Distrusting::new(issuer.keys(), log.clone()));
        let verifier = verifier.issuer(issuer.issuer()).audience(issuer.audience()).clock(clock.clone());
        let looks = Arc::default();
        let verifier = Looked(verifier.build().expect("a verifier"), Arc::clone(&looks));
        let builder = Guard::builder(verifier).revocation(log.clone());
        Self::open(framework, clock, Doubt(Arc::default(), Arc::default()), issuer, builder, looks)
    }

    fn open(
        framework: &str,
        clock: FakeClock,
        doubt: Doubt,
        issuer: TestIssuer,
        builder: GuardBuilder,
        looks: Arc<AtomicUsize>,
    ) -> Self {
        let catalog = LiveCatalog::new(catalog(&["chat:join"]));
        let ends = Ends::default();
        let subprotocol = SubprotocolExtractor::new("countersign.bearer").expect("a prefix");
        let builder = builder.authorizer(RbacAuthorizer::new(catalog.clone()));
        let builder = builder.extractor(HeaderExtractor::bearer()).extractor(subprotocol);
        let builder = builder.observer(ends.clone()).clock(clock.clone());
        let guard = builder.build().expect("a guard");
        let stage = Stage::default();
        let requirement = || permissions(["chat:join"]);
        let address = match framework {
            "axum" => servers::axum_server(&guard, requirement(), &stage),
            "actix-web" => servers::actix_server(&guard, requirement(), &stage),
            "warp" => servers::warp_server(&guard, requirement(), &stage),
            "warp, proofs" => proofs::server(&guard, &stage),
            other => panic!("no framework is called {other}"),
        };
        Self { clock, doubt, address, catalog, issuer, ends, looks, stage }
    }

    /// A token of a member for ten minutes, with these claims instead of its own.
    pub(super) fn token(&self, claims: &Value) -> String {
        let token = self.issuer.subject("somebody").role("member").token_id("t1");
        let token = token.claim("iat", NOW - 60).claim("exp", NOW + LIFETIME.as_secs());
        let claims = claims.as_object().expect("claims");
        claims.iter().fold(token, |token, (name, value)| token.claim(name, value)).sign()
    }

    pub(super) fn issuer(&self) -> &str {
        self.issuer.issuer()
    }

    /// Of the key that it signs with.
    pub(super) fn thumbprint(&self) -> Thumbprint {
        self.issuer.signing_key().verifying_key().thumbprint().expect("a public key")
    }

    pub(super) fn revoke(&self, token_id: &str) {
        self.doubt.1.revoke_token(self.issuer.issuer(), token_id, UNIX_EPOCH + Duration::from_secs(NOW + 9_999));
    }

    /// Whatever was signed so far is signed with a key that nobody publishes.
    pub(super) fn withdraw_key(&self) {
        self.issuer.rotate();
        self.issuer.withdraw_old_keys();
    }

    /// Nobody can tell which keys are published.
    pub(super) fn lose_keys(&self) {
        self.issuer.go_down();
    }

    /// Members may not join any longer.
    pub(super) fn take_role(&self) {
        self.catalog.replace(catalog(&[]));
    }

    /// How many handlers run.
    pub(super) fn handlers(&self) -> usize {
        self.stage.handlers.load(Ordering::SeqCst)
    }

    /// Lets handlers go that wait for nothing else.
    pub(super) fn release(&self) {
        self.stage.released.send_replace(true);
    }

    /// Until the one handler, which only sends, cannot: nothing is sent, however often one looks, and the kernel has octets
    /// that the peer has not taken.
    pub(super) async fn stuck(&self) {
        let mut last = (0, 0);
        until("the handler cannot send any more", || {
            let sent = self.stage.sent.load(Ordering::SeqCst);
            last = if sent == last.0 { (sent, last.1 + 1) } else { (sent, 0) };
            let is_unsent = || sockets(self.address.port()).iter().any(|socket| socket.is_held && socket.unsent > 0);
            sent > 0 && last.1 > 1_000 && is_unsent()
        })
        .await;
    }

    pub(super) fn tenures(&self) -> Vec<Tenure> {
        self.stage.tenures.lock().expect("lock").clone()
    }

    pub(super) fn told_ends(&self) -> usize {
        self.ends.0.load(Ordering::SeqCst)
    }

    /// How often a tenure has looked at the key of its token and has its answer, where there is [a log](Self::start_with_log).
    pub(super) fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }

    /// How many connections the server holds open.
    pub(super) fn held_sockets(&self) -> usize {
        sockets(self.address.port()).iter().filter(|socket| socket.is_held).count()
    }

    /// Until no handler runs and the server holds no connection.
    pub(super) async fn settled(&self) {
        until("no handler and no connection is left", || self.handlers() == 0 && self.held_sockets() == 0).await;
    }
}

/// Until it is so. It must come: the minute is for a test that fails.
pub(super) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// One end of a TCP connection.
struct Socket {
    /// Whether a process holds it: one that is only waited for has no inode.
    is_held: bool,
    /// Octets that the other end has not taken.
    unsent: u64,
}

/// The connections of a server on this port, as the kernel tells them (proc(5), `/proc/net/tcp`).
fn sockets(port: u16) -> Vec<Socket> {
    const LISTEN: &str = "0A";
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
    let own = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[1].ends_with(&own) && row[3] != LISTEN)
        .map(|row| {
            let (unsent, _) = row[4].split_once(':').expect("two queues");
            Socket { is_held: row[9] != "0", unsent: u64::from_str_radix(unsent, 16).expect("a number") }
        })
        .collect()
}

/// Both ends of a thousand connections, and more. Where it cannot be allowed, opening them fails.
pub(super) fn allow_many_open_files() {
    let process = std::process::id().to_string();
    let _ = std::process::Command::new("prlimit").args(["--pid", &process, "--nofile=8192:"]).output();
}

//! Stores that fail, hang, lie and hold what nobody of the fleet wrote.

use super::*;

#[tokio::test(start_paused = true)]
async fn without_a_store_each_fetches_for_itself_and_in_time() {
    for mood in [Mood::Fails, Mood::Hangs, Mood::Slow(SECOND / 12), Mood::Slow(SECOND), Mood::Lies] {
        let fleet = Fleet::new(4);
        fleet.processes.iter().for_each(|process| process.way.set(mood));
        let (answers, took) = fleet.ask_all("v1").await;
        assert_eq!(answers, ["key"; 4], "{mood:?}");
        assert!(took < 2 * SECOND, "{mood:?}: {took:?}");
        assert!(fleet.issuer.fetches() <= 4, "{mood:?}");
        sleep(MINUTE).await;
        fleet.issuer.rotate();
        let (answers, took) = fleet.ask_all("v2").await;
        assert_eq!((answers, took <= NEXT_WAIT), (vec!["key"; 4], true), "{mood:?}: {took:?}");
        if matches!(mood, Mood::Fails | Mood::Hangs | Mood::Lies) {
            assert_eq!(fleet.issuer.fetches(), 8, "{mood:?}");
            assert!(fleet.told("cache failed") >= 8, "{mood:?}");
            assert_eq!(fleet.told("alone"), 8, "{mood:?}");
        }
        assert_eq!(fleet.ask_all("v2").await, (vec!["key"; 4], Duration::ZERO), "{mood:?}");
        fleet.processes.iter().for_each(|process| process.way.set(Mood::Well));
        sleep(MINUTE).await;
        let fetches = fleet.issuer.fetches();
        fleet.issuer.rotate();
        assert_eq!(fleet.ask_all("v3").await.0, ["key"; 4], "{mood:?}");
        assert_eq!(fleet.issuer.fetches(), fetches + 1, "{mood:?}: and again one for all");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_goes_while_a_leader_fetches_costs_nobody_its_deadline() {
    for mood in [Mood::Fails, Mood::Hangs, Mood::Lies] {
        let fleet = Fleet::new(4);
        let asking = async {
            sleep(Duration::from_millis(100)).await;
            fleet.processes.iter().for_each(|process| process.way.set(mood));
        };
        let ((answers, took), ()) = tokio::join!(fleet.ask_all("v1"), asking);
        assert_eq!((answers, took < 2 * SECOND), (vec!["key"; 4], true), "{mood:?}: {took:?}");
    }
}

/// Publishes two keys, and leaves one of them out where it says so.
#[derive(Debug)]
struct Sifted {
    keys: [SigningKey; 2],
    variant: &'static str,
}

#[async_trait]
impl JwksFetch for Sifted {
    fn variant(&self) -> &str {
        self.variant
    }

    async fn fetch(&self, _: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        let [all, some] = &self.keys;
        Ok(Fetched::new(if self.variant.is_empty() { set_of(&[all, some]) } else { set_of(&[some]) }))
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_keys_out_is_given_none_that_another_process_left_in() {
    let (store, keys) = (Arc::new(MemoryCache::new()), [key("left out"), key("left in")]);
    for variant in ["", "sifted"] {
        let fetch = Sifted { keys: keys.clone(), variant };
        let provider = JwksProvider::url(URL).fetch(fetch).shared_cache(store.clone(), fleet_key());
        let provider = provider.build().expect("a provider");
        for (id, is_there) in [("left in", true), ("left out", variant.is_empty())] {
            let wanted = KeyRequest::new(Algorithm::ES256).with_key_id(Some(id));
            assert_eq!(provider.key(&wanted).await.is_ok(), is_there, "{variant:?}: {id}");
        }
    }
}

/// What somebody who can write to the store might put there.
async fn forgeries(fleet: &Fleet, old: &Bytes) -> Vec<(&'static str, Bytes)> {
    let good = fleet.kept().await;
    let flipped = |at: usize| {
        let mut octets = good.to_vec();
        octets[at] ^= 1;
        Bytes::from(octets)
    };
    let evil = set_of(&[&key("evil")]);
    let sealed = |key: FleetKey, purpose, name: &CacheKey, value: &[u8]| {
        let tag = key.tag(purpose, &[name.as_str().as_bytes(), value]).expect("a tag");
        Bytes::from([&tag[..], value].concat())
    };
    let other_key = || FleetKey::new([8; 32]).expect("a key");
    let elsewhere =
        fleet_key().cache_key("jwks-document", &[b"url", b"https://evil.example/jwks", b""]).expect("a name");
    let content = &old[32..];
    vec![
        ("nothing", Bytes::new()),
        ("a bare document", Bytes::from(evil.clone())),
        ("a tag of zeros", Bytes::from([&[0; 32][..], evil.as_bytes()].concat())),
        ("another fleet's", sealed(other_key(), "jwks-document", &document_name(), content)),
        ("another issuer's", sealed(fleet_key(), "jwks-document", &elsewhere, content)),
        ("another purpose's", sealed(fleet_key(), "jwks-lease", &document_name(), content)),
        ("its tag alone", good.slice(..32)),
        ("truncated", good.slice(..good.len() - 1)),
        ("half", good.slice(..good.len() / 2)),
        ("longer", Bytes::from([&good[..], b" "].concat())),
        ("another tag", flipped(0)),
        ("another length", flipped(33)),
        ("another time", flipped(60)),
        ("another body", flipped(good.len() - 10)),
        ("two mebibytes", Bytes::from(vec![b'7'; 2 << 20])),
        ("a number", Bytes::from_static(b"7")),
    ]
}

#[tokio::test(start_paused = true)]
async fn what_the_fleet_did_not_write_is_no_verdict_and_is_written_over() {
    let fleet = Fleet::new(2);
    fleet.ask_all("v1").await;
    let old = fleet.kept().await;
    for (what, forged) in forgeries(&fleet, &old).await {
        let fetches = fleet.issuer.fetches();
        fleet.put(&document_name(), forged.clone()).await;
        let late = fleet.process(0, true, |builder| builder);
        let (answer, took) = late.ask("v1").await;
        assert_eq!((answer, fleet.issuer.fetches() - fetches), ("key", 1), "{what}");
        assert!(took < SECOND && late.told.count("forged") >= 1, "{what}: {took:?}");
        assert_eq!(late.ask("evil").await.0, "not found", "{what}");
        assert_ne!(fleet.kept().await, forged, "{what}");
        sleep(11 * SECOND).await;
        fleet.put(&document_name(), forged.clone()).await;
        sleep(11 * SECOND).await;
        assert_eq!(fleet.ask_all("v1").await, (vec!["key"; 2], Duration::ZERO), "{what}");
        assert_ne!(fleet.kept().await, forged, "{what}: those who run put back what they have");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_forged_or_never_ends_keeps_nobody_from_fetching_in_time() {
    let foreign = FleetKey::new([8; 32]).expect("a key");
    let forged = foreign.tag("jwks-lease", &[lease_name().as_str().as_bytes(), b"me 0"]).expect("a tag");
    let own = fleet_key().tag("jwks-lease", &[lease_name().as_str().as_bytes(), b"me 0"]).expect("a tag");
    let with_text = |tag: Vec<u8>| Bytes::from([&tag[..], b"me 0"].concat());
    for (what, lease, at_most) in [
        ("forged", with_text(forged), SECOND),
        ("empty", Bytes::new(), SECOND),
        ("replayed, and kept for good", with_text(own), FIRST_WAIT),
    ] {
        let fleet = Fleet::new(3);
        fleet.put(&lease_name(), lease).await;
        let (answers, took) = fleet.ask_all("v1").await;
        assert_eq!((answers, took < at_most), (vec!["key"; 3], true), "{what}: {took:?}");
        assert_eq!((fleet.issuer.fetches(), fleet.told("alone")), (3, 3), "{what}");
    }
}

/// By somebody who has recorded leases, and puts them back in turns.
#[tokio::test(start_paused = true)]
async fn a_lease_that_is_kept_alive_delays_a_refresh_by_less_than_half_a_minute() {
    let fleet = Fleet::new(1);
    let [process] = &fleet.processes[..] else { panic!("one process") };
    assert!(process.has("v1").await);
    let leases = ["me 0", "me 1"].map(|text| {
        let tag = fleet_key().tag("jwks-lease", &[lease_name().as_str().as_bytes(), text.as_bytes()]).expect("a tag");
        Bytes::from([&tag[..], text.as_bytes()].concat())
    });
    let keeping_alive = async {
        for lease in leases.iter().cycle() {
            fleet.put(&lease_name(), lease.clone()).await;
            sleep(SECOND).await;
        }
    };
    let refreshing = async {
        sleep(2 * SECOND).await;
        fleet.issuer.rotate();
        // Who is told to refresh waits no longer than one without keys.
        let asked_at = Instant::now();
        process.keys.refresh_now().await.expect("a refresh");
        assert!(asked_at.elapsed() < 9 * SECOND, "{:?}", asked_at.elapsed());
        assert_eq!((fleet.issuer.version_in_use(&process.keys), process.told.count("alone")), (Some(2), 1));
        // Due after nine minutes at the latest.
        fleet.issuer.rotate();
        sleep(9 * MINUTE + 30 * SECOND).await;
        assert_eq!((fleet.issuer.version_in_use(&process.keys), process.told.count("alone")), (Some(3), 2));
    };
    tokio::select! {
        () = refreshing => {}
        () = keeping_alive => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_document_of_before_that_is_put_back_revives_no_key_where_it_was_distrusted() {
    let fleet = Fleet::new(2);
    fleet.ask_all("v1").await;
    let old = fleet.kept().await;
    sleep(MINUTE).await;
    fleet.issuer.rotate();
    assert_eq!(fleet.ask_all("v2").await.0, ["key"; 2]);
    for _ in 0..50 {
        fleet.put(&document_name(), old.clone()).await;
        sleep(6 * SECOND).await;
        for process in &fleet.processes {
            assert_eq!(fleet.issuer.version_in_use(&process.keys), Some(2));
        }
    }
    assert!(fleet.told("outdated") > 10);
    // Who starts then takes it for as long as it is fresh, and no longer.
    fleet.put(&document_name(), old.clone()).await;
    let late = fleet.process(0, true, |builder| builder);
    late.keys.ready().await.expect("keys");
    assert_eq!(fleet.issuer.version_in_use(&late.keys), Some(1));
    for _ in 0..50 {
        fleet.put(&document_name(), old.clone()).await;
        sleep(6 * SECOND).await;
    }
    assert_eq!(fleet.issuer.version_in_use(&late.keys), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_document_that_one_process_cannot_use_is_no_reason_to_have_no_keys() {
    let fleet = Fleet::new(1);
    fleet.ask_all("v1").await;
    let narrow = fleet.process(0, true, |builder| builder.max_bytes(100));
    // What it may read is less than what there is: it fetches, its client bounds that, and nothing breaks.
    assert!(narrow.has("v1").await);
    assert_eq!((narrow.told.count("forged") > 0, fleet.issuer.fetches()), (true, 2));
}

#[test]
fn a_file_is_not_shared() {
    let way = MemoryCache::new();
    let error = JwksProvider::file("/keys.json").shared_cache(way, fleet_key()).build().expect_err("a file");
    assert_eq!(error.setting(), "shared_cache");
}

/// A server that took over and lacked the last second.
#[tokio::test(start_paused = true)]
async fn an_older_document_is_taken_by_nobody_and_replaced_by_who_has_the_newer_one() {
    let fleet = Fleet::new(3);
    fleet.ask_all("v1").await;
    let old = fleet.store.find(&document_name()).await.expect("find").expect("a document");
    let found_at = Instant::now();
    sleep(MINUTE).await;
    fleet.issuer.rotate();
    assert!(fleet.processes[0].has("v2").await);
    sleep(11 * SECOND).await;
    let left = old.expires_in.expect("the store tells") - found_at.elapsed();
    fleet.store.put(&document_name(), old.value.clone(), left).await.expect("put");
    sleep(11 * SECOND).await;
    for process in &fleet.processes {
        assert_eq!(fleet.issuer.version_in_use(&process.keys), Some(2));
    }
    assert_ne!(fleet.kept().await, old.value);
    let late = fleet.process(0, true, |builder| builder);
    assert!(late.has("v2").await && !late.has("v1").await);
    assert_eq!(fleet.issuer.fetches(), 3, "one for each version, and one for the key that is gone");
}

/// An issuer whose metadata say where its keys are.
#[derive(Clone, Debug)]
struct Discoverable {
    key: SigningKey,
    jwks_uri: &'static str,
    asked: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl JwksFetch for Discoverable {
    async fn fetch(&self, request: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        self.asked.lock().expect("lock").push(request.url.to_owned());
        let metadata = serde_json::json!({"issuer": ISSUER, "jwks_uri": self.jwks_uri});
        let is_metadata = request.url.ends_with("openid-configuration");
        Ok(Fetched::new(if is_metadata { metadata.to_string() } else { set_of(&[&self.key]) }))
    }
}

const ISSUER: &str = "https://issuer.example/";

/// Keys to an API stand in queries, and whoever can read the store has no business with them.
#[tokio::test(start_paused = true)]
async fn a_url_is_shared_where_it_was_discovered_and_has_no_secret_in_it_and_nowhere_else() {
    const WITH_SECRET: &str = "https://issuer.example/jwks?api_key=hunter2";
    for (source, jwks_uri, is_shared) in [
        ("url", WITH_SECRET, false),
        ("url", URL, false),
        ("discover", URL, true),
        ("discover", WITH_SECRET, false),
        ("discover", "https://hunter2:hunter2@issuer.example/jwks", false),
    ] {
        let store = Arc::new(MemoryCache::with_clock(Virtual::new(Instant::now(), 0)));
        let (key, asked) = (key("k"), Arc::new(Mutex::new(Vec::new())));
        let provider = || {
            let builder = if source == "url" { JwksProvider::url(jwks_uri) } else { JwksProvider::discover(ISSUER) };
            let fetch = Discoverable { key: key.clone(), jwks_uri, asked: asked.clone() };
            builder
                .fetch(fetch)
                .clock(Virtual::new(Instant::now(), 0))
                .shared_cache(store.clone(), fleet_key())
                .build()
                .expect("a provider")
        };
        let [one, other] = [provider(), provider()];
        for provider in [&one, &other] {
            provider.ready().await.expect("keys");
        }
        let identity = if source == "url" { ["url", jwks_uri] } else { ["discover", ISSUER] };
        let [kind, url] = identity.map(str::as_bytes);
        let name = fleet_key().cache_key("jwks-document", &[kind, url, b""]).expect("a name");
        let kept = store.get(&name).await.expect("get").expect("a document");
        let kept = String::from_utf8_lossy(&kept);
        assert!(!kept.contains("hunter2"), "{kept}");
        assert_eq!(kept.contains(URL), is_shared, "{kept}");
        // Whoever took it over finds the way to the next one by itself, and asks for no metadata where it was told.
        asked.lock().expect("lock").clear();
        sleep(2 * SECOND).await;
        other.refresh_now().await.expect("keys");
        let asked = asked.lock().expect("lock").clone();
        assert_eq!(asked.last().map(String::as_str), Some(jwks_uri));
        assert_eq!(asked.len(), if source == "discover" && !is_shared { 2 } else { 1 }, "{asked:?}");
    }
}

use super::*;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

const URL: &str = "redis://:hunter2@127.0.0.1:6379/";

#[test]
fn settings_that_make_no_sense_are_refused() {
    let builder = || RedisCache::builder(URL);
    let none = [""; 0];
    for (builder, setting) in [
        (RedisCache::builder("http://:hunter2@127.0.0.1/"), "url"),
        (RedisCache::builder(""), "url"),
        (RedisCache::builder("hunter2"), "url"),
        (RedisCache::builder("rediss://:hunter2@127.0.0.1/#insecure"), "url"),
        (RedisCache::builder("REDISS://:hunter2@127.0.0.1/#insecure"), "url"),
        (RedisCache::builder("redis://:hunter2@127.0.0.1/#insecure"), "url"),
        (builder().prefix(""), "prefix"),
        (builder().prefix("two words"), "prefix"),
        (builder().prefix("{slot}"), "prefix"),
        (builder().prefix("line\r\nfeed"), "prefix"),
        (builder().prefix("préfixe"), "prefix"),
        (builder().timeout(Duration::ZERO), "timeout"),
        (builder().timeout(Duration::from_millis(101)), "timeout"),
        (RedisCache::sentinel("redis://:hunter2@mymaster", none), "sentinels"),
        (RedisCache::sentinel("mymaster:hunter2", ["redis://127.0.0.1"]), "master"),
        (RedisCache::sentinel("unix:///tmp/redis.sock", ["redis://127.0.0.1"]), "master"),
        (RedisCache::sentinel("redis://mymaster", ["redis://127.0.0.1", "http://:hunter2@127.0.0.1"]), "sentinels"),
        (RedisCache::cluster(none), "nodes"),
        (RedisCache::cluster(["redis://:hunter2@127.0.0.1/1"]), "nodes"),
        (RedisCache::cluster(["unix:///tmp/redis.sock?pass=hunter2"]), "nodes"),
        (RedisCache::cluster([URL, "redis://:hunter3@127.0.0.1:6380/"]), "nodes"),
        (RedisCache::cluster([URL, "redis://127.0.0.1:6380/"]), "nodes"),
        (RedisCache::cluster([URL, "redis://someone:hunter2@127.0.0.1:6380/"]), "nodes"),
        (RedisCache::cluster([URL, "redis://:hunter2@127.0.0.1:6380/?protocol=resp3"]), "nodes"),
    ] {
        let error = builder.build().expect_err(setting);
        assert_eq!(error.setting(), setting, "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    builder().prefix("my-api:v2").timeout(Duration::from_millis(1)).build().expect("settings");
    RedisCache::sentinel("redis://:hunter2@mymaster/1", [URL, "redis://127.0.0.1:6380/"]).build().expect("settings");
    RedisCache::cluster([URL, "redis://:hunter2@127.0.0.1:6380/"]).build().expect("settings");
}

#[cfg(not(feature = "tls"))]
#[test]
fn without_the_feature_tls_is_refused_and_never_left_out() {
    for url in ["rediss://:hunter2@127.0.0.1/", "RedisS://:hunter2@127.0.0.1/", "valkeys://:hunter2@127.0.0.1/"] {
        let error = RedisCache::builder(url).build().expect_err(url);
        assert_eq!(error.to_string(), "`url`: wants TLS: the feature `tls` of `countersign-cache`");
        assert_eq!(RedisCache::cluster([url]).build().expect_err(url).setting(), "nodes");
        assert_eq!(RedisCache::sentinel("redis://mymaster", [url]).build().expect_err(url).setting(), "sentinels");
    }
}

#[cfg(feature = "tls")]
#[test]
fn tls_is_for_all_of_a_store_or_for_none() {
    const TLS: &str = "rediss://:hunter2@127.0.0.1/";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (builder, setting) in [
        (RedisCache::builder(URL).trust_only(""), "trust_only"),
        (RedisCache::builder(TLS).trust_only(""), "trust_only"),
        (RedisCache::builder(TLS).trust_only("no PEM"), "trust_only"),
        (RedisCache::builder(TLS).trust_only(no_certificate), "trust_only"),
        (RedisCache::cluster([TLS, URL]), "nodes"),
        (RedisCache::cluster([URL, TLS]), "nodes"),
        (RedisCache::sentinel("redis://mymaster", [TLS]), "sentinels"),
        (RedisCache::sentinel("rediss://mymaster", [URL]), "sentinels"),
        (RedisCache::sentinel("rediss://mymaster", [TLS, URL]), "sentinels"),
    ] {
        let error = builder.build().expect_err(setting);
        assert_eq!(error.setting(), setting, "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn what_is_printed_holds_no_password() {
    for builder in [
        || RedisCache::builder(URL),
        || RedisCache::sentinel("redis://app:hunter2@mymaster", [URL]),
        || RedisCache::cluster([URL]),
    ] {
        assert!(!format!("{:?}", builder()).contains("hunter2"));
        assert!(!format!("{:?}", builder().build().expect("settings")).contains("hunter2"));
    }
}

#[test]
fn without_a_runtime_a_verb_is_an_error() {
    let key = CacheKey::named("k");
    for builder in
        [RedisCache::builder(URL), RedisCache::sentinel("redis://mymaster", [URL]), RedisCache::cluster([URL])]
    {
        let store = builder.build().expect("settings");
        let answer = pin!(store.get(&key)).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(answer, Poll::Ready(Err(_))));
    }
}

#[test]
fn in_a_cluster_the_name_of_an_entry_is_its_tag() {
    let key = CacheKey::named("k");
    assert_eq!(RedisCache::builder(URL).build().expect("settings").key(&key), "countersign:k");
    assert_eq!(RedisCache::cluster([URL]).prefix("a").build().expect("settings").key(&key), "a:{k}");
}

#[test]
fn times_are_rounded_up_and_bounded() {
    for (time, expected) in [
        (Duration::ZERO, 0),
        (Duration::from_nanos(1), 1),
        (Duration::from_micros(1_001), 2),
        (Duration::from_secs(60), 60_000),
        (Duration::MAX, i64::MAX.unsigned_abs() / 2),
    ] {
        assert_eq!(milliseconds(time), expected, "{time:?}");
    }
}

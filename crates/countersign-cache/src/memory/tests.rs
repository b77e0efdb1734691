use super::*;
use countersign_testkit::clock::FakeClock;

const TTL: Duration = Duration::from_secs(60);

fn key(n: u64) -> CacheKey {
    CacheKey::hashed("k", &[&n.to_be_bytes()])
}

/// `hashed` keys are all of this length: a name of one byte, a colon, 43 characters of base64url.
const KEY_LENGTH: usize = 45;

fn store(max_entries: usize, max_bytes: usize) -> (MemoryCache, FakeClock) {
    let clock = FakeClock::at(1_000_000);
    let builder = MemoryCache::builder().max_entries(max_entries).max_bytes(max_bytes);
    (builder.clock(clock.clone()).build().expect("bounds"), clock)
}

fn count_and_bytes(store: &MemoryCache) -> (usize, usize) {
    store.entries.lock().expect("lock").count_and_bytes()
}

async fn put(store: &MemoryCache, n: u64, value: &'static [u8], ttl: Duration) {
    store.put(&key(n), Bytes::from_static(value), ttl).await.expect("put");
}

async fn present(store: &MemoryCache, keys: std::ops::Range<u64>) -> Vec<u64> {
    let mut present = Vec::new();
    for n in keys {
        if store.get(&key(n)).await.expect("get").is_some() {
            present.push(n);
        }
    }
    present
}

#[test]
fn a_bound_of_zero_is_refused() {
    for (builder, setting) in
        [(MemoryCache::builder().max_entries(0), "max_entries"), (MemoryCache::builder().max_bytes(0), "max_bytes")]
    {
        assert_eq!(builder.build().expect_err(setting).setting(), setting);
    }
}

#[tokio::test]
async fn beyond_the_entries_the_one_written_longest_ago_goes() {
    let (store, _) = store(3, 1 << 20);
    for n in 0..3 {
        put(&store, n, b"v", TTL).await;
    }
    put(&store, 0, b"again", TTL).await;
    put(&store, 3, b"v", TTL).await;
    assert_eq!(present(&store, 0..4).await, [0, 2, 3]);
}

#[tokio::test]
async fn counting_and_swapping_are_writes_and_reading_is_not() {
    let (store, _) = store(3, 1 << 20);
    store.add(&key(0), 1, TTL).await.expect("add");
    put(&store, 1, b"v", TTL).await;
    put(&store, 2, b"v", TTL).await;
    store.add(&key(0), 1, TTL).await.expect("add");
    let swap = Some((Bytes::from_static(b"w"), TTL));
    assert!(store.compare_and_swap(&key(1), b"v", swap).await.expect("swap"));
    assert_eq!(present(&store, 2..3).await, [2]);
    put(&store, 3, b"v", TTL).await;
    assert_eq!(present(&store, 0..4).await, [0, 1, 3]);
}

#[tokio::test]
async fn beyond_the_bytes_as_many_go_as_it_takes() {
    let (store, _) = store(100, 4 * (KEY_LENGTH + 10));
    for n in 0..4 {
        put(&store, n, b"0123456789", TTL).await;
    }
    assert_eq!(count_and_bytes(&store), (4, 4 * (KEY_LENGTH + 10)));
    put(&store, 4, b"01234567890", TTL).await;
    assert_eq!(present(&store, 0..5).await, [2, 3, 4]);
}

#[tokio::test]
async fn the_expired_go_before_the_oldest() {
    let (store, clock) = store(3, 1 << 20);
    put(&store, 0, b"old, but good", TTL).await;
    put(&store, 1, b"soon over", Duration::from_secs(1)).await;
    put(&store, 2, b"good", TTL).await;
    clock.advance(Duration::from_secs(1));
    put(&store, 3, b"new", TTL).await;
    assert_eq!(present(&store, 0..4).await, [0, 2, 3]);
}

#[tokio::test]
async fn what_has_expired_does_not_stay_until_room_is_needed() {
    let (store, clock) = store(100, 1 << 20);
    for n in 0..50 {
        put(&store, n, b"v", TTL).await;
    }
    clock.advance(TTL);
    put(&store, 50, b"v", TTL).await;
    assert_eq!(count_and_bytes(&store), (1, KEY_LENGTH + 1));
}

#[tokio::test]
async fn setting_the_clock_of_the_world_neither_ends_an_entry_nor_prolongs_it() {
    for set_to in [0, 900_000, 1_000_030, 9_000_000] {
        let (store, clock) = store(2, 1 << 20);
        put(&store, 0, b"v", TTL).await;
        store.add(&key(1), 1, TTL).await.expect("add");
        clock.advance(TTL / 2);
        clock.set(set_to);
        assert_eq!(present(&store, 0..2).await, [0, 1], "set to {set_to}");
        let found = store.find(&key(0)).await.expect("find").expect("the entry");
        assert_eq!(found.expires_in, Some(TTL / 2), "set to {set_to}");
        let counted = store.add(&key(1), 1, TTL).await.expect("add");
        assert_eq!((counted.total, counted.resets_in), (2, TTL / 2), "set to {set_to}");
        clock.set(1_000_030);
        assert_eq!(present(&store, 0..2).await, [0, 1], "set to {set_to} and back");
        clock.set(set_to);
        clock.advance(TTL / 2);
        assert!(present(&store, 0..2).await.is_empty(), "set to {set_to}, and over");
        assert_eq!(store.add(&key(1), 1, TTL).await.expect("add").total, 1, "set to {set_to}, and a new window");
    }
}

#[tokio::test]
async fn a_flood_does_not_grow_the_store() {
    let (store, clock) = store(100, 5_000);
    for n in 0..20_000 {
        match n % 4 {
            0 => put(&store, n, b"some value or other", Duration::from_millis(1 + n % 50)).await,
            1 => put(&store, n, b"", Duration::MAX).await,
            2 => drop(store.add(&key(n), n, TTL).await.expect("add")),
            _ => drop(store.take(&key(n - 2)).await.expect("take")),
        }
        clock.advance(Duration::from_millis(1));
        let (count, bytes) = count_and_bytes(&store);
        assert!(count <= 100 && bytes <= 5_000, "{count} entries of {bytes} bytes");
    }
}

#[tokio::test]
async fn a_value_larger_than_the_store_is_refused_and_nothing_is_dropped_for_it() {
    let (store, _) = store(10, KEY_LENGTH + 20);
    put(&store, 0, b"kept", TTL).await;
    let large = || Bytes::from_static(&[7; 21]);
    assert!(store.put(&key(0), large(), TTL).await.is_err());
    assert!(store.put(&key(1), large(), TTL).await.is_err());
    assert!(store.put_new(&key(1), large(), TTL).await.is_err());
    assert!(store.compare_and_swap(&key(0), b"kept", Some((large(), TTL))).await.is_err());
    assert_eq!(store.get(&key(0)).await.expect("get").as_deref(), Some(&b"kept"[..]));
    assert_eq!(count_and_bytes(&store), (1, KEY_LENGTH + 4));
}

#[tokio::test]
async fn a_window_on_a_large_buffer_does_not_keep_the_buffer() {
    let (store, _) = store(10, 1_000);
    let buffer = Bytes::from(vec![7; 1 << 20]);
    store.put(&key(0), buffer.slice(..4), TTL).await.expect("put");
    assert!(buffer.is_unique());
}

#[tokio::test]
async fn a_store_that_a_panic_left_locked_still_answers() {
    let (store, _) = store(10, 1_000);
    let store = std::sync::Arc::new(store);
    put(&store, 0, b"v", TTL).await;
    let poisoned = store.clone();
    std::thread::spawn(move || {
        let _guard = poisoned.entries.lock();
        panic!("poison the lock");
    })
    .join()
    .expect_err("it panicked");
    assert_eq!(present(&store, 0..1).await, [0]);
}

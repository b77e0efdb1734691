//! Which of several servers has a key.

use super::command::Command;
use super::link::Link;
use super::server::{Address, BoxedDial, CONNECTION_TIMEOUT, Dialer, Pushes, failed};
use ::redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::timeout;

/// How often one command is sent on. A server that says "not here" has done nothing.
const MAX_HOPS: usize = 4;
/// How many nodes that are not in the map a connection is kept to.
const MAX_STRANGERS: usize = 8;
const SLOTS: u16 = 16_384;

/// The nodes of a cluster, each with its slots.
pub(super) struct Cluster {
    seeds: Vec<Address>,
    dialer: Dialer,
    links: Mutex<HashMap<Address, Arc<Link>>>,
    map: Mutex<Map>,
    /// Counts looks at the map, so that each begins with another node: one that hangs uses up the time of one verb.
    looks: AtomicUsize,
    looking: tokio::sync::Mutex<()>,
}

/// Who has which slots.
#[derive(Debug, Default)]
struct Map {
    ranges: Vec<Range>,
    /// Nodes that have said that a slot is elsewhere, or did not answer. The map is read anew before one is asked; the slots of
    /// others have nothing to wait for.
    suspects: HashSet<Address>,
}

#[derive(Debug, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
    node: Address,
}

impl Map {
    fn node(&self, slot: u16) -> Option<&Address> {
        let range = self.ranges.iter().find(|range| (range.first..=range.last).contains(&slot));
        range.map(|range| &range.node)
    }
}

impl Cluster {
    pub(super) fn new(seeds: Vec<Address>, dialer: Dialer) -> Self {
        Self {
            seeds,
            dialer,
            links: Mutex::default(),
            map: Mutex::default(),
            looks: AtomicUsize::new(0),
            looking: tokio::sync::Mutex::new(()),
        }
    }

    /// Asks the node that has the key, and follows it where it says that another one has.
    pub(super) async fn ask(&self, command: &Command<'_>) -> RedisResult<Value> {
        let mut node = self.node(slot(command.key().as_bytes())).await?;
        let mut is_moving = false;
        for _ in 0..MAX_HOPS {
            let answer = self.ask_node(&node, command, is_moving).await;
            let Err(error) = &answer else { return answer };
            let Some(next) = redirect(error, &node) else { return answer };
            is_moving = error.kind() == ErrorKind::Server(ServerErrorKind::Ask);
            node = next;
        }
        Err(failed("the cluster sends the command round in circles"))
    }

    async fn ask_node(&self, node: &Address, command: &Command<'_>, is_moving: bool) -> RedisResult<Value> {
        let suspicion = Suspicion { cluster: self, node: Some(node) };
        let link = self.link(node);
        let answer = link.ask(self.dial(node), async |connection| command.send(connection, is_moving).await).await;
        if !answer.as_ref().is_err_and(|error| makes_suspect(error.kind())) {
            suspicion.dismiss();
        }
        answer
    }

    fn dial(&self, node: &Address) -> impl Fn() -> BoxedDial + Send + 'static {
        let (dialer, node) = (self.dialer.clone(), node.clone());
        move || dialer.clone().dial(node.clone())
    }

    /// A connection to a node that tells what is published on any of them: the first one that takes it.
    pub(super) fn dial_listener(&self, pushes: Pushes) -> BoxedDial {
        let (dialer, nodes) = (self.dialer.telling(pushes), self.to_be_asked());
        let share = CONNECTION_TIMEOUT / u32::try_from(nodes.len().max(1)).unwrap_or(u32::MAX);
        Box::pin(async move {
            let mut outcome = Err(failed("no node of the cluster is known"));
            for node in nodes {
                let made = timeout(share, dialer.connect(&node)).await;
                outcome = made.unwrap_or_else(|_| Err(failed("a node did not answer")));
                if outcome.is_ok() {
                    break;
                }
            }
            outcome
        })
    }

    /// The connection to a node. Those that the map does not know, where slots are on their way, are few at a time: whatever
    /// servers name, no more are kept.
    fn link(&self, node: &Address) -> Arc<Link> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = links.get(node) {
            return Arc::clone(link);
        }
        let map = self.map();
        let is_known = |node: &Address| self.is_known(&map, node);
        if !is_known(node) && links.keys().filter(|node| !is_known(node)).count() >= MAX_STRANGERS {
            links.retain(|node, _| is_known(node));
        }
        Arc::clone(links.entry(node.clone()).or_default())
    }

    fn is_known(&self, map: &Map, node: &Address) -> bool {
        map.ranges.iter().any(|range| range.node == *node) || self.seeds.contains(node)
    }

    fn map(&self) -> MutexGuard<'_, Map> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node_now(&self, slot: u16) -> Option<Address> {
        let map = self.map();
        map.node(slot).filter(|node| !map.suspects.contains(node)).cloned()
    }

    async fn node(&self, slot: u16) -> RedisResult<Address> {
        if let Some(node) = self.node_now(slot) {
            return Ok(node);
        }
        let _one_at_a_time = self.looking.lock().await;
        if let Some(node) = self.node_now(slot) {
            return Ok(node);
        }
        self.look().await?;
        self.map().node(slot).cloned().ok_or_else(|| failed("no node of the cluster has the slot"))
    }

    /// Reads the map from the first node that has one.
    async fn look(&self) -> RedisResult<()> {
        let mut outcome = Err(failed("no node of the cluster is known"));
        for node in self.to_be_asked() {
            match self.ask_for_ranges(&node).await {
                Ok(ranges) => {
                    let new = Map { ranges, suspects: HashSet::new() };
                    let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
                    links.retain(|node, _| self.is_known(&new, node));
                    *self.map() = new;
                    return Ok(());
                }
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    /// The nodes that there are, each time from another one on, and suspects last.
    fn to_be_asked(&self) -> Vec<Address> {
        let map = self.map();
        let mut seen = HashSet::new();
        let known = map.ranges.iter().map(|range| &range.node).chain(&self.seeds);
        let mut nodes: Vec<Address> = known.filter(|node| seen.insert(*node)).cloned().collect();
        let turn = self.looks.fetch_add(1, Ordering::Relaxed) % nodes.len().max(1);
        nodes.rotate_left(turn);
        nodes.sort_by_key(|node| map.suspects.contains(node));
        nodes
    }

    async fn ask_for_ranges(&self, node: &Address) -> RedisResult<Vec<Range>> {
        let suspicion = Suspicion { cluster: self, node: Some(node) };
        let link = self.link(node);
        let question = ::redis::cmd("CLUSTER").arg("SLOTS").clone();
        let answer: RedisResult<Value> =
            link.ask(self.dial(node), async |connection| question.query_async(connection).await).await;
        let ranges = ranges(&answer?, node).filter(|ranges| !ranges.is_empty());
        let ranges = ranges.ok_or_else(|| failed("the node has no map of the cluster"))?;
        suspicion.dismiss();
        Ok(ranges)
    }
}

/// Makes a node a suspect, unless it is said otherwise before this is dropped: by an error, or by the caller's deadline.
struct Suspicion<'c> {
    cluster: &'c Cluster,
    node: Option<&'c Address>,
}

impl Suspicion<'_> {
    fn dismiss(mut self) {
        self.node = None;
    }
}

impl Drop for Suspicion<'_> {
    fn drop(&mut self) {
        if let Some(node) = self.node {
            let mut map = self.cluster.map();
            // Where a slot is on its way, nodes are asked that the map does not know, and that need not be remembered.
            if self.cluster.is_known(&map, node) {
                map.suspects.insert(node.clone());
            }
        }
    }
}

/// What is said by a node that is gone, that no longer has the slot, or that has nothing any more.
fn makes_suspect(kind: ErrorKind) -> bool {
    use ServerErrorKind::{ClusterDown, MasterDown, Moved, ReadOnly};
    let says = [Moved, ReadOnly, ClusterDown, MasterDown];
    kind == ErrorKind::Io || says.into_iter().any(|says| kind == ErrorKind::Server(says))
}

/// The node that another one points to. Without a host it is another port of the same.
fn redirect(error: &RedisError, from: &Address) -> Option<Address> {
    let (address, _) = error.redirect_node()?;
    let (host, port) = address.rsplit_once(':')?;
    Some(Address::Tcp(host_or(host, from)?, port.parse().ok()?))
}

fn host_or(host: &str, from: &Address) -> Option<String> {
    match (host, from) {
        ("" | "?", Address::Tcp(host, _)) => Some(host.clone()),
        ("" | "?", Address::Unix(_)) => None,
        (host, _) => Some(host.to_owned()),
    }
}

/// The answer to `CLUSTER SLOTS`: lists of a first and a last slot, the master's host and port, and its replicas'.
fn ranges(answer: &Value, from: &Address) -> Option<Vec<Range>> {
    let Value::Array(ranges) = answer else { return None };
    let range = |range: &Value| {
        let Value::Array(range) = range else { return None };
        let [first, last, Value::Array(master), ..] = range.as_slice() else { return None };
        let [host, port, ..] = master.as_slice() else { return None };
        let host = match host {
            Value::BulkString(host) => std::str::from_utf8(host).ok()?,
            Value::SimpleString(host) => host.as_str(),
            Value::Nil => "",
            _ => return None,
        };
        let node = Address::Tcp(host_or(host, from)?, number(port)?);
        Some(Range { first: number(first)?, last: number(last)?, node })
    };
    ranges.iter().map(range).collect()
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    }
}

/// The slot of a key: of what stands between its first `{` and the next `}`, unless that is nothing, and else of all of it
/// (Redis Cluster specification, "Hash tags").
fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let close = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..close).filter(|tag| !tag.is_empty())
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 { shifted } else { shifted ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        for (key, tag) in [
            (&b"{user1000}.following"[..], &b"user1000"[..]),
            (b"foo{}{bar}", b"foo{}{bar}"),
            (b"foo{{bar}}zap", b"{bar"),
            (b"foo{bar}{zap}", b"bar"),
            (b"foo{bar", b"foo{bar"),
            (b"", b""),
        ] {
            assert_eq!(slot(key), crc16(tag) % SLOTS, "{key:?}");
        }
        assert_eq!(slot(b"foo"), 12_182);
    }

    #[test]
    fn connections_to_nodes_that_servers_name_are_few_and_those_in_the_map_stay() {
        let at = |port| Address::Tcp("127.0.0.1".into(), port);
        let login = ::redis::RedisConnectionInfo::default();
        let dialer = Dialer {
            login,
            #[cfg(feature = "tls")]
            tls: None,
            timeout: std::time::Duration::from_millis(100),
            pushes: None,
        };
        let cluster = Cluster::new(vec![at(1)], dialer);
        *cluster.map() = Map { ranges: vec![Range { first: 0, last: 5, node: at(2) }], suspects: HashSet::new() };
        let known = [at(1), at(2)].map(|node| cluster.link(&node));
        for port in 3..1_000 {
            cluster.link(&at(port));
            assert!(cluster.links.lock().expect("lock").len() <= 2 + MAX_STRANGERS);
        }
        for (link, node) in known.iter().zip([at(1), at(2)]) {
            assert!(Arc::ptr_eq(link, &cluster.link(&node)));
        }
    }

    #[test]
    fn a_map_of_slots_is_read_or_refused_whole() {
        let from = Address::Tcp("seed".into(), 1);
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let node = |host: Value, port: i64| Value::Array(vec![host, Value::Int(port), text("id")]);
        let range = |first, last, node| Value::Array(vec![Value::Int(first), Value::Int(last), node]);
        let good = Value::Array(vec![
            range(0, 8_191, node(text("10.0.0.1"), 7_000)),
            range(8_192, 16_383, node(text(""), 7_001)),
            range(5, 5, node(Value::Nil, 7_002)),
        ]);
        let at = |host: &str, port| Address::Tcp(host.into(), port);
        let expected = [
            Range { first: 0, last: 8_191, node: at("10.0.0.1", 7_000) },
            Range { first: 8_192, last: 16_383, node: at("seed", 7_001) },
            Range { first: 5, last: 5, node: at("seed", 7_002) },
        ];
        assert_eq!(ranges(&good, &from).as_deref(), Some(&expected[..]));
        for bad in [
            Value::Nil,
            Value::Array(vec![Value::Nil]),
            Value::Array(vec![Value::Array(vec![])]),
            Value::Array(vec![range(0, 65_536, node(text("a"), 1))]),
            Value::Array(vec![range(-1, 5, node(text("a"), 1))]),
            Value::Array(vec![range(0, 5, node(text("a"), 65_536))]),
            Value::Array(vec![range(0, 5, node(Value::Int(1), 1))]),
            Value::Array(vec![range(0, 5, node(Value::BulkString(vec![0xFF]), 1))]),
            Value::Array(vec![range(0, 5, node(text("a"), 1)), Value::Nil]),
        ] {
            assert_eq!(ranges(&bad, &from), None, "{bad:?}");
        }
    }
}

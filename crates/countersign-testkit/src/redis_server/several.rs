use super::{RedisServer, free_port};
use crate::redis_proxy::{RedisProxy, Traffic};
use std::io;

/// A cluster of three masters, which have all slots between them.
///
/// ```no_run
/// use countersign_testkit::redis_server::RedisCluster;
///
/// # async fn example() -> std::io::Result<()> {
/// let mut cluster = RedisCluster::start().await?;
/// // a store on `cluster.urls()`, and then one node less:
/// cluster.nodes_mut()[0].kill();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts three nodes and waits until each knows the others and all slots.
    ///
    /// # Errors
    /// As for [`RedisServer::start`], and where the nodes do not agree within half a minute.
    pub async fn start() -> io::Result<Self> {
        let mut nodes = Vec::new();
        let mut buses = Vec::new();
        for (at, slots) in ["0 5460", "5461 10922", "10923 16383"].into_iter().enumerate() {
            let (node, bus) = node().await?;
            node.until(&format!("CLUSTER SET-CONFIG-EPOCH {}", at + 1), "+OK").await?;
            node.until(&format!("CLUSTER ADDSLOTSRANGE {slots}"), "+OK").await?;
            nodes.push(node);
            buses.push(bus);
        }
        for node in &nodes {
            for (other, bus) in nodes.iter().zip(&buses) {
                node.until(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", other.port()), "+OK").await?;
            }
        }
        for node in &nodes {
            node.until("CLUSTER INFO", "cluster_slots_ok:16384").await?;
            node.until("CLUSTER INFO", "cluster_state:ok").await?;
            node.until("CLUSTER INFO", "cluster_known_nodes:3").await?;
        }
        Ok(Self { nodes })
    }

    /// Starts a replica of one of the nodes, which takes its place when it is gone, and waits until it has what that one has.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    ///
    /// # Panics
    /// When there is no such node.
    pub async fn replica_of(&self, node: usize) -> io::Result<RedisServer> {
        let master = &self.nodes[node];
        let (replica, bus) = self::node().await?;
        let id = master.say("CLUSTER MYID").await?;
        master.until(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", replica.port()), "+OK").await?;
        replica.until("CLUSTER INFO", "cluster_known_nodes:4").await?;
        replica.until(&format!("CLUSTER REPLICATE {}", id.trim()), "+OK").await?;
        replica.until("INFO replication", "master_link_status:up").await?;
        for node in &self.nodes {
            node.until("CLUSTER SLOTS", &replica.port().to_string()).await?;
        }
        Ok(replica)
    }

    /// The addresses of the nodes as URLs.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// The nodes, the one with the first slots first.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The nodes, to be ended or paused.
    pub fn nodes_mut(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }
}

/// One node without slots, and the port at which others of its kind find it.
async fn node() -> io::Result<(RedisServer, u16)> {
    let bus = free_port()?;
    // A node without its slots is of use for the others; one that is slow on a busy machine is not dead.
    let settings = format!(
        "--cluster-enabled yes --cluster-port {bus} --cluster-require-full-coverage no --cluster-node-timeout 2000 \
         --repl-diskless-sync-delay 0"
    );
    Ok((RedisServer::start_with(settings.split(' ')).await?, bus))
}

/// A master that is called `mymaster`, two replicas, and three sentinels, of whom two must agree that it is down.
///
/// The servers refuse writes (`NOREPLICAS`) where no replica has been heard for two seconds, and the sentinels put another in
/// the place of a master that they have not heard for four: by then the old one takes nothing any longer, whoever it is cut
/// off with.
///
/// ```no_run
/// use countersign_testkit::redis_server::RedisSentinels;
///
/// # async fn example() -> std::io::Result<()> {
/// let mut world = RedisSentinels::start().await?;
/// // a store on `world.urls()`, and then a failover:
/// world.master_mut().kill();
/// # Ok(())
/// # }
/// ```
///
/// And one where the master lives on, with those who see no more than `world.master().url()`:
///
/// ```no_run
/// # async fn example(world: &countersign_testkit::redis_server::RedisSentinels) -> std::io::Result<()> {
/// world.isolate();
/// world.replica().until("INFO replication", "role:master").await?;
/// world.rejoin();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RedisSentinels {
    master: RedisServer,
    replicas: [RedisServer; 2],
    sentinels: Vec<RedisServer>,
    /// The way from the replicas, and from all sentinels but the last, to the master.
    line: RedisProxy,
}

/// By what a server is kept from taking writes that its replicas do not have.
const GUARDED: &str = "--repl-diskless-sync-delay 0 --min-replicas-to-write 1 --min-replicas-max-lag 2";

impl RedisSentinels {
    /// Starts them and waits until all sentinels know each other and the replicas, and the replicas have what the master has.
    ///
    /// # Errors
    /// As for [`RedisServer::start`], and where they do not agree within half a minute.
    pub async fn start() -> io::Result<Self> {
        let master = RedisServer::start_with(GUARDED.split(' ')).await?;
        let line = RedisProxy::start(master.port()).await?;
        let (near, far) = (master.port(), line.port());
        let replica = async |priority: u8| {
            let settings = format!("{GUARDED} --replica-priority {priority} --replicaof");
            let follows = format!("127.0.0.1 {far}");
            let replica = RedisServer::start_with(settings.split(' ').map(str::to_owned).chain([follows])).await?;
            replica.until("INFO replication", "master_link_status:up").await?;
            io::Result::Ok(replica)
        };
        // The first takes over.
        let replicas = [replica(1).await?, replica(100).await?];
        let mut sentinels = Vec::new();
        for port in [far, far, near] {
            let settings = format!(
                "sentinel monitor mymaster 127.0.0.1 {port} 2\n\
                 sentinel down-after-milliseconds mymaster 4000\n\
                 sentinel failover-timeout mymaster 5000\n"
            );
            sentinels.push(RedisServer::start_sentinel(settings).await?);
        }
        for sentinel in &sentinels {
            sentinel.until("SENTINEL CKQUORUM mymaster", "OK 3 usable").await?;
            for replica in &replicas {
                sentinel.until("SENTINEL REPLICAS mymaster", &replica.port().to_string()).await?;
            }
        }
        // Both are heard, so the master takes writes.
        master.until("INFO replication", "min_slaves_good_slaves:2").await?;
        Ok(Self { master, replicas, sentinels, line })
    }

    /// The addresses of the sentinels as URLs.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::url).collect()
    }

    /// The address of the sentinel that is cut off with the master where that is [isolated](Self::isolate). The connections that
    /// it brings about stay.
    ///
    /// # Panics
    /// Never: there are three.
    #[must_use]
    pub fn near_url(&self) -> String {
        self.near().url()
    }

    /// The addresses of the other two.
    #[must_use]
    pub fn far_urls(&self) -> Vec<String> {
        self.sentinels.iter().take(2).map(RedisServer::url).collect()
    }

    fn near(&self) -> &RedisServer {
        self.sentinels.last().expect("three sentinels")
    }

    /// Cuts the master off from its replicas and from two of the sentinels, without a word: connections stay open, and nothing
    /// comes through. The third sentinel is stopped: those on its side are told nothing new. The master's own port, and the
    /// connections that were made by [`near_url`](Self::near_url), work.
    pub fn isolate(&self) {
        self.line.set(Traffic::Hang);
        self.near().pause();
    }

    /// Ends the isolation. What is the master by then makes a replica of the old one.
    pub fn rejoin(&self) {
        self.near().resume();
        // What the old connections still hold belongs to nobody.
        self.line.set(Traffic::Pass);
        self.line.cut();
    }

    /// What was the master at first.
    pub fn master_mut(&mut self) -> &mut RedisServer {
        &mut self.master
    }

    /// What was the master at first.
    #[must_use]
    pub fn master(&self) -> &RedisServer {
        &self.master
    }

    /// What was a replica at first, and takes over.
    #[must_use]
    pub fn replica(&self) -> &RedisServer {
        let [replica, _] = &self.replicas;
        replica
    }

    /// The sentinels, to be ended or paused.
    pub fn sentinels_mut(&mut self) -> &mut [RedisServer] {
        &mut self.sentinels
    }
}

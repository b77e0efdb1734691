use super::{RedisServer, free_port};
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

/// A master that is called `mymaster`, its replica, and three sentinels, of whom two must agree that it is down.
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
#[derive(Debug)]
pub struct RedisSentinels {
    master: RedisServer,
    replica: RedisServer,
    sentinels: Vec<RedisServer>,
}

impl RedisSentinels {
    /// Starts them and waits until all sentinels know each other and the replica, and the replica has what the master has.
    ///
    /// # Errors
    /// As for [`RedisServer::start`], and where they do not agree within half a minute.
    pub async fn start() -> io::Result<Self> {
        let master = RedisServer::start_with(["--repl-diskless-sync-delay", "0"]).await?;
        let port = master.port();
        let replica = RedisServer::start_with(["--replicaof".to_owned(), format!("127.0.0.1 {port}")]).await?;
        replica.until("INFO replication", "master_link_status:up").await?;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            let settings = format!(
                "sentinel monitor mymaster 127.0.0.1 {port} 2\n\
                 sentinel down-after-milliseconds mymaster 1000\n\
                 sentinel failover-timeout mymaster 5000\n"
            );
            sentinels.push(RedisServer::start_sentinel(settings).await?);
        }
        for sentinel in &sentinels {
            sentinel.until("SENTINEL CKQUORUM mymaster", "OK 3 usable").await?;
            sentinel.until("SENTINEL REPLICAS mymaster", &replica.port().to_string()).await?;
        }
        Ok(Self { master, replica, sentinels })
    }

    /// The addresses of the sentinels as URLs.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::url).collect()
    }

    /// What was the master at first.
    pub fn master_mut(&mut self) -> &mut RedisServer {
        &mut self.master
    }

    /// What was its replica at first.
    #[must_use]
    pub fn replica(&self) -> &RedisServer {
        &self.replica
    }

    /// The sentinels, to be ended or paused.
    pub fn sentinels_mut(&mut self) -> &mut [RedisServer] {
        &mut self.sentinels
    }
}

//! Which addresses may be asked: an issuer's name must not lead into our own network.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

/// What may be asked beside public addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AddressRule {
    /// This machine.
    pub(super) loopback: bool,
    /// Private networks.
    pub(super) private: bool,
}

/// No address of the host is allowed.
#[derive(Debug, thiserror::Error)]
#[error("the host has no address that may be asked")]
pub(super) struct NotAllowed;

pub(super) fn is_allowed(rule: AddressRule, address: IpAddr) -> bool {
    is_public(address) || (rule.loopback && address.is_loopback()) || (rule.private && is_private(address))
}

/// Looks a name up: the system's resolver, unless a test has another.
type Lookup = Arc<dyn Fn(Name) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> + Send + Sync>;

/// Resolves names and leaves out what is not allowed, so that what is checked is what is dialled.
#[derive(Clone)]
pub(super) struct CheckedResolver {
    rule: AddressRule,
    look_up: Lookup,
}

impl CheckedResolver {
    pub(super) fn new(rule: AddressRule) -> Self {
        let system = |name: Name| -> Pin<Box<dyn Future<Output = _> + Send>> {
            Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) })
        };
        Self { rule, look_up: Arc::new(system) }
    }
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rule = self.rule;
        let looking_up = (self.look_up)(name);
        Box::pin(async move {
            let mut addresses = looking_up.await?;
            addresses.retain(|address| is_allowed(rule, address.ip()));
            if addresses.is_empty() {
                return Err(NotAllowed.into());
            }
            let allowed: Addrs = Box::new(addresses.into_iter());
            Ok(allowed)
        })
    }
}

/// What a network of one's own uses: RFC 1918, carrier-grade NAT, unique local, and this machine. Not link-local, where
/// metadata services live.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            address.is_private() || address.is_loopback() || (a == 100 && (64..=127).contains(&b))
        }
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback(),
    }
}

/// Globally reachable unicast, by the registries of RFC 6890.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., _, _)          // this network, private, loopback, multicast and reserved
            | (100, 64..=127, _)              // carrier-grade NAT
            | (169, 254, _)                   // link-local, metadata services among it
            | (172, 16..=31, _)               // private
            | (192, 168, _)                   // private
            | (192, 0, 0 | 2)                 // protocol assignments, documentation
            | (192, 88, 99)                   // 6to4 relays
            | (198, 18 | 19, _)               // benchmarks
            | (198, 51, 100)                  // documentation
            | (203, 0, 113) // documentation
    );
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // IPv4-mapped, and NAT64: as public as the address inside.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        // 6to4
        [0x2002, high, low, ..] => embedded(high, low),
        // Protocol assignments with Teredo, documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Global unicast; all else is loopback, local, multicast or unassigned.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::sync::Mutex;

    const LOOPBACK: AddressRule = AddressRule { loopback: true, private: false };
    const PRIVATE: AddressRule = AddressRule { loopback: false, private: true };

    #[tokio::test]
    async fn a_name_that_is_pointed_inwards_is_refused_each_time_it_is_looked_up() {
        let answers = Mutex::new(VecDeque::from([
            vec!["8.8.8.8"],
            vec!["127.0.0.1"],
            vec!["10.0.0.1", "8.8.4.4", "169.254.169.254"],
            vec!["::ffff:169.254.169.254"],
            vec![],
        ]));
        let look_up = move |_: Name| -> Pin<Box<dyn Future<Output = _> + Send>> {
            let answer = answers.lock().expect("lock").pop_front().expect("an answer");
            let parse = |address: &str| SocketAddr::new(address.parse().expect(address), 0);
            let answer = answer.into_iter().map(parse).collect();
            Box::pin(std::future::ready(Ok(answer)))
        };
        let resolver = CheckedResolver { rule: AddressRule::default(), look_up: Arc::new(look_up) };
        let mut outcomes = Vec::new();
        for _ in 0..5 {
            let outcome = resolver.resolve("issuer.example".parse().expect("a name")).await;
            outcomes.push(outcome.map(|found| found.map(|address| address.ip().to_string()).collect::<Vec<_>>()).ok());
        }
        let dialled = |address: &str| Some(vec![address.to_owned()]);
        assert_eq!(outcomes, [dialled("8.8.8.8"), None, dialled("8.8.4.4"), None, None]);
    }

    #[test]
    fn only_public_addresses_are_public() {
        let public = [
            "8.8.8.8",
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ];
        let others = [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12:3456::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "::127.0.0.1",
        ];
        for address in public {
            assert!(is_public(address.parse().expect(address)), "{address}");
        }
        for address in others {
            assert!(!is_public(address.parse().expect(address)), "{address}");
        }
        assert!(is_allowed(LOOPBACK, "::1".parse().expect("address")));
        assert!(!is_allowed(LOOPBACK, "10.0.0.1".parse().expect("address")));
        for (address, allowed) in [
            ("10.0.0.1", true),
            ("100.64.0.1", true),
            ("127.0.0.1", true),
            ("fd12:3456::1", true),
            ("::ffff:192.168.0.1", true),
            ("8.8.8.8", true),
            ("169.254.169.254", false),
            ("::ffff:169.254.169.254", false),
            ("fe80::1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
        ] {
            let parsed = address.parse().expect(address);
            assert_eq!(is_allowed(PRIVATE, parsed), allowed, "{address}");
        }
    }
}

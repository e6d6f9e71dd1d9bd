//! What an agent may connect to: a list, checked before a name is resolved and again after.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::address::{Host, HostPort};

/// Not a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a target: <host>:<port>, *.<domain>:<port> or <network>/<bits>:<port>, where the port may be *"
)]
pub struct AllowRuleError(String);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    Exactly(Host),
    /// All names that end in this, which begins with a dot.
    Below(String),
    Network(IpAddr, u8),
}

/// One kind of target that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowRule {
    hosts: Hosts,
    /// All ports if there is none.
    port: Option<u16>,
}

impl FromStr for AllowRule {
    type Err = AllowRuleError;

    fn from_str(text: &str) -> Result<Self, AllowRuleError> {
        let wrong = || AllowRuleError(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = match port {
            "*" => None,
            number => Some(
                number
                    .parse()
                    .ok()
                    .filter(|&port: &u16| port > 0)
                    .ok_or_else(wrong)?,
            ),
        };
        let hosts = if let Some(domain) = host.strip_prefix("*.") {
            match domain.parse().map_err(|_| wrong())? {
                Host::Name(name) => Hosts::Below(format!(".{name}")),
                Host::Ip(_) => return Err(wrong()),
            }
        } else if let Some((network, bits)) = host.rsplit_once('/') {
            let Host::Ip(ip) = network.parse().map_err(|_| wrong())? else {
                return Err(wrong());
            };
            let most = if ip.is_ipv4() { 32 } else { 128 };
            let bits = bits.parse().ok().filter(|&bits| bits <= most);
            Hosts::Network(ip, bits.ok_or_else(wrong)?)
        } else {
            Hosts::Exactly(host.parse().map_err(|_| wrong())?)
        };
        Ok(Self { hosts, port })
    }
}

impl AllowRule {
    fn permits(&self, target: &HostPort) -> bool {
        let host = match (&self.hosts, target.host()) {
            (Hosts::Exactly(host), target) => host == target,
            (Hosts::Below(suffix), Host::Name(name)) => name.ends_with(suffix.as_str()),
            (Hosts::Network(network, bits), Host::Ip(ip)) => contains(*network, *bits, *ip),
            (Hosts::Below(_), Host::Ip(_)) | (Hosts::Network(..), Host::Name(_)) => false,
        };
        host && self.port.is_none_or(|port| port == target.port())
    }
}

fn contains(network: IpAddr, bits: u8, ip: IpAddr) -> bool {
    match (network, ip.to_canonical()) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            network.to_bits() & mask == ip.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            network.to_bits() & mask == ip.to_bits() & mask
        }
        _ => false,
    }
}

/// Addresses at which clouds serve credentials to whoever asks from the machine, outside the link-local ranges.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// The targets that an agent connects to. Default: its own API server, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowList(Vec<AllowRule>);

impl Default for AllowList {
    fn default() -> Self {
        let api_server = HostPort::api_server();
        Self(vec![AllowRule {
            port: Some(api_server.port()),
            hosts: Hosts::Exactly(api_server.host().clone()),
        }])
    }
}

impl AllowList {
    /// A list of exactly these rules.
    #[must_use]
    pub fn new(rules: Vec<AllowRule>) -> Self {
        Self(rules)
    }

    /// Adds a rule.
    pub fn push(&mut self, rule: AllowRule) {
        self.0.push(rule);
    }

    /// Whether a target is on the list and not, as a literal, an address that is never allowed.
    #[must_use]
    pub fn permits(&self, target: &HostPort) -> bool {
        let never = matches!(target.host(), Host::Ip(ip) if is_never(*ip));
        !never && self.0.iter().any(|rule| rule.permits(target))
    }

    /// Whether an address that a permitted *name* resolved to may be connected to. A name must not lead to the machine itself, or to where clouds
    /// serve credentials, whoever controls its DNS.
    #[must_use]
    pub fn permits_resolved(&self, ip: IpAddr) -> bool {
        !is_never(ip) && !ip.to_canonical().is_loopback()
    }
}

/// Link-local, metadata, and what no connection can go to: whatever the list says.
fn is_never(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let kind = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    kind || ip.is_unspecified() || ip.is_multicast() || METADATA.contains(&ip)
}

impl fmt::Display for AllowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::Exactly(Host::Ip(IpAddr::V6(ip))) => write!(f, "[{ip}]")?,
            Hosts::Exactly(host) => write!(f, "{host}")?,
            Hosts::Below(suffix) => write!(f, "*{suffix}")?,
            Hosts::Network(network, bits) => write!(f, "{network}/{bits}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => f.write_str(":*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(rules: &[&str]) -> AllowList {
        AllowList::new(rules.iter().map(|rule| rule.parse().unwrap()).collect())
    }

    fn target(text: &str) -> HostPort {
        text.parse().unwrap()
    }

    #[test]
    fn only_the_own_api_server_by_default() {
        let list = AllowList::default();
        assert!(list.permits(&target("Kubernetes.default.svc.:443")));
        for no in [
            "kubernetes.default.svc:80",
            "kubernetes.default.svc.evil.com:443",
            "10.96.0.1:443",
            "127.0.0.1:443",
            "169.254.169.254:80",
        ] {
            assert!(!list.permits(&target(no)), "{no}");
        }
    }

    #[test]
    fn rules_match_what_they_say() {
        let list = list(&[
            "*.prod.svc:*",
            "10.0.0.0/8:6443",
            "[fd00::]/8:443",
            "db:5432",
        ]);
        for yes in [
            "a.prod.svc:1",
            "10.255.0.1:6443",
            "[fd12::9]:443",
            "db:5432",
        ] {
            assert!(list.permits(&target(yes)), "{yes}");
        }
        for no in [
            "prod.svc:1",
            "aprod.svc:1",
            "11.0.0.1:6443",
            "10.0.0.1:443",
            "[fe80::1]:443",
            "db:5433",
        ] {
            assert!(!list.permits(&target(no)), "{no}");
        }
    }

    #[test]
    fn credentials_of_the_machine_are_never_served() {
        let all = list(&["0.0.0.0/0:*", "[::]/0:*", "169.254.169.254:80"]);
        for never in [
            "169.254.169.254:80",
            "[::ffff:169.254.169.254]:80",
            "[fe80::1]:80",
            "0.0.0.0:80",
            "100.100.100.200:80",
            "[fd00:ec2::254]:80",
        ] {
            assert!(!all.permits(&target(never)), "{never}");
        }
        assert!(
            all.permits(&target("127.0.0.1:80")),
            "a literal that is listed"
        );
        for never in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.0.1"] {
            assert!(!all.permits_resolved(never.parse().unwrap()), "{never}");
        }
        assert!(all.permits_resolved("10.96.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for bad in [
            "",
            "host",
            "host:0",
            "*:443",
            "*.10.0.0.1:1",
            "10.0.0.0/33:1",
            "name/8:1",
            "a b:1",
        ] {
            assert!(bad.parse::<AllowRule>().is_err(), "{bad:?}");
        }
        for good in ["*.prod.svc:*", "10.0.0.0/8:6443", "[fd00::1]:1"] {
            assert_eq!(good.parse::<AllowRule>().unwrap().to_string(), good);
        }
    }
}

//! What agents say they can reach (`--agent-identifiers`).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// What an agent says it can reach: a URL query such as `host=node-1&ipv4=10.0.0.1&cidr=10.1.0.0/16&default-route=true`, whose keys may
/// repeat. Keys that are not known are ignored, as upstream's server does, so that newer agents can say more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identifiers {
    /// Host names, compared as they are written.
    pub hosts: Vec<String>,
    /// Addresses, of `ipv4` and `ipv6`.
    pub addresses: Vec<IpAddr>,
    /// Networks: an address and the length of its prefix.
    pub networks: Vec<(IpAddr, u8)>,
    /// Whether it takes what no other agent takes.
    pub default_route: bool,
}

/// Not identifiers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentifiersError {
    /// A value that its key does not allow.
    #[error("{key}={value:?} is not valid")]
    Value {
        /// The key.
        key: String,
        /// What it was given.
        value: String,
    },
    /// `%` without two hexadecimal digits, or what they mean is not UTF-8.
    #[error("{0:?} is not a URL query")]
    Encoding(String),
}

impl Identifiers {
    /// Whether an agent that may serve a cluster wants to: it names no host, or this one.
    pub(crate) fn leave(&self, cluster: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|host| host == cluster)
    }
}

impl FromStr for Identifiers {
    type Err = IdentifiersError;

    fn from_str(query: &str) -> Result<Self, IdentifiersError> {
        let mut all = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (key, value) = (decode(key)?, decode(value)?);
            let wrong = || IdentifiersError::Value {
                key: key.clone(),
                value: value.clone(),
            };
            match key.as_str() {
                "host" if value.is_empty() => return Err(wrong()),
                "host" => all.hosts.push(value),
                "ipv4" | "ipv6" => {
                    let address: IpAddr = value.parse().map_err(|_| wrong())?;
                    if address.is_ipv4() != (key == "ipv4") {
                        return Err(wrong());
                    }
                    all.addresses.push(address);
                }
                "cidr" => all.networks.push(network(&value).ok_or_else(wrong)?),
                "default-route" => all.default_route = value == "true",
                _ => {}
            }
        }
        Ok(all)
    }
}

impl fmt::Display for Identifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.hosts.iter().map(|host| ("host", encode(host)));
        let addresses = self.addresses.iter().map(|ip| match ip {
            IpAddr::V4(_) => ("ipv4", ip.to_string()),
            IpAddr::V6(_) => ("ipv6", encode(&ip.to_string())),
        });
        let networks = self
            .networks
            .iter()
            .map(|(ip, bits)| ("cidr", encode(&format!("{ip}/{bits}"))));
        let route = self
            .default_route
            .then(|| ("default-route", "true".to_owned()));
        let pairs: Vec<String> = hosts
            .chain(addresses)
            .chain(networks)
            .chain(route)
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        f.write_str(&pairs.join("&"))
    }
}

impl Identifiers {
    /// How well an agent fits a host: `None` not at all; an exact name or address fits best, then the longest prefix.
    pub(super) fn fit(&self, host: &str) -> Option<u8> {
        let address: Option<IpAddr> = host.parse().ok();
        let named = self.hosts.iter().any(|name| name == host);
        if named || address.is_some_and(|ip| self.addresses.contains(&ip)) {
            return Some(u8::MAX);
        }
        let networks = self.networks.iter();
        networks
            .filter(|(network, bits)| address.is_some_and(|ip| within(ip, *network, *bits)))
            .map(|(_, bits)| *bits)
            .max()
    }
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (ip, bits) = text.split_once('/')?;
    let (ip, bits): (IpAddr, u8) = (ip.parse().ok()?, bits.parse().ok()?);
    let most = if ip.is_ipv4() { 32 } else { 128 };
    (bits <= most).then_some((ip, bits))
}

fn within(ip: IpAddr, network: IpAddr, bits: u8) -> bool {
    let as_number = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let differs = as_number(ip) ^ as_number(network);
    ip.is_ipv4() == network.is_ipv4() && differs.leading_zeros() >= u32::from(bits)
}

fn decode(text: &str) -> Result<String, IdentifiersError> {
    let wrong = || IdentifiersError::Encoding(text.to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = digit().zip(digit()).ok_or_else(wrong)?;
                u8::try_from(high * 16 + low).map_err(|_| wrong())?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn encode(text: &str) -> String {
    use fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn identifiers_are_read_as_upstream_reads_them() {
        let text = "host=a.b&host=c%2Dd&ipv4=10.0.0.1&ipv6=fd00%3A%3A1&cidr=10.1.0.0%2F16&default-route=true&new=1";
        let all: Identifiers = text.parse().unwrap();
        assert_eq!(all.hosts, ["a.b", "c-d"]);
        assert_eq!(all.addresses.len(), 2);
        assert!(all.default_route);
        assert_eq!(all.to_string().parse(), Ok(all));
        assert_eq!("".parse(), Ok(Identifiers::default()));
        for bad in [
            "ipv4=fd00::1",
            "ipv6=10.0.0.1",
            "ipv4=x",
            "cidr=10.0.0.0",
            "cidr=10.0.0.0/33",
            "host=",
            "host=%",
            "host=%zz",
            "host=%ff",
        ] {
            assert!(bad.parse::<Identifiers>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_closest_fit_is_told() {
        let all: Identifiers =
            "host=a&ipv4=10.1.2.3&cidr=10.0.0.0/8&cidr=10.1.0.0/16&cidr=fd00::/64"
                .parse()
                .unwrap();
        for (host, fit) in [
            ("a", Some(255)),
            ("10.1.2.3", Some(255)),
            ("10.1.9.9", Some(16)),
            ("10.2.0.0", Some(8)),
            ("11.0.0.0", None),
            ("fd00::9", Some(64)),
            ("fd01::9", None),
            ("b", None),
        ] {
            assert_eq!(all.fit(host), fit, "{host}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,60}", host in "[0-9a-f:.]{0,20}") {
            if let Ok(all) = text.parse::<Identifiers>() {
                let _ = all.fit(&host);
                prop_assert_eq!(all.to_string().parse(), Ok(all));
            }
        }
    }
}

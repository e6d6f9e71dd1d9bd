//! What a connection goes to: a host and a port that were looked at before anyone resolves them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A host: an address or a DNS name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
    /// A DNS name in lower case without its final dot.
    Name(String),
}

impl fmt::Display for Host {
    /// An IPv6 address comes without brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Not a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `:port` at its end.
    #[error("{0:?} has no port")]
    NoPort(String),
    /// The port is not a number in 1..=65535.
    #[error("{0:?} is no port")]
    Port(String),
    /// Neither an address nor a DNS name.
    #[error("{0:?} is neither an IP address nor a DNS name")]
    Host(String),
}

impl FromStr for Host {
    type Err = AddressError;

    /// Takes an IPv4 address in its usual form, an IPv6 address with or without brackets, or a DNS name. Names that resolvers take for
    /// addresses in disguise (`127.1`, `0x7f000001`) are refused, so that a name stays a name.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Some(inner) = bare {
            return inner
                .parse::<Ipv6Addr>()
                .map(|ip| Self::Ip(ip.into()))
                .map_err(|_| AddressError::Host(text.to_owned()));
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Ip(ip));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let last = name.rsplit('.').next().unwrap_or_default();
        let numeric = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
        let valid = name.len() <= 253
            && name.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            });
        if valid && !numeric {
            Ok(Self::Name(name))
        } else {
            Err(AddressError::Host(text.to_owned()))
        }
    }
}

/// A host and a port: what a stream through the tunnel goes to, or where a hub listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    host: Host,
    port: u16,
}

impl HostPort {
    /// A port of a host.
    ///
    /// # Errors
    /// If the port is 0.
    pub fn new(host: Host, port: u16) -> Result<Self, AddressError> {
        if port == 0 {
            return Err(AddressError::Port("0".to_owned()));
        }
        Ok(Self { host, port })
    }

    /// What Pods call their own cluster's API server, and the default target of an agent: `kubernetes.default.svc:443`.
    #[must_use]
    pub fn api_server() -> Self {
        Self {
            host: Host::Name("kubernetes.default.svc".to_owned()),
            port: 443,
        }
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, never 0.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for HostPort {
    type Err = AddressError;

    /// Takes `host:port`; an IPv6 address must be in brackets.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = text
            .rsplit_once(':')
            .ok_or_else(|| AddressError::NoPort(text.to_owned()))?;
        if host.contains(':') && !host.starts_with('[') {
            return Err(AddressError::Host(host.to_owned()));
        }
        let number: u16 = if port.bytes().all(|b| b.is_ascii_digit()) {
            port.parse()
                .map_err(|_| AddressError::Port(port.to_owned()))?
        } else {
            return Err(AddressError::Port(port.to_owned()));
        };
        Self::new(host.parse()?, number).map_err(|_| AddressError::Port(port.to_owned()))
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_read_and_written() {
        for (text, written) in [
            ("kubernetes.default.svc:443", "kubernetes.default.svc:443"),
            ("Kubernetes.Default.SVC.:443", "kubernetes.default.svc:443"),
            ("10.0.0.1:6443", "10.0.0.1:6443"),
            ("[FD00::1]:6443", "[fd00::1]:6443"),
            ("a_b-c:1", "a_b-c:1"),
        ] {
            let parsed: HostPort = text.parse().unwrap();
            assert_eq!(parsed.to_string(), written);
            assert_eq!(written.parse::<HostPort>().unwrap(), parsed);
        }
    }

    #[test]
    fn what_is_no_host_and_port_is_refused() {
        for text in [
            "",
            ":443",
            "host",
            "host:",
            "host:0",
            "host:65536",
            "host:+1",
            "host:-1",
            "fd00::1:443",
            "[fd00::1:443",
            "[10.0.0.1]:443",
            "user@host:443",
            "host/path:443",
            "a..b:443",
            "-a:443",
            "a-:443",
            "127.1:443",
            "2130706433:443",
            "0x7f000001:443",
            "ho st:443",
            "host\r\n:443",
        ] {
            assert!(text.parse::<HostPort>().is_err(), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics_and_what_is_read_is_stable(text in "\\PC{0,40}") {
            if let Ok(parsed) = text.parse::<HostPort>() {
                proptest::prop_assert_eq!(parsed.to_string().parse::<HostPort>().unwrap(), parsed);
            }
        }
    }
}

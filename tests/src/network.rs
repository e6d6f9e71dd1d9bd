//! A real network boundary: two network namespaces, a link between them, and a firewall on the member's side.
//!
//! The hub is in one namespace, the member in the other. The member's side sends nothing to the hub but to its tunnel's port: not even the
//! answer to a connection that the hub tries to open. So the hub cannot dial the member, whatever listens there, and the member cannot reach
//! the hub's API; only an agent gets through. The firewall is a pair of routing rules, so neither nft nor iptables is needed.
//!
//! Programs are put into a namespace by small scripts of their names ([`Side::wrap`]), so that whatever starts a program by its path can be
//! put there too. It takes root and `ip` (iproute2).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::tools::skip;

/// The hub's address on the link.
pub const HUB_ADDRESS: &str = "10.77.0.1";
/// The member's address on the link.
pub const MEMBER_ADDRESS: &str = "10.77.0.2";
/// The one port of the hub that the member may connect to.
pub const TUNNEL_PORT: u16 = 8091;
/// The link's name on both sides.
const LINK: &str = "up0";

/// One side: a network namespace. Its processes end before it does.
#[derive(Debug)]
pub struct Side {
    namespace: String,
    scripts: TempDir,
}

/// Both sides. The namespaces are deleted when this is dropped.
#[derive(Debug)]
pub struct Network {
    /// Where the hub is.
    pub hub: Side,
    /// Where the member is.
    pub member: Side,
}

impl Network {
    /// Makes the namespaces and the link. `None`: this machine does not let us, and the test is to be skipped.
    ///
    /// # Panics
    /// The first was made and the rest cannot be.
    #[must_use]
    pub fn make() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let side = |name: &str| Side::make(&format!("koinon-{}-{number}-{name}", process::id()));
        let made = side("hub").and_then(|hub| Ok((hub, side("member")?)));
        let (hub, member) = match made {
            Ok(sides) => sides,
            Err(error) => {
                skip(&format!(
                    "no network namespaces (as root, with iproute2): {error}"
                ));
                return None;
            }
        };
        let network = Self { hub, member };
        let (here, there) = (&network.hub, &network.member);
        let peer = ["type", "veth", "peer", "name", LINK, "netns"];
        here.ip(&[&["link", "add", LINK], &peer[..], &[&there.namespace]].concat());
        for (side, address) in [(here, HUB_ADDRESS), (there, MEMBER_ADDRESS)] {
            let address = format!("{address}/30");
            side.ip(&["addr", "add", &address, "dev", LINK]);
            side.ip(&["link", "set", "lo", "up"]);
        }
        let port = TUNNEL_PORT.to_string();
        let to_hub = ["rule", "add", "to", HUB_ADDRESS];
        let tunnel = ["ipproto", "tcp", "dport", &port, "lookup", "main"];
        there.ip(&[&to_hub[..], &["pref", "100"], &tunnel].concat());
        there.ip(&[&to_hub[..], &["pref", "200", "blackhole"]].concat());
        network.raise();
        Some(network)
    }

    /// Takes the link down on the hub's side: nothing goes either way, and nobody is told that connections are gone.
    pub fn cut(&self) {
        self.hub.ip(&["link", "set", LINK, "down"]);
    }

    /// Brings the link up.
    pub fn raise(&self) {
        for side in [&self.hub, &self.member] {
            side.ip(&["link", "set", LINK, "up"]);
        }
    }
}

impl Side {
    fn make(namespace: &str) -> Result<Self, String> {
        ip(&["netns", "add", namespace])?;
        let scripts = tempfile::Builder::new()
            .prefix("koinon-netns-")
            .tempdir()
            .expect("a temporary directory");
        Ok(Self {
            namespace: namespace.to_owned(),
            scripts,
        })
    }

    fn ip(&self, arguments: &[&str]) {
        let words = [&["-n", &self.namespace], arguments].concat();
        ip(&words).unwrap_or_else(|error| panic!("ip {}: {error}", words.join(" ")));
    }

    /// A script that is the program inside of this namespace, under the same number of process as the script was started with. It lies at
    /// `place` in the folder of [`Side::programs`].
    ///
    /// # Panics
    /// It cannot be written.
    #[must_use]
    pub fn wrap(&self, program: &Path, place: &str) -> PathBuf {
        let file = self.scripts.path().join(place);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).expect("a folder of our own");
        }
        let text = format!(
            "#!/bin/sh\nexec ip netns exec {} '{}' \"$@\"\n",
            self.namespace,
            program.display()
        );
        fs::write(&file, text).expect("a script of our own");
        fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).expect("our own file");
        file
    }

    /// The folder of the scripts.
    #[must_use]
    pub fn programs(&self) -> &Path {
        self.scripts.path()
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if let Err(error) = ip(&["netns", "delete", &self.namespace]) {
            eprintln!("{} was left behind: {error}", self.namespace);
        }
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

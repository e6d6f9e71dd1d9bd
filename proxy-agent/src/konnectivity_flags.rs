//! Flags of konnectivity-agent (apiserver-network-proxy v0.36) that have no meaning here: taken, so that its manifests start this program, and
//! reported once.

use std::ffi::OsString;

/// Name, and whether a value follows. Go's boolean flags take a value only after `=`.
const WITHOUT_MEANING: &[(&str, bool)] = &[
    ("admin-bind-address", true),
    ("admin-server-port", true),
    ("alpn-proto", true),
    ("count-server-leases", false),
    ("enable-contention-profiling", false),
    ("enable-profiling", false),
    ("keepalive-time", true),
    ("kubeconfig", true),
    ("lease-label-selector", true),
    ("lease-namespace", true),
    ("logtostderr", false),
    ("alsologtostderr", false),
    ("probe-interval", true),
    ("server-count-source", true),
    ("sync-forever", false),
    ("sync-interval", true),
    ("sync-interval-cap", true),
    ("v", true),
    ("vmodule", true),
    ("warn-on-channel-limit", false),
    ("xfr-channel-size", true),
];

/// Takes those flags out of the arguments. Returns what is left, and the names of what was taken.
pub(crate) fn split(
    arguments: impl IntoIterator<Item = OsString>,
) -> (Vec<OsString>, Vec<&'static str>) {
    let (mut left, mut taken) = (Vec::new(), Vec::new());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        let bare = text.strip_prefix("--").or_else(|| text.strip_prefix('-'));
        let (name, inline) = match bare.map(|bare| {
            bare.split_once('=')
                .map_or((bare, false), |(name, _)| (name, true))
        }) {
            Some(named) => named,
            None => {
                left.push(argument);
                continue;
            }
        };
        match WITHOUT_MEANING.iter().find(|(known, _)| *known == name) {
            Some(&(known, valued)) => {
                taken.push(known);
                if valued && !inline {
                    arguments.next();
                }
            }
            None => left.push(argument),
        }
    }
    (left, taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_konnectivity_command_line_is_understood() {
        let line = "agent --logtostderr=true --ca-cert=/ca.crt --proxy-server-host hub --proxy-server-port=8132 --admin-server-port=8133 \
                    --health-server-port=8134 --sync-forever --agent-id x -v 4 --service-account-token-path=/token --v=2";
        let (left, taken) = split(line.split_whitespace().map(OsString::from));
        let left: Vec<_> = left.iter().map(|a| a.to_str().unwrap()).collect();
        assert_eq!(
            left.join(" "),
            "agent --ca-cert=/ca.crt --proxy-server-host hub --proxy-server-port=8132 --health-server-port=8134 \
             --agent-id x --service-account-token-path=/token"
        );
        assert_eq!(
            taken,
            ["logtostderr", "admin-server-port", "sync-forever", "v", "v"]
        );
        use clap::Parser as _;
        let cli = crate::Cli::try_parse_from(left).unwrap();
        assert_eq!(
            (cli.proxy_server_port, cli.health_server_port),
            (8132, 8134)
        );
    }
}

//! Which agent a dial goes through.

use std::fmt;
use std::str::FromStr;

use super::Identifiers;

/// What an agent may serve, as whoever accepted its connection knows it. What the agent says of itself can only narrow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The clusters that its certificate lists, and nothing else.
    Clusters(Vec<String>),
    /// Whatever it says it can reach: upstream's rule, under which any agent can take another's traffic. Only for a hub whose agents all
    /// belong together.
    Identifiers,
}

/// An unknown strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a proxy strategy: default, destHost and defaultRoute are")]
pub struct UnknownStrategy(String);

/// How an agent is chosen by its identifiers (`--proxy-strategies`). Of agents that fit alike, one that is not draining and has the
/// fewest connections is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Any agent.
    Default,
    /// One that names the host, its address or, unlike upstream, a network that the address is in; the longest prefix wins.
    DestHost,
    /// One with `default-route=true`.
    DefaultRoute,
}

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        match text {
            "default" => Ok(Self::Default),
            "destHost" => Ok(Self::DestHost),
            "defaultRoute" => Ok(Self::DefaultRoute),
            other => Err(UnknownStrategy(other.to_owned())),
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::DestHost => "destHost",
            Self::DefaultRoute => "defaultRoute",
        })
    }
}

/// An agent as far as the choice needs it.
#[derive(Clone, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) admission: &'a Admission,
    pub(super) identifiers: &'a Identifiers,
    pub(super) draining: bool,
    pub(super) load: usize,
}

/// The agents of a cluster, best first.
pub(super) fn for_cluster(agents: &[Candidate<'_>], cluster: &str) -> Vec<usize> {
    let serves = |agent: &Candidate<'_>| {
        let Admission::Clusters(clusters) = agent.admission else {
            return false;
        };
        clusters.iter().any(|name| name == cluster) && agent.identifiers.leave(cluster)
    };
    ranked(agents, |agent| serves(agent).then_some(0))
}

/// The agents that the first strategy with any agent gives for a host, best first. Agents of clusters are never among them.
pub(super) fn for_host(
    agents: &[Candidate<'_>],
    strategies: &[Strategy],
    host: &str,
) -> Vec<usize> {
    let fit = |strategy: Strategy, agent: &Candidate<'_>| {
        if *agent.admission != Admission::Identifiers {
            return None;
        }
        match strategy {
            Strategy::Default => Some(0),
            Strategy::DestHost => agent.identifiers.fit(host),
            Strategy::DefaultRoute => agent.identifiers.default_route.then_some(0),
        }
    };
    strategies
        .iter()
        .map(|strategy| ranked(agents, |agent| fit(*strategy, agent)))
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

fn ranked(agents: &[Candidate<'_>], fit: impl Fn(&Candidate<'_>) -> Option<u8>) -> Vec<usize> {
    let mut found: Vec<_> = agents
        .iter()
        .enumerate()
        .filter_map(|(place, agent)| {
            fit(agent).map(|fit| ((agent.draining, u8::MAX - fit, agent.load), place))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identifiers(text: &str) -> Identifiers {
        text.parse().unwrap()
    }

    #[test]
    fn a_cluster_is_served_only_by_agents_whose_certificate_says_so() {
        let [one, both] = [&["a"][..], &["a", "b"]].map(|names| {
            Admission::Clusters(names.iter().map(|name| (*name).to_owned()).collect())
        });
        let any = Admission::Identifiers;
        let (none, b) = (Identifiers::default(), identifiers("host=b"));
        let agent = |admission, identifiers, draining, load| Candidate {
            admission,
            identifiers,
            draining,
            load,
        };
        let agents = [
            agent(&any, &b, false, 0),
            agent(&one, &b, false, 0),
            agent(&both, &none, false, 5),
            agent(&both, &none, true, 0),
            agent(&both, &b, false, 1),
            agent(&one, &none, false, 2),
        ];
        assert_eq!(for_cluster(&agents, "a"), [5, 2, 3]);
        assert_eq!(for_cluster(&agents, "b"), [4, 2, 3]);
        assert!(for_cluster(&agents, "c").is_empty());
        assert_eq!(for_host(&agents, &[Strategy::Default], "a"), [0]);
    }

    #[test]
    fn strategies_are_tried_in_order() {
        let admission = Admission::Identifiers;
        let said = [
            "host=a",
            "cidr=10.0.0.0/8",
            "cidr=10.1.0.0/16",
            "default-route=true",
            "",
        ];
        let said: Vec<_> = said.iter().map(|text| identifiers(text)).collect();
        let agents: Vec<_> = said
            .iter()
            .map(|identifiers| Candidate {
                admission: &admission,
                identifiers,
                draining: false,
                load: 0,
            })
            .collect();
        let all = ["destHost", "defaultRoute"].map(|text| text.parse().unwrap());
        assert_eq!(for_host(&agents, &all, "a"), [0]);
        assert_eq!(for_host(&agents, &all, "10.1.1.1"), [2, 1]);
        assert_eq!(for_host(&agents, &all, "b"), [3]);
        assert!(for_host(&agents, &all[..1], "b").is_empty());
        assert_eq!(for_host(&agents, &[Strategy::Default], "b").len(), 5);
        assert!("random".parse::<Strategy>().is_err());
    }
}

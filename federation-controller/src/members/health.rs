//! Verdicts on a member, when they count, and the conditions they make. Pure.

use federation_api::kinds::{ClusterCondition, KubeFedClusterStatus};
use federation_api::reasons::cluster as reasons;
use federation_api::{Time, conditions};

/// What one probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `/healthz` answered `ok`.
    Ready {
        /// `gitVersion` of `/version`, if that answered too.
        version: Option<String>,
    },
    /// `/healthz` answered something else.
    NotReady,
    /// No usable answer.
    Unreachable {
        /// Why.
        error: String,
    },
    /// It is reached through its agent's tunnel, and no agent is connected: nobody needs to try.
    NoAgent,
    /// There is nothing to probe with.
    Malformed {
        /// Why.
        error: String,
    },
}

impl Verdict {
    /// True for [`Verdict::Ready`].
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready { .. })
    }

    /// Why the member is not ready, in a sentence; empty if it is.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Ready { .. } => String::new(),
            Self::NotReady => "/healthz responded without ok".to_owned(),
            Self::Unreachable { error } => format!("cluster is not reachable: {error}"),
            Self::NoAgent => {
                "cluster is not reachable: its agent is not connected to the hub's tunnel"
                    .to_owned()
            }
            Self::Malformed { error } => error.clone(),
        }
    }

    /// True for what is known without a network in between, so that once is enough.
    fn is_fact(&self) -> bool {
        matches!(self, Self::Malformed { .. } | Self::NoAgent)
    }
}

/// How many probes in a row change a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Failed probes before a ready cluster counts as not ready.
    pub failure: u32,
    /// Good probes before a cluster that is not ready counts as ready.
    pub success: u32,
}

/// Applies [`Thresholds`]. Unlike KubeFed's, the count is of probes that disagree with the reported verdict in a row,
/// so one lost probe does not flip a cluster.
#[derive(Clone, Debug)]
pub struct Track {
    thresholds: Thresholds,
    reported: Option<Verdict>,
    disagreeing: u32,
}

impl Track {
    /// Nothing known yet: the first verdict counts at once.
    #[must_use]
    pub fn new(thresholds: Thresholds) -> Self {
        Self {
            thresholds,
            reported: None,
            disagreeing: 0,
        }
    }

    /// Takes a verdict in and returns the one to report. A malformed configuration and a missing agent count at once, and so does
    /// whatever follows them: they are facts about the hub, not about a network.
    pub fn observe(&mut self, verdict: Verdict) -> &Verdict {
        let change_needs = match &self.reported {
            None => 0,
            Some(reported) if reported.is_fact() || verdict.is_fact() => 0,
            Some(reported) if reported.is_ready() && !verdict.is_ready() => self.thresholds.failure,
            Some(reported) if !reported.is_ready() && verdict.is_ready() => self.thresholds.success,
            Some(_) => 0,
        };
        self.disagreeing += 1;
        if self.disagreeing >= change_needs {
            self.disagreeing = 0;
            self.reported = Some(verdict);
        }
        self.reported.get_or_insert(Verdict::NotReady)
    }

    /// True if the last probes disagree with the verdict reported: look again soon.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.disagreeing > 0
    }
}

/// The status that a verdict makes: KubeFed's condition sets, which replace each other.
///
/// `lastTransitionTime` stays as long as the condition of that type keeps its status. Zones and region stay as they are.
#[must_use]
pub fn status(
    verdict: &Verdict,
    now: Time,
    previous: Option<&KubeFedClusterStatus>,
) -> KubeFedClusterStatus {
    let condition = |type_: &str, status: &str, reason: &str, message: String| {
        let held = previous.and_then(|held| held.conditions.iter().find(|one| one.type_ == type_));
        let since = held
            .filter(|held| held.status == status)
            .and_then(|held| held.last_transition_time)
            .unwrap_or(now);
        ClusterCondition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            last_probe_time: now,
            last_transition_time: Some(since),
            reason: Some(reason.to_owned()),
            message: Some(message),
        }
    };
    let conditions = match verdict {
        Verdict::Ready { .. } => vec![condition(
            conditions::READY,
            conditions::TRUE,
            reasons::READY,
            "/healthz responded with ok".to_owned(),
        )],
        Verdict::NotReady => vec![
            condition(
                conditions::READY,
                conditions::FALSE,
                reasons::NOT_READY,
                verdict.message(),
            ),
            condition(
                conditions::OFFLINE,
                conditions::FALSE,
                reasons::REACHABLE,
                "cluster is reachable".to_owned(),
            ),
        ],
        Verdict::Unreachable { .. } | Verdict::NoAgent => vec![condition(
            conditions::OFFLINE,
            conditions::TRUE,
            reasons::NOT_REACHABLE,
            verdict.message(),
        )],
        Verdict::Malformed { .. } => vec![condition(
            conditions::CONFIG_MALFORMED,
            conditions::TRUE,
            reasons::CONFIG_MALFORMED,
            verdict.message(),
        )],
    };
    KubeFedClusterStatus {
        conditions,
        kubernetes_version: match verdict {
            Verdict::Ready { version } => version
                .clone()
                .or_else(|| previous.and_then(|held| held.kubernetes_version.clone())),
            _ => None,
        },
        zones: previous.map(|held| held.zones.clone()).unwrap_or_default(),
        region: previous.and_then(|held| held.region.clone()),
    }
}

/// True if `new` says anything that `held` does not, or if the probe time of `held` is older than `heartbeat_secs`.
///
/// KubeFed writes every period, which every watcher of clusters then has to digest. Here `lastProbeTime` is the last
/// probe *that was worth a write*: it lags by at most the heartbeat.
#[must_use]
pub fn needs_write(
    held: Option<&KubeFedClusterStatus>,
    new: &KubeFedClusterStatus,
    heartbeat_secs: i64,
) -> bool {
    let Some(held) = held else { return true };
    let said = |status: &KubeFedClusterStatus| -> Vec<_> {
        status
            .conditions
            .iter()
            .map(|one| {
                (
                    one.type_.clone(),
                    one.status.clone(),
                    one.reason.clone(),
                    one.message.clone(),
                )
            })
            .collect()
    };
    if said(held) != said(new) || held.kubernetes_version != new.kubernetes_version {
        return true;
    }
    let probed = |status: &KubeFedClusterStatus| {
        status
            .conditions
            .first()
            .map_or(0, |one| one.last_probe_time.timestamp().as_second())
    };
    probed(new) - probed(held) >= heartbeat_secs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up() -> Verdict {
        Verdict::Ready {
            version: Some("v1.35.0".to_owned()),
        }
    }

    fn down() -> Verdict {
        Verdict::Unreachable {
            error: "connection refused".to_owned(),
        }
    }

    fn at(second: i64) -> Time {
        Time::new(jiff::Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn thresholds_count_probes_in_a_row() {
        let mut track = Track::new(Thresholds {
            failure: 3,
            success: 2,
        });
        let seen: Vec<bool> = [
            up(),
            down(),
            down(),
            up(),
            down(),
            down(),
            down(),
            up(),
            down(),
            up(),
            up(),
        ]
        .into_iter()
        .map(|verdict| track.observe(verdict).is_ready())
        .collect();
        assert_eq!(
            seen,
            [
                true, true, true, true, true, true, false, false, false, false, true
            ]
        );
    }

    #[test]
    fn the_first_verdict_and_malformed_ones_count_at_once() {
        let mut track = Track::new(Thresholds {
            failure: 3,
            success: 3,
        });
        assert_eq!(track.observe(down()), &down());
        let malformed = Verdict::Malformed {
            error: "no secret".to_owned(),
        };
        assert_eq!(track.observe(malformed.clone()), &malformed);
        assert_eq!(track.observe(up()), &up());
        assert_eq!(track.observe(Verdict::NoAgent), &Verdict::NoAgent);
        assert_eq!(track.observe(up()), &up());
        assert!(!track.is_in_doubt());
        assert_eq!(track.observe(down()), &up());
        assert!(track.is_in_doubt());
    }

    #[test]
    fn condition_sets_are_kubefeds() {
        let words = |verdict: &Verdict| -> Vec<String> {
            status(verdict, at(5), None)
                .conditions
                .iter()
                .map(|one| {
                    format!(
                        "{}={} {} {}",
                        one.type_,
                        one.status,
                        one.reason.as_deref().unwrap(),
                        one.message.as_deref().unwrap()
                    )
                })
                .collect()
        };
        assert_eq!(
            words(&up()),
            ["Ready=True ClusterReady /healthz responded with ok"]
        );
        assert_eq!(
            words(&Verdict::NotReady),
            [
                "Ready=False ClusterNotReady /healthz responded without ok",
                "Offline=False ClusterReachable cluster is reachable"
            ]
        );
        assert_eq!(
            words(&down()),
            ["Offline=True ClusterNotReachable cluster is not reachable: connection refused"]
        );
        assert_eq!(
            words(&Verdict::NoAgent),
            [
                "Offline=True ClusterNotReachable cluster is not reachable: its agent is not connected to the hub's tunnel"
            ]
        );
        assert_eq!(
            words(&Verdict::Malformed {
                error: "no secret".to_owned()
            }),
            ["ConfigMalformed=True ClusterConfigMalformed no secret"]
        );
    }

    #[test]
    fn transition_times_stay_and_only_news_or_the_heartbeat_is_written() {
        let first = status(&up(), at(100), None);
        let second = status(&up(), at(110), Some(&first));
        assert_eq!(second.conditions[0].last_transition_time, Some(at(100)));
        assert!(!needs_write(Some(&first), &second, 300));
        assert!(needs_write(
            Some(&first),
            &status(&up(), at(400), Some(&first)),
            300
        ));
        let lost = status(&down(), at(110), Some(&first));
        assert!(needs_write(Some(&first), &lost, 300));
        assert_eq!(lost.conditions[0].last_transition_time, Some(at(110)));
        assert_eq!(lost.kubernetes_version, None);
        assert!(needs_write(None, &first, 300));
    }
}

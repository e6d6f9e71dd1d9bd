//! What is due, and doing it.

use std::time::Duration;

use jiff::Timestamp;

use super::identity::Particulars;
use super::{CertificateError, Identity, Keyring};

/// How long certificates live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lives {
    /// Of a CA.
    pub(crate) authority: Duration,
    /// Of a serving certificate.
    pub(crate) serving: Duration,
}

impl Lives {
    /// How long a new CA is only trusted, at least: API servers learn of a changed bundle by watching.
    fn overlap(self) -> Duration {
        Duration::from_secs(60).min(self.authority / 10)
    }
}

/// What a decision looks at besides the keyring.
#[derive(Clone, Debug)]
pub(crate) struct Situation<'a> {
    /// The time.
    pub(crate) now: Timestamp,
    /// How long certificates are to live.
    pub(crate) lives: Lives,
    /// Names and addresses that the serving certificate must be valid for.
    pub(crate) hosts: &'a [String],
    /// Whether every bundle that API servers read holds all trusted CAs.
    pub(crate) is_published: bool,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is nothing usable: make a CA and a serving certificate. Whoever trusted others does not trust these yet.
    Begin,
    /// The CA grows old: make the next one and let it be trusted.
    Introduce,
    /// The next CA is trusted everywhere: let it sign.
    Promote,
    /// Only the serving certificate is due.
    Reissue,
    /// A CA that was trusted has expired.
    Forget,
}

/// Decides what is due; `None` if nothing is.
pub(crate) fn decide(keyring: Option<&Keyring>, situation: &Situation<'_>) -> Option<Step> {
    let now = situation.now;
    let Some(keyring) = keyring else {
        return Some(Step::Begin);
    };
    let read = |identity: &Identity| Particulars::of(&identity.certificate_pem).ok();
    let signer = match read(&keyring.signer) {
        Some(signer) if !signer.is_over(now) => signer,
        _ => return Some(Step::Begin),
    };
    match keyring.next.as_ref().map(read) {
        Some(Some(next)) => {
            let since = now.as_second() - next.made_at();
            let overlap = i64::try_from(situation.lives.overlap().as_secs()).unwrap_or(i64::MAX);
            if situation.is_published && since >= overlap {
                return Some(Step::Promote);
            }
        }
        Some(None) => return Some(Step::Introduce),
        None if signer.is_due(now) => return Some(Step::Introduce),
        None => {}
    }
    let good = read(&keyring.serving).is_some_and(|serving| {
        !serving.is_due(now)
            && serving.is_issued_by(&signer)
            && situation
                .hosts
                .iter()
                .all(|host| serving.hosts.contains(host))
            && keyring.serving.certified_key().is_ok()
    });
    // A serving certificate cannot outlive its CA: near the CA's end it is always due, and nothing is gained by a new one.
    let suffices = good || (signer.is_due(now) && is_usable(keyring, situation));
    if !suffices {
        return Some(Step::Reissue);
    }
    let stale = |pem: &String| Particulars::of(pem).map_or(true, |one| one.is_over(now));
    keyring.trusted.iter().any(stale).then_some(Step::Forget)
}

/// Can the serving certificate still be used?
fn is_usable(keyring: &Keyring, situation: &Situation<'_>) -> bool {
    Particulars::of(&keyring.serving.certificate_pem).is_ok_and(|serving| {
        !serving.is_over(situation.now)
            && situation
                .hosts
                .iter()
                .all(|host| serving.hosts.contains(host))
    }) && keyring.serving.certified_key().is_ok()
}

/// Does it. The same step on the same keyring gives new keys each time.
///
/// # Errors
/// If certificates cannot be made.
pub(crate) fn perform(
    step: Step,
    keyring: Option<&Keyring>,
    situation: &Situation<'_>,
    random: u128,
) -> Result<Keyring, CertificateError> {
    let (now, lives) = (situation.now, situation.lives);
    let authority = || Identity::authority(now, lives.authority, random);
    let Some(old) = keyring else {
        return begin(authority()?, Vec::new(), situation);
    };
    let valid = |pem: &&String| Particulars::of(pem).is_ok_and(|one| !one.is_over(now));
    let trusted: Vec<String> = old.trusted.iter().filter(valid).cloned().collect();
    match step {
        Step::Begin => begin(authority()?, trusted, situation),
        Step::Introduce => {
            let next = authority()?;
            let mut trusted = trusted;
            trusted.insert(0, next.certificate_pem.clone());
            Ok(Keyring {
                next: Some(next),
                trusted,
                ..old.clone()
            })
        }
        Step::Promote | Step::Reissue => {
            let (signer, next) = match (step, &old.next) {
                (Step::Promote, Some(next)) => (next.clone(), None),
                (_, next) => (old.signer.clone(), next.clone()),
            };
            Ok(Keyring {
                serving: signer.issue(now, lives.serving, &all_hosts(old, situation.hosts))?,
                signer,
                next,
                trusted,
            })
        }
        Step::Forget => Ok(Keyring {
            trusted,
            ..old.clone()
        }),
    }
}

fn begin(
    signer: Identity,
    mut trusted: Vec<String>,
    situation: &Situation<'_>,
) -> Result<Keyring, CertificateError> {
    trusted.insert(0, signer.certificate_pem.clone());
    Ok(Keyring {
        serving: signer.issue(situation.now, situation.lives.serving, situation.hosts)?,
        signer,
        next: None,
        trusted,
    })
}

/// Ours and those that the certificate has: replicas with different names would otherwise take it from each other for ever.
fn all_hosts(keyring: &Keyring, ours: &[String]) -> Vec<String> {
    let mut hosts = Particulars::of(&keyring.serving.certificate_pem)
        .map(|serving| serving.hosts)
        .unwrap_or_default();
    hosts.extend_from_slice(ours);
    hosts.sort();
    hosts.dedup();
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;
    const LIVES: Lives = Lives {
        authority: Duration::from_secs(365 * 24 * 3600),
        serving: Duration::from_secs(90 * 24 * 3600),
    };

    fn situation(day: i64, hosts: &[String]) -> Situation<'_> {
        Situation {
            now: Timestamp::from_second(1_700_000_000 + day * DAY).unwrap(),
            lives: LIVES,
            hosts,
            is_published: true,
        }
    }

    fn hosts() -> Vec<String> {
        vec![
            "koinon-webhook.kube-federation-system.svc".to_owned(),
            "127.0.0.1".to_owned(),
        ]
    }

    #[test]
    fn five_years_pass_and_every_certificate_is_trusted_before_it_is_used() {
        let hosts = hosts();
        let (mut keyring, mut published) = (None::<Keyring>, String::new());
        let mut steps = Vec::new();
        for day in 0..5 * 365 {
            // The bundle that API servers know is the one of the day before.
            let mut now = situation(day, &hosts);
            now.is_published = keyring.as_ref().is_some_and(|k| k.bundle() == published);
            if let Some(step) = decide(keyring.as_ref(), &now) {
                keyring = Some(perform(step, keyring.as_ref(), &now, day as u128).unwrap());
                steps.push(step);
            }
            let ring = keyring.as_ref().unwrap();
            let serving = Particulars::of(&ring.serving.certificate_pem).unwrap();
            assert!(!serving.is_over(now.now), "day {day}");
            if day > 0 {
                let trusted = split_trusted(&published)
                    .iter()
                    .any(|one| serving.is_issued_by(one) && !one.is_over(now.now));
                assert!(trusted, "day {day}: served with what nobody trusts");
            }
            let restored = Keyring::from_data(&ring.to_data()).unwrap();
            assert_eq!(&restored, ring);
            published = ring.bundle();
        }
        let count = |step| steps.iter().filter(|one| **one == step).count();
        assert_eq!(count(Step::Begin), 1);
        assert_eq!(count(Step::Introduce), count(Step::Promote));
        assert!((5..=8).contains(&count(Step::Promote)), "{steps:?}");
        assert!(count(Step::Reissue) > 10, "{steps:?}");
        assert!(keyring.unwrap().trusted.len() <= 3);
    }

    fn split_trusted(bundle: &str) -> Vec<Particulars> {
        bundle
            .split_inclusive("-----END CERTIFICATE-----\n")
            .map(|pem| Particulars::of(pem).unwrap())
            .collect()
    }

    #[test]
    fn a_next_authority_waits_for_every_bundle_and_a_while() {
        let hosts = hosts();
        let start = situation(0, &hosts);
        let ring = perform(Step::Begin, None, &start, 1).unwrap();
        let old = situation(300, &hosts);
        assert_eq!(decide(Some(&ring), &old), Some(Step::Introduce));
        let ring = perform(Step::Introduce, Some(&ring), &old, 2).unwrap();
        assert_eq!(ring.trusted.len(), 2);
        let mut later = old.clone();
        later.now = Timestamp::from_second(old.now.as_second() + 59).unwrap();
        assert_ne!(decide(Some(&ring), &later), Some(Step::Promote));
        later.now = Timestamp::from_second(old.now.as_second() + 60).unwrap();
        later.is_published = false;
        assert_ne!(decide(Some(&ring), &later), Some(Step::Promote));
        later.is_published = true;
        assert_eq!(decide(Some(&ring), &later), Some(Step::Promote));
    }

    #[test]
    fn an_authority_that_has_expired_is_forgotten() {
        let hosts = hosts();
        let start = situation(0, &hosts);
        let mut ring = perform(Step::Begin, None, &start, 1).unwrap();
        let day = Duration::from_secs(24 * 3600);
        let old = Identity::authority(start.now, day, 2).unwrap();
        ring.trusted.push(old.certificate_pem);
        assert_eq!(decide(Some(&ring), &start), None);
        let later = situation(2, &hosts);
        assert_eq!(decide(Some(&ring), &later), Some(Step::Forget));
        let ring = perform(Step::Forget, Some(&ring), &later, 3).unwrap();
        assert_eq!(
            ring.trusted,
            std::slice::from_ref(&ring.signer.certificate_pem)
        );
        assert_eq!(decide(Some(&ring), &later), None);
    }

    #[test]
    fn replicas_with_different_names_agree() {
        let (a, b) = (vec!["a".to_owned()], vec!["b".to_owned()]);
        let ring = perform(Step::Begin, None, &situation(0, &a), 1).unwrap();
        assert_eq!(decide(Some(&ring), &situation(0, &a)), None);
        assert_eq!(decide(Some(&ring), &situation(0, &b)), Some(Step::Reissue));
        let ring = perform(Step::Reissue, Some(&ring), &situation(0, &b), 2).unwrap();
        assert_eq!(decide(Some(&ring), &situation(0, &a)), None);
        assert_eq!(decide(Some(&ring), &situation(0, &b)), None);
    }

    #[test]
    fn what_is_broken_is_made_anew_and_what_is_trusted_stays() {
        let hosts = hosts();
        let ring = perform(Step::Begin, None, &situation(0, &hosts), 1).unwrap();
        let mut broken = ring.clone();
        broken.serving.key_pem = Identity::authority(situation(0, &hosts).now, LIVES.serving, 3)
            .unwrap()
            .key_pem;
        assert_eq!(
            decide(Some(&broken), &situation(0, &hosts)),
            Some(Step::Reissue)
        );
        broken.signer.certificate_pem = "nonsense".to_owned();
        let now = situation(1, &hosts);
        assert_eq!(decide(Some(&broken), &now), Some(Step::Begin));
        let made = perform(Step::Begin, Some(&broken), &now, 2).unwrap();
        assert_eq!(made.trusted.len(), 2);
        assert!(made.trusted.contains(&ring.trusted[0]));
    }
}

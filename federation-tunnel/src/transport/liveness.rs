//! Tells a dead connection from a quiet one.

use std::sync::Arc;
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::Instant;

use super::Meter;

/// How a silent peer is found out. Both ends use it, each for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LivenessTiming {
    /// Time between two pings.
    pub interval: Duration,
    /// How long nothing at all may arrive after a ping.
    pub timeout: Duration,
}

impl Default for LivenessTiming {
    /// 8 seconds each: a black hole is noticed within 16.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(8),
            timeout: Duration::from_secs(8),
        }
    }
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Send a ping and call [`Liveness::sent`].
    Ping,
    /// Nothing before this time, unless a pong arrives.
    Wait(Instant),
    /// The connection is dead.
    Dead,
}

/// The decision: pure, time is passed in. One ping is under way at most. A pong that is late proves nothing while other bytes arrive, since
/// it may queue behind them on a slow link: only silence kills.
#[derive(Debug)]
struct Liveness {
    timing: LivenessTiming,
    /// When the ping was sent that is under way.
    outstanding: Option<Instant>,
    /// When to send the next one.
    next: Instant,
}

impl Liveness {
    /// Pings at once: the first one measures the round trip.
    fn new(timing: LivenessTiming, now: Instant) -> Self {
        Self {
            timing,
            outstanding: None,
            next: now,
        }
    }

    fn step(&self, now: Instant, heard: Instant) -> Step {
        match self.outstanding {
            None if now >= self.next => Step::Ping,
            None => Step::Wait(self.next),
            Some(sent) => {
                let dead = sent.max(heard) + self.timing.timeout;
                if now >= dead {
                    Step::Dead
                } else {
                    Step::Wait(dead)
                }
            }
        }
    }

    fn sent(&mut self, now: Instant) {
        self.outstanding = Some(now);
        self.next = now + self.timing.interval;
    }

    /// Returns the round trip.
    fn pong(&mut self, now: Instant) -> Option<Duration> {
        self.outstanding.take().map(|sent| now - sent)
    }
}

/// Pings until the peer is silent for too long, or the connection ends otherwise. Returns whether it was silence. Notes round trips in the
/// meter.
pub(crate) async fn watch(mut ping: PingPong, meter: Arc<Meter>, timing: LivenessTiming) -> bool {
    let mut liveness = Liveness::new(timing, Instant::now());
    loop {
        match liveness.step(Instant::now(), meter.heard()) {
            Step::Dead => return true,
            Step::Ping => {
                if ping.send_ping(Ping::opaque()).is_err() {
                    return false;
                }
                liveness.sent(Instant::now());
            }
            Step::Wait(until) => {
                tokio::select! {
                    () = tokio::time::sleep_until(until) => {}
                    pong = std::future::poll_fn(|cx| ping.poll_pong(cx)) => {
                        if pong.is_err() {
                            return false;
                        }
                        if let Some(rtt) = liveness.pong(Instant::now()) {
                            meter.note_round_trip(rtt);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIMING: LivenessTiming = LivenessTiming {
        interval: Duration::from_secs(8),
        timeout: Duration::from_secs(8),
    };

    #[tokio::test(start_paused = true)]
    async fn a_late_pong_is_forgiven_while_bytes_arrive() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut liveness = Liveness::new(TIMING, start);
        assert_eq!(liveness.step(start, start), Step::Ping);
        liveness.sent(start);
        assert_eq!(liveness.step(at(7), start), Step::Wait(at(8)));
        assert_eq!(liveness.step(at(9), at(6)), Step::Wait(at(14)));
        assert_eq!(liveness.step(at(14), at(6)), Step::Dead);
    }

    proptest! {
        /// Whenever the other side falls silent, it is noticed within interval + timeout, and a live one is never taken for dead.
        #[test]
        fn silence_is_noticed_in_time_and_life_is_not_mistaken(
            silent_at in 0_u64..60_000, rtt in 0_u64..7_000,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let start = runtime.block_on(async { Instant::now() });
            let at = |ms: u64| start + Duration::from_millis(ms);
            let mut liveness = Liveness::new(TIMING, start);
            let (mut now, mut heard, mut pong_at) = (0, 0, None);
            let dead = loop {
                if let Some(pong) = pong_at && pong <= now {
                    heard = pong;
                    liveness.pong(at(pong));
                    pong_at = None;
                }
                match liveness.step(at(now), at(heard)) {
                    Step::Dead => break now,
                    Step::Ping => {
                        liveness.sent(at(now));
                        // Answered only if the answer arrives before the silence.
                        pong_at = Some(now + rtt).filter(|&pong| pong < silent_at);
                    }
                    Step::Wait(until) => {
                        let until = u64::try_from((until - start).as_millis()).unwrap();
                        now = pong_at.map_or(until, |pong: u64| pong.min(until)).max(now + 1);
                    }
                }
                prop_assert!(now < 120_000);
            };
            prop_assert!(dead >= silent_at.saturating_sub(8_000), "dead at {dead}");
            prop_assert!(dead <= silent_at.max(1) + 16_000 + rtt, "dead at {dead}, silent at {silent_at}");
        }
    }
}

//! How many requests are handled at once, and how long one may take.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::request::{Query, UserInfo};
use crate::status::ApiError;

/// Bounds on the work that clients can put on a server. The defaults are kube-apiserver's.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Reads (not watches) at once.
    pub reads: usize,
    /// Writes at once.
    pub writes: usize,
    /// Bytes of a request body.
    pub body_bytes: usize,
    /// How long a request that is not long-running may take.
    pub request_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reads: 400,
            writes: 200,
            body_bytes: 3 * 1024 * 1024,
            request_timeout: Duration::from_secs(60),
        }
    }
}

/// Counts requests in flight.
#[derive(Debug)]
pub(crate) struct InFlight {
    reads: Arc<Semaphore>,
    writes: Arc<Semaphore>,
}

impl InFlight {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            reads: Arc::new(Semaphore::new(limits.reads)),
            writes: Arc::new(Semaphore::new(limits.writes)),
        }
    }

    /// Takes a place until the permit is dropped. Members of `system:masters` are never turned away: an operator must
    /// be able to look at a server that is under load.
    ///
    /// # Errors
    /// 429 when all places are taken.
    pub(crate) fn enter(
        &self,
        write: bool,
        user: &UserInfo,
    ) -> Result<Option<OwnedSemaphorePermit>, ApiError> {
        let places = if write { &self.writes } else { &self.reads };
        match places.clone().try_acquire_owned() {
            Ok(permit) => Ok(Some(permit)),
            Err(_) if user.groups.iter().any(|g| g == "system:masters") => Ok(None),
            Err(_) => Err(ApiError::too_many_requests(
                "too many requests, please try again later",
                1,
            )),
        }
    }
}

/// The time that a request may take: the `timeout` parameter if it asks for less than the server's limit.
///
/// # Errors
/// 400 if the parameter is not a duration (`32s`, `1m30s`, `500ms`).
pub(crate) fn timeout(query: &Query, limit: Duration) -> Result<Duration, ApiError> {
    match query.get("timeout") {
        None | Some("") => Ok(limit),
        Some(text) => match parse_duration(text) {
            Some(wanted) if wanted.is_zero() => Ok(limit),
            Some(wanted) => Ok(wanted.min(limit)),
            None => Err(ApiError::bad_request(format!(
                "invalid timeout specified in the request URL - time: invalid duration {text:?}"
            ))),
        },
    }
}

/// Go's `time.ParseDuration` for durations that are not negative; a bare number counts seconds, as clients write it
/// in `timeoutSeconds`.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_len = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        total += number
            * match &rest[..unit_len] {
                "" | "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = &rest[unit_len..];
    }
    Duration::try_from_secs_f64(total).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_house_turns_away_all_but_masters() {
        let house = InFlight::new(&Limits {
            reads: 1,
            ..Limits::default()
        });
        let user = UserInfo::default();
        let held = house.enter(false, &user).unwrap();
        let error = house.enter(false, &user).unwrap_err();
        assert_eq!(
            (error.code.as_u16(), error.details.retry_after_seconds),
            (429, 1)
        );
        assert!(
            house.enter(true, &user).is_ok(),
            "writes have their own places"
        );
        assert!(house.enter(false, &UserInfo::internal("x")).is_ok());
        drop(held);
        assert!(house.enter(false, &user).is_ok());
    }

    #[test]
    fn timeouts_are_read_and_capped() {
        let limit = Duration::from_secs(60);
        let of = |text: &str| {
            timeout(&Query(vec![("timeout".to_owned(), text.to_owned())]), limit)
                .map(|d| d.as_millis())
        };
        assert_eq!(of("32s").unwrap(), 32_000);
        assert_eq!(of("1m30s").unwrap(), 60_000);
        assert_eq!(of("500ms").unwrap(), 500);
        assert_eq!(of("0").unwrap(), 60_000);
        assert_eq!(of("").unwrap(), 60_000);
        for bad in ["soon", "-1s", "1.2.3s", "5y"] {
            assert_eq!(of(bad).unwrap_err().code, 400, "{bad}");
        }
    }
}

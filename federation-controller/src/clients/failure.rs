//! What a failed request means to the one who asked.

use super::{LeaseLost, RequestTimedOut};

/// The kinds of failure that callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server has no such object (or no such kind).
    NotFound,
    /// An object of that name exists.
    AlreadyExists,
    /// The object changed since it was read, or a precondition did not hold.
    Conflict,
    /// The server refused it for good: retrying the same request is useless until something changes.
    Refused,
    /// The server answered that it cannot serve now.
    Busy,
    /// No answer in time.
    TimedOut,
    /// No connection, or it broke.
    Unreachable,
    /// Refused by our own fence.
    LeaseLost,
}

impl Failure {
    /// The kind of an error.
    #[must_use]
    pub fn of(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => match (status.code, status.reason.as_str()) {
                (404, _) => Self::NotFound,
                (409, "AlreadyExists") => Self::AlreadyExists,
                (409, _) => Self::Conflict,
                (408 | 504, _) => Self::TimedOut,
                (429 | 500..=599, _) => Self::Busy,
                _ => Self::Refused,
            },
            kube::Error::Service(source) if source.is::<RequestTimedOut>() => Self::TimedOut,
            kube::Error::Service(source) if source.is::<LeaseLost>() => Self::LeaseLost,
            kube::Error::SerdeError(_)
            | kube::Error::BuildRequest(_)
            | kube::Error::FromUtf8(_) => Self::Refused,
            _ => Self::Unreachable,
        }
    }

    /// True if the server may be gone: the health loop should look at once.
    #[must_use]
    pub fn doubts_server(self) -> bool {
        matches!(self, Self::TimedOut | Self::Unreachable)
    }
}

/// The failure in words for a status or an event: the server's own message where there is one, else the last cause.
#[must_use]
pub fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        kube::Error::Api(status) => format!("{} ({})", status.reason, status.code),
        other => innermost(other).to_string(),
    }
}

fn innermost<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last
}

/// The whole chain of causes in one line, for logs. Causes that a link repeats from its source are said once.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn api(code: u16, reason: &str) -> kube::Error {
        kube::Error::Api(Status::failure("said so", reason).with_code(code).boxed())
    }

    #[test]
    fn answers_are_told_apart() {
        for (code, reason, expected) in [
            (404, "NotFound", Failure::NotFound),
            (409, "AlreadyExists", Failure::AlreadyExists),
            (409, "Conflict", Failure::Conflict),
            (422, "Invalid", Failure::Refused),
            (403, "Forbidden", Failure::Refused),
            (429, "TooManyRequests", Failure::Busy),
            (503, "ServiceUnavailable", Failure::Busy),
            (504, "Timeout", Failure::TimedOut),
        ] {
            assert_eq!(Failure::of(&api(code, reason)), expected, "{code} {reason}");
        }
        let late = kube::Error::Service(RequestTimedOut(std::time::Duration::from_secs(3)).into());
        assert_eq!(Failure::of(&late), Failure::TimedOut);
        assert_eq!(message(&late), "no answer within 3 s");
        assert_eq!(
            Failure::of(&kube::Error::Service(LeaseLost.into())),
            Failure::LeaseLost
        );
        assert_eq!(message(&api(422, "Invalid")), "said so");
    }
}

//! The body of an answer: as it comes, until its cluster is deleted or the hub stops.

use std::pin::Pin;
use std::task::{Context, Poll};

use apiserver::http::{Body, BoxError, parse_query};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::pool::Place;

/// How an answer without an end of its own ends when the hub stops: it would only hold up the hub, and be cut all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// A watch: as if its time were up, as the hub's own watches do. Clients go on where they were.
    Close,
    /// A log that is followed: broken off, so that nobody takes it for all there is.
    Break,
}

impl Ending {
    /// Nothing, if the answer to a request with this query string has an end of its own.
    pub(super) fn of(query: Option<&str>) -> Option<Self> {
        // A query that cannot be read is the member's to refuse.
        let query = parse_query(query).ok()?;
        if query.flag("watch") {
            Some(Self::Close)
        } else {
            query.flag("follow").then_some(Self::Break)
        }
    }
}

/// Ready when a token is cancelled.
type Cancelled = Pin<Box<WaitForCancellationFutureOwned>>;

/// The member's body as it comes, until it is cut, or what `stop` names is cancelled; `place` lives as long as it does.
pub(super) fn streamed(
    body: Incoming,
    place: Option<Place>,
    cut: CancellationToken,
    stop: Option<(CancellationToken, Ending)>,
) -> Body {
    Cuttable {
        body,
        cut: Box::pin(cut.cancelled_owned()),
        stop: stop.map(|(stop, ending)| (Box::pin(stop.cancelled_owned()), ending)),
        _place: place,
    }
    .boxed_unsync()
}

/// A body that breaks off when its cluster is deleted, so that no client takes what it has for all there is.
struct Cuttable {
    body: Incoming,
    cut: Cancelled,
    stop: Option<(Cancelled, Ending)>,
    _place: Option<Place>,
}

impl http_body::Body for Cuttable {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err("the cluster was deleted".into())));
        }
        if let Some((stop, ending)) = &mut self.stop
            && stop.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(match ending {
                Ending::Close => None,
                Ending::Break => Some(Err("the hub stops".into())),
            });
        }
        Pin::new(&mut self.body)
            .poll_frame(cx)
            .map_err(BoxError::from)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_told_by_the_query() {
        for (query, ending) in [
            ("watch=true&resourceVersion=5", Some(Ending::Close)),
            ("limit=5&watch", Some(Ending::Close)),
            ("container=a&follow=true", Some(Ending::Break)),
            ("watch=false&follow=0", None),
            ("limit=500", None),
            ("", None),
        ] {
            assert_eq!(Ending::of(Some(query)), ending, "{query}");
        }
    }
}

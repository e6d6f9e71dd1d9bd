//! What a verb answers, before it is rendered in the form that the client asked for.

use std::sync::Arc;

use apiserver_store::Revision;
use futures::stream::BoxStream;
use http::StatusCode;
use serde_json::Value;

use crate::kinds::Kind;
use crate::object::Obj;
use crate::status::ApiError;

/// An object in an answer.
#[derive(Clone, Debug)]
pub enum Body {
    /// As stored; it is converted to the version of the request when it is rendered.
    Stored(Arc<Obj>),
    /// Not (or not so) stored: dry runs. Already in the version of the request.
    Value(Value),
}

/// The answer of a verb.
pub enum Reply {
    /// One object of a kind.
    Object {
        /// 200 or 201.
        code: StatusCode,
        /// Its row.
        kind: Arc<Kind>,
        /// The version to render it in.
        version: Arc<str>,
        /// The object.
        body: Body,
    },
    /// Something that is not an object of the requested kind: a `Status`, a `Scale`. Never rendered as a Table of the kind.
    Plain {
        /// 200 or 201.
        code: StatusCode,
        /// The whole body.
        value: Value,
    },
    /// A list or one page of it.
    List {
        /// The row of the items.
        kind: Arc<Kind>,
        /// The version to render them in.
        version: Arc<str>,
        /// `metadata.resourceVersion` of the list.
        revision: Revision,
        /// The items in key order.
        items: Vec<Arc<Obj>>,
        /// `metadata.continue`; `None` on the last page.
        continue_token: Option<String>,
        /// `metadata.remainingItemCount`, where it is known.
        remaining: Option<u64>,
    },
    /// A stream of changes.
    Watch {
        /// The row of the objects.
        kind: Arc<Kind>,
        /// The version to render them in.
        version: Arc<str>,
        /// The events; its end is the end of the response.
        events: WatchStream,
    },
}

/// The events of a watch. `Send`, and dropped when the client goes away.
pub type WatchStream = BoxStream<'static, WatchItem>;

/// One event of a watch, as the client is to see it (selectors are already applied).
#[derive(Clone, Debug)]
pub enum WatchItem {
    /// The object came to be, or came into the selection.
    Added(Arc<Obj>),
    /// It changed.
    Modified(Arc<Obj>),
    /// It was deleted or left the selection. `revision` is that of the deletion or change, and is what the rendered
    /// object's `resourceVersion` must say.
    Deleted {
        /// Its last state within the selection.
        object: Arc<Obj>,
        /// Revision of the change that took it away.
        revision: Revision,
    },
    /// Every earlier event up to this revision was sent.
    Bookmark {
        /// The revision.
        revision: Revision,
        /// The one bookmark that ends the initial events of a WatchList.
        initial_events_end: bool,
    },
    /// The stream failed; it is the last item.
    Error(ApiError),
}

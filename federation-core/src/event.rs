//! Events that decisions want told on the federated object.

/// An event. The caller knows the object, and folds repetitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `Warning` if true, else `Normal`.
    pub warning: bool,
    /// One word, see `federation_api::events`.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

impl Event {
    /// An event of type `Warning`.
    pub fn warning(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            warning: true,
            reason,
            message: message.into(),
        }
    }

    /// An event of type `Normal`.
    pub fn normal(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            warning: false,
            reason,
            message: message.into(),
        }
    }
}

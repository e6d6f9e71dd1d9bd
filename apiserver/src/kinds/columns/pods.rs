//! Cells of pods (`printPod` upstream).

use jiff::Timestamp;
use serde_json::Value;

const NONE: &str = "<none>";

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn or_none(text: &str) -> Value {
    if text.is_empty() {
        NONE.into()
    } else {
        text.into()
    }
}

/// Ready containers of all.
pub(super) fn ready(pod: &Value, _: Timestamp) -> Value {
    let total = list(pod, "/spec/containers").len();
    let ready = list(pod, "/status/containerStatuses")
        .iter()
        .filter(|status| status["ready"] == true && status.pointer("/state/running").is_some())
        .count();
    format!("{ready}/{total}").into()
}

/// The reason that says most: of init containers, then of containers, else the phase.
pub(super) fn status(pod: &Value, _: Timestamp) -> Value {
    let mut reason = match text(pod, "/status/reason") {
        "" => text(pod, "/status/phase"),
        given => given,
    }
    .to_owned();
    if let Some(waiting) = initialising(pod) {
        reason = waiting;
    } else {
        for status in list(pod, "/status/containerStatuses").iter().rev() {
            if let Some(word) = container_reason(status) {
                reason = word;
            }
        }
    }
    if !text(pod, "/metadata/deletionTimestamp").is_empty() {
        reason = if text(pod, "/status/reason") == "NodeLost" {
            "Unknown"
        } else {
            "Terminating"
        }
        .to_owned();
    }
    reason.into()
}

fn container_reason(status: &Value) -> Option<String> {
    let waiting = text(status, "/state/waiting/reason");
    if !waiting.is_empty() {
        return Some(waiting.to_owned());
    }
    let ended = status.pointer("/state/terminated")?;
    match text(ended, "/reason") {
        "" => {
            let signal = ended["signal"].as_i64().unwrap_or(0);
            let code = ended["exitCode"].as_i64().unwrap_or(0);
            Some(if signal != 0 {
                format!("Signal:{signal}")
            } else {
                format!("ExitCode:{code}")
            })
        }
        given => Some(given.to_owned()),
    }
}

/// `Init:…` while an init container has not ended well.
fn initialising(pod: &Value) -> Option<String> {
    let statuses = list(pod, "/status/initContainerStatuses");
    let total = list(pod, "/spec/initContainers").len();
    for (index, status) in statuses.iter().enumerate() {
        if status
            .pointer("/state/terminated/exitCode")
            .and_then(Value::as_i64)
            == Some(0)
        {
            continue;
        }
        return Some(match container_reason(status) {
            Some(word) if word != "PodInitializing" => format!("Init:{word}"),
            _ => format!("Init:{index}/{total}"),
        });
    }
    None
}

/// How often containers were started again.
pub(super) fn restarts(pod: &Value, _: Timestamp) -> Value {
    let count: i64 = list(pod, "/status/containerStatuses")
        .iter()
        .filter_map(|status| status["restartCount"].as_i64())
        .sum();
    count.to_string().into()
}

pub(super) fn ip(pod: &Value, _: Timestamp) -> Value {
    or_none(text(pod, "/status/podIP"))
}

pub(super) fn node(pod: &Value, _: Timestamp) -> Value {
    or_none(text(pod, "/spec/nodeName"))
}

pub(super) fn nominated(pod: &Value, _: Timestamp) -> Value {
    or_none(text(pod, "/status/nominatedNodeName"))
}

/// Met readiness gates of all.
pub(super) fn gates(pod: &Value, _: Timestamp) -> Value {
    let gates = list(pod, "/spec/readinessGates");
    if gates.is_empty() {
        return NONE.into();
    }
    let met = gates
        .iter()
        .filter(|gate| {
            list(pod, "/status/conditions")
                .iter()
                .any(|c| c["type"] == gate["conditionType"] && c["status"] == "True")
        })
        .count();
    format!("{met}/{}", gates.len()).into()
}

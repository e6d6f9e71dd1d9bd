//! Security contexts.

use super::super::at::{At, Findings};

/// The largest number of a user or group.
const MOST: i64 = i32::MAX as i64;

/// A Pod's security context.
pub(super) fn pod(context: &At<'_>, out: &mut Findings) {
    for field in ["runAsUser", "runAsGroup", "fsGroup"] {
        context.field(field).within(0, MOST, out);
    }
    for group in context.field("supplementalGroups").items() {
        group.within(0, MOST, out);
    }
}

/// A container's security context.
pub(super) fn container(context: &At<'_>, out: &mut Findings) {
    for field in ["runAsUser", "runAsGroup"] {
        context.field(field).within(0, MOST, out);
    }
    let escalation = context.field("allowPrivilegeEscalation").value;
    if *escalation == false && *context.field("privileged").value == true {
        out.push(
            context
                .invalid("cannot set `allowPrivilegeEscalation` to false and `privileged` to true"),
        );
    }
}

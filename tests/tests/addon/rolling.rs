//! Upgrades under load.

use std::thread::sleep;
use std::time::Duration;

use federation_tests::within;

use crate::world::{AddOn, SYSTEM};
use crate::writer::{Writer, Written};

/// Everything that was acknowledged is there in both versions, and in the member.
pub(crate) fn nothing_is_lost(add_on: &AddOn, written: &Written) {
    assert_eq!(written.failures, Vec::<String>::new());
    let kubectl = add_on.kubectl();
    for version in ["v1", "v1beta1"] {
        for (name, value) in &written.last {
            let kind = format!("federatedconfigmaps.{version}.types.kubefed.io");
            let object = kubectl.get(&kind, name);
            assert_eq!(object["spec"]["template"]["data"]["n"], **value, "{object}");
        }
    }
    within(Duration::from_secs(60), "the member has it all", || {
        written.last.iter().try_for_each(|(name, value)| {
            let held = add_on.in_cell(name)?;
            match held["data"]["n"] == **value {
                true => Ok(()),
                false => Err(format!("{name} should be {value}: {held}")),
            }
        })
    });
}

#[test]
fn a_rolling_upgrade_fails_no_write_and_loses_nothing() {
    let Some((add_on, webhooks, controllers)) = AddOn::start(2, 2) else {
        return;
    };
    add_on.join_itself();
    let leader = || {
        let lease = add_on.plane.kubectl().namespace(SYSTEM);
        lease.get("lease", "kubefed-controller-manager")["spec"]["holderIdentity"].clone()
    };
    let before = leader();
    let writer = Writer::start(&add_on);
    // As a Deployment does it: one new, then one old goes.
    let mut running = Vec::new();
    for old in webhooks {
        running.push(add_on.webhook(&[]));
        old.stop();
    }
    for old in controllers {
        running.push(add_on.controller());
        old.stop();
    }
    add_on.init(&["--wait", "--timeout", "60"]);
    within(Duration::from_secs(30), "another controller leads", || {
        let now = leader();
        match now != before && now != "" {
            true => Ok(()),
            false => Err(now),
        }
    });
    sleep(Duration::from_secs(2));
    let written = writer.stop();
    println!("{} writes were acknowledged meanwhile", written.done);
    assert!(written.done > 100, "only {} writes", written.done);
    nothing_is_lost(&add_on, &written);
}

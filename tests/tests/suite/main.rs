//! One suite of scenarios, run for every hub and every kind of member: {our hub, upstream hub} × {playground, upstream members}, and
//! our hub on PostgreSQL and on MariaDB × playground members.
//!
//! A column's servers are started once; its scenarios run side by side in workspaces of their own, and those that take something
//! away from everybody run after them, one at a time. `cargo xtask test` prints the table of scenarios and columns; a filter picks
//! cells by a part of their name: `cargo test -p federation-tests --test suite -- "upstream members: drift"`.

mod deployments;
mod fedctl;
mod foo;
mod masks;
mod namespaces;
mod outage;
mod registration;
mod removal;
mod repair;
mod run;
mod services;
mod status;
mod versions;

use std::process::ExitCode;

use run::Scenario;

/// Every row of the table.
const SCENARIOS: &[Scenario] = &[
    Scenario::shared(
        "release by mask, widened, cleared",
        masks::a_release_goes_cell_by_cell,
    ),
    Scenario::shared(
        "empty mask freezes all",
        masks::an_empty_mask_freezes_even_the_repair_of_drift,
    ),
    Scenario::shared("drift is repaired", repair::drift_is_repaired),
    Scenario::shared(
        "override changes one cell",
        repair::an_override_changes_one_cell,
    ),
    Scenario::shared(
        "settled objects are left alone",
        repair::what_is_settled_is_left_alone,
    ),
    Scenario::shared(
        "removal from the placement",
        removal::what_leaves_the_placement_is_deleted_unless_the_mask_spares_it,
    ),
    Scenario::shared(
        "deletion waits for finalizers",
        removal::deletion_waits_for_finalizers_in_the_members,
    ),
    Scenario::shared("orphans stay", removal::orphans_stay),
    Scenario::shared(
        "namespace deletion",
        namespaces::a_deleted_namespace_takes_everything_along,
    ),
    Scenario::shared(
        "federated namespaces end",
        namespaces::a_federated_namespace_really_ends,
    ),
    Scenario::shared(
        "annotation policy",
        services::annotations_are_the_templates_or_the_members_as_the_policy_says,
    ),
    Scenario::shared(
        "what a member fills in stays",
        services::what_a_member_fills_in_stays,
    ),
    Scenario::shared(
        "Deployments and their controller",
        deployments::nobody_fights_over_a_deployment,
    ),
    Scenario::shared(
        "cells and clusters, v1 and v1beta1",
        versions::an_object_has_two_faces,
    ),
    Scenario::shared("selectors", versions::selectors_choose_cells_and_clusters),
    Scenario::shared("fedctl: federate, mask, status", fedctl::masks_and_states),
    Scenario::shared("examples as written", fedctl::every_example_arrives),
    // Its second name for a member makes others' objects there look as if they were to go.
    Scenario::alone(
        "join with least privilege",
        registration::a_member_joined_with_least_privilege,
    ),
    Scenario::timed(
        "status returns within a second",
        status::a_members_status_is_on_the_hub_within_a_second,
    ),
    Scenario::alone(
        "member stopped during a release",
        outage::a_stopped_member_blocks_nobody_and_comes_back_as_it_was,
    ),
    Scenario::alone("token replaced", registration::a_replaced_token_is_noticed),
    Scenario::alone(
        "unjoined and joined again",
        registration::a_member_leaves_and_comes_back,
    ),
];

fn main() -> ExitCode {
    run::main(SCENARIOS)
}

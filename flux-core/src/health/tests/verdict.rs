//! The end of a wait.

use std::collections::BTreeMap;

use crate::{
    backend::Revision,
    health::{Health, HealthStatus, HealthStatus::*, WaitOutcome, WaitState, verdict},
    manifest::ResourceId,
};

fn healths(statuses: &[HealthStatus]) -> BTreeMap<ResourceId, Health> {
    let of = |(n, status): (usize, &HealthStatus)| {
        let id = ResourceId::new(None, "Widget", &n.to_string(), "example.com");
        (id, Health::new(*status, ""))
    };
    statuses.iter().enumerate().map(of).collect()
}

#[test]
fn a_wait_ends_when_there_is_nothing_more_to_learn() {
    let newer = Revision::new("2222222");
    let going = WaitState::default();
    let fast = WaitState { fail_fast: true, ..WaitState::default() };
    let overdue = WaitState { is_overdue: true, ..WaitState::default() };
    let old = WaitState { newer: Some(newer.clone()), ..WaitState::default() };
    let all = WaitState { newer: Some(newer.clone()), is_overdue: true, fail_fast: true };
    let superseded = || Some(WaitOutcome::Superseded(newer.clone()));
    let (healthy, failed, late) =
        (Some(WaitOutcome::Healthy), Some(WaitOutcome::Failed), Some(WaitOutcome::TimedOut));
    let table: [(&[HealthStatus], [Option<WaitOutcome>; 5]); 9] = [
        // going, fail fast, overdue, superseded, all of it
        (&[], [healthy.clone(), healthy.clone(), healthy.clone(), healthy.clone(), healthy.clone()]),
        (&[Current, Current], [healthy.clone(), healthy.clone(), healthy.clone(), healthy.clone(), healthy]),
        (&[Current, InProgress], [None, None, late.clone(), superseded(), superseded()]),
        (
            &[Current, Failed],
            [failed.clone(), failed.clone(), failed.clone(), failed.clone(), failed.clone()],
        ),
        (&[InProgress, Failed], [None, failed.clone(), failed.clone(), superseded(), failed.clone()]),
        (&[Terminating], [None, None, late.clone(), superseded(), superseded()]),
        (&[NotFound], [None, None, late.clone(), superseded(), superseded()]),
        (&[Unknown], [None, None, late, superseded(), superseded()]),
        (&[Failed, Unknown], [None, failed.clone(), failed.clone(), superseded(), failed]),
    ];
    for (statuses, outcomes) in table {
        for (state, outcome) in [&going, &fast, &overdue, &old, &all].into_iter().zip(outcomes) {
            assert_eq!(verdict(&healths(statuses), state), outcome, "{statuses:?} {state:?}");
        }
    }
}

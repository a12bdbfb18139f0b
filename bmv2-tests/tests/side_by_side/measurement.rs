//! The comparison, with the one switch that is always there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use vouch_bmv2_tests::Processes;
use vouch_bmv2_tests::compare::{Column, Contestant, Options, run};
use vouch_bmv2_tests::harness::TestResult;

/// Everything is measured, and a switch that is missing is named.
pub(crate) async fn every_row(_: Arc<Processes>) -> TestResult {
    let missing = Contestant { label: "other".to_owned(), bmv2: Some("/nowhere/simple_switch_grpc".into()) };
    let options = Options {
        trial: Duration::from_millis(20),
        packets: 500,
        entries: 100,
        ..Options::quick(vec![Contestant::p4_switch(), missing])
    };
    let report = run(&options, |_| {}).await?;
    if report.missing != ["other: /nowhere/simple_switch_grpc is not there"] {
        return Err(format!("{:?}", report.missing).into());
    }
    let loads: BTreeSet<_> = report.rows.iter().map(|row| row.load.as_str()).collect();
    let expected = [
        "IPv4 router",
        "VXLAN decapsulation",
        "VXLAN encapsulation",
        "delete",
        "flood to 8 tunnels",
        "insert",
        "modify",
    ];
    if !loads.iter().eq(&expected) {
        return Err(format!("{loads:?}").into());
    }
    let unmeasured = report.rows.iter().find(|row| {
        let value = row.values.iter().find(|(column, _)| *column == Column::Contestant(0));
        // A machine that is busy may lose frames at any rate.
        value.is_none_or(|(_, value)| *value <= 0.0) && !row.measure.contains("loss")
    });
    unmeasured.map_or(Ok(()), |row| Err(format!("{row:?}").into()))
}

//! The table of `countersign_testkit::adapter`, in the three frameworks.

use super::servers::{actix_server, actix_unguarded, axum_server, axum_unguarded, warp_server};
use super::world::worlds;
use countersign_testkit::adapter::{AdapterTable, Report, World, Worlds};
use std::io::Write;

#[tokio::test(flavor = "multi_thread")]
async fn the_three_adapters_answer_the_shared_table_alike() {
    let table = AdapterTable::with_worlds(worlds());
    let axum = async |world: World| Some(world.guard().map_or_else(axum_unguarded, axum_server));
    let actix = async |world: World| Some(world.guard().map_or_else(actix_unguarded, actix_server));
    // In warp claims come from the guard alone: there is no route to ask that has none.
    let warp = async |world: World| world.guard().map(warp_server);
    let reports = [table.run("axum", axum).await, table.run("actix-web", actix).await, table.run("warp", warp).await];
    let asked: usize = reports.iter().map(Report::asked).sum();
    // Not `println!`, which is kept from whoever runs the tests.
    writeln!(std::io::stderr(), "{} cases × 3 adapters, {asked} answers", table.cases().len()).expect("standard error");
    for report in &reports {
        report.assert_right();
        let differing = report.differences_from(&reports[0]);
        assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
    }
    for case in table.cases() {
        let is_asked = reports.iter().any(|report| !report.left_out().iter().any(|id| id == case.id()));
        assert!(is_asked, "{}: no framework of that name", case.id());
    }
}

/// What a fourth adapter is held to does not depend on a catalog of ours.
#[tokio::test(flavor = "multi_thread")]
async fn the_table_stands_without_a_catalog() {
    let table = AdapterTable::with_worlds(Worlds::new());
    table.run("warp", async |world| world.guard().map(warp_server)).await.assert_right();
}

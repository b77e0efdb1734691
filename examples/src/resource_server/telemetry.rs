use countersign::observe::MetricsObserver;
use countersign_keys::Health;
use metrics::{Unit, describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::error::Error;
use std::time::Duration;
use tracing::level_filters::LevelFilter;

const KEYS_AGE: &str = "resource_server_keys_age_seconds";

/// Seconds. Verdicts from memory take microseconds, those that wait for keys up to 5 s.
const BUCKETS: [f64; 12] = [0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// What was measured is kept one by one until it is put into its buckets: at each scrape, and this often where there is
/// none.
const UPKEEP: Duration = Duration::from_secs(5);

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Writes what happens to stdout, a JSON object a line.
pub(super) fn install_log() -> Outcome<()> {
    let log = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(LevelFilter::INFO);
    log.try_init().map_err(|error| -> Box<dyn Error> { error })
}

/// Counts what happens.
pub(super) fn install_metrics() -> Outcome<PrometheusHandle> {
    let handle = PrometheusBuilder::new().set_buckets(&BUCKETS)?.install_recorder()?;
    MetricsObserver::describe();
    describe_gauge!(KEYS_AGE, Unit::Seconds, "How old the keys in use are");
    Ok(handle)
}

/// Runs for as long as anything is measured.
pub(super) async fn keep_up(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}

/// The age of the keys is a matter of the moment at which it is asked for.
pub(super) fn measure_keys(health: &Health) {
    if let Some(age) = health.age_seconds {
        gauge!(KEYS_AGE, "provider" => health.provider.clone()).set(age as f64);
    }
}

//! The numbers of a scrape. Their names and meaning are documented in `docs/metrics.md`, which a test checks.

use ::console::metrics::Metric;

use base::EventKind;
use dnsbl::serve::{Outcome, Totals};

use super::Node;
use crate::clock;

impl Node {
    /// All metrics, read now.
    pub(super) fn collect_metrics(&self) -> Vec<Metric> {
        let mut metrics = self.engine_metrics();
        metrics.extend(self.book_metrics());
        metrics.extend(self.sensor_metrics());
        metrics.extend(self.gate_metrics());
        metrics.extend(self.store_metrics());
        metrics
    }

    fn engine_metrics(&self) -> Vec<Metric> {
        let counters = self.engine.counters();
        let observed =
            EventKind::ALL.iter().zip(counters.observed).map(|(kind, count)| (kind.name().to_owned(), count));
        vec![
            Metric::counter("events", "Events observed, by kind", 0).by("kind", observed),
            Metric::counter("attempts_counted", "Attempts that rules counted", counters.counted),
            Metric::counter(
                "attempts_told_twice",
                "Attempts that another channel had told already",
                counters.duplicate,
            ),
            Metric::counter(
                "attempts_repeated",
                "Attempts with the same wrong password again, not counted",
                counters.repeated_password,
            ),
            Metric::counter(
                "attempts_former",
                "Attempts with a password that was right once, not counted",
                counters.former_password,
            ),
            Metric::counter(
                "failures_taken_back",
                "Failures of one password database of several, taken back by the login's success",
                counters.held_taken_back,
            ),
            Metric::counter("subjects_evicted", "Subjects forgotten because a table was full", counters.evicted),
            Metric::counter("listings_by_rules", "Listings that rules made", counters.listings_made),
            Metric::counter("listings_shed", "Listings that the book had no room for", counters.listings_shed),
            Metric::counter(
                "tarpits_full",
                "Clients refused at once because as many as allowed were held",
                counters.tarpits_full,
            ),
            Metric::gauge(
                "counting_paused",
                "1 while counting is paused because the password database seems to be down",
                u64::from(counters.paused_until.is_some_and(|until| until > clock::now())),
            ),
        ]
    }

    fn book_metrics(&self) -> Vec<Metric> {
        let listings = self.names.lists().map(|(id, info)| (info.name.clone(), self.book.count(id) as u64));
        vec![
            Metric::gauge("listings", "Listings in force, by list", 0).by("list", listings),
            Metric::gauge("serial", "Number of the last change to the book", self.book.serial()),
            Metric::counter("never_listed", "Listings that the never-list refused", self.book.counters().refused_never),
        ]
    }

    fn sensor_metrics(&self) -> Vec<Metric> {
        let by_path = |value: fn(&super::SensorGauge) -> u64| {
            self.gauges().iter().map(|gauge| (gauge.path.display().to_string(), value(gauge))).collect::<Vec<_>>()
        };
        vec![
            Metric::counter("sensor_lines", "Log lines read, over all restarts, by file", 0)
                .by("file", by_path(|gauge| gauge.progress().lines)),
            Metric::counter("sensor_events", "Events found in them, by file", 0)
                .by("file", by_path(|gauge| gauge.progress().events)),
        ]
    }

    fn gate_metrics(&self) -> Vec<Metric> {
        let Some(outlets) = self.outlets.get() else { return Vec::new() };
        let mut metrics = outlets.gates.metrics();
        if let Some(outlet) = &outlets.dnsbl {
            let statistics = outlet.server.statistics();
            let sum = |value: &dyn Fn(&Totals) -> u64| value(&statistics.udp) + value(&statistics.tcp);
            let outcomes =
                Outcome::ALL.map(|outcome| (outcome.name().to_owned(), sum(&|totals| totals.outcome(outcome))));
            let lists = self.names.lists().filter(|(_, info)| info.code.is_some());
            let listed: Vec<_> = lists.map(|(id, info)| (info.name.clone(), sum(&|totals| totals.list(id)))).collect();
            metrics.extend([
                Metric::counter("dns_queries", "DNS queries, by what became of them", 0).by("outcome", outcomes),
                Metric::counter("dns_listed", "DNS answers that named a list", 0).by("list", listed),
            ]);
        }
        metrics
    }

    fn store_metrics(&self) -> Vec<Metric> {
        let health = self.store.health();
        vec![
            Metric::gauge("store_failing", "1 while the store cannot write", u64::from(health.failing_since.is_some())),
            Metric::gauge("store_queued", "Events that wait to be stored", health.queued as u64),
            Metric::counter("store_written", "Events written to the store", health.events_written),
            Metric::counter("store_shed", "Events that were not stored because too many waited", health.events_shed),
        ]
    }
}

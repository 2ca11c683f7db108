//! Metrics in Prometheus' text format.
//!
//! The node hands out plain numbers at each scrape ([`Metric`]); nothing is counted here, so that no hot path knows of
//! this room. Labels are names of the configuration only, never addresses or logins: those would be as many as there are
//! attackers, and would tell who was attacked.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// One metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Name without the prefix `ratter_` and without the suffix `_total`, which are added.
    pub name: &'static str,
    /// What it counts, in a sentence without a full stop.
    pub help: &'static str,
    /// Whether it only grows.
    pub kind: Kind,
    /// What it shows.
    pub value: Value,
}

/// Whether a metric only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Grows until the program ends.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// What a metric shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One number.
    One(u64),
    /// A number for each value of a label.
    By(&'static str, Vec<(String, u64)>),
}

impl Metric {
    /// A counter with one value.
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, kind: Kind::Counter, value: Value::One(value) }
    }

    /// A gauge with one value.
    pub fn gauge(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, kind: Kind::Gauge, value: Value::One(value) }
    }

    /// The same metric with a value for each value of a label instead.
    #[must_use]
    pub fn by(self, label: &'static str, values: impl IntoIterator<Item = (impl Into<String>, u64)>) -> Self {
        let values = values.into_iter().map(|(name, value)| (name.into(), value));
        Self { value: Value::By(label, values.collect()), ..self }
    }
}

/// The text of a scrape.
pub fn render(metrics: Vec<Metric>) -> String {
    let mut registry = Registry::with_prefix("ratter");
    registry.register_collector(Box::new(Scrape(metrics)));
    let mut text = String::new();
    // Writing to a string never fails; a scrape that did is an empty one.
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap_or_default();
    text
}

#[derive(Debug)]
struct Scrape(Vec<Metric>);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for metric in &self.0 {
            let metric_type = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
            };
            let mut family = encoder.encode_descriptor(metric.name, metric.help, None, metric_type)?;
            match &metric.value {
                Value::One(value) => encode(metric.kind, *value, family)?,
                Value::By(label, values) => {
                    for (name, value) in values {
                        encode(metric.kind, *value, family.encode_family(&[(*label, name.as_str())])?)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn encode(kind: Kind, value: u64, encoder: MetricEncoder<'_>) -> fmt::Result {
    match kind {
        Kind::Counter => ConstCounter::new(value).encode(encoder),
        Kind::Gauge => ConstGauge::new(value).encode(encoder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_is_prometheus_text() {
        let text = render(vec![
            Metric::counter("lines", "Log lines read", 7),
            Metric::gauge("listings", "Listings in force", 0).by("list", [("a\"b\nc".to_owned(), 2)]),
        ]);
        let wanted = "# HELP ratter_lines Log lines read\n# TYPE ratter_lines counter\nratter_lines_total 7\n\
                      # HELP ratter_listings Listings in force\n# TYPE ratter_listings gauge\n\
                      ratter_listings{list=\"a\\\"b\\nc\"} 2\n# EOF\n";
        assert_eq!(text, wanted);
    }
}

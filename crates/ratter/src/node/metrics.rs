//! The numbers of a scrape. Their names and meaning are documented in `docs/metrics.md`, which a test checks.

use ::console::metrics::Metric;

use base::EventKind;

use super::Node;
use crate::clock;

impl Node {
    /// All metrics, read now.
    pub(super) fn collect_metrics(&self) -> Vec<Metric> {
        let mut metrics = self.engine_metrics();
        metrics.extend(self.book_metrics());
        metrics.extend(self.sensor_metrics());
        metrics.extend(self.gate_metrics());
        metrics.extend(self.sending_metrics());
        metrics.extend(self.account_metrics());
        metrics.extend(self.actions.metrics(clock::now()));
        metrics.extend(self.store_metrics());
        metrics.extend(self.resolver_metrics());
        metrics.extend(self.asking().into_iter().flat_map(super::Asking::metrics));
        metrics
    }

    fn sending_metrics(&self) -> Vec<Metric> {
        let counters = self.sending.limiter().counters();
        let without_ends = self.sending.limiter().without_ends().count() as u64;
        let limits = self.sending.limiter().limits().iter().map(|limit| limit.name.to_string());
        vec![
            Metric::counter("limit_exceeded", "Messages that exceeded a limit on sending, by limit", 0)
                .by("limit", limits.zip(counters.exceeded)),
            Metric::counter("limit_asked", "Requests for recipients", counters.asked),
            Metric::counter("limit_settled", "Messages accepted and charged", counters.settled),
            Metric::counter("limit_released", "Messages given up before their end", counters.released),
            Metric::counter("limit_timed_out", "Messages that were heard of no more", counters.timed_out),
            Metric::counter(
                "limit_unended",
                "Messages given up and charged all the same, because no ends are told",
                counters.unended,
            ),
            Metric::gauge("limit_without_ends", "Limits under which no message comes to an end", without_ends),
            Metric::counter("limit_told_twice", "Messages whose end was told twice", counters.duplicate),
            Metric::counter("limit_shed", "Subjects forgotten because a table was full", counters.shed),
            Metric::counter(
                "limit_untracked",
                "Requests that passed unlimited because a table was full of full buckets",
                counters.untracked,
            ),
            Metric::counter("limit_unkept", "Charges that could not be written", self.sending.log().failed()),
            Metric::gauge("limit_subjects", "Subjects of limits that are known", counters.subjects),
            Metric::gauge("limit_reservations", "Messages on their way", counters.reservations),
            Metric::gauge("limit_bytes", "Bytes of the tables of the limits", counters.bytes),
        ]
    }

    fn engine_metrics(&self) -> Vec<Metric> {
        let counters = self.engine.counters();
        let observed = EventKind::ALL.iter().zip(counters.observed).map(|(kind, count)| (kind.name(), count));
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
                "listings_renewed",
                "Listings that last longer because the subject went on",
                counters.listings_renewed,
            ),
            Metric::counter("names_wanted", "Listings that waited for a reverse name", counters.names_wanted),
            Metric::counter(
                "names_missed",
                "Listings that were dropped because nobody could tell the reverse name in time",
                counters.names_missed,
            ),
            Metric::counter(
                "names_mended",
                "Listings that ended because the reverse name on which they rested is another",
                counters.names_mended,
            ),
            Metric::counter(
                "strangers",
                "Addresses that tried a login which many strangers try, and did not log in in time",
                counters.strangers,
            ),
            Metric::counter(
                "strangers_missed",
                "Addresses that tried such a login and were not followed because too many were",
                counters.strangers_missed,
            ),
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
        let all = self.book.held();
        let held = |of: fn(&listings::Held) -> usize| {
            let counts = all.iter().map(|held| (self.names.list(held.list).to_owned(), of(held) as u64));
            counts.collect::<Vec<_>>()
        };
        vec![
            Metric::gauge("listings", "Listings in force, by list", 0).by("list", listings),
            Metric::gauge("serial", "Number of the last change to the book", self.book.serial()),
            Metric::gauge("publish_coming", "Listings that wait because a published list grows too much, by list", 0)
                .by("list", held(|held| held.coming)),
            Metric::gauge(
                "publish_going",
                "Ends of listings that wait because a published list shrinks too much, by list",
                0,
            )
            .by("list", held(|held| held.going)),
            Metric::counter(
                "canaries_refused",
                "Listings of canaries that were refused",
                self.book.counters().refused_canaries,
            ),
            Metric::counter("removals", "Requests of people to be taken off, by what became of them", 0)
                .by("end", self.removals.read()),
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
            Metric::counter(
                "sensor_shed",
                "Lines and connections that a syslog listener refused or cut, by listener",
                0,
            )
            .by("file", by_path(|gauge| gauge.progress().shed)),
        ]
    }

    fn gate_metrics(&self) -> Vec<Metric> {
        let Some(outlets) = self.outlets.get() else { return Vec::new() };
        let mut metrics = outlets.gates.metrics();
        metrics.extend(outlets.reports.iter().flat_map(super::reports::ReportsOutlet::metrics));
        metrics.extend(outlets.dnsbl.iter().flat_map(|outlet| outlet.metrics(self)));
        metrics
    }

    fn resolver_metrics(&self) -> Option<Metric> {
        let counters = self.resolver()?.counters();
        let counts = [
            ("wanted", counters.wanted),
            ("remembered", counters.remembered),
            ("joined", counters.joined),
            ("shed", counters.shed),
            ("asked", counters.asked),
            ("unanswered", counters.unanswered),
            ("named", counters.named),
            ("no-name", counters.no_name),
            ("unknown", counters.unknown),
        ];
        Some(Metric::counter("resolver", "Searches for reverse names, by what became of them", 0).by("count", counts))
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

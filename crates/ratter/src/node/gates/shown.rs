//! The gates as people and metrics see them, a row each.

use ::gates::io::Connections;
use ::gates::{dovecot, line, map, milter, postfix, saslauthd, web};
use console::api::GateStatus;
use console::metrics::{Metric, Value};

use super::Running;

/// A gate as people and metrics see it.
pub(super) trait Shown: Send + Sync {
    /// Its name, as in `[gate.NAME]`.
    fn name(&self) -> &'static str;

    /// The metrics without values: connections that are open, connections by what became of them, and what was counted.
    fn metrics(&self) -> [Metric; 3];

    /// Everything that it has counted, by its name.
    fn counts(&self) -> Vec<(&'static str, u64)>;

    /// Questions, reports, and what was not understood.
    fn summary(&self) -> [u64; 3];
}

impl Running {
    pub(super) fn status(&self) -> GateStatus {
        let [asked, reported, malformed] = self.gate.summary();
        let listen = self.server.places().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        GateStatus { name: self.gate.name().to_owned(), listen, asked, reported, malformed }
    }

    pub(super) fn metrics(&self) -> [Metric; 3] {
        let [open, connections, counts] = self.gate.metrics();
        let now = self.server.connections();
        [
            Metric { value: Value::One(now.open as u64), ..open },
            connections.by("end", ends(now)),
            counts.by("count", self.gate.counts()),
        ]
    }
}

/// What became of connections, by the names of metrics.
const fn ends(connections: Connections) -> [(&'static str, u64); 5] {
    [
        ("accepted", connections.accepted),
        ("shed", connections.shed),
        ("faulty", connections.faulty),
        ("timed_out", connections.timed_out),
        ("accept_failed", connections.accept_failed),
    ]
}

impl Shown for dovecot::Gate {
    fn name(&self) -> &'static str {
        "dovecot"
    }

    fn metrics(&self) -> [Metric; 3] {
        [
            Metric::gauge("dovecot_connections_open", "Connections at Dovecot's gate", 0),
            Metric::counter("dovecot_connections", "Connections at Dovecot's gate, by what became of them", 0),
            Metric::counter("dovecot_gate", "Requests at Dovecot's gate, by what became of them", 0),
        ]
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        self.counters().named()
    }

    fn summary(&self) -> [u64; 3] {
        use dovecot::Count as C;
        let sum = |counts: &[C]| counts.iter().map(|count| self.counters().get(*count)).sum::<u64>();
        let outcomes = [C::ReportedOk, C::ReportedFailed, C::ReportedRefused];
        let others = [C::ReportedOutage, C::ReportedNoGuess, C::ReportedNobody];
        let reported = sum(&outcomes) + sum(&others);
        [sum(&[C::AskedBefore, C::AskedAfter]), reported, sum(&[C::OddFields, C::NotJson])]
    }
}

/// Questions, reports, and lines that were not understood.
fn of_lines(counters: &line::Counters) -> [u64; 3] {
    use line::Count as C;
    let reported = counters.get(C::ReportedOk) + counters.get(C::ReportedFailed);
    [counters.get(C::Asked), reported, counters.get(C::Malformed)]
}

impl Shown for line::Gate {
    fn name(&self) -> &'static str {
        "line"
    }

    fn metrics(&self) -> [Metric; 3] {
        [
            Metric::gauge("line_connections_open", "Connections at the line gate", 0),
            Metric::counter("line_connections", "Connections at the line gate, by what became of them", 0),
            Metric::counter("line_gate", "Lines at the line gate, by what became of them", 0),
        ]
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        self.counters().named()
    }

    fn summary(&self) -> [u64; 3] {
        of_lines(self.counters())
    }
}

impl Shown for web::Gate {
    fn name(&self) -> &'static str {
        "http"
    }

    fn metrics(&self) -> [Metric; 3] {
        [
            Metric::gauge("http_connections_open", "Connections at the HTTP gate", 0),
            Metric::counter("http_connections", "Connections at the HTTP gate, by what became of them", 0),
            Metric::counter("http_gate", "Requests at the HTTP gate, by what became of them", 0),
        ]
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        [self.asked().named(), self.counters().named()].concat()
    }

    fn summary(&self) -> [u64; 3] {
        let [asked, reported, malformed] = of_lines(self.asked());
        let own = |count| self.counters().get(count);
        [asked + own(web::Count::Nginx), reported, malformed + own(web::Count::PasswordsMalformed)]
    }
}

impl Shown for map::Gate {
    fn name(&self) -> &'static str {
        "map"
    }

    fn metrics(&self) -> [Metric; 3] {
        [
            Metric::gauge("map_connections_open", "Connections at the look-up tables", 0),
            Metric::counter("map_connections", "Connections at the look-up tables, by what became of them", 0),
            Metric::counter("map_gate", "Keys at the look-up tables, by what became of them", 0),
        ]
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        self.counters().named()
    }

    fn summary(&self) -> [u64; 3] {
        [self.counters().get(map::Count::Asked), 0, self.counters().get(map::Count::Malformed)]
    }
}

impl Shown for postfix::Gate {
    fn name(&self) -> &'static str {
        "postfix"
    }

    fn metrics(&self) -> [Metric; 3] {
        [
            Metric::gauge("postfix_connections_open", "Connections at Postfix' gate", 0),
            Metric::counter("postfix_connections", "Connections at Postfix' gate, by what became of them", 0),
            Metric::counter("postfix_gate", "Requests at Postfix' gate, by what became of them", 0),
        ]
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        self.counters().named()
    }

    fn summary(&self) -> [u64; 3] {
        [self.counters().get(postfix::Count::Asked), 0, self.counters().get(postfix::Count::Malformed)]
    }
}

impl Shown for milter::Gate {
    fn name(&self) -> &'static str {
        "milter"
    }

    fn metrics(&self) -> [Metric; 3] {
        [
            Metric::gauge("milter_connections_open", "Connections at the milter", 0),
            Metric::counter("milter_connections", "Connections at the milter, by what became of them", 0),
            Metric::counter("milter_gate", "Clients and messages at the milter, by what became of them", 0),
        ]
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        self.counters().named()
    }

    fn summary(&self) -> [u64; 3] {
        use milter::Count as C;
        let count = |count| self.counters().get(count);
        let (asked, reported) =
            (count(C::Connected) + count(C::Messages), count(C::UnknownRecipients) + count(C::RelayDenied));
        [asked, reported, count(C::Malformed)]
    }
}

impl Shown for saslauthd::Gate {
    fn name(&self) -> &'static str {
        "saslauthd"
    }

    fn metrics(&self) -> [Metric; 3] {
        [
            Metric::gauge("saslauthd_connections_open", "Connections before saslauthd", 0),
            Metric::counter("saslauthd_connections", "Connections before saslauthd, by what became of them", 0),
            Metric::counter("saslauthd_gate", "Questions before saslauthd, by what became of them", 0),
        ]
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        self.counters().named()
    }

    fn summary(&self) -> [u64; 3] {
        use saslauthd::Count as C;
        let count = |count| self.counters().get(count);
        [count(C::Asked), count(C::Ok) + count(C::Failed), count(C::Malformed)]
    }
}

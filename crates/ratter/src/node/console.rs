//! The node as the console sees it.

use std::io::Read;
use std::time::Duration;

use ::console::api::{
    DnsblStatus, EngineStatus, Fault, GateStatus, HeldView, ImportWish, Imported, KeyView, KeyWish, ListStatus,
    ListWish, ListingView, NewKey, PublishWish, Published, REASON_BYTES_MAX, ReporterStatus, ResetWish, RevokeWish,
    SensorStatus, Status, StoreStatus, UnlistWish, Why, WishedSpan,
};
use ::console::metrics::Metric;
use ::console::{Export, MapText};
use base::{Address, Evidence, ListId, Listing, Login, Maker, Subject, Timestamp, Until};
use listings::{Refusal, Wish};
use store::Asked;

use super::names::ListInfo;
use super::{CLOCK_STEP_MIN, DnsblOutlet, Node, bulk, evidence, views};
use crate::clock;

/// Longest name of a person, in bytes.
const PERSON_BYTES_MAX: usize = 64;

/// How long `list` and `unlist` wait until the change is in the file; after that it is in force all the same.
const SAVE_PATIENCE: Duration = Duration::from_secs(2);

impl ::console::Node for Node {
    fn status(&self) -> Status {
        let counters = self.engine.counters();
        let health = self.store.health();
        Status {
            node: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: views::time(self.started),
            serial: self.book.serial(),
            lists: self.names.lists().map(|(id, info)| self.list_status(id, info)).collect(),
            exceptions: self.exceptions.len(),
            sensors: self.gauges().iter().map(|gauge| gauge.status()).collect::<Vec<SensorStatus>>(),
            gates: self.gate_status(),
            reporters: self.reporters(),
            dnsbl: self.dnsbl_status(),
            actions: self.actions.status(clock::now()),
            engine: EngineStatus {
                counted: counters.counted,
                duplicates: counters.duplicate,
                repeated: counters.repeated_password,
                listings: counters.listings_made,
                paused_until: counters.paused_until.filter(|until| *until > clock::now()).map(views::time),
            },
            store: StoreStatus {
                path: self.store_path().display().to_string(),
                shed: health.events_shed,
                failing: health.failing_since.and(health.last_error).map(String::from),
                past_from: self.store.past_from().ok().flatten().map(views::time),
            },
            warnings: self.present_warnings(),
        }
    }

    fn why(&self, subject: &Subject, at: Option<&str>) -> Result<Why, Fault> {
        self.explain(&self.as_known(subject.clone()), at)
    }

    fn list(&self, wish: &ListWish) -> Result<ListingView, Fault> {
        let subject = self.as_known(parse_subject(&wish.subject)?);
        check_person(&wish.person)?;
        let (list, info) = self.find_list(&wish.list)?;
        if info.code.is_some() && matches!(subject, Subject::Login(_)) {
            let message = format!("{} is published by DNS, which knows no logins; `blocked` takes them", info.name);
            return Err(Fault::refused(message));
        }
        if !wish.force {
            check_width(&subject)?;
        }
        let now = clock::now();
        let reason = check_reason(&wish.reason)?;
        let until = until(wish.span, now, info.lifetime);
        let maker = Maker::Person { name: wish.person.as_str().into(), reason: reason.into() };
        let evidence = Evidence { count: 0, distinct: 0, first: now, last: now };
        let result = self.book.list(now, Wish { subject: subject.clone(), list, until, maker, evidence });
        result.map_err(|refusal| refused(refusal, &subject))?;
        self.store.audit(&wish.person, &format!("list {subject} on {}: {reason}", info.name));
        let unsaved = !self.save();
        let listing = self.book.about(&subject).into_iter().find(|l| l.list == list && l.subject == subject);
        listing
            .map(|listing| ListingView { unsaved, ..views::listing(&self.names, &listing) })
            .ok_or_else(|| Fault::refused(format!("{subject} was taken off {} again at the same moment", info.name)))
    }

    fn unlist(&self, wish: &UnlistWish) -> Result<Vec<ListingView>, Fault> {
        let subject = self.as_known(parse_subject(&wish.subject)?);
        check_person(&wish.person)?;
        let list = wish.list.as_deref().map(|name| self.find_list(name)).transpose()?.map(|(list, _)| list);
        let now = clock::now();
        let gone = self.book.unlist(now, &subject, list, &wish.person);
        let dropped = self.book.drop_held(&subject, list);
        if !dropped.is_empty() {
            let names: Vec<&str> = dropped.iter().map(|wish| self.names.list(wish.list)).collect();
            self.store.audit(&wish.person, &format!("unlist {subject}, which waited for {}", names.join(", ")));
        }
        let mut unsaved = false;
        if !gone.is_empty() {
            if let Subject::Network(network) = subject {
                self.engine.reports_refuted(now, network);
                self.engine.taken_back(network);
            }
            self.store.audit(&wish.person, &format!("unlist {subject}"));
            unsaved = !self.save();
        }
        let forgiven = self.forgive(now, &subject, &wish.person);
        let emptied = (list.is_none() && self.empty_limits(&subject)).then(|| {
            self.store.audit(&wish.person, &format!("unlist {subject}: its limits on sending are emptied"));
            ListingView { subject: subject.to_string(), emptied: true, ..ListingView::default() }
        });
        let waited = dropped.into_iter().map(|wish| {
            let Wish { subject, list, until, maker, evidence } = wish;
            let listing = Listing { subject, list, since: now, until, maker, evidence };
            ListingView { waited: true, ..views::listing(&self.names, &listing) }
        });
        let gone = gone.iter().map(|listing| ListingView { unsaved, ..views::listing(&self.names, listing) });
        Ok(gone.chain(waited).chain(forgiven).chain(emptied).collect())
    }

    fn listings(&self, list: Option<&str>, at: Option<&str>, limit: usize) -> Result<Vec<ListingView>, Fault> {
        if let Some(at) = at {
            // A list of the past need not be one of today's.
            let moment = evidence::past_moment(at, clock::now())?;
            return self.listings_then(moment, Asked { list, subject: None }, limit);
        }
        let list = list.map(|name| self.find_list(name)).transpose()?.map(|(list, _)| list);
        Ok(self.book.all(list, limit).iter().map(|listing| views::listing(&self.names, listing)).collect())
    }

    fn import(&self, wish: &ImportWish, networks: &mut dyn Read) -> Result<Imported, Fault> {
        bulk::import(self, wish, networks)
    }

    fn export(&self, list: &str) -> Result<Export, Fault> {
        bulk::export(self, list)
    }

    fn keys(&self) -> Result<Vec<KeyView>, Fault> {
        self.keys()
    }

    fn make_key(&self, wish: &KeyWish) -> Result<NewKey, Fault> {
        self.make_key(wish)
    }

    fn revoke_key(&self, wish: &RevokeWish) -> Result<KeyView, Fault> {
        self.revoke_key(wish)
    }

    fn held(&self) -> Vec<HeldView> {
        self.held_views()
    }

    fn decide_held(&self, wish: &PublishWish) -> Result<Published, Fault> {
        self.decide_held(wish)
    }

    fn trust_reporter(&self, wish: &ResetWish) -> Result<ReporterStatus, Fault> {
        self.trust_reporter(wish)
    }

    fn metrics(&self) -> Vec<Metric> {
        self.collect_metrics()
    }

    fn map(&self, name: &str) -> Option<MapText> {
        self.actions.map(name)
    }
}

impl Node {
    /// The subject with its login in the form under which it is counted.
    pub(super) fn as_known(&self, subject: Subject) -> Subject {
        match subject {
            Subject::Login(login) => {
                let known = Login::new(&self.logins.canonical(login.as_str()));
                Subject::Login(known.unwrap_or(login))
            }
            Subject::Network(_) => subject,
        }
    }

    /// Whoever takes a login off has looked at it: what it did counts no more. What is told of that, if anything was held
    /// against it.
    fn forgive(&self, now: Timestamp, subject: &Subject, person: &str) -> Option<ListingView> {
        let Subject::Login(login) = subject else { return None };
        if !self.forgive_account(now, login) {
            return None;
        }
        self.store.audit(person, &format!("unlist {subject}: signs that somebody else uses it are forgotten"));
        self.save();
        Some(ListingView { subject: subject.to_string(), forgiven: true, ..ListingView::default() })
    }

    pub(super) fn find_list(&self, name: &str) -> Result<(ListId, &ListInfo), Fault> {
        let unknown = || Fault::bad(format!("there is no list `{name}`; there are {}", self.names.all_lists()));
        self.names.list_named(name).ok_or_else(unknown)
    }

    /// Waits until a person's change is in the file, so that what was said to be done stays done; whether it is.
    pub(super) fn save(&self) -> bool {
        self.store.wake();
        let saved = self.store.flush(SAVE_PATIENCE);
        saved.inspect_err(|error| tracing::warn!(%error, "a change is in force, and not yet in the file")).is_ok()
    }

    fn list_status(&self, id: ListId, info: &ListInfo) -> ListStatus {
        ListStatus {
            name: info.name.clone(),
            code: info.code.map(|code| code.to_string()),
            listings: self.book.count(id),
        }
    }

    fn gate_status(&self) -> Vec<GateStatus> {
        let Some(outlets) = self.outlets.get() else { return Vec::new() };
        let reports = outlets.reports.iter().map(super::reports::ReportsOutlet::status);
        let exports = outlets.exports.iter().map(super::exported::ExportsOutlet::status);
        outlets.gates.status().into_iter().chain(reports).chain(exports).collect()
    }

    fn dnsbl_status(&self) -> Option<DnsblStatus> {
        self.dnsbl().map(DnsblOutlet::status)
    }

    fn present_warnings(&self) -> Vec<String> {
        let step = clock::step();
        let of_clock = (step >= CLOCK_STEP_MIN).then(|| {
            format!(
                "the system's clock was set by {} s since the start; Ratter keeps its own until it is restarted",
                step.as_secs()
            )
        });
        let now = clock::now();
        let of_sensors = self.gauges().into_iter().filter_map(|gauge| gauge.warning(now)).collect::<Vec<_>>();
        let of_files = self.dnsbl().map(DnsblOutlet::warnings).unwrap_or_default();
        let of_lists = self.asking().map(super::Asking::warnings).unwrap_or_default();
        self.warnings
            .iter()
            .cloned()
            .chain(of_files)
            .chain(self.address_files.warnings())
            .chain(of_lists)
            .chain(of_clock)
            .chain(of_sensors)
            .chain(self.gate_warnings())
            .chain(self.actions.warnings())
            .chain(self.reporter_warnings())
            .chain(self.held_warnings())
            .chain(self.blindness())
            .collect()
    }
}

/// The subject that a person means: a single IPv6 address stands for its /64, as everywhere.
fn parse_subject(text: &str) -> Result<Subject, Fault> {
    let subject = text.parse().map_err(|error| Fault::bad(format!("`{text}` {error}")))?;
    Ok(match subject {
        Subject::Network(network) if network.is_host() => Address::new(network.base()).aggregate().into(),
        Subject::Network(_) | Subject::Login(_) => subject,
    })
}

/// Refuses what is mostly a slip of the pen: a network of more than 65,536 IPv4 addresses, or more than a provider's IPv6.
pub(super) fn check_width(subject: &Subject) -> Result<(), Fault> {
    let Subject::Network(network) = subject else { return Ok(()) };
    let narrow_enough = if network.base().is_ipv4() { 16 } else { 32 };
    if network.length() >= narrow_enough {
        return Ok(());
    }
    Err(Fault::refused(format!("{network} is wider than a /{narrow_enough}; `--force` lists it all the same")))
}

/// The name of whoever gives an order, as he gives it: who may use the socket may use any name, so that it is no proof.
pub(super) fn check_person(name: &str) -> Result<(), Fault> {
    let fault =
        || Fault::bad(format!("`person` wants a name of 1 to {PERSON_BYTES_MAX} bytes without control characters"));
    is_line(name, PERSON_BYTES_MAX).then_some(()).ok_or_else(fault)
}

/// The reason that a person gives.
pub(super) fn check_reason(reason: &str) -> Result<&str, Fault> {
    let reason = reason.trim();
    let fault =
        || Fault::bad(format!("a reason of 1 to {REASON_BYTES_MAX} bytes is wanted, without control characters"));
    is_line(reason, REASON_BYTES_MAX).then_some(reason).ok_or_else(fault)
}

/// Whether a text of at most `most` bytes says something, and nothing that a terminal obeys.
fn is_line(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.len() <= most && !text.chars().any(char::is_control)
}

/// The end that a person wants.
pub(super) fn until(span: WishedSpan, now: Timestamp, lifetime: Duration) -> Until {
    match span {
        WishedSpan::Lifetime => Until::At(now.plus(lifetime)),
        WishedSpan::Seconds(seconds) => Until::At(now.plus(Duration::from_secs(seconds))),
        WishedSpan::Endless => Until::Never,
    }
}

fn refused(refusal: Refusal, subject: &Subject) -> Fault {
    Fault::refused(match refusal {
        Refusal::NeverListed => format!("{subject} is on the never-list, or overlaps it"),
        Refusal::AlreadyListed(_) => format!("{subject} is {}", refused_in_words(refusal)),
        Refusal::Full | Refusal::OverBeforeItBegan | Refusal::EndlessByRule | Refusal::Held => {
            refused_in_words(refusal)
        }
    })
}

/// Why the book did not want something.
pub(super) fn refused_in_words(refusal: Refusal) -> String {
    let until = |until: Until| views::end(until).unwrap_or_else(|| "somebody lifts it".to_owned());
    match refusal {
        Refusal::NeverListed => "on the never-list, or overlaps it".to_owned(),
        Refusal::AlreadyListed(end) => format!("listed already until {}", until(end)),
        Refusal::Full => "the book is full".to_owned(),
        Refusal::OverBeforeItBegan => "a listing of no time at all is none".to_owned(),
        Refusal::Held => "too much comes onto the list, so that it waits".to_owned(),
        Refusal::EndlessByRule => "only a person may want a listing without end".to_owned(),
    }
}

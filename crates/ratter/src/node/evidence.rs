//! What a listing rests on, as people and programs read it: `why`.

use std::collections::BTreeMap;

use ::console::api::{CountView, Fault, KnownAddress, LevelView, ListingView, ProtectionView, ReverseNameView, Why};
use base::{Address, ListId, Listing, Login, Maker, Subject, Timestamp};
use rules::{BY_REVERSE_NAME, Level};
use store::{Asked, KeptEvent, Past, PastListing, PastMaker, Then};

use super::{Node, views};
use crate::{clock, moment};

/// Most events and changes that are shown one by one.
const ROWS_MAX: usize = 20;

/// Most events that are counted by their kinds.
const COUNTED_MAX: usize = store::limits::ROWS_ASKED_MAX;

/// Most lines that may be handed to others.
const SAMPLES_MAX: usize = 5;

/// Most protections that are told: a wide network may hold thousands.
const PROTECTIONS_MAX: usize = 10;

/// What is listed where the subject is.
fn party_of(subject: &Subject) -> Subject {
    match subject {
        Subject::Network(network) if network.is_host() => Address::new(network.base()).aggregate().into(),
        Subject::Network(_) | Subject::Login(_) => subject.clone(),
    }
}

impl Node {
    /// See [`::console::Node::why`].
    pub(super) fn explain(&self, subject: &Subject, at: Option<&str>) -> Result<Why, Fault> {
        let now = clock::now();
        let moment = at.map(|at| past_moment(at, now)).transpose()?;
        let until = moment.unwrap_or(now);
        // What cannot be read is missing from the answer, and the store's own health says why.
        let events = self.store.events_about(subject, now.minus(self.history), COUNTED_MAX).unwrap_or_default();
        let events: Vec<KeptEvent> =
            events.into_iter().filter(|event| moment.is_none() || event.time <= until).collect();
        let is_then = |change: &Past| moment.is_none() || change.at <= until;
        let changes = self.store.history(subject, COUNTED_MAX).unwrap_or_default().into_iter().filter(is_then);
        let listings = match moment {
            Some(moment) => self.listings_then(moment, Asked { list: None, subject: Some(subject) }, COUNTED_MAX)?,
            None => self.book.about(subject).iter().map(|listing| self.listing_view(listing)).collect(),
        };
        let never = self.book.never_list();
        // Listed is the party that an address belongs to, and of that a neighbour may be protected.
        let party = party_of(subject);
        let mut why = Why {
            subject: subject.to_string(),
            at: moment.map(views::time),
            never_listed: never.covers(&party),
            protections: never.protections_of(&party).take(PROTECTIONS_MAX).map(protection).collect(),
            listings,
            reverse_names: self.reverse_names(subject, until),
            counts: counts(&events),
            samples: events.iter().take(SAMPLES_MAX).map(sample).collect(),
            events: events.iter().take(ROWS_MAX).map(views::event).collect(),
            history: changes.take(ROWS_MAX).map(|change| views::change(&change)).collect(),
            ..Why::default()
        };
        if moment.is_none() {
            why.exceptions = self.exception_views(now, subject);
            why.waiting = self.waiting(subject);
            why.elsewhere = self.elsewhere(now, subject);
            (why.levels, why.known_addresses) = self.levels(now, subject);
            why.limits = self.limit_views(now, subject);
            why.account = self.account_view(now, subject);
        }
        Ok(why)
    }

    /// What waits behind the brakes of lists for exactly this subject.
    fn waiting(&self, subject: &Subject) -> Vec<String> {
        let (coming, going) = self.book.held_of(subject);
        let name = |list: ListId| self.names.list(list);
        let coming = coming.iter().map(|list| {
            let list = name(list);
            format!("It waits to come onto {list}, which changes too much: `ratter publish --show`.")
        });
        let going = going.iter().map(|list| {
            let list = name(list);
            format!("It waits to go off {list}, which changes too much: `ratter publish --show`.")
        });
        coming.chain(going).collect()
    }

    /// The listings in force at a past moment.
    pub(super) fn listings_then(
        &self,
        moment: Timestamp,
        asked: Asked<'_>,
        limit: usize,
    ) -> Result<Vec<ListingView>, Fault> {
        // What was done a moment ago belongs to it.
        self.save();
        match self.store.at(moment, asked, limit) {
            Ok(Then::Known { listings, .. }) => Ok(listings.iter().map(|listing| self.past_view(listing)).collect()),
            Ok(Then::Forgotten { from }) => {
                Err(Fault::refused(format!("what was listed is known from {} on", views::time(from))))
            }
            Err(error) => Err(Fault::refused(error.to_string())),
        }
    }

    fn past_view(&self, listing: &PastListing) -> ListingView {
        let (maker, reason, culprits) = match &listing.maker {
            PastMaker::Rule(name) => {
                let rule = self.names.rule_named(name);
                let culprits = rule.and_then(|rule| self.names.culprits(rule, &listing.subject));
                (format!("rule {name}"), views::grounds(&listing.evidence, culprits.as_deref()), culprits)
            }
            PastMaker::Person { name, reason } => (format!("person {name}"), reason.to_string(), None),
        };
        ListingView {
            subject: listing.subject.to_string(),
            list: listing.list.to_string(),
            since: views::time(listing.since),
            until: views::end(listing.until),
            maker,
            reason,
            first: views::time(listing.evidence.first),
            last: views::time(listing.evidence.last),
            culprits,
            ..ListingView::default()
        }
    }

    /// A listing in force, with what is known beside it.
    pub(super) fn listing_view(&self, listing: &Listing) -> ListingView {
        let version = match &listing.maker {
            Maker::Rule(rule) => self.rule_version(self.names.rule(*rule), listing.evidence.last.max(listing.since)),
            Maker::Person { .. } => None,
        };
        let view = views::listing(&self.names, listing);
        ListingView { rule_version: version, ends_earlier_by: ends_earlier(&view.list), ..view }
    }

    fn levels(&self, now: Timestamp, subject: &Subject) -> (Vec<LevelView>, Vec<KnownAddress>) {
        let (mut levels, mut known_addresses) = (Vec::new(), Vec::new());
        for level in self.engine.explain(now, subject) {
            match level {
                Level::Known { network, last } => {
                    known_addresses.push(KnownAddress { network: network.to_string(), last: views::time(last) });
                }
                Level::Rule { rule, counted, threshold, distinct, distinct_threshold, falls_out } => {
                    levels.push(LevelView {
                        rule: self.names.rule(rule).to_owned(),
                        count: counted,
                        limit: threshold,
                        distinct,
                        distinct_limit: distinct_threshold,
                        falls_out: falls_out.map(views::time),
                    });
                }
            }
        }
        (levels, known_addresses)
    }

    fn reverse_names(&self, subject: &Subject, until: Timestamp) -> Vec<ReverseNameView> {
        let told = self.store.audits_about(BY_REVERSE_NAME, subject, ROWS_MAX).unwrap_or_default();
        let view = |told: &store::Audited| {
            let name = told.what.split_once(": ").map_or("", |(_, name)| name);
            ReverseNameView { at: views::time(told.at), name: name.to_owned() }
        };
        told.iter().filter(|told| told.at <= until).map(view).collect()
    }
}

/// Reads a past moment.
pub(super) fn past_moment(text: &str, now: Timestamp) -> Result<Timestamp, Fault> {
    moment::parse(text, now).map_err(|wanted| Fault::bad(format!("`at` {wanted}")))
}

fn protection(protection: &listings::Protection) -> ProtectionView {
    let listings::Protection { network, by, is_everywhere } = protection;
    ProtectionView { network: network.to_string(), by: by.to_string(), may_be_blocked: !is_everywhere }
}

/// What would end a listing before its time.
fn ends_earlier(list: &str) -> Vec<String> {
    let name = match list {
        "dyna" => Some("a reverse name that is not a dynamic one; it is asked for again by itself"),
        "noptr" => Some("a reverse name; it is asked for again by itself"),
        _ => None,
    };
    let always = ["`ratter unlist`", "a place on the never-list"];
    name.into_iter().chain(always).map(str::to_owned).collect()
}

/// The events by their kind, service and teller, the most frequent first.
fn counts(events: &[KeptEvent]) -> Vec<CountView> {
    let mut kinds: BTreeMap<(&str, &str, &str), (u64, Timestamp, Timestamp)> = BTreeMap::new();
    for event in events {
        let teller = event.reporter.as_ref().map_or_else(|| event.channel.name(), |(name, _)| name);
        let place = kinds.entry((event.kind.name(), &event.service, teller)).or_insert((0, event.time, event.time));
        *place = (place.0 + 1, place.1.min(event.time), place.2.max(event.time));
    }
    let view = |((kind, service, told_by), (count, first, last)): ((&str, &str, &str), _)| CountView {
        kind: kind.to_owned(),
        service: service.to_owned(),
        told_by: told_by.to_owned(),
        count,
        first: views::time(first),
        last: views::time(last),
    };
    let mut counts: Vec<CountView> = kinds.into_iter().map(view).collect();
    counts.sort_by_key(|kind| core::cmp::Reverse(kind.count));
    counts
}

/// An event as a line without what names a person: the login is cut to its first character, the moment to its minute.
fn sample(event: &KeptEvent) -> String {
    let minute = Timestamp::from_secs(event.time.as_secs() / 60 * 60);
    let address = event.address.map(|address| format!(" from {address}")).unwrap_or_default();
    let login = event.login.as_ref().map(|login| format!(" login {}", cut(login))).unwrap_or_default();
    format!("{minute} {} {}{address}{login}", event.service.escape_default(), event.kind.name())
}

/// The first character of a login, escaped, and how many it has.
fn cut(login: &Login) -> String {
    let text = login.as_str();
    let first = text.chars().next().map(|first| first.escape_default().to_string()).unwrap_or_default();
    format!("{first}… ({} characters)", text.chars().count())
}

#[cfg(test)]
mod tests {
    use base::{Channel, EventKind, Login, Tally, Timestamp};
    use store::KeptEvent;

    use super::{counts, sample};

    fn event(at: u64, kind: EventKind, login: Option<&str>, reporter: Option<&str>) -> KeptEvent {
        KeptEvent {
            time: Timestamp::from_secs(at),
            kind,
            service: "imap".into(),
            address: "192.0.2.7".parse().ok(),
            login: login.and_then(Login::new),
            session: None,
            password: None,
            channel: Channel::Front,
            tally: Tally::One,
            reporter: reporter.map(|name| (name.into(), 50)),
            exceeded: None,
        }
    }

    #[test]
    fn events_are_counted_by_kind_and_teller() {
        let events = [
            event(9, EventKind::LoginFailed, Some("alice"), None),
            event(5, EventKind::LoginOk, Some("alice"), None),
            event(3, EventKind::LoginFailed, None, None),
            event(2, EventKind::LoginFailed, None, Some("isp")),
        ];
        let told: Vec<String> = counts(&events)
            .iter()
            .map(|it| format!("{} {} {} {} {}", it.count, it.kind, it.told_by, &it.first[17..19], &it.last[17..19]))
            .collect();
        assert_eq!(told, ["2 login-failed front 03 09", "1 login-failed isp 02 02", "1 login-ok front 05 05"]);
    }

    #[test]
    fn a_sample_names_nobody() {
        let lines = [
            (
                Some("alice@example.org"),
                "1970-01-01T00:02:00.000Z imap login-failed from 192.0.2.7 login a… (17 characters)",
            ),
            (Some("ärger"), "1970-01-01T00:02:00.000Z imap login-failed from 192.0.2.7 login \\u{e4}… (5 characters)"),
            (None, "1970-01-01T00:02:00.000Z imap login-failed from 192.0.2.7"),
        ];
        for (login, line) in lines {
            assert_eq!(sample(&event(179, EventKind::LoginFailed, login, None)), line);
        }
    }
}

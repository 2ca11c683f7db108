//! The rooms' values as the console's forms.

use base::{Evidence, Listing, Maker, Timestamp, Until};
use console::api::{EventView, HistoryView, ListingView};
use store::{KeptEvent, Past, PastChange, PastMaker};

use super::names::Names;

/// A moment as people and programs read it.
pub(crate) fn time(at: Timestamp) -> String {
    at.to_string()
}

/// A listing, with a sentence for its reason.
pub(crate) fn listing(names: &Names, listing: &Listing) -> ListingView {
    let (maker, reason, culprits) = match &listing.maker {
        Maker::Rule(rule) => {
            let culprits = names.culprits(*rule, &listing.subject);
            (format!("rule {}", names.rule(*rule)), grounds(&listing.evidence, culprits.as_deref()), culprits)
        }
        Maker::Person { name, reason } => (format!("person {name}"), reason.to_string(), None),
    };
    ListingView {
        subject: listing.subject.to_string(),
        list: names.list(listing.list).to_owned(),
        since: time(listing.since),
        until: end(listing.until),
        maker,
        reason,
        first: time(listing.evidence.first),
        last: time(listing.evidence.last),
        culprits,
        ..ListingView::default()
    }
}

/// Who made something, and a person's reason.
pub(crate) fn maker(names: &Names, maker: &Maker) -> String {
    match maker {
        Maker::Rule(rule) => format!("rule {}", names.rule(*rule)),
        Maker::Person { name, reason } => format!("person {name}: {reason}"),
    }
}

/// The end of a listing, if it has one.
pub(crate) fn end(until: Until) -> Option<String> {
    until.moment().map(time)
}

/// What a rule's listing rests on, in a sentence; and who did it together, if that was not the subject alone.
pub(crate) fn grounds(evidence: &Evidence, culprits: Option<&str>) -> String {
    if evidence.count == 0 {
        return format!("signs that somebody else uses it, at {}", time(evidence.last));
    }
    let different = match evidence.distinct {
        0 => String::new(),
        n => format!(", at least {n} of them different"),
    };
    let times = if evidence.count == 1 { "once" } else { &format!("{} times", evidence.count) };
    let span = evidence.last.since(evidence.first).as_secs_f64();
    let by = culprits.map(|culprits| format!(" by {culprits} together")).unwrap_or_default();
    format!("{times} within {span:.1} s{by}{different}, the last at {}", time(evidence.last))
}

/// An event that was kept.
pub(crate) fn event(event: &KeptEvent) -> EventView {
    EventView {
        time: time(event.time),
        kind: event.kind.name().to_owned(),
        service: event.service.to_string(),
        address: event.address.map(|address| address.to_string()),
        login: event.login.as_ref().map(ToString::to_string),
        channel: event.channel.name().to_owned(),
        reporter: event.reporter.as_ref().map(|(name, _)| name.to_string()),
        limit: event.exceeded.as_ref().map(|(limit, _)| limit.to_string()),
    }
}

/// A change of the book.
pub(crate) fn change(past: &Past) -> HistoryView {
    let by = match &past.maker {
        PastMaker::Rule(name) => format!("rule {name}"),
        PastMaker::Person { name, reason } => format!("{name}: {reason}"),
    };
    let (subject, list) = (&past.subject, &past.list);
    let change = match &past.change {
        PastChange::Listed => {
            let until = end(past.until).unwrap_or_else(|| "somebody lifts it".to_owned());
            format!("{subject} listed on {list} until {until} by {by}")
        }
        PastChange::Expired => format!("{subject} off {list}: its time was over"),
        PastChange::Removed { by } => format!("{subject} off {list}: removed by {by}"),
        PastChange::Replaced => format!("{subject} off {list}: replaced"),
    };
    HistoryView { serial: past.serial, at: time(past.at), change }
}

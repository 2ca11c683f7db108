//! Plays scenarios written as text against an engine with the shipped rules.
//!
//! A line is `TIME WORDS… -> WANTED`; times are seconds with up to three decimals, or have a unit (`5m`, `2h`, `3d`).
//! An event is observed at its own time, unless `now=TIME` says otherwise.
//!
//! ```text
//! fail LOGIN ADDRESS [tag=5|same=5] [sess=S] [via=front|auth] [total=5|refused]  -> attempts counted
//! ok LOGIN ADDRESS [tag=5] [sess=S] [via=…]                               -> `news` or `-`
//! before LOGIN ADDRESS   after LOGIN ADDRESS   nowhere LOGIN              -> the decision
//! poll                                                                    -> attempts counted
//! lists ADDRESS                                                           -> the lists it is on, or `-`
//! until SUBJECT                                                           -> the ends of its listings, or `-`
//! why SUBJECT                                                             -> `rule counted/threshold`, …, known addresses
//! saw KIND LOGIN ADDRESS [sess=MESSAGE]   down LOGIN ADDRESS               (no answer)
//! wanted                                                                  -> addresses whose name is wanted
//! name ADDRESS dynamic|missing|proper|unknown   expire   block SUBJECT    unlist SUBJECT   (no answer)
//! recheck                                                                 -> networks whose name is wanted again
//! ```

use std::sync::Arc;
use std::time::Duration;

use base::{
    Address, Channel, Decision, Event, EventKind, Evidence, ListId, Login, Maker, Network, PasswordTag, Reason,
    Reporter, Subject, Tally, Timestamp, Until, Verdict,
};
use listings::{Book, NeverList, Wish};
use rules::{Engine, Level, Question, ReverseName, Settings, Stage, Voice, default_rules};

/// Why a word can be read.
const READABLE: &str = "scenarios are written right";

/// The lists as they are shipped.
const LISTS: [&str; 6] = ["blocked", "dyna", "noptr", "spam", "auth", "null"];

/// The list of guessers.
pub(crate) fn auth() -> ListId {
    ListId::new(4)
}

/// The shipped rules, 192.0.2.0/28 a proxy, everything else as shipped.
pub(crate) fn settings() -> Settings {
    let proxies = vec!["192.0.2.0/28".parse().expect(READABLE)];
    let reporter = |name: &str| Voice { name: name.into(), owner: name.into(), weight: 50 };
    let reporters = ["x", "y"].map(reporter).into();
    Settings { rules: default_rules(auth()), proxies, reporters, ..Settings::default() }
}

/// An engine with an empty book; 198.51.100.250, `2001:db8:ffff::/48` and `postmaster` are never listed.
pub(crate) fn engine(settings: Settings) -> Engine {
    let never: [Network; 2] =
        ["198.51.100.250".parse().expect(READABLE), "2001:db8:ffff::/48".parse().expect(READABLE)];
    Engine::new(settings, Arc::new(Book::new(NeverList::new(never, Login::new("postmaster")))), [7; 16])
}

/// All times are after this one: one that is no round number in any unit.
pub(crate) const BEGIN: Timestamp = Timestamp::from_millis(1_795_247_054_123);

/// Plays a whole scenario with the shipped settings.
pub(crate) fn play(name: &str, script: &str) {
    play_with(name, settings(), script);
}

/// Plays a whole scenario.
pub(crate) fn play_with(name: &str, settings: Settings, script: &str) {
    play_on(name, &engine(settings), script);
}

/// Plays a whole scenario on an engine.
pub(crate) fn play_on(name: &str, engine: &Engine, script: &str) {
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (words, wanted) = line.split_once("->").unwrap_or((line, ""));
        let words: Vec<&str> = words.split_whitespace().collect();
        let got = answer(engine, moment(words[0]), words[1], &words[2..]);
        assert_eq!(got, wanted.trim(), "{name}: {line}");
    }
}

fn moment(text: &str) -> Timestamp {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => 1000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        unit => panic!("no unit: {unit}"),
    };
    let millis = digits.parse::<f64>().expect(READABLE) * unit;
    BEGIN.plus(Duration::from_secs_f64(millis.round() / 1000.0))
}

/// The value of `key=value` among the words.
fn option<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

fn event<'a>(at: Timestamp, kind: EventKind, words: &[&'a str]) -> Event<'a> {
    let named = |word: &'a str| (word != "-").then_some(word);
    let tally = match (option(words, "total"), words.contains(&"refused")) {
        (Some(total), _) => Tally::Total(total.parse().expect(READABLE)),
        (None, true) => Tally::Refused,
        (None, false) => Tally::One,
    };
    Event {
        time: at,
        kind,
        service: "imap",
        login: named(words[0]),
        address: named(words[1]).map(|text| text.parse().expect(READABLE)),
        // Without a name each event is a connection of its own; `sess=-` has none, as Postfix by SASL.
        session: option(words, "sess").and_then(named),
        // A tag of the password alone is the same for all logins.
        password: match (option(words, "tag"), option(words, "same")) {
            (Some(tag), _) => Some(PasswordTag::of_guess(tag.parse().expect(READABLE))),
            (None, same) => same.map(|tag| PasswordTag::of_password(tag.parse().expect(READABLE))),
        },
        channel: match option(words, "via") {
            Some("front") => Channel::Front,
            Some("auth") => Channel::Auth,
            _ => Channel::Gate,
        },
        tally,
        reporter: option(words, "reporter")
            .and_then(|text| text.split_once(':'))
            .map(|(name, weight)| Reporter { name, weight: weight.parse().expect(READABLE) }),
    }
}

/// A message that was too much.
pub(crate) fn observe_excess(engine: &Engine, at: Timestamp, login: &str, address: &str, message: &str) {
    let words = [login, address];
    engine.observe(at, &Event { session: Some(message), ..event(at, EventKind::RateExceeded, &words) });
}

/// A wrong password.
pub(crate) fn observe_failure(engine: &Engine, at: Timestamp, login: &str, address: &str) {
    engine.observe(at, &event(at, EventKind::LoginFailed, &[login, address]));
}

fn answer(engine: &Engine, at: Timestamp, verb: &str, words: &[&str]) -> String {
    let now = option(words, "now").map_or(at, moment);
    let fresh = format!("{at:?}{words:?}");
    let observe = |kind| {
        let mut event = event(at, kind, words);
        if option(words, "sess").is_none() {
            event.session = Some(&fresh);
        }
        engine.observe(now, &event)
    };
    let subject = || words[0].parse::<Subject>().expect(READABLE);
    match verb {
        "fail" => observe(EventKind::LoginFailed).counted.to_string(),
        "ok" => if observe(EventKind::LoginOk).owner.is_some() { "news" } else { "-" }.into(),
        "before" | "after" | "nowhere" => {
            let stage = match verb {
                "before" => Stage::Before,
                "after" => Stage::After,
                _ => Stage::Nowhere,
            };
            let address = words.get(1).map(|text| text.parse().expect(READABLE));
            let login = (words[0] != "-").then_some(words[0]);
            told(engine.ask(now, &Question { address, login, stage, service: "imap" }))
        }
        "down" => {
            let address = words[1].parse().expect(READABLE);
            engine.database_failed(now, Some(address), Some(words[0]));
            String::new()
        }
        "poll" => {
            let before = engine.counters().counted;
            engine.poll(now);
            (engine.counters().counted - before).to_string()
        }
        "lists" => lists(engine, words[0].parse().expect(READABLE)),
        "until" => {
            let ends = engine.book().about(&subject()).into_iter().filter_map(|listing| listing.until.moment());
            or_none(ends.map(|end| (end.since(BEGIN).as_millis() as f64 / 1000.0).to_string()))
        }
        "why" => or_none(engine.explain(now, &subject()).into_iter().map(level)),
        "saw" => {
            let kind = EventKind::from_name(words[0]).expect(READABLE);
            let event = event(at, kind, &words[1..]);
            engine.observe(now, &Event { session: event.session.or(Some(&fresh)), ..event });
            String::new()
        }
        "wanted" => or_none(core::iter::from_fn(|| engine.poll_name()).map(|address| address.to_string())),
        "recheck" => or_none(core::iter::from_fn(|| engine.poll_recheck(now)).map(|network| network.to_string())),
        "name" => {
            let name = match words[1] {
                "dynamic" => Some(ReverseName::Dynamic),
                "missing" => Some(ReverseName::Missing),
                "proper" => Some(ReverseName::Proper),
                "unknown" => None,
                name => panic!("no name: {name}"),
            };
            engine.name_known(now, words[0].parse().expect(READABLE), name);
            String::new()
        }
        "unlist" => {
            let subject = subject();
            engine.book().unlist(now, &subject, None, "admin");
            if let Subject::Network(network) = subject {
                engine.taken_back(network);
            }
            String::new()
        }
        "expire" => {
            engine.book().expire(now);
            String::new()
        }
        "block" => block(engine, now, subject()),
        verb => panic!("no verb: {verb}"),
    }
}

fn or_none(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    if words.is_empty() { "-".into() } else { words.join(" ") }
}

fn lists(engine: &Engine, address: Address) -> String {
    let lists = engine.book().snapshot().lists_of(address);
    or_none(lists.iter().map(|list| LISTS[list.index()].to_owned()))
}

fn block(engine: &Engine, now: Timestamp, subject: Subject) -> String {
    let maker = Maker::Person { name: "admin".into(), reason: "test".into() };
    let wish = Wish { subject, list: ListId::BLOCKED, until: Until::Never, maker, evidence: Evidence::default() };
    engine.book().list(now, wish).expect("nothing speaks against it");
    String::new()
}

fn level(level: Level) -> String {
    match level {
        Level::Rule { rule, counted, threshold, distinct, distinct_threshold, falls_out } => {
            let distinct =
                if distinct_threshold > 0 { format!("({distinct}/{distinct_threshold})") } else { String::new() };
            let out = falls_out.map_or(String::new(), |out| format!("<{}", out.since(BEGIN).as_millis()));
            format!("{}:{counted}/{threshold}{distinct}{out}", rule.0)
        }
        Level::Known { network, last } => format!("{network}@{}", last.as_secs() - BEGIN.as_secs()),
    }
}

/// A decision in a few words.
pub(crate) fn told(decision: Decision) -> String {
    let verdict = match decision.verdict {
        Verdict::Pass => "pass".to_owned(),
        Verdict::Tarpit(span) => format!("tarpit {}", span.as_secs()),
        Verdict::Refuse => "refuse".to_owned(),
        Verdict::Defer => "defer".to_owned(),
    };
    if let Verdict::Tarpit(_) = decision.verdict {
        return verdict;
    }
    let reason = match decision.reason {
        Reason::Unlisted => "",
        Reason::NeverListed => " never",
        Reason::KnownAddress => " known",
        Reason::AddressListed { .. } => " address",
        Reason::LoginListed { .. } => " login",
        Reason::ListedElsewhere { .. } => " elsewhere",
        Reason::TarpitsFull => " full",
        Reason::Excepted => " excepted",
        Reason::Unanswered => " unanswered",
    };
    verdict + reason
}

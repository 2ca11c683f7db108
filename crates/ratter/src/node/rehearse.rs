//! Plays what an operator writes down about his rules: events in, and who must be on which list then.
//!
//! ```toml
//! [[test]]
//! name = "five guesses within a minute"
//! rule = "address-guesses"
//! events = "0s login-failed 203.0.113.1 alice x5 every=10s"
//! listed = { "203.0.113.1" = ["blocked"] }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base::{Address, Channel, Event, EventKind, Maker, Network, PasswordTag, Subject, Tally, Timestamp};
use listings::{Book, NeverList};
use rules::{Engine, ReverseName, Systems};
use serde::Deserialize;

use super::convert;
use super::names::Names;
use crate::config::{Config, parse_duration};

/// Most events of one test.
const EVENTS_MAX: usize = 100_000;

/// Longest file of tests, in bytes.
pub(crate) const FILE_BYTES_MAX: usize = 1024 * 1024;

/// When tests begin: all are after this, none of which is a round number.
const BEGIN: Timestamp = Timestamp::from_millis(1_795_247_054_123);

/// What stands in a line for the number of its repetition.
const NUMBER: &str = "{n}";

/// A file of tests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    test: Vec<Test>,
}

/// One of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    /// What it shows.
    name: String,
    /// The rule that must have made one of the listings, if it matters which.
    rule: Option<String>,
    /// A line each: `TIME KIND ADDRESS [LOGIN] [xN] [every=SPAN] [password=N] [message=N]`; `-` is no address or no login.
    events: String,
    /// The class of reverse names: `dynamic`, `none` or `proper`; nobody can tell those of others.
    #[serde(default, rename = "reverse-names")]
    reverse_names: BTreeMap<String, String>,
    /// How long after the last event it is looked at.
    after: Option<String>,
    /// Who is on which lists then; nobody else is on any.
    #[serde(default)]
    listed: BTreeMap<String, Vec<String>>,
    /// By network, the autonomous system that it belongs to.
    #[serde(default)]
    systems: BTreeMap<String, u32>,
}

/// Autonomous systems as a test has them.
#[derive(Debug)]
struct Given(Vec<(Network, u32)>);

impl Systems for Given {
    fn system_of(&self, address: Address) -> Option<u32> {
        self.0.iter().find(|(network, _)| network.contains(address)).map(|(_, number)| *number)
    }
}

/// What became of a test.
pub(crate) struct Rehearsed {
    /// Its name.
    pub(crate) name: String,
    /// The rule it is about.
    pub(crate) rule: Option<String>,
    /// What is not as it should be, a line each.
    pub(crate) faults: Vec<String>,
}

/// An event that is due.
struct Due {
    at: Timestamp,
    kind: EventKind,
    address: Option<Address>,
    login: Option<String>,
    password: Option<PasswordTag>,
    /// The name of its message; each event is about another one otherwise.
    message: Option<String>,
}

/// Plays all tests of a file against the configured rules.
///
/// # Errors
/// The file makes no sense; says where.
pub(crate) fn rehearse(config: &Config, text: &str) -> Result<Vec<Rehearsed>, String> {
    if text.len() > FILE_BYTES_MAX {
        return Err(format!("longer than {FILE_BYTES_MAX} bytes"));
    }
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    file.test.into_iter().map(|test| one(config, test)).collect()
}

fn one(config: &Config, test: Test) -> Result<Rehearsed, String> {
    let at_test = |error: String| format!("test `{}`: {error}", test.name);
    let mut events = Vec::new();
    for line in test.events.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        read_line(line, &mut events).map_err(|error| at_test(format!("`{line}`: {error}")))?;
    }
    events.sort_by_key(|event| event.at);
    let after = test.after.as_deref().map_or(Ok(Duration::ZERO), parse_duration).map_err(at_test)?;
    let mut stage = Stage::new(config, &test.reverse_names).map_err(at_test)?;
    let system = |(network, number): (&String, &u32)| {
        let network = network.parse::<Network>().map_err(|_| format!("`{network}` is no network"))?;
        Ok((network, *number))
    };
    let systems: Result<Vec<_>, String> = test.systems.iter().map(system).collect();
    stage.engine = stage.engine.with_systems(Arc::new(Given(systems.map_err(at_test)?)));
    for (number, event) in events.iter().enumerate() {
        stage.play(number, event);
    }
    let end = events.last().map_or(BEGIN, |event| event.at).plus(after);
    stage.catch_up(end);
    let mut faults = Vec::new();
    for (rule, what) in test.rule.iter().filter_map(|rule| Some((rule, stage.lacks(rule)?))) {
        faults.push(format!("the rule `{rule}` {what}"));
    }
    faults.extend(stage.differences(end, &test.listed).map_err(at_test)?);
    Ok(Rehearsed { name: test.name, rule: test.rule, faults })
}

/// Adds the events of a line.
fn read_line(line: &str, events: &mut Vec<Due>) -> Result<(), String> {
    let mut words = line.split_whitespace();
    let [Some(time), Some(kind), Some(address)] = [words.next(), words.next(), words.next()] else {
        return Err("wanted: TIME KIND ADDRESS [LOGIN] [xN] [every=SPAN] [password=N] [message=N]".to_owned());
    };
    let begin = BEGIN.plus(parse_duration(time)?);
    let kind = EventKind::from_name(kind).ok_or_else(|| format!("no event is called `{kind}`"))?;
    let (mut login, mut times, mut every, mut password) = (None, 1_u32, Duration::from_secs(1), None);
    let mut message = None;
    for word in words {
        if let Some(span) = word.strip_prefix("every=") {
            every = parse_duration(span)?;
        } else if let Some(tag) = word.strip_prefix("password=") {
            password = Some(tag);
        } else if let Some(name) = word.strip_prefix("message=") {
            message = Some(name);
        } else if let Some(number) = word.strip_prefix('x').and_then(|digits| digits.parse().ok()) {
            times = number;
        } else if login.replace(word).is_some() {
            return Err(format!("`{word}` is one login too many"));
        }
    }
    if events.len() + times as usize > EVENTS_MAX {
        return Err(format!("more than {EVENTS_MAX} events"));
    }
    for number in 0..times {
        let filled = |text: &str| text.replace(NUMBER, &number.to_string());
        let named = |text: &str| (text != "-").then(|| filled(text));
        let address = named(address).map(|text| text.parse().map_err(|_| format!("`{text}` is no address")));
        let tag = password.map(filled).map(|text| read_password(&text));
        events.push(Due {
            at: begin.plus(every * number),
            kind,
            address: address.transpose()?,
            login: login.and_then(named),
            password: tag.transpose()?,
            message: message.map(filled),
        });
    }
    Ok(())
}

/// `7`, the seventh password of its login; `same:7`, which is known to be the same for other logins, too.
fn read_password(text: &str) -> Result<PasswordTag, String> {
    let number = |digits: &str| digits.parse().map_err(|_| format!("`{text}` is no number"));
    match text.strip_prefix("same:") {
        Some(digits) => Ok(PasswordTag::of_password(number(digits)?)),
        None => Ok(PasswordTag::of_guess(number(text)?)),
    }
}

/// An engine with a book of its own, in the time of the test.
struct Stage {
    names: Names,
    book: Arc<Book>,
    engine: Engine,
    reverse_names: BTreeMap<Address, ReverseName>,
    /// The rules that listed anybody.
    made_by: BTreeSet<String>,
    rules: BTreeSet<String>,
}

impl Stage {
    fn new(config: &Config, reverse_names: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut known = BTreeMap::new();
        for (address, name) in reverse_names {
            let name = match name.as_str() {
                "dynamic" => ReverseName::Dynamic,
                "none" => ReverseName::Missing,
                "proper" => ReverseName::Proper,
                other => return Err(format!("`{other}` is none of dynamic, none, proper")),
            };
            known.insert(address.parse().map_err(|_| format!("`{address}` is no address"))?, name);
        }
        let never = NeverList::new(config.node.never_list.iter().copied(), config.node.never_logins.iter().cloned());
        let book = Arc::new(Book::seeded(never, 0));
        // The same test gives the same answer: its keys need not be secret.
        let engine = Engine::new(convert::engine_settings(config), Arc::clone(&book), [0; 16]);
        let rules = config.rules.iter().map(|rule| rule.name.to_string()).collect();
        Ok(Self { names: convert::names(config), book, engine, reverse_names: known, made_by: BTreeSet::new(), rules })
    }

    fn play(&mut self, number: usize, due: &Due) {
        self.catch_up(due.at);
        let session = due.message.as_ref().map_or_else(|| number.to_string(), |name| format!("message {name}"));
        let event = Event {
            time: due.at,
            kind: due.kind,
            service: "test",
            address: due.address,
            login: due.login.as_deref(),
            session: Some(&session),
            password: due.password,
            channel: Channel::Gate,
            tally: Tally::One,
            reporter: None,
        };
        self.engine.observe(due.at, &event);
        while let Some(address) = self.engine.poll_name() {
            self.engine.name_known(due.at, address, self.reverse_names.get(&address).copied());
        }
        self.note();
    }

    /// Lets time pass, with all that is due on the way.
    fn catch_up(&mut self, now: Timestamp) {
        while let Some(due) = self.engine.next_deadline().filter(|due| *due <= now) {
            self.book.expire(due);
            self.engine.poll(due);
            while self.engine.poll_recheck(due).is_some() {}
        }
        self.book.expire(now);
        self.note();
    }

    fn note(&mut self) {
        let mut entries = Vec::new();
        self.book.drain_journal(&mut entries);
        for entry in entries {
            if let listings::Change::Listed(listing) = entry.change
                && let Maker::Rule(rule) = listing.maker
            {
                self.made_by.insert(self.names.rule(rule).to_owned());
            }
        }
    }

    /// What a rule did not do that the test is about.
    fn lacks(&self, rule: &str) -> Option<&'static str> {
        match (self.rules.contains(rule), self.made_by.contains(rule)) {
            (false, _) => Some("is not configured"),
            (true, false) => Some("listed nobody"),
            (true, true) => None,
        }
    }

    /// Who is on other lists than he should be.
    fn differences(&self, now: Timestamp, wanted: &BTreeMap<String, Vec<String>>) -> Result<Vec<String>, String> {
        let mut expected = BTreeMap::<Subject, BTreeSet<&str>>::new();
        for (text, lists) in wanted {
            let subject: Subject = text.parse().map_err(|error| format!("`{text}` {error}"))?;
            let party = |address: Address| Subject::from(address.aggregate());
            let subject = text.parse().map_or(subject, party);
            expected.entry(subject).or_default().extend(lists.iter().map(String::as_str));
        }
        let mut got = BTreeMap::<Subject, BTreeSet<&str>>::new();
        for listing in self.book.all(None, EVENTS_MAX).into_iter().filter(|listing| !listing.until.is_over(now)) {
            got.entry(listing.subject).or_default().insert(self.names.list(listing.list));
        }
        let none = BTreeSet::new();
        let subjects: BTreeSet<&Subject> = expected.keys().chain(got.keys()).collect();
        let shown = |lists: &BTreeSet<&str>| {
            if lists.is_empty() { "no list".to_owned() } else { lists.iter().copied().collect::<Vec<_>>().join(", ") }
        };
        let differing = subjects.into_iter().filter_map(|subject| {
            let (expected, got) = (expected.get(subject).unwrap_or(&none), got.get(subject).unwrap_or(&none));
            (expected != got).then(|| format!("{subject} is on {}, and should be on {}", shown(got), shown(expected)))
        });
        Ok(differing.collect())
    }
}

//! What the configured rules would have done with old logs: an engine and a book of their own, in the logs' time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::console::api::{DayWouldHave, HurtUser, RuleWouldHave, SubjectWouldHave, WouldHave};
use anyhow::Context;
use base::{Event, EventKind, Listing, Login, Maker, Reason, Subject, Timestamp, Verdict};
use listings::{Book, Change, NeverList};
use rules::{Engine, Question, Stage};

use super::names::Names;
use super::sensing::{self, OldLog};
use super::{convert, views};
use crate::config::Config;

/// Most refused logins that are kept with their details.
const HURT_MAX: usize = 10_000;

/// Most different logins that are told apart; a log with more shows this many.
const USERS_MAX: usize = 1_000_000;

/// Most days that are told apart: ten years. What lies beyond, in a log with wild stamps, counts in the sums alone.
const DAYS_MAX: usize = 3660;

/// Replays the files in the order given, of that service if one is named; `-` is standard input. `progress` is told how
/// many lines of which file were read, every few thousand lines.
///
/// `trace` gets one line of JSON for each attempt to log in: the line of the log, the event, and the lists that the address
/// and the login were on by then.
pub(crate) fn replay(
    config: &Config,
    logs: &[PathBuf],
    service: Option<&str>,
    mut trace: Option<&mut dyn Write>,
    progress: &mut dyn FnMut(&Path, u64),
) -> anyhow::Result<(WouldHave, Vec<anyhow::Error>)> {
    let mut replay = Replay::new(config);
    let mut broken = Vec::new();
    for path in logs {
        let mut log = OldLog::open(path)?;
        let mut reader = sensing::reader_of_log(config, path, service)?;
        let written = log.written;
        while let Some(batch) = log.next_lines() {
            for line in batch {
                replay.lines += 1;
                let mut failed = None;
                reader.read(line, written, &mut |event| {
                    let attempt = replay.traced(&event).filter(|_| trace.is_some());
                    if let (Some(trace), Some(attempt)) = (trace.as_deref_mut(), attempt) {
                        failed = failed.take().or_else(|| writeln!(trace, "{attempt}").err());
                    }
                    replay.observe(&event);
                });
                if let Some(error) = failed {
                    return Err(error).context("the trace cannot be written");
                }
            }
            progress(path, replay.lines);
        }
        broken.extend(log.end(reader.counters().lines).err());
    }
    Ok((replay.finish(), broken))
}

/// What has been found so far.
struct Replay {
    names: Names,
    book: Arc<Book>,
    engine: Engine,
    lines: u64,
    events: u64,
    failures: u64,
    successes: u64,
    first: Option<Timestamp>,
    last: Timestamp,
    users: HashSet<String>,
    listings: Vec<Listing>,
    hurt: Vec<HurtUser>,
    /// The place of each user in `hurt`.
    hurt_at: HashMap<String, usize>,
    /// By the first ten characters of a moment.
    days: BTreeMap<String, DayWouldHave>,
}

impl Replay {
    fn new(config: &Config) -> Self {
        let never = NeverList::new(config.node.never_list.iter().copied(), config.node.never_logins.iter().cloned());
        let book = Arc::new(Book::new(never));
        // Nobody can foresee the keys of a replay's hashes to any use, so that the secret need not be one: the same log
        // gives the same answer.
        let engine = Engine::new(convert::engine_settings(config), Arc::clone(&book), [0; 16]);
        let engine = match super::address_files::AddressFiles::open(&config.node).systems() {
            Some(systems) => engine.with_systems(systems),
            None => engine,
        };
        Self {
            names: convert::names(config),
            book,
            engine,
            lines: 0,
            events: 0,
            failures: 0,
            successes: 0,
            first: None,
            last: Timestamp::EPOCH,
            users: HashSet::new(),
            listings: Vec::new(),
            hurt: Vec::new(),
            hurt_at: HashMap::new(),
            days: BTreeMap::new(),
        }
    }

    /// What stands against an attempt to log in; none of another event.
    fn traced(&mut self, event: &Event<'_>) -> Option<serde_json::Value> {
        let kind = matches!(event.kind, EventKind::LoginFailed | EventKind::LoginOk).then(|| event.kind.name())?;
        self.catch_up(event.time);
        let address = event.address.map(|address| Subject::from(base::Network::containing(address, 128)));
        let login = event.login.and_then(Login::new).map(Subject::from);
        let listed = |subject: Option<Subject>| -> Vec<&str> {
            let about = subject.map(|subject| self.book.about(&subject)).unwrap_or_default();
            about.iter().filter(|listing| !listing.until.is_over(event.time)).map(|l| self.names.list(l.list)).collect()
        };
        Some(serde_json::json!({
            "line": self.lines,
            "kind": kind,
            "address": event.address.map(|address| address.to_string()),
            "login": event.login,
            "address_listed": listed(address),
            "login_listed": listed(login),
        }))
    }

    fn observe(&mut self, event: &Event<'_>) {
        self.events += 1;
        self.first = Some(self.first.map_or(event.time, |first| first.min(event.time)));
        self.last = self.last.max(event.time);
        self.catch_up(event.time);
        match event.kind {
            EventKind::LoginFailed => {
                self.failures += 1;
                self.on_day(event.time, |day| day.failures += 1);
            }
            EventKind::LoginOk => self.succeeded(event),
            EventKind::Connect
            | EventKind::UnknownRecipient
            | EventKind::RelayDenied
            | EventKind::ProtocolAbuse
            | EventKind::MessageSent
            | EventKind::MessageReceived
            | EventKind::RateExceeded
            | EventKind::SpamSeen
            | EventKind::TrapHit => {}
        }
        self.engine.observe(event.time, event);
        self.collect();
    }

    /// Notes something of the day of `at`.
    fn on_day(&mut self, at: Timestamp, note: impl FnOnce(&mut DayWouldHave)) {
        let mut day = views::time(at);
        day.truncate("2026-11-21".len());
        if self.days.len() >= DAYS_MAX && !self.days.contains_key(&day) {
            return;
        }
        note(self.days.entry(day.clone()).or_insert_with(|| DayWouldHave { day, ..DayWouldHave::default() }));
    }

    /// Lets time pass up to `now`: what was held is counted and what is over ends, each at its own moment.
    fn catch_up(&mut self, now: Timestamp) {
        while let Some(due) = self.engine.next_deadline().filter(|due| *due <= now) {
            self.book.expire(due);
            self.engine.poll(due);
        }
        self.book.expire(now);
    }

    /// Somebody knew the password: would he have got in?
    fn succeeded(&mut self, event: &Event<'_>) {
        self.successes += 1;
        self.on_day(event.time, |day| day.successes += 1);
        let Some(login) = event.login else { return };
        if self.users.len() < USERS_MAX && !self.users.contains(login) {
            self.users.insert(login.to_owned());
        }
        let question =
            Question { address: event.address, login: event.login, stage: Stage::After, service: event.service };
        let decision = self.engine.ask(event.time, &question);
        let (by, rule, until) = match decision.reason {
            Reason::AddressListed { rule, until, .. } => ("address", rule, until),
            Reason::LoginListed { rule, until, .. } => ("login", rule, until),
            Reason::Unlisted
            | Reason::NeverListed
            | Reason::KnownAddress
            | Reason::Excepted
            | Reason::Unanswered
            | Reason::ListedElsewhere { .. }
            | Reason::TarpitsFull => return,
        };
        if decision.verdict == Verdict::Pass {
            return;
        }
        self.on_day(event.time, |day| day.hurt += 1);
        if let Some(user) = self.hurt_at.get(login).and_then(|at| self.hurt.get_mut(*at)) {
            user.times += 1;
        } else if self.hurt.len() < HURT_MAX {
            self.hurt_at.insert(login.to_owned(), self.hurt.len());
            self.hurt.push(HurtUser {
                login: login.to_owned(),
                address: event.address.map(|address| address.to_string()).unwrap_or_default(),
                at: views::time(event.time),
                why: format!("{by}, {}", rule.map_or("a person", |rule| self.names.rule(rule))),
                seconds_left: until.map_or(0, |until| until.since(event.time).as_secs()),
                times: 1,
            });
        }
    }

    fn collect(&mut self) {
        let mut entries = Vec::new();
        self.book.drain_journal(&mut entries);
        for entry in entries {
            if let Change::Listed(listing) = entry.change {
                self.on_day(listing.since, |day| day.listings += 1);
                self.listings.push(listing);
            }
        }
    }

    fn finish(mut self) -> WouldHave {
        self.catch_up(self.last.plus(std::time::Duration::from_secs(10)));
        self.collect();
        let mut by_rule: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut by_subject: BTreeMap<String, SubjectWouldHave> = BTreeMap::new();
        for listing in &self.listings {
            let Maker::Rule(rule) = listing.maker else { continue };
            let rule = self.names.rule(rule).to_owned();
            *by_rule.entry((rule.clone(), self.names.list(listing.list).to_owned())).or_default() += 1;
            let subject = listing.subject.to_string();
            let entry = by_subject.entry(subject.clone()).or_insert_with(|| SubjectWouldHave {
                subject,
                first: views::time(listing.since),
                ..SubjectWouldHave::default()
            });
            entry.listings += 1;
            if !entry.rules.contains(&rule) {
                entry.rules.push(rule);
            }
        }
        let mut by_subject: Vec<_> = by_subject.into_values().collect();
        by_subject.sort_by_key(|subject| std::cmp::Reverse(subject.listings));
        WouldHave {
            lines: self.lines,
            events: self.events,
            first: self.first.map(views::time),
            last: self.first.map(|_| views::time(self.last)),
            failures: self.failures,
            successes: self.successes,
            users: self.users.len() as u64,
            listings: self.listings.len() as u64,
            by_day: self.days.into_values().collect(),
            by_rule: by_rule
                .into_iter()
                .map(|((rule, list), listings)| RuleWouldHave { rule, list, listings })
                .collect(),
            by_subject,
            hurt: self.hurt,
        }
    }
}

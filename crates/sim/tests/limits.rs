//! Limits that are exceeded again and again: a botnet on an account of which nothing is known yet may send no more for a day, and
//! honest people who send too much, and try it again from wherever they are, never come to that.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Address, Channel, Event, EventKind, Subject, Tally, Timestamp, Until, Verdict};
use listings::{Book, NeverList};
use rules::limits::{Bucket, By, Cost, Limit, LimitEffect, LimitMode, Limiter, Outcome, Part, Rate, Sending, Unkept};
use rules::{By as RuleBy, Distinct, Effect, Engine, Of, Question, Rule, Settings, Stage, Trigger};
use sim::{BEGIN, DAY, Habit, Mail, Person, Theft, steal};

/// Days for which an honest person is watched.
const DAYS: u64 = 60;
/// When a program tries a message again that was refused for now.
const RETRIES: [u64; 5] = [300, 900, 3600, 4 * 3600, 8 * 3600];

/// Another beginning makes other people.
fn people() -> u64 {
    if std::env::var_os("RATTER_SOAK").is_some() { 200 } else { 20 }
}

/// The shipped limits, and the shipped rules against botnets.
struct Server {
    limiter: Limiter,
    engine: Engine,
    book: Arc<Book>,
    /// Different messages that were too much.
    exceeded: u64,
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Taken,
    TooMuch,
    Stopped,
}

impl Server {
    fn new() -> Self {
        let rate = |count, time| Rate::new(count, time).expect("a rate");
        let bucket = |burst, rate| Bucket::new(burst, rate).expect("a bucket");
        let limit = Limit {
            name: "per-user".into(),
            by: By { first: Part::Login, second: None },
            cost: Cost::Recipient,
            mode: LimitMode::Strict,
            buckets: [bucket(10, rate(1, 60_000)), bucket(100, rate(30, 3_600_000))].into(),
            effect: LimitEffect::Defer,
            except_logins: Box::default(),
            except_networks: Box::default(),
        };
        let rule = Rule {
            name: "login-over-limits".into(),
            on: Trigger::Event(EventKind::RateExceeded),
            by: RuleBy::SenderLogin,
            count: 20,
            within: Duration::from_hours(24),
            distinct: Some(Distinct { of: Of::Place, at_least: 10 }),
            unless_known: false,
            per_good: 0,
            reverse: None,
            effect: Effect::BlockSender { span: Some(Duration::from_hours(24)) },
        };
        let nearby = Rule {
            name: "login-over-limits-nearby".into(),
            count: 40,
            distinct: Some(Distinct { of: Of::Address, at_least: 30 }),
            ..rule
        };
        let book = Arc::new(Book::new(NeverList::new([], [])));
        let engine =
            Engine::new(Settings { rules: vec![rule, nearby], ..Settings::default() }, Arc::clone(&book), [7; 16]);
        let limiter = Limiter::new(vec![limit], 1000, [7; 16], Box::new(Unkept));
        Self { limiter, engine, book, exceeded: 0 }
    }

    fn send(&mut self, login: &str, message: &str, mail: &Mail) -> Fate {
        let (at, address) = (mail.at, Some(mail.address));
        let question = Question { address, login: Some(login), stage: Stage::After, service: "submission" };
        if self.engine.ask(at, &question).verdict == Verdict::Refuse {
            return Fate::Stopped;
        }
        let recipients = mail.recipients.len() as u32;
        let sending = Sending {
            session: "sim",
            instance: message,
            login: Some(login),
            address,
            recipients,
            ..Sending::default()
        };
        if self.limiter.settle(at, &sending) == Outcome::Pass {
            return Fate::Taken;
        }
        self.engine.observe(at, &exceeded(at, mail.address, login, message));
        Fate::TooMuch
    }

    /// Until when the login may send nothing, if that is so.
    fn stopped_until(&self, login: &str) -> Option<Until> {
        let subject: Subject = format!("login:{login}").parse().expect("a login");
        self.book.about(&subject).first().map(|listing| listing.until)
    }
}

fn exceeded<'a>(time: Timestamp, address: Address, login: &'a str, message: &'a str) -> Event<'a> {
    Event {
        time,
        kind: EventKind::RateExceeded,
        service: "submission",
        address: Some(address),
        login: Some(login),
        session: Some(message),
        password: None,
        channel: Channel::Gate,
        tally: Tally::One,
        reporter: None,
    }
}

/// How many honest people of that habit are stopped, and how many of their messages were too much.
fn honest(habit: Habit) -> (u64, u64) {
    let (mut stopped, mut too_much) = (0, 0);
    for number in 0..people() {
        let (mut server, mut person) = (Server::new(), Person::new(9_000_000 + number, habit));
        let login = person.login.clone();
        let mut is_stopped = false;
        // What is to be sent, by when: the message, its name, and how often it was tried.
        let mut due: BTreeMap<(Timestamp, u64), (Mail, usize)> = BTreeMap::new();
        let mut messages = 0;
        for day in 0..DAYS {
            let mails = person.day(day);
            let places: Vec<Address> = mails.iter().map(|mail| mail.address).collect();
            for mail in mails {
                messages += 1;
                due.insert((mail.at, messages), (mail, 0));
            }
            let midnight = BEGIN.plus(Duration::from_secs((day + 1) * DAY));
            while let Some(((at, name), (mail, tried))) = due.pop_first() {
                if at >= midnight {
                    due.insert((at, name), (mail, tried));
                    break;
                }
                match server.send(&login, &format!("{login} {name}"), &mail) {
                    Fate::Taken => {}
                    Fate::Stopped => is_stopped = true,
                    Fate::TooMuch => {
                        server.exceeded += u64::from(tried == 0);
                        // It is tried again from where he is by then.
                        if let Some(pause) = RETRIES.get(tried) {
                            let at = at.plus(Duration::from_secs(*pause));
                            let place = name as usize + tried;
                            let address = places.get(place % places.len().max(1)).copied().unwrap_or(mail.address);
                            due.insert((at, name), (Mail { at, address, ..mail }, tried + 1));
                        }
                    }
                }
            }
        }
        stopped += u64::from(is_stopped);
        too_much += server.exceeded;
    }
    (stopped, too_much)
}

#[test]
fn nobody_is_stopped_who_is_no_botnet() {
    let mut all = 0;
    for habit in [Habit::Plain, Habit::Traveller, Habit::PhoneOnly, Habit::Newsletter, Habit::ListOwner] {
        let (stopped, too_much) = honest(habit);
        let days = people() * DAYS;
        println!("{habit:?}: {days} days, {too_much} messages were too much, {stopped} people stopped");
        assert!(too_much > 0 || !matches!(habit, Habit::Newsletter | Habit::ListOwner), "they send too much");
        all += stopped;
    }
    assert_eq!(all, 0);
}

/// All of its addresses are of one provider, or of as many as one rule wants less one.
#[test]
fn a_botnet_of_few_places_is_stopped_for_a_day() {
    for number in 0..people() {
        for places in [1, 3, 9] {
            let (mut server, owner) = (Server::new(), Person::new(number, Habit::Plain));
            let mails = steal(Theft::Botnet, &owner, BEGIN, number);
            let mut too_much = 0;
            for (name, mail) in mails.iter().enumerate() {
                // Where it is becomes one of a few, and which host it is stays.
                let host = mail.address.bits() as u32 & 0xffff;
                let network = 0x0b00 + name as u32 % places;
                let address = Address::new(core::net::Ipv4Addr::from_bits(network << 16 | host).into());
                let fate = server.send(&owner.login, &name.to_string(), &Mail { address, ..mail.clone() });
                too_much += u64::from(fate == Fate::TooMuch);
            }
            assert_eq!(too_much, 40, "{number}: {places} places");
            assert!(server.stopped_until(&owner.login).is_some());
        }
    }
}

#[test]
fn a_botnet_on_an_account_of_which_nothing_is_known_is_stopped_for_a_day() {
    for number in 0..people() {
        let (mut server, owner) = (Server::new(), Person::new(number, Habit::Plain));
        let mails = steal(Theft::Botnet, &owner, BEGIN, number);
        let (mut taken, mut too_much, mut last) = (0, 0, None);
        for (name, mail) in mails.iter().enumerate() {
            match server.send(&owner.login, &name.to_string(), mail) {
                Fate::Taken => taken += 1,
                Fate::TooMuch => (too_much, last) = (too_much + 1, Some(mail.at)),
                Fate::Stopped => {}
            }
        }
        assert_eq!(too_much, 20, "{number}: {taken} taken");
        let end = last.expect("it was stopped").plus(Duration::from_hours(24));
        assert_eq!(server.stopped_until(&owner.login), Some(Until::At(end)), "{number}");
        server.book.expire(end);
        assert_eq!(server.stopped_until(&owner.login), None, "{number}: it ends by itself");
    }
}

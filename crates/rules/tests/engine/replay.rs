//! A node that was killed and has replayed its events goes on exactly like one that was not.

use std::sync::Arc;
use std::time::Duration;

use base::{Channel, Event, EventKind, Listing, PasswordTag, Tally, Timestamp};
use listings::{Book, NeverList};
use rules::{Engine, Observed, Owner, ReverseName};

use crate::play::{BEGIN, auth, settings};

const SEEDS: u64 = 200;
const EVENTS: usize = 400;
const EARLY: usize = 150;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}

/// An event that owns its texts.
struct Kept {
    time: Timestamp,
    kind: EventKind,
    login: String,
    address: String,
    session: Option<String>,
    password: Option<PasswordTag>,
    channel: Channel,
    tally: Tally,
}

impl Kept {
    /// A few logins and addresses, times that cluster, some of them late, all channels.
    fn random(random: &mut Random, clock: &mut Timestamp) -> Self {
        let step = if random.below(40) == 0 { random.below(600_000) } else { random.below(9000) };
        *clock = clock.plus(Duration::from_millis(step));
        let late = if random.below(10) == 0 { random.below(30_000) } else { 0 };
        let is_ok = random.below(12) == 0;
        Self {
            time: clock.minus(Duration::from_millis(late)),
            kind: if is_ok { EventKind::LoginOk } else { EventKind::LoginFailed },
            login: format!("user{}", random.below(6)),
            // Owners sit elsewhere most of the time; else every address would be known, and nothing be published.
            address: format!("203.0.113.{}", if is_ok { 10 + random.below(3) } else { random.below(12) }),
            session: (random.below(3) > 0).then(|| format!("s{}", random.below(200))),
            // Owners use passwords that guessers do not: what was right later was not known when it failed, so that
            // a node that learns it from what was persisted counts less, which is wanted and not compared here.
            password: (random.below(4) > 0).then(|| PasswordTag(random.below(15) as u32 + 100 * u32::from(is_ok))),
            channel: [Channel::Gate, Channel::Front, Channel::Auth][random.below(3) as usize],
            tally: match random.below(9) {
                0 => Tally::Total(random.below(4) as u16),
                1 => Tally::Refused,
                _ => Tally::One,
            },
        }
    }

    fn event(&self) -> Event<'_> {
        Event {
            time: self.time,
            kind: self.kind,
            service: "imap",
            address: self.address.parse().ok(),
            login: Some(&self.login),
            session: self.session.as_deref(),
            password: self.password,
            channel: self.channel,
            tally: self.tally,
            reporter: None,
        }
    }
}

fn engine() -> Engine {
    Engine::new(settings(), Arc::new(Book::new(NeverList::new([], []))), [9; 16])
}

fn step(engine: &Engine, now: Timestamp, kept: &Kept) -> (Observed, Vec<Listing>) {
    engine.poll(now);
    engine.book().expire(now);
    let observed = engine.observe(now, &kept.event());
    (observed, engine.book().all(None, usize::MAX))
}

/// The engine that a restart makes: listings in force and owners are restored, the events replayed.
fn restarted(now: Timestamp, listings: Vec<Listing>, owners: &[Owner], events: &[(Timestamp, Kept)]) -> Engine {
    let engine = engine();
    engine.book().restore(now, 1, listings);
    for owner in owners {
        engine.restore_owner(owner);
    }
    for (_, kept) in events {
        engine.replay(now, &kept.event());
    }
    engine
}

/// Random events, the first half of them more than a day before the second: beyond every window.
fn events(random: &mut Random) -> Vec<(Timestamp, Kept)> {
    let (mut clock, mut now) = (BEGIN, BEGIN);
    let kept = |number: usize| {
        if number == EARLY {
            clock = clock.plus(Duration::from_hours(25));
        }
        let kept = Kept::random(random, &mut clock);
        now = now.max(kept.time);
        (now, kept)
    };
    (0..EVENTS).map(kept).collect()
}

#[test]
fn a_restart_changes_nothing() {
    let (mut listed, mut published) = (0, 0);
    for seed in 1..=SEEDS {
        let mut random = Random(seed * 0x9E37_79B9);
        let events = events(&mut random);
        let cut = EARLY + random.below((EVENTS - EARLY) as u64) as usize;
        let (whole, mut owners) = (engine(), Vec::new());
        for (number, (now, kept)) in events[..cut].iter().enumerate() {
            let owner = step(&whole, *now, kept).0.owner;
            owners.extend(owner.filter(|_| number < EARLY));
        }
        let now = events[cut - 1].0;
        let halved = restarted(now, whole.book().all(None, usize::MAX), &owners, &events[EARLY..cut]);
        for (number, (now, kept)) in events.iter().enumerate().skip(cut) {
            let (wanted, got) = (step(&whole, *now, kept), step(&halved, *now, kept));
            assert_eq!(got, wanted, "seed {seed}, cut at {cut}, event {number}");
            published += got.1.iter().filter(|listing| listing.list == auth()).count();
            listed += got.1.len();
        }
    }
    assert!(listed > 1000 && published > 100, "the test tries nothing: {listed} {published}");
}

/// Whether the shipped lists hold the address.
fn is_listed(engine: &Engine) -> bool {
    !engine.book().all(None, usize::MAX).is_empty()
}

#[test]
fn who_was_taken_off_stays_off_after_a_restart() {
    let event = |second: u64| Event {
        time: BEGIN.plus(Duration::from_secs(second)),
        kind: EventKind::UnknownRecipient,
        service: "smtp",
        address: "203.0.113.1".parse().ok(),
        login: None,
        session: None,
        password: None,
        channel: Channel::Gate,
        tally: Tally::One,
        reporter: None,
    };
    let names_come = |engine: &Engine, now| {
        while let Some(address) = engine.poll_name() {
            engine.name_known(now, address, Some(ReverseName::Dynamic));
        }
    };
    let make = || Engine::new(crate::reputation::settings(), Arc::new(Book::new(NeverList::new([], []))), [9; 16]);
    let now = BEGIN.plus(Duration::from_mins(1));
    let before = make();
    for second in 0..4 {
        before.observe(event(second).time, &event(second));
    }
    names_come(&before, now);
    assert!(is_listed(&before));
    let network = "203.0.113.1".parse::<base::Address>().unwrap().aggregate();
    before.book().unlist(now, &network.into(), None, "admin");

    let after = make();
    after.resume(now, [(network, base::ListId::new(1), BEGIN)]);
    for second in 0..4 {
        after.replay(now, &event(second));
    }
    names_come(&after, now);
    assert!(!is_listed(&after), "what is gone through again lists nobody");
    for second in 100..108 {
        after.observe(event(second).time, &event(second));
    }
    names_come(&after, event(108).time);
    assert!(is_listed(&after), "who goes on is listed again");
}

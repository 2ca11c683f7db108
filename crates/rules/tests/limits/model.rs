//! The limiter against a naive model: lists of what was reserved and accepted, levels as fractions over all of history.

use std::collections::HashMap;
use std::time::Duration;

use base::Timestamp;
use rules::limits::{
    Bucket, By, Cost, Limit, LimitEffect, LimitMode, Limiter, Outcome, Part, RESERVATION_LIFE, Rate, Sending, Unkept,
};

/// Random numbers that are the same in every run: xorshift64*.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }
}

pub(crate) fn limit(name: &str, by: Part, cost: Cost, buckets: &[(u64, &str)]) -> Limit {
    let bucket = |(burst, rate): &(u64, &str)| Bucket::new(*burst, Rate::parse(rate).unwrap()).unwrap();
    Limit {
        name: name.into(),
        by: By { first: by, second: None },
        cost,
        mode: LimitMode::Strict,
        buckets: buckets.iter().map(bucket).collect(),
        effect: LimitEffect::Defer,
        except_logins: Box::default(),
        except_networks: Box::default(),
    }
}

/// One bucket of one subject, the slow way: everything that was ever accepted, leaked step by step.
#[derive(Default)]
struct Naive {
    /// Level times the milliseconds of the rate: a whole number, too.
    level: u128,
    at: u64,
}

impl Naive {
    fn leak(&mut self, now: u64, bucket: &Bucket) {
        let leaked = u128::from(now - self.at) * u128::from(bucket.rate().count());
        (self.level, self.at) = (self.level.saturating_sub(leaked), now);
    }

    fn has_room(&self, bucket: &Bucket, more: u64) -> bool {
        let time = u128::from(bucket.rate().time_ms());
        self.level + u128::from(more) * time <= u128::from(bucket.burst()) * time
    }
}

/// So many messages given up in a row say that no end is told; so many if none has ended yet.
const IN_A_ROW: u32 = 100;
const FIRST: u32 = 10;

/// A message on its way, or done.
#[derive(Clone, Default)]
struct Message {
    recipients: u32,
    at: u64,
    is_done: bool,
}

struct Model {
    limits: Vec<Limit>,
    /// By limit and login: what is reserved, and the buckets.
    subjects: HashMap<(usize, u64), (u64, Vec<Naive>)>,
    messages: HashMap<(u64, u64), Message>,
    /// By limit: how many were given up since the last that ended.
    given_up: Vec<u32>,
}

impl Model {
    fn cost(&self, limit: usize, before: u32, more: u32) -> u64 {
        match self.limits[limit].cost {
            Cost::Recipient => u64::from(more),
            Cost::Message => u64::from(before == 0 && more > 0),
        }
    }

    fn reserve(&mut self, now: u64, login: u64, message: u64, more: u32) -> bool {
        let known = self.messages.entry((login, message)).or_default();
        if known.is_done {
            *known = Message::default();
        }
        let before = known.recipients;
        known.at = now;
        let fits = (0..self.limits.len()).all(|limit| {
            let cost = self.cost(limit, before, more);
            let buckets = &self.limits[limit].buckets;
            let (pending, naive) = self.subjects.entry((limit, login)).or_default();
            naive.resize_with(buckets.len(), Naive::default);
            naive.iter_mut().zip(buckets).all(|(naive, bucket)| {
                naive.leak(now, bucket);
                cost == 0 || naive.has_room(bucket, *pending + cost)
            })
        });
        if fits {
            for limit in 0..self.limits.len() {
                let cost = self.cost(limit, before, more);
                self.subjects.get_mut(&(limit, login)).unwrap().0 += cost;
            }
            self.messages.get_mut(&(login, message)).unwrap().recipients += more;
        }
        fits
    }

    fn give_back(&mut self, login: u64, recipients: u32) {
        for limit in 0..self.limits.len() {
            let cost = self.cost(limit, 0, recipients);
            if let Some((pending, _)) = self.subjects.get_mut(&(limit, login)) {
                *pending -= cost;
            }
        }
    }

    fn charge(&mut self, now: u64, limit: usize, login: u64, cost: u64) {
        let Some((_, naive)) = self.subjects.get_mut(&(limit, login)) else { return };
        for (naive, bucket) in naive.iter_mut().zip(&self.limits[limit].buckets) {
            naive.leak(now, bucket);
            naive.level += u128::from(cost) * u128::from(bucket.rate().time_ms());
        }
    }

    /// Messages that will not be accepted: charged where so many were given up before that no end seems to be told.
    fn give_up(&mut self, now: u64, gone: &[(u64, u32)]) {
        for limit in 0..self.limits.len() {
            let costs = gone.iter().map(|(login, recipients)| (*login, self.cost(limit, 0, *recipients)));
            let costs: Vec<_> = costs.filter(|(_, cost)| *cost > 0).collect();
            for (login, cost) in &costs {
                if self.given_up[limit] >= IN_A_ROW {
                    self.charge(now, limit, *login, *cost);
                }
            }
            self.given_up[limit] += u32::from(!costs.is_empty());
        }
        for (login, recipients) in gone {
            self.give_back(*login, *recipients);
        }
    }

    fn settle(&mut self, now: u64, login: u64, message: u64, total: u32) -> bool {
        let known = self.messages.get(&(login, message)).cloned().unwrap_or_default();
        if known.is_done {
            return true;
        }
        for limit in 0..self.limits.len() {
            if self.cost(limit, 0, known.recipients) > 0 {
                self.given_up[limit] = 0;
            }
        }
        if total > known.recipients && !self.reserve(now, login, message, total - known.recipients) {
            self.give_back(login, known.recipients);
            self.messages.get_mut(&(login, message)).unwrap().recipients = 0;
            return false;
        }
        let reserved = known.recipients.max(total);
        self.give_back(login, reserved);
        for limit in 0..self.limits.len() {
            let cost = self.cost(limit, 0, total);
            self.charge(now, limit, login, cost);
            if cost > 0 {
                self.given_up[limit] = 0;
            }
        }
        // A message that began long ago is forgotten as if it had been heard of then.
        let at = if total > known.recipients || known.at == 0 { now } else { known.at };
        self.messages.insert((login, message), Message { recipients: 0, at, is_done: true });
        true
    }

    fn release(&mut self, now: u64, login: u64, message: u64) {
        if self.messages.get(&(login, message)).is_some_and(|message| !message.is_done) {
            let gone = self.messages.remove(&(login, message)).unwrap();
            self.give_up(now, &[(login, gone.recipients)]);
        }
    }

    fn poll(&mut self, now: u64) {
        let life = RESERVATION_LIFE.as_millis() as u64;
        let over: Vec<_> =
            self.messages.iter().filter(|(_, message)| message.at + life <= now).map(|(key, _)| *key).collect();
        let gone = |key: &(u64, u64)| (key.0, self.messages.remove(key).unwrap().recipients);
        let gone: Vec<_> = over.iter().map(gone).collect();
        self.give_up(now, &gone);
    }
}

fn play(seed: u64, operations: u64) {
    let limits = vec![
        limit("per-user", Part::Login, Cost::Recipient, &[(10, "1 / 1min"), (100, "30 / 60min")]),
        limit("messages", Part::Login, Cost::Message, &[(7, "7 / 90s")]),
    ];
    let limiter = Limiter::new(limits.clone(), 1000, [seed as u8; 16], Box::new(Unkept));
    let mut model =
        Model { limits, subjects: HashMap::new(), messages: HashMap::new(), given_up: vec![IN_A_ROW - FIRST; 2] };
    let mut dice = Dice::new(seed);
    let mut now = 1_795_247_139_000;
    for step in 0..operations {
        now += match dice.below(100) {
            0..60 => 0,
            60..90 => dice.below(2000),
            90..99 => dice.below(60_000),
            _ => dice.below(2 * RESERVATION_LIFE.as_millis() as u64),
        };
        let at = Timestamp::from_millis(now);
        let (login, message) = (dice.below(20), dice.below(12));
        let (name, instance) = (format!("user{login}@example.org"), format!("{login}.{message}"));
        let sending = |recipients| Sending {
            session: "s",
            instance: &instance,
            login: Some(&name),
            recipients,
            ..Sending::default()
        };
        let (got, wanted) = match dice.below(10) {
            0..5 => {
                let recipients = if dice.below(20) == 0 { dice.below(30) as u32 } else { 1 };
                let wanted = recipients == 0 || model.reserve(now, login, message, recipients);
                (limiter.reserve(at, &sending(recipients)), wanted)
            }
            5..8 => {
                let reserved = model.messages.get(&(login, message)).map_or(0, |message| message.recipients);
                let total = if dice.below(3) == 0 { dice.below(6) as u32 } else { reserved };
                (limiter.settle(at, &sending(total)), model.settle(now, login, message, total))
            }
            8 => {
                limiter.release(at, "s", &instance);
                model.release(now, login, message);
                (Outcome::Pass, true)
            }
            _ => {
                limiter.poll(at);
                model.poll(now);
                (Outcome::Pass, true)
            }
        };
        assert_eq!(got == Outcome::Pass, wanted, "seed {seed} step {step}: {got:?}");
        if let Outcome::Over(exceeded) = got
            && let Some(passes_at) = exceeded.passes_at
        {
            assert!(passes_at > at, "seed {seed} step {step}: it would pass now");
        }
        if step % 64 == 0 {
            check_levels(&limiter, &mut model, at, login, &name);
        }
    }
}

/// What people are shown is what the model counts, and tells when the next recipient passes.
fn check_levels(limiter: &Limiter, model: &mut Model, at: Timestamp, login: u64, name: &str) {
    for fill in limiter.explain(at, &Sending { login: Some(name), ..Sending::default() }) {
        let (limit, bucket) = (usize::from(fill.limit.0), fill.bucket);
        let (pending, naive) = model.subjects.entry((limit, login)).or_default();
        let settings = &model.limits[limit].buckets[bucket];
        naive.resize_with(model.limits[limit].buckets.len(), Naive::default);
        naive[bucket].leak(at.as_millis(), settings);
        let level = (naive[bucket].level * 1000).div_ceil(u128::from(settings.rate().time_ms()));
        assert_eq!((u128::from(fill.level_milli), fill.pending), (level, *pending));
        if let Some(passes_at) = fill.passes_at {
            let mut later = Naive { level: naive[bucket].level, at: naive[bucket].at };
            if passes_at > at {
                let mut before = Naive { level: later.level, at: later.at };
                before.leak(passes_at.minus(Duration::from_millis(1)).as_millis(), settings);
                assert!(!before.has_room(settings, *pending + 1), "a millisecond before it must not pass");
            }
            later.leak(passes_at.as_millis(), settings);
            assert!(later.has_room(settings, *pending + 1), "it must pass when it was told to");
        }
    }
}

#[test]
fn strict_mode_is_its_model() {
    let is_long = std::env::var_os("RATTER_SOAK").is_some();
    let (seeds, operations) = if is_long { (10, 1_000_000) } else { (4, 50_000) };
    for seed in 1..=seeds {
        play(seed, operations);
    }
}

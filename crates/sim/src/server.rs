use std::collections::HashMap;

use base::Timestamp;
use rules::accounts::{Accounts, Geo, Ladder, Sign, Step, Wanted};
use rules::limits::{Bucket, By, Cost, Limit, LimitEffect, LimitMode, Limiter, Outcome, Part, Rate, Sending, Unkept};

use crate::{Countries, Mail};

/// A mail server with its node: limits as they are shipped, the ladder as it is shipped, and nobody who looks after it.
pub struct Server {
    limiter: Limiter,
    accounts: Accounts,
    locked: HashMap<String, Timestamp>,
    messages: u64,
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sent {
    /// Recipients that it reached.
    pub reached: u32,
    /// Whether the account is locked now.
    pub is_locked: bool,
}

impl Server {
    /// One on which nothing has happened. Without limits the accounts alone must hold; without a map of the world they know
    /// no countries.
    pub fn new(ladder: Ladder, has_limits: bool, has_geo: bool) -> Self {
        let rate = |count, time| Rate::new(count, time).expect("a rate");
        let bucket = |burst, rate| Bucket::new(burst, rate).expect("a bucket");
        let buckets = [bucket(10, rate(1, 60_000)), bucket(100, rate(30, 3_600_000))];
        let limit = Limit {
            name: "per-user".into(),
            by: By { first: Part::Login, second: None },
            cost: Cost::Recipient,
            mode: LimitMode::Strict,
            buckets: buckets.into(),
            effect: LimitEffect::Defer,
            except_logins: Box::default(),
            except_networks: Box::default(),
        };
        let limits = if has_limits { vec![limit] } else { Vec::new() };
        Self {
            limiter: Limiter::new(limits, 1_000_000, [7; 16], Box::new(Unkept)),
            accounts: Accounts::new(ladder, 1_000_000, [7; 16], has_geo.then(|| Box::new(Countries) as Box<dyn Geo>)),
            locked: HashMap::new(),
            messages: 0,
        }
    }

    /// Somebody sends, as Postfix asks: recipient by recipient, then the end of the message.
    pub fn send(&mut self, login: &str, mail: &Mail) -> Sent {
        self.messages += 1;
        let message = self.messages.to_string();
        let mut taken = 0;
        for (recipient, exists) in &mail.recipients {
            let (address, client) = (Some(mail.address), &*mail.client);
            let wanted = Wanted { login, address, recipient, message: &message, client };
            if self.locked.contains_key(login) {
                break;
            }
            let mut step = self.accounts.asks(mail.at, &wanted).step;
            if !exists {
                step = step.max(self.accounts.failed(mail.at, login, Sign::Refused, address).step);
            }
            if step >= Step::LockSending {
                self.locked.insert(login.to_owned(), mail.at);
                break;
            }
            let sending = sending(login, mail, &message, 1);
            if *exists && step < Step::Hold && self.limiter.reserve(mail.at, &sending) == Outcome::Pass {
                taken += 1;
            }
        }
        if self.accounts.says(mail.at, login, &message, mail.body).step >= Step::LockSending {
            self.locked.entry(login.to_owned()).or_insert(mail.at);
        }
        // What was taken before the account was locked within the same message is refused with it.
        let reached = if self.locked.contains_key(login) { 0 } else { taken };
        if reached == 0 {
            self.limiter.release(mail.at, "sim", &message);
            return Sent { reached, is_locked: self.locked.contains_key(login) };
        }
        let settled = self.limiter.settle(mail.at, &sending(login, mail, &message, reached));
        assert_eq!(settled, Outcome::Pass, "what was reserved is taken");
        self.accounts.sent(mail.at, login, &message);
        Sent { reached, is_locked: false }
    }

    /// When the account was locked, if it was.
    pub fn locked_at(&self, login: &str) -> Option<Timestamp> {
        self.locked.get(login).copied()
    }

    /// How often the administrator was told of an account.
    pub fn noted(&self) -> u64 {
        self.accounts.counters().steps.first().copied().unwrap_or_default()
    }

    /// How the account stands.
    pub fn explain(&self, at: Timestamp, login: &str) -> String {
        format!("{:?}", self.accounts.explain(at, login))
    }
}

fn sending<'a>(login: &'a str, mail: &Mail, message: &'a str, recipients: u32) -> Sending<'a> {
    let (login, address) = (Some(login), Some(mail.address));
    Sending { session: "sim", instance: message, login, address, recipients, ..Sending::default() }
}

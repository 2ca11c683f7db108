use std::collections::HashMap;

use base::Timestamp;
use rules::accounts::{Accounts, Ladder, Sign, Step, Wanted};
use rules::limits::{
    Bucket, By, Cost, Limit, LimitEffect, LimitMode, Limiter, LoginTags, Outcome, Part, Rate, Sending, Unkept,
};

use crate::Mail;

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
    /// One on which nothing has happened. Without limits the accounts alone must hold.
    pub fn new(ladder: Ladder, has_limits: bool) -> Self {
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
            tags: LoginTags::Drop,
            except_logins: Box::default(),
            except_networks: Box::default(),
        };
        let limits = if has_limits { vec![limit] } else { Vec::new() };
        Self {
            limiter: Limiter::new(limits, 1_000_000, [7; 16], Box::new(Unkept)),
            accounts: Accounts::new(ladder, 1_000_000, [7; 16]),
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
            let wanted = Wanted { login, address: mail.address, recipient, message: &message };
            if self.locked.contains_key(login) {
                break;
            }
            let mut step = self.accounts.asks(mail.at, &wanted);
            if !exists {
                step = step.max(self.accounts.failed(mail.at, login, Sign::Refused, Some(mail.address)));
            }
            if step == Step::Lock {
                self.locked.insert(login.to_owned(), mail.at);
                break;
            }
            let sending = sending(login, mail, &message, 1);
            if *exists && step < Step::Hold && self.limiter.reserve(mail.at, &sending) == Outcome::Pass {
                taken += 1;
            }
        }
        // What was taken before the account was locked within the same message is refused with it.
        let reached = if self.locked.contains_key(login) { 0 } else { taken };
        if reached == 0 {
            self.limiter.release(mail.at, login, &message);
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

    /// How the account stands.
    pub fn explain(&self, at: Timestamp, login: &str) -> String {
        format!("{:?}", self.accounts.explain(at, login))
    }
}

fn sending<'a>(login: &'a str, mail: &Mail, message: &'a str, recipients: u32) -> Sending<'a> {
    let (address, sender) = (Some(mail.address), None);
    Sending { session: login, instance: message, message: "", login: Some(login), address, sender, recipients }
}

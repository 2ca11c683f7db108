//! The limits on sending: the limiter, the file that it survives a crash with, and the clock that both go by.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::console::api::LimitView;
use anyhow::Context;
use base::{Address, Channel, Event, EventKind, Subject, Tally, Timestamp};
use rules::Door;
use rules::limits::{Exceeded, Fill, LimitEffect, Limiter, Outcome, Sending, SendingDoor};
use store::ChargeLog;
use tracing::{info, warn};

use super::{Node, views};
use crate::clock;
use crate::config::Config;

/// See the module.
pub(super) struct SendingLimits {
    limiter: Limiter,
    log: Arc<ChargeLog>,
    /// The moment that the node started at, by its own clock and by that of the charges. The latter runs on over a
    /// restart whatever the system's clock was set to, so that a step lets nothing leak.
    began: (Timestamp, Timestamp),
    /// Milliseconds: when it was last looked for reservations that are over.
    polled: AtomicU64,
}

/// How often it is looked for them: a few seconds more of ten minutes hurt nobody.
const POLL_EVERY: Duration = Duration::from_secs(2);

impl SendingLimits {
    /// The limits of `config` with what was charged before the start.
    pub(super) fn open(config: &Config, secret: [u8; 16]) -> anyhow::Result<Self> {
        let now = clock::now();
        let directory: &Path = &config.node.state;
        let (log, kept) = ChargeLog::open(directory, now)?;
        let log = Arc::new(log);
        let limiter = Limiter::new(config.sending.clone(), config.limits.subjects, secret, Box::new(Arc::clone(&log)));
        let odd = kept.read(|charge| limiter.restore(kept.clock, charge));
        if odd > 0 {
            warn!(bytes = odd, "some of what was sent before the start is not known: its file was cut short");
        }
        log.write_afresh(kept.clock, |tell| limiter.tell_all(kept.clock, tell))
            .with_context(|| format!("the levels of the limits cannot be written in {}", directory.display()))?;
        info!(subjects = limiter.counters().subjects, "limits on sending restored");
        Ok(Self { limiter, log, began: (now, kept.clock), polled: AtomicU64::new(0) })
    }

    pub(super) const fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    pub(super) const fn log(&self) -> &Arc<ChargeLog> {
        &self.log
    }

    /// Gives back what was reserved by those that are heard of no more, and keeps the file short.
    pub(super) fn poll(&self, now: Timestamp) {
        let at = self.at(now);
        let polled = Timestamp::from_millis(self.polled.load(Ordering::Relaxed));
        if at.since(polled) < POLL_EVERY {
            return;
        }
        self.polled.store(at.as_millis(), Ordering::Relaxed);
        self.limiter.poll(at);
        if self.log.is_long()
            && let Err(error) = self.log.write_afresh(at, |tell| self.limiter.tell_all(at, tell))
        {
            warn!(%error, "the file with the levels of the limits cannot be written afresh");
        }
    }

    /// How full the buckets are, with moments as people know them.
    pub(super) fn explain(&self, now: Timestamp, login: Option<&str>, address: Option<Address>) -> Vec<Fill> {
        let mut fills = self.limiter.explain(self.at(now), login, address);
        for fill in &mut fills {
            fill.passes_at = fill.passes_at.map(|at| self.shown(at));
        }
        fills
    }

    /// The moment by the clock of the charges.
    const fn at(&self, now: Timestamp) -> Timestamp {
        self.began.1.plus(now.since(self.began.0))
    }

    /// The moment as people know it.
    const fn shown(&self, at: Timestamp) -> Timestamp {
        self.began.0.plus(at.since(self.began.1))
    }
}

impl SendingDoor for Node {
    fn reserve(&self, sending: &Sending<'_>) -> Outcome {
        self.reserve_by(sending, Limiter::reserve)
    }

    fn reserve_all(&self, sending: &Sending<'_>) -> Outcome {
        self.reserve_by(sending, Limiter::reserve_all)
    }

    fn settle(&self, sending: &Sending<'_>) -> Outcome {
        let now = clock::now();
        let login = sending.login.map(|login| self.logins.canonical(login));
        let sending = &Sending { login: login.as_deref(), ..*sending };
        let strange = self.judge_recipients(now, sending).max(self.judge_text(now, sending));
        if let Some(effect @ (LimitEffect::Defer | LimitEffect::Refuse)) = strange {
            self.release(sending.session, sending.instance);
            return Outcome::Strange(effect);
        }
        let outcome = self.sending.limiter.settle(self.sending.at(now), sending);
        if matches!(outcome, Outcome::Pass) {
            self.note_sender(now, sending);
            self.account_sent(now, sending);
        }
        match (self.tell_exceeded(now, sending, outcome), strange) {
            (Outcome::Pass | Outcome::Noted(_), Some(effect)) => Outcome::Strange(effect),
            (outcome, _) => outcome,
        }
    }

    fn release(&self, session: &str, instance: &str) {
        self.sending.limiter.release(self.sending.at(clock::now()), session, instance);
    }
}

impl Node {
    fn reserve_by(&self, sending: &Sending<'_>, ask: impl Fn(&Limiter, Timestamp, &Sending<'_>) -> Outcome) -> Outcome {
        let now = clock::now();
        let login = sending.login.map(|login| self.logins.canonical(login));
        let sending = &Sending { login: login.as_deref(), ..*sending };
        if let Some(effect) = self.judge_recipients(now, sending) {
            return Outcome::Strange(effect);
        }
        let outcome = ask(&self.sending.limiter, self.sending.at(now), sending);
        self.tell_exceeded(now, sending, outcome)
    }

    /// How full the buckets are of a login or of an address, for people.
    pub(super) fn limit_views(&self, now: Timestamp, subject: &Subject) -> Vec<LimitView> {
        let (login, address) = match subject {
            Subject::Login(login) => (Some(login.as_str()), None),
            Subject::Network(network) => (None, network.is_host().then(|| Address::new(network.base()))),
        };
        let view = |fill: Fill| {
            let limit = &self.sending.limiter.limits()[usize::from(fill.limit.0)];
            let bucket = limit.buckets[fill.bucket];
            LimitView {
                limit: limit.name.to_string(),
                level_milli: fill.level_milli,
                reserved: fill.pending,
                burst: bucket.burst(),
                rate: bucket.rate().to_string(),
                passes_at: fill.passes_at.map(views::time),
            }
        };
        self.sending.explain(now, login, address).into_iter().map(view).collect()
    }

    /// Whoever may send has logged in: where nothing else tells of logins, this shows that several people share an address.
    fn note_sender(&self, now: Timestamp, sending: &Sending<'_>) {
        if sending.login.is_some() && sending.address.is_some() {
            self.observe(&Event {
                time: now,
                kind: EventKind::LoginOk,
                service: "submission",
                address: sending.address,
                login: sending.login,
                session: None,
                password: None,
                channel: Channel::Gate,
                tally: Tally::One,
                reporter: None,
            });
        }
    }

    /// Makes an event of a limit that a message exceeded for the first time.
    fn tell_exceeded(&self, now: Timestamp, sending: &Sending<'_>, outcome: Outcome) -> Outcome {
        // What a limit only notes while it is tried out is shown, and held against nobody.
        let tally = if matches!(outcome, Outcome::Noted(_)) { Tally::Total(0) } else { Tally::One };
        let shown = |exceeded: Exceeded| {
            // Each recipient is remembered, and told of is the message.
            let message = format!("{:016x}", self.retries.name(now, sending));
            if exceeded.is_new {
                self.observe(&Event {
                    time: now,
                    kind: EventKind::RateExceeded,
                    service: "submission",
                    address: sending.address,
                    login: sending.login,
                    session: Some(&message),
                    password: None,
                    channel: Channel::Gate,
                    tally,
                    reporter: None,
                });
            }
            Exceeded { passes_at: exceeded.passes_at.map(|at| self.sending.shown(at)), ..exceeded }
        };
        match outcome {
            Outcome::Pass => Outcome::Pass,
            Outcome::Noted(exceeded) => Outcome::Noted(shown(exceeded)),
            Outcome::Over(exceeded) => Outcome::Over(shown(exceeded)),
            Outcome::Strange(effect) => Outcome::Strange(effect),
        }
    }
}

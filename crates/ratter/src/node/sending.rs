//! The limits on sending: the limiter, the file that it survives a crash with, and the clock that both go by.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::console::api::LimitView;
use anyhow::Context;
use base::{Address, Channel, Event, EventKind, Login, Subject, Tally, Timestamp};
use gates::postfix::UNNAMED;
use rules::Door;
use rules::limits::{
    Exceeded, Fill, Limit, LimitEffect, LimitId, Limiter, Outcome, Part, Sending, SendingDoor, Stop, Stops, domain_of,
};
use store::ChargeLog;
use tracing::{info, warn};

use super::{Node, views};
use crate::clock;
use crate::config::Config;
use crate::main_cf;

/// See the module.
pub(super) struct SendingLimits {
    limiter: Limiter,
    /// What was too much for limits of which neither a login nor an address is the subject alone.
    stops: Stops,
    log: Arc<ChargeLog>,
    /// The moment that the node started at, by its own clock and by that of the charges. The latter runs on over a
    /// restart whatever the system's clock was set to, so that a step lets nothing leak.
    began: (Timestamp, Timestamp),
    /// Milliseconds: when it was last looked for reservations that are over.
    polled: AtomicU64,
    /// What Postfix needs to ask at the end of a message.
    end_of_data: Option<String>,
}

/// How often it is looked for them: a few seconds more of ten minutes hurt nobody.
const POLL_EVERY: Duration = Duration::from_secs(2);

/// Of so many of the last messages that exceeded a limit it is known after a start whom it stopped.
const RECALLED_MAX: usize = 4096;

impl SendingLimits {
    /// The limits of `config` with what was charged before the start.
    pub(super) fn open(config: &Config, secret: [u8; 16]) -> anyhow::Result<Self> {
        let now = clock::now();
        let directory: &Path = &config.node.state;
        let (log, kept) = ChargeLog::open(directory, now)?;
        let log = Arc::new(log);
        let limiter = Limiter::new(config.sending.clone(), config.limits.subjects, secret, Box::new(Arc::clone(&log)));
        kept.read(|charge| limiter.restore_definition(charge));
        let odd = kept.read(|charge| limiter.restore(kept.clock, charge));
        if odd > 0 {
            warn!(bytes = odd, "some of what was sent before the start is not known: its file was cut short");
        }
        log.write_afresh(kept.clock, |tell| limiter.tell_all(kept.clock, tell))
            .with_context(|| format!("the levels of the limits cannot be written in {}", directory.display()))?;
        info!(subjects = limiter.counters().subjects, "limits on sending restored");
        let end_of_data = main_cf::end_of_data(config);
        Ok(Self {
            limiter,
            stops: Stops::new(secret),
            log,
            began: (now, kept.clock),
            polled: AtomicU64::new(0),
            end_of_data,
        })
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

    /// The limits under which messages are asked about and never come to an end.
    pub(super) fn warning(&self) -> Option<String> {
        let names: Vec<&str> = self.limiter.without_ends().map(|limit| &*limit.name).collect();
        let line = self.end_of_data.as_ref().filter(|_| !names.is_empty())?;
        let names = names.join(", ");
        Some(format!(
            "Postfix asks about recipients, and of no message at its end (limit {names}): a message that is given up is charged \
             too; add to main.cf, and to services of master.cf with restrictions of their own: {line}"
        ))
    }

    /// How full the buckets are, with moments as people know them.
    pub(super) fn explain(&self, now: Timestamp, login: Option<&str>, address: Option<Address>) -> Vec<Fill> {
        let sending = Sending { login, address, ..Sending::default() };
        let mut fills = self.limiter.explain(self.at(now), &sending);
        for fill in &mut fills {
            fill.passes_at = fill.passes_at.map(|at| self.shown(at));
        }
        fills
    }

    /// The same for subjects of two parts, and for the domains of senders, as far as they stopped somebody.
    fn explain_stops(&self, now: Timestamp, login: Option<&str>, address: Option<Address>) -> Vec<(Fill, Stop)> {
        let mut all = Vec::new();
        for stop in self.stops.of(login, address) {
            let fills = stop.with_sending(|sending| self.limiter.explain(self.at(now), sending));
            let of_limit = fills.into_iter().filter(|fill| fill.limit == stop.limit);
            all.extend(of_limit.map(|fill| {
                let passes_at = fill.passes_at.map(|at| self.shown(at));
                (Fill { passes_at, ..fill }, stop.clone())
            }));
        }
        all
    }

    /// Empties the buckets of a login or an address, and those of more parts that stopped it; whether there was anything in one.
    pub(super) fn empty(&self, login: Option<&str>, address: Option<Address>) -> bool {
        let stops = self.stops.of(login, address);
        let was_filled = self.limiter.empty(&Sending { login, address, ..Sending::default() });
        let of_stops = stops.iter().filter(|stop| stop.with_sending(|sending| self.limiter.empty(sending)));
        of_stops.count() > 0 || was_filled
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
        let strange = strange.max(self.judge_locked(now, sending));
        if let Some(effect @ (LimitEffect::Defer | LimitEffect::Refuse)) = strange {
            self.sending.limiter.refuse(self.sending.at(now), sending.session, sending.instance);
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

    /// Remembers whom limits stopped before the start, as far as it was kept.
    pub(super) fn recall_stops(&self) {
        let kept = self.store.exceeded(RECALLED_MAX).unwrap_or_else(|error| {
            warn!(%error, "whom limits stopped before the start is not known");
            Vec::new()
        });
        for event in kept.iter().rev() {
            let Some((name, domain)) = &event.exceeded else { continue };
            let limits = self.sending.limiter.limits().iter();
            let number = limits.take(usize::from(u8::MAX)).position(|limit| limit.name == *name);
            let Some(limit) = number.and_then(|number| u8::try_from(number).ok()).map(LimitId) else { continue };
            let sender = domain.as_ref().map(|domain| format!("@{domain}"));
            let login = event.login.as_ref().map(Login::as_str);
            let sending = Sending { login, address: event.address, sender: sender.as_deref(), ..Sending::default() };
            self.sending.stops.note(limit, &sending);
        }
    }

    /// How full the buckets are of a login or of an address, for people.
    pub(super) fn limit_views(&self, now: Timestamp, subject: &Subject) -> Vec<LimitView> {
        let (login, address) = sender_of(subject);
        let view = |fill: Fill, with: Option<String>| {
            let limit = &self.sending.limiter.limits()[usize::from(fill.limit.0)];
            let bucket = limit.buckets[fill.bucket];
            LimitView {
                limit: limit.name.to_string(),
                with,
                level_milli: fill.level_milli,
                reserved: fill.pending,
                burst: bucket.burst(),
                rate: bucket.rate().to_string(),
                passes_at: fill.passes_at.map(views::time),
            }
        };
        let alone = self.sending.explain(now, login, address).into_iter().map(|fill| view(fill, None));
        let mut views: Vec<LimitView> = alone.collect();
        for (fill, stop) in self.sending.explain_stops(now, login, address) {
            let with = with(&self.sending.limiter.limits()[usize::from(fill.limit.0)], &stop);
            let view = view(fill, Some(with));
            // Two addresses of one network have one bucket, and what is a login's alone is there already.
            if views.iter().all(|other| LimitView { with: view.with.clone(), ..other.clone() } != view) {
                views.push(view);
            }
        }
        views
    }

    /// A person has looked at somebody: his buckets are emptied. Whether there was anything in one.
    pub(super) fn empty_limits(&self, subject: &Subject) -> bool {
        let (login, address) = sender_of(subject);
        self.sending.empty(login, address)
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
            // Where the client names no messages its recipients come one by one: those of some minutes are taken together.
            let minutes = [sending.instance];
            let is_unnamed = sending.session.starts_with(UNNAMED);
            let whole = if is_unnamed { &Sending { session: "", to: &minutes, ..*sending } } else { sending };
            // Each recipient is remembered, and told of is the message.
            let stopped = self.retries.stopped(now, whole);
            let message = format!("{:016x}", stopped.name);
            self.sending.stops.note(exceeded.limit, sending);
            if exceeded.is_new || stopped.is_another {
                let event = Event {
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
                };
                let limit = &self.sending.limiter.limits()[usize::from(exceeded.limit.0)];
                self.observe_told(&event, Some(&(limit.name.clone(), domain_of(sending))));
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

/// Whose buckets are meant.
fn sender_of(subject: &Subject) -> (Option<&str>, Option<Address>) {
    match subject {
        Subject::Login(login) => (Some(login.as_str()), None),
        Subject::Network(network) => (None, network.is_host().then(|| Address::new(network.base()))),
    }
}

/// Whose buckets a limit's are, in words.
fn with(limit: &Limit, stop: &Stop) -> String {
    let part = |part: Part| match part {
        Part::Login => stop.login.as_deref().unwrap_or("nobody").to_owned(),
        Part::Address => stop.address.map(|address| address.aggregate().to_string()).unwrap_or_default(),
        Part::Network => stop.address.map(|address| format!("the network of {address}")).unwrap_or_default(),
        Part::SenderDomain => format!("@{}", stop.domain.as_deref().unwrap_or_default()),
    };
    let parts = [Some(limit.by.first), limit.by.second].into_iter().flatten().map(part);
    parts.collect::<Vec<_>>().join(" and ")
}

//! Events on their way to the rules: known already, taken back, held, or counted.

use core::time::Duration;

use base::{CanonicalLogin, Event, EventKind, Login, Tally, Timestamp};

use super::count::{Attempt, Mode, Word};
use super::{Engine, Named, Placed, hold};
use crate::owners::Owner;
use crate::sessions::{Failure, News, Report, Session, alone};
use crate::settings::{Profile, Trigger};

/// How far ahead of our clock an event may lie. What is further ahead comes from a clock that is wrong, and is taken
/// as of now, lest it make everything else look old.
const AHEAD_MAX: Duration = Duration::from_mins(1);

/// Most attempts of one event that are counted one by one: more than any threshold that makes sense.
const ATTEMPTS_AT_ONCE_MAX: u16 = 1024;

/// What observing an event brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observed {
    /// How many attempts the rules counted.
    pub counted: u16,
    /// The owner of the login was seen, and that is worth persisting.
    pub owner: Option<Owner>,
    /// The event took back failures that were held, so that a replay needs it too.
    pub healed: bool,
}

/// What an event came to.
#[derive(Default)]
struct Taken {
    counted: u16,
    owner: Option<Owner>,
    healed: bool,
}

impl Engine {
    /// Takes note of an event. Its time may lie before `now`, and before that of other events. Whoever has to answer
    /// somebody asks afterwards ([`Engine::ask`]); a log has nobody to answer. A success that was refused
    /// ([`base::Tally::Refused`]) makes nothing known.
    pub fn observe(&self, now: Timestamp, event: &Event<'_>) -> Observed {
        let login = event.login.and_then(CanonicalLogin::new);
        let attempt = self.attempt(now, event, login.as_ref(), Mode::Live);
        let Taken { counted, owner, healed } = self.take(now, event, &attempt);
        Observed { counted, owner, healed }
    }

    /// Takes note of an event that was observed before a restart: it is counted as it was then, but makes no listing;
    /// those that were made are restored into the book beforehand. Events come in the order in which they were
    /// observed.
    pub fn replay(&self, now: Timestamp, event: &Event<'_>) {
        // What was held counts in time, as seen by the clock of that time.
        let then = hold(&self.replayed).clock(event.time.min(now));
        self.count_due(then, Mode::Replay);
        self.end_probation(then, Mode::Replay);
        let login = event.login.and_then(CanonicalLogin::new);
        let attempt = self.attempt(then, event, login.as_ref(), Mode::Replay);
        self.take(then, event, &attempt);
    }

    /// Counts the held failures whose time has come.
    pub fn poll(&self, now: Timestamp) {
        self.count_due(now, Mode::Live);
        self.end_probation(now, Mode::Live);
        self.forget_names(now);
    }

    /// When [`Engine::poll`] has something to do next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let held = self.sessions.iter().filter_map(|shard| hold(shard).next_deadline()).min();
        held.into_iter().chain(hold(&self.names).next_deadline()).chain(hold(&self.probation).next_deadline()).min()
    }

    fn count_due(&self, now: Timestamp, mode: Mode) {
        for shard in &self.sessions {
            // Each is popped in a statement of its own, so that the lock is free while it is counted.
            loop {
                let due = hold(shard).pop_due(now);
                let Some(failure) = due else { break };
                self.count_failure(now, &failure, mode);
            }
        }
    }

    fn count_failure(&self, now: Timestamp, failure: &Failure, mode: Mode) -> bool {
        let attempt = Attempt {
            trigger: Trigger::Event(EventKind::LoginFailed),
            at: failure.at,
            login: self.named(failure.login.as_ref()),
            address: self.placed(failure.address),
            password: failure.password,
            session: None,
            word: Word::Own,
            mode,
            is_repetition: false,
        };
        self.count(now, &attempt)
    }

    /// The event as one attempt.
    fn attempt<'a>(
        &self,
        now: Timestamp,
        event: &Event<'_>,
        login: Option<&'a CanonicalLogin>,
        mode: Mode,
    ) -> Attempt<'a> {
        Attempt {
            trigger: Trigger::Event(event.kind),
            at: if event.time > now.plus(AHEAD_MAX) { now } else { event.time },
            login: self.named(login),
            address: self.placed(event.address),
            password: event.password,
            session: event.session.filter(|name| !name.is_empty()).map(|name| self.keys.session(name)),
            word: Word::Own,
            mode,
            is_repetition: false,
        }
    }

    fn take(&self, now: Timestamp, event: &Event<'_>, attempt: &Attempt<'_>) -> Taken {
        self.tallies.observed[event.kind as usize].one();
        if attempt.login.is_none() && attempt.address.is_none() {
            self.tallies.about_nobody.one();
            return Taken::default();
        }
        if let Some(reporter) = event.reporter {
            let counted = self.take_report(now, event.kind, reporter, attempt);
            return Taken { counted, ..Taken::default() };
        }
        if event.kind == EventKind::LoginOk && event.tally == Tally::Refused {
            return self.turned_away(event, attempt);
        }
        if event.kind == EventKind::LoginFailed {
            self.familiarity.failed(attempt.at);
        }
        self.remember_good(event.kind, attempt);
        self.confirm_reports(now, event.kind, attempt);
        let session = self.session_of(event, attempt.address);
        let (mut owner, mut healed) = (None, false);
        let news = match (event.kind, session) {
            (EventKind::LoginFailed, Some(session)) => self.failed(now, event, session, attempt),
            (EventKind::LoginOk, session) => {
                healed = session.is_some_and(|session| self.heal(session, attempt));
                owner = self.remember_owner(attempt);
                News::Attempts(1)
            }
            (_, _) => alone(event.tally),
        };
        Taken { counted: self.count_told(now, event, attempt, news), owner, healed }
    }

    /// The password was right, and whoever gave it was refused all the same: that is no guess, and no reason to let him in the
    /// next time. Only what was held of his session is taken back.
    fn turned_away(&self, event: &Event<'_>, attempt: &Attempt<'_>) -> Taken {
        self.tallies.refused.one();
        let session = self.session_of(event, attempt.address);
        let healed = session.is_some_and(|session| self.heal(session, attempt));
        Taken { healed, ..Taken::default() }
    }

    /// Something good came from the address: whoever does much of it may fail more often.
    fn remember_good(&self, kind: EventKind, attempt: &Attempt<'_>) {
        if is_good(kind)
            && let Some(place) = attempt.address.filter(|address| !address.is_proxy)
        {
            // Things of one second are one: a burst of good is soon made.
            let tag = [attempt.at.as_secs() as u32];
            self.address_shard(place.key).good.remember(place.key, 0, attempt.at, tag);
        }
    }

    fn session_of(&self, event: &Event<'_>, address: Option<Placed>) -> Option<Session> {
        let named = event.session.filter(|session| !session.is_empty());
        let named = named.map(|session| Session::Named(self.keys.session(session)));
        named.or_else(|| address.map(|address| Session::Pseudo(address.key)))
    }

    /// What is new in a failed login; what must give way to it among the held is counted.
    fn failed(&self, now: Timestamp, event: &Event<'_>, session: Session, attempt: &Attempt<'_>) -> News {
        let report = Report {
            session,
            channel: event.channel,
            tally: event.tally,
            guess: self.guess(attempt.login, event.password),
            at: attempt.at,
            address: event.address,
            login: attempt.login.map(|login| login.name),
            password: event.password,
        };
        let (news, pressed_out) = self.session_shard(session.key()).failed(now, &report);
        if let Some(failure) = pressed_out {
            self.tallies.held_shed.one();
            self.count_failure(now, &failure, attempt.mode);
        }
        news
    }

    /// A client that is refused offers the same password once more by itself, and where the passwords are known that does not
    /// count. Where a log tells no more than how many attempts a connection made, one of several is taken for that, if the
    /// login is somebody's: it counts for its login, and not against the address.
    fn is_repeated_in(&self, event: &Event<'_>, attempt: &Attempt<'_>, new: u16) -> bool {
        let is_told_in_all = matches!(event.tally, Tally::Total(_)) && attempt.password.is_none();
        let is_owned = |login: Named<'_>| self.login_shard(login.key).owners.is_owned(login.key, attempt.at);
        new > 1 && is_told_in_all && self.settings.profile == Profile::Smart && attempt.login.is_some_and(is_owned)
    }

    /// Counts the attempts of an event.
    fn count_told(&self, now: Timestamp, event: &Event<'_>, attempt: &Attempt<'_>, news: News) -> u16 {
        if let News::Attempts(new) = news
            && self.is_repeated_in(event, attempt, new)
        {
            self.tallies.repeated_password.one();
            let repeated = Attempt { is_repetition: true, ..*attempt };
            return self.count_news(now, attempt, News::Attempts(new - 1)) + u16::from(self.count(now, &repeated));
        }
        self.count_news(now, attempt, news)
    }

    /// Counts what is new.
    pub(super) fn count_news(&self, now: Timestamp, attempt: &Attempt<'_>, news: News) -> u16 {
        match news {
            News::Attempts(new) => {
                (0..new.min(ATTEMPTS_AT_ONCE_MAX)).map(|_| u16::from(self.count(now, attempt))).sum()
            }
            News::Refused(new) => {
                self.tallies.refused.add(u64::from(new));
                0
            }
            News::Held => {
                self.tallies.held.one();
                0
            }
            News::Nothing => {
                self.tallies.duplicate.one();
                0
            }
        }
    }

    /// A login succeeded: takes back what was held of its session; whether there was something.
    fn heal(&self, session: Session, attempt: &Attempt<'_>) -> bool {
        let taken = self.session_shard(session.key()).succeeded(session, attempt.login.map(|login| login.name));
        self.tallies.held_taken_back.add(u64::from(taken));
        taken > 0
    }

    /// A login succeeded: remembers its owner, who is returned if that is news.
    fn remember_owner(&self, attempt: &Attempt<'_>) -> Option<Owner> {
        let login = attempt.login?;
        let place = attempt.address.filter(|address| !address.is_proxy);
        let network = place.map(|place| place.network);
        let is_news = {
            let owners = &mut self.login_shard(login.key).owners;
            self.familiarity.succeeded(owners.is_owned(login.key, attempt.at), attempt.at);
            owners.succeeded(login.key, network, attempt.password, attempt.at)
        };
        let place = place?;
        self.remember_home(place.address, place.network, login.key, attempt.at);
        (is_news && attempt.mode == Mode::Live).then(|| owner_of(login, place, attempt))
    }
}

/// Whether it speaks for the address.
pub(super) const fn is_good(kind: EventKind) -> bool {
    matches!(kind, EventKind::LoginOk | EventKind::MessageSent | EventKind::MessageReceived)
}

fn owner_of(login: Named<'_>, place: Placed, attempt: &Attempt<'_>) -> Owner {
    Owner { login: Login::from(login.name), network: place.network, at: attempt.at, password: attempt.password }
}

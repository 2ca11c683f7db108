//! Accounts that seem to be stolen: what gates and logs tell of what each does goes to [`Accounts`], and what they think of it
//! becomes a lock, a delay, and a word to people.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::actions::notice::{Notice, What};
use ::console::api::{AccountView, Happening, SignView};
use ::console::metrics::Metric;
use base::{
    Address, Channel, Event, EventKind, Evidence, ListId, Listing, Login, Maker, Subject, Tally, Timestamp, Until,
};
use rules::accounts::{Accounts, Geo, Opinion, Sign, Standing, Step, Wanted};
use rules::limits::{LimitEffect, Sending};
use rules::{Door, Lock, Question, Stage};
use store::KeptAccount;
use tracing::{info, warn};

use super::{Node, views};
use crate::config::Config;

/// How often what is known of accounts is written down; what people were told of is written at once.
const SAVED_EVERY: Duration = Duration::from_mins(1);

/// Most accounts that are written down at one time.
const SAVED_MAX: usize = 5000;

/// How often accounts that nobody uses any more are looked for.
const FORGOTTEN_EVERY: Duration = Duration::from_hours(1);

/// Who says it, among what was done.
const BY: &str = "accounts";

/// Most of what was done about one account that is shown.
const DONE_MAX: usize = 10;

/// The accounts of a node, and when what is due with them was done last, in milliseconds.
pub(super) struct AccountKeeper {
    accounts: Accounts,
    saved: AtomicU64,
    forgotten: AtomicU64,
}

impl AccountKeeper {
    /// Those of `config`, with what was kept of them, and with what is known of where addresses are.
    pub(super) fn new(
        config: &Config,
        now: Timestamp,
        secret: [u8; 16],
        kept: Vec<KeptAccount>,
        geo: Option<Box<dyn Geo>>,
    ) -> Self {
        let accounts = Accounts::new(config.accounts.ladder, config.accounts.subjects, secret, geo);
        let count = kept.len();
        let left_out = kept.into_iter().filter(|(key, state)| !accounts.restore(*key, state)).count();
        if left_out > 0 {
            warn!(left_out, "accounts in the file make no sense, or are more than [accounts] has room for");
        }
        info!(accounts = count - left_out, "what accounts do restored");
        let due = || AtomicU64::new(now.as_millis());
        Self { accounts, saved: due(), forgotten: due() }
    }
}

/// Whether what was done at the kept moment is due again; then it is kept that it was done now.
fn is_due(kept: &AtomicU64, now: Timestamp, every: Duration) -> bool {
    let is_due = now.since(Timestamp::from_millis(kept.load(Ordering::Relaxed))) >= every;
    if is_due {
        kept.store(now.as_millis(), Ordering::Relaxed);
    }
    is_due
}

impl Node {
    /// An account wants to send to these recipients; what is done about it, if anything is.
    pub(super) fn judge_recipients(&self, now: Timestamp, sending: &Sending<'_>) -> Option<LimitEffect> {
        let login = sending.login?;
        let mut worst = Opinion::default();
        for recipient in sending.to {
            let Sending { address, instance: message, client, .. } = *sending;
            let opinion = self.accounts.accounts.asks(now, &Wanted { login, address, recipient, message, client });
            self.heed(now, login, opinion);
            // A recipient whom the owner knows speaks for him; what was done because of those before holds all the same.
            worst = if opinion.step > worst.step { opinion } else { worst };
        }
        let has_turn = |login| self.accounts.accounts.has_turn(now, login, sending.recipients.max(1));
        if worst.step == Step::Slower && has_turn(login) {
            return None;
        }
        self.enforce(now, sending.address, login, worst.step)
    }

    /// A message that was on its way when its own recipients had the account locked goes nowhere.
    pub(super) fn judge_locked(&self, now: Timestamp, sending: &Sending<'_>) -> Option<LimitEffect> {
        let login = sending.login?;
        let step = self.accounts.accounts.taken(login);
        if step >= Step::LockSending { self.enforce(now, sending.address, login, step) } else { None }
    }

    /// The message is at its end, and says that.
    pub(super) fn judge_text(&self, now: Timestamp, sending: &Sending<'_>) -> Option<LimitEffect> {
        let login = sending.login.filter(|_| sending.body != 0)?;
        let opinion = self.accounts.accounts.says(now, login, sending.instance, sending.body);
        self.heed(now, login, opinion);
        // Of a slow account its recipients have waited for their turn.
        if opinion.step == Step::Slower { None } else { self.enforce(now, sending.address, login, opinion.step) }
    }

    /// The message was taken.
    pub(super) fn account_sent(&self, now: Timestamp, sending: &Sending<'_>) {
        if let Some(login) = sending.login {
            self.accounts.accounts.sent(now, login, sending.instance);
        }
    }

    /// What an event says of an account.
    pub(super) fn hear_of_account(&self, event: &Event<'_>) {
        let Some(login) = event.login.filter(|_| event.reporter.is_none()) else { return };
        let at = event.time;
        let sign = match (event.kind, event.channel) {
            (EventKind::LoginOk, _) => {
                if let Some(address) = event.address.filter(|_| event.tally != Tally::Refused) {
                    self.accounts.accounts.seen(at, login, address);
                }
                return;
            }
            (EventKind::UnknownRecipient | EventKind::RelayDenied, Channel::Gate) => Sign::Refused,
            (EventKind::UnknownRecipient, Channel::Front | Channel::Auth) => Sign::Bounced,
            (EventKind::SpamSeen, _) => Sign::Spam,
            _ => return,
        };
        let opinion = self.accounts.accounts.failed(at, login, sign, event.address);
        self.heed(at, login, opinion);
    }

    /// Writes down what has changed, and forgets what nobody uses.
    pub(super) fn tend_accounts(&self, now: Timestamp) {
        let keeper = &self.accounts;
        if is_due(&keeper.saved, now, SAVED_EVERY) {
            self.save_accounts(SAVED_MAX);
        }
        if is_due(&keeper.forgotten, now, FORGOTTEN_EVERY) {
            let gone = keeper.accounts.forget(now);
            self.store.push_accounts(gone.into_iter().map(|key| (key, None)).collect());
        }
    }

    /// Writes down at most so many of the accounts that have changed.
    pub(super) fn save_accounts(&self, most: usize) {
        let unsaved = self.accounts.accounts.unsaved(most);
        if !unsaved.is_empty() {
            self.store.push_accounts(unsaved.into_iter().map(|(key, state)| (key, Some(state))).collect());
        }
    }

    /// A person has looked at an account: nothing is suspicious any more. Whether anything was.
    pub(super) fn forgive_account(&self, now: Timestamp, login: &Login) -> bool {
        let was_suspicious = self.accounts.accounts.forgive(now, login.as_str());
        self.save_accounts(SAVED_MAX);
        was_suspicious
    }

    /// How an account stands, for people; none of one of which nothing is known.
    pub(super) fn account_view(&self, now: Timestamp, subject: &Subject) -> Option<AccountView> {
        let Subject::Login(login) = subject else { return None };
        let Standing { score, step, mut signs, is_grown_up } = self.accounts.accounts.explain(now, login.as_str())?;
        signs.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let ladder = self.accounts.accounts.ladder();
        let is_never = self.book.never_list().covers_login(login.as_str());
        let steps = Step::ALL.into_iter().filter(|_| !is_never);
        let steps = steps.filter_map(|step| Some(format!("{} from {}", step.name(), ladder.from(step)?)));
        let done = self.store.audits_about(BY, subject, DONE_MAX).unwrap_or_default();
        Some(AccountView {
            points: tenths(score),
            step: if is_never { "on the never-list".to_owned() } else { step.name().to_owned() },
            steps: steps.collect(),
            signs: signs
                .iter()
                .map(|(sign, points)| SignView { sign: sign.words().to_owned(), points: tenths(*points) })
                .collect(),
            is_known: is_grown_up,
            done: done.iter().map(|told| format!("{} {}", views::time(told.at), what_was_done(&told.what))).collect(),
        })
    }

    /// What is counted of accounts.
    pub(super) fn account_metrics(&self) -> Vec<Metric> {
        let counters = self.accounts.accounts.counters();
        let steps = Step::ALL.into_iter().map(|step| step.name().to_owned()).zip(counters.steps);
        vec![
            Metric::gauge("accounts", "Accounts of which it is known what they do", counters.known),
            Metric::counter(
                "account_recipients",
                "Recipients that accounts asked for and that were looked at",
                counters.asked,
            ),
            Metric::counter(
                "account_untracked",
                "Recipients that were not, because there is room for no more accounts",
                counters.untracked,
            ),
            Metric::counter("account_steps", "Steps taken because of signs of a stolen account", 0).by("step", steps),
        ]
    }

    /// Does what is to be done once, and tells people of it.
    fn heed(&self, now: Timestamp, login: &str, opinion: Opinion) {
        if !opinion.is_news {
            return;
        }
        let Some(login) = Login::new(login) else { return };
        if self.book.never_list().covers_login(login.as_str()) {
            return;
        }
        if let Some(lock) = lock_of(opinion.step)
            && self.engine.lock(now, &login, lock)
        {
            self.save_before_telling();
        }
        self.tell_of_account(now, login, opinion);
        // What people were told shall not be forgotten by a crash.
        self.accounts.saved.store(0, Ordering::Relaxed);
    }

    fn tell_of_account(&self, now: Timestamp, login: Login, opinion: Opinion) {
        let signs =
            self.accounts.accounts.explain(now, login.as_str()).map(|standing| standing.signs).unwrap_or_default();
        let signs: Vec<String> =
            signs.iter().map(|(sign, points)| format!("{} {}", tenths(*points), sign.words())).collect();
        let (step, points) = (opinion.step.name(), tenths(opinion.score));
        warn!(login = login.as_str(), step, points, "an account shows signs that somebody else uses it");
        let subject = Subject::Login(login);
        self.store.audit(BY, &format!("{subject}: {step} at {points} points: {}", signs.join(", ")));
        let head = format!("shows signs that somebody else uses it: {points} points, {}", in_words(opinion.step));
        let happening = Happening::Notice { at: views::time(now), text: format!("{subject} {head}") };
        // Without a watcher there is nobody to tell.
        drop(self.happenings.send(happening));
        let text = core::iter::once(head).chain(signs).collect::<Vec<_>>().join("\n");
        let listing = Listing {
            subject,
            list: ListId::BLOCKED,
            since: now,
            until: Until::Never,
            maker: Maker::Rule(self.engine.rule_of(Lock::Login)),
            evidence: Evidence { count: 0, distinct: 0, first: now, last: now },
        };
        self.actions.tell(&Notice { at: now, listing, what: What::Noted { text: text.into() } });
    }

    /// What the server does with what the account sends just now.
    fn enforce(&self, now: Timestamp, address: Option<Address>, login: &str, step: Step) -> Option<LimitEffect> {
        let effect = match step {
            Step::Calm | Step::Note => return None,
            Step::Slower => LimitEffect::Defer,
            Step::Hold => LimitEffect::Hold,
            Step::LockSending | Step::LockLogin => LimitEffect::Refuse,
        };
        if self.book.never_list().covers_login(login) {
            return None;
        }
        if effect != LimitEffect::Refuse {
            return Some(effect);
        }
        // The lock decides, so that whoever is excepted from it sends on.
        let question = Question { address, login: Some(login), stage: Stage::After, service: "submission" };
        (self.ask(now, &question).verdict == base::Verdict::Refuse).then_some(effect)
    }
}

const fn lock_of(step: Step) -> Option<Lock> {
    match step {
        Step::Calm | Step::Note | Step::Slower | Step::Hold => None,
        Step::LockSending => Some(Lock::Sending),
        Step::LockLogin => Some(Lock::Login),
    }
}

/// What was done, for people.
const fn in_words(step: Step) -> &'static str {
    match step {
        Step::Calm | Step::Note => "nothing was done",
        Step::Slower => "one recipient a minute passes",
        Step::Hold => "its messages are held",
        Step::LockSending => "it may send no more",
        Step::LockLogin => "it is locked",
    }
}

/// Points as people read them.
fn tenths(points: f32) -> String {
    format!("{points:.1}")
}

/// What was done, without whom it was about.
fn what_was_done(audited: &str) -> &str {
    audited.split_once(": ").map_or(audited, |(_, what)| what)
}

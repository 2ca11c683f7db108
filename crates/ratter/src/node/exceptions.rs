//! What programs that speak weakforced's API want: blocks in the book, and exceptions beside it.

use ::console::api::ExceptionView;
use ::gates::weakforced::{Entries, Entry, EntryRefused, Level as Counted, Side};
use base::{Address, CanonicalLogin, Decision, Evidence, ListId, Listing, Login, Maker, Network};
use base::{Reason, Subject, Timestamp, Until, Verdict};
use listings::{Refusal, Wish};
use rules::{Exception, Level, Party, Question, Treatment};
use store::ExceptionChange;

use super::{Node, console, views};

/// Who makes an entry: the API asks for a password, and for no name.
const MAKER: &str = "weakforced-api";

/// Most exceptions that are shown of one subject.
const SHOWN_MAX: usize = 20;

impl Node {
    /// What an exception says of a client; none if there is none for it. Whoever is never listed is never refused.
    pub(super) fn excepted(&self, now: Timestamp, question: &Question<'_>) -> Option<Decision> {
        if self.exceptions.is_empty() {
            return None;
        }
        let login = question.login.and_then(CanonicalLogin::new);
        let login = login.as_ref().map(CanonicalLogin::as_str);
        let exception = self.exceptions.find(now, question.address, login)?;
        let never = self.book.never_list();
        let is_protected = question.address.is_some_and(|address| never.covers_address(address))
            || login.is_some_and(|login| never.covers_login(login));
        let verdict = match exception.treatment {
            Treatment::Pass => Verdict::Pass,
            Treatment::Refuse if is_protected => return None,
            Treatment::Refuse => Verdict::Refuse,
        };
        Some(Decision { verdict, reason: Reason::Excepted })
    }

    /// The exceptions about somebody, as people read them.
    pub(super) fn exception_views(&self, now: Timestamp, subject: &Subject) -> Vec<ExceptionView> {
        let view = |exception: &Exception| ExceptionView {
            network: exception.party.network.map(|network| network.to_string()),
            login: exception.party.login.as_ref().map(ToString::to_string),
            passes: exception.treatment == Treatment::Pass,
            until: views::time(exception.until),
            maker: exception.maker.to_string(),
            reason: exception.reason.to_string(),
        };
        self.exceptions.about(now, subject, SHOWN_MAX).iter().map(|exception| view(exception)).collect()
    }

    /// Takes out the exceptions that are over.
    pub(super) fn expire_exceptions(&self, now: Timestamp) {
        if self.exceptions.is_empty() {
            return;
        }
        let gone = self.exceptions.expire(now);
        let gone = gone.iter().map(|entry| ExceptionChange::Gone(entry.treatment, entry.party.clone()));
        let gone: Vec<_> = gone.collect();
        if !gone.is_empty() {
            self.store.push_exceptions(gone);
        }
    }

    fn except(&self, exception: Exception) -> Result<(), EntryRefused> {
        self.exceptions.put(&exception).map_err(|error| EntryRefused(error.to_string()))?;
        self.store.push_exceptions(vec![ExceptionChange::Put(exception)]);
        Ok(())
    }

    fn except_no_more(&self, treatment: Treatment, party: &Party) {
        if self.exceptions.remove(treatment, party).is_some() {
            self.store.push_exceptions(vec![ExceptionChange::Gone(treatment, party.clone())]);
        }
    }

    fn block(&self, now: Timestamp, subject: &Subject, until: Until, reason: &str) -> Result<(), EntryRefused> {
        let maker = Maker::Person { name: MAKER.into(), reason: reason.into() };
        let evidence = Evidence { count: 0, distinct: 0, first: now, last: now };
        let wish = Wish { subject: subject.clone(), list: ListId::BLOCKED, until, maker, evidence };
        match self.book.list(now, wish) {
            Ok(_) => Ok(()),
            // It takes the place of what there was, and is over at once.
            Err(Refusal::OverBeforeItBegan) => {
                self.book.unlist(now, subject, Some(ListId::BLOCKED), MAKER);
                Ok(())
            }
            Err(refusal) => Err(EntryRefused(console::refused_in_words(refusal))),
        }
    }

    /// The block that covers a subject, its own or that of a network around it.
    fn block_of(&self, now: Timestamp, subject: &Subject) -> Option<Listing> {
        let in_force = |listing: &Listing| listing.list == ListId::BLOCKED && !listing.until.is_over(now);
        self.book.about(subject).into_iter().find(in_force)
    }

    fn note(&self, what: &str, party: &Party, reason: &str) {
        self.store.audit(MAKER, &format!("{what} {}: {reason}", shown(party)));
        self.save_before_telling();
    }
}

impl Entries for Node {
    fn put(&self, now: Timestamp, side: Side, entry: &Entry) -> Result<(), EntryRefused> {
        let party = self.as_counted(&entry.party);
        if let (Side::Black, Some(Subject::Network(network))) = (side, subject_of(&party)) {
            let fault = |_| EntryRefused(format!("{network} is too wide: `ratter list --force` lists it all the same"));
            console::check_width(&network.into()).map_err(fault)?;
        }
        let until = entry.until.unwrap_or(now);
        let exception = |treatment| Exception {
            party: party.clone(),
            treatment,
            until,
            maker: MAKER.into(),
            reason: entry.reason.as_str().into(),
        };
        match (side, subject_of(&party)) {
            (Side::White, _) => self.except(exception(Treatment::Pass))?,
            (Side::Black, Some(subject)) => self.block(now, &subject, Until::At(until), &entry.reason)?,
            (Side::Black, None) => {
                let never = self.book.never_list();
                if parts_of(&party).iter().any(|part| never.covers(part)) {
                    return Err(EntryRefused(console::refused_in_words(Refusal::NeverListed)));
                }
                self.except(exception(Treatment::Refuse))?;
            }
        }
        self.note(if side == Side::Black { "addBLEntry" } else { "addWLEntry" }, &party, &entry.reason);
        Ok(())
    }

    fn remove(&self, now: Timestamp, side: Side, party: &Party) {
        let party = self.as_counted(party);
        match (side, subject_of(&party)) {
            (Side::White, _) => self.except_no_more(Treatment::Pass, &party),
            (Side::Black, None) => self.except_no_more(Treatment::Refuse, &party),
            (Side::Black, Some(subject)) => drop(self.book.unlist(now, &subject, Some(ListId::BLOCKED), MAKER)),
        }
        self.note(if side == Side::Black { "delBLEntry" } else { "delWLEntry" }, &party, "");
    }

    fn find(&self, now: Timestamp, side: Side, address: Option<Address>, login: Option<&str>) -> Option<Entry> {
        let login = login.and_then(|login| Login::new(&self.logins.canonical(login)));
        let text = login.as_ref().map(Login::as_str);
        let treatment = if side == Side::Black { Treatment::Refuse } else { Treatment::Pass };
        let excepted = self.exceptions.find_one(now, treatment, address, text).map(|found| Entry {
            party: found.party.clone(),
            until: Some(found.until),
            reason: found.reason.to_string(),
        });
        if side == Side::White || excepted.is_some() {
            return excepted;
        }
        let subjects = [address.map(Subject::from), login.map(Subject::from)];
        subjects.iter().flatten().find_map(|subject| self.block_of(now, subject)).map(|listing| self.entry(listing))
    }

    fn all(&self, now: Timestamp, side: Side, limit: usize) -> Vec<Entry> {
        let treatment = if side == Side::Black { Treatment::Refuse } else { Treatment::Pass };
        let blocks = match side {
            Side::Black => self.book.all(Some(ListId::BLOCKED), limit),
            Side::White => Vec::new(),
        };
        let excepted = self.exceptions.all(now, treatment, limit);
        let excepted = excepted.iter().map(|entry| Entry {
            party: entry.party.clone(),
            until: Some(entry.until),
            reason: entry.reason.to_string(),
        });
        blocks.into_iter().map(|listing| self.entry(listing)).chain(excepted).take(limit).collect()
    }

    fn reset(&self, now: Timestamp, party: &Party) {
        let party = self.as_counted(party);
        let is_pair = subject_of(&party).is_none();
        for subject in parts_of(&party) {
            self.engine.forget(&subject);
            if let Subject::Login(login) = &subject {
                self.forgive_account(now, login);
            }
            // Of a pair only what was counted is forgotten: what a person blocked stays blocked.
            let by_rule = |listing: &Listing| listing.subject == subject && matches!(listing.maker, Maker::Rule(_));
            if !is_pair || self.book.about(&subject).iter().any(by_rule) {
                self.book.unlist(now, &subject, Some(ListId::BLOCKED), MAKER);
            }
        }
        self.except_no_more(Treatment::Refuse, &party);
        self.note("reset", &party, "");
    }

    fn levels(&self, now: Timestamp, party: &Party) -> Vec<Counted> {
        let levels = parts_of(&self.as_counted(party)).into_iter().flat_map(|part| self.engine.explain(now, &part));
        let counted = levels.filter_map(|level| match level {
            Level::Rule { rule, counted, distinct, distinct_threshold, .. } => Some(Counted {
                rule: self.names.rule(rule).to_owned(),
                count: counted.into(),
                distinct: (distinct_threshold > 0).then_some(distinct.into()),
            }),
            Level::Known { .. } => None,
        });
        counted.collect()
    }
}

impl Node {
    /// The party as it is counted: a single IPv6 address stands for its /64, and a login has its one form.
    fn as_counted(&self, party: &Party) -> Party {
        let widen =
            |network: Network| if network.is_host() { Address::new(network.base()).aggregate() } else { network };
        let one = |login: &Login| Login::new(&self.logins.canonical(login.as_str()));
        Party { network: party.network.map(widen), login: party.login.as_ref().and_then(one) }
    }

    fn entry(&self, listing: Listing) -> Entry {
        let reason = views::listing(&self.names, &listing).reason;
        let party = match listing.subject {
            Subject::Network(network) => Party { network: Some(network), login: None },
            Subject::Login(login) => Party { network: None, login: Some(login) },
        };
        Entry { party, until: listing.until.moment(), reason }
    }
}

/// The one subject of a party; none of a pair, which the book does not know.
fn subject_of(party: &Party) -> Option<Subject> {
    match (party.network, &party.login) {
        (Some(network), None) => Some(network.into()),
        (None, Some(login)) => Some(login.clone().into()),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

fn parts_of(party: &Party) -> Vec<Subject> {
    [party.network.map(Subject::from), party.login.clone().map(Subject::from)].into_iter().flatten().collect()
}

fn shown(party: &Party) -> String {
    parts_of(party).iter().map(ToString::to_string).collect::<Vec<_>>().join(" with ")
}

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::{Listing, Timestamp};
use listings::Entry;

use super::told::Told;
use super::{program, smtp};
use crate::notice::{
    Desk, Interest, Letter, LetterPace, Notice, Owners, Reporter, Sender, arf, compose, letter_to_owner, xarf_mail,
};
use crate::{Action, Failure, Pace, Words};

/// How long `sendmail` may take.
const SENDMAIL_PATIENCE: Duration = Duration::from_secs(30);

/// A letter is written a second after what it tells, with what came in that second.
pub const MAIL_PACE: Pace = Pace { settle: Duration::from_secs(1), rest: Duration::from_secs(1) };

/// How letters leave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Via {
    /// A program that takes a letter as `sendmail` does.
    Sendmail(PathBuf),
    /// A mail server.
    Smtp(SocketAddr),
}

/// What the letters are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Form {
    /// For people.
    Notice,
    /// For the owner of each login that is told of.
    Owner(Owners),
    /// Reports of abuse (RFC 5965).
    Arf(Reporter),
    /// Reports of abuse (X-ARF version 4).
    Xarf(Reporter),
}

/// What is mailed, by whom and to whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mailing {
    /// What is told.
    pub interest: Interest,
    /// How often.
    pub pace: LetterPace,
    /// In which form.
    pub form: Form,
    /// Who writes, and to whom.
    pub sender: Sender,
    /// How.
    pub via: Via,
}

/// Mails what happens.
pub struct MailAction {
    mailing: Mailing,
    words: Arc<Words>,
    desk: Desk,
    told: Told,
}

impl MailAction {
    /// The file at `kept` says what was told before the start.
    pub fn new(mailing: Mailing, words: Arc<Words>, kept: PathBuf, now: Timestamp) -> Self {
        let pace = LetterPace { has_digests: mailing.form == Form::Notice, ..mailing.pace };
        Self { desk: Desk::new(pace), told: Told::open(kept, now), mailing, words }
    }

    fn push(&mut self, notice: Notice) {
        let is_wanted = match &self.mailing.form {
            Form::Notice => true,
            Form::Owner(owners) => owners.of(&notice).is_some(),
            Form::Arf(reporter) | Form::Xarf(reporter) => reporter.can_report(&notice),
        };
        if is_wanted {
            self.desk.push(notice);
        }
    }

    /// The letter to the owner of the login that it is about; none if it is about no such login.
    fn send_to_owner(&self, letter: &Letter, owners: &Owners, now: Timestamp) -> Result<(), Failure> {
        let Some(owner) = letter.notices.first().and_then(|notice| owners.of(notice)) else { return Ok(()) };
        let sender = Sender { to: vec![owner.to_owned()], ..self.mailing.sender.clone() };
        self.send(&sender.to, &letter_to_owner(&sender, owners, letter, now))
    }

    fn send(&self, to: &[String], letter: &str) -> Result<(), Failure> {
        match &self.mailing.via {
            Via::Sendmail(path) => {
                // Without `--` an address that begins with a hyphen would be an option.
                let mut arguments: Vec<OsString> = ["-i", "-f", "<>", "--"].map(OsString::from).into();
                arguments.extend(to.iter().map(OsString::from));
                program::run(path, &arguments, letter.replace("\r\n", "\n").as_bytes(), SENDMAIL_PATIENCE)
            }
            Via::Smtp(server) => smtp::deliver(*server, &self.mailing.sender.node, to, letter).map_err(Failure),
        }
    }
}

impl Action for MailAction {
    fn reconcile(&mut self, listings: Vec<Listing>) {
        self.desk.forget_changes();
        for notice in self.told.news(listings, self.mailing.interest) {
            self.push(notice);
        }
    }

    fn note(&mut self, entry: &Entry) -> bool {
        if let Some(notice) = Notice::of(entry, &self.mailing.interest) {
            self.push(notice);
        }
        true
    }

    fn tell(&mut self, notice: &Notice) {
        let is_for_people = matches!(self.mailing.form, Form::Notice | Form::Owner(_));
        if is_for_people && self.mailing.interest.covers(&notice.listing) {
            self.push(notice.clone());
        }
    }

    fn due(&self) -> Option<Timestamp> {
        self.desk.due()
    }

    fn carry_out(&mut self, now: Timestamp) -> Result<(), Failure> {
        while let Some(letter) = self.desk.next(now) {
            let Mailing { form, sender, .. } = &self.mailing;
            match (form, letter.notices.first()) {
                (Form::Owner(owners), _) => self.send_to_owner(&letter, owners, now)?,
                (Form::Arf(reporter), Some(notice)) => self.send(&sender.to, &arf(sender, reporter, notice, now))?,
                (Form::Xarf(reporter), Some(notice)) => {
                    self.send(&sender.to, &xarf_mail(sender, reporter, notice, now))?;
                }
                (_, _) => self.send(&sender.to, &compose(sender, &letter, &self.words, now))?,
            }
            let told = self.desk.sent(now, &letter);
            let kept = self.told.keep(&told, self.desk.waiting(), now);
            kept.map_err(|error| Failure(error.to_string()))?;
        }
        Ok(())
    }

    fn waiting(&self) -> usize {
        self.desk.waiting().len()
    }

    fn size(&self) -> (usize, usize) {
        (0, self.desk.waiting().dropped())
    }
}

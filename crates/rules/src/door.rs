//! The one door: what gates ask and everybody tells.

use core::time::Duration;

use base::{Address, Decision, Event, Timestamp};

/// Answers gates and takes events from everybody.
pub trait Door: Send + Sync {
    /// Whether a client may go on. Asking counts nothing: mail servers ask twice for one attempt.
    fn ask(&self, now: Timestamp, question: &Question<'_>) -> Decision;

    /// How long at most it is worth waiting before the question is asked, because an answer that it rests on is on its
    /// way; none if nothing is. A gate that can wait looks again a little later; one that cannot asks at once, and is
    /// answered by what is known.
    fn patience(&self, _now: Timestamp, _question: &Question<'_>) -> Option<Duration> {
        None
    }

    /// The mail server could not check a password, because its database is out of order: nobody failed. One such word says
    /// little, as whoever attacks may cause it; many about people who are at home do.
    fn database_failed(&self, _now: Timestamp, _address: Option<Address>, _login: Option<&str>) {}

    /// Takes note of an event, and says what is to be done about its subjects now.
    fn observe(&self, event: &Event<'_>) -> Decision;
}

/// What a gate asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Question<'a> {
    /// The client's address, if known.
    pub address: Option<Address>,
    /// The login as the client gave it, if known.
    pub login: Option<&'a str>,
    /// When it is asked.
    pub stage: Stage,
    /// The service, as the mail server calls it.
    pub service: &'a str,
}

/// When a gate asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// As the client connects: nobody knows yet who it is, and it may still log in. Only what is blocked here counts.
    Connect,
    /// Before the password is checked: the client can be held.
    Before,
    /// After it was found to be right: the client can only be let in or refused.
    After,
    /// By a table that knows the login alone, for what it sends: a guard against guessers says nothing there, as the owner
    /// passes it by an address that nobody tells.
    Nowhere,
}

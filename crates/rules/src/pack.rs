//! The rules as they are shipped.

use core::time::Duration;

use base::{EventKind, ListId};

use crate::settings::{By, Distinct, Effect, Of, Rule, Then, Trigger};

const WEEK: Duration = Duration::from_hours(7 * 24);

/// The shipped rules; addresses whose guessing is beyond doubt go on the list `auth`.
///
/// The owner who forgot the password is not beyond doubt: rules for that list want several logins or several guesses
/// in several blocks, and spare every address from which somebody logged in during the last 30 days.
pub fn default_rules(auth: ListId) -> Vec<Rule> {
    vec![
        Rule {
            name: "login-attacked".into(),
            on: Trigger::Event(EventKind::LoginFailed),
            by: By::Login,
            count: 3,
            within: Duration::from_mins(1),
            distinct: Some(Distinct { of: Of::Address, at_least: 2 }),
            unless_known: false,
            per_good: 0,
            reverse: None,
            effect: Effect::Block { span: Duration::from_mins(10), then: Then::Tarpit(Duration::from_mins(1)) },
        },
        Rule {
            name: "address-guesses".into(),
            on: Trigger::Event(EventKind::LoginFailed),
            by: By::Address,
            count: 5,
            within: Duration::from_mins(1),
            distinct: None,
            unless_known: false,
            per_good: 0,
            reverse: None,
            effect: Effect::Block { span: Duration::from_mins(5), then: Then::Refuse },
        },
        Rule {
            name: "many-logins".into(),
            on: Trigger::Event(EventKind::LoginFailed),
            by: By::Address,
            count: 5,
            within: Duration::from_hours(1),
            distinct: Some(Distinct { of: Of::Login, at_least: 3 }),
            unless_known: true,
            per_good: 0,
            reverse: None,
            effect: Effect::List { list: auth, span: WEEK },
        },
        Rule {
            name: "blocked-again".into(),
            on: Trigger::Blocked,
            by: By::Address,
            count: 3,
            within: Duration::from_hours(24),
            distinct: Some(Distinct { of: Of::Guess, at_least: 3 }),
            unless_known: true,
            per_good: 0,
            reverse: None,
            effect: Effect::List { list: auth, span: WEEK },
        },
    ]
}

//! Windows, and the one door: events come in, decisions go out, and the book is changed on the way.
//!
//! - [`Windows`] count: a bounded table of exact sliding windows, the one primitive under every rule.
//! - `sessions` tell what was told before: the same attempt in a log and at a gate counts once.
//! - `reporters` weigh: what others report is a part of an attempt, and wants witnesses for a published list.
//! - `owners` know from where and with what password a login succeeded: that is no guesser.
//! - [`limits`] say how much may be sent: leaky buckets with reservations.
//! - [`accounts`] know what an account does, and say when somebody else uses it.
//! - [`Engine`] leads an event past them, and an overflow into the [`listings::Book`].
//!
//! Everything is pure: clocks and the secret come in as arguments, so that a day of mail can be replayed in a second
//! with the same result. Every table has a named limit, and what it sheds is counted in [`Counters`].

pub mod accounts;
mod counters;
mod door;
mod engine;
mod exceptions;
mod keys;
pub mod limits;
mod logins;
mod outage;
mod owners;
mod pack;
mod plan;
mod reporters;
mod section;
mod sessions;
mod settings;
mod tarpits;
mod windows;

pub use counters::Counters;
pub use door::{Door, Question, Stage};
pub use engine::{
    BY_REVERSE_NAME, Engine, Exposed, Level, Lock, NAME_WAIT, Observed, PATIENCE, PROBATION, PROBATION_AT_NOBODYS,
    PROBATION_MAX, PROBATION_MIN, RECHECKED_MAX, RELAPSES_MAX, RELAPSES_WITHIN, SPAN_MAX, SUSPECTS_MAX, Systems,
    UNNAMED_HOURS, WAITING_MAX,
};
pub use exceptions::{EXCEPTIONS_MAX, Exception, Exceptions, Party, TooMany, Treatment};
pub use keys::{Key, Keys};
pub use logins::{ALIASES_MAX, Logins};
pub use outage::{OUTAGE_LOGINS, OUTAGE_PAUSE, OUTAGE_WITHIN};
pub use owners::{HOUSEMATES_MAX, KNOWN_FOR, Owner, PLACES_MAX, SHARED_WITHIN};
pub use pack::default_rules;
pub use plan::{BYSTANDERS, CROWD, GOOD_MAX, REPEATED_MAX, REPEATED_WITHIN, SHARED_COUNT_MAX, SHELTERED_COUNT_MAX};
pub use reporters::{
    ACTIVE_FOR, CASE_KEPT_FOR, CASES_MAX, FALL_A_DAY, OWNER_SELF, RISE_A_DAY, Standing, Voice, WITNESS_WEIGHT_MIN,
    WITNESSES_MAX, WITNESSES_MIN,
};
pub use sessions::{HELD_MAX, HOLD, PSEUDO_LIFE, SESSION_LIFE, SESSIONS_MAX};
pub use settings::{By, Distinct, Effect, Of, Profile, ReverseName, Rule, Settings, Then, Trigger, Width};
pub use windows::{Filled, LATE_MAX, Overflow, Shape, Windows};

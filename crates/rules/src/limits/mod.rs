//! Limits on outgoing mail: how much a login, an address, a network or a sender's domain may send.
//!
//! ```text
//!  RCPT ──> reserve ──┐                     ┌── settle  <── end of message
//!                     ├─> pending ──> level ┘
//!  abort ─> release ──┘                └──> leaks at the rate
//! ```
//!
//! A bucket is full when what was accepted and has not leaked, together with what is reserved, reaches its burst. Only
//! what was accepted leaks: a reservation holds its place until it is settled, released, or times out
//! ([`RESERVATION_LIFE`]). From this follows the promise of mode `strict`: **in any span of time w, no more than
//! burst + rate * w recipients are accepted**, whatever the number of connections, aborts and repeated requests.
//!
//! Where the ends of messages are never told, what is given up is charged: see [`Limiter::without_ends`].
//!
//! Mode `rspamd` counts as rspamd's own scripts do, with their holes, so that an installation can move without a
//! surprise; see `rspamd`.
//!
//! Time is that of a clock that never steps: the shell makes it, see [`Limiter`].

mod bucket;
mod counts;
mod definition;
mod door;
mod ends;
mod ledger;
mod limiter;
mod rate;
mod reservations;
mod retries;
pub mod rspamd;
mod settings;
mod state;
mod stops;
mod subject;
mod table;

pub use bucket::{Bucket, BucketError};
pub use counts::LimitCounters;
pub use door::SendingDoor;
pub use ledger::{Charge, Ledger, Unkept};
pub use limiter::{Exceeded, Fill, Limiter, Outcome};
pub use rate::{Rate, RateError, read_count};
pub use reservations::{RESERVATION_LIFE, RESERVATIONS_MAX};
pub use retries::{RETRIED_WITHIN, RETRIES_MAX, Retries, Stopped};
pub use settings::{BUCKETS_MAX, By, Cost, LIMITS_MAX, Limit, LimitEffect, LimitId, LimitMode, Part};
pub use state::WORDS_MAX as CHARGE_WORDS_MAX;
pub use stops::{STOPS_MAX, Stop, Stops, domain_of};
pub use subject::Sending;

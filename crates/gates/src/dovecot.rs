//! Dovecot's auth policy protocol, which weakforced invented: `allow` and `report`, as JSON over HTTP.
//!
//! For one login Dovecot (2.3 and 2.4) asks `allow` before it checks the password, asks `allow` again when the password
//! was right, and tells the outcome by `report`; a wrong password is told by `report` at once. The two questions are
//! byte for byte the same unless Dovecot is configured to mark them (`default_fields = ag_stage=after` at the password
//! database, and `attrs/stage=%{passdb:ag_stage}` in the request attributes).
//!
//! | answer to `allow` | before | after |
//! |---|---|---|
//! | `0` | the password is checked | the client is in |
//! | `N > 0` | the client is held N seconds, then the password is checked | ignored, so never sent |
//! | `-1` | refused, the password is not looked at | refused although the password was right |
//!
//! An error, a time-out or an answer that is no JSON lets the client in (unless `auth_policy_reject_on_fail` is set).
//! Dovecot 2.3 looks for `status` and `msg` at any depth of the answer, so these names are used at the top only; `status`
//! must be an integer; and a `msg` that is not empty is shown to the client, so it is always empty: an attacker learns
//! nothing but "authentication failed".

mod access;
mod counters;
mod gate;
mod pwhash;
mod request;

pub use access::Access;
pub use counters::{Count, Counters};
pub use gate::{Gate, Settings, TARPIT_SECONDS_MAX};
pub use pwhash::{PasswordHash, Reading};
pub use request::{FailType, NotJson, Request};

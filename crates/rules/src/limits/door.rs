//! What gates ask about messages on their way.

use super::{Outcome, Sending};

/// Answers gates that let messages out. It has a clock of its own, and tells whom it concerns what was exceeded.
pub trait SendingDoor: Send + Sync {
    /// See [`super::Limiter::reserve`].
    fn reserve(&self, sending: &Sending<'_>) -> Outcome;

    /// See [`super::Limiter::reserve_all`].
    fn reserve_all(&self, sending: &Sending<'_>) -> Outcome;

    /// See [`super::Limiter::settle`].
    fn settle(&self, sending: &Sending<'_>) -> Outcome;

    /// See [`super::Limiter::release`].
    fn release(&self, session: &str, instance: &str);
}

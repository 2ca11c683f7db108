//! What must survive a crash: how full each bucket is.

use std::sync::Arc;

/// A bucket after it was charged. It says what is, not what was added: telling it twice does no harm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Charge<'a> {
    /// The limit, by a number that changes when its name, its subject or its rates do.
    pub limit: u64,
    /// The subject.
    pub key: u64,
    /// The state of its buckets; opaque.
    pub words: &'a [u64],
}

/// Keeps charges. The limiter calls it before it lets a message go, so that a crash never forgets what was accepted.
pub trait Ledger: Send + Sync {
    /// Keeps the charges of one message; when it returns, the end of this process cannot undo them. Failing is the ledger's
    /// to count.
    fn keep(&self, charges: &[Charge<'_>]);
}

impl<L: Ledger + ?Sized> Ledger for Arc<L> {
    fn keep(&self, charges: &[Charge<'_>]) {
        (**self).keep(charges);
    }
}

/// A ledger that keeps nothing, for a replay and for tests.
#[derive(Clone, Copy, Debug)]
pub struct Unkept;

impl Ledger for Unkept {
    fn keep(&self, _: &[Charge<'_>]) {}
}

//! What stands behind a gate that has no node: everybody is let in, and limits on sending count if there are any. For measurements,
//! fuzz targets and tests, which want a gate by itself.

use std::sync::Arc;

use base::{Address, Decision, Event, ListSet, Timestamp};
use rules::limits::{
    Bucket, By, Cost, Limit, LimitEffect, LimitMode, Limiter, Outcome, Part, Rate, Sending, SendingDoor, Unkept,
};
use rules::{Door, Question};

use crate::lists::Lists;
use crate::policy::Node;

/// Most logins whose messages are counted.
const SUBJECTS_MAX: usize = 1_000_000;

/// A door that lets everybody in.
pub struct Alone {
    limiter: Limiter,
    clock: fn() -> Timestamp,
    lists: ListSet,
}

impl Alone {
    /// With these limits on sending, counted by `clock`; nobody is on a list.
    pub fn new(limits: Vec<Limit>, clock: fn() -> Timestamp) -> Self {
        let limiter = Limiter::new(limits, SUBJECTS_MAX, [7; 16], Box::new(Unkept));
        Self { limiter, clock, lists: ListSet::EMPTY }
    }

    /// Everybody is on these lists.
    #[must_use]
    pub fn with_lists(self, lists: ListSet) -> Self {
        Self { lists, ..self }
    }

    /// Without limits, at a time that stands still.
    pub fn open() -> Self {
        Self::new(Vec::new(), || Timestamp::EPOCH)
    }

    /// What a gate of mail asks.
    pub fn node(self) -> Node {
        let alone = Arc::new(self);
        Node {
            door: alone.clone(),
            sending: alone.clone(),
            lists: alone,
            messages: None,
            names: Arc::new([]),
            reads_log: true,
        }
    }
}

/// A limit on what each login sends: buckets that hold `burst` recipients, and leak at these rates, such as `1 / 1min`. What is no
/// rate makes no bucket.
pub fn per_login(burst: u64, rates: &[&str], effect: LimitEffect) -> Limit {
    let bucket = |rate: &&str| Bucket::new(burst, Rate::parse(rate).ok()?).ok();
    Limit {
        name: "per-user".into(),
        by: By { first: Part::Login, second: None },
        cost: Cost::Recipient,
        mode: LimitMode::Strict,
        buckets: rates.iter().filter_map(bucket).collect(),
        effect,
        except_logins: Box::default(),
        except_networks: Box::default(),
    }
}

impl Door for Alone {
    fn ask(&self, _: Timestamp, _: &Question<'_>) -> Decision {
        Decision::PASS
    }

    fn observe(&self, _: &Event<'_>) -> Decision {
        Decision::PASS
    }
}

impl SendingDoor for Alone {
    fn reserve(&self, sending: &Sending<'_>) -> Outcome {
        self.limiter.reserve((self.clock)(), sending)
    }

    fn reserve_all(&self, sending: &Sending<'_>) -> Outcome {
        self.limiter.reserve_all((self.clock)(), sending)
    }

    fn settle(&self, sending: &Sending<'_>) -> Outcome {
        self.limiter.settle((self.clock)(), sending)
    }

    fn release(&self, session: &str, instance: &str) {
        self.limiter.release((self.clock)(), session, instance);
    }
}

impl Lists for Alone {
    fn lists_of(&self, _: Address) -> ListSet {
        self.lists
    }
}

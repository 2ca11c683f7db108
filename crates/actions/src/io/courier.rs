use std::path::PathBuf;

use base::{Listing, Timestamp};
use listings::Entry;

use super::told::Told;
use crate::notice::{Interest, Notice, Waiting};
use crate::{Action, Failure};

/// Most notices that are delivered before the queue is looked at again.
const BATCH_MAX: usize = 50;

/// Takes notices somewhere, one after the other.
pub trait Delivery: Send {
    /// Delivers one, or says why not.
    fn deliver(&mut self, now: Timestamp, notice: &Notice) -> Outcome;
}

/// What became of a delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It has arrived.
    Done,
    /// It may work later.
    Later(String),
    /// It will never work, for a reason that lies in it.
    Never(String),
}

/// Delivers every notice, in order; what fails is tried again, and those behind it wait.
pub struct Courier {
    interest: Interest,
    waiting: Waiting,
    told: Told,
    delivery: Box<dyn Delivery>,
    refused: usize,
}

impl Courier {
    /// One for what is of interest. The file at `kept` says what was told before the start.
    pub fn new(interest: Interest, delivery: Box<dyn Delivery>, kept: PathBuf, now: Timestamp) -> Self {
        Self { interest, waiting: Waiting::default(), told: Told::open(kept, now), delivery, refused: 0 }
    }
}

impl Action for Courier {
    fn reconcile(&mut self, listings: Vec<Listing>) {
        self.waiting.forget_changes();
        for notice in self.told.news(listings, self.interest) {
            self.waiting.push(notice);
        }
    }

    fn note(&mut self, entry: &Entry) -> bool {
        if let Some(notice) = Notice::of(entry, &self.interest) {
            self.waiting.push(notice);
        }
        true
    }

    fn tell(&mut self, notice: &Notice) {
        if self.interest.covers(&notice.listing) {
            self.waiting.push(notice.clone());
        }
    }

    fn due(&self) -> Option<Timestamp> {
        (!self.waiting.is_empty()).then_some(Timestamp::EPOCH)
    }

    fn carry_out(&mut self, now: Timestamp) -> Result<(), Failure> {
        let batch: Vec<Notice> = self.waiting.iter().take(BATCH_MAX).cloned().collect();
        let (mut result, mut told) = (Ok(()), Vec::new());
        for notice in &batch {
            match self.delivery.deliver(now, notice) {
                Outcome::Done => {}
                Outcome::Later(why) => {
                    result = Err(Failure(why));
                    break;
                }
                // Those behind it shall not wait for ever; that it was given up is shown until the next one arrives.
                Outcome::Never(why) => {
                    self.refused += 1;
                    result = Err(Failure(format!("given up: {why}")));
                }
            }
            told.push(notice.clone());
        }
        self.waiting.told(&told);
        let kept = self.told.keep(&told, &self.waiting, now);
        result.and_then(|()| kept.map_err(|error| Failure(error.to_string())))
    }

    fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn size(&self) -> (usize, usize) {
        (0, self.waiting.dropped() + self.refused)
    }
}

//! Whether messages come to an end at all. A mail server that asks about recipients and never at the end of a message
//! (Postfix without `smtpd_end_of_data_restrictions`) would have all room given back, and nobody limited.
//!
//! What one party does says something about that party alone: whoever gives up too many of his messages is charged for
//! those that he gives up. That the ends are missing is concluded only if several parties give theirs up, and none ends.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::engine::hold;

/// So many messages in a row are given up before it is concluded that ends are told no more, and so many more than ended one
/// party gives up before his own are charged. Clients that guess recipients give up that many now and then.
const IN_A_ROW_MAX: u32 = 100;

/// So many are enough as long as none has ever ended.
const FIRST_MAX: u32 = 10;

/// Of so many parties at least, so that none of them decides alone.
const PARTIES_MIN: usize = 3;

/// Parties that are known for what they give up; of more, those with the least are forgotten.
const IMPATIENT_MAX: usize = 10_000;

/// Of a kept record that says what is known of the ends under a limit. No limit has this number.
pub(crate) const ENDS: u64 = 1;

/// What is known of the ends of messages under one limit; kept over a restart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Standing {
    /// None was told yet.
    #[default]
    Unknown,
    /// They are told.
    Told,
    /// They are not, as far as can be seen.
    Missing,
}

impl Standing {
    /// As it is kept.
    pub(crate) const fn word(self) -> u64 {
        self as u64
    }

    fn of_word(word: u64) -> Option<Self> {
        [Self::Unknown, Self::Told, Self::Missing].into_iter().find(|standing| standing.word() == word)
    }
}

/// How messages ended, under one limit.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// Whether the end of a message is no news: ends are told, and nobody has given up a message since.
    is_quiet: AtomicBool,
    row: Mutex<Row>,
}

#[derive(Debug, Default)]
struct Row {
    standing: Standing,
    /// Messages that were given up since the last that ended.
    given_up: u32,
    /// The first of the parties that gave them up.
    parties: Vec<u64>,
    /// Of each party, how many more messages it gave up than it brought to an end.
    impatient: BTreeMap<u64, u32>,
}

impl Ends {
    /// A message of this party came to its end. `keep` is told if that is more than was known.
    pub(crate) fn ended(&self, party: u64, keep: impl FnOnce(Standing)) {
        // Most find it so, and need not wait for each other.
        if self.is_quiet.load(Relaxed) {
            return;
        }
        let mut row = hold(&self.row);
        row.given_up = 0;
        row.parties.clear();
        if let Some(count) = row.impatient.get_mut(&party) {
            *count -= 1;
            if *count == 0 {
                row.impatient.remove(&party);
            }
        }
        self.is_quiet.store(row.impatient.is_empty(), Relaxed);
        row.stand(Standing::Told, keep);
    }

    /// A message of this party was given up. `keep` is told what is concluded from it.
    pub(crate) fn given_up(&self, party: u64, keep: impl FnOnce(Standing)) {
        let mut row = hold(&self.row);
        self.is_quiet.store(false, Relaxed);
        row.note(party);
        row.given_up = row.given_up.saturating_add(1);
        if row.parties.len() < PARTIES_MIN && !row.parties.contains(&party) {
            row.parties.push(party);
        }
        if row.given_up >= row.most() && row.parties.len() >= PARTIES_MIN {
            row.stand(Standing::Missing, keep);
        }
    }

    /// Whether it seems that ends are not told: of several parties none is, or none was ever, whoever gave up messages.
    pub(crate) fn seem_missing(&self) -> bool {
        let row = hold(&self.row);
        row.standing == Standing::Missing || row.standing == Standing::Unknown && row.given_up >= FIRST_MAX
    }

    /// Whether what this party gives up is charged.
    pub(crate) fn are_missing_for(&self, party: u64) -> bool {
        let row = hold(&self.row);
        let count = row.impatient.get(&party).copied().unwrap_or_default();
        row.standing == Standing::Missing || count >= row.most()
    }

    /// What is known.
    pub(crate) fn standing(&self) -> Standing {
        hold(&self.row).standing
    }

    /// Takes in what was known before a restart.
    pub(crate) fn restore(&self, word: u64) {
        if let Some(standing) = Standing::of_word(word) {
            hold(&self.row).standing = standing;
            self.is_quiet.store(standing == Standing::Told, Relaxed);
        }
    }
}

impl Row {
    /// How many may be given up.
    const fn most(&self) -> u32 {
        match self.standing {
            Standing::Unknown => FIRST_MAX,
            Standing::Told | Standing::Missing => IN_A_ROW_MAX,
        }
    }

    fn stand(&mut self, standing: Standing, keep: impl FnOnce(Standing)) {
        if self.standing != standing {
            self.standing = standing;
            // Under the lock, so that what is kept last is what is known.
            keep(standing);
        }
    }

    /// Counts what a party gives up.
    fn note(&mut self, party: u64) {
        while self.impatient.len() >= IMPATIENT_MAX && !self.impatient.contains_key(&party) {
            self.impatient.retain(|_, count| {
                *count /= 2;
                *count > 0
            });
        }
        let count = self.impatient.entry(party).or_default();
        *count = count.saturating_add(1).min(IN_A_ROW_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parties that come to be known are bounded, and those that gave up most are known last.
    #[test]
    fn a_flood_of_parties_is_bounded() {
        let ends = Ends::default();
        ends.restore(Standing::Told.word());
        (0..IN_A_ROW_MAX).for_each(|_| ends.given_up(7, |_| {}));
        assert!(ends.are_missing_for(7) && !ends.are_missing_for(8) && !ends.seem_missing());
        for party in 100..100 + 2 * IMPATIENT_MAX as u64 {
            ends.given_up(party, |_| {});
        }
        let row = hold(&ends.row);
        assert!(row.impatient.len() <= IMPATIENT_MAX && row.impatient[&7] >= IN_A_ROW_MAX / 4);
    }

    /// Whoever brings as many to an end as he gives up is patient, and is forgotten.
    #[test]
    fn an_end_makes_up_for_one_that_was_given_up() {
        let ends = Ends::default();
        for _ in 0..1000 {
            ends.given_up(7, |_| {});
            ends.ended(7, |_| {});
        }
        assert!(!ends.are_missing_for(7) && ends.is_quiet.load(Relaxed));
        (0..3).for_each(|_| ends.given_up(7, |_| {}));
        (0..5).for_each(|_| ends.ended(7, |_| {}));
        assert!(ends.is_quiet.load(Relaxed));
    }
}

use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use base::{Subject, Timestamp};

use super::{Notice, Waiting};

/// Subjects that are known to have had a letter of their own lately; of more, those that had it longest ago are forgotten.
pub const TOLD_MAX: usize = 10_000;

/// Most notices in one letter; the letter says how many more there were.
const NOTICES_PER_LETTER_MAX: usize = 100;

/// Of so many letters an hour one is kept for what is urgent.
const URGENT_SHARE: usize = 4;

/// In which time letters are counted.
const HOUR: Duration = Duration::from_hours(1);

/// How often letters are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// After a subject's own letter, everything further about it waits for the digest; and so long after any letter.
    pub digest: Duration,
    /// Most letters within an hour, digests included; at least 2.
    pub hourly_max: usize,
    /// Whether what waits comes in digests; otherwise only the first about each subject is told.
    pub has_digests: bool,
}

/// A letter to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// What is told, oldest first.
    pub notices: Vec<Notice>,
    /// How many more there were, which are not told one by one.
    pub more: usize,
    /// Whether it is a digest, and not the first letter about one subject.
    pub is_digest: bool,
}

/// Decides which letters are written when: the first about a subject at once, what follows in digests, and never too many.
#[derive(Debug)]
pub struct Desk {
    pace: Pace,
    waiting: Waiting,
    told: HashMap<Subject, Timestamp>,
    /// When the letters of the last hour were sent, oldest first; never more than are allowed.
    sent: VecDeque<Timestamp>,
}

impl Desk {
    /// One at which nothing waits.
    pub fn new(pace: Pace) -> Self {
        let pace = Pace { hourly_max: pace.hourly_max.max(2), ..pace };
        Self { pace, waiting: Waiting::default(), told: HashMap::new(), sent: VecDeque::new() }
    }

    /// Takes a notice.
    pub fn push(&mut self, notice: Notice) {
        if self.pace.has_digests || self.first_due(&notice) <= notice.at {
            self.waiting.push(notice);
        }
    }

    /// Forgets the changes that wait: the book says them again.
    pub fn forget_changes(&mut self) {
        self.waiting.forget_changes();
    }

    /// What waits.
    pub const fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// When the next letter is due; none if nothing waits.
    pub fn due(&self) -> Option<Timestamp> {
        if self.waiting.is_empty() {
            return None;
        }
        let digest = self.sent.back().map_or(Timestamp::EPOCH, |last| last.plus(self.pace.digest));
        let first = self.waiting.iter().map(|notice| self.first_due(notice).max(self.room_for(notice))).min();
        let digest = self.pace.has_digests.then(|| digest.max(self.room_from(0)));
        first.into_iter().chain(digest).min()
    }

    /// The letter that is to be written now.
    pub fn next(&self, now: Timestamp) -> Option<Letter> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        let may_be_first = |notice: &&Notice| self.first_due(notice).max(self.room_for(notice)) <= now;
        let urgent = self.waiting.iter().filter(|notice| notice.is_urgent()).find(may_be_first);
        let first = urgent.or_else(|| self.waiting.iter().find(may_be_first));
        // The last letter of an hour is a digest of all that is left.
        let is_digest = first.is_none();
        let is_about = |notice: &&Notice| first.is_none_or(|first| first.listing.subject == notice.listing.subject);
        let mut all: Vec<&Notice> = self.waiting.iter().filter(is_about).collect();
        // What the letter has no room for is what ends by itself.
        all.sort_by_key(|notice| !notice.is_urgent());
        let notices: Vec<Notice> = all.iter().take(NOTICES_PER_LETTER_MAX).copied().cloned().collect();
        let more = all.len() - notices.len();
        Some(Letter { notices, more, is_digest })
    }

    /// The letter was sent. Gives back all that it told of, also what it only counted.
    pub fn sent(&mut self, now: Timestamp, letter: &Letter) -> Vec<Notice> {
        let subject = letter.notices.first().map(|first| &first.listing.subject);
        let is_told = |notice: &&Notice| letter.is_digest || Some(&notice.listing.subject) == subject;
        let told: Vec<Notice> = self.waiting.iter().filter(is_told).cloned().collect();
        self.waiting.told(&told);
        for notice in &letter.notices {
            self.told.insert(notice.listing.subject.clone(), now);
        }
        if self.told.len() > TOLD_MAX {
            self.told.retain(|_, last| now.since(*last) < self.pace.digest);
        }
        if self.told.len() > TOLD_MAX {
            self.told.clear();
        }
        self.sent.push_back(now);
        while self.sent.len() > self.pace.hourly_max {
            self.sent.pop_front();
        }
        told
    }

    /// When the subject of the notice may have a letter of its own: at once if it had none lately.
    fn first_due(&self, notice: &Notice) -> Timestamp {
        self.told.get(&notice.listing.subject).map_or(Timestamp::EPOCH, |last| last.plus(self.pace.digest))
    }

    /// From when on a letter may be sent that begins with this notice: the last of an hour is the digest, and some are kept for
    /// what is urgent.
    fn room_for(&self, notice: &Notice) -> Timestamp {
        let digest = usize::from(self.pace.has_digests);
        let urgent = if notice.is_urgent() { 0 } else { digest * self.pace.hourly_max / URGENT_SHARE };
        self.room_from(digest + urgent)
    }

    /// From when on one more letter may be sent so that `spare` of the hour's are left.
    fn room_from(&self, spare: usize) -> Timestamp {
        let most = self.pace.hourly_max.saturating_sub(spare).max(1);
        let before = self.sent.len().checked_sub(most).and_then(|index| self.sent.get(index));
        before.map_or(Timestamp::EPOCH, |sent| sent.plus(HOUR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::tests::{BEGIN, notice};

    const PACE: Pace = Pace { digest: Duration::from_mins(30), hourly_max: 4, has_digests: true };

    fn at(minute: u64) -> Timestamp {
        BEGIN.plus(Duration::from_mins(minute))
    }

    /// Sends what is due; how many notices the letter has, and whether it is a digest.
    fn send(desk: &mut Desk, minute: u64) -> Option<(usize, bool)> {
        let letter = desk.next(at(minute))?;
        desk.sent(at(minute), &letter);
        Some((letter.notices.len(), letter.is_digest))
    }

    #[test]
    fn the_first_comes_at_once_and_the_others_together() {
        let mut desk = Desk::new(PACE);
        assert_eq!((desk.due(), send(&mut desk, 0)), (None, None));
        desk.push(notice("login:alice", at(0)));
        assert_eq!(send(&mut desk, 0), Some((1, false)));
        for minute in 1..9 {
            desk.push(notice("login:alice", at(minute)));
            assert_eq!(send(&mut desk, minute), None);
        }
        assert_eq!(desk.due(), Some(at(30)));
        // Another subject is another matter, and has its own.
        desk.push(notice("login:bob", at(10)));
        assert_eq!(send(&mut desk, 10), Some((1, false)));
        assert_eq!(send(&mut desk, 29), None);
        assert_eq!(send(&mut desk, 30), Some((8, false)), "alice may have a letter of her own again");
        assert_eq!(desk.due(), None);
    }

    #[test]
    fn a_flood_of_subjects_comes_in_few_letters_and_is_told_whole() {
        let mut desk = Desk::new(PACE);
        for number in 0..250 {
            desk.push(notice(&format!("login:user{number}"), at(0)));
        }
        assert_eq!([(); 4].map(|()| send(&mut desk, 0)), [Some((1, false)), Some((1, false)), Some((1, false)), None]);
        let letter = desk.next(at(30)).expect("a digest");
        assert_eq!((letter.notices.len(), letter.more, letter.is_digest), (100, 147, true));
        desk.sent(at(30), &letter);
        desk.push(notice("login:late", at(31)));
        assert_eq!(send(&mut desk, 59), None, "no more than four an hour");
        assert!(send(&mut desk, 60).is_some());
    }

    #[test]
    fn a_flood_of_invented_logins_holds_up_nothing_that_a_person_must_look_at() {
        let mut desk = Desk::new(Pace { hourly_max: 20, ..PACE });
        let passing = |name: String, minute| {
            let mut passing = notice(&name, at(minute));
            passing.listing.until = base::Until::At(at(minute + 10));
            passing
        };
        let mut told = Vec::new();
        for minute in 0..60 {
            for number in 0..200 {
                desk.push(passing(format!("login:made-up{minute}.{number}"), minute));
            }
            if minute == 20 {
                desk.push(notice("198.51.100.7", at(minute)));
            }
            while let Some(letter) = desk.next(at(minute)) {
                desk.sent(at(minute), &letter);
                let first = letter.notices[0].listing.subject.to_string();
                told.push((minute, letter.is_digest, first));
            }
        }
        assert!(told.contains(&(20, false, "198.51.100.7".to_owned())), "{told:?}");
        let digests = told.iter().filter(|(_, is_digest, _)| *is_digest).count();
        assert!((1..=2).contains(&digests) && told.len() <= 20, "{told:?}");
        // What is dropped of the many is not what a person must look at.
        desk.push(notice("198.51.100.8", at(60)));
        for number in 0..2000 {
            desk.push(passing(format!("login:made-up60.{number}"), 60));
        }
        assert!(desk.waiting().iter().any(|notice| notice.listing.subject.to_string() == "198.51.100.8"));
    }

    #[test]
    fn never_more_than_the_hour_allows_whatever_comes() {
        let mut desk = Desk::new(PACE);
        let mut sent = Vec::new();
        for minute in 0..600 {
            for number in 0..3 {
                desk.push(notice(&format!("login:user{}", (minute * 7 + number * 13) % 40), at(minute)));
            }
            while send(&mut desk, minute).is_some() {
                sent.push(minute);
            }
        }
        for window in 0..540 {
            assert!(sent.iter().filter(|minute| (window..window + 60).contains(*minute)).count() <= 4, "{window}");
        }
        assert!(sent.len() >= 20, "it goes on: {sent:?}");
    }
}

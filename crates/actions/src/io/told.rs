use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use base::{Listing, Timestamp};

use super::file::{FileError, replace};
use crate::notice::{Interest, Notice, Waiting, What};

/// Most notices that are remembered as told while an older one waits; of more, some may be told twice after a crash.
const AFTER_MAX: usize = 10_000;

/// What was told, kept in a file: what happened while the process was away is told afterwards, and what was told is not told
/// again.
#[derive(Debug)]
pub(super) struct Told {
    path: PathBuf,
    /// Up to this moment everything was told, or was no news when it began.
    until: Timestamp,
    /// What was told of later moments, by its id, with its moment.
    after: BTreeMap<String, Timestamp>,
}

impl Told {
    /// As the file has it; without one, nothing that is older than `now` is told, and the file says so.
    pub(super) fn open(path: PathBuf, now: Timestamp) -> Self {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut lines = text.lines();
        let moment = |text: &str| text.parse().ok().map(Timestamp::from_millis);
        let until = lines.next().and_then(moment);
        let after =
            lines.filter_map(|line| line.split_once(' ')).filter_map(|(id, at)| Some((id.to_owned(), moment(at)?)));
        let told = Self { path, until: until.unwrap_or(now).min(now), after: after.take(AFTER_MAX).collect() };
        if until.is_none() {
            // Where it cannot be written, the first delivery fails for the same reason and says so.
            drop(told.write());
        }
        told
    }

    /// The notices of the listings that were not told yet, oldest first.
    pub(super) fn news(&self, listings: Vec<Listing>, interest: Interest) -> Vec<Notice> {
        let late = |listing: &Listing| interest.covers(listing) && listing.since > self.until;
        let notice = |listing: Listing| Notice { at: listing.since, listing, what: What::Listed };
        let mut notices: Vec<Notice> = listings.into_iter().filter(late).map(notice).collect();
        notices.retain(|notice| !self.after.contains_key(&notice.id()));
        notices.sort_by_key(|notice| notice.at);
        notices
    }

    /// These are told, and those still wait.
    ///
    /// # Errors
    /// The file cannot be written: after a restart some is told twice.
    pub(super) fn keep(&mut self, told: &[Notice], waiting: &Waiting, now: Timestamp) -> Result<(), FileError> {
        let moment = |notice: &Notice| match notice.what {
            What::Listed => notice.at.min(notice.listing.since),
            // That it is over is not told afterwards: the listing is gone.
            What::Ended | What::Lifted { .. } | What::Noted { .. } => now,
        };
        self.after.extend(told.iter().map(|notice| (notice.id(), moment(notice))));
        let first = waiting.iter().map(moment).min();
        let until = first.map_or(now, |first| Timestamp::from_millis(first.as_millis().saturating_sub(1)));
        self.until = self.until.max(until);
        self.after.retain(|_, at| *at > self.until);
        while self.after.len() > AFTER_MAX {
            self.after.pop_first();
        }
        self.write()
    }

    fn write(&self) -> Result<(), FileError> {
        let mut text = format!("{}\n", self.until.as_millis());
        for (id, at) in &self.after {
            let done = writeln!(text, "{id} {}", at.as_millis());
            debug_assert!(done.is_ok(), "a String takes all");
        }
        replace(&self.path, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use base::ListSet;

    use super::*;
    use crate::notice::tests::{BEGIN, notice};

    #[test]
    fn what_waits_is_news_after_a_crash_and_what_was_told_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("told");
        let interest = Interest { lists: ListSet::from_bits(1), logins: true, endless: true, addresses: true };
        let at = |second| BEGIN.plus(core::time::Duration::from_secs(second));
        let [old, waits, told] =
            [("login:old", 1), ("login:waits", 12), ("login:told", 13)].map(|(who, when)| notice(who, at(when)));
        let all = || [&old, &waits, &told].map(|notice| notice.listing.clone()).to_vec();
        let news = |told: &Told| {
            told.news(all(), interest).into_iter().map(|notice| notice.listing.subject.to_string()).collect::<Vec<_>>()
        };

        let mut kept = Told::open(path.clone(), at(10));
        assert_eq!(news(&kept), ["login:waits", "login:told"], "what was there before it began is none");
        let mut waiting = Waiting::default();
        waiting.push(waits.clone());
        kept.keep(std::slice::from_ref(&told), &waiting, at(20)).unwrap();
        assert_eq!(news(&Told::open(path.clone(), at(30))), ["login:waits"]);
        kept.keep(std::slice::from_ref(&waits), &Waiting::default(), at(40)).unwrap();
        assert_eq!(news(&Told::open(path.clone(), at(50))), Vec::<String>::new());
        // A crash before anything was told: since the beginning all is news.
        fs::remove_file(&path).unwrap();
        drop(Told::open(path.clone(), at(5)));
        assert_eq!(news(&Told::open(path, at(60))), ["login:waits", "login:told"]);
    }
}

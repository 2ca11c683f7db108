//! What becomes of each change to the book: it is told to secondaries, logged, shown to those who watch, and stored.

use core::time::Duration;
use std::sync::Arc;

use ::console::api::Happening;
use base::Timestamp;
use dnsbl::transfer::History;
use listings::{Book, Cause, Change, Entry};
use tokio::sync::broadcast;
use tracing::{Level, debug, enabled, info};

use super::names::Names;
use super::views;

/// Changes of a second that are logged one by one; a log of each of ten thousand a second is nobody's to read, and fills
/// the disk.
const LOGGED_MAX: u64 = 20;

/// In this time changes are summed up.
const SPAN: Duration = Duration::from_secs(1);

/// Tells of changes to the book.
pub(crate) struct Teller {
    names: Arc<Names>,
    tell: broadcast::Sender<Happening>,
    /// When the changes began that are summed up.
    since: Timestamp,
    /// Changes since then.
    changes: u64,
    /// Listings and ends of listings since then that were not logged one by one.
    unlogged: [u64; 2],
}

impl Teller {
    pub(crate) fn new(names: Arc<Names>, tell: broadcast::Sender<Happening>) -> Self {
        Self { names, tell, since: Timestamp::EPOCH, changes: 0, unlogged: [0; 2] }
    }

    /// Takes the waiting changes from the book, tells of each, and leaves them in `entries` for the store.
    ///
    /// The writer thread of the store calls this, so that no change waits for a log or a watcher.
    pub(crate) fn drain(&mut self, now: Timestamp, book: &Book, history: Option<&History>, entries: &mut Vec<Entry>) {
        let before = entries.len();
        book.drain_journal(entries);
        if let Some(history) = history {
            history.record(&entries[before..]);
        }
        self.sum_up(now);
        for entry in &entries[before..] {
            self.tell(entry);
        }
    }

    fn tell(&mut self, entry: &Entry) {
        let names = &self.names;
        self.changes += 1;
        let is_logged = self.changes <= LOGGED_MAX;
        let has_watcher = self.tell.receiver_count() > 0;
        let of_many = match &entry.change {
            Change::Listed(_) => Some(0),
            Change::Unlisted { .. } => Some(1),
            Change::Replaced(_) => None,
        };
        if let Some(at) = of_many.filter(|_| !is_logged) {
            self.unlogged[at] += 1;
            if !has_watcher && !enabled!(Level::DEBUG) {
                return;
            }
        }
        let happening = match &entry.change {
            Change::Listed(listing) => {
                let view = views::listing(names, listing);
                let until = view.until.as_deref().unwrap_or("never");
                let (subject, list) = (view.subject.as_str(), view.list.as_str());
                // Strings are written in quotes and escaped, so that no login can look like another field.
                if is_logged {
                    info!(serial = entry.serial, subject, list, until, by = view.maker, reason = view.reason, "listed");
                } else {
                    debug!(
                        serial = entry.serial,
                        subject,
                        list,
                        until,
                        by = view.maker,
                        reason = view.reason,
                        "listed"
                    );
                }
                Happening::Listed(view)
            }
            Change::Unlisted { listing, cause } => {
                let view = views::listing(names, listing);
                let cause = cause_in_words(cause);
                if is_logged {
                    info!(serial = entry.serial, subject = view.subject, list = view.list, cause, "unlisted");
                } else {
                    debug!(serial = entry.serial, subject = view.subject, list = view.list, cause, "unlisted");
                }
                Happening::Unlisted { listing: view, cause }
            }
            Change::Replaced(replaced) => {
                let (list, listed) = (names.list(replaced.list).to_owned(), replaced.content.len());
                let by = replaced.bulk.as_ref().map(|bulk| views::maker(names, &bulk.maker));
                info!(serial = entry.serial, list, listed, by, "import replaced");
                Happening::Replaced { at: views::time(entry.at), list, listed, maker: by }
            }
        };
        // Without a watcher there is nobody to tell.
        drop(self.tell.send(happening));
    }

    /// Logs what was not logged one by one, once its time is over.
    fn sum_up(&mut self, now: Timestamp) {
        // A clock that was set back is ahead of nothing.
        if now >= self.since && now.since(self.since) < SPAN {
            return;
        }
        let [listed, unlisted] = core::mem::take(&mut self.unlogged);
        if listed + unlisted > 0 {
            info!(listed, unlisted, "more changes than are logged one by one");
        }
        (self.since, self.changes) = (now, 0);
    }
}

pub(crate) fn cause_in_words(cause: &Cause) -> String {
    match cause {
        Cause::Expired => "expired".to_owned(),
        Cause::Removed { by } => format!("removed by {by}"),
        Cause::Replaced => "replaced".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use base::{Evidence, ListId, Maker, Network, Subject, Until};
    use listings::{NeverList, Wish};

    use super::super::names::ListInfo;
    use super::*;

    #[test]
    fn the_first_changes_of_a_second_are_logged_one_by_one_and_all_are_told() {
        let info = ListInfo { name: "blocked".into(), code: None, lifetime: Duration::from_mins(5) };
        let (tell, mut watcher) = broadcast::channel(1000);
        let mut teller = Teller::new(Arc::new(Names::new(vec![info], &[], [])), tell);
        let book = Book::new(NeverList::new([], []));
        let mut entries = Vec::new();
        let mut change = |count: u32, millis: u64| {
            let now = Timestamp::from_millis(1_800_000_000_000 + millis);
            for number in 0..count {
                let network: Network = format!("198.51.{}.{number}", millis / 100).parse().unwrap();
                let maker = Maker::Person { name: "test".into(), reason: "test".into() };
                let (subject, list, evidence) = (Subject::Network(network), ListId::BLOCKED, Evidence::default());
                book.list(now, Wish { subject, list, until: Until::Never, maker, evidence }).unwrap();
            }
            teller.drain(now, &book, None, &mut entries);
            teller.unlogged
        };
        assert_eq!(change(15, 0), [0, 0]);
        assert_eq!(change(50, 999), [45, 0]);
        assert_eq!(change(0, 1001), [0, 0], "they are summed up when the second is over");
        assert_eq!(change(25, 2000), [5, 0]);
        assert_eq!(entries.len(), 90);
        let told = core::iter::from_fn(|| watcher.try_recv().ok()).count();
        assert_eq!(told, 90);
    }
}

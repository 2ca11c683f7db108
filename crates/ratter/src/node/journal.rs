//! What becomes of each change to the book: it is told to secondaries, logged, shown to those who watch, and stored.

use std::sync::Arc;

use ::console::api::Happening;
use dnsbl::transfer::History;
use listings::{Book, Cause, Change, Entry};
use tokio::sync::broadcast;
use tracing::info;

use super::names::Names;
use super::views;

/// Takes the waiting changes from the book, tells of each, and leaves them in `entries` for the store.
///
/// The writer thread of the store calls this, so that no change waits for a log or a watcher.
pub(crate) fn drain(
    book: &Book,
    names: &Arc<Names>,
    tell: &broadcast::Sender<Happening>,
    history: Option<&History>,
    entries: &mut Vec<Entry>,
) {
    let before = entries.len();
    book.drain_journal(entries);
    if let Some(history) = history {
        history.record(&entries[before..]);
    }
    for entry in entries.iter().skip(before) {
        let happening = match &entry.change {
            Change::Listed(listing) => {
                let view = views::listing(names, listing);
                let until = view.until.as_deref().unwrap_or("never");
                let (subject, list) = (view.subject.as_str(), view.list.as_str());
                // Strings are written in quotes and escaped, so that no login can look like another field.
                info!(serial = entry.serial, subject, list, until, by = view.maker, reason = view.reason, "listed");
                Happening::Listed(view)
            }
            Change::Unlisted { listing, cause } => {
                let view = views::listing(names, listing);
                let cause = cause_in_words(cause);
                info!(serial = entry.serial, subject = view.subject, list = view.list, cause, "unlisted");
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
        drop(tell.send(happening));
    }
}

pub(crate) fn cause_in_words(cause: &Cause) -> String {
    match cause {
        Cause::Expired => "expired".to_owned(),
        Cause::Removed { by } => format!("removed by {by}"),
        Cause::Replaced => "replaced".to_owned(),
    }
}

use base::{ListId, Listing, Maker, Timestamp};
use listings::Entry;

use crate::notice::Notice;

/// Something that is done outside whenever the book changes.
///
/// Its worker calls it from one thread, and calls [`Action::carry_out`] when [`Action::due`] and the action's
/// [`crate::Pace`] allow it.
pub trait Action: Send {
    /// Forgets what it knew of the book: these are the listings in force. Called at the start, and when changes were
    /// missed.
    fn reconcile(&mut self, listings: Vec<Listing>);

    /// Whether [`Action::reconcile`] is to be given listings; one that looks at the book itself wants none.
    fn wants_listings(&self) -> bool {
        true
    }

    /// Takes note of one change. Says `false` if the change does not tell all that it needs to know, so that it wants
    /// to be told the book anew.
    fn note(&mut self, entry: &Entry) -> bool;

    /// Takes note of something that is told to people, and is no change of the book. Most actions are not concerned.
    fn tell(&mut self, _notice: &Notice) {}

    /// When something is to be done: at once ([`Timestamp::EPOCH`]), or not before a moment; none if there is nothing.
    fn due(&self) -> Option<Timestamp>;

    /// Does what is to be done. What failed is still to be done afterwards.
    ///
    /// # Errors
    /// It did not work, for a reason that may go away.
    fn carry_out(&mut self, now: Timestamp) -> Result<(), Failure>;

    /// Something that the administrator should know and that is no failure.
    fn remark(&self) -> Option<String> {
        None
    }

    /// Notices that wait to be told: for their turn, or for the one before them.
    fn waiting(&self) -> usize {
        0
    }

    /// How many listings it has outside, and how many it had to leave out; nothing for those that keep none.
    fn size(&self) -> (usize, usize) {
        (0, 0)
    }
}

/// Why an action could not be carried out, in a sentence for the administrator.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

/// How an action does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Health {
    /// How often it was carried out.
    pub done: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Changes that were not taken into the queue because too many waited.
    pub shed: u64,
    /// When the oldest change was made that is not carried out; none if there is none.
    pub behind_since: Option<Timestamp>,
    /// Why the last attempt failed; none if it did not.
    pub fault: Option<String>,
    /// Something else that the administrator should know.
    pub remark: Option<String>,
    /// Listings that are outside now.
    pub entries: usize,
    /// Notices that wait to be told.
    pub waiting: usize,
    /// Listings that cannot be told in that form, or were too many.
    pub left_out: usize,
}

/// The names of lists and rules, which the rooms know by number only.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Words {
    /// The names of the lists, in the order of their ids.
    pub lists: Vec<String>,
    /// The names of the rules, in the order of their ids.
    pub rules: Vec<String>,
}

impl Words {
    /// The name of a list.
    pub fn list(&self, id: ListId) -> &str {
        self.lists.get(id.index()).map_or("unknown", String::as_str)
    }

    /// Who made a listing, and a person's reason. A person's words are his own: each form escapes them in its way.
    pub fn maker(&self, maker: &Maker) -> String {
        match maker {
            Maker::Rule(rule) => {
                format!("rule {}", self.rules.get(usize::from(rule.0)).map_or("unknown", String::as_str))
            }
            Maker::Person { name, reason } => format!("{name}: {reason}"),
        }
    }
}

//! People and thieves who send mail through a node in virtual time.
//!
//! ```text
//!  People, Thief ── messages with their moments ──> Server (limits, accounts) ──> who was reached, who was locked when
//! ```
//!
//! Nothing here reads a clock or a random source of the system: the same seed gives the same months. People are made up, but
//! not to please: they travel, meet whole groups of new people, change phones, write newsletters and lists with stale
//! addresses. How real people behave nobody has measured here; what the bars say is what they say about these.

mod geo;
mod people;
mod random;
mod server;
mod thieves;

pub use geo::Countries;
pub use people::{Habit, Person};
pub use random::Random;
pub use server::{Sent, Server};
pub use thieves::{Theft, steal};

use base::{Address, Timestamp};

/// A message that somebody wants to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mail {
    /// When.
    pub at: Timestamp,
    /// From where.
    pub address: Address,
    /// To whom, and whether there is such a recipient.
    pub recipients: Vec<(String, bool)>,
    /// What the program shows of itself.
    pub client: String,
    /// What it says, as a number.
    pub body: u64,
}

/// Where every simulated month begins: a Monday.
pub const BEGIN: Timestamp = Timestamp::from_secs(1_799_625_600);

/// A day in seconds.
pub const DAY: u64 = 86_400;

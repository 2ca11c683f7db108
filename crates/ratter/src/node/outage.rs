//! Tells people that counting is paused because the password database seems to be down, and that it goes on.

use std::sync::atomic::Ordering;

use ::console::api::Happening;
use base::Timestamp;
use tracing::{info, warn};

use super::{Node, views};

impl Node {
    /// Says so once for each pause, and once when it is over.
    pub(super) fn tell_of_outage(&self, now: Timestamp) {
        let until = self.engine.paused_until().filter(|until| *until > now);
        let was_told = self.outage_told.swap(until.is_some(), Ordering::Relaxed);
        let text = match (until, was_told) {
            (Some(until), false) => {
                let until = views::time(until);
                warn!(until, "the password database seems to be down: failed logins are not counted");
                format!("failed logins are not counted until {until}: the password database seems to be down")
            }
            (None, true) => {
                info!("failed logins are counted again");
                "failed logins are counted again".to_owned()
            }
            (Some(_), true) | (None, false) => return,
        };
        // Without a watcher there is nobody to tell.
        drop(self.happenings.send(Happening::Notice { at: views::time(now), text }));
    }
}

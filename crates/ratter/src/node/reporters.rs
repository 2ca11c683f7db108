//! Those who report: what became of their word is kept, and who made something up is named.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::console::api::{Fault, Happening, ReporterStatus, ResetWish};
use base::Timestamp;
use rules::{Exposed, Standing, WITNESS_WEIGHT_MIN};
use sensors::reports::Tally;
use tracing::{info, warn};

use super::console::check_person;
use super::{Node, views};
use crate::clock;

/// How often what became of reporters is written down; who is exposed is written at once.
const SAVED_EVERY: Duration = Duration::from_secs(5);

/// Most addresses of an exposed reporter that are looked at again.
const LOOKED_AT_MAX: usize = 1_000_000;

/// Most events of one address that say who else knows of it.
const EVENTS_MAX: usize = 1000;

/// Who takes back what an exposed reporter alone held, in the journal.
const BY: &str = "reporters";

/// Names whoever was exposed, and keeps what became of the others.
pub(super) fn tend(node: &Arc<Node>, now: Timestamp) {
    let mut is_urgent = false;
    while let Some(exposed) = node.engine.poll_exposed() {
        is_urgent = true;
        tell(node, now, &exposed);
        let node = Arc::clone(node);
        let look = move || drop_what_he_held(&node, &exposed.reporter);
        // Without a thread his word weighs nothing all the same; what he held ends by its time.
        if let Err(error) = std::thread::Builder::new().name("reporter".into()).spawn(look) {
            warn!(%error, "no thread to look through what an exposed reporter held");
        }
    }
    let saved = Timestamp::from_millis(node.standings_saved.load(Ordering::Relaxed));
    if is_urgent || now.since(saved) >= SAVED_EVERY {
        node.standings_saved.store(now.as_millis(), Ordering::Relaxed);
        node.save_standings();
    }
}

fn tell(node: &Node, now: Timestamp, exposed: &Exposed) {
    let (reporter, canary) = (&*exposed.reporter, exposed.canary.to_string());
    warn!(reporter, canary, "a reporter named a canary: nothing that he reports counts any more");
    let what = format!("{reporter} reported the canary {canary}: his word weighs nothing");
    node.store.audit(BY, &what);
    // Without a watcher there is nobody to tell.
    drop(node.happenings.send(Happening::Notice { at: views::time(now), text: what }));
}

/// Ends the listings that rested on his word.
fn drop_what_he_held(node: &Node, reporter: &str) {
    let now = clock::now();
    let since = now.minus(node.history);
    let addresses = match node.store.reported_by(reporter, since, LOOKED_AT_MAX) {
        Ok(addresses) => addresses,
        Err(error) => return warn!(%error, reporter, "what the reporter held cannot be looked through"),
    };
    let mut dropped = 0;
    for party in addresses.iter().map(|address| address.aggregate()) {
        if node.book.about(&party.into()).is_empty() {
            continue;
        }
        let events = node.store.events_about(&party.into(), since, EVENTS_MAX).unwrap_or_default();
        let reporters = events.iter().map(|event| event.reporter.as_ref().map(|(name, _)| &**name));
        dropped += node.engine.drop_unheld(now, party, reporters, BY);
    }
    if dropped > 0 {
        info!(reporter, listings = dropped, "listings ended that rested on his word");
        node.save();
    }
}

impl Node {
    /// Has what became of reporters written down.
    pub(super) fn save_standings(&self) {
        let unsaved = self.engine.unsaved_standings();
        if !unsaved.is_empty() {
            self.store.push_standings(unsaved);
        }
    }

    /// Those who may report, with what they did and what their word weighs.
    pub(super) fn reporters(&self) -> Vec<ReporterStatus> {
        let Some(outlet) = self.outlets.get().and_then(|outlets| outlets.reports.as_ref()) else { return Vec::new() };
        let view = |((standing, weight), (owner, daily_cap, tally)): ((Standing, u8), (String, u32, Tally))| {
            let exposed = standing.exposed.map(|(at, canary)| format!("{} by {canary}", views::time(at)));
            ReporterStatus {
                name: standing.reporter.to_string(),
                owner,
                weight,
                confirmed: standing.confirmed,
                doubted: standing.doubted,
                exposed,
                today: tally.today,
                daily_cap,
                known: tally.known,
                over: tally.over,
            }
        };
        self.engine.standings().into_iter().zip(outlet.tallies()).map(view).collect()
    }

    /// A person trusts a reporter again.
    pub(super) fn trust_reporter(&self, wish: &ResetWish) -> Result<ReporterStatus, Fault> {
        check_person(&wish.person)?;
        if !self.engine.trust_again(clock::now(), &wish.reporter) {
            return Err(Fault::absent(format!("there is no reporter `{}`", wish.reporter)));
        }
        self.store.audit(&wish.person, &format!("reporter {} begins anew", wish.reporter));
        self.save_standings();
        self.save();
        let is_it = |reporter: &ReporterStatus| reporter.name == wish.reporter;
        self.reporters().into_iter().find(is_it).ok_or_else(|| Fault::absent("nobody may report here"))
    }

    /// What people should know of those who were exposed.
    pub(super) fn reporter_warnings(&self) -> Vec<String> {
        self.engine.standings().iter().filter_map(|(standing, weight)| warning(standing, *weight)).collect()
    }
}

/// What people should know of a reporter: that he was exposed, or that his word has come to count for no witness.
fn warning(standing: &Standing, weight: u8) -> Option<String> {
    let name = &standing.reporter;
    if let Some((at, canary)) = standing.exposed {
        let at = views::time(at);
        return Some(format!(
            "the reporter `{name}` named the canary {canary} at {at}: nothing of his counts; \
             `ratter reporter reset {name}` trusts him again"
        ));
    }
    (standing.earned < 0 && weight < WITNESS_WEIGHT_MIN).then(|| {
        format!(
            "the reporter `{name}` was doubted {} times and weighs {weight}: he is no witness any more; \
             `ratter reporter reset {name}` trusts him again",
            standing.doubted
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_fell_silent_is_named() {
        let standing = |earned| Standing { reporter: "mx2".into(), earned, doubted: 7, ..Standing::default() };
        assert_eq!(warning(&standing(-40), 10), None);
        assert_eq!(warning(&standing(0), 5), None, "so it is configured");
        let said = warning(&standing(-41), 9).unwrap();
        assert!(said.starts_with("the reporter `mx2` was doubted 7 times and weighs 9:"), "{said}");
    }
}

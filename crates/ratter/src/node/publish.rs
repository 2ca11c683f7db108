//! The brake on what is published: tells people what waits, and does what they decide.

use std::sync::atomic::Ordering;

use ::console::api::{Fault, Happening, HeldView, PublishWish, Published};
use base::{ListSet, Timestamp};
use listings::{BrakeLimits, Held, LetGo};
use tracing::warn;

use super::console::check_person;
use super::{Node, views};
use crate::clock;
use crate::config::Config;

/// Most subjects that are shown of what waits.
const SUBJECTS_SHOWN_MAX: usize = 5;

/// The brake as the configuration wants it.
pub(super) fn limits(config: &Config) -> BrakeLimits {
    let published = config.lists.iter().enumerate().filter(|(_, list)| list.code.is_some());
    let lists: ListSet = published.map(|(index, _)| base::ListId::new(index)).collect();
    let settings = config.publish;
    BrakeLimits {
        lists,
        percent: settings.change,
        floor: settings.floor,
        within: settings.within,
        prefixes: settings.prefixes,
    }
}

impl Node {
    /// Tells people of lists of which something waits since the last call, and of canaries that something wanted to list.
    pub(super) fn tell_of_held(&self, now: Timestamp) {
        let held = self.book.held();
        let lists: ListSet = held.iter().map(|held| held.list).collect();
        let known = ListSet::from_bits(self.held_told.swap(lists.bits(), Ordering::Relaxed));
        for held in held.iter().filter(|held| !known.contains(held.list)) {
            self.tell(now, &self.held_in_words(held));
        }
        let canaries = self.book.counters().refused_canaries;
        let before = self.canaries_told.swap(canaries, Ordering::Relaxed);
        if canaries > before {
            self.tell(
                now,
                &format!("{} listings of canaries were refused: somebody makes events up", canaries - before),
            );
        }
    }

    fn tell(&self, now: Timestamp, text: &str) {
        warn!("{text}");
        self.store.audit("publish", text);
        // Without a watcher there is nobody to tell.
        drop(self.happenings.send(Happening::Notice { at: views::time(now), text: text.to_owned() }));
    }

    fn held_in_words(&self, held: &Held) -> String {
        let list = self.names.list(held.list);
        format!(
            "the list `{list}` of {} listings changes too much: {} that would come and {} that would go wait since {}; \
             look at `ratter publish --show`, then `--release {list}` or `--drop {list}`",
            held.before,
            held.coming,
            held.going,
            views::time(held.since)
        )
    }

    /// What people should know of what waits.
    pub(super) fn held_warnings(&self) -> Vec<String> {
        self.book.held().iter().map(|held| self.held_in_words(held)).collect()
    }

    /// That nobody tells of logins which succeed.
    pub(super) fn blindness(&self) -> Option<String> {
        self.engine.is_blind(clock::now()).then(|| {
            "failed logins were seen for a day, and none that succeeded: without those nobody knows who is at home where, so that rules \
             for published lists want ten times as much of everybody; let Ratter read the lines of successful logins"
                .to_owned()
        })
    }

    /// What waits, by list.
    pub(super) fn held_views(&self) -> Vec<HeldView> {
        let view = |held: Held| HeldView {
            list: self.names.list(held.list).to_owned(),
            since: views::time(held.since),
            before: held.before,
            coming: held.coming,
            going: held.going,
            shed: held.shed,
            subjects: self.book.held_on(held.list, SUBJECTS_SHOWN_MAX).iter().map(ToString::to_string).collect(),
        };
        self.book.held().into_iter().map(view).collect()
    }

    /// Does what waits for a list, or drops it, because a person wants it.
    pub(super) fn decide_held(&self, wish: &PublishWish) -> Result<Published, Fault> {
        check_person(&wish.person)?;
        let (list, info) = self.find_list(&wish.list)?;
        let now = clock::now();
        let Some(LetGo { made, ended, dropped }) = self.book.let_go(now, list, wish.release) else {
            return Err(Fault::absent(format!("nothing waits for {}", info.name)));
        };
        self.engine.listed_late(now, list, &made);
        let done = made.len() + ended;
        let verb = if wish.release { "release" } else { "drop" };
        self.store.audit(&wish.person, &format!("{verb} what waits for {}: {done} done, {dropped} dropped", info.name));
        self.save();
        Ok(Published { list: info.name.clone(), done, dropped })
    }
}

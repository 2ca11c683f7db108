use core::iter::Peekable;
use core::ops::{Bound, RangeInclusive};
use core::time::Duration;
use std::collections::btree_map::Range;
use std::collections::{BTreeMap, BTreeSet};

use base::{ListId, ListSet, Listing, Subject, Timestamp, Until};
use listings::{Change as BookChange, Entry};

use super::ruleset::{Area, Change, Element, SetName};

/// How far the kernel's end of an element may lie from the book's before it is put right: its timers are coarse, and our
/// clocks are read at different moments.
pub const SLACK: Duration = Duration::from_secs(2);

/// Most elements; what comes beyond is left out and counted.
const ELEMENTS_MAX: usize = 1_000_000;

/// What the kernel holds: when an element goes by itself, if it does.
pub type Held = Until;

/// What shall be in the sets, what is, and what is to be changed.
#[derive(Debug)]
pub struct Plan {
    mail_lists: ListSet,
    all_lists: ListSet,
    wanted: BTreeMap<(Element, ListId), Until>,
    held: BTreeMap<Element, Held>,
    /// What may have to be changed.
    touched: BTreeSet<Element>,
    /// What was taken from there to be changed, until it is known that it was.
    in_hand: Vec<Element>,
    /// Of those, what is left to go by itself.
    leaving: Vec<Element>,
    /// What goes by itself, and when it is gone for sure. What comes again before that must be removed first.
    fading: BTreeSet<(Timestamp, Element)>,
    /// The sets that were ever needed.
    sets: BTreeSet<SetName>,
    left_out: usize,
}

impl Plan {
    /// A plan for addresses of these lists.
    pub const fn new(mail_lists: ListSet, all_lists: ListSet) -> Self {
        Self {
            mail_lists,
            all_lists,
            wanted: BTreeMap::new(),
            held: BTreeMap::new(),
            touched: BTreeSet::new(),
            in_hand: Vec::new(),
            leaving: Vec::new(),
            fading: BTreeSet::new(),
            sets: BTreeSet::new(),
            left_out: 0,
        }
    }

    /// Forgets what was wanted: these listings are in force.
    pub fn reconcile(&mut self, listings: impl IntoIterator<Item = Listing>) {
        let of_listing =
            |listing: Listing| self.elements_of(&listing).map(move |element| ((element, listing.list), listing.until));
        // Sorted, all maps are made anew from it: a million single insertions take ten times as long.
        let mut wanted: Vec<((Element, ListId), Until)> = listings.into_iter().flat_map(of_listing).collect();
        wanted.sort_by_key(|(key, _)| *key);
        // Of one network on one list the last listing counts.
        wanted.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                kept.1 = next.1;
            }
            is_same
        });
        self.left_out = wanted.len().saturating_sub(ELEMENTS_MAX);
        wanted.truncate(ELEMENTS_MAX);
        let elements = || wanted.iter().map(|((element, _), _)| *element);
        let mut names: Vec<SetName> = elements().map(|element| SetName::of(element.area, element.network)).collect();
        names.dedup();
        self.sets.extend(names);
        let before = self.wanted.keys().map(|(element, _)| *element);
        self.touched = self.touched.iter().copied().chain(before).chain(elements()).collect();
        self.wanted = wanted.into_iter().collect();
    }

    /// Takes note of a change, and says whether it knows now what is wanted.
    pub fn note(&mut self, entry: &Entry) -> bool {
        match &entry.change {
            BookChange::Listed(listing) => self.want(listing),
            BookChange::Unlisted { listing, .. } => {
                for element in self.elements_of(listing) {
                    self.wanted.remove(&(element, listing.list));
                    self.touched.insert(element);
                }
                return self.left_out == 0;
            }
            BookChange::Replaced(_) => return false,
        }
        true
    }

    /// The kernel holds these, and nothing else.
    pub fn found(&mut self, held: BTreeMap<Element, Held>) {
        // Made anew from what is sorted already: a million single insertions take ten times as long.
        let wanted = self.wanted.keys().map(|(element, _)| *element);
        self.touched = self.touched.iter().copied().chain(held.keys().copied()).chain(wanted).collect();
        self.held = held;
    }

    /// Whether there may be something to change.
    pub fn has_work(&self) -> bool {
        !self.touched.is_empty() || !self.in_hand.is_empty()
    }

    /// The sets that are needed, or were: one for each length of networks that came.
    pub const fn sets(&self) -> &BTreeSet<SetName> {
        &self.sets
    }

    /// Changes for the next `most` elements, in the order in which they must be made. What is to be removed may be gone by
    /// itself already. [`Plan::made`] wants them when they were made; until then they are to be made.
    pub fn next(&mut self, now: Timestamp, most: usize) -> Vec<Change> {
        self.touched.extend(self.in_hand.drain(..));
        self.in_hand.extend(core::iter::from_fn(|| self.touched.pop_first()).take(most));
        self.leaving.clear();
        let mut changes = Vec::new();
        let (mut wanted, mut held) = (Cursor::new(&self.wanted), Cursor::new(&self.held));
        for element in &self.in_hand {
            let lists = (*element, ListId::BLOCKED)..=(*element, ListId::new(base::limits::LISTS_MAX - 1));
            // As long as the longest of its listings.
            let until = wanted.in_range(lists).max().filter(|until| !until.is_over(now));
            match (until, held.in_range(*element..=*element).next()) {
                (Some(wanted), Some(held)) if is_alike(wanted, held) => {}
                (Some(wanted), Some(_)) => {
                    changes.push(Change::Remove(*element));
                    changes.push(add(element, wanted, now));
                }
                (Some(wanted), None) => changes.push(add(element, wanted, now)),
                (None, Some(held)) if goes_by_itself(held, now) => self.leaving.push(*element),
                (None, Some(_)) => changes.push(Change::Remove(*element)),
                (None, None) => {}
            }
        }
        // Of one set together, what goes before what comes; none is in it twice but to come anew.
        changes.sort_by_key(|change| match change {
            Change::Remove(element) => (false, SetName::of(element.area, element.network)),
            Change::Add(element, _) => (true, SetName::of(element.area, element.network)),
        });
        changes
    }

    /// The changes that [`Plan::next`] gave were made.
    pub fn made(&mut self, now: Timestamp, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Remove(element) => {
                    self.held.remove(element);
                }
                Change::Add(element, span) => {
                    let until = span.map_or(Until::Never, |span| Until::At(now.plus(span)));
                    self.held.insert(*element, until);
                }
            }
        }
        self.in_hand.clear();
        for element in self.leaving.drain(..) {
            if let Some(Until::At(end)) = self.held.get(&element) {
                self.fading.insert((end.plus(SLACK), element));
            }
        }
        self.fade(now);
    }

    /// Forgets what is gone by itself.
    pub fn fade(&mut self, now: Timestamp) {
        while let Some((gone, element)) = self.fading.first().copied().filter(|(gone, _)| *gone < now) {
            self.fading.pop_first();
            if self.held.get(&element).is_some_and(|held| held.is_over(gone)) {
                self.held.remove(&element);
            }
        }
    }

    /// Nothing is held any more, because the table is gone.
    pub fn lost(&mut self) {
        self.found(BTreeMap::new());
    }

    /// How many elements the kernel holds, as far as is known, and how many networks were left out.
    pub fn size(&self) -> (usize, usize) {
        (self.held.len(), self.left_out)
    }

    fn want(&mut self, listing: &Listing) {
        for element in self.elements_of(listing) {
            let key = (element, listing.list);
            if self.wanted.len() >= ELEMENTS_MAX && !self.wanted.contains_key(&key) {
                self.left_out += 1;
                continue;
            }
            self.sets.insert(SetName::of(element.area, element.network));
            self.wanted.insert(key, listing.until);
            self.touched.insert(element);
        }
    }

    fn elements_of(&self, listing: &Listing) -> impl Iterator<Item = Element> + use<> {
        let network = match listing.subject {
            Subject::Network(network) => Some(network),
            Subject::Login(_) => None,
        };
        let areas = [
            self.mail_lists.contains(listing.list).then_some(Area::Mail),
            self.all_lists.contains(listing.list).then_some(Area::All),
        ];
        areas.into_iter().flatten().filter_map(move |area| network.map(|network| Element { area, network }))
    }
}

/// Looks up one key after the other, in their order: those that lie side by side are not searched for from the top.
struct Cursor<'m, K> {
    map: &'m BTreeMap<K, Until>,
    ahead: Peekable<Range<'m, K, Until>>,
}

/// Keys that are passed over before it is searched from the top.
const STEPS_MAX: usize = 8;

impl<'m, K: Ord> Cursor<'m, K> {
    fn new(map: &'m BTreeMap<K, Until>) -> Self {
        Self { map, ahead: map.range(..).peekable() }
    }

    /// The values of these keys, none of which may lie before those that were asked for last.
    fn in_range(&mut self, keys: RangeInclusive<K>) -> impl Iterator<Item = Until> {
        let steps = (0..STEPS_MAX).take_while(|_| self.ahead.next_if(|(key, _)| *key < keys.start()).is_some());
        if steps.count() == STEPS_MAX {
            self.ahead = self.map.range::<K, _>((Bound::Included(keys.start()), Bound::Unbounded)).peekable();
        }
        core::iter::from_fn(move || self.ahead.next_if(|(key, _)| *key <= keys.end()).map(|(_, until)| *until))
    }
}

fn add(element: &Element, until: Until, now: Timestamp) -> Change {
    Change::Add(*element, until.moment().map(|end| end.since(now)))
}

/// Whether the kernel lets go of it within moments, so that it may be gone before it reads that it shall.
fn goes_by_itself(held: Held, now: Timestamp) -> bool {
    held.is_over(now.plus(SLACK))
}

fn is_alike(one: Until, other: Until) -> bool {
    match (one, other) {
        (Until::Never, Until::Never) => true,
        (Until::At(one), Until::At(other)) => one.since(other).max(other.since(one)) <= SLACK,
        (Until::Never, Until::At(_)) | (Until::At(_), Until::Never) => false,
    }
}

#[cfg(test)]
mod tests {
    use base::{Evidence, Maker, RuleId};
    use listings::Cause;
    use proptest::prelude::*;

    use super::*;

    const BEGIN: Timestamp = Timestamp::from_secs(1_800_000_000);
    const OTHER: ListId = ListId::new(1);

    fn at(second: u64) -> Timestamp {
        BEGIN.plus(Duration::from_secs(second))
    }

    fn fresh() -> Plan {
        let both = ListSet::EMPTY.with(ListId::BLOCKED).with(OTHER);
        Plan::new(both, ListSet::EMPTY)
    }

    fn listing(host: u8, list: ListId, until: Until) -> Listing {
        let subject = format!("192.0.2.{host}").parse().unwrap();
        let (maker, evidence) = (Maker::Rule(RuleId(0)), Evidence::default());
        Listing { subject, list, since: BEGIN, until, maker, evidence }
    }

    fn entry(change: BookChange) -> Entry {
        Entry { serial: 0, at: BEGIN, change }
    }

    /// Carries everything out, as the kernel would.
    fn settle(plan: &mut Plan, kernel: &mut BTreeMap<Element, Held>, now: Timestamp) {
        kernel.retain(|_, until| !until.is_over(now));
        let changes = plan.next(now, usize::MAX);
        for change in &changes {
            match change {
                Change::Add(element, span) => {
                    let until = span.map_or(Until::Never, |span| Until::At(now.plus(span)));
                    assert!(kernel.insert(*element, until).is_none(), "an element is added where there is none");
                }
                // What goes by itself may be gone.
                Change::Remove(element) => drop(kernel.remove(element)),
            }
        }
        plan.made(now, &changes);
        assert!(!plan.has_work() && plan.next(now, usize::MAX).is_empty(), "{plan:?}");
    }

    #[test]
    fn the_longest_listing_counts_and_the_last_to_go_frees() {
        let (mut plan, mut kernel) = (fresh(), BTreeMap::new());
        let (short, long) = (Until::At(at(60)), Until::At(at(600)));
        plan.note(&entry(BookChange::Listed(listing(1, ListId::BLOCKED, short))));
        settle(&mut plan, &mut kernel, at(0));
        plan.note(&entry(BookChange::Listed(listing(1, OTHER, long))));
        settle(&mut plan, &mut kernel, at(1));
        assert_eq!(kernel.values().collect::<Vec<_>>(), [&long]);
        plan.note(&entry(BookChange::Unlisted { listing: listing(1, OTHER, long), cause: Cause::Expired }));
        settle(&mut plan, &mut kernel, at(2));
        assert_eq!(kernel.values().collect::<Vec<_>>(), [&short]);
        // What expires goes in the kernel by itself, and nobody tells it to.
        plan.note(&entry(BookChange::Unlisted { listing: listing(1, ListId::BLOCKED, short), cause: Cause::Expired }));
        assert!(plan.next(at(60), usize::MAX).is_empty());
        settle(&mut plan, &mut kernel, at(60));
        assert_eq!(kernel.len(), 0);
        // Listed again at once, while it may be there still: it is removed first.
        plan.note(&entry(BookChange::Listed(listing(1, OTHER, Until::At(at(90))))));
        assert!(matches!(plan.next(at(60), usize::MAX)[..], [Change::Remove(_), Change::Add(..)]));
        settle(&mut plan, &mut kernel, at(60));
        plan.note(&entry(BookChange::Unlisted {
            listing: listing(1, OTHER, Until::At(at(90))),
            cause: Cause::Expired,
        }));
        settle(&mut plan, &mut kernel, at(90));
        plan.made(at(100), &[]);
        assert_eq!(plan.size(), (0, 0), "nothing is kept of what is gone");
    }

    #[test]
    fn what_the_kernel_holds_at_the_start_is_kept_where_it_is_right() {
        let (mut plan, mut kernel) = (fresh(), BTreeMap::new());
        let element = |host: u8| Element { area: Area::Mail, network: format!("192.0.2.{host}").parse().unwrap() };
        kernel.extend([(element(1), Until::At(at(601))), (element(2), Until::At(at(99))), (element(3), Until::Never)]);
        plan.reconcile([
            listing(1, OTHER, Until::At(at(600))),
            listing(2, OTHER, Until::Never),
            listing(4, OTHER, Until::Never),
        ]);
        plan.found(kernel.clone());
        let changes = plan.next(at(0), usize::MAX);
        let wanted = [
            Change::Remove(element(2)),
            Change::Remove(element(3)),
            Change::Add(element(2), None),
            Change::Add(element(4), None),
        ];
        assert_eq!(changes, wanted, "the first stays untouched");
        settle(&mut plan, &mut kernel, at(0));
        assert_eq!(kernel.len(), 3);
    }

    proptest! {
        #[test]
        fn the_kernel_comes_to_hold_what_the_book_says(steps in prop::collection::vec((0_u8..6, 0_u8..4, 0_usize..2, 0_u64..90), 1..60)) {
            let (mut plan, mut kernel) = (fresh(), BTreeMap::new());
            let mut book: BTreeMap<(u8, usize), Listing> = BTreeMap::new();
            let mut second = 0;
            for (what, host, list, number) in steps {
                second += number / 10;
                let (now, list_id) = (at(second), ListId::new(list));
                for over in book.extract_if(.., |_, listing| listing.until.is_over(now)).map(|(_, listing)| listing).collect::<Vec<_>>() {
                    plan.note(&entry(BookChange::Unlisted { listing: over, cause: Cause::Expired }));
                }
                match what {
                    0..=2 => {
                        let until = if what == 0 { Until::Never } else { Until::At(at(second + 1 + number)) };
                        let listing = listing(host, list_id, until);
                        if let Some(old) = book.insert((host, list), listing.clone()) {
                            plan.note(&entry(BookChange::Unlisted { listing: old, cause: Cause::Replaced }));
                        }
                        plan.note(&entry(BookChange::Listed(listing)));
                    }
                    3 => if let Some(old) = book.remove(&(host, list)) {
                        plan.note(&entry(BookChange::Unlisted { listing: old, cause: Cause::Removed { by: "x".into() } }));
                    },
                    // Somebody flushes the ruleset, or the process starts anew.
                    4 => { kernel.clear(); plan.lost(); }
                    _ => {
                        kernel.retain(|_, until: &mut Until| !until.is_over(now));
                        plan = fresh();
                        plan.reconcile(book.values().cloned());
                        plan.found(kernel.clone());
                    }
                }
                settle(&mut plan, &mut kernel, now);
                for (host, _) in book.keys() {
                    let wanted = book.iter().filter(|(key, _)| key.0 == *host).map(|(_, listing)| listing.until).max().unwrap();
                    let element = Element { area: Area::Mail, network: format!("192.0.2.{host}").parse().unwrap() };
                    let held = kernel.get(&element);
                    // Of two ends that are alike the kernel may have the earlier one.
                    let is_right = held.map_or_else(|| goes_by_itself(wanted, now), |held| is_alike(*held, wanted));
                    prop_assert!(is_right, "{host} {wanted:?} {held:?}");
                }
                let hosts: BTreeSet<u8> = book.keys().map(|(host, _)| *host).collect();
                let extra = kernel.iter().filter(|(_, until)| !is_alike(**until, Until::At(now))).count();
                prop_assert!(extra <= hosts.len());
            }
        }
    }
}

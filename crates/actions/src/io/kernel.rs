use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use base::{ListSet, Listing, Timestamp, Until};
use listings::Entry;

use super::netlink::Netlink;
use crate::nft::{
    Area, Batch, Change, Element, Held, Plan, Ruleset, SetName, connections, delete_table, destroy, dump,
    dump_connections, elements, generation, generation_of, put_changes,
};
use crate::{Action, Failure, Pace};

/// The kernel is told at once.
pub const KERNEL_PACE: Pace = Pace { settle: Duration::ZERO, rest: Duration::ZERO };

/// Elements that are changed at a time.
const CHANGES_MAX: usize = 1000;

/// How often it is looked whether somebody else has changed the ruleset, such as a firewall that was loaded anew and has
/// taken our table with it.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Connections that are ended at a time; beyond, they only hang.
const ENDED_MAX: usize = 10_000;

/// What the kernel drops.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kernel {
    /// Lists whose addresses are dropped at the mail server's ports.
    pub mail_lists: ListSet,
    /// Lists whose addresses are dropped at all ports.
    pub all_lists: ListSet,
    /// The mail server's ports.
    pub ports: BTreeSet<u16>,
}

/// Keeps the kernel's sets as the book is.
pub struct KernelAction {
    kernel: Kernel,
    plan: Plan,
    nftables: Option<Netlink>,
    /// The sets that are there; none before it was looked, and after something went wrong.
    sets: Option<BTreeSet<SetName>>,
    /// The number of the ruleset if nobody but us has changed it since it was looked at.
    generation: u32,
    look_at: Timestamp,
    /// What was put into a set the last time: whose connections are still to be ended.
    added: Vec<Element>,
    /// Whether the sets that are there are of an earlier version, which left it to the kernel how often it looks through them.
    are_swept_often: bool,
    /// Why the kernel cannot end connections; it is asked until it says so.
    cannot_end: Option<String>,
}

/// Deletes the table of an earlier run, if it is there.
///
/// # Errors
/// The kernel does not let us (it wants the capability `CAP_NET_ADMIN`), or has no nftables.
pub fn remove_table() -> io::Result<()> {
    let mut netlink = Netlink::nftables()?;
    let mut batch = Batch::new(netlink.next_sequence(3));
    delete_table(&mut batch);
    let Some((bytes, last)) = batch.finish() else { return Ok(()) };
    match netlink.ask(&bytes, last, |_| {}) {
        Err(error) if is(&error, rustix::io::Errno::NOENT) => Ok(()),
        result => result,
    }
}

/// Whether that is what the kernel says.
fn is(error: &io::Error, errno: rustix::io::Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

impl KernelAction {
    /// One that has looked at nothing yet.
    pub fn new(kernel: Kernel) -> Self {
        Self {
            plan: Plan::new(kernel.mail_lists, kernel.all_lists),
            kernel,
            nftables: None,
            sets: None,
            generation: 0,
            look_at: Timestamp::EPOCH,
            added: Vec::new(),
            are_swept_often: false,
            cannot_end: None,
        }
    }

    fn act(&mut self, now: Timestamp) -> io::Result<()> {
        if self.sets.is_some() && self.look_at <= now && self.is_changed_by_others()? {
            (self.sets, self.are_swept_often) = (None, false);
        }
        self.look_at = now.plus(LOOK_EVERY);
        if self.sets.is_none() {
            self.look_at_all(now)?;
        }
        // To look through all connections takes ten times as long as a block: those of the last time are ended after the
        // blocks of this time are in force.
        let before = self.added.len();
        while self.plan.has_work() {
            self.make_missing_sets()?;
            let changes = self.plan.next(now, CHANGES_MAX);
            self.change(&changes)?;
            self.plan.made(now, &changes);
            self.added.extend(changes.iter().filter_map(|change| match change {
                Change::Add(element, _) => Some(*element),
                Change::Remove(_) => None,
            }));
        }
        self.plan.fade(now);
        let mut before: Vec<Element> = self.added.drain(..before).collect();
        before.sort_unstable();
        self.end_connections(&before);
        Ok(())
    }

    fn netlink(&mut self) -> io::Result<&mut Netlink> {
        if self.nftables.is_none() {
            self.nftables = Some(Netlink::nftables()?);
        }
        self.nftables.as_mut().ok_or_else(|| io::Error::other("there is no socket"))
    }

    fn is_changed_by_others(&mut self) -> io::Result<bool> {
        Ok(self.asked_generation()? != self.generation)
    }

    fn asked_generation(&mut self) -> io::Result<u32> {
        let sequence = self.netlink()?.next_sequence(1);
        self.netlink()?.ask_one(&generation(sequence), generation_of)
    }

    /// Makes the table as it shall be, and looks what is in its sets already: that stays.
    fn look_at_all(&mut self, now: Timestamp) -> io::Result<()> {
        let sets = self.plan.sets().clone();
        self.put_rules(&sets, &BTreeSet::new())?;
        self.generation = self.asked_generation()?;
        let mut held: BTreeMap<Element, Held> = BTreeMap::new();
        for set in &sets {
            let sequence = self.netlink()?.next_sequence(1);
            let take = |answer: &crate::nft::Answer<'_>| {
                for (element, left) in elements(*set, answer) {
                    held.insert(element, left.map_or(Until::Never, |left| Until::At(now.plus(left))));
                }
            };
            self.netlink()?.ask(&dump(*set, sequence), sequence, take)?;
        }
        self.plan.found(held);
        self.sets = Some(sets);
        Ok(())
    }

    /// A network of a length that nobody had so far wants a set of its own, and a rule.
    fn make_missing_sets(&mut self) -> io::Result<()> {
        if self.sets.as_ref().is_some_and(|there| self.plan.sets().is_subset(there)) {
            return Ok(());
        }
        let (there, wanted) = (self.sets.clone().unwrap_or_default(), self.plan.sets().clone());
        let fresh = wanted.difference(&there).copied().collect();
        let all = there.union(&wanted).copied().collect();
        self.put_rules(&all, &fresh)?;
        self.sets = Some(all);
        Ok(())
    }

    fn put_rules(&mut self, sets: &BTreeSet<SetName>, fresh: &BTreeSet<SetName>) -> io::Result<()> {
        match self.try_to_put_rules(sets, fresh) {
            Err(error) if is(&error, rustix::io::Errno::EXIST) && !self.are_swept_often => {
                self.are_swept_often = true;
                self.try_to_put_rules(sets, fresh)
            }
            result => result,
        }
    }

    fn try_to_put_rules(&mut self, sets: &BTreeSet<SetName>, fresh: &BTreeSet<SetName>) -> io::Result<()> {
        let is_swept_rarely = !self.are_swept_often;
        let ruleset = Ruleset { is_swept_rarely, ports: self.kernel.ports.clone(), sets: sets.clone() };
        let sequence = self.netlink()?.next_sequence(sets.len() as u32 * 5 + 10);
        let mut batch = Batch::new(sequence);
        ruleset.put(&mut batch, fresh);
        self.commit(batch)
    }

    fn change(&mut self, changes: &[Change]) -> io::Result<()> {
        match self.change_together(changes) {
            // Something went by itself meanwhile, and the kernel has done nothing of it all: then one by one.
            Err(error) if is(&error, rustix::io::Errno::NOENT) => {
                for change in changes {
                    let result = self.change_together(core::slice::from_ref(change));
                    let is_gone =
                        |error: &io::Error| matches!(change, Change::Remove(_)) && is(error, rustix::io::Errno::NOENT);
                    result.or_else(|error| if is_gone(&error) { Ok(()) } else { Err(error) })?;
                }
                Ok(())
            }
            result => result,
        }
    }

    fn change_together(&mut self, changes: &[Change]) -> io::Result<()> {
        let sequence = self.netlink()?.next_sequence(changes.len() as u32 + 2);
        let mut batch = Batch::new(sequence);
        put_changes(&mut batch, changes);
        self.commit(batch)
    }

    fn commit(&mut self, batch: Batch) -> io::Result<()> {
        let Some((bytes, last)) = batch.finish() else { return Ok(()) };
        self.netlink()?.ask(&bytes, last, |_| {})?;
        // The kernel counts each batch that it has carried out, and leaves out zero (`nf_tables_commit`).
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        Ok(())
    }

    /// Ends the open connections of those who were just put into a set. That it cannot be done is no failure: what they send
    /// is dropped all the same.
    fn end_connections(&mut self, added: &[Element]) {
        if added.is_empty() || self.cannot_end.is_some() {
            return;
        }
        if let Err(error) = self.try_to_end(added) {
            // The kernel was built without it, or does not let us: it will not be otherwise later.
            self.cannot_end = Some(format!("open connections of listed addresses hang instead of ending: {error}"));
        }
    }

    fn try_to_end(&self, added: &[Element]) -> io::Result<()> {
        let mut netlink = Netlink::connections()?;
        let mut found = Vec::new();
        for is_ipv6 in [false, true] {
            let sequence = netlink.next_sequence(1);
            netlink.ask(&dump_connections(is_ipv6, sequence), sequence, |answer| {
                let connection = connections(answer).filter(|connection| self.is_about(added, connection));
                if found.len() < ENDED_MAX {
                    found.extend(connection);
                }
            })?;
        }
        for connection in found {
            let sequence = netlink.next_sequence(1);
            match netlink.ask(&destroy(&connection, sequence), sequence, |_| {}) {
                // It has ended by itself.
                Err(error) if is(&error, rustix::io::Errno::NOENT) => {}
                result => result?,
            }
        }
        Ok(())
    }

    fn is_about(&self, added: &[Element], connection: &crate::nft::Connection) -> bool {
        let lengths = if connection.peer.ip().is_ipv4() { 0..=32 } else { 0..=128 };
        let areas = [Some(Area::All), self.kernel.ports.contains(&connection.port).then_some(Area::Mail)];
        areas.into_iter().flatten().any(|area| {
            let around = |length| Element { area, network: base::Network::containing(connection.peer, length) };
            lengths.clone().any(|length| added.binary_search(&around(length)).is_ok())
        })
    }
}

impl Action for KernelAction {
    fn reconcile(&mut self, listings: Vec<Listing>) {
        self.plan.reconcile(listings);
    }

    fn note(&mut self, entry: &Entry) -> bool {
        self.plan.note(entry)
    }

    fn due(&self) -> Option<Timestamp> {
        let is_behind = self.sets.is_none() || self.plan.has_work() || !self.added.is_empty();
        Some(if is_behind { Timestamp::EPOCH } else { self.look_at })
    }

    fn carry_out(&mut self, now: Timestamp) -> Result<(), Failure> {
        self.act(now).map_err(|error| {
            // What is there now is not known: the next time it is looked at everything.
            (self.sets, self.nftables, self.are_swept_often) = (None, None, false);
            Failure(match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
                Some(rustix::io::Errno::PERM | rustix::io::Errno::ACCESS) => {
                    "the kernel does not let us: the process wants the capability CAP_NET_ADMIN".to_owned()
                }
                Some(rustix::io::Errno::PROTONOSUPPORT) => "the kernel has no nftables".to_owned(),
                _ => format!("nftables: {error}"),
            })
        })
    }

    fn remark(&self) -> Option<String> {
        self.cannot_end.clone()
    }

    fn size(&self) -> (usize, usize) {
        self.plan.size()
    }
}

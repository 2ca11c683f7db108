//! Replacing a list's bulk by a wholly different one without room for both.

use core::net::IpAddr;
use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use base::{Address, ListId, Network, Subject, Timestamp};

use super::replace::{BULK_MAX, ReplaceError, Replacement, judge};
use super::writer::Writer;
use super::{Book, REFUSED_KEPT_MAX, Refusal};
use crate::bulk::{Bulk, Content, InForce, Replaced};
use crate::journal::Change;

/// Up to so many differences are seen as one change, built beside what is in force: some 3 MB.
pub const SEEN_WHOLE_MAX: usize = 1_000_000;

/// Most networks that are no single IPv4 address of a bulk that is exchanged by ranges: they are held in memory.
const NETWORKS_MAX: usize = 200_000;

/// How many addresses are looked at, and how many differ, before other writers have a turn: some 0.3 ms.
const LOOKED_AT_ONCE: usize = 8192;
const EDITS_AT_ONCE: usize = 2048;

/// What was found out about the new networks before anything is changed.
#[derive(Default)]
struct Survey {
    replacement: Replacement,
    /// Those that are no single IPv4 address, in order; none if there are too many to hold.
    networks: Option<Vec<Network>>,
    /// How many networks would be of the bulk.
    count: usize,
}

/// The range by range exchange of single addresses, as far as it has come.
pub(super) struct Exchange {
    list: ListId,
    /// Every address below is exchanged.
    next: Option<u32>,
    /// What somebody took off the list meanwhile stays off it.
    left: HashSet<Network>,
    edits: Vec<u32>,
    added: usize,
    removed: usize,
}

impl Exchange {
    /// A listing was taken out of the bulk of that list.
    pub(super) fn left(&mut self, list: ListId, network: Network) {
        if list == self.list {
            self.left.insert(network);
        }
    }
}

impl Book {
    /// [`Book::replace`] for a list of any size, with room for little more than one of the two.
    ///
    /// `networks` gives the same networks each time it is called: once to judge them before anything is changed, and again
    /// to bring them in. Up to [`SEEN_WHOLE_MAX`] differences readers see all of it or nothing. Where more differs, single
    /// IPv4 addresses are exchanged range by range, from the lowest to the highest: for a second or two readers see the new
    /// list below some address and the old one above it. Each address goes once from what it was to what it shall be, and one that
    /// is on both is on the list all the time; networks come before the addresses go, and go after they came.
    /// The change has one number, that of its end.
    ///
    /// # Errors
    /// Says why everything is as it was, but for [`ReplaceError::Torn`].
    pub fn exchange<E, I: Iterator<Item = Result<Network, E>>>(
        &self,
        now: Timestamp,
        bulk: Bulk,
        networks: impl FnMut() -> Result<I, E>,
        percent_max: Option<u8>,
    ) -> Result<Replacement, ReplaceError<E>> {
        self.exchange_beyond(SEEN_WHOLE_MAX, now, bulk, networks, percent_max)
    }

    fn exchange_beyond<E, I: Iterator<Item = Result<Network, E>>>(
        &self,
        seen_whole_max: usize,
        now: Timestamp,
        bulk: Bulk,
        mut networks: impl FnMut() -> Result<I, E>,
        percent_max: Option<u8>,
    ) -> Result<Replacement, ReplaceError<E>> {
        let mut again = || networks().map_err(ReplaceError::Input);
        if bulk.list == ListId::BLOCKED || bulk.until.is_over(now) {
            return self.replace(now, bulk, again()?, percent_max);
        }
        let survey = self.survey(bulk.list, again()?)?;
        let differ = survey.replacement.added + survey.replacement.removed;
        let Some(apart) = survey.networks.as_ref().filter(|_| differ > seen_whole_max) else {
            return self.replace(now, bulk, again()?, percent_max);
        };
        let _turn = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let (list, before) = (bulk.list, self.writer().bulk_count(bulk.list));
        if let Some(percent_max) = percent_max {
            judge(before, survey.count, survey.replacement.own, survey.replacement.never, percent_max)?;
        }
        self.writer().begin_exchange(&bulk);
        self.edit_networks(list, apart.iter().map(|network| (*network, true)));
        let brought = networks().and_then(|networks| self.exchange_hosts(list, networks));
        if brought.is_ok() {
            self.edit_networks(list, self.gone(list, apart).into_iter().map(|network| (network, false)));
        }
        let mut writer = self.writer();
        let mut replacement = writer.end_exchange(now, brought.is_ok().then_some(bulk), list);
        writer.publish(&self.current);
        drop(writer);
        replacement.never = survey.replacement.never;
        replacement.refused = survey.replacement.refused;
        brought.map(|()| replacement).map_err(ReplaceError::Torn)
    }

    /// Goes through the list as it is and as it shall be, and changes nothing.
    fn survey<E>(
        &self,
        list: ListId,
        networks: impl Iterator<Item = Result<Network, E>>,
    ) -> Result<Survey, ReplaceError<E>> {
        let mut survey = Survey { networks: Some(Vec::new()), ..Survey::default() };
        let (own, tree) = {
            let writer = self.writer();
            let mut candidates = writer.register.networks_on(list);
            (writer.own_networks(list, &mut candidates), writer.view.tree.clone())
        };
        let mut old = tree.on_list(list).filter(|network| own.binary_search(network).is_err()).peekable();
        let never = self.never.load();
        let mut last = None;
        let result = &mut survey.replacement;
        result.own = own.len();
        for network in networks {
            let network = network.map_err(ReplaceError::Input)?;
            if last.replace(network).is_some_and(|last| last >= network) {
                return Err(ReplaceError::Order(network));
            }
            while old.next_if(|old| *old < network).is_some() {
                result.removed += 1;
            }
            let is_kept = old.next_if_eq(&network).is_some();
            if never.covers_on(&Subject::Network(network), list) {
                result.never += 1;
                result.removed += usize::from(is_kept);
                if result.refused.len() < REFUSED_KEPT_MAX {
                    result.refused.push(network);
                }
                continue;
            }
            if own.binary_search(&network).is_ok() {
                continue;
            }
            result.added += usize::from(!is_kept);
            survey.count += 1;
            if survey.count > BULK_MAX {
                return Err(ReplaceError::Refused(Refusal::Full));
            }
            if !is_address(network) {
                survey.networks = survey.networks.take().filter(|networks| networks.len() < NETWORKS_MAX);
                if let Some(networks) = &mut survey.networks {
                    networks.push(network);
                }
            }
        }
        result.removed += old.count();
        Ok(survey)
    }

    /// Networks of the list's bulk that are none of those, which are in order.
    fn gone(&self, list: ListId, kept: &[Network]) -> Vec<Network> {
        let tree = self.snapshot().tree().clone();
        let there = tree.networks_on(list);
        there.filter(|network| kept.binary_search(network).is_err()).collect()
    }

    fn edit_networks(&self, list: ListId, networks: impl Iterator<Item = (Network, bool)>) {
        let edits: Vec<(Network, bool)> = networks.collect();
        for edits in edits.chunks(EDITS_AT_ONCE) {
            let mut writer = self.writer();
            for (network, is_listed) in edits {
                writer.exchange(list, *network, *is_listed);
            }
            writer.publish(&self.current);
        }
    }

    /// Exchanges single addresses from the lowest on.
    fn exchange_hosts<E>(&self, list: ListId, networks: impl Iterator<Item = Result<Network, E>>) -> Result<(), E> {
        let never = self.never.load();
        let mut hosts = networks.filter_map(|network| match network {
            Ok(network) if never.covers_on(&Subject::Network(network), list) => None,
            Ok(network) => host_of(network).map(Ok),
            Err(error) => Some(Err(error)),
        });
        let mut waiting: Vec<u32> = Vec::with_capacity(LOOKED_AT_ONCE);
        let mut is_over = false;
        loop {
            while waiting.len() < LOOKED_AT_ONCE && !is_over {
                match hosts.next().transpose()? {
                    Some(host) => waiting.push(host),
                    None => is_over = true,
                }
            }
            let mut writer = self.writer();
            let (done, is_more) = writer.exchange_range(list, &waiting, is_over);
            writer.publish(&self.current);
            drop(writer);
            waiting.drain(..done);
            if !is_more {
                return Ok(());
            }
        }
    }
}

/// Whether this is a single IPv4 address.
fn is_address(network: Network) -> bool {
    network.base().is_ipv4() && network.is_host()
}

fn host_of(network: Network) -> Option<u32> {
    match network.base() {
        IpAddr::V4(v4) if network.is_host() => Some(v4.to_bits()),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

impl Writer {
    fn begin_exchange(&mut self, bulk: &Bulk) {
        let list = bulk.list;
        self.view.is_torn = true;
        self.exchanging =
            Some(Exchange { list, next: Some(0), left: HashSet::new(), edits: Vec::new(), added: 0, removed: 0 });
        // What comes meanwhile is of the old bulk until the end, or of the new one where there was none.
        self.bulks[list.index()].get_or_insert_with(|| InForce { bulk: bulk.clone(), count: 0 });
    }

    /// Puts a network on the list's bulk or takes it off, unless it has a record of its own or was just taken off.
    fn exchange(&mut self, list: ListId, network: Network, is_listed: bool) {
        let Some(exchange) = &mut self.exchanging else { return };
        let lists = self.view.tree.own_lists(network);
        let is_own = || self.register.find(&network.into(), list).is_some();
        if lists.contains(list) == is_listed || is_listed && exchange.left.contains(&network) || is_own() {
            return;
        }
        let in_force = self.bulks[list.index()].as_mut().expect("it was begun with one");
        let lists = if is_listed {
            (exchange.added, in_force.count) = (exchange.added + 1, in_force.count + 1);
            lists.with(list)
        } else {
            (exchange.removed, in_force.count) = (exchange.removed + 1, in_force.count - 1);
            lists.without(list)
        };
        self.changes.set(network, lists);
        self.unseen = true;
    }

    /// Exchanges a range of addresses that begins where the last one ended: `new` are the next ones that shall be on the
    /// list, and all if there are no more (`is_last`). Says how many of them are done, and whether there is more to do.
    fn exchange_range(&mut self, list: ListId, new: &[u32], is_last: bool) -> (usize, bool) {
        let Some(first) = self.exchanging.as_ref().and_then(|exchange| exchange.next) else {
            return (new.len(), false);
        };
        let mut edits = core::mem::take(&mut self.exchanging.as_mut().expect("it is there").edits);
        let tree = self.view.tree.clone();
        let mut old = tree.hosts_on(list, first).peekable();
        let (mut at, mut next) = (0, Some(first));
        for _ in 0..LOOKED_AT_ONCE {
            let host = match (old.peek(), new.get(at)) {
                (_, None) if !is_last => break,
                (None, None) => {
                    next = None;
                    break;
                }
                (Some(old), Some(new)) => *old.min(new),
                (Some(host), None) | (None, Some(host)) => *host,
            };
            let (was, is) = (old.next_if_eq(&host).is_some(), new.get(at) == Some(&host));
            at += usize::from(is);
            if was != is {
                edits.push(host);
            }
            next = host.checked_add(1);
            if edits.len() == EDITS_AT_ONCE || next.is_none() {
                break;
            }
        }
        drop(old);
        for host in edits.drain(..) {
            let network = Network::containing(Address::new(IpAddr::V4(host.into())), 32);
            let is_listed = new[..at].binary_search(&host).is_ok();
            self.exchange(list, network, is_listed);
        }
        let exchange = self.exchanging.as_mut().expect("it is there");
        (exchange.next, exchange.edits) = (next, edits);
        (at, next.is_some())
    }

    /// The list is as it shall be, or, without a bulk, as far as it came: notes that.
    fn end_exchange(&mut self, now: Timestamp, bulk: Option<Bulk>, list: ListId) -> Replacement {
        let exchange = self.exchanging.take().expect("it was begun");
        self.view.is_torn = false;
        let in_force = self.bulks[list.index()].as_mut().expect("it was begun with one");
        in_force.bulk = bulk.unwrap_or_else(|| in_force.bulk.clone());
        let (bulk, count) = (in_force.bulk.clone(), in_force.count);
        let own: Arc<[Network]> = self.own_networks(list, &mut self.register.networks_on(list)).into();
        let (own_count, tree) = (own.len(), self.view.tree.clone());
        let content = Content { tree, list, own, length: count };
        let replaced = Replaced { list, bulk: Some(bulk), content, steps: None };
        let serial = self.note(now, Change::Replaced(Box::new(replaced)));
        let (added, removed) = (exchange.added, exchange.removed);
        Replacement { serial, listed: count, added, removed, own: own_count, ..Replacement::default() }
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;

//! The table, its chain, its rules and its sets, as nftables' netlink wants them (`linux/netfilter/nf_tables.h`).

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeSet;

use base::{Address, Network};

use super::wire::{Answer, Batch, Buffer, NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, attributes, message};

/// The table, which is Ratter's alone.
pub const TABLE: &str = "ratter";
/// Its only chain.
const CHAIN: &str = "input";
/// Before the chains of firewalls, which are at 0 and accept what is established.
const PRIORITY: i32 = -10;
/// Elements in one message: an attribute holds 64 KiB, and more in one message is slower.
const ELEMENTS_PER_MESSAGE: usize = 100;

const NEWTABLE: u16 = 0;
const DELTABLE: u16 = 2;
const NEWCHAIN: u16 = 3;
const NEWRULE: u16 = 6;
const DELRULE: u16 = 8;
const NEWSET: u16 = 9;
const NEWSETELEM: u16 = 12;
const GETSETELEM: u16 = 13;
const DELSETELEM: u16 = 14;
/// The type of what answers [`GETSETELEM`], subsystem included.
const ELEMENTS: u16 = 10 << 8 | NEWSETELEM;

const SET_ANONYMOUS: u32 = 1;
const SET_CONSTANT: u32 = 2;
const SET_TIMEOUT: u32 = 0x10;
/// `nft`'s numbers for the types of keys, by which it shows sets.
const TYPE_IPV4: u32 = 7;
const TYPE_IPV6: u32 = 8;
const TYPE_SERVICE: u32 = 13;

const SET_GC_INTERVAL: u16 = 12;

const REGISTER: u32 = 1;
const VERDICT: u32 = 0;
const META_L4PROTO: u32 = 16;
const META_NFPROTO: u32 = 15;
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
const TCP: u8 = 6;
const LIST_ELEM: u16 = 1;

/// Where a listed address is dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Area {
    /// At the mail server's ports.
    Mail,
    /// At all ports.
    All,
}

/// A set: where its networks are dropped, of which family and how long they are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SetName {
    /// Where.
    pub area: Area,
    /// Whether it is of IPv6.
    pub is_ipv6: bool,
    /// The length of its networks.
    pub length: u8,
}

impl SetName {
    /// The set that a network is in.
    pub const fn of(area: Area, network: Network) -> Self {
        Self { area, is_ipv6: network.base().is_ipv6(), length: network.length() }
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let area = match self.area {
            Area::Mail => "mail",
            Area::All => "all",
        };
        write!(f, "{area}{}_{}", if self.is_ipv6 { 6 } else { 4 }, self.length)
    }
}

/// A network in a set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Element {
    /// Where it is dropped.
    pub area: Area,
    /// The network.
    pub network: Network,
}

/// An element that comes or goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It comes, for so long; without end if none is given.
    Add(Element, Option<Duration>),
    /// It goes.
    Remove(Element),
}

impl Change {
    const fn element(&self) -> &Element {
        match self {
            Self::Add(element, _) | Self::Remove(element) => element,
        }
    }
}

/// How often the kernel looks through the elements of a set for those whose time is over, in milliseconds. Those are let in at
/// once; only their memory waits. Its own choice, each second, costs it a pass over a million elements then.
const SWEPT_EVERY_MS: u32 = 60_000;

/// What is to be in the table besides elements.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ruleset {
    /// Whether sets are swept as rarely as here, and not as often as the kernel does by itself. A set cannot be given another
    /// interval while it is there: then the kernel refuses all with `EEXIST`.
    pub is_swept_rarely: bool,
    /// The ports of [`Area::Mail`].
    pub ports: BTreeSet<u16>,
    /// The sets.
    pub sets: BTreeSet<SetName>,
}

/// Deletes the table with all that is in it.
pub fn delete_table(batch: &mut Batch) {
    batch.add(DELTABLE, 0, |buffer| buffer.text(1, TABLE));
}

impl Ruleset {
    /// Makes the table, the chain and the sets that are not there, and puts the rules in the place of those that are. Sets that
    /// are `fresh` are emptied: an earlier run may have left something in them.
    pub fn put(&self, batch: &mut Batch, fresh: &BTreeSet<SetName>) {
        batch.add(NEWTABLE, NLM_F_CREATE, |buffer| buffer.text(1, TABLE));
        batch.add(NEWCHAIN, NLM_F_CREATE, |buffer| {
            buffer.text(1, TABLE);
            buffer.text(3, CHAIN);
            buffer.nest(4, |hook| {
                // `NF_INET_LOCAL_IN`.
                hook.number(1, 1);
                hook.put(2, &PRIORITY.to_be_bytes());
            });
            // Whoever is in no set goes on.
            buffer.number(5, 1);
            buffer.text(7, "filter");
        });
        batch.add(DELRULE, 0, |buffer| {
            buffer.text(1, TABLE);
            buffer.text(2, CHAIN);
        });
        for (id, set) in (1..).zip(&self.sets) {
            batch.add(NEWSET, NLM_F_CREATE, |buffer| {
                let (kind, length) = if set.is_ipv6 { (TYPE_IPV6, 16) } else { (TYPE_IPV4, 4) };
                new_set(buffer, &set.to_string(), SET_TIMEOUT, kind, length, id);
                if self.is_swept_rarely {
                    buffer.number(SET_GC_INTERVAL, SWEPT_EVERY_MS);
                }
            });
            if fresh.contains(set) {
                batch.add(DELSETELEM, 0, |buffer| {
                    buffer.text(1, TABLE);
                    buffer.text(2, &set.to_string());
                });
            }
        }
        for (id, set) in (1001_u32..).zip(&self.sets) {
            if set.area == Area::Mail {
                self.put_ports(batch, id);
            }
            rule(batch, *set, id);
        }
    }

    /// A set without a name, for one rule.
    fn put_ports(&self, batch: &mut Batch, id: u32) {
        batch.add(NEWSET, NLM_F_CREATE, |buffer| {
            new_set(buffer, "__set%d", SET_ANONYMOUS | SET_CONSTANT, TYPE_SERVICE, 2, id);
        });
        batch.add(NEWSETELEM, NLM_F_CREATE, |buffer| {
            buffer.text(1, TABLE);
            buffer.text(2, "__set%d");
            buffer.number(4, id);
            buffer.nest(3, |list| {
                for port in &self.ports {
                    list.nest(LIST_ELEM, |element| element.nest(1, |key| key.put(1, &port.to_be_bytes())));
                }
            });
        });
    }
}

fn new_set(buffer: &mut Buffer, name: &str, flags: u32, kind: u32, length: u32, id: u32) {
    buffer.text(1, TABLE);
    buffer.text(2, name);
    buffer.number(3, flags);
    buffer.number(4, kind);
    buffer.number(5, length);
    buffer.number(10, id);
}

/// The rule of one set: `meta l4proto tcp tcp dport @ports ip saddr & MASK @set counter drop`.
fn rule(batch: &mut Batch, set: SetName, ports: u32) {
    batch.add(NEWRULE, NLM_F_CREATE | NLM_F_APPEND, |buffer| {
        buffer.text(1, TABLE);
        buffer.text(2, CHAIN);
        buffer.nest(4, |list| {
            if set.area == Area::Mail {
                load_meta(list, META_L4PROTO);
                equals(list, &[TCP]);
                load(list, TRANSPORT_HEADER, 2, 2);
                lookup(list, "__set%d", Some(ports));
            }
            load_meta(list, META_NFPROTO);
            equals(list, &[if set.is_ipv6 { 10 } else { 2 }]);
            let (offset, bytes) = if set.is_ipv6 { (8, 16) } else { (12, 4) };
            load(list, NETWORK_HEADER, offset, bytes);
            if usize::from(set.length) < 8 * bytes as usize {
                mask(list, set.length, bytes as usize);
            }
            lookup(list, &set.to_string(), None);
            expression(list, "counter", |data| {
                data.put(1, &0_u64.to_be_bytes());
                data.put(2, &0_u64.to_be_bytes());
            });
            expression(list, "immediate", |data| {
                data.number(1, VERDICT);
                // `NF_DROP` is 0.
                data.nest(2, |value| value.nest(2, |verdict| verdict.number(1, 0)));
            });
        });
    });
}

fn expression(list: &mut Buffer, name: &str, content: impl FnOnce(&mut Buffer)) {
    list.nest(LIST_ELEM, |item| {
        item.text(1, name);
        item.nest(2, content);
    });
}

fn load_meta(list: &mut Buffer, key: u32) {
    expression(list, "meta", |data| {
        data.number(2, key);
        data.number(1, REGISTER);
    });
}

fn load(list: &mut Buffer, header: u32, offset: u32, bytes: u32) {
    expression(list, "payload", |data| {
        data.number(1, REGISTER);
        data.number(2, header);
        data.number(3, offset);
        data.number(4, bytes);
    });
}

fn equals(list: &mut Buffer, value: &[u8]) {
    expression(list, "cmp", |data| {
        data.number(1, REGISTER);
        data.number(2, 0);
        data.nest(3, |inner| inner.put(1, value));
    });
}

fn mask(list: &mut Buffer, length: u8, bytes: usize) {
    let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0).to_be_bytes();
    expression(list, "bitwise", |data| {
        data.number(1, REGISTER);
        data.number(2, REGISTER);
        data.number(3, bytes as u32);
        data.nest(4, |inner| inner.put(1, &mask[..bytes]));
        data.nest(5, |inner| inner.put(1, &[0; 16][..bytes]));
    });
}

fn lookup(list: &mut Buffer, set: &str, id: Option<u32>) {
    expression(list, "lookup", |data| {
        data.text(1, set);
        data.number(2, REGISTER);
        if let Some(id) = id {
            data.number(4, id);
        }
    });
}

/// Adds changes to a batch. Those of one kind and set that follow one another go into one message.
pub fn put_changes(batch: &mut Batch, changes: &[Change]) {
    let is_alike = |one: &Change, other: &Change| {
        let set = |change: &Change| SetName::of(change.element().area, change.element().network);
        matches!(one, Change::Add(..)) == matches!(other, Change::Add(..)) && set(one) == set(other)
    };
    for run in changes.chunk_by(is_alike) {
        for chunk in run.chunks(ELEMENTS_PER_MESSAGE) {
            put_elements(batch, chunk);
        }
    }
}

fn put_elements(batch: &mut Batch, chunk: &[Change]) {
    let Some(first) = chunk.first() else { return };
    let set = SetName::of(first.element().area, first.element().network);
    let (kind, flags) = match first {
        Change::Add(..) => (NEWSETELEM, NLM_F_CREATE),
        Change::Remove(_) => (DELSETELEM, 0),
    };
    batch.add(kind, flags, |buffer| {
        buffer.text(1, TABLE);
        buffer.text(2, &set.to_string());
        buffer.nest(3, |list| {
            for change in chunk {
                list.nest(LIST_ELEM, |item| {
                    item.nest(1, |key| match change.element().network.base() {
                        IpAddr::V4(v4) => key.put(1, &v4.octets()),
                        IpAddr::V6(v6) => key.put(1, &v6.octets()),
                    });
                    if let Change::Add(_, Some(timeout)) = change {
                        item.put(4, &(timeout.as_millis() as u64).max(1).to_be_bytes());
                    }
                });
            }
        });
    });
}

/// The question what is in a set.
pub fn dump(set: SetName, sequence: u32) -> Vec<u8> {
    let mut buffer = Buffer::default();
    message(&mut buffer, GETSETELEM, NLM_F_DUMP, sequence, |content| {
        content.text(1, TABLE);
        content.text(2, &set.to_string());
    });
    buffer.into_bytes()
}

/// The elements in an answer to that: each with how long it stays; without end if none is given. What is no network of
/// the set's length, which only others could have put there, is passed over.
pub fn elements(set: SetName, answer: &Answer<'_>) -> Vec<(Element, Option<Duration>)> {
    let Answer::Data { kind: ELEMENTS, body, .. } = answer else { return Vec::new() };
    let lists = attributes(body.get(4..).unwrap_or_default()).filter(|(kind, _)| *kind == 3);
    let items = lists.flat_map(|(_, list)| attributes(list)).filter(|(kind, _)| *kind == LIST_ELEM);
    items.filter_map(|(_, item)| element(set, item)).collect()
}

fn element(set: SetName, item: &[u8]) -> Option<(Element, Option<Duration>)> {
    let (mut key, mut expires) = (None, None);
    for (kind, value) in attributes(item) {
        match kind {
            1 => key = attributes(value).find(|(kind, _)| *kind == 1).map(|(_, value)| value),
            5 => expires = Some(Duration::from_millis(u64::from_be_bytes(value.try_into().ok()?))),
            _ => {}
        }
    }
    let ip: IpAddr =
        if set.is_ipv6 { <[u8; 16]>::try_from(key?).ok()?.into() } else { <[u8; 4]>::try_from(key?).ok()?.into() };
    let network = Network::containing(Address::new(ip), set.length);
    (network.base() == ip).then_some((Element { area: set.area, network }, expires))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_in_them() {
        let name = |area, network: &str| SetName::of(area, network.parse().unwrap()).to_string();
        assert_eq!(name(Area::Mail, "192.0.2.1"), "mail4_32");
        assert_eq!(name(Area::All, "192.0.2.0/24"), "all4_24");
        assert_eq!(name(Area::Mail, "2001:db8::/64"), "mail6_64");
    }

    #[test]
    fn elements_are_read_as_they_were_written() {
        for text in ["192.0.2.1", "198.51.100.0/24", "0.0.0.0/0", "2001:db8::/64", "2001:db8::1"] {
            let network: Network = text.parse().unwrap();
            let set = SetName::of(Area::Mail, network);
            let element = Element { area: Area::Mail, network };
            let mut batch = Batch::new(1);
            put_changes(&mut batch, &[Change::Add(element, None)]);
            let (bytes, _) = batch.finish().unwrap();
            let read: Vec<_> = super::super::answers(&bytes).flat_map(|answer| elements(set, &answer)).collect();
            assert_eq!(read, [(element, None)], "{text}");
        }
    }

    #[test]
    fn many_elements_go_into_few_messages_that_are_not_too_long() {
        let host = |number: u32| Address::new(core::net::Ipv4Addr::from_bits(number).into());
        let element = |number| Element { area: Area::Mail, network: Network::containing(host(number), 32) };
        let mut changes: Vec<Change> =
            (0..250).map(|n| Change::Add(element(n), Some(Duration::from_mins(1)))).collect();
        changes.extend((0..10).map(|n| Change::Remove(element(n))));
        let mut batch = Batch::new(1);
        put_changes(&mut batch, &changes);
        let (bytes, _) = batch.finish().unwrap();
        // The frame, three of what comes, one of what goes.
        assert_eq!(super::super::answers(&bytes).count(), 2 + 3 + 1);
    }
}

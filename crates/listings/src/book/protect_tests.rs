//! No publication ever has what is protected, whenever it was protected.

use core::convert::Infallible;
use std::collections::BTreeSet;

use base::{Address, Evidence, ListId, Maker, Network, RuleId, Subject, Timestamp, Until};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::{BY_NEVER_LIST, Bulk, Cause, Change, Protection};

const AUTH: ListId = ListId::new(3);

/// Networks and addresses that overlap each other often.
fn networks() -> impl Strategy<Value = Network> {
    let v4 = (0_u32..64, prop::sample::select(vec![16_u8, 24, 28, 30, 32])).prop_map(|(bits, length)| {
        Network::containing(Address::new((0x1400_0000_u32 + bits).to_be_bytes().into()), length)
    });
    let v6 = (0_u128..8, prop::sample::select(vec![48_u8, 56, 63, 64])).prop_map(|(bits, length)| {
        let address = std::net::Ipv6Addr::from_bits((0x2a00_u128 << 112) + (bits << 64));
        Network::containing(Address::new(address.into()), length)
    });
    prop_oneof![3 => v4, 1 => v6]
}

#[derive(Clone, Debug)]
enum Step {
    List(Network, bool, bool),
    Unlist(Network),
    Import(BTreeSet<Network>),
    Protect(Vec<(Network, bool)>),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (networks(), any::<bool>(), any::<bool>()).prop_map(|(network, rule, local)| Step::List(network, rule, local)),
        1 => networks().prop_map(Step::Unlist),
        1 => btree_set(networks(), 0..20).prop_map(Step::Import),
        1 => vec((networks(), any::<bool>()), 0..3).prop_map(Step::Protect),
    ]
}

fn list_of(is_local: bool) -> ListId {
    if is_local { ListId::BLOCKED } else { AUTH }
}

proptest! {
    #[test]
    fn what_is_protected_is_on_no_list_it_is_protected_from(steps in vec(steps(), 1..40)) {
        let book = Book::seeded(NeverList::new([], []), 1);
        let mut protected: Vec<(Network, bool)> = Vec::new();
        let now = Timestamp::from_secs(9);
        for step in steps {
            match step {
                Step::List(network, is_rule, is_local) => {
                    let person = Maker::Person { name: "ann".into(), reason: "asked".into() };
                    let maker = if is_rule { Maker::Rule(RuleId(1)) } else { person };
                    let (until, list) = (Until::At(Timestamp::from_secs(99)), list_of(is_local));
                    let wish = Wish { subject: network.into(), list, until, maker, evidence: Evidence::default() };
                    let _ = book.list(now, wish);
                }
                Step::Unlist(network) => drop(book.unlist(now, &network.into(), None, "ann")),
                Step::Import(networks) => {
                    let maker = Maker::Person { name: "ann".into(), reason: "import".into() };
                    let bulk = Bulk { list: AUTH, since: now, until: Until::Never, maker };
                    drop(book.replace(now, bulk, networks.into_iter().map(Ok::<_, Infallible>), None));
                }
                Step::Protect(networks) => {
                    let by: Arc<str> = "a test".into();
                    let before = book.all(None, usize::MAX).len();
                    let protection = |(network, is_everywhere)| Protection { network, by: Arc::clone(&by), is_everywhere };
                    let gone = book.protect(now, NeverList::with(networks.iter().copied().map(protection), []));
                    prop_assert_eq!(before - gone.len(), book.all(None, usize::MAX).len());
                    protected = networks;
                }
            }
            // The listings, the snapshot that DNS and gates look at, and what transfers and exports walk over.
            let snapshot = book.snapshot();
            for (network, is_everywhere) in &protected {
                for listing in book.all(None, usize::MAX) {
                    let Subject::Network(listed) = listing.subject else { unreachable!("only networks are listed here") };
                    let is_hit = listed.overlaps(*network) && (*is_everywhere || listing.list != ListId::BLOCKED);
                    prop_assert!(!is_hit, "{} is listed, {} is protected", listed, network);
                }
                let lists = snapshot.lists_below(*network);
                let lists = if *is_everywhere { lists } else { lists.without(ListId::BLOCKED) };
                prop_assert!(lists.is_empty(), "{} is protected, and on {:?}", network, lists);
            }
        }
    }
}

#[test]
fn what_goes_by_a_protection_is_in_the_journal() {
    let book = Book::seeded(NeverList::new([], []), 1);
    let now = Timestamp::from_secs(9);
    let maker = Maker::Person { name: "ann".into(), reason: "import".into() };
    let bulk = Bulk { list: AUTH, since: now, until: Until::Never, maker };
    let networks =
        ["20.0.0.0/24", "20.0.1.0/24", "20.0.2.7"].map(|text| Ok::<Network, Infallible>(text.parse().unwrap()));
    book.replace(now, bulk, networks, None).unwrap();
    drop(book.drain());
    let protection = Protection { network: "20.0.0.99".parse().unwrap(), by: "a test".into(), is_everywhere: false };
    let gone = book.protect(now, NeverList::with([protection], []));
    assert_eq!(gone.len(), 1);
    let entries = book.drain();
    let Change::Unlisted { listing, cause } = &entries[0].change else { panic!("{entries:?}") };
    assert_eq!(listing.subject, "20.0.0.0/24".parse().unwrap());
    assert_eq!(*cause, Cause::Removed { by: BY_NEVER_LIST.into() });
}

impl Book {
    fn drain(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.drain_journal(&mut entries);
        entries
    }
}

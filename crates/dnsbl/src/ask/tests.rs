use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::collections::BTreeMap;

use base::{Address, Timestamp};
use proptest::prelude::*;
use resolver::{Data, Reply};

use super::*;

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

fn list() -> List {
    let code = |last, weight| Code {
        code: Ipv4Addr::new(127, 0, 0, last),
        meaning: format!("code {last}"),
        weight,
        is_policy: false,
    };
    List {
        name: "bl".to_owned(),
        zone: "bl.example.org".to_owned(),
        key: None,
        v4: true,
        v6: true,
        codes: vec![code(2, 1), code(36, 2), code(43, 5)],
        test: address("127.0.0.2"),
        timeout: Duration::from_secs(2),
        test_every: Duration::from_mins(15),
    }
}

fn records(addresses: &[&str]) -> Reply {
    let data = addresses.iter().map(|text| Data::Address(text.parse::<IpAddr>().expect("an address")));
    Reply::Records { data: data.collect(), ttl: Duration::from_mins(5) }
}

fn alias(to: &str) -> Reply {
    let data = vec![Data::Alias(to.into()), Data::Address(Ipv4Addr::new(127, 0, 0, 2).into())];
    Reply::Records { data, ttl: Duration::from_mins(5) }
}

const NOTHING: Reply = Reply::NoName(Some(Duration::from_mins(1)));

#[test]
fn names_are_those_of_rfc_5782() {
    let keyed = List { key: Key::new("Secret0"), ..list() };
    let nibbles = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2";
    let cases = [
        (&list(), "192.0.2.1", "1.2.0.192.bl.example.org".to_owned()),
        (&list(), "::ffff:192.0.2.1", "1.2.0.192.bl.example.org".to_owned()),
        (&list(), "2001:db8::1", format!("{nibbles}.bl.example.org")),
        (&keyed, "192.0.2.1", "1.2.0.192.secret0.bl.example.org".to_owned()),
        (&keyed, "2001:db8::1", format!("{nibbles}.secret0.bl.example.org")),
    ];
    for (list, text, wanted) in cases {
        assert_eq!(address_name(list, address(text)), wanted, "{text}");
    }
    let mapped = name::mapped_name(&list(), address("127.0.0.2"));
    assert_eq!(mapped, "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.example.org");
}

#[test]
fn a_key_is_a_label_and_is_never_shown() {
    for (text, is_key) in
        [("abc-DEF_09", true), ("", false), ("a.b", false), ("a b", false), (&"x".repeat(64)[..], false)]
    {
        assert_eq!(Key::new(text).is_some(), is_key, "{text}");
    }
    let keyed = List { key: Key::new("swordfish"), ..list() };
    assert!(!format!("{keyed:?}").contains("swordfish"));
}

#[test]
fn only_exact_codes_mean_listed() {
    let code = |last| Ipv4Addr::new(127, 0, 0, last);
    let cases = [
        (records(&["127.0.0.43"]), Ok(vec![2])),
        (records(&["127.0.0.43", "127.0.0.2"]), Ok(vec![0, 2])),
        (alias("other.bl.example.org"), Ok(vec![0])),
        (NOTHING, Ok(vec![])),
        (Reply::NoName(None), Ok(vec![])),
        (records(&["127.0.0.44"]), Err(Cause::UnknownCode(code(44)))),
        (records(&["127.0.0.43", "127.0.0.44"]), Err(Cause::UnknownCode(code(44)))),
        (records(&["127.0.0.1"]), Err(Cause::UnknownCode(code(1)))),
        (records(&["127.255.255.254"]), Err(Cause::Blocked(Ipv4Addr::new(127, 255, 255, 254)))),
        (records(&["127.0.0.43", "127.255.255.255"]), Err(Cause::Blocked(Ipv4Addr::new(127, 255, 255, 255)))),
        (records(&["127.0.0.43", "192.0.2.1"]), Err(Cause::Outside(address("192.0.2.1").ip()))),
        (records(&["2001:db8::1"]), Err(Cause::Outside(address("2001:db8::1").ip()))),
        (records(&[]), Err(Cause::Empty)),
        (alias("bl.example.net"), Err(Cause::Alias)),
        (alias("evilbl.example.org"), Err(Cause::Alias)),
        (Reply::Empty { is_proven: true, ttl: None }, Err(Cause::Empty)),
        (Reply::Empty { is_proven: false, ttl: None }, Err(Cause::Empty)),
        (Reply::ServerFailed, Err(Cause::ServerFailed)),
        (Reply::Refused, Err(Cause::Refused)),
        (Reply::Silent, Err(Cause::Silent)),
    ];
    for (reply, wanted) in cases {
        let got = match judge(&list(), &reply).0 {
            Verdict::Listed(codes) => Ok(codes.iter().collect()),
            Verdict::NotListed => Ok(vec![]),
            Verdict::Unknown(cause) => Err(cause),
        };
        assert_eq!(got, wanted, "{reply:?}");
    }
}

/// A machine with servers that answer by a table of names; what is not in it does not exist.
struct Scene {
    machine: Machine,
    now: Timestamp,
    table: BTreeMap<String, Reply>,
    /// What every name is answered with, if something is wrong.
    wrong: Option<Reply>,
    asked: Vec<String>,
    changes: Vec<Health>,
}

impl Scene {
    fn new(list: List) -> Self {
        let settings = Settings { servers: 1, in_flight_max: 8, seed: 7 };
        let mut table = BTreeMap::new();
        table.insert("2.0.0.127.bl.example.org".to_owned(), records(&["127.0.0.2"]));
        let machine = Machine::new(settings, vec![list]);
        let now = Timestamp::from_secs(1_000_000);
        Self { machine, now, table, wrong: None, asked: Vec::new(), changes: Vec::new() }
    }

    /// Lets this time pass; questions are answered at once, unless the reply is silence.
    fn pass(&mut self, span: Duration) {
        let end = self.now.plus(span);
        loop {
            self.machine.handle(self.now, Input::Tick);
            self.answer();
            match self.machine.next_deadline().filter(|due| *due <= end) {
                Some(due) => self.now = self.now.max(due),
                None => break,
            }
        }
        self.now = end;
    }

    fn answer(&mut self) {
        while let Some(output) = self.machine.poll_output(self.now) {
            match output {
                Output::Changed(_, health) => self.changes.push(health),
                Output::Ask { id, name, .. } => {
                    let reply = self.table.get(&name).cloned().unwrap_or(NOTHING);
                    let reply = self.wrong.clone().unwrap_or(reply);
                    self.asked.push(name);
                    if reply != Reply::Silent {
                        self.machine.handle(self.now, Input::Answered(id, reply));
                    }
                }
            }
        }
    }

    fn want(&mut self, text: &str) -> Standing {
        let lists = Lists::default().with(0);
        self.machine.handle(self.now, Input::Wanted { address: address(text), lists });
        self.answer();
        self.machine.recall(self.now, 0, address(text))
    }

    fn health(&self) -> Health {
        self.machine.lists().next().expect("there is one").1
    }

    fn fault(&self) -> Option<Fault> {
        match self.health() {
            Health::Off { fault, .. } => Some(fault),
            Health::Untested | Health::Working { .. } => None,
        }
    }
}

#[test]
fn nothing_counts_before_the_tests_have_passed() {
    let mut scene = Scene::new(list());
    scene.wrong = Some(Reply::Silent);
    assert_eq!(scene.want("192.0.2.1"), Standing::Open);
    scene.wrong = None;
    scene.pass(Duration::from_mins(10));
    assert!(matches!(scene.health(), Health::Working { .. }), "{:?}", scene.health());
    assert_eq!(scene.want("192.0.2.1"), Standing::Known(Verdict::NotListed));
}

#[test]
fn each_way_to_fail_switches_off_with_its_cause_and_ends_by_itself() {
    let everything = records(&["127.0.0.2"]);
    let blocked = records(&["127.255.255.254"]);
    let cases = [
        (Some(everything), None, Fault::ListsLoopback),
        (Some(records(&["198.51.100.1"])), None, Fault::Unreliable(Cause::Outside(address("198.51.100.1").ip()))),
        (Some(blocked), None, Fault::Blocked(Ipv4Addr::new(127, 255, 255, 254))),
        (Some(Reply::Refused), None, Fault::Unreliable(Cause::Refused)),
        (Some(Reply::ServerFailed), None, Fault::Unreliable(Cause::ServerFailed)),
        (Some(Reply::Silent), None, Fault::Unreliable(Cause::Silent)),
        (None, Some(("2.0.0.127.bl.example.org", NOTHING)), Fault::EntryMissing),
        (None, Some(("1.0.0.127.bl.example.org", records(&["127.0.0.2"]))), Fault::ListsLoopback),
    ];
    for (wrong, entry, fault) in cases {
        let mut scene = Scene::new(list());
        scene.pass(Duration::from_secs(10));
        assert!(matches!(scene.health(), Health::Working { .. }));
        let right = scene.table.clone();
        scene.table.extend(entry.map(|(name, reply)| (name.to_owned(), reply)));
        scene.wrong = wrong;
        scene.pass(Duration::from_mins(16));
        assert_eq!(scene.fault(), Some(fault));
        assert_eq!(scene.want("192.0.2.99"), Standing::Known(Verdict::Unknown(Cause::Off)));
        (scene.table, scene.wrong) = (right, None);
        scene.pass(Duration::from_mins(16));
        assert!(matches!(scene.health(), Health::Working { .. }), "{fault:?}");
        assert_eq!(scene.changes.len(), 3, "{:?}", scene.changes);
    }
}

#[test]
fn a_wrong_key_is_told_from_a_dead_list() {
    let mut scene = Scene::new(List { key: Key::new("mine"), ..list() });
    scene.pass(Duration::from_secs(10));
    assert_eq!(scene.fault(), Some(Fault::KeyRefused));
    scene.table.insert("2.0.0.127.mine.bl.example.org".to_owned(), records(&["127.0.0.2"]));
    scene.pass(Duration::from_mins(16));
    assert!(matches!(scene.health(), Health::Working { .. }));
}

#[test]
fn a_list_that_begins_to_list_the_world_is_found_out_before_anybody_is_refused() {
    let mut scene = Scene::new(list());
    scene.pass(Duration::from_secs(10));
    scene.wrong = Some(records(&["127.0.0.2"]));
    assert_eq!(scene.want("192.0.2.1"), Standing::Known(Verdict::Unknown(Cause::Off)));
    assert_eq!(scene.fault(), Some(Fault::ListsLoopback));
    scene.wrong = None;
    scene.pass(Duration::from_mins(2));
    assert!(matches!(scene.health(), Health::Working { .. }));
    assert_eq!(scene.want("192.0.2.1"), Standing::Known(Verdict::NotListed));
}

#[test]
fn whoever_is_found_listed_while_a_test_runs_waits_for_the_next() {
    let mut scene = Scene::new(list());
    scene.pass(Duration::from_secs(10));
    for (name, who) in [("1.2.0.192", "192.0.2.1"), ("2.2.0.192", "192.0.2.2")] {
        scene.table.insert(format!("{name}.bl.example.org"), records(&["127.0.0.43"]));
        assert!(matches!(scene.want(who), Standing::Known(Verdict::Listed(_))), "{who}");
    }
    let tests = scene.asked.iter().filter(|name| *name == "2.0.0.127.bl.example.org").count();
    assert_eq!(tests, 3, "one at the start, one for each of the two");
}

#[test]
fn an_answer_is_remembered_for_its_time_and_asked_once_at_a_time() {
    let mut scene = Scene::new(list());
    scene.pass(Duration::from_secs(10));
    scene.table.insert("1.2.0.192.bl.example.org".to_owned(), records(&["127.0.0.43"]));
    let count = |scene: &Scene, name: &str| scene.asked.iter().filter(|asked| *asked == name).count();
    for (pause, wanted) in [(0, 1), (299, 1), (2, 2)] {
        scene.pass(Duration::from_secs(pause));
        assert!(matches!(scene.want("192.0.2.1"), Standing::Known(Verdict::Listed(_))));
        assert_eq!(count(&scene, "1.2.0.192.bl.example.org"), wanted, "{pause}");
    }
    for (pause, wanted) in [(0, 1), (59, 1), (2, 2)] {
        scene.pass(Duration::from_secs(pause));
        assert_eq!(scene.want("192.0.2.9"), Standing::Known(Verdict::NotListed));
        assert_eq!(count(&scene, "9.2.0.192.bl.example.org"), wanted, "{pause}");
    }
    scene.wrong = Some(Reply::Silent);
    for _ in 0..10 {
        assert_eq!(scene.want("192.0.2.5"), Standing::Open);
    }
    assert_eq!(count(&scene, "5.2.0.192.bl.example.org"), 1);
    scene.pass(Duration::from_secs(2));
    assert_eq!(
        scene.machine.recall(scene.now, 0, address("192.0.2.5")),
        Standing::Known(Verdict::Unknown(Cause::Silent))
    );
}

#[test]
fn a_flood_is_shed_and_nothing_grows() {
    let mut scene = Scene::new(list());
    scene.pass(Duration::from_secs(10));
    scene.wrong = Some(Reply::Silent);
    for n in 0..2 * QUEUED_MAX as u32 {
        let address = Address::new(Ipv4Addr::from_bits(0x0a00_0000 + n).into());
        scene.machine.handle(scene.now, Input::Wanted { address, lists: Lists::default().with(0) });
    }
    assert!(scene.machine.counters().shed > 0);
    assert_eq!(scene.want("203.0.113.1"), Standing::Known(Verdict::Unknown(Cause::Busy)));
}

proptest! {
    /// Whatever servers answer, and in whatever order: nobody is listed but by a code of the list.
    #[test]
    fn nobody_is_listed_but_by_an_exact_code(octets in proptest::collection::vec(any::<[u8; 4]>(), 0..4), near in any::<bool>()) {
        let near_code = |[a, b, c, d]: [u8; 4]| if near { [127, a % 2 * 255, b % 2 * 255, d % 64] } else { [a, b, c, d] };
        let octets: Vec<_> = octets.into_iter().map(near_code).collect();
        let data = octets.iter().map(|octets| Data::Address(IpAddr::from(*octets))).collect();
        let (verdict, _) = judge(&list(), &Reply::Records { data, ttl: Duration::ZERO });
        let is_code = |octets: &[u8; 4]| list().codes.iter().any(|code| code.code.octets() == *octets);
        prop_assert_eq!(matches!(verdict, Verdict::Listed(_)), !octets.is_empty() && octets.iter().all(is_code));
    }
}

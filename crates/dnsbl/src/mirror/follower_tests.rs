use super::*;
use crate::mirror::testing::{answer, zone};
use crate::mirror::{Mirrors, Primary, Source};

const START: Timestamp = Timestamp::from_secs(1_800_000_000);

fn mirrors(primaries: usize) -> Mirrors {
    let primary = |n| Primary { address: ([192, 0, 2, n as u8 + 1], 53).into(), key: None };
    let source = Source { zone: zone(), primaries: (0..primaries).map(primary).collect(), bytes_max: 100_000 };
    Mirrors::new([source]).unwrap()
}

struct World<'a> {
    mirrors: &'a Mirrors,
    follower: Follower<'a>,
    now: Timestamp,
}

impl<'a> World<'a> {
    fn new(mirrors: &'a Mirrors) -> Self {
        Self { mirrors, follower: Follower::new(&mirrors.slots()[0], 9), now: START }
    }

    /// What it does after so many seconds: whom it asks for what.
    fn after(&mut self, seconds: u64) -> Option<Ask> {
        self.now = self.now.plus(Duration::from_secs(seconds));
        self.follower.handle(self.now, Input::Tick)
    }

    fn hear(&mut self, ask: &Ask, records: &str) -> Option<Ask> {
        self.follower.handle(self.now, Input::Message(&answer(&ask.message, records)))
    }

    fn serial(&self) -> Option<u32> {
        self.mirrors.states()[0].serial
    }

    /// The second at which it has something to do next, seen from now.
    fn wait(&self) -> u64 {
        self.follower.next_deadline().since(self.now).as_secs()
    }
}

/// The type that is asked for, and the last octet of whom.
fn kind(ask: &Ask) -> (u16, u8) {
    let end = 12 + zone().wire().len();
    let std::net::IpAddr::V4(to) = ask.to.ip() else { panic!() };
    (u16::from_be_bytes([ask.message[end], ask.message[end + 1]]), to.octets()[3])
}

const WHOLE: u16 = 252;
const CHANGES: u16 = 251;
const SOA: u16 = 6;

#[test]
fn a_zone_is_kept_up_to_date() {
    let mirrors = mirrors(1);
    let mut world = World::new(&mirrors);
    let ask = world.after(0).unwrap();
    assert_eq!(kind(&ask), (WHOLE, 1));
    assert!(world.after(1).is_none(), "one at a time");
    assert!(world.hear(&ask, "soa 5 600 60 3600, ns, a x 1, soa 5").is_none());
    assert_eq!((world.serial(), world.wait()), (Some(5), 600));
    // Its time comes, and nothing is new.
    let ask = world.after(600).unwrap();
    assert_eq!(kind(&ask), (CHANGES, 1));
    assert!(world.hear(&ask, "soa 5 600 60 3600").is_none());
    assert_eq!(world.wait(), 600);
    // A change is announced.
    mirrors.slots()[0].tell();
    let ask = world.after(1).unwrap();
    assert!(
        world.hear(&ask, "soa 6 600 60 3600, soa 5 600 60 3600, soa 6 600 60 3600, a y 2, soa 6 600 60 3600").is_none()
    );
    assert_eq!((world.serial(), world.mirrors.states()[0].incremental), (Some(6), 1));
    // Another one before it may ask again.
    let ask = {
        mirrors.slots()[0].tell();
        world.after(0)
    };
    assert!(ask.is_none() && world.wait() == 0);
}

#[test]
fn whoever_has_no_changes_is_asked_for_everything() {
    let mirrors = mirrors(1);
    let mut world = World::new(&mirrors);
    let ask = world.after(0).unwrap();
    world.hear(&ask, "soa 5 600 60 3600, ns, a x 1, soa 5");
    let ask = world.after(600).unwrap();
    let mut refused = answer(&ask.message, "");
    refused[3] = 4;
    let ask = world.follower.handle(world.now, Input::Message(&refused)).unwrap();
    assert_eq!(kind(&ask), (WHOLE, 1));
    world.hear(&ask, "soa 7 600 60 3600, ns, a x 2, soa 7");
    // From now on it is asked for its serial first.
    let ask = world.after(600).unwrap();
    assert_eq!(kind(&ask), (SOA, 1));
    assert!(world.hear(&ask, "soa 7 600 60 3600").is_none());
    let ask = world.after(600).unwrap();
    let ask = world.hear(&ask, "soa 8 600 60 3600").unwrap();
    assert_eq!(kind(&ask), (WHOLE, 1));
    world.hear(&ask, "soa 8 600 60 3600, ns, a x 3, soa 8");
    assert_eq!(world.serial(), Some(8));
}

#[test]
fn what_is_no_zone_changes_nothing_until_the_time_is_over() {
    let mirrors = mirrors(2);
    let mut world = World::new(&mirrors);
    let ask = world.after(0).unwrap();
    world.follower.handle(world.now, Input::Lost("no route"));
    assert!(world.mirrors.states()[0].fault.as_ref().unwrap().contains("192.0.2.1:53: no route"));
    let other = world.after(1).unwrap();
    assert_eq!((kind(&ask).1, kind(&other).1), (1, 2));
    world.hear(&other, "soa 5 600 60 3600, ns, a x 1, soa 5");
    let begin = world.now;
    let mut asked = Vec::new();
    while world.serial().is_some() {
        assert!(world.now.since(begin) <= Duration::from_mins(61), "it ends");
        if let Some(ask) = world.after(1) {
            // Changes that do not fit, and then a zone that is none.
            let ask = world.hear(&ask, "soa 9, soa 4, soa 9, soa 9").expect("everything is asked for");
            assert_eq!(kind(&ask).0, WHOLE);
            assert!(world.hear(&ask, "soa 9, a x 2, soa 9").is_none());
            asked.push(kind(&ask).1);
        }
    }
    assert!(world.now.since(begin) >= Duration::from_hours(1), "the time of the zone is over");
    assert!(asked.len() > 20 && asked.contains(&1) && asked.contains(&2), "{asked:?}");
    let ask = loop {
        if let Some(ask) = world.after(1) {
            break ask;
        }
    };
    assert_eq!(kind(&ask).0, WHOLE);
    world.hear(&ask, "soa 3 600 60 3600, ns, soa 3");
    assert_eq!(world.serial(), Some(3), "from nothing every serial is new");
}

#[test]
fn a_clock_that_is_set_back_stops_nothing() {
    let mirrors = mirrors(1);
    let mut world = World::new(&mirrors);
    let ask = world.after(0).unwrap();
    world.hear(&ask, "soa 5 600 60 3600, ns, a x 1, soa 5");
    world.now = START.minus(Duration::from_hours(1000));
    assert_eq!(kind(&world.after(0).unwrap()), (CHANGES, 1));
    let expires = world.mirrors.states()[0].expires.unwrap();
    assert_eq!(expires.since(world.now), Duration::from_hours(1));
}

#[test]
fn serials_turn() {
    let mirrors = mirrors(1);
    let mut world = World::new(&mirrors);
    let ask = world.after(0).unwrap();
    world.hear(&ask, "soa 4294967290 600 60 3600, ns, a x 1, soa 4294967290");
    let ask = world.after(600).unwrap();
    world.hear(&ask, "soa 3 1 60 3600, soa 4294967290 600 60 3600, soa 3 1 60 3600, a y 1, soa 3 1 60 3600");
    assert_eq!((world.serial(), world.wait()), (Some(3), 10), "no zone asks more often than each ten seconds");
}

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{Address, Timestamp};
use resolver::Reply;

use super::answer::{Cause, Verdict, judge};
use super::cache::Cache;
use super::health::{Health, Probe, Watch};
use super::list::{List, Lists};
use super::name::{address_name, label_name, mapped_name};

/// Questions that wait for a free place; of one more it is said that nothing is known.
pub const QUEUED_MAX: usize = 8192;

/// How the machine asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// How many servers there are to ask; at least one.
    pub servers: usize,
    /// Questions that are open at once.
    pub in_flight_max: usize,
    /// Random, so that nobody can guess the names by which lists are tested.
    pub seed: u64,
}

/// Which question a reply is to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct QuestionId(u64);

/// What the machine is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// Somebody wants to know what these lists say of an address. What is remembered is not asked again.
    Wanted {
        /// The address.
        address: Address,
        /// The lists; those that do not list its family are passed over.
        lists: Lists,
    },
    /// A server replied.
    Answered(QuestionId, Reply),
    /// Time passed.
    Tick,
}

/// What the machine wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Ask for the IPv4 addresses of this name.
    Ask {
        /// Goes back with the reply.
        id: QuestionId,
        /// The name. It may have a key in it, which no log may show.
        name: String,
        /// Which of the servers.
        server: usize,
    },
    /// A list works now, or is off: people shall be told.
    Changed(usize, Health),
}

/// What is known at this moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// This, and no more will be.
    Known(Verdict),
    /// It is being asked.
    Open,
}

/// What was counted since the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Questions of others, by list.
    pub wanted: u64,
    /// Of those, remembered.
    pub remembered: u64,
    /// Of those, joined to one that was open.
    pub joined: u64,
    /// Of those, not asked for want of places.
    pub shed: u64,
    /// Answers that an address is listed.
    pub listed: u64,
    /// Answers that it is not.
    pub not_listed: u64,
    /// Answers by which nothing is known.
    pub unknown: u64,
    /// Tests of lists that were asked.
    pub tests: u64,
}

/// What a question is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum What {
    About(Address),
    Test(Probe),
}

#[derive(Clone, Copy, Debug)]
struct Job {
    list: usize,
    what: What,
    /// Whether it was asked before. Tests are, so that a lost packet switches nothing off.
    is_second: bool,
}

#[derive(Debug)]
struct Open {
    job: Job,
    due: Timestamp,
    /// The state of the list in which it was asked.
    epoch: u64,
}

/// Somebody was found listed, which counts when the list has passed a test that began after it said so: nobody is refused by
/// a list, or through a resolver, that has just begun to list the world.
#[derive(Debug)]
struct Held {
    list: usize,
    address: Address,
    verdict: Verdict,
    until: Timestamp,
    round: u64,
}

/// The lists, their health, what they said, and what they are being asked.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    lists: Vec<(List, Watch)>,
    cache: Cache,
    /// What is asked or waits to be, so that nothing is asked twice at one time.
    asked: BTreeSet<(usize, Address)>,
    ready: VecDeque<Job>,
    open: BTreeMap<QuestionId, Open>,
    held: Vec<Held>,
    deadlines: BTreeSet<(Timestamp, QuestionId)>,
    told: VecDeque<Output>,
    next_id: u64,
    counters: Counters,
}

impl Machine {
    /// A machine that asks these lists, [`super::LISTS_MAX`] at most; further ones are never asked.
    pub fn new(settings: Settings, lists: Vec<List>) -> Self {
        let settings =
            Settings { servers: settings.servers.max(1), in_flight_max: settings.in_flight_max.max(1), ..settings };
        let lists = lists.into_iter().take(super::LISTS_MAX).map(|list| (list, Watch::new())).collect();
        Self {
            settings,
            lists,
            cache: Cache::default(),
            asked: BTreeSet::new(),
            ready: VecDeque::new(),
            open: BTreeMap::new(),
            held: Vec::new(),
            deadlines: BTreeSet::new(),
            told: VecDeque::new(),
            next_id: 0,
            counters: Counters::default(),
        }
    }

    /// Takes note of an input.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Wanted { address, lists } => lists.iter().for_each(|list| self.want(now, list, address)),
            Input::Answered(id, reply) => self.answered(now, id, &reply),
            Input::Tick => {}
        }
        while let Some((due, id)) = self.deadlines.first().copied().filter(|(due, _)| *due <= now) {
            self.deadlines.remove(&(due, id));
            self.answered(now, id, &Reply::Silent);
        }
        self.begin_tests(now);
        debug_assert!(self.open.len() <= self.settings.in_flight_max, "too many questions are open");
        debug_assert_eq!(self.open.len(), self.deadlines.len(), "each open question has its deadline");
    }

    /// What is to be done next.
    pub fn poll_output(&mut self, now: Timestamp) -> Option<Output> {
        if let Some(output) = self.told.pop_front() {
            return Some(output);
        }
        if self.open.len() >= self.settings.in_flight_max {
            return None;
        }
        let job = self.ready.pop_front()?;
        let (list, watch) = &self.lists[job.list];
        let (id, due) = (QuestionId(self.next_id), now.plus(list.timeout));
        let server = self.next_id as usize % self.settings.servers;
        let name = name(list, job.what, self.settings.seed ^ watch.rounds().wrapping_mul(0x9e37_79b9_7f4a_7c15));
        self.next_id += 1;
        self.open.insert(id, Open { job, due, epoch: watch.epoch() });
        self.deadlines.insert((due, id));
        Some(Output::Ask { id, name, server })
    }

    /// When [`Machine::handle`] has something to do without an answer.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let open = self.deadlines.first().map(|(due, _)| *due);
        self.lists.iter().filter_map(|(_, watch)| watch.deadline()).chain(open).min()
    }

    /// What is known of an address now. Nothing is asked for.
    pub fn recall(&self, now: Timestamp, list: usize, address: Address) -> Standing {
        let Some((_, watch)) = self.lists.get(list) else { return Standing::Known(Verdict::Unknown(Cause::Off)) };
        match watch.health() {
            Health::Untested => return Standing::Open,
            Health::Off { .. } => return Standing::Known(Verdict::Unknown(Cause::Off)),
            Health::Working { .. } => {}
        }
        if let Some(verdict) = self.cache.find(now, (list, watch.epoch(), address)) {
            return Standing::Known(verdict);
        }
        if self.asked.contains(&(list, address)) {
            return Standing::Open;
        }
        Standing::Known(Verdict::Unknown(Cause::Busy))
    }

    /// The lists with their health, in the order of their places.
    pub fn lists(&self) -> impl Iterator<Item = (&List, Health)> {
        self.lists.iter().map(|(list, watch)| (list, watch.health()))
    }

    /// What was counted.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Verdicts that are remembered.
    pub fn remembered(&self) -> usize {
        self.cache.len()
    }

    fn want(&mut self, now: Timestamp, place: usize, address: Address) {
        let Some((list, watch)) = self.lists.get(place) else { return };
        if !list.covers(address) || matches!(watch.health(), Health::Off { .. }) {
            return;
        }
        self.counters.wanted += 1;
        if self.cache.find(now, (place, watch.epoch(), address)).is_some() {
            self.counters.remembered += 1;
        } else if self.asked.contains(&(place, address)) {
            self.counters.joined += 1;
        } else if self.ready.len() >= QUEUED_MAX {
            self.counters.shed += 1;
        } else {
            self.asked.insert((place, address));
            self.ready.push_back(Job { list: place, what: What::About(address), is_second: false });
        }
    }

    fn answered(&mut self, now: Timestamp, id: QuestionId, reply: &Reply) {
        // What comes late, or was not asked, is no answer.
        let Some(Open { job, due, epoch }) = self.open.remove(&id) else { return };
        self.deadlines.remove(&(due, id));
        let (list, watch) = &mut self.lists[job.list];
        let (verdict, span) = judge(list, reply);
        let changed = match job.what {
            What::Test(probe) => {
                let is_lost = matches!(verdict, Verdict::Unknown(Cause::Silent | Cause::ServerFailed));
                if is_lost && !job.is_second {
                    self.ready.push_front(Job { is_second: true, ..job });
                    return;
                }
                watch.probed(now, list, probe, verdict)
            }
            What::About(address) => {
                match verdict {
                    Verdict::Listed(_) => self.counters.listed += 1,
                    Verdict::NotListed => self.counters.not_listed += 1,
                    Verdict::Unknown(_) => self.counters.unknown += 1,
                }
                let is_current = epoch == watch.epoch();
                if matches!(verdict, Verdict::Listed(_)) && is_current && self.held.len() < QUEUED_MAX {
                    let (until, round) = (now.plus(span), watch.want_round(now));
                    self.held.push(Held { list: job.list, address, verdict, until, round });
                } else {
                    self.asked.remove(&(job.list, address));
                    if !matches!(verdict, Verdict::Listed(_)) {
                        self.cache.insert(now.plus(span), (job.list, epoch, address), verdict);
                    }
                }
                if is_current { watch.answered(now, list, verdict) } else { None }
            }
        };
        self.let_go(job.list);
        self.told.extend(changed.map(|health| Output::Changed(job.list, health)));
    }

    /// What was held of a list counts if it has passed its test, and is forgotten if it is off.
    fn let_go(&mut self, place: usize) {
        let (_, watch) = &self.lists[place];
        let is_off = matches!(watch.health(), Health::Off { .. });
        let is_over = |held: &mut Held| held.list == place && (is_off || held.round <= watch.passed());
        for held in self.held.extract_if(.., is_over) {
            self.asked.remove(&(place, held.address));
            if !is_off {
                self.cache.insert(held.until, (place, watch.epoch(), held.address), held.verdict);
            }
        }
    }

    fn begin_tests(&mut self, now: Timestamp) {
        for (place, (list, watch)) in self.lists.iter_mut().enumerate() {
            for probe in watch.begin(now, list) {
                self.counters.tests += 1;
                // Before what others want, which cannot be relied on without.
                self.ready.push_front(Job { list: place, what: What::Test(*probe), is_second: false });
            }
        }
    }
}

fn name(list: &List, what: What, random: u64) -> String {
    let of = |list: &List, address| if list.v4 { address_name(list, address) } else { mapped_name(list, address) };
    match what {
        What::About(address) => address_name(list, address),
        What::Test(Probe::Entry) => of(list, list.test),
        What::Test(Probe::Loopback) => of(list, Address::new(core::net::Ipv4Addr::LOCALHOST.into())),
        What::Test(Probe::Anything) => label_name(list, &format!("ratter-test-{random:016x}")),
        What::Test(Probe::Keyless) => of(&List { key: None, ..list.clone() }, list.test),
    }
}

//! All searches at once: each address once, no more questions at a time than allowed.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{Address, Timestamp};

use super::cache::Cache;
use super::job::{Job, Step};
use super::{Answer, Found, Input, Output, QuestionId, Settings};

/// Searches that wait or run at once; whoever wants one more is told that nothing is known.
pub const JOBS_MAX: usize = 8192;
/// How long it is remembered that nobody could tell, so that a server in trouble is not asked again at once.
pub const FAILED_FOR: Duration = Duration::from_mins(5);

/// What the machine has counted since its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Addresses that somebody wanted to know the name of.
    pub wanted: u64,
    /// Of those, how many were remembered.
    pub remembered: u64,
    /// Of those, how many were being searched already.
    pub joined: u64,
    /// Of those, how many were turned away because too many searches ran.
    pub shed: u64,
    /// Questions asked.
    pub asked: u64,
    /// Questions to which no answer came in time, or one that tells nothing.
    pub unanswered: u64,
    /// Searches that ended with a name.
    pub named: u64,
    /// Searches that ended with the proof that there is no name.
    pub no_name: u64,
    /// Searches that ended without a result.
    pub unknown: u64,
}

/// What a search is doing.
#[derive(Debug)]
enum Doing {
    /// Its question may be asked as soon as there is room.
    Ready,
    /// It waits to ask again.
    Waiting,
    /// It has asked, and waits until then for the answer.
    Asked(QuestionId, Timestamp),
}

#[derive(Debug)]
struct Search {
    job: Job,
    doing: Doing,
}

/// See the module. Of one address there is at most one search, and at most `in_flight_max` questions are open.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    cache: Cache,
    searches: BTreeMap<Address, Search>,
    /// What each search that is not ready waits for.
    deadlines: BTreeSet<(Timestamp, Address)>,
    ready: VecDeque<Address>,
    open: BTreeMap<QuestionId, Address>,
    told: VecDeque<Output>,
    next_id: u64,
    counters: Counters,
}

impl Machine {
    /// A machine that knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        let settings =
            Settings { servers: settings.servers.max(1), in_flight_max: settings.in_flight_max.max(1), ..settings };
        Self {
            settings,
            cache: Cache::default(),
            searches: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            ready: VecDeque::new(),
            open: BTreeMap::new(),
            told: VecDeque::new(),
            next_id: 0,
            counters: Counters::default(),
        }
    }

    /// Takes in what happened, after doing whatever was due at `now`.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        self.do_what_is_due(now);
        match input {
            Input::Wanted { address, afresh } => self.wanted(now, address, afresh),
            Input::Answered(id, answer) => {
                // An answer that comes too late, or twice, or to nothing that was asked, changes nothing.
                if let Some(address) = self.open.remove(&id) {
                    self.answered(now, address, answer);
                }
            }
            Input::Tick => {}
        }
        self.check();
    }

    /// What is to be done next, if anything.
    pub fn poll_output(&mut self, now: Timestamp) -> Option<Output> {
        if let Some(output) = self.told.pop_front() {
            return Some(output);
        }
        if self.open.len() >= self.settings.in_flight_max {
            return None;
        }
        let address = self.ready.pop_front()?;
        let search = self.searches.get_mut(&address)?;
        let (id, due) = (QuestionId(self.next_id), now.plus(self.settings.timeout));
        self.next_id += 1;
        search.doing = Doing::Asked(id, due);
        self.open.insert(id, address);
        self.deadlines.insert((due, address));
        self.counters.asked += 1;
        Some(Output::Ask { id, question: search.job.question(), server: search.job.server })
    }

    /// When [`Machine::handle`] has something to do next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    /// What is remembered of the address.
    pub fn recall(&self, now: Timestamp, address: Address) -> Option<&Found> {
        self.cache.find(now, address)
    }

    /// What it has counted.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn wanted(&mut self, now: Timestamp, address: Address, afresh: bool) {
        self.counters.wanted += 1;
        if self.searches.contains_key(&address) {
            self.counters.joined += 1;
            return;
        }
        if !afresh && let Some(found) = self.cache.find(now, address) {
            self.counters.remembered += 1;
            self.told.push_back(Output::Tell(address, found.clone()));
            return;
        }
        if self.searches.len() >= JOBS_MAX {
            self.counters.shed += 1;
            self.told.push_back(Output::Tell(address, Found::Unknown));
            return;
        }
        // The servers take turns, so that none has all the work and a second answer comes from another.
        let server = self.next_id as usize % self.settings.servers;
        let job = Job::new(address, server, self.settings.servers);
        self.searches.insert(address, Search { job, doing: Doing::Ready });
        self.ready.push_back(address);
    }

    /// The question of this search is no longer open.
    fn answered(&mut self, now: Timestamp, address: Address, answer: Answer) {
        let Some(search) = self.searches.get_mut(&address) else { return };
        if let Doing::Asked(_, due) = search.doing {
            self.deadlines.remove(&(due, address));
        }
        if answer == Answer::Failed {
            self.counters.unanswered += 1;
        }
        match search.job.answered(now, answer) {
            Step::Ask(at) if at <= now => {
                search.doing = Doing::Ready;
                self.ready.push_back(address);
            }
            Step::Ask(at) => {
                search.doing = Doing::Waiting;
                self.deadlines.insert((at, address));
            }
            Step::Over(found, span) => self.over(address, found, now.plus(span)),
            Step::Failed => self.over(address, Found::Unknown, now.plus(FAILED_FOR)),
        }
    }

    fn over(&mut self, address: Address, found: Found, until: Timestamp) {
        match found {
            Found::Named { .. } => self.counters.named += 1,
            Found::NoName => self.counters.no_name += 1,
            Found::Unknown => self.counters.unknown += 1,
        }
        self.searches.remove(&address);
        self.cache.insert(until, address, found.clone());
        self.told.push_back(Output::Tell(address, found));
    }

    fn do_what_is_due(&mut self, now: Timestamp) {
        while let Some((due, address)) = self.deadlines.first().copied().filter(|(due, _)| *due <= now) {
            self.deadlines.remove(&(due, address));
            let Some(search) = self.searches.get_mut(&address) else { continue };
            match search.doing {
                Doing::Asked(id, _) => {
                    self.open.remove(&id);
                    self.answered(now, address, Answer::Failed);
                }
                Doing::Waiting => {
                    search.doing = Doing::Ready;
                    self.ready.push_back(address);
                }
                Doing::Ready => {}
            }
        }
    }

    /// What must hold after every call.
    fn check(&self) {
        debug_assert!(self.open.len() <= self.settings.in_flight_max, "too many questions are open");
        debug_assert!(self.searches.len() <= JOBS_MAX, "too many searches run");
        debug_assert_eq!(
            self.searches.len(),
            self.ready.len() + self.deadlines.len(),
            "each search is either ready or has a moment that it waits for"
        );
    }
}

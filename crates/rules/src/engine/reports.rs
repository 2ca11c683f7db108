//! What others report: from a report to attempts that count, as far as its reporter's word goes.

use base::{Address, EventKind, ListId, Maker, Network, Reporter, Timestamp};

use super::count::{Attempt, Mode, Word};
use super::observe::is_good;
use super::{AddressShard, Engine, Placed, SHARDS, hold};
use crate::reporters::{CASES_MAX, Doubt, Freed, Gain, Report, Standing, VoiceId};
use crate::sessions::News;
use crate::settings::{Effect, Trigger};

/// So many different logins that succeeded from an address lately show that it is good, against whoever reports it.
const REFUTED_BY_USERS: u16 = 2;

/// A reporter who named a canary.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exposed {
    /// Who.
    pub reporter: Box<str>,
    /// What he named.
    pub canary: Address,
}

impl Engine {
    /// What a report of that reporter counts now, in hundredths of an event that was seen here; none if he may not report.
    pub fn weight_of(&self, reporter: &str) -> Option<u8> {
        let voices = hold(&self.voices);
        voices.find(reporter).map(|voice| voices.weight(voice))
    }

    /// A reporter sends something, from that address if it is known whose it is.
    pub fn heard_from(&self, now: Timestamp, reporter: &str, from: Option<Address>) {
        let mut voices = hold(&self.voices);
        if let Some(voice) = voices.find(reporter) {
            let around = |from: Address| {
                let length = if from.ip().is_ipv4() { 24 } else { 48 };
                Network::containing(from, length)
            };
            voices.heard(now, voice, from.map(around));
        }
    }

    /// The reporters and what each weighs, in the order of the settings.
    pub fn standings(&self) -> Vec<(Standing, u8)> {
        hold(&self.voices).standings().map(|(standing, weight)| (standing.clone(), weight)).collect()
    }

    /// Puts back what became of the reporters before a restart; to be called before events are replayed.
    pub fn restore_standings(&self, now: Timestamp, kept: impl IntoIterator<Item = Standing>) {
        hold(&self.voices).restore(now, kept);
    }

    /// What became of reporters since the last call, to be kept.
    pub fn unsaved_standings(&self) -> Vec<Standing> {
        hold(&self.voices).unsaved()
    }

    /// A person trusts a reporter again, as much as the settings say. Whether there is such a reporter.
    pub fn trust_again(&self, now: Timestamp, reporter: &str) -> bool {
        let mut voices = hold(&self.voices);
        let voice = voices.find(reporter);
        if let Some(voice) = voice {
            voices.reset(now, voice);
        }
        voice.is_some()
    }

    /// A reporter who has just named a canary; each once.
    pub fn poll_exposed(&self) -> Option<Exposed> {
        hold(&self.exposed).pop()
    }

    /// A person took the address off the lists: whoever reported it was wrong, and it begins anew.
    pub fn reports_refuted(&self, now: Timestamp, network: Network) {
        let party = Address::new(network.base()).aggregate();
        if network.length() < party.length() {
            return;
        }
        let key = self.keys.network(party);
        let wrong = self.address_shard(key).cases.close(key);
        let mut voices = hold(&self.voices);
        for voice in wrong {
            voices.doubt(now, voice, Doubt::Unlisted);
        }
    }

    /// Takes from an address what nothing holds any more since a reporter is exposed. `reporters` are those of all events
    /// about it that are known, none for one that was seen here. Returns how many listings by rules ended.
    pub fn drop_unheld<'r>(
        &self,
        now: Timestamp,
        party: Network,
        reporters: impl IntoIterator<Item = Option<&'r str>>,
        by: &str,
    ) -> usize {
        let (mut is_seen_here, mut others) = (false, Vec::new());
        let is_backed = {
            let voices = hold(&self.voices);
            for reporter in reporters {
                match reporter.map(|name| voices.find(name)) {
                    None => is_seen_here = true,
                    Some(Some(voice)) if voices.weight(voice) > 0 && voices.is_self(voice) => is_seen_here = true,
                    Some(Some(voice)) if voices.weight(voice) > 0 => others.push(voice),
                    Some(Some(_) | None) => {}
                }
            }
            others.sort_unstable();
            others.dedup();
            is_seen_here || voices.suffice(others.iter().copied(), false)
        };
        let holds = |list: ListId| if list == ListId::BLOCKED { is_seen_here || !others.is_empty() } else { is_backed };
        let about = self.book.about(&party.into()).into_iter();
        let gone = about.filter(|listing| {
            listing.subject == party.into() && matches!(listing.maker, Maker::Rule(_)) && !holds(listing.list)
        });
        gone.map(|listing| self.book.unlist(now, &party.into(), Some(listing.list), by).len()).sum()
    }

    /// What somebody else reports counts by address alone, and as much as his word weighs: the logins of his server are not
    /// those of this one, and no success of his makes an address known here. Whoever takes reports sees to it that each
    /// comes once. Returns how many attempts that made.
    pub(super) fn take_report(
        &self,
        now: Timestamp,
        kind: EventKind,
        reporter: Reporter<'_>,
        attempt: &Attempt<'_>,
    ) -> u16 {
        let Some(place) = attempt.address.filter(|_| !is_good(kind)) else { return 0 };
        let (voice, is_self) = {
            let mut voices = hold(&self.voices);
            let Some(voice) = voices.find(reporter.name) else { return 0 };
            if attempt.mode == Mode::Live && self.settings.canaries.iter().any(|canary| canary.contains(place.address))
            {
                if voices.expose(now, voice, place.address) {
                    drop(voices);
                    self.strike(voice, reporter.name, place.address);
                }
                return 0;
            }
            if voices.is_void(voice, attempt.at) || reporter.weight == 0 || voices.weight(voice) == 0 {
                return 0;
            }
            (voice, voices.is_self(voice))
        };
        if is_self {
            self.confirm_reports(now, kind, attempt);
        }
        let report = Report { voice, kind, at: attempt.at, weight: reporter.weight };
        let (heard, is_home) = {
            let mut shard = self.address_shard(place.key);
            let is_seen_here = is_self || self.is_counted(&shard, place, attempt.at);
            // One login alone proves nothing: whoever wants others doubted could log in himself from where he spams.
            let is_home = shard.homes.seen(place.key, attempt.at).users >= REFUTED_BY_USERS;
            let voices = hold(&self.voices);
            (shard.cases.report(place.key, &report, &voices, CASES_MAX / SHARDS, || is_seen_here), is_home)
        };
        if heard.is_first && attempt.mode == Mode::Live && !is_self {
            let doubt =
                if place.is_never_listed { Some(Doubt::NeverListed) } else { is_home.then_some(Doubt::KnownGood) };
            if let Some(doubt) = doubt {
                hold(&self.voices).doubt(now, voice, doubt);
            }
        }
        self.count_freed(now, attempt, heard.freed.unwrap_or_default(), Gain::Agreed);
        let word = if is_self || heard.is_backed { Word::Backed } else { Word::Alone };
        let attempt = Attempt { login: None, password: None, word, ..*attempt };
        self.count_news(now, &attempt, News::Attempts(u16::from(heard.is_whole)))
    }

    /// Something bad was seen here: that is one witness more, and whoever reported the address before was right.
    pub(super) fn confirm_reports(&self, now: Timestamp, kind: EventKind, attempt: &Attempt<'_>) {
        let Some(place) = attempt.address.filter(|_| !is_good(kind) && !self.settings.reporters.is_empty()) else {
            return;
        };
        let freed = {
            let mut shard = self.address_shard(place.key);
            if shard.cases.len() == 0 {
                return;
            }
            let voices = hold(&self.voices);
            shard.cases.seen_here(place.key, attempt.at, &voices)
        };
        self.count_freed(now, attempt, freed.unwrap_or_default(), Gain::SeenHere);
    }

    /// Counts for published lists what had to wait for witnesses.
    fn count_freed(&self, now: Timestamp, attempt: &Attempt<'_>, freed: Freed, gain: Gain) {
        if attempt.mode == Mode::Live && !freed.right.is_empty() {
            let mut voices = hold(&self.voices);
            for voice in freed.right {
                voices.gain(now, voice, gain);
            }
        }
        for (kind, at) in freed.pent {
            let (trigger, word) = (Trigger::Event(kind), Word::Late);
            self.count(now, &Attempt { trigger, at, login: None, password: None, word, ..*attempt });
        }
    }

    /// Whether rules for published lists have counted anything of the address: nothing gets there without witnesses.
    fn is_counted(&self, shard: &AddressShard, place: Placed, at: Timestamp) -> bool {
        let groups = self.plan.addresses.groups.iter().zip(&shard.tables);
        groups.into_iter().any(|(group, table)| {
            let lists = group.rules.iter().filter(|rule| matches!(rule.effect, Effect::List { .. }));
            lists.into_iter().any(|rule| table.filled(place.key, rule.section, at).is_some())
        })
    }

    /// Nothing that he reported counts any more.
    fn strike(&self, voice: VoiceId, reporter: &str, canary: Address) {
        for shard in &self.addresses {
            let mut shard = hold(shard);
            let voices = hold(&self.voices);
            shard.cases.strike(voice, &voices);
        }
        hold(&self.exposed).push(Exposed { reporter: reporter.into(), canary });
    }
}

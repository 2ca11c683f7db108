//! What was reported about addresses: by whom, how much, and whether that is enough for a published list.

use core::time::Duration;
use std::collections::{HashMap, HashSet, VecDeque};

use base::{EventKind, Timestamp};

use super::{VoiceId, Voices};
use crate::Key;

/// Hundredths of which an attempt is made.
const WHOLE: u8 = 100;
/// For how long after the last report a case is remembered: as long as a report may be late.
pub const CASE_KEPT_FOR: Duration = Duration::from_hours(48);
/// Addresses with a case. Beyond, the older half of those that the busiest reporter brought up is forgotten: reports then
/// count less, never more.
pub const CASES_MAX: usize = 262_144;
/// Reporters who are told apart about one address: more than a list ever wants.
const CLAIMANTS_MAX: usize = 16;
/// Attempts that wait for witnesses; of more, the oldest are forgotten.
const PENT_MAX: usize = 64;

/// A report on its way to the rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) voice: VoiceId,
    pub(crate) kind: EventKind,
    pub(crate) at: Timestamp,
    /// What it counts, in hundredths of an attempt.
    pub(crate) weight: u8,
}

/// What a report came to.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Heard {
    /// It is the first by this reporter about this address.
    pub(crate) is_first: bool,
    /// It makes an attempt whole.
    pub(crate) is_whole: bool,
    /// Whether witnesses enough stand behind the case.
    pub(crate) is_backed: bool,
    /// They have just become enough.
    pub(crate) freed: Option<Freed>,
}

/// What witnesses have set free.
#[derive(PartialEq, Eq, Debug, Default)]
pub(crate) struct Freed {
    /// Who had said so before it was known.
    pub(crate) right: Vec<VoiceId>,
    /// The attempts that waited.
    pub(crate) pent: Vec<(EventKind, Timestamp)>,
}

/// One address.
#[derive(Debug, Default)]
struct Case {
    last: Timestamp,
    /// Hundredths of the next attempt.
    part: u8,
    /// Who reported it, and whether there is nothing more to earn by that.
    claimants: Vec<(VoiceId, bool)>,
    pent: VecDeque<(EventKind, Timestamp)>,
    is_seen_here: bool,
    is_backed: bool,
}

impl Case {
    /// Looks whether the witnesses are enough now.
    fn weigh(&mut self, voices: &Voices) -> Option<Freed> {
        let was_backed = self.is_backed;
        self.is_backed = voices.suffice(self.claimants.iter().map(|(voice, _)| *voice), self.is_seen_here);
        (self.is_backed && !was_backed).then(|| Freed { right: self.settle(), pent: self.pent.drain(..).collect() })
    }

    /// Those who still have something to earn; then they have not.
    fn settle(&mut self) -> Vec<VoiceId> {
        let open =
            |(voice, is_settled): &mut (VoiceId, bool)| (!core::mem::replace(is_settled, true)).then_some(*voice);
        self.claimants.iter_mut().filter_map(open).collect()
    }
}

/// The cases of one shard.
#[derive(Debug, Default)]
pub(crate) struct Cases {
    cases: HashMap<Key, Case>,
    /// Who brought which up, in the order of time.
    brought: HashMap<VoiceId, VecDeque<Key>>,
}

impl Cases {
    /// Takes a report. `is_seen_here` says whether rules for published lists have counted something of that address.
    pub(crate) fn report(
        &mut self,
        address: Key,
        report: &Report,
        voices: &Voices,
        limit: usize,
        is_seen_here: impl FnOnce() -> bool,
    ) -> Heard {
        let Report { voice, kind, at, weight } = *report;
        if self.cases.get(&address).is_none_or(|case| at.since(case.last) > CASE_KEPT_FOR) {
            self.make_room(voice, at, limit);
            let is_seen_here = is_seen_here();
            self.cases.insert(address, Case { is_seen_here, last: at, ..Case::default() });
            self.brought.entry(voice).or_default().push_back(address);
        }
        let case = self.cases.entry(address).or_default();
        case.last = case.last.max(at);
        let is_first = !case.claimants.iter().any(|(known, _)| *known == voice);
        if is_first && case.claimants.len() < CLAIMANTS_MAX {
            // Nothing is earned by saying what everybody can see.
            case.claimants.push((voice, case.is_seen_here || case.is_backed));
        }
        let sum = case.part + weight.min(WHOLE);
        let is_whole = sum >= WHOLE;
        case.part = if is_whole { sum - WHOLE } else { sum };
        let freed = case.weigh(voices);
        if is_whole && !case.is_backed {
            if case.pent.len() >= PENT_MAX {
                case.pent.pop_front();
            }
            case.pent.push_back((kind, at));
        }
        Heard { is_first, is_whole, is_backed: case.is_backed, freed }
    }

    /// Something bad was seen here of that address: whoever reported it before was right.
    pub(crate) fn seen_here(&mut self, address: Key, at: Timestamp, voices: &Voices) -> Option<Freed> {
        let case = self.cases.get_mut(&address)?;
        if case.is_seen_here || at.since(case.last) > CASE_KEPT_FOR {
            return None;
        }
        case.is_seen_here = true;
        let right = case.settle();
        let pent = case.weigh(voices).map_or_else(Vec::new, |freed| freed.pent);
        Some(Freed { right, pent })
    }

    /// The address is to be left alone; who had reported it.
    pub(crate) fn close(&mut self, address: Key) -> Vec<VoiceId> {
        let case = self.cases.remove(&address);
        case.map_or_else(Vec::new, |case| case.claimants.into_iter().map(|(voice, _)| voice).collect())
    }

    /// Nothing that he said counts any more.
    pub(crate) fn strike(&mut self, voice: VoiceId, voices: &Voices) {
        for case in self.cases.values_mut() {
            case.claimants.retain(|(claimant, _)| *claimant != voice);
            case.weigh(voices);
        }
        self.cases.retain(|_, case| !case.claimants.is_empty());
        self.brought.remove(&voice);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.cases.len()
    }

    /// Forgets what is over of this reporter's, and the older half of the busiest one's if there is no room.
    fn make_room(&mut self, voice: VoiceId, at: Timestamp, limit: usize) {
        let Self { cases, brought } = self;
        let is_over = |key: &Key| cases.get(key).is_none_or(|case| at.since(case.last) > CASE_KEPT_FOR);
        let own = brought.entry(voice).or_default();
        let over = own.iter().take_while(|key| is_over(key)).count();
        for key in own.drain(..over) {
            cases.remove(&key);
        }
        if cases.len() < limit {
            return;
        }
        if let Some(busiest) = brought.values_mut().max_by_key(|keys| keys.len()) {
            for key in busiest.drain(..busiest.len().div_ceil(2)) {
                cases.remove(&key);
            }
        }
        if cases.len() >= limit {
            // What has lost whoever brought it up.
            let kept: HashSet<Key> = brought.values().flatten().copied().collect();
            cases.retain(|key, _| kept.contains(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keys;
    use crate::reporters::Voice;

    const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

    fn voices(count: usize) -> Voices {
        let voice = |at: usize| Voice { name: format!("r{at}").into(), owner: format!("r{at}").into(), weight: 50 };
        let mut voices = Voices::new(&(0..count).map(voice).collect::<Vec<_>>());
        voices.restore(NOW, []);
        voices
    }

    fn report(voices: &Voices, who: usize, seconds: u64, weight: u8) -> Report {
        let voice = voices.find(&format!("r{who}")).unwrap();
        Report { voice, kind: EventKind::SpamSeen, at: NOW.plus(Duration::from_secs(seconds)), weight }
    }

    #[test]
    fn so_many_reports_make_an_attempt() {
        let (voices, address) = (voices(1), Keys::new([7; 16]).number(1));
        for (weight, wanted) in
            [(100, "11111"), (50, "01010"), (34, "00100"), (1, "00000"), (99, "01111"), (0, "00000")]
        {
            let mut cases = Cases::default();
            let mut whole = |i| cases.report(address, &report(&voices, 0, i, weight), &voices, 9, || false).is_whole;
            let told: String = (0..5).map(|i| if whole(i) { '1' } else { '0' }).collect();
            assert_eq!(told, wanted, "weight {weight}");
        }
    }

    #[test]
    fn witnesses_free_what_waited_and_those_who_were_right_are_named_once() {
        let (voices, address) = (voices(3), Keys::new([7; 16]).number(1));
        let mut cases = Cases::default();
        let mut tell = |who, at| cases.report(address, &report(&voices, who, at, 100), &voices, 9, || false);
        assert_eq!(tell(0, 0), Heard { is_first: true, is_whole: true, is_backed: false, freed: None });
        assert_eq!(tell(0, 1), Heard { is_first: false, is_whole: true, is_backed: false, freed: None });
        let heard = tell(1, 2);
        let freed = heard.freed.unwrap();
        assert!(heard.is_backed && freed.right.len() == 2 && freed.pent.len() == 2);
        assert_eq!(tell(2, 3), Heard { is_first: true, is_whole: true, is_backed: true, freed: None });
        let seen = cases.seen_here(address, NOW.plus(Duration::from_secs(4)), &voices).unwrap();
        assert_eq!(seen, Freed::default(), "who said what was known earns nothing");
        assert_eq!(cases.close(address).len(), 3);
    }

    #[test]
    fn a_case_is_forgotten_and_a_flood_presses_out_its_own() {
        let (voices, keys) = (voices(2), Keys::new([7; 16]));
        let mut cases = Cases::default();
        let honest = keys.number(0);
        cases.report(honest, &report(&voices, 0, 0, 50), &voices, 100, || false);
        for number in 1..10_000 {
            cases.report(keys.number(number), &report(&voices, 1, number, 50), &voices, 100, || false);
            assert!(cases.len() <= 100);
        }
        assert!(cases.report(honest, &report(&voices, 0, 10_000, 50), &voices, 100, || false).is_whole, "still known");
        let later = 10_000 + CASE_KEPT_FOR.as_secs() + 1;
        cases.report(honest, &report(&voices, 0, 10_000, 50), &voices, 100, || false);
        let heard = cases.report(honest, &report(&voices, 0, later, 50), &voices, 100, || false);
        assert!(heard.is_first && !heard.is_whole, "parts of days ago are none of today's");
    }
}

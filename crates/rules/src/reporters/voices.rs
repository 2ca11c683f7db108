//! The reporters, and what the word of each is worth.

use core::time::Duration;
use std::collections::HashMap;

use base::{Address, Network, Timestamp};

/// The owner whose reports are evidence of one's own: other servers of the same house.
pub const OWNER_SELF: &str = "self";
/// Fewest witnesses that a published list wants.
pub const WITNESSES_MIN: usize = 2;
/// Most that it wants, however many report.
pub const WITNESSES_MAX: usize = 5;
/// What a reporter must weigh at least to be a witness, in hundredths.
pub const WITNESS_WEIGHT_MIN: u8 = 10;
/// What the witnesses must weigh together: as much as one event that was seen here.
const WITNESSES_WEIGHT: u32 = 100;
/// Whoever reported nothing for so long is not counted among those who report.
pub const ACTIVE_FOR: Duration = Duration::from_hours(90 * 24);
/// A reporter's weight rises by so much a day at most: trust that is earned slowly cannot be bought by a flood.
pub const RISE_A_DAY: u8 = 5;
/// And falls by so much a day at most, unless he names a canary: nobody can silence him overnight.
pub const FALL_A_DAY: u8 = 10;
/// Heaviest that a reporter gets: as much as a log line of one's own.
const WEIGHT_MAX: i16 = 100;
/// How long the number of parties is taken as it was.
const RECOUNTED_EVERY: Duration = Duration::from_mins(1);

const DAY_MILLIS: u64 = 86_400_000;

/// A reporter as the configuration has him.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Voice {
    /// His name, as it stands in events.
    pub name: Box<str>,
    /// To whom he belongs; all of one owner are one witness. [`OWNER_SELF`] is this house.
    pub owner: Box<str>,
    /// What a report of his counts at first, in hundredths of an event that was seen here.
    pub weight: u8,
}

/// What became of a reporter's word: to be kept over restarts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// His name.
    pub reporter: Box<str>,
    /// Hundredths that his weight has risen above what is configured, or fallen below.
    pub earned: i16,
    /// The last day on which it rose, since the epoch, and by how much it did on that day.
    pub risen: (u32, u8),
    /// Addresses that he reported before they were seen here, or before enough others reported them.
    pub confirmed: u64,
    /// Addresses that he should not have reported: never listed, known good, or taken off a list by a person.
    pub doubted: u64,
    /// When he last reported; for one who never did, since when he might.
    pub last: Timestamp,
    /// The network that his reports came from last.
    pub network: Option<Network>,
    /// When he reported a canary, and which. His word weighs nothing until a person says otherwise.
    pub exposed: Option<(Timestamp, Address)>,
    /// What he reported up to this moment does not count any more.
    pub void_until: Timestamp,
}

/// Why a weight rises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gain {
    /// What he reported was then seen here.
    SeenHere,
    /// So many others reported the same that it is taken for true.
    Agreed,
}

/// Why a weight falls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Doubt {
    /// The owners of several logins are at home at the address.
    KnownGood,
    /// The address is on the never-list.
    NeverListed,
    /// A person took the address off the lists.
    Unlisted,
}

/// A reporter by his place in the configuration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct VoiceId(u32);

/// A reporter with all that is known of him.
#[derive(Debug)]
struct Known {
    /// The first reporter with the same owner.
    owner: usize,
    is_self: bool,
    weight: u8,
    standing: Standing,
    /// The last day on which his weight fell, since the epoch, and by how much it did on that day.
    fallen: (u32, u8),
    is_unsaved: bool,
}

impl Known {
    fn weight(&self) -> u8 {
        if self.standing.exposed.is_some() {
            return 0;
        }
        u8::try_from((i16::from(self.weight) + self.standing.earned).clamp(0, WEIGHT_MAX)).unwrap_or(0)
    }

    fn is_witness(&self) -> bool {
        self.weight() >= WITNESS_WEIGHT_MIN
    }
}

/// All reporters.
#[derive(Debug)]
pub(crate) struct Voices {
    known: Vec<Known>,
    names: HashMap<Box<str>, VoiceId>,
    /// How many witnesses are wanted, and when that was counted.
    wanted: (Timestamp, usize),
}

impl Voices {
    pub(crate) fn new(voices: &[Voice]) -> Self {
        let mut owners: HashMap<&str, usize> = HashMap::new();
        let known = voices.iter().enumerate().map(|(at, voice)| Known {
            owner: *owners.entry(&voice.owner).or_insert(at),
            is_self: &*voice.owner == OWNER_SELF,
            weight: voice.weight,
            standing: Standing { reporter: voice.name.clone(), ..Standing::default() },
            fallen: (0, 0),
            is_unsaved: false,
        });
        let names = (0..).map(VoiceId).zip(voices).map(|(id, voice)| (voice.name.clone(), id)).collect();
        Self { known: known.collect(), names, wanted: (Timestamp::EPOCH, WITNESSES_MIN) }
    }

    /// The reporter of that name; none if he may not report any more.
    pub(crate) fn find(&self, name: &str) -> Option<VoiceId> {
        self.names.get(name).copied()
    }

    /// What his word weighs now, in hundredths.
    pub(crate) fn weight(&self, voice: VoiceId) -> u8 {
        self.one(voice).weight()
    }

    /// Whether he belongs to this house.
    pub(crate) fn is_self(&self, voice: VoiceId) -> bool {
        self.one(voice).is_self
    }

    /// Whether what he reported at that moment counts no more.
    pub(crate) fn is_void(&self, voice: VoiceId, at: Timestamp) -> bool {
        at <= self.one(voice).standing.void_until
    }

    /// All of them with their weights, in the order of the configuration.
    pub(crate) fn standings(&self) -> impl Iterator<Item = (&Standing, u8)> {
        self.known.iter().map(|known| (&known.standing, known.weight()))
    }

    /// Puts back what was kept. Whoever is new may report from now on.
    pub(crate) fn restore(&mut self, now: Timestamp, kept: impl IntoIterator<Item = Standing>) {
        for standing in kept {
            if let Some(voice) = self.find(&standing.reporter) {
                self.known[voice.0 as usize].standing = standing;
            }
        }
        for known in self.known.iter_mut().filter(|known| known.standing.last == Timestamp::EPOCH) {
            (known.standing.last, known.is_unsaved) = (now, true);
        }
        self.recount(now);
    }

    /// What has changed since the last call.
    pub(crate) fn unsaved(&mut self) -> Vec<Standing> {
        let take = |known: &mut Known| core::mem::take(&mut known.is_unsaved).then(|| known.standing.clone());
        self.known.iter_mut().filter_map(take).collect()
    }

    /// He reports, from that network if it is known.
    pub(crate) fn heard(&mut self, now: Timestamp, voice: VoiceId, network: Option<Network>) {
        let known = &mut self.known[voice.0 as usize];
        // To the hour, so that a reporter who never rests is not written again and again.
        let is_news = now.since(known.standing.last) >= Duration::from_hours(1);
        if is_news || network.is_some() && network != known.standing.network {
            known.standing.network = network.or(known.standing.network);
            known.standing.last = now;
            known.is_unsaved = true;
        }
        if now.since(self.wanted.0) >= RECOUNTED_EVERY {
            self.recount(now);
        }
    }

    /// His word has proved true.
    pub(crate) fn gain(&mut self, at: Timestamp, voice: VoiceId, gain: Gain) {
        let day = day_of(at);
        let known = &mut self.known[voice.0 as usize];
        let room = WEIGHT_MAX - i16::from(known.weight);
        let standing = &mut known.standing;
        standing.confirmed += 1;
        known.is_unsaved = true;
        if standing.risen.0 != day {
            standing.risen = (day, 0);
        }
        let step: u8 = match gain {
            Gain::SeenHere => 2,
            Gain::Agreed => 1,
        };
        let step = step.min(RISE_A_DAY - standing.risen.1.min(RISE_A_DAY));
        standing.risen.1 += step;
        standing.earned = (standing.earned + i16::from(step)).min(room);
    }

    /// He said what he should not have said. A server of this house is told so, and weighs what it did: it is no stranger
    /// who may lie.
    pub(crate) fn doubt(&mut self, at: Timestamp, voice: VoiceId, doubt: Doubt) {
        let day = day_of(at);
        let known = &mut self.known[voice.0 as usize];
        known.standing.doubted += 1;
        known.is_unsaved = true;
        if known.is_self {
            return;
        }
        let step: u8 = match doubt {
            Doubt::KnownGood => 2,
            Doubt::NeverListed => 5,
            Doubt::Unlisted => 10,
        };
        if known.fallen.0 != day {
            known.fallen = (day, 0);
        }
        let step = step.min(FALL_A_DAY - known.fallen.1);
        known.fallen.1 += step;
        known.standing.earned = (known.standing.earned - i16::from(step)).max(-i16::from(known.weight));
    }

    /// He reported a canary: nothing of his counts any more. Whether that is news.
    pub(crate) fn expose(&mut self, now: Timestamp, voice: VoiceId, canary: Address) -> bool {
        let known = &mut self.known[voice.0 as usize];
        let is_news = known.standing.exposed.is_none();
        if is_news {
            known.standing.exposed = Some((now, canary));
            known.standing.void_until = now;
            known.is_unsaved = true;
            self.recount(now);
        }
        is_news
    }

    /// A person trusts him again, as much as is configured; what he reported before stays void.
    pub(crate) fn reset(&mut self, now: Timestamp, voice: VoiceId) {
        let known = &mut self.known[voice.0 as usize];
        known.standing.exposed = None;
        known.standing.earned = 0;
        known.is_unsaved = true;
        self.recount(now);
    }

    /// Whether these, and what was seen here, are witnesses enough for a published list.
    pub(crate) fn suffice(&self, voices: impl IntoIterator<Item = VoiceId>, is_seen_here: bool) -> bool {
        let witnesses = voices.into_iter().map(|voice| self.one(voice)).filter(|known| known.is_witness());
        let mut weights = parties(witnesses);
        weights.extend(is_seen_here.then_some(WEIGHT_MAX as u8));
        let weight: u32 = weights.iter().copied().map(u32::from).sum();
        weights.len() >= self.wanted.1 && weight >= WITNESSES_WEIGHT
    }

    fn recount(&mut self, now: Timestamp) {
        // Whose weight has fallen is counted all the same: to silence the others makes nobody a majority.
        let is_active = |known: &&Known| {
            known.standing.exposed.is_none()
                && known.weight >= WITNESS_WEIGHT_MIN
                && now.since(known.standing.last) <= ACTIVE_FOR
        };
        let parties = parties(self.known.iter().filter(is_active).filter(|known| !known.is_self)).len();
        self.wanted = (now, (parties / 2 + 1).clamp(WITNESSES_MIN, WITNESSES_MAX));
    }

    fn one(&self, voice: VoiceId) -> &Known {
        &self.known[voice.0 as usize]
    }
}

/// The weight of each party: reporters of one owner or from one network are one, and weigh as much as the heaviest of them.
fn parties<'k>(voices: impl Iterator<Item = &'k Known>) -> Vec<u8> {
    let (mut heads, mut weights): (Vec<usize>, Vec<u8>) = (Vec::new(), Vec::new());
    let (mut owners, mut networks) = (HashMap::new(), HashMap::new());
    for (at, known) in voices.enumerate() {
        heads.push(at);
        weights.push(known.weight());
        let by_owner = owners.insert(known.owner, at);
        let by_network = known.standing.network.and_then(|network| networks.insert(network, at));
        for relative in [by_owner, by_network].into_iter().flatten() {
            let (head, other) = (head_of(&heads, at), head_of(&heads, relative));
            heads[head] = other;
            weights[other] = weights[other].max(weights[head]);
        }
    }
    let is_head = |(at, weight): (usize, &u8)| (heads[at] == at).then_some(*weight);
    weights.iter().enumerate().filter_map(is_head).collect()
}

/// The day of a moment, since the epoch.
fn day_of(at: Timestamp) -> u32 {
    u32::try_from(at.as_millis() / DAY_MILLIS).unwrap_or(u32::MAX)
}

fn head_of(heads: &[usize], mut at: usize) -> usize {
    while heads[at] != at {
        at = heads[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

    /// Reporters from `name/owner:weight@network`, the owner and the network if there are any.
    fn voices(text: &str) -> Voices {
        let (mut all, mut from) = (Vec::new(), Vec::new());
        for one in text.split_whitespace() {
            let (one, network) = one.split_once('@').map_or((one, None), |(one, network)| (one, Some(network)));
            let (who, weight) = one.split_once(':').unwrap();
            let (name, owner) = who.split_once('/').unwrap_or((who, who));
            all.push(Voice { name: name.into(), owner: owner.into(), weight: weight.parse().unwrap() });
            from.push(network.map(|network| format!("{network}/24").parse::<Network>().unwrap()));
        }
        let mut voices = Voices::new(&all);
        voices.restore(NOW, []);
        for (at, network) in (0..).map(VoiceId).zip(from) {
            voices.heard(NOW, at, network);
        }
        voices.recount(NOW);
        voices
    }

    #[test]
    fn witnesses_have_nothing_to_do_with_one_another() {
        let cases = [
            ("two strangers", "a:50 b:50", "a b", false, true),
            ("one", "a:100 b:100", "a", false, false),
            ("one, and seen here", "a:50 b:50", "a", true, true),
            ("of one owner", "a/x:100 b/x:100 c:50", "a b", false, false),
            ("of one network", "a:100@192.0.2.0 b:100@192.0.2.0 c:50", "a b", false, false),
            ("by way of a third", "a/x:50 b/x:50@192.0.2.0 c:50@192.0.2.0 d:50", "a b c", false, false),
            ("too light", "a:30 b:30", "a b", false, false),
            ("light, but three", "a:40 b:40 c:40", "a b c", false, true),
            ("no witness at all", "a:100 b:9 c:100", "a b", false, false),
            ("no majority", "a:100 b:100 c:100 d:100", "a b", false, false),
            ("a majority", "a:100 b:100 c:100 d:100", "a b c", false, true),
            ("three of ten", "a:99 b:99 c:99 d:50 e:50 f:50 g:50 h:50 i:50 j:50", "a b c", false, false),
            ("four of ten", "a:99 b:99 c:99 d:50 e:50 f:50 g:50 h:50 i:50 j:50", "a b c d", false, false),
            ("five of ten", "a:99 b:99 c:99 d:50 e:50 f:50 g:50 h:50 i:50 j:50", "a b c d e", false, true),
        ];
        for (what, all, named, is_seen_here, wanted) in cases {
            let voices = voices(all);
            let named = named.split(' ').map(|name| voices.find(name).unwrap());
            assert_eq!(voices.suffice(named, is_seen_here), wanted, "{what}");
        }
    }

    #[test]
    fn weights_rise_slowly_and_fall_somewhat_faster() {
        let mut voices = voices("a:50");
        let a = VoiceId(0);
        let mut weights = Vec::new();
        for day in 0..12 {
            for _ in 0..100 {
                voices.gain(NOW.plus(Duration::from_hours(24 * day)), a, Gain::SeenHere);
            }
            weights.push(voices.weight(a));
        }
        assert_eq!(weights, [55, 60, 65, 70, 75, 80, 85, 90, 95, 100, 100, 100]);
        voices.doubt(NOW, a, Doubt::NeverListed);
        voices.doubt(NOW, a, Doubt::KnownGood);
        assert_eq!(voices.weight(a), 93);
        let mut weights = Vec::new();
        for day in 0..11 {
            for _ in 0..50 {
                voices.doubt(NOW.plus(Duration::from_hours(24 * day)), a, Doubt::Unlisted);
            }
            weights.push(voices.weight(a));
        }
        assert_eq!(weights, [90, 80, 70, 60, 50, 40, 30, 20, 10, 0, 0]);
        voices.reset(NOW, a);
        assert_eq!(voices.weight(a), 50);
    }

    #[test]
    fn the_silenced_and_the_silent_are_counted_for_the_majority() {
        let mut voices = voices("a:50 b:50 c:50 d:50 e:50 f:50");
        for (day, voice) in (0..9).flat_map(|day| (2..6).map(move |voice| (day, VoiceId(voice)))) {
            voices.doubt(NOW.plus(Duration::from_hours(24 * day)), voice, Doubt::Unlisted);
        }
        assert_eq!(voices.weight(VoiceId(5)), 0);
        let later = |days: u64| NOW.plus(Duration::from_hours(24 * days));
        voices.recount(later(80));
        assert!(!voices.suffice([VoiceId(0), VoiceId(1)], false), "two of six");
        for voice in 0..2 {
            voices.heard(later(91), VoiceId(voice), None);
        }
        voices.recount(later(91));
        assert!(voices.suffice([VoiceId(0), VoiceId(1)], false), "the others have gone");
    }

    #[test]
    fn nobody_silences_a_server_of_this_house() {
        let mut voices = voices("mx2/self:50");
        (0..60).for_each(|day| voices.doubt(NOW.plus(Duration::from_hours(24 * day)), VoiceId(0), Doubt::Unlisted));
        assert_eq!((voices.weight(VoiceId(0)), voices.standings().next().unwrap().0.doubted), (50, 60));
    }

    #[test]
    fn what_was_kept_comes_back() {
        let mut before = voices("a:50 b:50");
        let canary = "198.51.100.9".parse().unwrap();
        assert!(before.expose(NOW, VoiceId(1), canary) && !before.expose(NOW, VoiceId(1), canary));
        before.gain(NOW, VoiceId(0), Gain::Agreed);
        let kept = before.unsaved();
        assert_eq!((kept.len(), before.unsaved().len()), (2, 0));
        let mut after = voices("b:50 a:50");
        after.restore(NOW, kept);
        assert_eq!(after.standings().map(|(_, weight)| weight).collect::<Vec<_>>(), [0, 51]);
        after.reset(NOW, VoiceId(0));
        assert!(after.is_void(VoiceId(0), NOW) && !after.is_void(VoiceId(0), NOW.plus(Duration::from_millis(1))));
    }
}

//! One account: where its owner is at home, whom he writes to, and what does not fit to that.

use core::time::Duration;

use base::Timestamp;

use super::known::Known;

/// Places that are known of one account; the one that was used longest ago gives way.
const PLACES_MAX: usize = 8;
/// So long after it was first seen a place is home, if it was used in between as its owner does.
const HOME_AFTER: Duration = Duration::from_hours(7 * 24);
/// A place that was not used for so long is none any more.
const PLACE_FOR: Duration = Duration::from_hours(90 * 24);
/// Before an account was used for so long and so much nothing about it is strange.
const GROWN_UP_AFTER: Duration = Duration::from_hours(7 * 24);
const GROWN_UP_RECIPIENTS: u32 = 20;
/// After this time half of a suspicion is left.
const HALF_LIFE: Duration = Duration::from_hours(24);
/// Within this time strange places add up.
const MOVING: Duration = Duration::from_hours(24);
/// More of them than a traveller with a new phone has.
const TRAVELS_MAX: usize = 3;
/// Within this time new recipients are a burst.
const BURST: Duration = Duration::from_mins(15);
/// More of them than people write to in that time.
const BURST_FROM: f32 = 3.0;
/// What the first recipients of one message can add: a person who writes to a group is no robot yet.
const MESSAGE_MAX: f32 = 5.0;
/// How many those are. A group of strangers is not larger.
const GROUP_MAX: u32 = 12;
/// What somebody whom the owner knows takes off.
const FRIEND: f32 = 0.5;
/// Strangers who are remembered until their message has gone out.
const ASKED_MAX: usize = 16;

/// A sign that an account is used by somebody else, with its weight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Sign {
    /// A recipient to whom the account never wrote, from a place that is not its home.
    NewRecipient,
    /// At a domain to which it never wrote.
    NewDomain,
    /// Many of them in a short time.
    Burst,
    /// One strange network after the other.
    Moving,
    /// A recipient that does not exist, or that a server refused.
    Refused,
    /// A message that came back.
    Bounced,
    /// At an hour at which the account is not used.
    OddHour,
}

impl Sign {
    /// All, in the order of the enum.
    pub const ALL: [Self; 7] =
        [Self::NewRecipient, Self::NewDomain, Self::Burst, Self::Moving, Self::Refused, Self::Bounced, Self::OddHour];

    /// What it is called, after a number of points.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NewRecipient => "new recipients",
            Self::NewDomain => "new domains of recipients",
            Self::Burst => "many new recipients in minutes",
            Self::Moving => "one strange network after the other",
            Self::Refused => "refused recipients",
            Self::Bounced => "messages that came back",
            Self::OddHour => "unusual hours",
        }
    }
}

/// How many signs there are.
pub(super) const SIGNS: usize = Sign::ALL.len();

/// Where an account is used from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Place {
    /// Zero if there is none.
    pub(super) network: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

/// What is known of an account. It takes at most some nine kilobytes, and two for most people.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Account {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) recipients: u32,
    pub(super) known: Known,
    pub(super) domains: Known,
    pub(super) places: [Place; PLACES_MAX],
    /// How much it is used at each hour of the day, the newest weighing most.
    pub(super) hours: [u8; 24],
    /// Points by sign, as of `last`.
    pub(super) points: [f32; SIGNS],
    /// New recipients from strange places lately, leaking within [`BURST`].
    burst: f32,
    /// The message that is being sent: its name, what it has added, and how many new recipients it has.
    message: (u64, f32, u32),
    /// Strangers lately asked for from strange places; one that is zero is free.
    asked: [Deed; ASKED_MAX],
    asked_next: usize,
}

/// Something that an account does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Deed {
    /// The network it comes from, wide enough that a phone does not leave it each minute.
    pub(super) network: u64,
    pub(super) recipient: u64,
    pub(super) domain: u64,
    /// The message it belongs to.
    pub(super) message: u64,
}

impl Account {
    pub(super) fn new(at: Timestamp) -> Self {
        Self {
            first: at,
            last: at,
            recipients: 0,
            known: Known::default(),
            domains: Known::default(),
            places: [Place::default(); PLACES_MAX],
            hours: [0; 24],
            points: [0.0; SIGNS],
            burst: 0.0,
            message: (0, 0.0, 0),
            asked: [Deed::default(); ASKED_MAX],
            asked_next: 0,
        }
    }

    /// All points as of `at`.
    pub(super) fn score(&self, at: Timestamp) -> f32 {
        self.points.iter().sum::<f32>() * decay(at.since(self.last), HALF_LIFE)
    }

    /// Points by sign as of `at`.
    pub(super) fn points(&self, at: Timestamp) -> [f32; SIGNS] {
        let left = decay(at.since(self.last), HALF_LIFE);
        self.points.map(|points| points * left)
    }

    /// A person has looked at it: nothing is suspicious any more.
    pub(super) fn forgive(&mut self) {
        self.points = [0.0; SIGNS];
        self.burst = 0.0;
        self.message = (0, 0.0, 0);
    }

    /// It asks to send to a recipient. Whom it writes to from home is known from then on; a stranger from elsewhere is not
    /// before the message has gone out ([`Account::sent`]), and asking for the same one again adds nothing.
    pub(super) fn asks(&mut self, at: Timestamp, deed: &Deed) {
        self.move_on(at);
        let is_home = self.visit(at, deed.network);
        if !self.is_grown_up(at) || is_home {
            self.learn(at, deed.recipient, deed.domain);
        } else if self.known.contains(deed.recipient) {
            // Whom the owner knows the owner writes to: that speaks for him, wherever he is.
            for sign in [Sign::NewRecipient, Sign::Moving] {
                let points = &mut self.points[sign as usize];
                *points = (*points - FRIEND).max(0.0);
            }
        } else if let Some(asked) = self.asked.iter_mut().find(|asked| asked.recipient == deed.recipient) {
            asked.message = deed.message;
        } else {
            self.suspect(at, deed);
            self.asked[self.asked_next] = *deed;
            self.asked_next = (self.asked_next + 1) % ASKED_MAX;
        }
    }

    /// The points of a new recipient from a strange place.
    fn suspect(&mut self, at: Timestamp, deed: &Deed) {
        let is_first = self.message.0 != deed.message;
        let (before, count) = if is_first { (0.0, 1) } else { (self.message.1, self.message.2 + 1) };
        self.burst += 1.0;
        let is_moving = is_first && self.strange_places(at) > TRAVELS_MAX;
        let signs = [
            (Sign::NewRecipient, true, 1.0),
            (Sign::NewDomain, !self.domains.contains(deed.domain), 0.6),
            (Sign::Burst, self.burst > BURST_FROM, 1.0),
            (Sign::Moving, is_moving, 1.0),
            (Sign::OddHour, self.is_odd_hour(at), 0.1),
        ];
        let total: f32 = signs.iter().map(|(_, is_seen, points)| if *is_seen { *points } else { 0.0 }).sum();
        let room = if count <= GROUP_MAX { (MESSAGE_MAX - before).max(0.0) } else { total };
        let share = (room / total).min(1.0);
        self.message = (deed.message, before + total * share, count);
        for (sign, _, points) in signs.into_iter().filter(|(_, is_seen, _)| *is_seen) {
            self.points[sign as usize] += points * share;
        }
    }

    /// The message has gone out: those it went to are known from now on.
    pub(super) fn sent(&mut self, at: Timestamp, message: u64) {
        self.move_on(at);
        for number in 0..ASKED_MAX {
            if self.asked[number].message == message {
                let Deed { recipient, domain, .. } = core::mem::take(&mut self.asked[number]);
                self.learn(at, recipient, domain);
            }
        }
    }

    fn learn(&mut self, at: Timestamp, recipient: u64, domain: u64) {
        self.recipients = self.recipients.saturating_add(1);
        self.known.insert(recipient);
        self.domains.insert(domain);
        let hour = hour_of(at);
        if self.hours[hour] == u8::MAX {
            self.hours = self.hours.map(|count| count / 2);
        }
        self.hours[hour] += 1;
    }

    /// A recipient was refused, or a message came back. From home that is what old address books do.
    pub(super) fn failed(&mut self, at: Timestamp, sign: Sign, network: Option<u64>) {
        self.move_on(at);
        let is_home = network.is_none_or(|network| self.is_home(at, network));
        let weight = if sign == Sign::Bounced { 2.0 } else { 1.5 };
        // At home it is an old address book.
        let is_strange = self.is_grown_up(at) && !is_home;
        self.points[sign as usize] += if is_strange { weight } else { weight / 10.0 };
    }

    fn move_on(&mut self, at: Timestamp) {
        let passed = at.since(self.last);
        let left = decay(passed, HALF_LIFE);
        self.points = self.points.map(|points| points * left);
        self.burst = (self.burst - BURST_FROM * passed.as_secs_f32() / BURST.as_secs_f32()).max(0.0);
        self.last = self.last.max(at);
    }

    /// Takes note of a place; whether it is home.
    fn visit(&mut self, at: Timestamp, network: u64) -> bool {
        let is_home = self.is_home(at, network);
        // Until it is grown up, everything that it uses is its home.
        let first = if self.is_grown_up(at) { at } else { at.minus(HOME_AFTER) };
        let place = match self.places.iter().position(|place| place.network == network) {
            Some(place) => place,
            None => {
                let oldest = self.places.iter().enumerate().min_by_key(|(_, place)| place.last);
                let place = oldest.map_or(0, |(place, _)| place);
                self.places[place] = Place { network, first, last: at };
                place
            }
        };
        self.places[place].last = self.places[place].last.max(at);
        is_home
    }

    fn is_home(&self, at: Timestamp, network: u64) -> bool {
        let is_it = |place: &&Place| place.network == network && at.since(place.last) <= PLACE_FOR;
        self.places.iter().find(is_it).is_some_and(|place| at.since(place.first) >= HOME_AFTER)
    }

    /// How many places lately are not home.
    fn strange_places(&self, at: Timestamp) -> usize {
        let is_strange =
            |place: &&Place| place.network != 0 && at.since(place.last) <= MOVING && at.since(place.first) < HOME_AFTER;
        self.places.iter().filter(is_strange).count()
    }

    pub(super) fn is_grown_up(&self, at: Timestamp) -> bool {
        at.since(self.first) >= GROWN_UP_AFTER && self.recipients >= GROWN_UP_RECIPIENTS
    }

    fn is_odd_hour(&self, at: Timestamp) -> bool {
        let hour = hour_of(at);
        let around = [(hour + 23) % 24, hour, (hour + 1) % 24];
        around.iter().all(|hour| self.hours[*hour] == 0)
    }
}

/// The hour of the day in universal time: it is compared with itself only.
const fn hour_of(at: Timestamp) -> usize {
    (at.as_secs() / 3600 % 24) as usize
}

/// What is left of one after so long.
fn decay(passed: Duration, half_life: Duration) -> f32 {
    0.5_f32.powf(passed.as_secs_f32() / half_life.as_secs_f32())
}

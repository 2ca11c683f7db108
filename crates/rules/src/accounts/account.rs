//! One account: where its owner is at home, with what program, whom he writes to, and what does not fit to that.

use core::time::Duration;

use base::Timestamp;

use super::known::Known;
use super::places::{Client, Clients, Deed, MOVING, Places};
use super::sign::{SIGNS, Sign};
use super::step::Step;

/// Before an account was used for so long and so much nothing about it is strange.
const GROWN_UP_AFTER: Duration = Duration::from_hours(7 * 24);
const GROWN_UP_RECIPIENTS: u32 = 20;
/// After this time half of a suspicion is left.
const HALF_LIFE: Duration = Duration::from_hours(24);
/// More strange places within a day than a traveller with a new phone has.
const TRAVELS_MAX: usize = 3;
/// Within this time new recipients are a burst.
const BURST: Duration = Duration::from_mins(15);
/// More of them than people write to in that time.
const BURST_FROM: f32 = 3.0;
/// What the first recipients of one message can add: a person who writes to a group is no robot yet.
const MESSAGE_MAX: f32 = 5.6;
/// The same of a message from a program that the owner never used, and of one in a country that he was never in.
const ALIEN_MESSAGE_MAX: f32 = 7.0;
const FOREIGN_MESSAGE_MAX: f32 = 9.0;
/// How many those are. A group of strangers is not larger.
const GROUP_MAX: u32 = 12;
/// What somebody whom the owner knows takes off.
const FRIEND: f32 = 0.5;
/// Strangers who are remembered until their message has gone out.
const ASKED_MAX: usize = 16;
/// What a text adds that was sent to strangers before.
const SAME_BODY: f32 = 4.0;
/// Texts that are remembered, to know one that is sent again.
const BODIES_MAX: usize = 4;
/// So often a recipient is let through of an account that was made slower.
const SLOW_EVERY: Duration = Duration::from_mins(1);

/// Most recipients of one message of a slow account.
const SLOW_TURNS_MAX: u32 = 10;

/// A stranger who was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Asked {
    pub(super) recipient: u64,
    pub(super) domain: u64,
    pub(super) message: u64,
}

/// The message that is being sent.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
struct OnItsWay {
    message: u64,
    /// What it has added.
    points: f32,
    /// Its new recipients.
    strangers: u32,
}

/// What is known of an account. It takes at most some nine kilobytes, and two for most people.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Account {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) recipients: u32,
    pub(super) known: Known,
    pub(super) domains: Known,
    pub(super) places: Places,
    pub(super) clients: Clients,
    /// How much it is used at each hour of the day, the newest weighing most.
    pub(super) hours: [u8; 24],
    /// Points by sign, as of `last`.
    pub(super) points: [f32; SIGNS],
    /// The hardest step that people were told of since nothing was suspicious.
    pub(super) told: Step,
    /// Whether it has changed since it was saved.
    pub(super) is_changed: bool,
    /// New recipients from strange places lately, leaking within [`BURST`].
    burst: f32,
    on_its_way: OnItsWay,
    /// The last message to somebody whom the owner knows.
    friendly: u64,
    /// Strangers lately asked for from strange places; one that is zero is free.
    asked: [Asked; ASKED_MAX],
    asked_next: usize,
    /// Texts lately sent to strangers from strange places, each with its first message.
    bodies: [(u64, u64); BODIES_MAX],
    bodies_next: usize,
    /// When the last recipient was let through while it was slow.
    slow_last: Timestamp,
}

impl Account {
    pub(super) fn new(at: Timestamp) -> Self {
        Self {
            first: at,
            last: at,
            recipients: 0,
            known: Known::default(),
            domains: Known::default(),
            places: Places::default(),
            clients: Clients::default(),
            hours: [0; 24],
            points: [0.0; SIGNS],
            told: Step::Calm,
            is_changed: true,
            burst: 0.0,
            on_its_way: OnItsWay::default(),
            friendly: 0,
            asked: [Asked::default(); ASKED_MAX],
            asked_next: 0,
            bodies: [(0, 0); BODIES_MAX],
            bodies_next: 0,
            slow_last: Timestamp::EPOCH,
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
        self.on_its_way = OnItsWay::default();
        self.told = Step::Calm;
        self.is_changed = true;
    }

    /// Whether people were not told of this step yet; from now on they were. Where the suspicion has gone they are told anew.
    pub(super) fn is_news(&mut self, step: Step, is_calm_again: bool) -> bool {
        if is_calm_again {
            self.told = Step::Calm;
        }
        let is_news = step > self.told;
        self.told = self.told.max(step);
        is_news
    }

    /// It is slow from now on.
    pub(super) const fn slow_down(&mut self, at: Timestamp) {
        self.slow_last = at;
    }

    /// Of a slow account one recipient passes in [`SLOW_EVERY`]: whether these do, at once. So many must have waited for it, and
    /// more than [`SLOW_TURNS_MAX`] never do.
    pub(super) fn has_turn(&mut self, at: Timestamp, recipients: u32) -> bool {
        let has_turn = recipients <= SLOW_TURNS_MAX && at.since(self.slow_last) >= SLOW_EVERY * recipients;
        if has_turn {
            self.slow_last = at;
        }
        has_turn
    }

    /// The furthest step that was told since it was calm.
    pub(super) const fn told(&self) -> Step {
        self.told
    }

    /// It asks to send to a recipient. Whom it writes to from home is known from then on; a stranger from elsewhere is not
    /// before the message has gone out ([`Account::sent`]), and asking for the same one again adds nothing.
    pub(super) fn asks(&mut self, at: Timestamp, deed: &Deed) {
        self.move_on(at);
        let is_owners = !self.is_grown_up(at) || self.places.is_home(at, deed.network);
        // Until it is grown up, everything that it uses is its own.
        let is_old_client = self.clients.uses(at, deed.client, is_owners);
        let vouches = is_owners || is_old_client == Client::Owners;
        self.places.visit(at, deed, !self.is_grown_up(at), vouches);
        if is_owners {
            self.learn(at, deed.recipient, deed.domain);
        } else if self.known.contains(deed.recipient) {
            if core::mem::replace(&mut self.friendly, deed.message) != deed.message {
                self.clients.begins(deed.client, true);
            }
            // Whom the owner knows the owner writes to: that speaks for him, wherever he is.
            for sign in [Sign::NewRecipient, Sign::Moving, Sign::Client, Sign::Country] {
                let points = &mut self.points[sign as usize];
                *points = (*points - FRIEND).max(0.0);
            }
        } else if let Some(asked) = self.asked.iter_mut().find(|asked| asked.recipient == deed.recipient) {
            asked.message = deed.message;
        } else {
            self.suspect(at, deed, is_old_client);
            let Deed { recipient, domain, message, .. } = *deed;
            self.asked[self.asked_next] = Asked { recipient, domain, message };
            self.asked_next = (self.asked_next + 1) % ASKED_MAX;
        }
    }

    /// The points of a new recipient from a strange place.
    fn suspect(&mut self, at: Timestamp, deed: &Deed, client: Client) {
        let is_first = self.on_its_way.message != deed.message;
        let before = if is_first { OnItsWay::default() } else { self.on_its_way };
        if is_first {
            self.clients.begins(deed.client, false);
        }
        let strangers = before.strangers + 1;
        self.burst += 1.0;
        let is_moving = is_first && self.places.strange(at) > TRAVELS_MAX;
        let is_foreign = self.places.is_foreign(at, deed.country);
        // What the owner's own program was seen at is not the place of a stranger's.
        let is_alien = client == Client::Strange && !self.places.is_vouched(at, deed);
        let is_far = is_alien && self.places.is_too_far(at, deed);
        let signs = [
            (Sign::NewRecipient, true, 1.0),
            (Sign::NewDomain, !self.domains.contains(deed.domain), 0.6),
            (Sign::Burst, self.burst > BURST_FROM, 1.0),
            (Sign::Moving, is_moving, 1.0),
            (Sign::OddHour, self.is_odd_hour(at), 0.1),
            (Sign::Client, is_first && is_alien, if is_foreign { 4.0 } else { 1.0 }),
            (Sign::Country, is_first && is_alien && is_foreign, 2.0),
            (Sign::Travel, is_first && is_far, 2.0),
        ];
        let total: f32 = signs.iter().map(|(_, is_seen, points)| if *is_seen { *points } else { 0.0 }).sum();
        let most = match (is_alien, is_foreign) {
            (false, _) => MESSAGE_MAX,
            (true, false) => ALIEN_MESSAGE_MAX,
            (true, true) => FOREIGN_MESSAGE_MAX,
        };
        let room = if strangers <= GROUP_MAX { (most.max(before.points) - before.points).max(0.0) } else { total };
        let share = (room / total).min(1.0);
        let points = before.points + total * share;
        self.on_its_way = OnItsWay { message: deed.message, points, strangers };
        for (sign, _, points) in signs.into_iter().filter(|(_, is_seen, _)| *is_seen) {
            self.points[sign as usize] += points * share;
        }
    }

    /// What the message says, once all its recipients are known. Of a text that goes to strangers from strange places once is
    /// a letter, and again and again is none.
    pub(super) fn says(&mut self, at: Timestamp, message: u64, body: u64) {
        self.move_on(at);
        if self.on_its_way.message != message || self.on_its_way.strangers == 0 {
            return;
        }
        match self.bodies.iter().find(|(known, _)| *known == body) {
            Some((_, first)) if *first == message => {}
            Some(_) => self.points[Sign::SameBody as usize] += SAME_BODY,
            None => {
                self.bodies[self.bodies_next] = (body, message);
                self.bodies_next = (self.bodies_next + 1) % BODIES_MAX;
            }
        }
    }

    /// The message has gone out: those it went to are known from now on.
    pub(super) fn sent(&mut self, at: Timestamp, message: u64) {
        self.move_on(at);
        for number in 0..ASKED_MAX {
            if self.asked[number].message == message {
                let Asked { recipient, domain, .. } = core::mem::take(&mut self.asked[number]);
                self.learn(at, recipient, domain);
            }
        }
    }

    /// Its owner, or whoever has his password, has logged in from there.
    pub(super) fn seen(&mut self, at: Timestamp, deed: &Deed) {
        self.is_changed = true;
        self.places.visit(at, deed, !self.is_grown_up(at), false);
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

    /// A recipient was refused, a message came back, or it was found to be spam. From home that is what old address books do.
    pub(super) fn failed(&mut self, at: Timestamp, sign: Sign, network: Option<u64>) {
        self.move_on(at);
        let is_home = network.is_none_or(|network| self.places.is_home(at, network));
        let weight = if sign == Sign::Refused { 1.5 } else { 2.0 };
        let is_strange = self.is_grown_up(at) && !is_home;
        self.points[sign as usize] += if is_strange { weight } else { weight / 10.0 };
    }

    fn move_on(&mut self, at: Timestamp) {
        let passed = at.since(self.last);
        let left = decay(passed, HALF_LIFE);
        self.points = self.points.map(|points| points * left);
        self.burst = (self.burst - BURST_FROM * passed.as_secs_f32() / BURST.as_secs_f32()).max(0.0);
        if passed > MOVING {
            self.bodies = [(0, 0); BODIES_MAX];
        }
        self.last = self.last.max(at);
        self.is_changed = true;
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
    if passed.is_zero() {
        return 1.0;
    }
    0.5_f32.powf(passed.as_secs_f32() / half_life.as_secs_f32())
}

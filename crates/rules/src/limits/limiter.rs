//! The limiter: who may send how much, asked from many threads.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use base::Timestamp;

use super::counts::Counts;
use super::definition::{self, DEFINITION};
use super::ends::{ENDS, Ends, Standing};
use super::ledger::{Charge, Ledger};
use super::reservations::{RESERVATIONS_MAX, Reservation, Reservations, Share};
use super::state::{AT_LEAST, EXACTLY, Full, WORDS_MAX};
use super::subject::Sender;
use super::table::Table;
use super::{Cost, LIMITS_MAX, Limit, LimitCounters, LimitEffect, LimitId, Sending};
use crate::engine::hold;
use crate::{Key, Keys};

/// Parts of each table, each behind a lock of its own.
const SHARDS: usize = 16;

/// What is to be done with a recipient or a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Outcome {
    /// It is within all limits.
    Pass,
    /// It exceeds a limit whose effect is [`LimitEffect::Note`], and passes.
    Noted(Exceeded),
    /// It exceeds a limit, and has the effect of it. Nothing is reserved for it.
    Over(Exceeded),
    /// Its account shows signs that somebody else uses it ([`crate::accounts`]). Nothing is reserved for it.
    Strange(LimitEffect),
}

/// A limit that was exceeded: of several the one with the strongest effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exceeded {
    /// The limit.
    pub limit: LimitId,
    /// Which of its buckets, the one that has room last.
    pub bucket: usize,
    /// What happens to the message.
    pub effect: LimitEffect,
    /// When it would pass, if nobody else is faster; none if it is more than the bucket ever holds.
    pub passes_at: Option<Timestamp>,
    /// Whether this message has not exceeded this limit before: then it is an event `rate-exceeded`.
    pub is_new: bool,
}

/// How full a bucket of a subject is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fill {
    /// The limit.
    pub limit: LimitId,
    /// Which of its buckets.
    pub bucket: usize,
    /// What was accepted and has not leaked, in thousandths, rounded up.
    pub level_milli: u64,
    /// What is reserved.
    pub pending: u64,
    /// The moment from which on one more passes; none while too much is reserved.
    pub passes_at: Option<Timestamp>,
}

/// All limits with the state of all subjects.
///
/// `now` is the time of a clock that runs evenly and never back, over restarts too; only then does the promise of the
/// module hold in the time of everybody else. A `now` before another one lets nothing leak.
pub struct Limiter {
    limits: Box<[Limit]>,
    /// Numbers of the limits for the ledger.
    marks: Box<[u64]>,
    keys: Keys,
    tables: [Mutex<Box<[Table]>>; SHARDS],
    reservations: [Mutex<Reservations>; SHARDS],
    ledger: Box<dyn Ledger>,
    counts: Counts,
    ends: [Ends; LIMITS_MAX],
    /// By mark: what the limits were before the restart, each with its place now.
    before: Mutex<BTreeMap<u64, (usize, Limit)>>,
}

impl Limiter {
    /// A limiter of at most [`LIMITS_MAX`] limits, each with at most `subjects_max` subjects, all of them empty. The
    /// secret keys the hashes; what is kept is found again with the same one.
    pub fn new(limits: Vec<Limit>, subjects_max: usize, secret: [u8; 16], ledger: Box<dyn Ledger>) -> Self {
        assert!(limits.len() <= LIMITS_MAX, "the configuration bounds the number of limits");
        let keys = Keys::new(secret);
        let most = subjects_max.div_ceil(SHARDS);
        Self {
            marks: limits.iter().map(|limit| mark(&keys, limit)).collect(),
            tables: core::array::from_fn(|_| Mutex::new(limits.iter().map(|limit| Table::new(limit, most)).collect())),
            reservations: core::array::from_fn(|_| Mutex::default()),
            counts: Counts::default(),
            ends: core::array::from_fn(|_| Ends::default()),
            before: Mutex::default(),
            limits: limits.into(),
            keys,
            ledger,
        }
    }

    /// The limits, in the order of their [`LimitId`].
    pub const fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Asks whether `sending.recipients` more of this message may pass, and reserves room for them. One who is asked for twice
    /// in a row, because a mail server asks for several checks, is one.
    pub fn reserve(&self, now: Timestamp, sending: &Sending<'_>) -> Outcome {
        let recipient = match sending.to {
            [one] if sending.recipients == 1 => Some(self.keys.recipient(one.as_bytes())),
            _ => None,
        };
        self.make_room(now, sending, recipient, |_| sending.recipients)
    }

    /// Asks whether this message may pass for `sending.recipients` in all, and reserves the room that is missing.
    pub fn reserve_all(&self, now: Timestamp, sending: &Sending<'_>) -> Outcome {
        self.make_room(now, sending, None, |reserved| sending.recipients.saturating_sub(reserved))
    }

    /// Reserves room for as many more as `missing` makes of those that have room.
    fn make_room(
        &self,
        now: Timestamp,
        sending: &Sending<'_>,
        recipient: Option<Key>,
        missing: impl Fn(u32) -> u32,
    ) -> Outcome {
        self.counts.asked.one();
        if self.limits.is_empty() || sending.recipients == 0 {
            return Outcome::Pass;
        }
        let key = self.keys.transaction(sending.session, sending.instance);
        let mut reservations = hold(&self.reservations[key.shard(SHARDS)]);
        match reservations.find_or_add(key, now, RESERVATIONS_MAX / SHARDS) {
            Some(reservation) => {
                if reservation.is_settled {
                    reservation.begin_again();
                }
                let missing = missing(reservation.recipients);
                if missing == 0 || recipient.is_some() && reservation.last == recipient {
                    reservation.at = reservation.at.max(now);
                    return Outcome::Pass;
                }
                let outcome = self.extend(now, reservation, &Sender::new(sending), missing);
                if !matches!(outcome, Outcome::Over(_)) {
                    reservation.last = recipient;
                }
                outcome
            }
            // Too many are on their way to remember this one: it is charged as if it had ended.
            None => {
                let mut lone = Reservation::new(key, now);
                let outcome = self.extend(now, &mut lone, &Sender::new(sending), sending.recipients);
                self.charge(now, &lone.shares);
                outcome
            }
        }
    }

    /// The message is at its end and will be accepted for `sending.recipients`: what it has reserved is charged, and what
    /// it has reserved beyond them is given back. If it has more recipients than were reserved, because the reservation
    /// timed out or was made before a restart, the others are asked for now, and may be too much; then nothing is charged,
    /// and the message must not be accepted. A second end of the same message changes nothing.
    pub fn settle(&self, now: Timestamp, sending: &Sending<'_>) -> Outcome {
        if self.limits.is_empty() {
            return Outcome::Pass;
        }
        let key = self.keys.transaction(sending.session, sending.instance);
        let mut reservations = hold(&self.reservations[key.shard(SHARDS)]);
        let mut lone = Reservation::new(key, now);
        let reservation = reservations.find_or_add(key, now, RESERVATIONS_MAX / SHARDS).unwrap_or(&mut lone);
        if reservation.is_settled {
            self.counts.duplicate.one();
            return Outcome::Pass;
        }
        let reserved = reservation.recipients;
        self.end(reservation);
        let mut outcome = Outcome::Pass;
        if sending.recipients > reserved {
            outcome = self.extend(now, reservation, &Sender::new(sending), sending.recipients - reserved);
            if matches!(outcome, Outcome::Over(_)) {
                self.give_back(now, &reservation.take());
                return outcome;
            }
        } else {
            self.give_back(now, &self.surplus(reservation, sending.recipients));
        }
        if reserved == 0 {
            self.end(reservation);
        }
        let shares = reservation.take();
        reservation.is_settled = true;
        // It is charged under the lock, so that its second end waits for the first.
        self.charge(now, &shares);
        self.counts.settled.one();
        outcome
    }

    /// The message is given up before its end: what it has reserved is given back, unless ends are not told
    /// ([`Limiter::without_ends`]), or whoever sends it gives up far more than he brings to an end.
    pub fn release(&self, now: Timestamp, session: &str, instance: &str) {
        let Some(given_up) = self.take_out(session, instance) else { return };
        self.give_up(now, &given_up);
        for (limit, _) in given_up.shared() {
            self.count_given_up(limit, given_up.party);
        }
    }

    /// The message is at its end and will not be accepted, for another reason than a limit: what it has reserved is given back.
    pub fn refuse(&self, now: Timestamp, session: &str, instance: &str) {
        let Some(refused) = self.take_out(session, instance) else { return };
        self.give_back(now, &refused.shares);
        self.end(&refused);
    }

    /// A message on its way, which is known no more.
    fn take_out(&self, session: &str, instance: &str) -> Option<Reservation> {
        let key = self.keys.transaction(session, instance);
        let mut reservations = hold(&self.reservations[key.shard(SHARDS)]);
        let is_open = reservations.find(key).is_some_and(|reservation| !reservation.is_settled);
        let reservation = is_open.then(|| reservations.remove(key)).flatten()?;
        self.counts.released.one();
        Some(reservation)
    }

    /// The end of a message is told, under the limits that it has reserved of.
    fn end(&self, reservation: &Reservation) {
        for (limit, _) in reservation.shared() {
            self.ends[limit].ended(reservation.party, |standing| self.keep_standing(limit, standing));
        }
    }

    fn count_given_up(&self, limit: usize, party: u64) {
        self.ends[limit].given_up(party, |standing| self.keep_standing(limit, standing));
    }

    /// Has it kept what is known of the ends under a limit.
    fn keep_standing(&self, limit: usize, standing: Standing) {
        let key = definition::identity(&self.keys, &self.limits[limit]);
        self.ledger.keep(&[Charge { limit: ENDS, key, words: &[standing.word()] }]);
    }

    /// Gives back what messages have reserved that were heard of no more, as [`Limiter::release`] does. To be called every few
    /// seconds.
    pub fn poll(&self, now: Timestamp) {
        let mut given_up = [None; LIMITS_MAX];
        for shard in &self.reservations {
            hold(shard).expire(now, |reservation| {
                if !reservation.is_settled && reservation.recipients > 0 {
                    self.counts.timed_out.one();
                    self.give_up(now, reservation);
                    for (limit, _) in reservation.shared() {
                        given_up[limit] = Some(reservation.party);
                    }
                }
            });
        }
        // After a pause of the machine many are over at once: that says no more than one does.
        for (limit, party) in given_up.iter().enumerate() {
            if let Some(party) = party {
                self.count_given_up(limit, *party);
            }
        }
    }

    /// The limits under which room is reserved for messages, and none of them comes to its end: whoever asks does not ask
    /// there. What is given up is charged under them, so that they limit all the same, until a message ends; as long as
    /// only one or two parties sent anything, theirs alone.
    pub fn without_ends(&self) -> impl Iterator<Item = &Limit> {
        self.limits.iter().zip(&self.ends).filter(|(_, ends)| ends.seem_missing()).map(|(limit, _)| limit)
    }

    /// How full the buckets are that a message like this one would be charged to: under each limit of which it has all parts.
    pub fn explain(&self, now: Timestamp, sending: &Sending<'_>) -> Vec<Fill> {
        let sender = Sender::new(sending);
        let mut fills = Vec::new();
        for (number, limit) in self.limits.iter().enumerate() {
            let Some(key) = sender.key(&self.keys, limit) else { continue };
            let tables = self.tables(key);
            let table = &tables[number];
            let words = table.find(key).unwrap_or_else(|| table.fresh());
            limit.fills(now, words, |bucket, level_milli, pending, passes_at| {
                fills.push(Fill { limit: LimitId(number as u8), bucket, level_milli, pending, passes_at });
            });
        }
        fills
    }

    /// Empties the buckets that a message like this one would be charged to; what is reserved stays. Returns whether there was
    /// anything in one.
    pub fn empty(&self, sending: &Sending<'_>) -> bool {
        let sender = Sender::new(sending);
        let mut was_filled = false;
        for (number, limit) in self.limits.iter().enumerate() {
            let Some(key) = sender.key(&self.keys, limit) else { continue };
            let mut tables = self.tables(key);
            if let Some(words) = tables[number].find_mut(key) {
                was_filled |= limit.empty(words);
                let mut copy = [0; WORDS_MAX];
                let words = limit.kept(words, EXACTLY, &mut copy);
                self.ledger.keep(&[Charge { limit: self.marks[number], key: key.get(), words }]);
            }
        }
        was_filled
    }

    /// Takes in what was kept before a restart of the limits as they were then, and of what is known of ends: to be told all of it before
    /// [`Limiter::restore`], which passes it over.
    pub fn restore_definition(&self, charge: &Charge<'_>) {
        if charge.limit == ENDS {
            let of_limit = |limit: &Limit| definition::identity(&self.keys, limit) == charge.key;
            let ends = self.limits.iter().zip(&self.ends).find(|(limit, _)| of_limit(limit));
            if let (Some((_, ends)), [word]) = (ends, charge.words) {
                ends.restore(*word);
            }
        }
        if charge.limit != DEFINITION {
            return;
        }
        let identity = charge.words.first().copied().unwrap_or_default();
        let number = self.limits.iter().position(|limit| definition::identity(&self.keys, limit) == identity);
        let was = number.and_then(|number| Some((number, definition::read(&self.limits[number], charge.words)?)));
        if let Some(was) = was {
            hold(&self.before).insert(charge.key, was);
        }
    }

    /// Takes in a charge that was kept before a restart. One of a limit that is no longer configured is passed over; one of a
    /// limit whose buckets or mode were others fills those that there are now.
    pub fn restore(&self, now: Timestamp, charge: &Charge<'_>) {
        let before = hold(&self.before);
        let of_mark = || self.marks.iter().position(|mark| *mark == charge.limit);
        let known = before.get(&charge.limit).map(|(number, was)| (*number, was));
        // Those that were kept before definitions were are of the limits as they are, or of none.
        let Some((number, was)) = known.or_else(|| of_mark().map(|number| (number, &self.limits[number]))) else {
            return;
        };
        let key = Key::from_kept(charge.key);
        let limit = &self.limits[number];
        let mut tables = self.tables(key);
        if let Some(words) = tables[number].find_or_add(key, limit, now) {
            limit.restore(now, words, charge.words, was);
        }
    }

    /// Tells what the limits are, and the state of every subject that is not empty: what a new file must hold before the old one goes.
    /// Each shard is locked only while it is told.
    pub fn tell_all(&self, now: Timestamp, tell: &mut dyn FnMut(&Charge<'_>)) {
        for (limit, mark) in self.limits.iter().zip(&self.marks) {
            let (words, count) = definition::write(definition::identity(&self.keys, limit), limit);
            tell(&Charge { limit: DEFINITION, key: *mark, words: &words[..count] });
        }
        for (limit, ends) in self.limits.iter().zip(&self.ends) {
            let key = definition::identity(&self.keys, limit);
            tell(&Charge { limit: ENDS, key, words: &[ends.standing().word()] });
        }
        let mut copy = [0; WORDS_MAX];
        for shard in &self.tables {
            let tables = hold(shard);
            for ((table, limit), mark) in tables.iter().zip(&self.limits).zip(&self.marks) {
                table.each(|key, words| {
                    if limit.rest_ms(now, words) != Some(0) {
                        let words = limit.kept(words, AT_LEAST, &mut copy);
                        tell(&Charge { limit: *mark, key, words });
                    }
                });
            }
        }
    }

    /// What the limiter has counted, and how large it is.
    pub fn counters(&self) -> LimitCounters {
        let mut counters = self.counts.read();
        for shard in &self.tables {
            for table in &*hold(shard) {
                counters.subjects += table.len() as u64;
                counters.shed += table.shed();
                counters.bytes += table.bytes() as u64;
            }
        }
        for shard in &self.reservations {
            let reservations = hold(shard);
            counters.reservations += reservations.len() as u64;
            counters.bytes += reservations.bytes() as u64;
        }
        counters
    }

    fn tables(&self, key: Key) -> MutexGuard<'_, Box<[Table]>> {
        hold(&self.tables[key.shard(SHARDS)])
    }

    /// Reserves room for `recipients` more of a message, under all limits or none.
    fn extend(&self, now: Timestamp, reservation: &mut Reservation, sender: &Sender<'_>, recipients: u32) -> Outcome {
        reservation.at = reservation.at.max(now);
        reservation.party = sender.party(&self.keys).get();
        let mut added = [Share::default(); LIMITS_MAX];
        let mut worst: Option<Exceeded> = None;
        for (number, limit) in self.limits.iter().enumerate() {
            let Some(key) = sender.key(&self.keys, limit) else { continue };
            let amount = match limit.cost {
                Cost::Recipient => recipients,
                Cost::Message if reservation.shares[number].amount > 0 => continue,
                Cost::Message => 1,
            };
            match self.take(now, number, key, amount) {
                Ok(is_tracked) => added[number] = Share { key: key.get(), amount: if is_tracked { amount } else { 0 } },
                Err(full) => {
                    let is_new = reservation.told & (1 << number) == 0;
                    reservation.told |= 1 << number;
                    if is_new {
                        self.counts.exceeded[number].one();
                    }
                    let limit_id = LimitId(number as u8);
                    let effect = limit.effect;
                    let this =
                        Exceeded { limit: limit_id, bucket: full.bucket, effect, passes_at: full.passes_at, is_new };
                    worst = Some(worst.filter(|worst| worst.effect >= effect).unwrap_or(this));
                }
            }
        }
        match worst {
            Some(exceeded) if exceeded.effect != LimitEffect::Note => {
                self.give_back(now, &added);
                return Outcome::Over(exceeded);
            }
            _ => {}
        }
        reservation.recipients = reservation.recipients.saturating_add(recipients);
        for (share, added) in reservation.shares.iter_mut().zip(added).filter(|(_, added)| added.amount > 0) {
            *share = Share { key: added.key, amount: share.amount.saturating_add(added.amount) };
        }
        worst.map_or(Outcome::Pass, Outcome::Noted)
    }

    /// Reserves room under one limit. False if the subject finds no place in the table: then it is let pass.
    fn take(&self, now: Timestamp, number: usize, key: Key, amount: u32) -> Result<bool, Full> {
        let limit = &self.limits[number];
        let mut tables = self.tables(key);
        let Some(words) = tables[number].find_or_add(key, limit, now) else {
            self.counts.untracked.one();
            return Ok(false);
        };
        limit.reserve(now, words, amount).map(|()| true)
    }

    /// What the message has reserved beyond `recipients`, taken out of it.
    fn surplus(&self, reservation: &mut Reservation, recipients: u32) -> [Share; LIMITS_MAX] {
        let mut surplus = [Share::default(); LIMITS_MAX];
        for (number, limit) in self.limits.iter().enumerate() {
            let share = &mut reservation.shares[number];
            let kept = match limit.cost {
                Cost::Recipient => share.amount.min(recipients),
                Cost::Message => share.amount.min(recipients.min(1)),
            };
            surplus[number] = Share { key: share.key, amount: share.amount - kept };
            share.amount = kept;
        }
        surplus
    }

    fn give_back(&self, now: Timestamp, shares: &[Share; LIMITS_MAX]) {
        for (number, share) in shares.iter().enumerate().filter(|(_, share)| share.amount > 0) {
            let key = Key::from_kept(share.key);
            if let Some(words) = self.tables(key)[number].find_mut(key) {
                self.limits[number].release(now, words, share.amount);
            }
        }
    }

    /// What a message has reserved that was given up is given back, and charged under the limits that are told of no ends.
    fn give_up(&self, now: Timestamp, given_up: &Reservation) {
        let (mut back, mut charged) = ([Share::default(); LIMITS_MAX], [Share::default(); LIMITS_MAX]);
        for (limit, share) in given_up.shared() {
            let is_charged = self.ends[limit].are_missing_for(given_up.party);
            if is_charged { charged[limit] = *share } else { back[limit] = *share }
        }
        self.give_back(now, &back);
        if charged.iter().any(|share| share.amount > 0) {
            self.counts.unended.one();
            self.charge(now, &charged);
        }
    }

    /// Charges what was reserved, and has it kept, all at once, before anybody is told.
    fn charge(&self, now: Timestamp, shares: &[Share; LIMITS_MAX]) {
        let mut copies = [[0; WORDS_MAX]; LIMITS_MAX];
        let mut charges = [Charge { limit: 0, key: 0, words: &[] }; LIMITS_MAX];
        let mut count = 0;
        let charged = shares.iter().enumerate().filter(|(_, share)| share.amount > 0);
        for ((number, share), copy) in charged.zip(&mut copies) {
            let key = Key::from_kept(share.key);
            let limit = &self.limits[number];
            let mut tables = self.tables(key);
            let Some(words) = tables[number].find_mut(key) else { continue };
            limit.settle(now, words, share.amount);
            let words = limit.kept(words, AT_LEAST, copy);
            charges[count] = Charge { limit: self.marks[number], key: share.key, words };
            count += 1;
        }
        self.ledger.keep(&charges[..count]);
    }
}

/// A number for a limit that changes when the meaning of its states does.
fn mark(keys: &Keys, limit: &Limit) -> u64 {
    let mut key = keys.domain(limit.name.as_bytes());
    let mut and = |number: u64| key = keys.pair(key, keys.number(number));
    and(limit.by.first as u64);
    and(limit.by.second.map_or(u64::MAX, |part| part as u64));
    and(limit.mode as u64);
    and(limit.cost as u64);
    for bucket in &limit.buckets {
        and(bucket.rate().count());
        and(bucket.rate().time_ms());
    }
    key.get()
}

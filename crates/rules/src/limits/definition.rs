//! What a limit was when its states were kept: a limit that an administrator has changed is as full as it was, as far as the
//! states of other buckets can tell.

use super::rate::Rate;
use super::settings::{BUCKETS_MAX, Limit, LimitMode};
use super::state::WORDS_MAX;
use super::{Bucket, Cost};
use crate::Keys;

/// Of a kept record that says what a limit was, rather than how full somebody's buckets are. No limit has this number.
pub(crate) const DEFINITION: u64 = 0;

/// Words before those of the buckets, and words of each.
const FRONT: usize = 2;
const PER_BUCKET: usize = 3;
const _: () = assert!(FRONT + PER_BUCKET * BUCKETS_MAX <= WORDS_MAX, "a definition fits into a record");

/// A number for a limit that changes when its subjects, or what a message costs, do: what is known under another is of no use.
pub(crate) fn identity(keys: &Keys, limit: &Limit) -> u64 {
    let mut key = keys.domain(limit.name.as_bytes());
    let mut and = |number: u64| key = keys.pair(key, keys.number(number));
    and(limit.by.first as u64);
    and(limit.by.second.map_or(u64::MAX, |part| part as u64));
    and(u64::from(limit.cost == Cost::Message));
    key.get()
}

/// The words of a limit's definition, and how many they are.
pub(crate) fn write(identity: u64, limit: &Limit) -> ([u64; WORDS_MAX], usize) {
    let mut words = [0; WORDS_MAX];
    words[..FRONT].copy_from_slice(&[identity, limit.mode as u64]);
    for (bucket, place) in limit.buckets.iter().zip(words[FRONT..].chunks_exact_mut(PER_BUCKET)) {
        place.copy_from_slice(&[u64::from(bucket.burst()), bucket.rate().count(), bucket.rate().time_ms()]);
    }
    (words, FRONT + PER_BUCKET * limit.buckets.len())
}

/// The limit as it was by these words, which are of its identity; none if they make no sense.
pub(crate) fn read(limit: &Limit, words: &[u64]) -> Option<Limit> {
    let (front, buckets) = words.split_at_checked(FRONT)?;
    let mode = LimitMode::NAMES.iter().map(|(_, mode)| *mode).find(|mode| *mode as u64 == front[1])?;
    let (buckets, []) = buckets.as_chunks::<PER_BUCKET>() else { return None };
    let bucket = |[burst, count, time_ms]: &[u64; PER_BUCKET]| Bucket::new(*burst, Rate::new(*count, *time_ms)?).ok();
    let buckets = buckets.iter().map(bucket).collect::<Option<Box<[_]>>>()?;
    (1..=BUCKETS_MAX).contains(&buckets.len()).then(|| Limit { mode, buckets, ..limit.clone() })
}

/// For each bucket of a limit the bucket of what it was that tells most about it: the one of the same rate; else the one in the
/// same place if there are as many; else of those that leak no faster the fastest, in which at least as much has stayed; else
/// the slowest.
pub(crate) fn sources(was: &Limit, limit: &Limit) -> [usize; BUCKETS_MAX] {
    let slower = |one: &Bucket, other: &Bucket| {
        let (one, other) = (one.rate(), other.rate());
        u128::from(one.count()) * u128::from(other.time_ms()) <= u128::from(other.count()) * u128::from(one.time_ms())
    };
    let places = 0..was.buckets.len();
    let fastest = |one: &usize, other: &usize| {
        let (one, other) = (&was.buckets[*one], &was.buckets[*other]);
        if slower(one, other) { core::cmp::Ordering::Less } else { core::cmp::Ordering::Greater }
    };
    core::array::from_fn(|number| {
        let Some(bucket) = limit.buckets.get(number) else { return 0 };
        let alike = places.clone().find(|place| was.buckets[*place].rate() == bucket.rate());
        let same_place = (was.buckets.len() == limit.buckets.len()).then_some(number);
        let above = || places.clone().filter(|place| slower(&was.buckets[*place], bucket)).max_by(fastest);
        alike.or(same_place).or_else(above).or_else(|| places.clone().min_by(fastest)).unwrap_or(0)
    })
}

//! The keys of the blocklist: kept in the store, in force in the DNS server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::console::api::{Fault, KeyQuota, KeySpan, KeyView, KeyWish, NewKey};
use base::Timestamp;
use dnsbl::access::{Access, AccessError, KEYS_MAX, KeyHash, KeyRecord, KeySecret, Per, Quota, new_key};
use store::{KeptCount, KeptKey};
use tracing::warn;

use super::{random, views};

/// How often what was asked is written down. So much of a quota a `kill -9` gives back.
pub(super) const SAVED_EVERY: Duration = Duration::from_secs(10);

/// Longest name of a key, which is a label in metrics.
const NAME_BYTES_MAX: usize = 63;

/// Longest name of an owner, in bytes.
const OWNER_BYTES_MAX: usize = 200;

/// The words for spans in the store.
const SPANS: [(Per, KeySpan, &str); 2] = [(Per::Second, KeySpan::Second, "second"), (Per::Day, KeySpan::Day, "day")];

/// All keys, those that are revoked among them.
pub(super) struct Keys {
    access: Arc<Access>,
    secret: KeySecret,
    table: Mutex<Table>,
}

/// What is kept, in the order in which the keys were made.
struct Table {
    keys: Vec<Key>,
    saved: Timestamp,
}

/// A key, and what had been counted when this process began.
struct Key {
    kept: KeptKey,
    hash: KeyHash,
    answered_before: u64,
    refused_before: u64,
    /// More was counted than the store has been given.
    is_unsaved: bool,
}

impl Keys {
    /// Puts the keys of the store in force.
    pub(super) fn restore(access: Arc<Access>, secret: KeySecret, kept: Vec<KeptKey>) -> Self {
        let key = |kept: KeptKey| {
            let hash = kept.hash.parse().ok()?;
            let KeptCount { answered, refused, .. } = kept.count;
            Some(Key { kept, hash, answered_before: answered, refused_before: refused, is_unsaved: false })
        };
        let all = kept.len();
        let keys: Vec<Key> = kept.into_iter().filter_map(key).collect();
        if keys.len() < all {
            warn!(keys = all - keys.len(), "keys in the store have no hash and were passed over");
        }
        let table = Table { keys, saved: Timestamp::EPOCH };
        let keys = Self { access, secret, table: Mutex::new(table) };
        let table = keys.table();
        if let Err(faults) = keys.apply(&table) {
            warn!(faults, "the keys of the store are not in force");
        }
        for key in table.keys.iter().filter(|key| key.kept.revoked.is_none()) {
            keys.access.resume(key.hash, key.kept.count.in_span, key.kept.count.at);
        }
        drop(table);
        keys
    }

    /// Makes a key, which is in force when this returns, and must be stored before it is told. Zones are called by their
    /// labels below `origin`.
    pub(super) fn make(&self, now: Timestamp, origin: &str, wish: &KeyWish) -> Result<(NewKey, KeptKey), Fault> {
        check(wish)?;
        let zones = wish.zones.as_ref().map(|zones| self.known_zones(zones)).transpose()?;
        let random =
            random::octets().map_err(|error| Fault::refused(format!("the system has no randomness: {error}")))?;
        let label = new_key(random);
        let hash = self.secret.hash(label.as_bytes());
        let mut table = self.table();
        if table.keys.iter().any(|key| *key.kept.name == *wish.name && key.kept.revoked.is_none()) {
            return Err(Fault::refused(format!("there is a key `{}` already; revoke it first", wish.name)));
        }
        if table.keys.len() >= KEYS_MAX {
            return Err(Fault::refused(format!("there are {KEYS_MAX} keys, the revoked ones among them")));
        }
        let kept = KeptKey {
            hash: hash.to_string().into(),
            name: wish.name.as_str().into(),
            owner: wish.owner.trim().into(),
            zones: zones.map(|zones| zones.join(" ").into()),
            quota: wish.quota.map(|quota| (quota.questions, span_name(quota.per).into())),
            until: wish.seconds.map(|seconds| now.plus(Duration::from_secs(seconds))),
            made: now,
            made_by: wish.person.as_str().into(),
            revoked: None,
            count: KeptCount::default(),
        };
        table.keys.push(Key { kept: kept.clone(), hash, answered_before: 0, refused_before: 0, is_unsaved: false });
        if let Err(faults) = self.apply(&table) {
            table.keys.pop();
            return Err(Fault::refused(faults));
        }
        let record = view(&kept);
        let all = self.access.zones().filter(|zone| *zone != "@");
        let zone = record.zones.iter().flatten().map(String::as_str).chain(all).next().unwrap_or("@");
        let asked = format!("4.3.2.1.{label}.{}", full_name(zone, origin));
        Ok((NewKey { key: label, asked, record }, kept))
    }

    /// Ends a key at once; none if there is none of that name in force.
    pub(super) fn revoke(&self, now: Timestamp, name: &str, person: &str) -> Option<KeptKey> {
        let mut table = self.table();
        self.count(&mut table);
        let key = table.keys.iter_mut().find(|key| *key.kept.name == *name && key.kept.revoked.is_none())?;
        key.kept.revoked = Some((now, person.into()));
        let kept = key.kept.clone();
        if let Err(faults) = self.apply(&table) {
            warn!(faults, "the keys are as they were");
        }
        Some(kept)
    }

    /// All keys with what was asked until now.
    pub(super) fn views(&self) -> Vec<KeyView> {
        let mut table = self.table();
        self.count(&mut table);
        table.keys.iter().map(|key| view(&key.kept)).collect()
    }

    /// How many are in force.
    pub(super) fn in_force(&self) -> usize {
        self.table().keys.iter().filter(|key| key.kept.revoked.is_none()).count()
    }

    /// What has been counted since the last time, if that is due.
    pub(super) fn due(&self, now: Timestamp) -> Vec<KeptKey> {
        let mut table = self.table();
        if now.since(table.saved) < SAVED_EVERY {
            return Vec::new();
        }
        table.saved = now;
        self.unsaved(&mut table)
    }

    /// What has been counted since the last time.
    pub(super) fn rest(&self) -> Vec<KeptKey> {
        self.unsaved(&mut self.table())
    }

    /// The keys that the store shall be given now.
    fn unsaved(&self, table: &mut Table) -> Vec<KeptKey> {
        self.count(table);
        let unsaved = table.keys.iter_mut().filter(|key| key.is_unsaved);
        let take = |key: &mut Key| {
            key.is_unsaved = false;
            key.kept.clone()
        };
        unsaved.map(take).collect()
    }

    /// Takes over what was counted.
    fn count(&self, table: &mut Table) {
        let mut counts: Vec<_> = self.access.key_counts();
        counts.sort_unstable_by_key(|count| count.record.hash);
        for key in &mut table.keys {
            let Ok(at) = counts.binary_search_by_key(&key.hash, |count| count.record.hash) else { continue };
            let count = &counts[at];
            let new = KeptCount {
                answered: key.answered_before + count.answered,
                refused: key.refused_before + count.refused,
                in_span: count.in_span,
                at: count.span_began,
            };
            if (new.answered, new.refused) != (key.kept.count.answered, key.kept.count.refused) {
                (key.kept.count, key.is_unsaved) = (new, true);
            }
        }
    }

    /// Puts the keys that are not revoked in force.
    fn apply(&self, table: &Table) -> Result<(), String> {
        let records = table.keys.iter().filter(|key| key.kept.revoked.is_none()).map(|key| self.record(key)).collect();
        let words = |faults: Vec<AccessError>| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        self.access.set_keys(records).map_err(words)
    }

    fn record(&self, key: &Key) -> KeyRecord {
        let kept = &key.kept;
        let quota = |(questions, span): &(u32, Box<str>)| {
            let per = SPANS.iter().find(|(_, _, name)| **name == **span)?.0;
            Some(Quota { questions: *questions, per })
        };
        // A zone that is no longer configured opens nothing, and takes no other zone from the key.
        let zones = kept.zones.as_ref().map(|zones| {
            zones.split(' ').filter(|zone| self.access.zones().any(|known| known == *zone)).map(str::to_owned).collect()
        });
        KeyRecord {
            hash: key.hash,
            name: kept.name.to_string(),
            owner: kept.owner.to_string(),
            zones,
            quota: kept.quota.as_ref().and_then(quota),
            until: kept.until,
        }
    }

    fn known_zones(&self, zones: &[String]) -> Result<Vec<String>, Fault> {
        let known = |zone: &String| {
            self.access.zones().find(|known| known.eq_ignore_ascii_case(zone)).map(str::to_owned).ok_or_else(|| {
                let all = self.access.zones().collect::<Vec<_>>().join(", ");
                Fault::bad(format!("no zone `{zone}` is served; there are {all}"))
            })
        };
        if zones.is_empty() {
            return Err(Fault::bad("a key that opens no zone is none; leave `zones` out for all"));
        }
        zones.iter().map(known).collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while it is held; the table would still be whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the settings of a wish may be.
fn check(wish: &KeyWish) -> Result<(), Fault> {
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if wish.name.is_empty() || wish.name.len() > NAME_BYTES_MAX || !wish.name.bytes().all(is_name) {
        let message = format!("a name of 1 to {NAME_BYTES_MAX} lower-case letters, digits and hyphens is wanted");
        return Err(Fault::bad(message));
    }
    let owner = wish.owner.trim();
    if owner.is_empty() || owner.len() > OWNER_BYTES_MAX || owner.chars().any(char::is_control) {
        let message = format!("`owner` wants 1 to {OWNER_BYTES_MAX} bytes without control characters");
        return Err(Fault::bad(message));
    }
    if wish.quota.is_some_and(|quota| quota.questions == 0) {
        return Err(Fault::bad("a quota of 0 questions opens nothing"));
    }
    if wish.seconds == Some(0) {
        return Err(Fault::bad("a key of no time at all is none"));
    }
    Ok(())
}

/// The name of a zone that keys have this name for: `@` is the origin's own, and one with dots is elsewhere.
fn full_name(zone: &str, origin: &str) -> String {
    match zone {
        "@" => origin.to_owned(),
        zone if zone.contains('.') => zone.to_owned(),
        label => format!("{label}.{origin}"),
    }
}

fn span_name(span: KeySpan) -> &'static str {
    match span {
        KeySpan::Second => "second",
        KeySpan::Day => "day",
    }
}

/// A key as the console shows it.
pub(super) fn view(kept: &KeptKey) -> KeyView {
    let quota = |(questions, span): &(u32, Box<str>)| {
        let per = SPANS.iter().find(|(_, _, name)| **name == **span)?.1;
        Some(KeyQuota { questions: *questions, per })
    };
    KeyView {
        name: kept.name.to_string(),
        owner: kept.owner.to_string(),
        zones: kept.zones.as_ref().map(|zones| zones.split(' ').map(str::to_owned).collect()),
        quota: kept.quota.as_ref().and_then(quota),
        until: kept.until.map(views::time),
        made: views::time(kept.made),
        made_by: kept.made_by.to_string(),
        revoked: kept.revoked.as_ref().map(|(at, _)| views::time(*at)),
        revoked_by: kept.revoked.as_ref().map(|(_, by)| by.to_string()),
        answered: kept.count.answered,
        refused: kept.count.refused,
        in_span: kept.count.in_span,
    }
}

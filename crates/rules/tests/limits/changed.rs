//! A limit that was changed between two starts is as full as it was.

use base::Timestamp;
use rules::limits::{Charge, Cost, Limit, LimitMode, Limiter, Outcome, Part, Sending, Unkept};

use crate::model::limit;

const NOW: Timestamp = Timestamp::from_secs(1_795_247_139);

fn limiter(limit: Limit) -> Limiter {
    Limiter::new(vec![limit], 1000, [1; 16], Box::new(Unkept))
}

/// Accepts so many recipients of one login at once.
fn send(limiter: &Limiter, recipients: u32) {
    for number in 0..recipients {
        let instance = format!("{number}");
        let sending = Sending {
            session: "s",
            instance: &instance,
            login: Some("alice@example.org"),
            recipients: 1,
            ..Sending::default()
        };
        assert_eq!(limiter.settle(NOW, &sending), Outcome::Pass);
    }
}

/// What one limiter tells another takes in, as over a restart.
fn restart(old: &Limiter, new: &Limiter) {
    let mut kept: Vec<(u64, u64, Vec<u64>)> = Vec::new();
    old.tell_all(NOW, &mut |charge| kept.push((charge.limit, charge.key, charge.words.to_vec())));
    let charges = || kept.iter().map(|(limit, key, words)| Charge { limit: *limit, key: *key, words });
    for charge in charges() {
        new.restore_definition(&charge);
    }
    for charge in charges() {
        new.restore(NOW, &charge);
    }
}

fn levels(limiter: &Limiter) -> Vec<u64> {
    limiter
        .explain(NOW, &Sending { login: Some("alice@example.org"), ..Sending::default() })
        .iter()
        .map(|fill| fill.level_milli)
        .collect()
}

type Buckets<'a> = &'a [(u64, &'a str)];

#[test]
fn what_was_accepted_counts_in_the_new_buckets() {
    let cases: &[(Buckets<'_>, Buckets<'_>, &[u64])] = &[
        (&[(10, "1 / 1d")], &[(10, "1 / 1d")], &[10_000]),
        (&[(10, "1 / 1d")], &[(10, "1 / 2d")], &[10_000]),
        (&[(10, "1 / 1d")], &[(5, "1 / 1d")], &[10_000]),
        (&[(10, "1 / 1d")], &[(100, "7 / 90s")], &[10_000]),
        (&[(10, "1 / 1d")], &[(3, "1 / 1s"), (100, "1 / 1d"), (500, "1 / 7d")], &[10_000, 10_000, 10_000]),
        (&[(10, "1 / 1d"), (100, "30 / 60min")], &[(100, "30 / 60min")], &[10_000]),
        (&[(10, "1 / 1d"), (100, "30 / 60min")], &[(100, "30 / 60min"), (10, "1 / 1d")], &[10_000, 10_000]),
    ];
    for mode in [LimitMode::Strict, LimitMode::Rspamd] {
        for (before, after, wanted) in cases {
            let of = |buckets| limit("per-user", Part::Login, Cost::Recipient, buckets);
            let (old, new) = (limiter(of(before)), limiter(Limit { mode, ..of(after) }));
            send(&old, 10);
            restart(&old, &new);
            assert_eq!(levels(&new), *wanted, "{mode:?} {before:?} {after:?}");
            // And back again.
            let back = limiter(of(before));
            restart(&new, &back);
            assert_eq!(levels(&back), vec![10_000; before.len()], "{mode:?} {before:?} {after:?}");
        }
    }
}

#[test]
fn what_is_another_limit_begins_empty() {
    let buckets: Buckets<'_> = &[(10, "1 / 1d")];
    let old = limiter(limit("per-user", Part::Login, Cost::Recipient, buckets));
    send(&old, 10);
    for other in [
        limit("per-login", Part::Login, Cost::Recipient, buckets),
        limit("per-user", Part::Login, Cost::Message, buckets),
    ] {
        let new = limiter(other);
        restart(&old, &new);
        assert_eq!(levels(&new), [0]);
    }
}

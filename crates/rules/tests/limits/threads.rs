//! Many connections at once: whatever they do, no window holds more accepted recipients than burst + rate * its length.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use base::Timestamp;
use rules::limits::{Cost, Limiter, Outcome, Part, RESERVATION_LIFE, Sending, Unkept};

use super::model::{Dice, limit};

/// Threads, each of which plays many connections.
const THREADS: u64 = 8;

fn sending<'a>(session: &'a str, login: &'a str, recipients: u32) -> Sending<'a> {
    Sending { session, instance: "1", login: Some(login), recipients, ..Sending::default() }
}

#[test]
fn of_three_hundred_messages_at_once_ten_pass() {
    let limits = vec![limit("per-user", Part::Login, Cost::Recipient, &[(10, "1 / 1min"), (100, "30 / 60min")])];
    let limiter = Limiter::new(limits, 1000, [1; 16], Box::new(Unkept));
    let now = Timestamp::from_secs(1_795_247_139);
    let (passed, start) = (AtomicU64::new(0), Barrier::new(THREADS as usize));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (limiter, passed, start) = (&limiter, &passed, &start);
            scope.spawn(move || {
                start.wait();
                for number in 0..=(300 / THREADS) {
                    let session = format!("{thread}.{number}");
                    // The capitals are those of the client's choice.
                    let login = if number % 2 == 0 { "C3@Example.ORG" } else { "c3@example.org" };
                    if limiter.reserve(now, &sending(&session, login, 1)) == Outcome::Pass {
                        passed.fetch_add(1, Ordering::Relaxed);
                    }
                }
                // Only when all have asked does the first one end.
                start.wait();
                for number in 0..=(300 / THREADS) {
                    let session = format!("{thread}.{number}");
                    // Also of those that were refused: they are not accepted now either.
                    let _outcome = limiter.settle(now, &sending(&session, "c3@example.org", 1));
                }
            });
        }
    });
    assert_eq!(passed.load(Ordering::Relaxed), 10);
    let fills = limiter.explain(now, &Sending { login: Some("c3@example.org"), ..Sending::default() });
    assert_eq!((fills[0].level_milli, fills[0].pending), (10_000, 0));
}

/// A million-recipient message on an unused account, and a recipient that other software lets everything pass for.
#[test]
fn a_new_account_has_no_free_message() {
    let limits = vec![limit("per-user", Part::Login, Cost::Recipient, &[(10, "1 / 1min")])];
    let limiter = Limiter::new(limits, 1000, [1; 16], Box::new(Unkept));
    let now = Timestamp::from_secs(1_795_247_139);
    assert!(
        matches!(limiter.reserve(now, &sending("a", "new@example.org", 1000)), Outcome::Over(over) if over.passes_at.is_none())
    );
    assert_eq!(limiter.reserve(now, &sending("b", "new@example.org", 10)), Outcome::Pass);
    assert!(matches!(limiter.reserve(now, &sending("c", "new@example.org", 1)), Outcome::Over(_)));
}

#[test]
fn no_window_holds_more_than_the_bound() {
    let (burst, rate_ms) = (20, 50);
    let limits = vec![limit("per-user", Part::Login, Cost::Recipient, &[(burst, "20 / 1s")])];
    let limiter = Limiter::new(limits, 1000, [1; 16], Box::new(Unkept));
    let clock = AtomicU64::new(1_795_247_139_000);
    let accepted = Arc::new(Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (limiter, clock, accepted) = (&limiter, &clock, Arc::clone(&accepted));
            scope.spawn(move || {
                let mut dice = Dice::new(thread + 77);
                let mut mine = Vec::new();
                for number in 0..4000 {
                    if thread == 0 && number % 100 == 0 {
                        // Those that vanished time out, also under the hands of those that did not.
                        let late = clock.fetch_add(RESERVATION_LIFE.as_millis() as u64, Ordering::SeqCst);
                        limiter.poll(Timestamp::from_millis(late));
                    }
                    let session = format!("{thread}.{number}");
                    let recipients = 1 + dice.below(3) as u32;
                    let asked = Timestamp::from_millis(clock.fetch_add(dice.below(3), Ordering::SeqCst));
                    if limiter.reserve(asked, &sending(&session, "a@example.org", recipients)) != Outcome::Pass {
                        continue;
                    }
                    match dice.below(10) {
                        0 => limiter.release(asked, &session, "1"),
                        1 => {}
                        _ => {
                            // What is accepted is accepted after the clock was read, and before it is read again.
                            let from = clock.fetch_add(dice.below(2), Ordering::SeqCst);
                            let (at, sending) =
                                (Timestamp::from_millis(from), sending(&session, "a@example.org", recipients));
                            if limiter.settle(at, &sending) == Outcome::Pass {
                                mine.push((from, recipients));
                            }
                        }
                    }
                }
                accepted.lock().unwrap().extend(mine);
            });
        }
    });
    let mut accepted = Arc::try_unwrap(accepted).unwrap().into_inner().unwrap();
    accepted.sort_unstable();
    assert!(accepted.len() > 200, "{} were accepted", accepted.len());
    // The bound for every pair of moments, by the lowest of (sum before - leaked before) so far.
    let (mut sum, mut lowest) = (0_i64, i64::MAX);
    for (at, recipients) in accepted {
        let leaked = at.cast_signed();
        lowest = lowest.min(sum * rate_ms - leaked);
        sum += i64::from(recipients);
        assert!(sum * rate_ms - leaked - lowest <= burst.cast_signed() * rate_ms, "more than {burst} + rate * time");
    }
}

#[test]
fn a_recipient_asked_for_twice_in_a_row_is_one() {
    let limits = vec![limit("per-user", Part::Login, Cost::Recipient, &[(10, "1 / 1min")])];
    let limiter = Limiter::new(limits, 1000, [1; 16], Box::new(Unkept));
    let now = Timestamp::from_secs(1);
    let to = |recipient: &'static str| {
        let to: &'static [&'static str] = Box::leak(Box::new([recipient]));
        Sending { to, ..sending("", "alice@example.org", 1) }
    };
    // Two of Postfix' connections ask about each recipient in turn.
    for recipient in ["bob@example.net", "bob@example.net", "carol@example.net", "carol@example.net"] {
        assert_eq!(limiter.reserve(now, &to(recipient)), Outcome::Pass);
    }
    let reserved = |limiter: &Limiter| limiter.explain(now, &sending("", "alice@example.org", 0))[0].pending;
    assert_eq!(reserved(&limiter), 2);
    assert_eq!(limiter.reserve_all(now, &sending("", "alice@example.org", 2)), Outcome::Pass);
    assert_eq!(reserved(&limiter), 2, "both have room already");
    assert_eq!(limiter.reserve_all(now, &sending("", "alice@example.org", 3)), Outcome::Pass);
    assert_eq!(reserved(&limiter), 3);
}

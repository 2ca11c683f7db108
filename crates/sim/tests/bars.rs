//! The bars: how many a thief reaches before the account is locked, and that nobody is locked who is none.
//!
//! `RATTER_SOAK=1` runs 100,000 days of honest people and 500 thefts of each kind; without, a tenth of them. `make sim`
//! prints the table, `RATTER_SIM_SEED=2` that of other people.

use core::time::Duration;

use rules::accounts::Ladder;
use sim::{BEGIN, DAY, Habit, Person, Server, Theft, steal};

/// Days of an owner's life before his password is stolen.
const BEFORE: u64 = 40;
/// Days for which an honest person is watched.
const DAYS: u64 = 200;
/// The ladder that the documentation recommends to those who want accounts locked.
const LADDER: Ladder = Ladder { note: Some(10), lock_login: Some(16), ..Ladder::NONE };
/// The bars: recipients reached before the lock.
const MEDIAN_MAX: u32 = 10;
const MOST_MAX: u32 = 25;
/// Without limits one small group is reached: a burst of ten is what the limits are for.
const MEDIAN_WITHOUT_LIMITS_MAX: u32 = 12;

/// The people's numbers begin here; another beginning makes other people.
fn seed() -> u64 {
    std::env::var_os("RATTER_SIM_SEED").and_then(|seed| seed.to_str()?.parse().ok()).unwrap_or(1)
}

/// How many people are watched, and how many are robbed in each way.
fn people() -> u64 {
    if std::env::var_os("RATTER_SOAK").is_some() { 500 } else { 50 }
}

const fn habit(number: u64) -> Habit {
    match number % 10 {
        0..=4 => Habit::Plain,
        5..=6 => Habit::Traveller,
        7 => Habit::PhoneOnly,
        8 => Habit::Newsletter,
        _ => Habit::ListOwner,
    }
}

/// Somebody, and his server on which `days` have passed; how often somebody would have been told of him.
#[expect(clippy::print_stdout, reason = "whoever is locked is shown with the signs, so that they can be judged")]
fn lived(number: u64, days: u64, has_limits: bool, has_geo: bool) -> (Server, Person) {
    let mut server = Server::new(LADDER, has_limits, has_geo);
    let mut person = Person::new(seed() * 1_000_000 + number, habit(number));
    for day in 0..days {
        for mail in person.day(day) {
            let was_locked = server.locked_at(&person.login).is_some();
            if server.send(&person.login, &mail).is_locked && !was_locked {
                println!("{} {:?} day {day}: {}", person.login, habit(number), server.explain(mail.at, &person.login));
            }
        }
    }
    (server, person)
}

/// How many recipients a thief reaches from each of the accounts, in order, and how many of the thieves were locked out.
fn thefts(theft: Theft, has_limits: bool, has_geo: bool) -> (Vec<u32>, usize) {
    let mut locked = 0;
    let mut reached = Vec::new();
    for number in 0..people() {
        let (mut server, owner) = lived(number, BEFORE, has_limits, has_geo);
        if server.locked_at(&owner.login).is_some() {
            // That fault is the other test's; of such an account nothing can be stolen.
            continue;
        }
        let from = BEGIN.plus(Duration::from_secs(BEFORE * DAY + 3 * 3600));
        let mails = steal(theft, &owner, from, number);
        reached.push(mails.iter().map(|mail| server.send(&owner.login, mail).reached).sum());
        locked += usize::from(server.locked_at(&owner.login).is_some());
    }
    reached.sort_unstable();
    (reached, locked)
}

#[test]
fn a_thief_reaches_few_before_the_account_is_locked() {
    let mut faults = Vec::new();
    println!("{:<11} {:>6} {:>9} {:>7} {:>5} {:>10}", "theft", "limits", "countries", "median", "most", "locked");
    for theft in Theft::ALL {
        for (has_limits, has_geo) in [(true, true), (true, false), (false, true)] {
            let (reached, locked) = thefts(theft, has_limits, has_geo);
            let (median, most) = (reached[reached.len() / 2], reached[reached.len() - 1]);
            let name = format!("{theft:?}");
            println!("{name:<11} {has_limits:>6} {has_geo:>9} {median:>7} {most:>5} {locked:>6}/{}", reached.len());
            let median_max = match (theft, has_limits, has_geo) {
                (Theft::SmallGroups, false, _) => MEDIAN_WITHOUT_LIMITS_MAX,
                // One group looks like those that travellers meet.
                (Theft::SmallGroups, true, false) => MOST_MAX,
                _ => MEDIAN_MAX,
            };
            let enough = match (theft, has_geo) {
                // A few invoices over three days, half of them to friends, are those of a traveller; but not if he never
                // was in that country with that program.
                (Theft::Fraud, true) => reached.len() / 3,
                (Theft::Fraud, false) => 0,
                _ => reached.len(),
            };
            if median > median_max || most > MOST_MAX || locked < enough {
                faults.push(format!("{name} limits {has_limits} countries {has_geo}"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn nobody_is_locked_who_is_no_thief() {
    let mut all = 0;
    for (has_limits, has_geo) in [(true, true), (false, true), (false, false)] {
        let (mut locked, mut noted) = (0, 0);
        for number in 0..people() {
            // Other people than those who are robbed.
            let (server, person) = lived(10_000 + number, DAYS, has_limits, has_geo);
            locked += usize::from(server.locked_at(&person.login).is_some());
            noted += server.noted();
        }
        let days = people() * DAYS;
        println!("{days} clean user-days, limits {has_limits}, countries {has_geo}: {locked} locked, {noted} told of");
        all += locked;
    }
    assert_eq!(all, 0);
}

//! `kill -9` at any instant: what was accepted before it and what is accepted after it keep the bound together.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use base::Timestamp;
use rules::limits::{Bucket, By, Cost, Limit, LimitEffect, LimitMode, Limiter, Outcome, Part, Rate, Sending};
use store::ChargeLog;

/// Names the state directory for the process that is to be killed.
const CHILD: &str = "RATTER_CHARGES_TEST_CHILD";

/// How often a process is killed, and after how many times the state directory is new.
const ROUNDS: u64 = 120;
const ROUNDS_PER_DIRECTORY: u64 = 12;

/// Large enough that a process does not reach it, so that what is counted is what it accepted.
const BURST: u64 = 1_000_000;

fn limiter(log: &Arc<ChargeLog>) -> Limiter {
    let bucket = |burst| Bucket::new(burst, Rate::parse("1 / 300d").unwrap()).unwrap();
    let limit = Limit {
        name: "per-user".into(),
        by: By { first: Part::Login, second: None },
        cost: Cost::Recipient,
        mode: LimitMode::Strict,
        buckets: [bucket(BURST), bucket(BURST / 2)].into(),
        effect: LimitEffect::Defer,
        except_logins: Box::default(),
        except_networks: Box::default(),
    };
    Limiter::new(vec![limit], 1000, [7; 16], Box::new(Arc::clone(log)))
}

/// A limiter as it is after a start, with the time it starts at.
fn start(directory: &Path) -> (Arc<ChargeLog>, Limiter, Timestamp) {
    let (log, kept) = ChargeLog::open(directory, Timestamp::from_secs(1_795_247_139)).unwrap();
    let log = Arc::new(log);
    let limiter = limiter(&log);
    kept.read(|charge| limiter.restore(kept.clock, charge));
    log.write_afresh(kept.clock, |tell| limiter.tell_all(kept.clock, tell)).unwrap();
    (log, limiter, kept.clock)
}

/// Not a test of its own: the process that is killed. Accepts message after message, and says so.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let (log, limiter, now) = start(Path::new(&directory));
    for number in 0_u64.. {
        let instance = number.to_string();
        let sending =
            Sending { session: "s", instance: &instance, login: Some("a"), recipients: 1, ..Sending::default() };
        assert_eq!(limiter.reserve(now, &sending), Outcome::Pass);
        assert_eq!(limiter.settle(now, &sending), Outcome::Pass);
        // From here on the mail server is told; it was kept before.
        println!("accepted");
        if number % 500 == 499 {
            log.write_afresh(now, |tell| limiter.tell_all(now, tell)).unwrap();
        }
    }
}

#[test]
fn killed_at_any_instant_it_forgets_nothing_that_was_accepted() {
    let mut directory = tempfile::tempdir().unwrap();
    let (mut accepted, mut total, mut random) = (0, 0, 0x2545_f491_4f6c_dd1d_u64);
    for round in 0..ROUNDS {
        if round % ROUNDS_PER_DIRECTORY == 0 {
            (directory, accepted) = (tempfile::tempdir().unwrap(), 0);
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["charges::child", "--exact", "--nocapture"])
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let wanted = random % 1500;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_accepted = |line: &std::io::Result<String>| matches!(line, Ok(line) if line.ends_with("accepted"));
        let mut told = lines.by_ref().filter(is_accepted).take(wanted as usize).count() as u64;
        child.kill().unwrap();
        child.wait().unwrap();
        told += lines.filter(is_accepted).count() as u64;
        (accepted, total) = (accepted + told, total + told);
        let (_, limiter, now) = start(directory.path());
        let fill = limiter.explain(now, &Sending { login: Some("a"), ..Sending::default() })[0];
        // The last message may have been kept and not told any more; each round can add one such.
        let level = fill.level_milli.div_ceil(1000);
        assert!(level >= accepted, "round {round}: {accepted} were accepted, {level} are known");
        assert!(level <= accepted + ROUNDS_PER_DIRECTORY, "round {round}: {accepted} were accepted, {level} are known");
    }
    assert!(total > 10 * ROUNDS, "the processes hardly accepted: {total}");
}

#[test]
fn what_a_person_emptied_stays_empty() {
    let directory = tempfile::tempdir().unwrap();
    let (_, limiter, now) = start(directory.path());
    let sending = Sending { session: "s", instance: "1", login: Some("a"), recipients: 5, ..Sending::default() };
    assert_eq!(limiter.settle(now, &sending), Outcome::Pass);
    assert!(
        limiter.empty(&Sending { login: Some("A"), ..Sending::default() })
            && !limiter.empty(&Sending { login: Some("b"), ..Sending::default() })
    );
    assert_eq!(limiter.settle(now, &Sending { instance: "2", ..sending }), Outcome::Pass);
    let (_, limiter, now) = start(directory.path());
    assert_eq!(
        limiter.explain(now, &Sending { login: Some("a"), ..Sending::default() })[0].level_milli.div_ceil(1000),
        5
    );
}

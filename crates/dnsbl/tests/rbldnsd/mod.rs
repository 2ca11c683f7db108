//! The same files and the same questions for Debian's rbldnsd and for the zones from files, over loopback. Every
//! difference between the two replies must be one that `docs/rbldnsd.md` names.

#![expect(clippy::disallowed_methods, reason = "a real server has files, and takes real time")]

mod compare;
mod files;
mod peers;
mod questions;
mod random;

use std::collections::BTreeMap;

use compare::{DIFFERENCES, difference};
use files::World;
use peers::{Ours, Peer};
use questions::{adversarial, generated};
use random::Random;

/// Worlds of files, and questions for each: generated and adversarial.
const ROUNDS: [u64; 3] = [8, 1500, 400];

/// The same with `RATTER_SOAK`: a million generated questions and a hundred thousand adversarial ones.
const SOAK_ROUNDS: [u64; 3] = [100, 10_000, 1000];

/// Questions that are under way at once: rbldnsd's receive buffer holds not many more.
const WINDOW: usize = 64;

#[test]
fn replies_are_those_of_rbldnsd() {
    let [rounds, plain, odd] = if std::env::var_os("RATTER_SOAK").is_some() { SOAK_ROUNDS } else { ROUNDS };
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    let mut unexplained = Vec::new();
    for seed in 1..=rounds {
        let mut random = Random::new(seed);
        let world = World::new(&mut random);
        let (ours, theirs) = (Ours::start(&world), Peer::start(&world));
        let mut questions: Vec<_> = (0..plain).map(|_| generated(&world, &mut random)).collect();
        questions.extend((0..odd).map(|_| adversarial(&world, &mut random)));
        for chunk in questions.chunks(WINDOW) {
            let messages: Vec<_> = chunk.iter().enumerate().map(|(id, question)| question.message(id as u16)).collect();
            let replies = ours.ask(&messages).into_iter().zip(theirs.ask(&messages));
            for (question, (ours, theirs)) in chunk.iter().zip(replies) {
                match difference(question, &ours, &theirs) {
                    Ok(names) => names.into_iter().for_each(|name| *seen.entry(name).or_default() += 1),
                    Err(why) => unexplained.push(format!("seed {seed}: {question:?}\n{why}")),
                }
            }
        }
        let first: Vec<_> = unexplained.iter().take(6).map(String::as_str).collect();
        assert!(first.is_empty(), "{} differences\n{}\n{}", unexplained.len(), first.join("\n\n"), world.text());
    }
    let total = rounds * (plain + odd);
    println!("{total} questions; differences: {seen:?}");
    for name in DIFFERENCES {
        assert!(seen.contains_key(name), "no question shows the difference `{name}`");
    }
}

#[test]
fn every_difference_is_documented() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rbldnsd.md");
    let page = std::fs::read_to_string(page).unwrap();
    for name in DIFFERENCES {
        assert!(page.contains(&format!("| `{name}` |")), "docs/rbldnsd.md does not name `{name}`");
    }
}

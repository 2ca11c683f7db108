//! The classifier on real names: learnt anew without the domain of each name that it judges, so that the figures are those
//! of names it has never seen.
#![cfg(feature = "train")]
#![expect(clippy::disallowed_methods, reason = "a test reads its material and the environment")]
#![expect(clippy::print_stdout, reason = "it says what was not looked at")]

use rdns::classify::train::{Labelled, Sample, folds, read, train};
use rdns::classify::{Class, Classifier, Model, Verdict};

/// The labelled names; none where the folder of samples is not there.
fn names() -> Option<Vec<(Labelled, String)>> {
    let Ok(folder) = std::env::var("RATTER_SHARED") else {
        println!("RATTER_SHARED is not set: no real name was looked at, this test shows nothing");
        return None;
    };
    let text = std::fs::read_to_string(format!("{folder}/corpora/ptr-dev.jsonl")).expect("the names are in the folder");
    let kind = |line: &str| {
        line.split_once("\"kind\": \"").map_or("", |(_, rest)| rest.split('"').next().unwrap_or("")).to_owned()
    };
    Some(text.lines().map(|line| (read(line).expect("a labelled name"), kind(line))).collect())
}

struct Figures {
    f1: f64,
    senders: usize,
    fixed: f64,
    opaque: f64,
}

fn figures(names: &[(Labelled, String)], verdicts: &[Verdict]) -> Figures {
    let count = |of: &dyn Fn(Class, &str, bool) -> bool| {
        let hits = names
            .iter()
            .zip(verdicts)
            .filter(|((row, kind), verdict)| of(row.sample.class, kind, verdict.class == Some(Class::Dynamic)));
        hits.count()
    };
    let share = |part: usize, all: usize| part as f64 / all as f64;
    let right = count(&|class, _, said| class == Class::Dynamic && said);
    let either = count(&|class, _, _| class == Class::Dynamic) + count(&|_, _, said| said);
    Figures {
        f1: share(2 * right, either),
        senders: count(&|_, kind, said| kind == "mail-sender" && said),
        fixed: share(
            count(&|class, _, said| class == Class::StaticGeneric && said),
            count(&|class, _, _| class == Class::StaticGeneric),
        ),
        opaque: share(
            count(&|class, kind, said| class == Class::Dynamic && kind == "opaque" && said),
            count(&|class, kind, _| class == Class::Dynamic && kind == "opaque"),
        ),
    }
}

#[test]
fn names_of_unseen_domains_are_judged_well() {
    let Some(names) = names() else { return };
    let samples: Vec<Labelled> = names.iter().map(|(row, _)| row.clone()).collect();
    let with = figures(&names, &folds(&samples, 0, Classifier::new));
    assert!(with.f1 >= 0.965, "F1 for dynamic {:.3}", with.f1);
    assert!(with.senders <= 1, "{} mail senders called dynamic", with.senders);
    assert!(with.fixed <= 0.08, "static-generic called dynamic {:.3}", with.fixed);
    assert!(with.opaque >= 0.92, "recall of opaque names {:.3}", with.opaque);
    // And without the table of known networks: what the names alone tell.
    let bare = figures(&names, &folds(&samples, 0, Classifier::without_zones));
    assert!(bare.f1 >= 0.963, "F1 for dynamic {:.3}", bare.f1);
    assert!(bare.fixed <= 0.085, "static-generic called dynamic {:.3}", bare.fixed);
    assert!(bare.opaque >= 0.91, "recall of opaque names {:.3}", bare.opaque);
    assert!(bare.senders <= 3, "{} mail senders called dynamic", bare.senders);
}

#[test]
fn the_shipped_model_is_what_the_command_makes() {
    let Some(names) = names() else { return };
    let samples: Vec<Sample> = names.into_iter().map(|(row, _)| row.sample).collect();
    let [again, shipped] = [train(&samples), Model::shipped()].map(|model| model.to_bytes());
    assert!(
        again == shipped,
        "learn it anew: cargo run --release -p ratter-rdns --example names --features train -- learn"
    );
}

//! Makes the model of the name classifier, and measures it on names it has not seen.
//!
//! ```text
//! names learn FILE MODEL      learns from all names of FILE and writes crates/rdns/src/classify/model.bin
//! names folds FILE [bare] [SEED]   prints the class of each name, judged by a model that saw no name of its domain;
//!                             with `bare`, without the table of known networks; SEED parts the domains otherwise
//! names speed FILE [MODEL]    judges the names for a while and prints names per second of processor time
//! ```
//!
//! FILE holds a JSON object a line with `ip`, `ptr`, `label` and `domain`, such as `corpora/ptr-dev.jsonl`. With
//! `ptr_eval.py --cmd 'names folds FILE'` the figures are those of a classifier that never saw the domains it judges.
#![expect(clippy::disallowed_methods, reason = "a measurement reads files and clocks")]
#![expect(clippy::print_stdout, reason = "its output is for the terminal")]

use std::process::ExitCode;
use std::time::Duration;

use rdns::classify::train::{Labelled, folds, read, train};
use rdns::classify::{Classifier, Model, Verdict};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["learn", file, model] => {
            let bytes = train(&samples(file).into_iter().map(|row| row.sample).collect::<Vec<_>>()).to_bytes();
            std::fs::write(model, &bytes).expect("the model can be written");
            println!("{} bytes", bytes.len());
        }
        ["folds", file, "bare", seed @ ..] => print(&folds(&samples(file), number(seed), Classifier::without_zones)),
        ["folds", file, seed @ ..] => print(&folds(&samples(file), number(seed), Classifier::new)),
        ["speed", file] => speed(&samples(file), &Classifier::shipped()),
        ["speed", file, model] => {
            let bytes = std::fs::read(model).expect("the model can be read");
            speed(&samples(file), &Classifier::new(Model::read(&bytes).expect("it is a model")));
        }
        _ => {
            println!("names learn FILE MODEL | names folds FILE [bare] | names speed FILE");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn samples(file: &str) -> Vec<Labelled> {
    let text = std::fs::read_to_string(file).expect("the file of names can be read");
    text.lines().map(|line| read(line).expect("each line is a name with its class")).collect()
}

fn print(verdicts: &[Verdict]) {
    for verdict in verdicts {
        let class = verdict.class.map_or("unknown", |class| class.name());
        println!("{class}\t{}", verdict.reason);
    }
}

fn number(given: &[&str]) -> u32 {
    given.first().map_or(0, |text| text.parse().expect("the seed is a number"))
}

fn speed(samples: &[Labelled], classifier: &Classifier) {
    const ROUNDS: usize = 500;
    let mut session = classifier.session();
    let start = processor_time();
    let dynamic = (0..ROUNDS)
        .flat_map(|_| samples)
        .filter(|row| session.classify(row.sample.address, &row.sample.name).class.is_some())
        .count();
    let names = ROUNDS * samples.len();
    println!(
        "{names} names, {dynamic} classed, {:.0} names/s",
        names as f64 / processor_time().saturating_sub(start).as_secs_f64()
    );
}

/// How long this thread has had a processor: what else runs on the machine is not counted.
fn processor_time() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel counts it");
    let nanos = told.split(' ').next().and_then(|text| text.parse().ok()).expect("the first number is it");
    Duration::from_nanos(nanos)
}

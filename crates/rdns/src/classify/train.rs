//! Learns the weights from names with known classes: two logistic regressions, the same weights on every run.

use std::net::IpAddr;

use super::facts::Facts;
use super::features::{self, Tables};
use super::model::{BUCKETS, Model};
use super::name::Name;
use super::prior;
use super::{Class, Classifier, Verdict};

/// A name whose class is known.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The address that has the name, if it is known.
    pub address: Option<IpAddr>,
    /// The reverse name.
    pub name: Vec<u8>,
    /// Its class.
    pub class: Class,
}

/// How often all samples are gone through.
const ROUNDS: usize = 12;

/// Of so many of the last rounds the mean is taken.
const MEAN_OF: usize = 2;

/// First step of a weight; it shrinks with the square root of what the weight has moved.
const STEP: f32 = 0.07;

/// How strongly weights are drawn to zero, so that what was seen once does not decide.
const DECAY: f32 = 0.0005;

/// One of so many rounds sees facts about the brand; the others must do without, because most brands are unknown later.
const BRAND_ROUNDS: usize = 3;

/// How much less each sample of a zone weighs that has many: by this power of their number.
const ZONE_POWER: f32 = 0.3;

struct Row {
    facts: Vec<u16>,
    /// So many of the first facts are about the brand.
    brand: usize,
    prior: [f32; 2],
    answers: [Option<bool>; 2],
    weight: f32,
}

/// Learns from the samples. Names that cannot be read are left out.
pub fn train(samples: &[Sample]) -> Model {
    let rows = rows(samples);
    let mut learner = Learner::new();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    // The mean of the last rounds depends less on the order of the last samples.
    let mut mean = Learner::new();
    for round in 0..ROUNDS {
        for i in (1..order.len()).rev() {
            order.swap(i, dice.below(i + 1));
        }
        for &row in &order {
            learner.learn(&rows[row], round % BRAND_ROUNDS == 0);
        }
        if round + MEAN_OF >= ROUNDS {
            mean.add(&learner);
        }
    }
    Model::of(mean.bias, &mean.weights)
}

/// Each sample twice: with its address and without, so that an unknown address neither helps nor hurts. Zones with many
/// samples weigh less a sample, or the big networks would be learnt by heart.
fn rows(samples: &[Sample]) -> Vec<Row> {
    let tables = Tables::new();
    let zone = |sample: &Sample| Name::read(&sample.name).map(|name| name.zone().to_vec());
    let mut zones = std::collections::BTreeMap::new();
    for sample in samples {
        *zones.entry(zone(sample)).or_insert(0_u16) += 1;
    }
    let mut rows = Vec::new();
    for sample in samples {
        let Some(name) = Name::read(&sample.name) else { continue };
        let weight = f32::from(zones[&zone(sample)]).powf(-ZONE_POWER);
        for (address, weight) in [(sample.address, weight), (None, weight * 0.5)] {
            let mut facts = Facts::new();
            let (marks, kinds) = features::read(&name, address, &tables, &mut facts);
            let (facts, brand) = (facts.all().to_vec(), facts.brand());
            let prior = prior::of_name(&marks, kinds);
            let generated = sample.class != Class::Mailserver;
            let answers = [Some(generated), generated.then_some(sample.class == Class::Dynamic)];
            rows.push(Row { facts, brand, prior, answers, weight });
        }
    }
    rows
}

struct Learner {
    bias: [f32; 2],
    weights: Vec<[f32; 2]>,
    moved: Vec<[f32; 2]>,
}

impl Learner {
    fn new() -> Self {
        Self { bias: [0.0; 2], weights: vec![[0.0; 2]; BUCKETS], moved: vec![[1.0; 2]; BUCKETS] }
    }

    /// Adds the weights of another one's round to a mean.
    fn add(&mut self, other: &Self) {
        let share = 1.0 / MEAN_OF as f32;
        let add = |sum: &mut [f32; 2], one: &[f32; 2]| [0, 1].map(|question| sum[question] += share * one[question]);
        add(&mut self.bias, &other.bias);
        for (sum, one) in self.weights.iter_mut().zip(&other.weights) {
            add(sum, one);
        }
    }

    fn learn(&mut self, row: &Row, with_brand: bool) {
        let facts = &row.facts[if with_brand { 0 } else { row.brand }..];
        for question in [0, 1] {
            let Some(answer) = row.answers[question] else { continue };
            let sum = facts.iter().map(|&fact| self.weights[usize::from(fact)][question]).sum::<f32>();
            let odds = row.prior[question] + self.bias[question] + sum;
            let chance = 1.0 / (1.0 + (-odds).exp());
            let error = (chance - f32::from(u8::from(answer))) * row.weight;
            self.bias[question] -= STEP * 0.1 * error;
            for bucket in facts.iter().copied().map(usize::from) {
                let (weight, moved) = (&mut self.weights[bucket][question], &mut self.moved[bucket][question]);
                let slope = error + DECAY * *weight;
                *moved += slope * slope;
                *weight -= STEP * slope / moved.sqrt();
            }
        }
    }
}

/// A seeded sequence of numbers (xorshift64*), for the order of the samples.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// A sample with the domain by which it is put into a fold.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// The name and its class.
    pub sample: Sample,
    /// Its registrable domain; names of one domain stand in one fold.
    pub domain: String,
}

/// Reads a line of labelled names: a JSON object with `ip`, `ptr`, `label` and `domain`. None if it is something else.
pub fn read(line: &str) -> Option<Labelled> {
    let class = match field(line, "label")? {
        "dynamic" => Class::Dynamic,
        "static-generic" => Class::StaticGeneric,
        "mailserver" => Class::Mailserver,
        _ => return None,
    };
    let sample = Sample { address: field(line, "ip")?.parse().ok(), name: field(line, "ptr")?.into(), class };
    Some(Labelled { sample, domain: field(line, "domain")?.to_owned() })
}

/// The text of a field of a flat object, whose texts have no escapes.
fn field<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = line.split_once(&format!("\"{key}\": \""))?.1;
    rest.split_once('"').map(|(value, _)| value)
}

/// How many parts the names are put into, by domain.
const FOLDS: usize = 10;

/// The verdict on each sample by a classifier whose model saw no name of the same domain. Another seed puts the domains
/// into other parts: how far figures differ by it is how far one of them can be trusted.
pub fn folds(samples: &[Labelled], seed: u32, classifier: impl Fn(Model) -> Classifier) -> Vec<Verdict> {
    let fold = |row: &Labelled| {
        let hash =
            row.domain.bytes().fold(5381_u32.wrapping_add(seed), |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte));
        (hash.wrapping_mul(0x9e37_79b1) >> 16) as usize % FOLDS
    };
    let classifiers: Vec<Classifier> = (0..FOLDS)
        .map(|out| {
            let rest: Vec<Sample> =
                samples.iter().filter(|row| fold(row) != out).map(|row| row.sample.clone()).collect();
            classifier(train(&rest))
        })
        .collect();
    samples.iter().map(|row| classifiers[fold(row)].classify(row.sample.address, &row.sample.name)).collect()
}

//! The windows equal a naive model: a list of all events, counted anew at each.
//!
//! `RATTER_MODEL_EVENTS` in the environment of the compiler sets how many events are tried, ten million without it.

use std::collections::BTreeSet;
use std::time::Duration;

use base::Timestamp;
use rules::{Keys, LATE_MAX, Overflow, Shape, Windows};

/// Events over all scenarios and seeds.
const EVENTS: u64 = match option_env!("RATTER_MODEL_EVENTS") {
    Some(text) => match u64::from_str_radix(text, 10) {
        Ok(events) => events,
        Err(_) => panic!("RATTER_MODEL_EVENTS is a number of events"),
    },
    None => 10_000_000,
};
const SEEDS: u64 = 4;
const KEYS: u64 = 5;

/// Marsaglia's xorshift64*, so that a seed means the same events for ever.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}

/// All events of one key and section since the last overflow, in ticks.
#[derive(Default, Clone)]
struct Naive(Vec<(u64, u32)>);

impl Naive {
    fn observe(&mut self, shape: &Shape, at: Timestamp, tag: u32) -> Option<Overflow> {
        let tick = tick_of(shape);
        let span = shape.span.as_millis() as u64 / tick;
        self.0.push((at.as_millis() / tick, tag));
        let newest = self.0.iter().map(|(time, _)| *time).max()?;
        self.0.retain(|(time, _)| time + span >= newest);
        let tags: BTreeSet<u32> = self.0.iter().map(|(_, tag)| *tag).collect();
        if self.0.len() < usize::from(shape.count) || tags.len() < usize::from(shape.distinct) {
            return None;
        }
        self.0.sort_unstable();
        let first = self.0[self.0.len() - usize::from(shape.count)].0;
        self.0.clear();
        Some(Overflow {
            count: shape.count,
            distinct: shape.distinct,
            first: Timestamp::from_millis(first * tick),
            last: Timestamp::from_millis(newest * tick),
        })
    }
}

fn tick_of(shape: &Shape) -> u64 {
    if shape.span > Duration::from_hours(10 * 24) { 1000 } else { 1 }
}

const fn shape(count: u16, distinct: u16, secs: u64) -> Shape {
    Shape { count, distinct, span: Duration::from_secs(secs) }
}

/// Tables with the span by which their clock is paced.
const SCENARIOS: [(&[Shape], u64); 5] = [
    (&[shape(3, 2, 60)], 60),
    (&[shape(5, 0, 60), shape(5, 3, 60), shape(1, 0, 1)], 60),
    (&[shape(50, 0, 60), shape(8, 8, 60), shape(3, 1, 10)], 20),
    (&[shape(5, 3, 3600), shape(3, 2, 86_400), shape(4, 0, 600)], 3600),
    (&[shape(4, 3, 30 * 86_400), shape(3, 0, 60)], 20 * 86_400),
];

/// How far the clock moves, and how far back from it the event lies: mostly close, sometimes exactly a window apart,
/// seldom weeks.
fn next_time(random: &mut Random, clock: &mut u64, pace: u64, span: u64) -> u64 {
    *clock += match random.below(1000) {
        0 => random.below(100 * 86_400_000),
        1..20 => span,
        20..40 => span + 1,
        40..60 => span.saturating_sub(1),
        60..300 => random.below(pace / 2),
        300..700 => random.below(pace / 20),
        _ => random.below(3),
    };
    let late_max = LATE_MAX.as_millis() as u64;
    let late = match random.below(20) {
        0 => random.below(late_max + 1),
        1 => random.below(2 * span),
        2 => span,
        3 => span + 1,
        4..8 => random.below(pace / 10),
        _ => 0,
    };
    *clock - late.min(late_max)
}

fn run(seed: u64, shapes: &[Shape], pace: u64, events: u64) -> [u64; 2] {
    let (mut random, keys) = (Random(seed), Keys::new([seed as u8; 16]));
    let mut table: Windows = Windows::new(shapes, 1000);
    let mut model = vec![Naive::default(); shapes.len() * KEYS as usize];
    // Near the end of the range of 32-bit stamps, so that they wrap early.
    let mut clock = 3 * u64::from(u32::MAX) - 1_000_000;
    let (mut overflows, mut late) = (0, 0);
    for event in 0..events {
        let (key, section) = (random.below(KEYS), random.below(shapes.len() as u64) as usize);
        let at = next_time(&mut random, &mut clock, pace * 1000, shapes[section].span.as_millis() as u64);
        late += u64::from(at < clock);
        let (at, tag) = (Timestamp::from_millis(at), random.below(1 + 2 * u64::from(shapes[section].distinct)) as u32);
        let wanted = model[key as usize * shapes.len() + section].observe(&shapes[section], at, tag);
        let got = table.observe(keys.number(key), section, at, [tag]);
        assert_eq!(got, wanted, "seed {seed} event {event} {:?} at {at:?}", shapes[section]);
        overflows += u64::from(got.is_some());
    }
    [overflows, late]
}

#[test]
fn windows_equal_the_model() {
    let events = EVENTS.div_ceil(SEEDS * SCENARIOS.len() as u64);
    for (number, (shapes, pace)) in SCENARIOS.into_iter().enumerate() {
        for seed in 1..=SEEDS {
            let [overflows, late] = run(seed * 0x9E37_79B9 + number as u64, shapes, pace, events);
            assert!(overflows > events / 500 && late > events / 10, "{shapes:?} is not tried: {overflows} {late}");
        }
    }
}

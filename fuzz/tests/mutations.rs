//! Each target for a moment: its seeds, and random changes of them, some from a fixed beginning and some from one that is
//! new each time and is printed. `RATTER_SOAK=1` goes on for much longer, `RATTER_FUZZ_SEED` repeats a run.

#![expect(clippy::disallowed_methods, reason = "reads the environment, and a new seed from the clock")]

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::SystemTime;

use ratter_fuzz::{INPUT_BYTES_MAX, Target, targets};

/// The beginning that is the same each time.
const FIXED_SEED: u64 = 0x5eed;

/// Processor time that one input may take, in nanoseconds, unoptimized: a thousand times of what the longest takes.
const NANOS_MAX: u64 = 5_000_000_000;

/// Numbers that look random (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// Bytes that formats are made of.
const MARKS: &[&[u8]] = &[
    b" ",
    b": ",
    b"[",
    b"]",
    b"(",
    b")",
    b"<",
    b">",
    b"\"",
    b"'",
    b",",
    b"=",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xc3\xa9",
    b"-1",
    b"0",
    b"4294967296",
    b"99999999999999999999",
    b"203.0.113.5",
    b"2001:db8::1",
    b"%eth0",
    b"user=<",
    b", rip=",
    b" rhost=",
    b" from ",
    b"{",
    b"}",
    b"\\",
    b"\x80\x01\x10",
    b"\xc0\x0c",
];

/// An input made of a seed by a few changes.
fn changed(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        let (at, to) = (random.below(input.len() + 1), random.below(input.len() + 1));
        let (from, to) = (at.min(to), at.max(to));
        match random.below(8) {
            0 if at < input.len() => input[at] = random.next() as u8,
            1 if at < input.len() => input[at] ^= 1 << random.below(8),
            2 => drop(input.drain(from..to)),
            3 => input.truncate(at),
            4 => {
                let piece = input[from..to].to_vec();
                // Mostly twice, now and then as often as there is room for.
                let times = if random.below(16) == 0 { INPUT_BYTES_MAX / piece.len().max(1) } else { 1 };
                input.splice(at..at, piece.repeat(times.max(1)));
            }
            5 => {
                let other = &seeds[random.below(seeds.len())];
                input.splice(at..at, other[random.below(other.len() + 1)..].iter().copied());
            }
            _ => drop(input.splice(at..at, MARKS[random.below(MARKS.len())].iter().copied())),
        }
        input.truncate(INPUT_BYTES_MAX);
    }
    input
}

/// Nanoseconds that this thread was on a processor.
fn spent() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

fn run(target: &Target, input: &[u8]) -> Result<(), String> {
    let begin = spent();
    let ran = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let shown = || format!("{} with {:?}", target.name, String::from_utf8_lossy(&input[..input.len().min(2000)]));
    ran.map_err(|_| format!("panic of {}", shown()))?;
    let nanos = spent() - begin;
    if nanos > NANOS_MAX { Err(format!("{nanos} ns for {} bytes by {}", input.len(), shown())) } else { Ok(()) }
}

#[test]
fn nothing_panics_and_nothing_is_slow() {
    let is_soak = env::var_os("RATTER_SOAK").is_some();
    let given = env::var("RATTER_FUZZ_SEED").ok().and_then(|seed| seed.parse().ok());
    let new = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |time| time.as_nanos() as u64);
    let second = given.unwrap_or(new);
    println!("to repeat: RATTER_FUZZ_SEED={second}");
    let (mut inputs, mut faults) = (0u64, Vec::new());
    for target in targets() {
        assert!(!target.seeds.is_empty(), "{} has no seeds", target.name);
        faults.extend(target.seeds.iter().filter_map(|seed| run(&target, seed).err()));
        for seed in [FIXED_SEED, second] {
            let mut random = Random(seed);
            let until = spent() + if is_soak { 20_000_000_000 } else { 100_000_000 };
            for tried in 0.. {
                if tried >= 100 && spent() >= until {
                    break;
                }
                inputs += 1;
                if let Err(fault) = run(&target, &changed(&target.seeds, &mut random)) {
                    faults.push(fault);
                    break;
                }
            }
        }
    }
    println!("{inputs} inputs");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

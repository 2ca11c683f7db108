//! The learnt weights: what each fact adds to two questions.

use super::facts::Word;

/// Buckets that facts are hashed into.
pub(super) const BUCKETS: usize = 1 << 16;

/// Steps of a stored weight in one unit of log-odds.
const STEPS: f32 = 1024.0;

/// First bytes of a stored model, with the version of the facts it was trained on.
const MAGIC: &[u8; 8] = b"rdnsmod2";

/// Weights of all facts for both questions: did a machine make the name, and if so, for a line on which addresses change?
pub struct Model {
    bias: [i16; 2],
    weights: Box<[[i16; 2]; BUCKETS]>,
}

impl Model {
    /// Takes weights in log-odds; what does not fit a stored weight is cut.
    #[cfg(feature = "train")]
    pub(super) fn of(bias: [f32; 2], weights: &[[f32; 2]]) -> Self {
        let step = |weight: f32| (weight * STEPS).round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16;
        Self { bias: bias.map(step), weights: boxed(weights.iter().map(|pair| pair.map(step))) }
    }

    /// The model that comes with the program; `cargo run -p ratter-rdns --example names` makes it anew.
    pub fn shipped() -> Self {
        Self::read(include_bytes!("model.bin")).expect("the file beside this one was written by `to_bytes`")
    }

    /// Reads a stored model; none if it is of another length or version.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        if rest.len() != 4 * (BUCKETS + 1) {
            return None;
        }
        let pair = |bytes: &[u8]| [0, 2].map(|at| i16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let mut pairs = rest.chunks_exact(4).map(pair);
        Some(Self { bias: pairs.next()?, weights: boxed(pairs) })
    }

    /// The form in which it is stored: 256 KiB.
    pub fn to_bytes(&self) -> Vec<u8> {
        let pairs = std::iter::once(&self.bias).chain(self.weights.iter());
        MAGIC.iter().copied().chain(pairs.flatten().flat_map(|weight| weight.to_le_bytes())).collect()
    }

    /// What every name has, in steps.
    pub(super) fn bias(&self) -> [i32; 2] {
        self.bias.map(i32::from)
    }

    /// What was added to each question so far, and what the facts add, in steps. There are far too few facts to add up to
    /// more than fits.
    pub(super) fn weigh(&self, before: [i32; 2], facts: &[u16]) -> [i32; 2] {
        facts.iter().fold(before, |sums, &fact| {
            let [generated, dynamic] = self.weights[usize::from(fact)];
            [sums[0].wrapping_add(i32::from(generated)), sums[1].wrapping_add(i32::from(dynamic))]
        })
    }

    /// What one word adds to each question, in steps.
    pub(super) fn of_word(&self, word: Word) -> [i32; 2] {
        self.weights[usize::from(word.bucket)].map(i32::from)
    }
}

/// A sum of steps in log-odds.
pub(super) fn log_odds(steps: i32) -> f32 {
    steps as f32 / STEPS
}

/// Of a fixed size, so that no look-up needs its bounds checked. What is missing at the end weighs nothing.
fn boxed(pairs: impl Iterator<Item = [i16; 2]>) -> Box<[[i16; 2]; BUCKETS]> {
    let all: Vec<[i16; 2]> = pairs.chain(std::iter::repeat([0; 2])).take(BUCKETS).collect();
    all.into_boxed_slice().try_into().expect("exactly so many were taken")
}

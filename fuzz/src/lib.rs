//! Everything of Ratter that reads bytes from outside, as fuzz targets: each grammar and frame of a log line, reports,
//! patterns, DNS messages, the gate's HTTP and JSON, list files, and the configuration.
//!
//! A target fails by panicking. `tests/mutations.rs` tries each for a moment with random changes of its seeds, as a part of
//! the tests; `guided/` runs them under libFuzzer, which is led by what the code does (`make fuzz`).

mod asked;
mod gates;
mod logged;
mod mail;
mod written;

/// Longest input of a target, in bytes: more than the longest line that is read whole.
pub const INPUT_BYTES_MAX: usize = 80 * 1024;

/// What reads one input, and panics if that goes wrong.
pub type Run = Box<dyn Fn(&[u8]) + Send + Sync>;

/// Something that reads bytes from outside.
pub struct Target {
    /// Its name, also that of its folder of inputs.
    pub name: String,
    /// What to begin with: inputs that are read without fault.
    pub seeds: Vec<Vec<u8>>,
    /// Reads one input.
    pub run: Run,
}

impl Target {
    fn new(name: impl Into<String>, seeds: Vec<Vec<u8>>, run: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        Self { name: name.into(), seeds, run: Box::new(run) }
    }
}

/// All of them.
pub fn targets() -> Vec<Target> {
    let mut all = logged::targets();
    all.extend(asked::targets());
    all.extend(mail::targets());
    all.extend(gates::targets());
    all.extend(written::targets());
    all
}

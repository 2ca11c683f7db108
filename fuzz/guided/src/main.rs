//! One target under libFuzzer: `RATTER_FUZZ_TARGET=NAME ratter-fuzz-guided FOLDER…`. With `RATTER_FUZZ_SEEDS=FOLDER` it
//! writes the seeds of every target there instead, each into a folder of its name, and ends.

#![no_main]

use std::sync::LazyLock;
use std::{env, fs, path::Path, process};

use libfuzzer_sys::{Corpus, fuzz_target};
use ratter_fuzz::{Target, targets};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let wanted = env::var("RATTER_FUZZ_TARGET").unwrap_or_default();
    targets().into_iter().find(|target| target.name == wanted).unwrap_or_else(|| panic!("no target {wanted:?}"))
});

fn write_seeds(folder: &Path) -> std::io::Result<()> {
    for target in targets() {
        let folder = folder.join(&target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in target.seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}

fuzz_target!(
    init: {
        if let Some(folder) = env::var_os("RATTER_FUZZ_SEEDS") {
            write_seeds(Path::new(&folder)).expect("the seeds can be written");
            process::exit(0);
        }
        LazyLock::force(&TARGET);
    },
    |input: &[u8]| -> Corpus {
        (TARGET.run)(input);
        Corpus::Keep
    }
);

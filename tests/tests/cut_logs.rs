//! Logs that were cut while they were compressed or copied: what can be read is told, and that it is not all.

#![expect(clippy::disallowed_methods, reason = "files are cut here")]

use std::process::Command;

use console::api::WouldHave;
use ratter_tests::lines;
use ratter_tests::place::Place;
use ratter_tests::process::{program, run, write};
use ratter_tests::ratter::{Config, Node};

/// More than two megabytes of text, which are one piece to `xz`.
const LINES: usize = 20_000;

fn line(at: usize) -> String {
    let address = format!("203.0.{}.{}", at / 250, at % 250 + 1);
    format!("Nov 21 07:44:{:02} mx {}", at % 60, lines::failed(&address, "alice", 1))
}

#[test]
fn what_stands_before_the_cut_is_told() {
    let place = Place::new("cut");
    let text: Vec<String> = (0..LINES).map(line).collect();
    let node = Node::prepare(&Config::new());
    for (packer, package) in [("gzip", "gzip"), ("xz", "xz-utils"), ("zstd", "zstd")] {
        let whole = place.join(&format!("{packer}.log"));
        write(&whole, &(text.join("\n") + "\n"));
        let packed = run(Command::new(program(packer, package)).arg("-kf").arg(&whole)).with_code(0);
        assert_eq!(packed.out, "");
        let suffix = match packer {
            "gzip" => "gz",
            "zstd" => "zst",
            other => other,
        };
        let path = whole.with_extension(format!("log.{suffix}"));
        let bytes = std::fs::read(&path).expect("it was packed");
        std::fs::write(&path, &bytes[..bytes.len() / 10 * 9]).expect("the folder is ours");
        let name = path.to_str().expect("an ASCII path");

        let parsed = node.cli(&["parse", name]).with_code(1);
        let read = parsed.out.lines().count();
        assert!(read > LINES / 5 && read < LINES, "{packer}: {read} lines of {LINES}");
        assert!(parsed.out.lines().all(|line| line.contains("login-failed")), "{packer}: half a line is none");
        let place_told = format!("{name} cannot be read on behind line {read}");
        assert!(parsed.err.contains(&place_told), "{packer}: {parsed:?}");

        if packer != "gzip" {
            continue;
        }
        let replayed = node.cli(&["--json", "replay", name]).with_code(1);
        let would: WouldHave = replayed.json();
        assert_eq!((would.lines, would.failures), (read as u64, read as u64), "{packer}");
        assert!(replayed.err.contains(&place_told), "{packer}: {}", replayed.err);
        let unknown = node.cli(&["unknown", name]).with_code(1);
        assert!(
            unknown.out.starts_with(&format!("{read} lines, {read} of them with events")),
            "{packer}: {}",
            unknown.out
        );

        // The others are read all the same, and the log that is whole says nothing.
        let both: WouldHave = node.cli(&["--json", "replay", name, whole.to_str().expect("ASCII")]).with_code(1).json();
        assert_eq!(both.lines, (read + LINES) as u64, "{packer}");
        assert_eq!(node.cli(&["parse", whole.to_str().expect("ASCII")]).with_code(0).err, "");
    }
}

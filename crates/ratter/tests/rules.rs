//! The shipped rules do what is written down about them, and each of them has something written down.
#![expect(clippy::disallowed_methods, reason = "the test writes the files that it has read")]

use std::collections::BTreeSet;
use std::process::{Command, Output};

fn test(arguments: &[&str]) -> Output {
    let place = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ratter"));
    command.current_dir(place.path()).args(["rules", "test"]).args(arguments);
    command.output().expect("the program runs")
}

#[test]
fn the_shipped_rules_pass_their_tests_and_each_has_one() {
    let output = test(&["--json"]);
    let tests: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let failed: Vec<_> = tests.iter().filter(|test| test["faults"] != serde_json::json!([])).collect();
    assert!(output.status.success() && failed.is_empty(), "{failed:#?}");
    let tested: BTreeSet<&str> = tests.iter().filter_map(|test| test["rule"].as_str()).collect();
    let shipped: toml::Table = ratter::config::DEFAULT.parse().expect("it is shipped");
    for rule in shipped["rule"].as_array().expect("there are rules") {
        let name = rule["name"].as_str().expect("each has a name");
        assert!(tested.contains(name), "the rule `{name}` has no test in packs/shipped.toml");
    }
}

#[test]
fn a_wrong_test_fails_and_says_how_and_nonsense_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    let path = folder.path().display().to_string();
    let test_of =
        |more: &str| format!("[[test]]\nname = \"t\"\nrule = \"traps\"\nevents = \"0s trap-hit 203.0.113.1\"\n{more}");
    write("a.toml", &test_of("listed = { \"203.0.113.1\" = [\"spam\"] }"));
    write("b.md", "no test");
    let output = test(&[&path]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    for wanted in
        ["the rule `traps` listed nobody", "203.0.113.1 is on no list, and should be on spam", "1 tests, 1 failed"]
    {
        assert!(told.contains(wanted), "{told}");
    }
    for (nonsense, wanted) in [
        (test_of("nothing = 1"), "nothing"),
        (test_of("").replace("trap-hit", "trap"), "no event is called `trap`"),
        (test_of("").replace("203.0.113.1", "203.0.113"), "`203.0.113` is no address"),
        (test_of("").replace("203.0.113.1", "203.0.113.1 a x999999999"), "more than 100000 events"),
        (test_of("after = \"soon\""), "test `t`"),
        (test_of("reverse-names = { \"203.0.113.1\" = \"odd\" }"), "`odd` is none of"),
    ] {
        write("a.toml", &nonsense);
        let output = test(&[&path]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && told.contains(wanted), "{nonsense}: {output:?}");
    }
    std::fs::remove_file(folder.path().join("a.toml")).expect("it is there");
    let output = test(&[&path]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && told.contains("there is no file of tests"), "{output:?}");
}

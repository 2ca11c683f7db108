//! `ratter password` as scripts use it: the password on standard input, sentences on standard output, an exit code.

use std::io::Write as _;
use std::process::{Command, Stdio};

use ratter_tests::process::run;
use ratter_tests::ratter::binary;
use serde_json::Value;

/// What `ratter password check` says of a password, with its exit code.
fn check(password: &str, arguments: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(binary());
    command.args(["password", "check"]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it is built");
    child.stdin.take().expect("a pipe").write_all(format!("{password}\nnot read").as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    (String::from_utf8(output.stdout).expect("UTF-8"), output.status.code())
}

#[test]
fn a_password_is_judged_in_a_sentence() {
    let cases = [
        ("zebra lamp orbit quiz", &[][..], "It may be used.", 0),
        ("Passw0rd1234", &[], "It is the word \"password\" in disguise", 1),
        ("Alice-123456", &["--about", "alice@example.org"], "the name of its owner", 1),
        ("Vq7-mLx2-Rp9c", &[], "It may be used.", 0),
        ("Vq7-mLx2-Rp9c", &["--profile", "nist"], "15 are needed", 1),
        ("correcthorsebattery", &[], "one kind of characters", 1),
        ("correcthorsebattery", &["--profile", "nist"], "It may be used.", 0),
    ];
    for (password, arguments, wanted, code) in cases {
        let (said, ended) = check(password, arguments);
        assert!(said.contains(wanted) && ended == Some(code), "{password} {arguments:?}: {ended:?} {said}");
        assert!(!said.contains(password), "what was typed is not shown");
    }
}

#[test]
fn new_passwords_are_good_ones() {
    for (arguments, bits) in [(&["--words", "6"][..], 60.0), (&["--letters", "16"], 93.3), (&[], 93.3)] {
        let said = run(Command::new(binary()).args(["password", "new", "--json", "--count", "5"]).args(arguments));
        let made: Vec<Value> = said.with_code(0).json();
        assert_eq!(made.len(), 5);
        for one in &made {
            let told = one["bits"].as_f64().expect("a number");
            assert!((told - bits).abs() < 0.1, "{one}");
            let (said, code) = check(one["password"].as_str().expect("text"), &["--profile", "nist"]);
            assert_eq!(code, Some(0), "{one}: {said}");
        }
        assert_ne!(made[0]["password"], made[1]["password"]);
    }
}

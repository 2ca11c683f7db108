//! `ratter password` as scripts use it: the password on standard input, sentences on standard output, an exit code.

use std::io::Write as _;
use std::process::{Command, Stdio};

use ratter_tests::place::Place;
use ratter_tests::process::{run, write};
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
fn stolen_passwords_are_refused() {
    let place = Place::new("passwords");
    let (sums, filter) = (place.join("sums"), place.join("breached.filter"));
    // SHA-1 of `password`, and of `zebra lamp orbit quiz`.
    let mut lines = ["5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:52579".to_owned(), sum_of("zebra lamp orbit quiz")];
    lines.sort();
    write(&sums, &format!("{}\r\n", lines.join("\r\n")));
    let make = |least: &str| {
        let mut command = Command::new(binary());
        command.args(["password", "filter", "--least", least]).arg(&sums).arg(&filter);
        run(&mut command)
    };
    let breached = ["--breached", filter.to_str().expect("plain letters")];
    assert_eq!(make("3").with_code(0).out.trim(), "2 passwords of 2 lines");
    let (said, code) = check("zebra lamp orbit quiz", &breached);
    assert!(said.contains("It was stolen somewhere"), "{said}");
    assert_eq!(code, Some(1));
    assert_eq!(check("Vq7-mLx2-Rp9c", &breached).1, Some(0));
    assert_eq!(make("100").with_code(0).out.trim(), "1 passwords of 2 lines");
    assert_eq!(check("zebra lamp orbit quiz", &breached).1, Some(0));
    write(&sums, "nonsense\n");
    assert!(make("1").with_code(1).err.contains("line 1 is no SHA-1 sum"));
    assert_eq!(check("zebra lamp orbit quiz", &breached).1, Some(0), "the file that was there stays");
}

/// A line of the source, by the system's own program.
fn sum_of(password: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-c", "printf %s \"$1\" | sha1sum", "sh", password]);
    let out = run(&mut command).with_code(0).out;
    format!("{}:7", out.split_whitespace().next().expect("a sum").to_uppercase())
}

#[test]
fn a_password_is_judged_in_a_sentence() {
    let cases = [
        ("zebra lamp orbit quiz", &[][..], "It may be used.", 0),
        ("Passw0rd1234", &[], "It is the word \"password\" in disguise", 1),
        ("Alice-123456", &["--about", "alice@example.org"], "the name of its owner", 1),
        ("alice@example.org", &[], "It looks like a mail address", 1),
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

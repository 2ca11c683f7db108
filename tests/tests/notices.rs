//! What a node tells of its decisions, as a real mail server, a real web server and a real program get it.

use std::process::Command;

use ratter_tests::place::{Place, free_port};
use ratter_tests::process::{program, run, text_of, write};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::sinks::Sink;
use ratter_tests::wait;
use serde_json::Value;

fn list(node: &Node, subject: &str) {
    node.cli(&["list", subject, "--on", "blocked", "--for-ever", "--reason", "a test"]).with_code(0);
}

/// The body of a request as JSON.
fn body(request: &Value) -> Value {
    serde_json::from_str(request["body"].as_str().expect("text")).expect("JSON")
}

/// HMAC-SHA256 as another program makes it.
fn hmac(secret: &str, text: &str, place: &Place) -> String {
    let file = place.join("signed");
    write(&file, text);
    let mut command = Command::new(program("openssl", "openssl"));
    let said = run(command.args(["dgst", "-sha256", "-hmac", secret]).arg(&file)).with_code(0);
    said.out.trim().rsplit(' ').next().expect("a word").to_owned()
}

#[test]
fn the_owner_of_a_locked_login_is_written_to_and_nobody_else() {
    let mut sink = Sink::smtp();
    let mail = format!(
        "[[action.mail]]\nname = \"owners\"\nform = \"owner\"\ndomains = [\"Example.org\"]\n\
         from = \"ratter@example.org\"\nsmtp = \"{}\"\n",
        sink.address
    );
    let node = Node::start(&Config::new().with(&mail));
    for subject in ["login:eve@example.net", "login:bob", "192.0.2.1", "login:Alice@example.org"] {
        list(&node, subject);
    }
    let mails = sink.wait_for(1);
    assert_eq!(mails[0]["to"], serde_json::json!(["alice@example.org"]));
    // A block that ends by itself is one that anybody can cause who guesses.
    node.cli(&["list", "login:dave@example.org", "--on", "blocked", "--for", "10m", "--reason", "x"]).with_code(0);
    let data = mails[0]["data"].as_str().expect("text");
    assert!(data.contains("The account is locked") && data.contains("change its password"), "{data}");
    // The next letter is the next owner's: nothing was written to the others in between.
    list(&node, "login:carol@example.org");
    let mails = sink.wait_for(2);
    assert_eq!(mails[1]["to"], serde_json::json!(["carol@example.org"]));
}

#[test]
fn mail_comes_at_once_then_in_a_digest_and_survives_a_crash() {
    let mut sink = Sink::smtp();
    let mail = format!(
        "[[action.mail]]\nname = \"admin\"\nto = [\"admin@example.org\", \"second@example.org\"]\n\
         from = \"ratter@example.org\"\nsmtp = \"{}\"\ndigest = \"1h\"\n",
        sink.address
    );
    let mut node = Node::start(&Config::new().with(&mail));
    list(&node, "login:alice");
    let mails = sink.wait_for(1);
    // The null sender: no bounce ever comes back to be answered.
    assert_eq!(mails[0]["from"], "<>");
    assert_eq!(mails[0]["to"], serde_json::json!(["admin@example.org", "second@example.org"]));
    let data = mails[0]["data"].as_str().expect("text");
    for wanted in
        ["Subject: [tests] listed: login:alice\r\n", "ratter unlist login:alice", "\r\nAuto-Submitted: auto-generated"]
    {
        assert!(data.contains(wanted), "{wanted}: {data}");
    }
    // A block with an end of an address is no news; another login is.
    node.cli(&["list", "192.0.2.1", "--on", "blocked", "--for", "1h", "--reason", "x"]).with_code(0);
    list(&node, "login:bob");
    assert!(sink.wait_for(2)[1]["data"].as_str().expect("text").contains("listed: login:bob"));
    // The next about the same waits for the digest, and so is not there yet; a crash does not lose it.
    node.cli(&["unlist", "login:alice"]).with_code(0);
    list(&node, "login:alice");
    list(&node, "login:carol");
    assert_eq!(sink.wait_for(3).len(), 3);
    let shown = || node.cli(&["status"]).with_code(0).out;
    wait::until_true("what waits for the digest is shown", || {
        shown().lines().any(|line| line.contains("admin mail") && line.contains(" held back"))
    });
    node.kill();
    node.start_again();
    // After the start nothing of what was told is told again, and what waited is told.
    let subjects: Vec<String> = sink
        .wait_for(4)
        .iter()
        .map(|mail| {
            mail["data"].as_str().expect("text").lines().find(|line| line.starts_with("Subject")).expect("one").into()
        })
        .collect();
    assert!(subjects[3].contains("login:alice"), "{subjects:?}");
    let action = node.quick_status().actions.into_iter().find(|action| action.name == "admin").expect("it is shown");
    assert_eq!(action.fault, None);
}

#[test]
fn a_mail_server_that_is_away_is_waited_for() {
    let address = free_port();
    let mail = format!(
        "[[action.mail]]\nname = \"admin\"\nto = [\"admin@example.org\"]\nsmtp = \"{address}\"\non = [\"permanent\"]\n"
    );
    let node = Node::start(&Config::new().with(&mail));
    list(&node, "192.0.2.1");
    let admin = || node.quick_status().actions.into_iter().find(|action| action.name == "admin").expect("it is shown");
    wait::until_true("a failure", || admin().failed >= 2);
    assert!(admin().fault.is_some_and(|fault| fault.contains("refused")) && admin().behind_ms > 0, "{:?}", admin());
    assert!(node.cli(&["status"]).out.contains("failing, "));
}

#[test]
fn sendmail_gets_the_letter_and_a_report_of_abuse_is_one() {
    let place = Place::new("sendmail");
    let (script, taken) = (place.join("sendmail"), place.join("taken"));
    // Both letters are handed over at the same time: each run writes a file of its own, whole before it has its name.
    let taking = "#!/bin/sh\necho \"$@\" >>{0}.args\ncat >{0}.$$.part && mv {0}.$$.part {0}.$$.letter\n";
    write(&script, &taking.replace("{0}", &taken.display().to_string()));
    run(Command::new("chmod").arg("755").arg(&script)).with_code(0);
    let mail = |name: &str, more: &str| {
        format!(
            "[[action.mail]]\nname = \"{name}\"\nto = [\"abuse@example.net\"]\nsendmail = \"{}\"\n{more}\n",
            script.display()
        )
    };
    let config = mail("arf", "form = \"arf\"\norg = \"Example\"") + &mail("xarf", "form = \"xarf\"");
    let node = Node::start(&Config::new().with(&config));
    let mut gate = node.gate();
    for guess in 1..=5 {
        let attempt = ratter_tests::policy::Attempt::new("203.0.113.1", &format!("user{guess}@example.org"));
        gate.report(&attempt, ratter_tests::policy::End::Wrong);
    }
    // A person's block is no attack that anybody should hear of.
    list(&node, "203.0.113.2");
    let letters = || -> Vec<_> {
        let files =
            std::fs::read_dir(place.path()).expect("the folder is read").map(|file| file.expect("a file").path());
        files.filter(|file| file.extension().is_some_and(|ending| ending == "letter")).collect()
    };
    wait::until_true("both reports", || letters().len() >= 2);
    let text: String = letters().iter().map(|letter| text_of(letter)).collect();
    assert_eq!(text.matches("Source-IP: 203.0.113.1\n").count(), 2, "{text}");
    assert!(!text.contains("203.0.113.2") && !text.contains("user1"), "nothing of our users is in it: {text}");
    assert!(text_of(&place.join("taken.args")).starts_with("-i -f <> -- abuse@example.net\n"));
    // Python's parser of mails finds the parts.
    let check = "import email,sys\nfor f in sys.argv[1:]:\n p=email.message_from_file(open(f))\n \
                 print(p.get_content_type(), p.get_param('report-type'), [q.get_content_type() for q in p.get_payload()])";
    let said = run(Command::new("/usr/bin/python3").args(["-c", check]).args(letters())).with_code(0);
    for kind in ["text/rfc822-headers", "application/json"] {
        let wanted = format!("multipart/report feedback-report ['text/plain', 'message/feedback-report', '{kind}']");
        assert!(said.out.contains(&wanted), "{said:?}");
    }
}

#[test]
fn webhooks_are_signed_tried_again_and_come_in_order() {
    let (place, address) = (Place::new("hooks"), free_port());
    write(&place.join("secret"), "s3cret\n");
    let mut hooks = format!(
        "[[action.webhook]]\nname = \"own\"\nurl = \"http://{address}/hook?x=1\"\nsecret-file = \"{}\"\n",
        place.join("secret").display()
    );
    for (form, path) in
        [("slack", "/slack"), ("matrix", "/rooms/r1"), ("ntfy", "/alarm"), ("alertmanager", "/api/v2/alerts")]
    {
        let url = format!("http://{address}{path}");
        hooks =
            hooks + "[[action.webhook]]\nname = \"" + form + "\"\nurl = \"" + &url + "\"\nform = \"" + form + "\"\n";
    }
    let lost = format!("[[action.webhook]]\nname = \"lost\"\nurl = \"http://{address}/unknown\"\n");
    let hooks = hooks + &lost;
    let mut node = Node::start(&Config::new().with(&hooks));
    list(&node, "login:alice");
    let one = |node: &Node, name: &str| {
        node.quick_status().actions.into_iter().find(|action| action.name == name).expect("it is shown")
    };
    wait::until_true("a failure", || one(&node, "own").failed > 0);
    // While the receiver is away the process dies; what it had to say is not lost.
    node.kill();
    let mut sink = Sink::http_at(address, 3);
    node.start_again();
    list(&node, "login:bob");
    wait::until_true("both at the receiver", || {
        sink.taken().iter().filter(|request| request["path"] == "/hook?x=1" && request["status"] == 200).count() >= 2
    });
    let taken = sink.taken();
    let own: Vec<&Value> =
        taken.iter().filter(|request| request["path"] == "/hook?x=1" && request["status"] == 200).collect();
    assert_eq!(
        own.iter().map(|request| body(request)["subject"].clone()).collect::<Vec<_>>(),
        ["login:alice", "login:bob"]
    );
    for request in &own {
        let header = &request["header"];
        let (stamp, text) =
            (header["x-ratter-timestamp"].as_str().expect("one"), request["body"].as_str().expect("text"));
        let wanted = format!("sha256={}", hmac("s3cret", &format!("{stamp}.{text}"), &place));
        assert_eq!(header["x-ratter-signature"], wanted.as_str());
        assert_eq!(header["idempotency-key"], body(request)["id"]);
    }
    let find = |path: &str| {
        let mut found = None;
        wait::until_true(path, || {
            found = sink
                .taken()
                .into_iter()
                .find(|r| r["path"].as_str().is_some_and(|p| p.starts_with(path)) && r["status"] == 200);
            found.is_some()
        });
        found.expect("found")
    };
    let mut find = find;
    assert!(body(&find("/slack"))["text"].as_str().expect("text").contains("login:alice is on blocked"));
    let matrix = find("/rooms/r1/send/m.room.message/");
    assert_eq!((matrix["method"].as_str(), body(&matrix)["msgtype"].as_str()), (Some("PUT"), Some("m.notice")));
    assert_eq!(body(&find("/api/v2/alerts"))[0]["labels"]["alertname"], "RatterListed");
    let ntfy = sink.taken().into_iter().find(|request| request["path"] == "/").expect("posted to the server");
    assert_eq!(body(&ntfy)["topic"], "alarm");
    // Who wants no such thing holds nobody up.
    wait::until_true("both given up", || one(&node, "lost").left_out == 2);
    assert!(one(&node, "lost").fault.is_some_and(|fault| fault.contains("given up") && fault.contains("404")));
}

#[test]
fn webhooks_by_tls_trust_whom_they_are_told_to() {
    let (mut sink, certificate) = Sink::https();
    let hook = |name: &str, more: &str| {
        format!("[[action.webhook]]\nname = \"{name}\"\nurl = \"https://{}/{name}\"\n{more}\n", sink.address)
    };
    let ca = format!("ca-file = \"{}\"", certificate.display());
    let node = Node::start(&Config::new().with(&(hook("trusted", &ca) + &hook("stranger", ""))));
    list(&node, "login:alice");
    assert_eq!(sink.wait_for(1)[0]["path"], "/trusted");
    wait::until_true("the stranger is refused", || {
        let status = node.quick_status();
        let stranger = status.actions.iter().find(|action| action.name == "stranger").expect("it is shown");
        stranger.fault.as_ref().is_some_and(|fault| fault.contains("certificate"))
    });
    assert_eq!(sink.taken().len(), 1);
}

#[test]
fn a_command_gets_arguments_and_no_shell() {
    let place = Place::new("command");
    let (script, out) = (place.join("tell"), place.join("out"));
    write(&script, &format!("#!/bin/sh\nprintf '<%s>' \"$@\" >>{0}\necho >>{0}\n", out.display()));
    run(Command::new("chmod").arg("755").arg(&script)).with_code(0);
    let hangs = "[[action.command]]\nname = \"hangs\"\nrun = [\"/usr/bin/sleep\", \"600\"]\nlimit = \"1s\"\n";
    let tells = format!(
        "[[action.command]]\nname = \"tells\"\nrun = [\"{}\", \"{{event}}\", \"{{subject}}\", \"on {{list}}\", \"{{until}}\"]\n",
        script.display()
    );
    let node = Node::start(&Config::new().with(&(tells + hangs)));
    list(&node, "login:$(reboot);x y`");
    wait::until_true("it was run", || text_of(&out).ends_with('\n'));
    assert_eq!(text_of(&out), "<listed><login:$(reboot);x y`><on blocked><never>\n");
    node.cli(&["unlist", "login:$(reboot);x y`"]).with_code(0);
    wait::until_true("it was run again", || text_of(&out).contains("<lifted>"));
    wait::until_true("what hangs is ended", || {
        let status = node.quick_status();
        let hangs = status.actions.iter().find(|action| action.name == "hangs").expect("it is shown");
        hangs.fault.as_ref().is_some_and(|fault| fault.contains("took longer than 1"))
    });
}

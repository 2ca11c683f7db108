//! Ratter beside a real Postfix: as its policy server, and as its milter.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use ratter_tests::http::Connection;
use ratter_tests::place::free_port;
use ratter_tests::postfix::Postfix;
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;

const LIMIT: &str = "[[limit]]\nname = \"per-user\"\nby = \"login\"\nbuckets = [{ burst = 10, rate = \"1 / 1h\" }]\n";
const BOB: &[&str] = &["bob@example.org"];
const BLOCKED: &str = "Your address is blocked here";
/// How many mails each sender sends one by one while Ratter is killed.
const MAILS: usize = 12;
const REACHED: &str = "Sending limit reached, try again later";

/// The lines of `main.cf` that docs/postfix.md has for the policy gate.
fn policy_lines(gate: SocketAddr) -> String {
    let ask = format!("check_policy_service {{ inet:{gate}, default_action=DUNNO, timeout=2s, retry_delay=1s }}");
    format!(
        "smtpd_client_restrictions = {ask}\nsmtpd_recipient_restrictions = {ask}\n\
         smtpd_end_of_data_restrictions = {ask}\n"
    )
}

/// Those for the milter.
fn milter_lines(gate: SocketAddr) -> String {
    format!(
        "smtpd_milters = {{ inet:{gate}, default_action=accept, connect_timeout=2s, command_timeout=5s, \
         content_timeout=5s }}\n"
    )
}

fn node(gate: SocketAddr, section: &str, more: &str) -> Node {
    Node::start(&Config::new().with(&format!("{section}\nlisten = [\"{gate}\"]\n{more}\n{LIMIT}")))
}

/// Sends that many mails of alice at the same moment; how many were taken, and what the others were told.
fn at_once(postfix: &Postfix, count: usize) -> (usize, Vec<String>) {
    let barrier = Barrier::new(count);
    let answers: Vec<String> = thread::scope(|scope| {
        let send = || {
            let mut client = postfix.client("198.51.100.7", "alice@example.org");
            barrier.wait();
            client.mail(&["x@example.net"], "")
        };
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(send)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.starts_with("250"));
    (taken.len(), refused)
}

#[test]
fn three_hundred_mails_at_once_by_policy() {
    let gate = free_port();
    let _node = node(gate, "[gate.postfix]", "");
    let postfix = Postfix::start(&policy_lines(gate));
    let (taken, refused) = at_once(&postfix, 300);
    assert_eq!((taken, refused.len()), (10, 290));
    assert!(refused.iter().all(|answer| answer.starts_with("45") && answer.contains(REACHED)), "{refused:?}");
}

#[test]
fn three_hundred_mails_at_once_by_milter() {
    let gate = free_port();
    let _node = node(gate, "[gate.milter]", "");
    let postfix = Postfix::start(&milter_lines(gate));
    let (taken, refused) = at_once(&postfix, 300);
    assert_eq!((taken, refused.len()), (10, 290));
    assert!(refused.iter().all(|answer| answer.starts_with("451 4.7.1") && answer.contains(REACHED)), "{refused:?}");
}

#[test]
fn without_the_line_for_the_end_of_messages_the_limit_holds_and_the_line_is_named() {
    let gate = free_port();
    let mut node = node(gate, "[gate.postfix]", "");
    let policy = policy_lines(gate);
    let forgotten: Vec<&str> = policy.lines().filter(|line| !line.contains("end_of_data")).collect();
    let postfix = Postfix::start(&format!("{}\n", forgotten.join("\n")));
    let mut client = postfix.client("198.51.100.7", "alice@example.org");
    let taken = (0..40).filter(|_| client.mail(&["x@example.net"], "").starts_with("250")).count();
    assert_eq!(taken, 10 + 10, "ten of which nothing is told at their end, and the limit");
    let names_line = |text: &str| text.contains("smtpd_end_of_data_restrictions = check_policy_service { inet:");
    wait::until_true("the log names the line", || names_line(&node.process().stderr()));
    assert!(node.status().warnings.iter().any(|warning| names_line(warning)), "{:?}", node.status().warnings);
    assert!(names_line(&node.cli(&["doctor"]).out), "{}", node.cli(&["doctor"]).out);
    // With the line it is over, at the next message that ends.
    let with_it = Postfix::start(&policy);
    assert!(with_it.client("198.51.100.8", "bob@example.org").mail(BOB, "").starts_with("250"));
    assert!(!node.status().warnings.iter().any(|warning| names_line(warning)), "{:?}", node.status().warnings);
}

#[test]
fn the_milter_limits_messages_without_the_queues_name_too() {
    let gate = free_port();
    let _node = node(gate, "[gate.milter]", "");
    let none =
        "milter_mail_macros = {auth_authen}\nmilter_rcpt_macros =\nmilter_data_macros =\nmilter_end_of_data_macros =\n";
    let postfix = Postfix::start(&format!("{}{none}", milter_lines(gate)));
    let (taken, refused) = at_once(&postfix, 30);
    assert_eq!((taken, refused.len()), (10, 20));
}

#[test]
fn both_gates_charge_a_message_once() {
    let (policy, milter) = (free_port(), free_port());
    let both = format!("[gate.milter]\nlisten = [\"{milter}\"]\n");
    let node = node(policy, "[gate.postfix]", &both);
    let postfix = Postfix::start(&(policy_lines(policy) + &milter_lines(milter)));
    let mut client = postfix.client("198.51.100.7", "alice@example.org");
    for mail in 1..=5 {
        let answer = client.mail(&["x@example.net", "y@example.net"], "");
        assert!(answer.starts_with("250"), "mail {mail}: {answer}\n{}", postfix.log());
    }
    assert!(client.mail(&["x@example.net"], "").contains(REACHED));
    // A message that is given up costs nothing: the level is what it was.
    assert!(node.cli(&["why", "alice@example.org"]).out.contains("10 of 10"));
}

#[test]
fn blocked_clients_are_refused_by_policy_and_others_are_not() {
    let gate = free_port();
    let node = node(gate, "[gate.postfix]", "mark-lists = [\"dyna\"]");
    let postfix = Postfix::start(&policy_lines(gate));
    node.cli(&["list", "203.0.113.66", "--reason", "test"]).with_code(0);
    node.cli(&["list", "203.0.113.1", "--on", "dyna", "--reason", "test"]).with_code(0);
    let answer = postfix.client("203.0.113.66", "").mail(BOB, "");
    assert!(answer.starts_with("554 5.7.1") && answer.contains(BLOCKED), "{answer}");
    for address in ["203.0.113.1", "203.0.113.2"] {
        let answer = postfix.client(address, "").mail(BOB, "");
        assert!(answer.starts_with("250"), "{answer}");
    }
    wait::within(Duration::from_secs(30), "two mails", || {
        (postfix.mail().matches("Hello.").count() == 2).then_some(())
    });
    assert_eq!(postfix.mail().matches("X-Ratter-Lists: dyna").count(), 1, "{}", postfix.mail());
}

#[test]
fn the_milter_refuses_marks_and_counts_unknown_recipients() {
    let gate = free_port();
    let node = node(gate, "[gate.milter]", "mark-lists = [\"dyna\"]");
    let postfix = Postfix::start(&milter_lines(gate));
    node.cli(&["list", "203.0.113.66", "--reason", "test"]).with_code(0);
    node.cli(&["list", "203.0.113.1", "--on", "dyna", "--reason", "test"]).with_code(0);
    let answer = postfix.client("203.0.113.66", "").mail(BOB, "");
    assert!(answer.starts_with("550 5.7.1") && answer.contains(BLOCKED), "{answer}");
    let mut client = postfix.client("203.0.113.1", "");
    // The header that the sender wrote is gone, and the one that is there is ours.
    let forged = "X-Ratter-Verdict: pass; forged\r\nx-ratter-verdict: pass; forged too\r\n";
    assert!(client.mail(BOB, forged).starts_with("250"));
    assert!(postfix.client("203.0.113.2", "").mail(BOB, "").starts_with("250"));
    wait::within(Duration::from_secs(30), "two mails", || {
        (postfix.mail().matches("Hello.").count() == 2).then_some(())
    });
    let mail = postfix.mail();
    assert!(!mail.contains("forged"), "{mail}");
    assert_eq!(mail.matches("X-Ratter-Verdict: listed; lists=dyna\n").count(), 1, "{mail}");
    assert_eq!(mail.matches("X-Ratter-Verdict: pass\n").count(), 1, "{mail}");

    assert!(client.mail(&["nobody@example.org"], "").starts_with("550 5.1.1"));
    assert!(client.mail(&["x@example.net"], "").starts_with("554 5.7.1"));
    // Postfix shows recipients together with the next step at which it waits for an answer.
    client.say("QUIT");
    for wanted in [
        "ratter_milter_gate_total{count=\"unknown_recipients\"} 1",
        "ratter_milter_gate_total{count=\"relay_denied\"} 1",
        "ratter_events_total{kind=\"unknown-recipient\"} 1",
    ] {
        wait::within(Duration::from_secs(20), wanted, || {
            let mut connection = Connection::tcp(node.addresses().metrics).ok()?;
            connection.get("/metrics").ok()?.body.contains(wanted).then_some(())
        });
    }
}

#[test]
fn what_is_beyond_is_held_if_that_is_wanted() {
    let (policy, milter) = (free_port(), free_port());
    let limit = LIMIT.replace("burst = 10", "burst = 1").replace("by =", "over = \"hold\"\nby =");
    let gates = format!("[gate.postfix]\nlisten = [\"{policy}\"]\n[gate.milter]\nlisten = [\"{milter}\"]\n{limit}");
    let _node = Node::start(&Config::new().with(&gates));
    for lines in [policy_lines(policy), milter_lines(milter)] {
        let postfix = Postfix::start(&lines);
        let login = if lines.contains("milter") { "carol@example.org" } else { "alice@example.org" };
        let mut client = postfix.client("198.51.100.7", login);
        for _ in 0..2 {
            let answer = client.mail(&["x@example.net"], "");
            assert!(answer.starts_with("250"), "{answer}");
        }
        wait::within(Duration::from_secs(30), "one is held", || (postfix.queued("hold") == 1).then_some(()));
    }
}

#[test]
fn ratter_killed_while_mail_flows_loses_and_refuses_nothing() {
    let (policy, milter) = (free_port(), free_port());
    let both = format!("[gate.milter]\nlisten = [\"{milter}\"]\n");
    let mut node = node(policy, "[gate.postfix]", &both);
    let postfix = Postfix::start(&(policy_lines(policy) + &milter_lines(milter)));
    let gone = Barrier::new(3);
    let answers: Vec<String> = thread::scope(|scope| {
        let send = |sender: usize| {
            let (postfix, gone) = (&postfix, &gone);
            move || {
                let mut client = postfix.client(&format!("203.0.113.{}", 10 + sender), "");
                let one = |client: &mut ratter_tests::postfix::Smtp| client.mail(BOB, "");
                let mut answers: Vec<_> = (0..MAILS / 4).map(|_| one(&mut client)).collect();
                // In the middle of a message, with a connection to either gate open.
                client.say("MAIL FROM:<alice@example.net>");
                client.say("RCPT TO:<bob@example.org>");
                gone.wait();
                gone.wait();
                answers.push(client.say("DATA").replace("354", "250"));
                answers.push(client.say("Subject: x\r\n\r\nHello.\r\n."));
                answers.extend((0..MAILS / 4).map(|_| one(&mut client)));
                answers.push(one(&mut postfix.client("203.0.113.99", "")));
                answers
            }
        };
        let threads = [scope.spawn(send(0)), scope.spawn(send(1))];
        gone.wait();
        node.kill();
        gone.wait();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(answers.iter().all(|answer| answer.starts_with("250")), "{answers:?}\n{}", postfix.log());
    let wanted = 2 * (MAILS / 2 + 2);
    wait::within(Duration::from_mins(1), "every mail arrives", || {
        (postfix.mail().matches("Hello.").count() == wanted).then_some(())
    });
}

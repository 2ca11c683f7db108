//! The policy gate and the milter: conversations as Postfix held them, byte for byte, odd ones, and any bytes at all.

#![expect(clippy::disallowed_methods, reason = "a test reads its material and the environment")]
#![expect(clippy::print_stdout, reason = "who looks for the captures is told that they were not there")]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base::{Address, Decision, Event, ListId, ListSet, Reason, Timestamp, Verdict};
use gates::policy::{Node, Refusal, Settings};
use gates::session::{Dialogue, Protocol, Session};
use gates::{Lists, Messages, milter, postfix};
use proptest::prelude::*;
use rules::limits::{Exceeded, LimitEffect, LimitId, Outcome, Sending, SendingDoor};
use rules::{Door, Question};

/// Refuses by name, and lets ten recipients of a login pass.
struct World {
    effect: LimitEffect,
    told: Mutex<Vec<String>>,
    /// By login.
    sent: Mutex<HashMap<String, Sent>>,
}

/// What is charged, and what is reserved by instance; none for what has come to its end.
type Sent = (u32, HashMap<String, Option<u32>>);

const BURST: u32 = 10;

impl World {
    fn tell(&self, line: String) {
        self.told.lock().unwrap().push(line);
    }

    fn told(&self) -> Vec<String> {
        core::mem::take(&mut self.told.lock().unwrap())
    }

    fn charged(&self, login: &str) -> u32 {
        self.sent.lock().unwrap().get(login).map_or(0, |sent| sent.0)
    }
}

impl Door for World {
    fn ask(&self, _: Timestamp, question: &Question<'_>) -> Decision {
        assert_ne!(question.login, Some("panic"), "this panic is part of a test");
        let (list, rule, until) = (ListId::BLOCKED, None, None);
        if question.address == Some("203.0.113.66".parse().unwrap()) {
            return Decision { verdict: Verdict::Refuse, reason: Reason::AddressListed { list, rule, until } };
        }
        match question.login {
            Some("locked") => Decision { verdict: Verdict::Refuse, reason: Reason::LoginListed { list, rule, until } },
            Some("paired") => Decision { verdict: Verdict::Refuse, reason: Reason::Excepted },
            _ => Decision::PASS,
        }
    }

    fn observe(&self, event: &Event<'_>) -> Decision {
        self.tell(format!("{} {}", event.kind, event.address.unwrap()));
        Decision::PASS
    }
}

impl SendingDoor for World {
    fn reserve(&self, sending: &Sending<'_>) -> Outcome {
        self.add(sending, |reserved| reserved + sending.recipients, false)
    }

    fn reserve_all(&self, sending: &Sending<'_>) -> Outcome {
        self.add(sending, |reserved| reserved.max(sending.recipients), false)
    }

    fn settle(&self, sending: &Sending<'_>) -> Outcome {
        self.add(sending, |_| sending.recipients, true)
    }

    fn release(&self, session: &str, instance: &str) {
        self.tell(format!("release {session}/{instance}"));
        for sent in self.sent.lock().unwrap().values_mut() {
            sent.1.retain(|name, reserved| name != &format!("{session}/{instance}") || reserved.is_none());
        }
    }
}

impl World {
    fn add(&self, sending: &Sending<'_>, wanted: impl Fn(u32) -> u32, is_end: bool) -> Outcome {
        let Some(login) = sending.login else { return Outcome::Pass };
        let mut all = self.sent.lock().unwrap();
        let sent = all.entry(login.to_owned()).or_default();
        let name = format!("{}/{}", sending.session, sending.instance);
        let reserved = match sent.1.get(&name) {
            Some(None) => return Outcome::Pass,
            Some(Some(reserved)) => *reserved,
            None => 0,
        };
        let others: u32 =
            sent.1.iter().filter(|(other, _)| **other != name).filter_map(|(_, reserved)| *reserved).sum();
        let wanted = wanted(reserved);
        if sent.0 + others + wanted > BURST {
            let exceeded =
                Exceeded { limit: LimitId(0), bucket: 0, effect: self.effect, passes_at: None, is_new: true };
            return Outcome::Over(exceeded);
        }
        sent.1.insert(name, (!is_end).then_some(wanted));
        sent.0 += if is_end { wanted } else { 0 };
        Outcome::Pass
    }
}

impl Lists for World {
    fn lists_of(&self, address: Address) -> ListSet {
        match address.to_string().as_str() {
            "203.0.113.1" => ListSet::EMPTY.with(ListId::new(1)).with(ListId::new(2)),
            "203.0.113.2" => ListSet::EMPTY.with(ListId::new(3)),
            _ => ListSet::EMPTY,
        }
    }
}

fn world(effect: LimitEffect, refusal: Refusal) -> (Arc<World>, Node, Settings) {
    let world = Arc::new(World { effect, told: Mutex::default(), sent: Mutex::default() });
    let node = Node {
        door: world.clone(),
        sending: world.clone(),
        lists: world.clone(),
        messages: Some(Arc::new(Messages::default())),
        names: ["blocked", "dyna", "noptr", "spam"].map(str::to_owned).into(),
        reads_log: false,
    };
    let mark_lists = ListSet::EMPTY.with(ListId::new(1)).with(ListId::new(2));
    (world, node, Settings { refusal, refuse_lists: ListSet::EMPTY.with(ListId::new(3)), mark_lists })
}

/// Sends `input` in pieces of at most `step` bytes; what comes back, and whether the gate closes.
fn talk<D: Dialogue>(session: &mut Session<D>, input: &[u8], step: usize) -> (Vec<u8>, bool) {
    (session.converse(Timestamp::from_secs(1), input, step), session.is_closing())
}

fn policy(gate: &Arc<postfix::Gate>, lines: &[String]) -> Vec<String> {
    let mut session = gate.session(None);
    let actions = lines.iter().map(|line| ask(&mut session, line)).collect();
    session.ended(Timestamp::from_secs(1));
    actions
}

/// One request, with its fields separated by blanks.
fn ask(session: &mut Session<postfix::PolicyDialogue>, fields: &str) -> String {
    let text = format!("request=smtpd_access_policy\n{}\n\n", fields.replace(' ', "\n"));
    let (answer, _) = talk(session, text.as_bytes(), usize::MAX);
    let answer = String::from_utf8(answer).unwrap();
    answer.strip_prefix("action=").unwrap().strip_suffix("\n\n").unwrap().to_owned()
}

const REACHED: &str = "Sending limit reached, try again later";

/// A message of `alice` with that many recipients, asked about at every step.
fn mail(instance: &str, recipients: u32, login: &str) -> Vec<String> {
    let at = |state: &str, more: &str| {
        format!("protocol_state={state} client_address=203.0.113.7 sasl_username={login} {more}")
    };
    let mut lines = vec![at("MAIL", "instance=")];
    lines.extend((0..recipients).map(|n| at("RCPT", &format!("instance={instance} recipient=r{n}@example.net"))));
    let rest = format!("instance={instance} queue_id=Q{instance} recipient_count={recipients}");
    lines.extend([at("DATA", &rest), at("END-OF-MESSAGE", &rest)]);
    lines
}

#[test]
fn ten_recipients_pass_and_the_eleventh_does_not() {
    let (world, node, settings) = world(LimitEffect::Defer, Refusal::Reject);
    let gate = Arc::new(postfix::Gate::new(node, settings));
    for n in 0..3 {
        let actions = policy(&gate, &mail(&format!("i{n}"), 3, "alice"));
        assert!(actions.iter().all(|action| action == "DUNNO"), "{actions:?}");
    }
    let actions = policy(&gate, &mail("i4", 2, "alice"));
    let (first, over) = ("DUNNO".to_owned(), format!("DEFER_IF_PERMIT 4.7.1 {REACHED}"));
    assert_eq!(actions[1..3], [first, over]);
    assert_eq!(world.charged("alice"), 9, "the message whose end was refused is given back");
    assert_eq!(actions[4], format!("451 4.7.1 {REACHED}"), "at its end, for both recipients");
}

#[test]
fn what_is_given_up_is_given_back() {
    let (world, node, settings) = world(LimitEffect::Refuse, Refusal::Reject);
    let gate = Arc::new(postfix::Gate::new(node, settings));
    let lines = mail("one", 4, "alice");
    let mut session = gate.session(None);
    for line in &lines[..4] {
        assert_eq!(ask(&mut session, line), "DUNNO");
    }
    // The same recipient asked for again by a second restriction reserves nothing.
    assert_eq!(ask(&mut session, &lines[3]), "DUNNO");
    // RSET, and the next message on the same connection.
    for line in &mail("two", 10, "alice")[..11] {
        assert_eq!(ask(&mut session, line), "DUNNO", "{line}");
    }
    assert_eq!(ask(&mut session, &mail("two", 11, "alice")[11]), format!("REJECT 5.7.1 {REACHED}"));
    assert_eq!(world.told(), ["release /one"]);
    session.ended(Timestamp::from_secs(1));
    assert_eq!(world.told(), ["release /two"]);
    assert_eq!(world.charged("alice"), 0);
}

/// A client that names no messages is limited like others: by the message on its way on the connection.
#[test]
fn who_does_not_say_which_message_it_is_about_is_limited_too() {
    let (world, node, settings) = world(LimitEffect::Refuse, Refusal::Reject);
    let gate = Arc::new(postfix::Gate::new(node, settings));
    let reached = format!("REJECT 5.7.1 {REACHED}");
    // Only at recipients, and always for the same one.
    let mut session = gate.session(None);
    let actions: Vec<String> = (0..12).map(|_| ask(&mut session, &mail("", 1, "bob")[1])).collect();
    assert_eq!(actions.iter().filter(|action| **action == "DUNNO").count(), 10, "{actions:?}");
    session.ended(Timestamp::from_secs(1));
    assert_eq!((world.told(), world.charged("bob")), (Vec::new(), 10));
    // Each recipient on a connection of its own, as Exim asks.
    let actions: Vec<String> = (0..12).filter_map(|_| policy(&gate, &mail("", 1, "dora")[1..2]).pop()).collect();
    assert_eq!(actions.iter().filter(|action| **action == "DUNNO").count(), 10, "{actions:?}");

    // Whole messages, on one connection and on several.
    let mut session = gate.session(None);
    for recipients in [3, 2] {
        for line in mail("", recipients, "alice") {
            assert_eq!(ask(&mut session, &line), "DUNNO", "{line}");
        }
    }
    assert_eq!(world.charged("alice"), 5);
    assert!(policy(&gate, &mail("", 5, "alice")).iter().all(|action| action == "DUNNO"));
    assert_eq!(world.charged("alice"), 10);
    assert_eq!(ask(&mut session, &mail("", 1, "alice")[1]), reached);
    // At the end of messages alone.
    let end = |login: &str| mail("", 6, login).pop().expect("a message ends");
    assert_eq!(policy(&gate, &[end("carol"), end("carol")]), ["DUNNO".to_owned(), reached]);
}

/// One that opens a connection for each question about a message is charged once for each recipient.
#[test]
fn who_names_no_message_and_asks_about_its_end_elsewhere_pays_once() {
    let (world, node, settings) = world(LimitEffect::Refuse, Refusal::Reject);
    let gate = Arc::new(postfix::Gate::new(node, settings));
    let each_alone = |lines: &[String]| -> Vec<String> {
        lines.iter().filter_map(|line| policy(&gate, core::slice::from_ref(line)).pop()).collect()
    };
    for recipients in [3, 2] {
        assert!(each_alone(&mail("", recipients, "alice")).iter().all(|action| action == "DUNNO"));
    }
    assert_eq!(world.charged("alice"), 5);
    // At recipients and at the end; of one that was asked about for a part, the others are charged at the end.
    let lines = mail("", 3, "alice");
    let [first, .., end] = &lines[1..] else { unreachable!("it has recipients and an end") };
    assert!(each_alone(&[first.clone(), end.clone()]).iter().all(|action| action == "DUNNO"));
    assert_eq!(world.charged("alice"), 8);
    // What was paid for is used up by then.
    assert!(each_alone(core::slice::from_ref(end)).iter().all(|action| action != "DUNNO"), "three more of ten");
    assert_eq!((world.charged("alice"), world.charged("bob")), (8, 0));
}

#[test]
fn a_message_is_one_however_many_connections_ask_about_it() {
    let (world, node, settings) = world(LimitEffect::Defer, Refusal::Reject);
    let gate = Arc::new(postfix::Gate::new(node, settings));
    // The check of the recipients and that of the data have different settings in Postfix, so that each has its connection.
    let (mut recipients, mut data) = (gate.session(None), gate.session(None));
    let lines = mail("one", 6, "alice");
    for line in &lines[..7] {
        assert_eq!(ask(&mut recipients, line), "DUNNO");
    }
    assert_eq!(ask(&mut data, &lines[7]), "DUNNO", "six of ten, and not twelve");
    assert_eq!(ask(&mut data, &lines[8]), "DUNNO");
    assert_eq!(world.charged("alice"), 6);
}

#[test]
fn clients_are_refused_marked_or_left_alone() {
    let rcpt = "protocol_state=RCPT instance=i recipient=a@b";
    let (reject, drop) = ("REJECT 5.7.1 Your address is blocked here", "521 5.7.1 Your address is blocked here");
    let defer = "DEFER_IF_PERMIT 4.7.1 Your address is blocked here";
    let account = "REJECT 5.7.1 This account may not send at the moment";
    let pair = "REJECT 5.7.1 This account may not be used from your address";
    for (refusal, fields, wanted) in [
        (Refusal::Reject, "protocol_state=CONNECT client_address=203.0.113.66", reject),
        (Refusal::Drop, "protocol_state=CONNECT client_address=203.0.113.66", drop),
        (Refusal::Defer, "protocol_state=CONNECT client_address=203.0.113.66", defer),
        (Refusal::Defer, "protocol_state=DATA client_address=203.0.113.66", "451 4.7.1 Your address is blocked here"),
        (Refusal::Drop, "protocol_state=MAIL client_address=203.0.113.5 sasl_username=locked", account),
        (Refusal::Drop, "protocol_state=MAIL client_address=203.0.113.5 sasl_username=paired", pair),
        (Refusal::Reject, "protocol_state=CONNECT client_address=203.0.113.2", "DUNNO"),
        (Refusal::Reject, "protocol_state=EHLO client_address=203.0.113.2", "DUNNO"),
        (Refusal::Reject, "protocol_state=MAIL client_address=203.0.113.2", reject),
        (Refusal::Reject, "protocol_state=MAIL client_address=203.0.113.2 sasl_username=alice", "DUNNO"),
        (Refusal::Reject, &format!("{rcpt} client_address=203.0.113.1"), "PREPEND X-Ratter-Lists: dyna,noptr"),
        (Refusal::Reject, &format!("{rcpt} client_address=203.0.113.1 sasl_username=alice"), "DUNNO"),
        (Refusal::Reject, &format!("{rcpt} client_address=203.0.113.3"), "DUNNO"),
        (Refusal::Reject, "protocol_state=CONNECT client_address=unknown", "DUNNO"),
        (Refusal::Reject, "protocol_state=MAIL client_address=203.0.113.5 sasl_username=panic", "DUNNO"),
        (Refusal::Reject, "no name", "DUNNO"),
    ] {
        let (_, node, settings) = world(LimitEffect::Defer, refusal);
        let gate = Arc::new(postfix::Gate::new(node, settings));
        assert_eq!(ask(&mut gate.session(None), fields), wanted, "{fields}");
    }
}

#[test]
fn a_request_that_is_too_long_is_passed_over() {
    let (_, node, settings) = world(LimitEffect::Defer, Refusal::Reject);
    let gate = Arc::new(postfix::Gate::new(node, settings));
    let mut session = gate.session(None);
    let long = format!("request={}\n\n", "x".repeat(postfix::REQUEST_BYTES_MAX * 2));
    let blocked = "request=smtpd_access_policy\nclient_address=203.0.113.66\n\n";
    for step in [100, usize::MAX] {
        let (answer, closes) = talk(&mut session, [long.as_bytes(), blocked.as_bytes()].concat().as_slice(), step);
        let wanted = "action=DUNNO\n\naction=REJECT 5.7.1 Your address is blocked here\n\n";
        assert_eq!((String::from_utf8(answer).unwrap().as_str(), closes), (wanted, false));
    }
    assert_eq!(gate.counters().get(postfix::Count::Malformed), 2);
}

#[test]
fn lines_that_end_as_in_smtp_are_not_understood_and_answered() {
    let (_, node, settings) = world(LimitEffect::Defer, Refusal::Reject);
    let gate = Arc::new(postfix::Gate::new(node, settings));
    let odd = "request=smtpd_access_policy\r\nclient_address=203.0.113.66\r\n\r\n";
    let plain = "request=smtpd_access_policy\nclient_address=203.0.113.66\n\n";
    for step in [1, 7, usize::MAX] {
        let mut session = gate.session(None);
        for (request, wanted) in [(odd, "DUNNO"), (plain, "REJECT 5.7.1 Your address is blocked here"), (odd, "DUNNO")]
        {
            let (answer, closes) = talk(&mut session, request.as_bytes(), step);
            let wanted = format!("action={wanted}\n\n");
            assert_eq!((String::from_utf8(answer).unwrap(), closes), (wanted, false), "{step}");
        }
    }
    assert_eq!(gate.counters().get(postfix::Count::Malformed), 6);
}

#[test]
fn a_page_in_a_browser_asks_nothing() {
    let (world, node, settings) = world(LimitEffect::Defer, Refusal::Reject);
    let gate = Arc::new(postfix::Gate::new(node, settings));
    let request = "request=smtpd_access_policy\nprotocol_state=END-OF-MESSAGE\nrecipient_count=9\ninstance=a\nsasl_username=alice\n\n";
    for filler in [0, 2 * postfix::REQUEST_BYTES_MAX] {
        let posted = format!("POST /x HTTP/1.1\r\nHost: localhost\r\n\r\n{}\n\n{request}", "x".repeat(filler));
        let (answer, closes) = talk(&mut gate.session(None), posted.as_bytes(), 1000);
        assert_eq!((answer, closes), (b"action=DUNNO\n\n".to_vec(), true));
    }
    assert_eq!(world.charged("alice"), 0);
}

fn packet(command: u8, data: &[u8]) -> Vec<u8> {
    [&u32::try_from(1 + data.len()).unwrap().to_be_bytes()[..], &[command], data].concat()
}

fn offer() -> Vec<u8> {
    packet(b'O', &[0, 0, 0, 6, 0, 0, 1, 0xff, 0, 0x1f, 0xff, 0xff])
}

fn connect(address: &str) -> Vec<u8> {
    packet(b'C', format!("client.example\x004\u{1}\u{1}{address}\0").as_bytes())
}

/// A message as Postfix shows it, without the parts that were not asked for.
fn message(queue_id: &str, login: &str, recipients: u32, headers: &[&str]) -> Vec<u8> {
    let mut all = packet(b'D', format!("M{{auth_authen}}\0{login}\0").as_bytes());
    all.extend(packet(b'M', b"<alice@example.org>\0size=18\0"));
    for _ in 0..recipients {
        all.extend(packet(b'D', b"R{rcpt_mailer}\0smtp\0"));
        all.extend(packet(b'R', b"<bob@example.net>\0"));
    }
    for header in headers {
        all.extend(packet(b'L', format!("{header}\0x\0").as_bytes()));
    }
    all.extend(packet(b'D', format!("Ei\0{queue_id}\0").as_bytes()));
    all.extend(packet(b'E', b""));
    all.extend(packet(b'A', b""));
    all
}

/// What the milter answers, packet by packet, as text.
fn answers(output: &[u8]) -> Vec<String> {
    let (mut all, mut rest) = (Vec::new(), output);
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (packet, next) = after.split_at(usize::try_from(u32::from_be_bytes(*length)).unwrap());
        all.push(packet.escape_ascii().to_string());
        rest = next;
    }
    all
}

fn milter_says(effect: LimitEffect, input: &[Vec<u8>], step: usize) -> (Vec<String>, Arc<World>) {
    let (world, node, settings) = world(effect, Refusal::Reject);
    let gate = Arc::new(milter::Gate::new(node, settings));
    let mut session = gate.session(None);
    let (output, _) = talk(&mut session, &input.concat(), step);
    (answers(&output), world)
}

/// The same, when another process goes on with the connection after each piece.
fn milters_say(effect: LimitEffect, input: &[Vec<u8>], step: usize) -> (Vec<String>, Arc<World>) {
    let (world, node, settings) = world(effect, Refusal::Reject);
    let gate = |node: &Node| Arc::new(milter::Gate::new(node.clone(), settings));
    let mut session = gate(&node).session(None);
    let mut output = Vec::new();
    for piece in input.concat().chunks(step) {
        output.extend(talk(&mut session, piece, usize::MAX).0);
        if let Some((state, unread)) = session.carried() {
            session = gate(&node).session_of(None, &state, &unread);
        }
    }
    (answers(&output), world)
}

const AGREED: &str = r"O\x00\x00\x00\x06\x00\x00\x001\x00\x00\x8f\xc2";

#[test]
fn messages_on_one_milter_connection() {
    let own = ["Subject", "x-ratter-verdict", "From", "X-Ratter-Verdict"];
    let input = [
        offer(),
        connect("203.0.113.7"),
        message("A1", "alice", 6, &["Subject"]),
        message("A2", "alice", 4, &own),
        message("A3", "alice", 1, &[]),
        message("A4", "", 1, &[]),
        packet(b'Q', b""),
    ];
    let deleted = |number: u32| format!(r"m\x00\x00\x00\x0{number}X-Ratter-Verdict\x00\x00");
    let pass = r"hX-Ratter-Verdict\x00pass\x00".to_owned();
    let over = format!(r"y451 4.7.1 {REACHED}\x00");
    let continued = || "c".to_owned();
    let wanted = [
        AGREED.to_owned(),
        continued(),
        continued(),
        pass.clone(),
        continued(),
        continued(),
        deleted(2),
        deleted(1),
        pass.clone(),
        continued(),
        continued(),
        over,
        continued(),
        pass,
        continued(),
    ];
    for step in [1, 50, usize::MAX] {
        let (said, world) = milter_says(LimitEffect::Defer, &input, step);
        assert_eq!(said, wanted, "{step}");
        assert_eq!(world.charged("alice"), 10);
    }
    for step in [1, 7, 50] {
        let (said, world) = milters_say(LimitEffect::Defer, &input, step);
        assert_eq!(said, wanted, "{step}");
        assert_eq!(world.charged("alice"), 10);
    }
}

#[test]
fn what_a_milter_says() {
    let over = [offer(), connect("203.0.113.7"), message("A1", "alice", 11, &[])];
    let held = [r"hX-Ratter-Verdict\x00over-limit\x00", r"qsending limit reached\x00", "c"];
    assert_eq!(milter_says(LimitEffect::Hold, &over, 999).0[3..], held);
    let refused = format!(r"y550 5.7.1 {REACHED}\x00");
    assert_eq!(milter_says(LimitEffect::Refuse, &over, 999).0[3..], [refused]);

    let blocked = r"y550 5.7.1 Your address is blocked here\x00";
    assert_eq!(milter_says(LimitEffect::Defer, &[offer(), connect("203.0.113.66")], 999).0[1..], [blocked]);
    let locked = [offer(), connect("203.0.113.7"), message("A1", "locked", 0, &[])];
    let account = r"y550 5.7.1 This account may not send at the moment\x00";
    assert_eq!(milter_says(LimitEffect::Defer, &locked, 999).0[2], account);
    // From an address on a list that is refused people may log in; who sends without that is refused.
    let home = |login| [offer(), connect("203.0.113.2"), message("A1", login, 1, &[])];
    let pass = [r"hX-Ratter-Verdict\x00pass\x00", "c"];
    assert_eq!(milter_says(LimitEffect::Defer, &home("alice"), 999).0[1..], [&["c", "c"], &pass[..]].concat());
    assert_eq!(milter_says(LimitEffect::Defer, &home(""), 999).0[1..3], ["c", blocked]);
    let listed = [offer(), connect("203.0.113.1"), message("A1", "", 1, &[])];
    let marked = r"hX-Ratter-Verdict\x00listed; lists=dyna,noptr\x00";
    assert_eq!(milter_says(LimitEffect::Defer, &listed, 999).0[3..], [marked, "c"]);

    // A server that offers nothing beyond the first version waits for an answer to everything, and is told nothing.
    let plain = packet(b'O', &[0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
    let (said, _) = milter_says(LimitEffect::Hold, &[plain, connect("203.0.113.1"), message("A1", "x", 2, &["Y"])], 7);
    assert_eq!(said, [r"O\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00", "c", "c", "c", "c", "c", "c"]);
}

#[test]
fn recipients_that_the_server_refuses_are_told() {
    let refused = |status: &str, text: &str| {
        let macros = format!("R{{rcpt_mailer}}\0error\0{{rcpt_host}}\0{status}\0{{rcpt_addr}}\0{text}\0");
        [packet(b'D', macros.as_bytes()), packet(b'R', b"<x@y>\0")].concat()
    };
    let input = [
        offer(),
        connect("203.0.113.9"),
        packet(b'M', b"<>\0"),
        refused("5.1.1", "Recipient address rejected: User unknown"),
        refused("5.7.1", "Relay access denied"),
        refused("4.7.1", "Recipient address rejected: Greylisted"),
    ];
    let (_, world) = milter_says(LimitEffect::Defer, &input, 999);
    assert_eq!(world.told(), ["unknown-recipient 203.0.113.9", "relay-denied 203.0.113.9"]);

    let (world, node, settings) = self::world(LimitEffect::Defer, Refusal::Reject);
    let gate = Arc::new(milter::Gate::new(Node { reads_log: true, ..node }, settings));
    talk(&mut gate.session(None), &input.concat(), 999);
    assert!(world.told().is_empty(), "the log tells them");
    assert_eq!(gate.counters().get(milter::Count::UnknownRecipients), 1);
}

#[test]
fn long_packets_are_passed_over_and_odd_ones_end_the_connection() {
    let long = packet(b'L', &vec![b'x'; milter::PACKET_BYTES_MAX * 2]);
    let input = [offer(), connect("203.0.113.7"), long, message("A1", "", 1, &[])];
    for step in [1000, usize::MAX] {
        assert_eq!(milter_says(LimitEffect::Defer, &input, step).0.len(), 5);
    }
    for odd in [packet(b'?', b""), packet(b'M', &vec![0; milter::PACKET_BYTES_MAX]), vec![0; 4], vec![0xff; 5]] {
        let (_, node, settings) = world(LimitEffect::Defer, Refusal::Reject);
        let gate = Arc::new(milter::Gate::new(node, settings));
        let mut session = gate.session(None);
        let (_, closes) = talk(&mut session, &[offer(), odd].concat(), usize::MAX);
        assert!(closes && session.is_faulty());
        assert_eq!(gate.counters().get(milter::Count::Malformed), 1);
    }
}

#[test]
fn a_message_that_both_gates_see_is_charged_once() {
    let (world, node, settings) = world(LimitEffect::Defer, Refusal::Reject);
    let by_policy = Arc::new(postfix::Gate::new(node.clone(), settings));
    let by_milter = Arc::new(milter::Gate::new(node, settings));
    assert!(policy(&by_policy, &mail("i1", 10, "alice")).iter().all(|action| action == "DUNNO"));
    let mut session = by_milter.session(None);
    let input = [offer(), connect("203.0.113.7"), message("Qi1", "alice", 10, &[])].concat();
    let (output, _) = talk(&mut session, &input, 99);
    assert_eq!(answers(&output).last().unwrap(), "c");
    assert_eq!(world.charged("alice"), 10);
    let (output, _) = talk(&mut session, &message("other", "alice", 1, &[]), 99);
    assert_eq!(answers(&output).last().unwrap(), &format!(r"y451 4.7.1 {REACHED}\x00"));
}

#[test]
fn messages_without_the_queues_name_are_limited_each_for_itself() {
    let (world, node, settings) = world(LimitEffect::Defer, Refusal::Reject);
    let alone = Arc::new(milter::Gate::new(Node { messages: None, ..node.clone() }, settings));
    let over = format!(r"y451 4.7.1 {REACHED}\x00");
    let send = |gate: &Arc<milter::Gate>, login: &str, recipients: &[u32]| {
        let mut session = gate.session(None);
        let all = recipients.iter().flat_map(|recipients| message("", login, *recipients, &[]));
        let input: Vec<u8> = [offer(), connect("203.0.113.7")].concat().into_iter().chain(all).collect();
        answers(&talk(&mut session, &input, 99).0).last().unwrap().clone()
    };
    assert_eq!(send(&alone, "alice", &[3, 3]), "c");
    // Another connection's first message is not the same one.
    assert_eq!(send(&alone, "alice", &[3]), "c");
    assert_eq!(world.charged("alice"), 9);
    assert_eq!(send(&alone, "alice", &[2]), over);
    assert_eq!((alone.counters().get(milter::Count::Unnamed), alone.warning()), (4, None));
    // Beside a policy gate that nobody asks about messages it limits, too.
    let beside = Arc::new(milter::Gate::new(node.clone(), settings));
    assert_eq!(send(&beside, "bob", &[10]), "c");
    assert_eq!(send(&beside, "bob", &[1]), over);
    assert!(beside.warning().is_none());
    // Beside one that is asked, which of its messages it is cannot be told: that is shown, and none is charged twice.
    let policy_gate = Arc::new(postfix::Gate::new(node, settings));
    assert!(policy(&policy_gate, &mail("i1", 10, "carol")).iter().all(|action| action == "DUNNO"));
    assert_eq!(send(&beside, "carol", &[10]), "c");
    assert_eq!(world.charged("carol"), 10);
    assert_eq!(beside.counters().get(milter::Count::Unlimited), 1);
    assert!(beside.warning().unwrap().contains("milter_end_of_data_macros"));
}

/// A file of the reference material, if the variable names its folder.
fn reference(name: &str) -> Option<String> {
    let Some(folder) = std::env::var_os("RATTER_SHARED").map(PathBuf::from) else {
        println!("RATTER_SHARED is not set: {name} was not looked at, this test shows nothing");
        return None;
    };
    Some(std::fs::read_to_string(folder.join("reference/postfix").join(name)).unwrap())
}

#[test]
fn captured_policy_requests() {
    for version in ["3.7.11", "3.11.7"] {
        let (world, node, settings) = world(LimitEffect::Defer, Refusal::Reject);
        let gate = Arc::new(postfix::Gate::new(node, settings));
        let Some(text) = reference(&format!("policy-requests-postfix-{version}.txt")) else { return };
        let mut sessions: HashMap<String, Session<postfix::PolicyDialogue>> = HashMap::new();
        let mut asked = 0;
        for captured in text.split("--- conn=").skip(1) {
            let (connection, lines) = captured.split_once('\n').unwrap();
            let connection = connection.split(' ').next().unwrap();
            let session = sessions.entry(connection.to_owned()).or_insert_with(|| gate.session(None));
            let (answer, _) = talk(session, format!("{}\n\n", lines.trim_end()).as_bytes(), 100);
            assert_eq!(String::from_utf8(answer).unwrap(), "action=DUNNO\n\n", "{version}: {lines}");
            asked += 1;
        }
        assert_eq!((asked, gate.counters().get(postfix::Count::Malformed)), (7, 0));
        assert_eq!(world.charged("alice@example.org"), 2, "{version}");
    }
}

#[test]
fn captured_milter_connections() {
    let Some(text) = reference("milter-transcript-postfix-3.7.11-rspamd-3.4.txt") else { return };
    let (world, node, settings) = world(LimitEffect::Defer, Refusal::Reject);
    let gate = Arc::new(milter::Gate::new(node, settings));
    // Two connections overlap here and there: the second is negotiated before the first one has quit.
    let mut session = gate.session(None);
    talk(&mut session, &offer(), 10);
    for line in text.lines().filter_map(|line| line.strip_prefix("MTA> ")) {
        let (command, hex) = line.split_once(' ').unwrap();
        let data: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        if command == "O" && !session.is_closing() {
            continue;
        }
        if session.is_closing() {
            session = gate.session(None);
            talk(&mut session, &offer(), 10);
        }
        talk(&mut session, &packet(command.as_bytes()[0], &data), 10);
    }
    let counters = gate.counters();
    assert_eq!(counters.get(milter::Count::Malformed), 0);
    assert_eq!((counters.get(milter::Count::Messages), counters.get(milter::Count::Passed)), (11, 5));
    assert_eq!(counters.get(milter::Count::OverLimit), 6);
    assert_eq!(world.charged("alice@example.org"), 10);
}

proptest! {
    #[test]
    fn any_bytes_to_the_policy_gate(input in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'='), any::<u8>()], 0..2000), step in 1_usize..600) {
        // Ends of lines as in SMTP have a test of their own.
        let input: Vec<u8> = input.into_iter().filter(|byte| *byte != b'\r').collect();
        let (_, node, settings) = world(LimitEffect::Defer, Refusal::Reject);
        let gate = Arc::new(postfix::Gate::new(node, settings));
        let mut session = gate.session(None);
        let (output, closes) = talk(&mut session, &input, step);
        let (mut requests, mut rest) = (0, &input[..]);
        while let Some(end) = rest.windows(2).position(|pair| pair == b"\n\n") {
            (requests, rest) = (requests + 1, &rest[end + 2..]);
        }
        prop_assert_eq!(output, b"action=DUNNO\n\n".repeat(requests));
        prop_assert!(!closes);
    }

    #[test]
    fn any_packets_to_the_milter(packets in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..60)), 0..40), step in 1_usize..200) {
        let (_, node, settings) = world(LimitEffect::Hold, Refusal::Reject);
        let gate = Arc::new(milter::Gate::new(node, settings));
        let commands = b"ODCHMRTLNBEAKUQ";
        let known = |command: u8| commands[usize::from(command) % commands.len()];
        let input = packets.iter().map(|(command, data)| packet(known(*command), data));
        talk(&mut gate.session(None), &input.collect::<Vec<_>>().concat(), step);
        let raw: Vec<u8> = packets.iter().flat_map(|(command, data)| [&[*command], &data[..]].concat()).collect();
        talk(&mut gate.session(None), &raw, step);
    }
}

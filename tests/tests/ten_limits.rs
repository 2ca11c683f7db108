//! Ten messages that were too much: the address is on the permanent list, and so in the maps, until a person lifts it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use ratter_tests::http::Connection;
use ratter_tests::place::{Place, free_port};
use ratter_tests::postfix::Postfix;
use ratter_tests::process::text_of;
use ratter_tests::ratter::{Config, Node};
use ratter_tests::redis::Redis;
use ratter_tests::rspamd::Rspamd;
use ratter_tests::sinks::Sink;
use ratter_tests::wait;

/// Where the thief sends from; Postfix relays for this network.
const THIEF: &str = "198.51.100.7";
const LIMIT: &str = "[[limit]]\nname = \"per-user\"\nby = \"login\"\nbuckets = [{ burst = 3, rate = \"1 / 1h\" }]\n";

fn map(format: &str, path: &Path) -> String {
    format!("[[action.map]]\nname = \"{format}\"\npath = \"{}\"\nformat = \"{format}\"\n", path.display())
}

/// The recipe that people use: rspamd's limits, a map of addresses, and the list of those who exceeded them.
fn recipe(redis: &Redis, map: &Path) -> String {
    format!(
        "redis {{ servers = \"{}\"; }}\n\
         ratelimit {{ rates {{ user = {{ bucket = [ {{ burst = 3; rate = \"1 / 60min\"; }} ] }} }} }}\n\
         multimap {{ IP_BLACKLIST_RATELIMIT {{ type = \"ip\"; prefilter = true; map = \"{}\"; action = \"reject\"; }} }}\n",
        redis.address,
        map.display()
    )
}

/// Waits until the node has counted so many exceeded limits.
fn wait_exceeded(node: &Node, count: u32) {
    let wanted = format!("ratter_events_total{{kind=\"rate-exceeded\"}} {count}\n");
    wait::until_true(&wanted, || {
        let mut connection = Connection::tcp(node.addresses().metrics).expect("the node serves metrics");
        connection.get("/metrics").is_ok_and(|response| response.body.contains(&wanted))
    });
}

#[test]
fn rspamds_limits_lead_to_its_map_and_back() {
    let (place, maps, redis) = (Place::new("rspamd"), Place::new("maps"), Redis::start());
    let file = maps.join("blocked.map");
    let node = Node::start(&Config::new().with(&map("rspamd", &file)).follow(&Rspamd::log_in(&place)));
    wait::until_true("the empty map", || file.exists());
    let mut rspamd = Rspamd::start_in(place, &recipe(&redis, &file));
    wait::until_true("rspamd answers", || rspamd.check("203.0.113.1").contains("\"symbols\""));
    let postfix = Postfix::start(&format!("smtpd_milters = inet:{}\n", rspamd.milter));

    let mut alice = postfix.client(THIEF, "alice@example.org");
    let mut refused = 0;
    let mut send = |message: &str| {
        let answer = alice.mail(&["x@example.net"], &format!("Message-ID: <{message}@example.org>\r\n"));
        let is_refused = answer.starts_with("451") && answer.contains("Ratelimit");
        assert!(is_refused || answer.starts_with("250"), "{answer}\n{}", rspamd.log());
        u32::from(is_refused)
    };
    // One that is tried again and again is one.
    for _ in 0..20 {
        refused += send("again");
    }
    assert!(refused >= 15, "{refused}\n{}", rspamd.log());
    for message in 1..=8 {
        assert_eq!(send(&format!("m{message}")), 1);
    }
    wait_exceeded(&node, 8 + refused);
    assert!(node.listed("blocked").is_empty(), "nine messages are not ten: {:?}", node.all_listings());
    assert_eq!(send("m10"), 1);
    let listing = node.wait_listed(THIEF, "blocked");
    assert_eq!((listing.maker.as_str(), listing.until), ("rule ten-limits", None));
    wait::until_true("it is in the map", || text_of(&file).contains(&format!("{THIEF} # rule ten-limits without end")));

    // Somebody below every limit, from there: refused for good, by rspamd.
    let from = |address: &str| postfix.client(address, "bob@example.org").mail(&["y@example.net"], "");
    wait::until_true("rspamd refuses", || from(THIEF).starts_with("554"));
    assert!(from("198.51.100.70").starts_with("250"), "nobody else is");
    node.cli(&["unlist", THIEF]).with_code(0);
    wait::until_true("the map without it", || !text_of(&file).contains(THIEF));
    wait::until_true("rspamd takes it again", || {
        postfix.client(THIEF, "carol@example.org").mail(&["y@example.net"], "").starts_with("250")
    });
}

#[test]
fn limits_of_our_own_lead_to_postfix_map_and_survive_a_crash() {
    let (maps, gate) = (Place::new("maps"), free_port());
    let file = maps.join("blocked.cidr");
    let section = format!("[gate.postfix]\nlisten = [\"{gate}\"]\n{LIMIT}{}", map("postfix-cidr", &file));
    let mut node = Node::start(&Config::new().with(&section));
    wait::until_true("the empty map", || file.exists());
    let ask = format!("check_policy_service {{ inet:{gate}, default_action=DUNNO, timeout=2s, retry_delay=1s }}");
    let postfix = Postfix::start(&format!(
        "smtpd_client_restrictions = check_client_access cidr:{}\nsmtpd_recipient_restrictions = {ask}\n\
         smtpd_end_of_data_restrictions = {ask}\n",
        file.display()
    ));
    let mut alice = postfix.client(THIEF, "alice@example.org");
    let mut refused = |to: &str| alice.mail(&[to], "").starts_with("45");
    for mail in 1..=3 {
        assert!(!refused(&format!("r{mail}@example.net")));
    }
    // The same mail to the same person, tried again by a patient queue, is one.
    assert!((0..20).all(|_| refused("again@example.net")));
    assert!((1..=4).all(|mail| refused(&format!("x{mail}@example.net"))));
    assert!(node.listed("blocked").is_empty());
    wait_exceeded(&node, 24);
    // What comes after them is in the file, and so are they.
    node.cli(&["list", "192.0.2.99", "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(0);
    wait::until_true("the events are kept", || !node.why("192.0.2.99").history.is_empty());
    // What was counted before a crash counts on.
    node.kill();
    node.start_again();
    assert!((5..=8).all(|mail| refused(&format!("x{mail}@example.net"))));
    assert!(node.listed("blocked").is_empty(), "nine messages are not ten");
    refused("x9@example.net");
    node.wait_listed(THIEF, "blocked");
    wait::until_true("it is in the map", || text_of(&file).contains(&format!("{THIEF} REJECT")));
    // Only new processes of Postfix look at a new table.
    wait::until_true("Postfix refuses", || postfix.client(THIEF, "").mail(&["bob@example.org"], "").starts_with("554"));
    node.kill();
    node.start_again();
    assert_eq!(node.listing(THIEF, "blocked").expect("it is there").until, None);
    node.cli(&["unlist", THIEF]).with_code(0);
    wait::until_true("Postfix takes it", || {
        postfix.client(THIEF, "").mail(&["bob@example.org"], "").starts_with("250")
    });
}

#[test]
fn behind_a_relay_of_our_own_the_login_is_blocked_and_the_relay_is_not() {
    let gate = free_port();
    let section = format!("[gate.postfix]\nlisten = [\"{gate}\"]\n{LIMIT}");
    let node = Node::start(&Config::new().never(THIEF).with(&section));
    let ask = format!("check_policy_service inet:{gate}");
    let postfix =
        Postfix::start(&format!("smtpd_recipient_restrictions = {ask}\nsmtpd_end_of_data_restrictions = {ask}\n"));
    let mut alice = postfix.client(THIEF, "alice@example.org");
    for mail in 1..=13 {
        alice.mail(&[&format!("r{mail}@example.net")], "");
    }
    let listing = node.wait_listed("login:alice@example.org", "blocked");
    assert_eq!((listing.maker.as_str(), listing.until), ("rule ten-limits", None));
    let answer = alice.mail(&["y@example.net"], "");
    assert!(answer.starts_with("554 5.7.1") && answer.contains("This account may not send"), "{answer}");
    assert!(postfix.client(THIEF, "bob@example.org").mail(&["y@example.net"], "").starts_with("250"));
    let mut dovecot = node.gate();
    let login = |login: &str| ratter_tests::policy::Attempt::new("203.0.113.9", login);
    assert_eq!(dovecot.before(&login("alice@example.org")), -1, "nor may it log in");
    assert_eq!(dovecot.before(&login("bob@example.org")), 0);
    node.cli(&["unlist", "login:alice@example.org"]).with_code(0);
    assert_eq!(dovecot.before(&login("alice@example.org")), 0);
}

#[test]
fn where_others_send_too_the_login_is_blocked_and_the_address_is_not() {
    let gate = free_port();
    let node = Node::start(&Config::new().with(&format!("[gate.postfix]\nlisten = [\"{gate}\"]\n{LIMIT}")));
    let ask = format!("check_policy_service inet:{gate}");
    let postfix =
        Postfix::start(&format!("smtpd_recipient_restrictions = {ask}\nsmtpd_end_of_data_restrictions = {ask}\n"));
    let send = |login: &str, to: &str| postfix.client(THIEF, login).mail(&[to], "");
    for colleague in ["bob", "carol", "dave"] {
        let answer = send(&format!("{colleague}@example.org"), "x@example.net");
        assert!(answer.starts_with("250"), "{answer}");
    }
    let mut alice = postfix.client(THIEF, "alice@example.org");
    for mail in 1..=13 {
        alice.mail(&[&format!("r{mail}@example.net")], "");
    }
    node.wait_listed("login:alice@example.org", "blocked");
    assert_eq!(node.listings("blocked").len(), 1);
    let answer = send("bob@example.org", "y@example.net");
    assert!(answer.starts_with("250"), "{answer}");
}

#[test]
fn rspamds_exports_want_the_password_and_never_come_from_a_browser() {
    let exports = free_port();
    let sensor = format!("[sensor.rspamd]\nlisten = \"{exports}\"\npassword = \"se same\"\n");
    let node = Node::start(&Config::new().with(&sensor));
    let mut rspamd = Connection::tcp(exports).expect("it listens");
    let mut post = |header: &str, message: u32| {
        let symbol = "[{\"name\": \"RATELIMITED\"}]";
        let body = format!(
            "{{\"action\": \"soft reject\", \"ip\": \"{THIEF}\", \"user\": \"alice\", \"message_id\": \"message{message}@example.org\", \"symbols\": {symbol}}}"
        );
        rspamd.post("/", header, &body).expect("an answer").status
    };
    // `user:se same` as Basic credentials, and with another password.
    let (right, wrong) = ("Authorization: Basic dXNlcjpzZSBzYW1l\r\n", "Authorization: Basic dXNlcjpzZXNhbWU=\r\n");
    assert_eq!((post("", 1), post(wrong, 2)), (401, 401));
    for browser in ["Origin: https://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Mode: no-cors\r\n"] {
        assert_eq!(post(&format!("{right}{browser}"), 3), 403, "{browser}");
    }
    for message in 10..20 {
        assert!(node.listing(THIEF, "blocked").is_none(), "before message {message}");
        assert_eq!(post(right, message), 200);
    }
    node.wait_listed(THIEF, "blocked");
    let gates = node.quick_status().gates;
    let gate = gates.iter().find(|gate| gate.name == "rspamd").expect("it is shown");
    assert_eq!((gate.asked, gate.reported, gate.malformed), (10, 10, 5));
}

#[test]
fn rspamds_exporter_tells_of_limits_and_injected_text_of_nobody() {
    let (place, redis, exports) = (Place::new("rspamd"), Redis::start(), free_port());
    let node = Node::start(&Config::new().with(&format!("[sensor.rspamd]\nlisten = \"{exports}\"\n")));
    let exporter = format!(
        "metadata_exporter {{ rules {{ RATTER {{ backend = \"http\"; url = \"http://{exports}/\"; formatter = \"json\"; \
         selector = \"default\"; }} }} }}\n"
    );
    let config = recipe(&redis, &place.join("none.map")).replace("rates {", "info_symbol = \"RATELIMITED\"; rates {");
    let mut rspamd = Rspamd::start_in(place, &(config + &exporter));
    wait::until_true("rspamd answers", || rspamd.check("203.0.113.1").contains("\"symbols\""));
    let postfix = Postfix::start(&format!("smtpd_milters = inet:{}\n", rspamd.milter));
    let mut alice = postfix.client(THIEF, "alice@example.org");
    // An export has the subject as long as it is.
    let long = format!("{}\r\n ", "x".repeat(70)).repeat(1000);
    for message in 1..=13 {
        let header = format!(
            "Message-ID: <m{message}@example.org>\r\nSubject: {long}end\r\n\
             X-Evil: {{\"action\":\"soft reject\",\"ip\":\"192.0.2.{message}\",\"symbols\":[{{\"name\":\"RATELIMITED\"}}]}}\r\n\
             X-Evil: a, ip: 192.0.2.9, Ratelimit \"user\" exceeded\r\n"
        );
        alice.mail(&["x@example.net"], &header);
    }
    let listing = node.wait_listed(THIEF, "blocked");
    assert_eq!((listing.maker.as_str(), listing.until), ("rule ten-limits", None));
    assert_eq!(node.listed("blocked").len(), 1, "{:?}", node.all_listings());
    let gates = node.quick_status().gates;
    let gate = gates.iter().find(|gate| gate.name == "rspamd").expect("it is shown");
    assert!(gate.asked >= 13 && gate.reported >= 10 && gate.malformed == 0, "{gate:?}");
}

/// A connection of a mail server to the policy gate.
struct Policy(BufReader<TcpStream>);

impl Policy {
    fn open(gate: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(gate).expect("the gate listens")))
    }

    /// The gate's answer about a message of alice, with one recipient, from that address.
    fn ask(&mut self, state: &str, message: &str, address: &str) -> String {
        self.ask_as("alice@example.org", state, message, address)
    }

    /// The same of another login.
    fn ask_as(&mut self, login: &str, state: &str, message: &str, address: &str) -> String {
        let request = format!(
            "request=smtpd_access_policy\nprotocol_state={state}\ninstance={message}\nclient_address={address}\n\
             sasl_username={login}\nsender=alice@example.org\nrecipient={message}@example.net\nsize=9\n\n"
        );
        self.0.get_mut().write_all(request.as_bytes()).expect("the gate reads");
        let mut answer = String::new();
        while !answer.ends_with("\n\n") {
            assert_ne!(self.0.read_line(&mut answer).expect("the gate answers"), 0, "{answer}");
        }
        answer.trim_end().to_owned()
    }
}

#[test]
fn messages_within_the_limit_are_taken_though_those_beyond_it_have_the_address_blocked_meanwhile() {
    let gate = free_port();
    let node = Node::start(&Config::new().with(&format!("[gate.postfix]\nlisten = [\"{gate}\"]\n{LIMIT}")));
    let mut within: Vec<Policy> = (0..3).map(|_| Policy::open(gate)).collect();
    for (number, policy) in within.iter_mut().enumerate() {
        assert_eq!(policy.ask("RCPT", &format!("in{number}"), THIEF), "action=DUNNO");
    }
    let mut beyond = Policy::open(gate);
    for number in 0..10 {
        let answer = beyond.ask("RCPT", &format!("beyond{number}"), THIEF);
        assert!(answer.contains("Sending limit reached"), "{number}: {answer}");
    }
    wait::until_true("the address is blocked", || !node.listed("blocked").is_empty());
    assert!(beyond.ask("RCPT", "next", THIEF).contains("blocked"));
    for (number, policy) in within.iter_mut().enumerate() {
        assert_eq!(policy.ask("END-OF-MESSAGE", &format!("in{number}"), THIEF), "action=DUNNO");
    }
}

/// Each machine of a botnet sends one message, and calls the login in another way: the login is stopped, and only its sending.
#[test]
fn a_botnet_with_one_message_from_each_address_stops_the_login_for_a_day() {
    const FORMS: [&str; 4] = ["alice@example.org", "\"alice\"@example.org", "alice@example.org.", "ALICE@Example.ORG"];
    let gate = free_port();
    let mut sink = Sink::smtp();
    let owners = format!(
        "[[action.mail]]\nname = \"owners\"\nform = \"owner\"\ndomains = [\"example.org\"]\n\
         from = \"ratter@example.org\"\nsmtp = \"{}\"\n",
        sink.address
    );
    let node = Node::start(&Config::new().with(&format!("[gate.postfix]\nlisten = [\"{gate}\"]\n{LIMIT}{owners}")));
    let mut answers = Vec::new();
    for (number, login) in FORMS.iter().cycle().enumerate().take(40) {
        let (message, address) = (format!("m{number}"), format!("11.{number}.7.9"));
        let mut policy = Policy::open(gate);
        let answer = policy.ask_as(login, "RCPT", &message, &address);
        if answer == "action=DUNNO" {
            policy.ask_as(login, "END-OF-MESSAGE", &message, &address);
        }
        answers.push(answer);
    }
    let count = |text: &str| answers.iter().filter(|answer| answer.contains(text)).count();
    let within = count("action=DUNNO");
    assert_eq!((count("Sending limit reached"), count("may not send")), (20, 20 - within), "{answers:#?}");
    let listing = node.wait_listed("login:alice@example.org", "blocked");
    assert_eq!((listing.maker.as_str(), listing.until.is_some()), ("rule login-over-limits", true));
    assert_eq!(node.listed("blocked").len(), 1, "{:?}", node.all_listings());
    // Its owner is told, whose password the thief has.
    let mails = sink.wait_for(1);
    assert_eq!(mails[0]["to"], serde_json::json!(["alice@example.org"]));
    let data = mails[0]["data"].as_str().expect("text");
    assert!(
        data.contains("with it until 20")
            && data.contains("its mail can be read")
            && data.contains("change its password"),
        "{data}"
    );
}

/// A limit by two parts: which one it was, and for whom it is full, is known after a crash as before.
#[test]
fn whom_a_limit_by_two_parts_stopped_is_told_also_after_a_crash() {
    let gate = free_port();
    let limits = "[[limit]]\nname = \"at-home\"\nby = [\"login\", \"network\"]\nbuckets = [{ burst = 2, rate = \"1 / 1h\" }]\n\
                  [[limit]]\nname = \"customer\"\nby = \"sender-domain\"\nbuckets = [{ burst = 3, rate = \"1 / 1h\" }]\n";
    let mut node = Node::start(&Config::new().with(&format!("[gate.postfix]\nlisten = [\"{gate}\"]\n{limits}")));
    let mut policy = Policy::open(gate);
    let mut send = |message: &str, login: &str| {
        let answer = policy.ask_as(login, "RCPT", message, THIEF);
        policy.ask_as(login, "END-OF-MESSAGE", message, THIEF);
        answer
    };
    for message in ["a", "b"] {
        assert_eq!(send(message, "alice@example.org"), "action=DUNNO");
    }
    assert!(send("c", "alice@example.org").contains("limit reached"));
    let limits_of = |node: &Node| {
        let why = node.why("alice@example.org");
        let events: Vec<_> = why.events.iter().filter_map(|event| event.limit.clone()).collect();
        let levels: Vec<_> =
            why.limits.iter().map(|limit| format!("{} {} {:?}", limit.limit, limit.burst, limit.with)).collect();
        (events, levels)
    };
    wait::until_true("the event is kept", || limits_of(&node).0 == ["at-home"]);
    let before = limits_of(&node);
    assert!(before.1.iter().any(|level| level.starts_with("at-home 2 ")), "{before:?}");
    assert!(node.cli(&["why", "alice@example.org"]).out.contains("rate-exceeded (at-home)"));
    node.kill();
    node.start_again();
    assert_eq!(limits_of(&node), before);
}

#[test]
fn a_limit_that_only_notes_leads_to_no_block() {
    let gate = free_port();
    let limit = LIMIT.to_owned() + "over = \"note\"\n";
    let node = Node::start(&Config::new().with(&format!("[gate.postfix]\nlisten = [\"{gate}\"]\n{limit}")));
    let mut policy = Policy::open(gate);
    for number in 0..30 {
        for state in ["RCPT", "END-OF-MESSAGE"] {
            assert_eq!(policy.ask(state, &format!("m{number}"), THIEF), "action=DUNNO");
        }
    }
    assert!(node.all_listings().is_empty(), "{:?}", node.all_listings());
    let told = node.cli(&["why", "login:alice@example.org"]).out;
    assert!(told.contains("limit per-user: 3 of 3"), "{told}");
}

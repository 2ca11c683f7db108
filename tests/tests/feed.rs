//! Subscribers who take lists as data, with `curl`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use console::api::NewKey;
use ratter_tests::place::free_port;
use ratter_tests::process::{run, write};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;

/// A node with a feed, and a key for `auth`.
struct Feed {
    node: Node,
    listen: SocketAddr,
    key: String,
}

/// What `curl` got.
struct Got {
    status: u16,
    head: String,
    body: String,
}

impl Got {
    fn header(&self, name: &str) -> String {
        let line = self.head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    }

    fn serial(&self) -> u64 {
        self.header("ratter-serial").parse().unwrap_or_else(|_| panic!("no serial in {}", self.head))
    }
}

impl Feed {
    fn start() -> Self {
        let listen = free_port();
        let node = Node::start(&Config::new().with(&format!("[feed]\nlisten = [\"{listen}\"]\n")));
        let made: NewKey = node.json(&["key", "new", "taker", "--owner", "somebody", "--zone", "auth"]);
        Self { node, listen, key: made.key }
    }

    fn list(&self, address: &str) {
        self.node.cli(&["list", address, "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(0);
    }

    fn unlist(&self, address: &str) {
        self.node.cli(&["unlist", address, "--on", "auth"]).with_code(0);
    }

    fn url(&self, target: &str) -> String {
        format!("http://{}/feed/{target}", self.listen)
    }

    fn ask(&self, key: &str, target: &str, options: &[&str]) -> Got {
        let authorization = format!("Authorization: Bearer {key}");
        let mut command = Command::new("curl");
        command.args(["-sS", "-D", "-", "--max-time", "20", "-H", &authorization]).args(options).arg(self.url(target));
        let said = run(&mut command).with_code(0).out;
        let (head, body) = said.split_once("\r\n\r\n").unwrap_or((&said, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        Got { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn get(&self, target: &str) -> Got {
        self.ask(&self.key, target, &[])
    }
}

#[test]
fn a_list_and_its_changes_are_followed() {
    let feed = Feed::start();
    for address in ["192.0.2.76", "198.51.100.0/24", "2001:db8::/64"] {
        feed.list(address);
    }
    let settled = || feed.get("auth").body.lines().count() == 3;
    wait::until_true("three networks", settled);
    let whole = feed.get("auth");
    assert_eq!((whole.status, whole.body.as_str()), (200, "192.0.2.76\n198.51.100.0/24\n2001:db8::/64\n"));

    // The same again is not sent again, also by the tag of another coding.
    let known = format!("If-None-Match: {}", whole.header("etag"));
    let again = feed.ask(&feed.key, "auth", &["-H", &known, "--compressed"]);
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(feed.ask(&feed.key, "auth?format=csv", &["-H", &known]).status, 200, "another form is another file");

    for (format, wanted) in [
        ("csv", "198.51.100.0/24,auth,127.0.0.43,20"),
        ("csv", "Z,a test\n"),
        ("ndjson", "{\"network\":\"2001:db8::/64\",\"list\":\"auth\",\"code\":\"127.0.0.43\",\"until\":\"20"),
        ("ndjson", "Z\",\"reason\":\"a test\"}\n"),
        ("ip4set", "192.0.2.76"),
        ("ip6trie", "2001:db8::/64"),
        ("rpz", "32.76.2.0.192.rpz-client-ip"),
    ] {
        let file = feed.get(&format!("auth?format={format}"));
        assert!(file.status == 200 && file.body.contains(wanted), "{format}: {}", file.body);
    }

    let since = whole.serial();
    feed.list("203.0.113.9");
    feed.unlist("192.0.2.76");
    wait::until_true("two changes", || feed.get(&format!("auth?since={since}")).body.lines().count() == 2);
    let changes = feed.get(&format!("auth?since={since}"));
    assert_eq!(changes.body, "-192.0.2.76\n+203.0.113.9\n");
    let json = feed.get(&format!("auth?since={since}&format=ndjson")).body;
    assert_eq!(json.lines().next(), Some("{\"network\":\"192.0.2.76\",\"listed\":false}"));

    let added = json.lines().nth(1).unwrap_or_default();
    assert!(added.contains(",\"until\":\"20") && added.ends_with("\"reason\":\"a test\"}"), "{json}");
    let table = feed.get(&format!("auth?since={since}&format=csv")).body;
    assert!(table.starts_with("network,listed,until,reason\r\n192.0.2.76,false,,\r\n203.0.113.9,true,20"), "{table}");

    // Nothing new: at once without a wait.
    let now = changes.serial();
    assert_eq!(feed.get(&format!("auth?since={now}")).status, 204);
    // A change of another list is none of this one.
    feed.node.cli(&["list", "192.0.2.1", "--on", "dyna", "--for", "1h", "--reason", "a test"]).with_code(0);
    assert_eq!(feed.get(&format!("auth?since={now}&wait=1s")).status, 204);
    // What is listed and taken off between two looks is no change.
    feed.list("203.0.113.10");
    feed.unlist("203.0.113.10");
    assert!(matches!(feed.get(&format!("auth?since={now}")).status, 200 | 204));
    // From the future, as after a restored backup, and from before what is known.
    for serial in [now + 1_000_000, 0] {
        let gone = feed.get(&format!("auth?since={serial}"));
        let is_known = serial == 0 && gone.status == 200;
        assert!(
            is_known || gone.status == 410 && gone.header("link").contains("/feed/auth"),
            "{serial}: {}",
            gone.head
        );
    }
}

#[test]
fn who_waits_is_told_when_it_happens() {
    let feed = Feed::start();
    feed.list("192.0.2.76");
    wait::until_true("the list", || feed.get("auth").body == "192.0.2.76\n");
    let since = feed.get("auth").serial();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| feed.get(&format!("auth?since={since}&wait=15s")));
        std::thread::sleep(Duration::from_millis(300));
        assert!(!waits.is_finished(), "it waits for a change");
        feed.list("192.0.2.77");
        let told = waits.join().expect("an answer");
        assert_eq!((told.status, told.body.as_str()), (200, "+192.0.2.77\n"));
    });
}

#[test]
fn codings_are_what_others_read() {
    let feed = Feed::start();
    let file = feed.node.addresses().state.join("many.txt");
    let many: Vec<_> = (0..40_000).map(|at| format!("203.0.{}.{}\n", at / 200, at % 200)).collect();
    let many = many.concat();
    write(&file, &many);
    let path = file.display().to_string();
    feed.node.cli(&["import", "--list", "auth", "--replace", "--reason", "a test", &path]).with_code(0);
    wait::until_true("the list", || feed.get("auth").body.lines().count() == 40_000);
    let plain = feed.get("auth").body;
    let packed = |coding: &str, suffix: &str| {
        let out = feed.node.addresses().state.join(format!("many.{suffix}"));
        let out = out.display().to_string();
        let got = feed.ask(&feed.key, "auth", &["-H", &format!("Accept-Encoding: {coding}"), "-o", &out]);
        assert_eq!(got.header("content-encoding"), coding);
        let octets = std::fs::metadata(&out).expect("a file").len();
        assert!(octets < plain.len() as u64 / 2, "{coding}: {octets} of {}", plain.len());
        let said = run(Command::new(coding).args(["-dc", &out]));
        assert_eq!(said.with_code(0).out, plain, "{coding}");
    };
    packed("gzip", "gz");
    packed("zstd", "zst");
}

#[test]
fn who_may_not_have_it_gets_nothing() {
    let feed = Feed::start();
    let status = |key: &str, target: &str| feed.ask(key, target, &[]).status;
    assert_eq!(status("aaaaaaaaaaaaaaaaaaaaaaaaa", "auth"), 401);
    assert_eq!(status(&feed.key, "dyna"), 403, "the key is for another zone");
    assert_eq!(status(&feed.key, "blocked"), 404, "what is not published is not given away");
    assert_eq!(status(&feed.key, "auth?since=x"), 400);
    let mut bare = Command::new("curl");
    let code = run(bare.args(["-s", "-o", "/dev/null", "-w", "%{http_code}"]).arg(feed.url("auth"))).with_code(0).out;
    assert_eq!(code, "401");
    let small: NewKey = feed.node.json(&["key", "new", "small", "--owner", "somebody", "--quota", "2/day"]);
    assert_eq!([0; 3].map(|_| status(&small.key, "auth")), [200, 200, 429]);
    feed.node.cli(&["key", "revoke", "small"]).with_code(0);
    assert_eq!(status(&small.key, "auth"), 401);
    let mut metrics = ratter_tests::http::Connection::tcp(feed.node.addresses().metrics).expect("metrics");
    let text = metrics.get("/metrics").expect("metrics").body;
    for line in
        ["feed_requests_total{end=\"denied\"} ", "feed_requests_total{end=\"whole\"} 2", "feed_connections_open "]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn bad_clients_are_cut_and_others_served() {
    let feed = Feed::start();
    let connect = || {
        let stream = TcpStream::connect(feed.listen).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        stream
    };
    // Far from the 32 that one network may hold: those who come below may not be gone yet when the next one comes.
    let held: Vec<TcpStream> = (0..20).map(|_| connect()).collect();
    assert_eq!(feed.get("auth").status, 200, "beside those that say nothing");
    for junk in ["\0\0\0\r\n\r\n", "GET /feed/auth HTTP/9\r\n\r\n", "POST /feed/auth HTTP/1.1\r\n\r\n"] {
        let mut stream = connect();
        stream.write_all(junk.as_bytes()).expect("sent");
        let mut said = Vec::new();
        // What it did not read makes the end a reset, behind the answer.
        let end = stream.read_to_end(&mut said).map_err(|error| error.kind());
        assert!(end.is_ok() || end == Err(std::io::ErrorKind::ConnectionReset), "{end:?}");
        let said = String::from_utf8_lossy(&said);
        assert!(said.starts_with("HTTP/1.1 40"), "{junk:?}: {said}");
    }
    let mut endless = connect();
    // A head without an end is cut by its length, long before anybody's patience.
    let kilobytes = (0..100_000).take_while(|_| endless.write_all(&[b'a'; 1024]).is_ok()).count();
    assert!(kilobytes < 100_000, "still read");
    // More than a network may hold are turned away.
    let more: Vec<TcpStream> = (0..40).map(|_| connect()).collect();
    let is_ended = |stream: &TcpStream| {
        let mut stream = stream.try_clone().expect("a socket");
        stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
        !matches!(stream.read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    };
    assert!(more.last().is_some_and(is_ended));
    drop((held, more));
    wait::until_true("room again", || feed.get("auth").status == 200);
}

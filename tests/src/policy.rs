//! Dovecot's part at the auth policy gate, for tests that need no Dovecot: the requests that both of its versions send.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::http::{Connection, Response};

/// `Authorization` as Dovecot is configured to send it, with the gate's password and any user name.
pub const AUTHORIZATION: &str = "Authorization: Basic ZG92ZWNvdDpzdXBlciBzZWNyZXQ=\r\n";

/// A connection to the gate, kept open between requests as Dovecot does.
#[derive(Debug)]
pub struct Gate(Connection<TcpStream>);

/// An attempt to log in, as Dovecot tells it.
#[derive(Clone, Debug)]
pub struct Attempt {
    login: String,
    address: String,
    session: String,
    hash: String,
}

/// How an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The password was right.
    Success,
    /// The password was wrong, or there is no such login.
    Wrong,
    /// The gate had refused it.
    Refused,
    /// The password database did not answer. Only Dovecot 2.4 can say so.
    Internal,
}

impl Attempt {
    /// An attempt in a session of its own, with a password that no other attempt of this test has.
    pub fn new(address: &str, login: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            login: login.to_owned(),
            address: address.to_owned(),
            session: format!("tests+{number}"),
            hash: format!("{:04x}", number % 0x1000),
        }
    }

    /// The same with another tag of the password.
    #[must_use]
    pub fn hash(mut self, hash: &str) -> Self {
        hash.clone_into(&mut self.hash);
        self
    }

    fn body(&self, stage: &str) -> Value {
        let Self { login, address, session, hash } = self;
        json!({
            "attrs": { "local_port": "143", "stage": stage },
            "device_id": "", "fail_type": "", "login": login, "protocol": "imap", "pwhash": hash,
            "remote": address, "session_id": session, "tls": true,
        })
    }
}

impl Gate {
    /// Connects.
    pub fn new(address: SocketAddr) -> Self {
        Self(Connection::tcp(address).expect("the gate listens"))
    }

    /// The connection, for requests that Dovecot would not send.
    pub fn raw(&mut self) -> &mut Connection<TcpStream> {
        &mut self.0
    }

    /// Sends a body to a command and returns the whole answer.
    pub fn send(&mut self, command: &str, body: &str) -> Response {
        let path = format!("/?command={command}");
        self.0.post(&path, AUTHORIZATION, body).unwrap_or_else(|error| panic!("{command} {body}: {error}"))
    }

    /// What the gate answers before the password is checked: 0 to go on, a number of seconds to hold, or less than 0
    /// to refuse.
    pub fn before(&mut self, attempt: &Attempt) -> i64 {
        self.allow(&attempt.body("before"))
    }

    /// What it answers after the password was found right.
    pub fn after(&mut self, attempt: &Attempt) -> i64 {
        self.allow(&attempt.body("after"))
    }

    /// What it answers to any `allow` request.
    pub fn allow(&mut self, body: &Value) -> i64 {
        let response = self.send("allow", &body.to_string());
        verdict(&response)
    }

    /// Reports how an attempt ended.
    pub fn report(&mut self, attempt: &Attempt, end: End) {
        let mut body = attempt.body(if end == End::Success { "after" } else { "before" });
        body["success"] = json!(end == End::Success);
        body["policy_reject"] = json!(end == End::Refused);
        body["fail_type"] = json!(match end {
            End::Success => "",
            End::Wrong => "credentials",
            End::Refused => "policy",
            End::Internal => "internal",
        });
        let response = self.send("report", &body.to_string());
        assert_eq!(response.status, 200, "{response:?}");
    }

    /// Plays a whole login: asks, and reports what a Dovecot that obeys would report. Returns what the client sees:
    /// whether it is in, and for how long it was held, in seconds.
    pub fn login(&mut self, attempt: &Attempt, is_password_right: bool) -> (bool, i64) {
        let before = self.before(attempt);
        if before < 0 {
            self.report(attempt, End::Refused);
            return (false, 0);
        }
        if !is_password_right {
            self.report(attempt, End::Wrong);
            return (false, before);
        }
        let is_in = self.after(attempt) >= 0;
        self.report(attempt, if is_in { End::Success } else { End::Refused });
        (is_in, before)
    }
}

/// The verdict in an answer, which must be one that both versions of Dovecot understand: `status` is an integer, and
/// nothing nested is called `status` or `msg`, because version 2.3 finds such keys at any depth.
pub fn verdict(response: &Response) -> i64 {
    assert_eq!(response.status, 200, "{response:?}");
    let value: Value = response.json();
    let fields = value.as_object().unwrap_or_else(|| panic!("an object is wanted: {response:?}"));
    for nested in fields.values() {
        let text = nested.to_string();
        let is_nested = nested.is_object() || nested.is_array();
        assert!(!is_nested || !(text.contains("\"status\"") || text.contains("\"msg\"")), "{response:?}");
    }
    let status = &fields["status"];
    assert!(status.is_i64(), "`status` must be an integer: {response:?}");
    status.as_i64().expect("an integer")
}

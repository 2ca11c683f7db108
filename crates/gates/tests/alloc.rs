//! A question or report allocates nothing once the connection's buffers have grown.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use core::cell::Cell;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;

use base::{ListSet, Timestamp};
use gates::alone::{Alone, per_login};
use gates::dovecot::{Access, Count, Gate, PasswordHash, Settings};
use gates::http::Http;
use gates::session::Protocol;
use gates::{policy, postfix};
use rules::limits::LimitEffect;

std::thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting by thread.
struct Counting;

#[expect(unsafe_code, reason = "an allocator cannot be written otherwise; it only counts and hands on")]
// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn requests_allocate_nothing() {
    let own = [include_str!("data/policy-2.3.log"), include_str!("data/policy-2.4.log")].concat();
    let mut wires: Vec<String> = own.split("POST ").skip(1).map(wire).collect();
    let chunked = "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"log\r\n8\r\nin\":\"c\"}\r\n0\r\n\r\n";
    wires.push(format!("POST /command/allow HTTP/1.1\r\nAuthorization: Basic OnN1cGVy\r\n{chunked}"));
    wires.push("GET /?command=ping HTTP/1.1\r\nX-API-Key: sesame\r\n\r\n".to_owned());
    let settings = Settings {
        access: Access::open().with_password("super").with_header("sesame"),
        password_hash: Some(PasswordHash::new("localrandomstring")),
        ..Settings::default()
    };
    let gate = Arc::new(Gate::new(settings, Arc::new(Alone::open())));
    let mut connection = Http::new(gate.clone()).session(None);
    let mut round = || {
        for wire in &wires {
            // In two pieces, so that the longer way is taken as well.
            for piece in [&wire[..wire.len() / 2], &wire[wire.len() / 2..]] {
                connection.space()[..piece.len()].copy_from_slice(piece.as_bytes());
                connection.filled(piece.len());
                connection.serve(Timestamp::EPOCH);
            }
            assert!(connection.output().starts_with(b"HTTP/1.1 200 OK\r\n"), "{wire}");
            connection.written();
        }
    };
    round();
    let before = ALLOCATIONS.get();
    for _ in 0..100 {
        round();
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert!(gate.counters().get(Count::AskedBefore) > 500 && gate.counters().get(Count::ReportedOk) > 100);
}

#[test]
fn policy_requests_allocate_nothing() {
    // Buckets of which nobody reaches the end.
    let limit = per_login(1_000_000, &["1000 / 1s", "100000 / 1h"], LimitEffect::Defer);
    let node = Alone::new(vec![limit], || Timestamp::EPOCH).node();
    let settings =
        policy::Settings { refusal: policy::Refusal::Reject, refuse_lists: ListSet::EMPTY, mark_lists: ListSet::EMPTY };
    let gate = Arc::new(postfix::Gate::new(node, settings));
    // Ten users; each gives one message up, and sends another.
    let states = [("RCPT", 0), ("RCPT", 1), ("DATA", 1), ("END-OF-MESSAGE", 1)];
    let wires = (0..10).flat_map(|user| {
        states.map(|(state, message)| {
            format!(
                "request=smtpd_access_policy\nprotocol_state={state}\nclient_address=198.51.100.{user}\n\
                 sender=user{user}@example.org\nrecipient=r{user}@example.net\nrecipient_count=1\nqueue_id=4XYZ{user}\n\
                 instance=2b00.{user}{message}.0\nsasl_username=user{user}@example.org\n\n"
            )
        })
    });
    let wires: Vec<String> = wires.collect();
    let mut session = gate.session(None);
    let mut round = || {
        for wire in &wires {
            session.space()[..wire.len()].copy_from_slice(wire.as_bytes());
            session.filled(wire.len());
            assert_eq!(session.serve(Timestamp::EPOCH), 1);
            assert_eq!(session.output(), b"action=DUNNO\n\n");
            session.written();
        }
    };
    round();
    let before = ALLOCATIONS.get();
    for _ in 0..100 {
        round();
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

/// A request of the sample files as it goes over the wire.
fn wire(sample: &str) -> String {
    let (head, rest) = sample.split_once("  >> ").unwrap();
    let (body, _) = rest.split_once("\n  << ").unwrap();
    let mut lines = head.lines();
    let request = lines.next().unwrap();
    let headers: Vec<&str> = lines.map(str::trim).collect();
    format!("POST {request} HTTP/1.1\r\n{}\r\n\r\n{body}", headers.join("\r\n"))
}

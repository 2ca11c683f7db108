//! Thousands of networks at once: forged ones gain nothing, and real ones soon are told all.

use core::net::Ipv4Addr;

use base::{Address, Timestamp};
use dnsbl::serve::{Asker, Transport};

use crate::access::varied_world;
use crate::common::{World, query, text};

const UDP: Transport = Transport::Udp { max: 1232 };
const START: u64 = 1_800_000_000_000;

/// The networks that a flood names as its senders.
const FORGED: u32 = 20_000;

fn client(network: u32) -> Address {
    Address::new(Ipv4Addr::from_bits((0x0b00_0000 + network * 256) | 7).into())
}

fn ask(world: &World, network: u32, message: &[u8], transport: Transport, millis: u64) -> Vec<u8> {
    let mut out = vec![0; 4096];
    let asker = Asker { address: client(network), transport, now: Timestamp::from_millis(START + millis) };
    let length = world.responder.answer(&world.book.snapshot(), &asker, message, &mut out, &world.counters);
    out.truncate(length);
    out
}

#[test]
fn a_flood_in_the_name_of_thousands_of_networks_gets_no_more_than_one_and_a_half_times() {
    for question in ["9.2.0.192.auth A +edns", "1.2.0.192.all TXT +edns=1232", "@ ANY", "1.2.0.192.spam TXT"] {
        let (world, message) = (varied_world(), query(question));
        let (mut sent, mut received) = (0, 0);
        for _ in 0..3 {
            for network in 0..FORGED {
                let reply = ask(&world, network, &message, UDP, 0);
                (sent, received) = (sent + message.len(), received + reply.len());
            }
        }
        println!("{question}: {:.2}", received as f64 / sent as f64);
        assert!(2 * received <= 3 * sent, "{question}: {received} octets for {sent}");
        // Whatever is forged meanwhile, a listing is told, and so is that there is none.
        for network in FORGED..FORGED + 500 {
            let listed = text(&ask(&world, network, &query("1.2.0.192.auth A"), UDP, 0));
            assert_eq!(listed, "NOERROR aa; 1.2.0.192.auth 2043 A 127.0.0.43");
            let unlisted = text(&ask(&world, network, &query("9.2.0.192.auth A"), UDP, 0));
            assert!(["NXDOMAIN aa", "NOERROR aa tc"].contains(&&*unlisted), "{unlisted}");
        }
    }
}

/// One question each is all that a few hundred networks need to be forged for, and the server has just begun.
#[test]
fn the_first_question_of_a_network_gains_nothing_for_who_forged_it() {
    let questions = ["2.0.0.127.all TXT", "1.2.0.192.all TXT", "@ ANY", "@ TXT", "9.2.0.192.auth A", "2.0.0.127.all A"];
    for question in questions {
        let (world, message) = (varied_world(), query(question));
        let (mut sent, mut received) = (0, 0);
        for network in 0..400 {
            let reply = ask(&world, network, &message, UDP, 0);
            (sent, received) = (sent + message.len(), received + reply.len());
        }
        println!("{question}: {:.2}", received as f64 / sent as f64);
        assert!(2 * received <= 3 * sent, "{question}: {received} octets for {sent}");
    }
    // Whoever asks himself is told all by TCP, and from then on by UDP too.
    let (world, texts) = (varied_world(), query("2.0.0.127.all TXT"));
    assert_eq!(text(&ask(&world, 1, &texts, UDP, 0)), "NOERROR aa tc");
    let whole = ask(&world, 1, &texts, Transport::Tcp, 0);
    assert!(whole.len() > 4 * texts.len());
    assert_eq!(ask(&world, 1, &query("2.0.0.127.all TXT +edns"), UDP, 0).len(), whole.len() + 11);
    // What mail servers ask for is told at once.
    let unlisted = text(&ask(&world, 2, &query("9.2.0.192.auth A"), UDP, 0));
    assert!(unlisted.starts_with("NXDOMAIN aa | auth 150 SOA "), "{unlisted}");
    let listed = text(&ask(&world, 2, &query("1.2.0.192.auth A"), UDP, 0));
    assert_eq!(listed, "NOERROR aa; 1.2.0.192.auth 2043 A 127.0.0.43");
}

/// A server that has just begun is asked far more than all newcomers may be sent, by resolvers without cookies that
/// come by TCP when they are told to.
#[test]
fn resolvers_of_a_busy_server_are_soon_told_all() {
    let world = varied_world();
    let (unlisted, listed) = (query("9.2.0.192.auth A +edns"), query("1.2.0.192.auth A"));
    let (resolvers, seconds) = (1000, 30);
    let (mut came, mut short) = (Vec::new(), vec![0; seconds]);
    for millis in 0..seconds as u64 * 1000 {
        for turn in 0..15 {
            // Each in turn, in an order that is no time's.
            let resolver = ((millis * 15 + turn) * 7919 % u64::from(resolvers)) as u32;
            let reply = text(&ask(&world, resolver, &unlisted, UDP, millis));
            if reply.contains(" tc") {
                came.push(resolver);
                let reply = text(&ask(&world, resolver, &unlisted, Transport::Tcp, millis));
                assert!(reply.starts_with("NXDOMAIN aa | auth 150 SOA "), "{reply}");
            } else if !reply.contains("SOA") {
                short[millis as usize / 1000] += 1;
            }
        }
        let reply = text(&ask(&world, millis as u32 % resolvers, &listed, UDP, millis));
        assert_eq!(reply, "NOERROR aa; 1.2.0.192.auth 2043 A 127.0.0.43");
    }
    assert!(short[..3].iter().sum::<u32>() > 5000, "{short:?}: the common account was too small at first");
    assert!(short[seconds - 5..].iter().all(|count| *count == 0), "{short:?}");
    came.sort_unstable();
    assert!(came.windows(2).all(|two| two[0] != two[1]), "each came once");
    assert!(came.len() > 200, "{}: the others share what is enough for them", came.len());
    // A flood in the name of others is nothing to those.
    let end = seconds as u64 * 1000;
    for network in 0..FORGED {
        ask(&world, resolvers + network, &unlisted, UDP, end);
    }
    assert!(came.iter().all(|resolver| text(&ask(&world, *resolver, &unlisted, UDP, end)).contains("SOA")));
}

//! Who sends too much again and again: the address is blocked without end, or the login where others use the address too.

use std::fmt::Write;
use std::time::Duration;

use base::{EventKind, ListId, Maker, RuleId, Subject, Until, Verdict};
use rules::{By, Distinct, Effect, Of, Question, Rule, Settings, Stage, Trigger};

use crate::play::{play_with, settings};

/// The shipped settings with the rule of ten messages as the only one, as `default.toml` has it.
fn of_ten() -> Settings {
    let rule = Rule {
        name: "ten-limits".into(),
        on: Trigger::Event(EventKind::RateExceeded),
        by: By::Sender,
        count: 10,
        within: Duration::from_hours(24),
        distinct: Some(Distinct { of: Of::Message, at_least: 10 }),
        unless_known: false,
        per_good: 0,
        reverse: None,
        effect: Effect::BlockSender { span: None },
    };
    Settings { rules: vec![rule], ..settings() }
}

/// So many messages of a login from an address that were too much, a second apart from second `from` on.
fn exceeds(script: &mut String, from: u32, count: u32, who: &str) {
    for at in from..from + count {
        writeln!(script, "{at} saw rate-exceeded {who}").expect("a String takes all");
    }
}

#[test]
fn the_tenth_message_blocks_the_address_until_a_person_lifts_it() {
    let mut script = String::new();
    exceeds(&mut script, 0, 9, "alice 203.0.113.7");
    script += "9 lists 203.0.113.7 -> -\n";
    exceeds(&mut script, 10, 1, "alice 203.0.113.7");
    script += "11 lists 203.0.113.7 -> blocked
        11 before alice 203.0.113.7 -> refuse address
        11 before bob 203.0.113.7 -> refuse address
        11 before alice 203.0.113.8 -> pass
        11 until 203.0.113.7 -> -
        400d expire
        400d lists 203.0.113.7 -> blocked
        400d unlist 203.0.113.7
        400d lists 203.0.113.7 -> -\n";
    play_with("ten", of_ten(), &script);
}

#[test]
fn a_message_that_is_tried_again_is_one() {
    let mut script = String::new();
    exceeds(&mut script, 0, 100, "alice 203.0.113.7 sess=m1");
    exceeds(&mut script, 100, 8, "alice 203.0.113.7");
    script += "110 lists 203.0.113.7 -> -\n";
    exceeds(&mut script, 111, 1, "alice 203.0.113.7 sess=m2");
    script += "112 lists 203.0.113.7 -> blocked\n";
    play_with("again", of_ten(), &script);
}

#[test]
fn ten_in_a_day_and_no_fewer() {
    let mut script = String::new();
    exceeds(&mut script, 0, 9, "alice 203.0.113.7");
    script += "86401 saw rate-exceeded alice 203.0.113.7\n86402 lists 203.0.113.7 -> -\n";
    play_with("slow", of_ten(), &script);
}

#[test]
fn own_addresses_webmails_and_shared_ones_are_spared_and_the_login_is_blocked() {
    // Never listed, a proxy, inside a house, and one from which two others log in.
    for address in ["198.51.100.250", "2001:db8:ffff::1", "192.0.2.3", "10.1.2.3", "203.0.113.99"] {
        let mut script = "0 ok bob 203.0.113.99 -> news\n0 ok carol 203.0.113.99 -> news\n".to_owned();
        writeln!(script, "1 before alice {address} -> {}", if is_never(address) { "pass never" } else { "pass" })
            .unwrap();
        exceeds(&mut script, 2, 10, &format!("alice {address}"));
        writeln!(
            script,
            "12 lists {address} -> -\n12 until login:alice -> -\n12 before alice {address} -> refuse login"
        )
        .expect("a String takes all");
        // The thief and the owner have the same password: neither comes in, from nowhere.
        script += "13 before Alice 203.0.113.200 -> refuse login\n";
        writeln!(script, "14 before bob {address} -> {}", if is_never(address) { "pass never" } else { "pass" })
            .unwrap();
        script += "15 unlist login:alice\n16 before alice 203.0.113.200 -> pass\n";
        play_with(address, of_ten(), &script);
    }
}

fn is_never(address: &str) -> bool {
    ["198.51.100.250", "2001:db8:ffff::1"].contains(&address)
}

#[test]
fn the_thief_who_logged_in_is_no_bystander_and_the_owner_is_no_shelter() {
    // He is known by his address now, as an owner would be; one housemate is not several.
    let mut script = "0 ok alice 203.0.113.7 -> news\n0 ok bob 203.0.113.7 -> news\n".to_owned();
    exceeds(&mut script, 1, 10, "alice 203.0.113.7");
    script += "12 lists 203.0.113.7 -> blocked\n";
    play_with("thief", of_ten(), &script);

    // From an address of many his login is blocked, though he is known by it.
    let mut script =
        "0 ok alice 203.0.113.7 -> news\n0 ok bob 203.0.113.7 -> news\n0 ok carol 203.0.113.7 -> news\n".to_owned();
    exceeds(&mut script, 1, 10, "alice 203.0.113.7");
    script +=
        "12 lists 203.0.113.7 -> -\n12 before alice 203.0.113.7 -> refuse login\n12 before bob 203.0.113.7 -> pass\n";
    play_with("crowd", of_ten(), &script);
}

#[test]
fn who_is_never_listed_is_never_blocked_and_nobody_is_blocked_for_no_login() {
    let mut script = String::new();
    exceeds(&mut script, 0, 20, "postmaster 198.51.100.250");
    exceeds(&mut script, 30, 20, "- 192.0.2.3");
    script += "60 before postmaster 203.0.113.1 -> pass\n60 lists 192.0.2.3 -> -\n";
    play_with("never", of_ten(), &script);
}

/// The rule against botnets, as `default.toml` has it.
fn of_places() -> Settings {
    let mut settings = of_ten();
    settings.rules[0] = Rule {
        name: "login-over-limits".into(),
        by: By::SenderLogin,
        count: 20,
        distinct: Some(Distinct { of: Of::Place, at_least: 10 }),
        effect: Effect::BlockSender { span: Some(Duration::from_hours(24)) },
        ..settings.rules[0].clone()
    };
    settings
}

/// One message too much from each of so many places, a second apart from second `from` on.
fn roams(script: &mut String, from: u32, places: u32) {
    for at in from..from + places {
        writeln!(script, "{at} saw rate-exceeded alice 11.{at}.7.9").expect("a String takes all");
    }
}

#[test]
fn a_botnet_stops_the_sending_of_the_login_for_a_day() {
    let mut script = String::new();
    roams(&mut script, 0, 19);
    script += "19 until login:alice -> -\n";
    roams(&mut script, 19, 1);
    script += "20 lists 11.7.7.9 -> -\n20 before alice 11.7.7.9 -> pass\n";
    // Its owner reads his mail, and sends nothing, wherever he is known.
    let engine = crate::play::engine(of_places());
    crate::play::play_on("roams", &engine, &script);
    let at = |seconds| crate::play::BEGIN.plus(Duration::from_secs(seconds));
    let verdict = |seconds, service| {
        let address = Some("203.0.113.7".parse().expect("an address"));
        engine.ask(at(seconds), &Question { address, login: Some("alice"), stage: Stage::After, service }).verdict
    };
    for service in ["submission", "submissions", "smtp", "smtps"] {
        assert_eq!(verdict(30, service), Verdict::Refuse, "{service}");
        assert_eq!(verdict(24 * 3600 + 20, service), Verdict::Pass, "{service}");
    }
    assert_eq!((verdict(30, "imap"), verdict(30, "sieve")), (Verdict::Pass, Verdict::Pass));
}

#[test]
fn many_messages_from_few_places_and_one_message_from_many_are_no_botnet() {
    let mut script = String::new();
    exceeds(&mut script, 0, 300, "alice 203.0.113.7");
    for place in 1..9 {
        exceeds(&mut script, 300 * place, 10, &format!("alice 11.{place}.7.9"));
    }
    script += "5000 until login:alice -> -\n";
    play_with("few places", of_places(), &script);

    let mut script = String::new();
    for at in 0..200 {
        writeln!(script, "{at} saw rate-exceeded alice 11.{at}.7.9 sess=m1").expect("a String takes all");
    }
    script += "300 until login:alice -> -\n";
    play_with("one message", of_places(), &script);
}

#[test]
fn a_block_of_minutes_becomes_one_without_end() {
    let engine = crate::play::engine(of_ten());
    let subject: Subject = "203.0.113.7".parse().expect("an address");
    let maker = Maker::Rule(RuleId(7));
    let until = Until::At(crate::play::BEGIN.plus(Duration::from_mins(5)));
    let wish = listings::Wish {
        subject: subject.clone(),
        list: ListId::BLOCKED,
        until,
        maker,
        evidence: base::Evidence::default(),
    };
    engine.book().list(crate::play::BEGIN, wish).expect("it can be listed");
    for message in 0..10 {
        let at = crate::play::BEGIN.plus(Duration::from_secs(message));
        let name = message.to_string();
        crate::play::observe_excess(&engine, at, "alice", "203.0.113.7", &name);
    }
    let listings = engine.book().about(&subject);
    assert_eq!(listings.iter().map(|listing| listing.until).collect::<Vec<_>>(), [Until::Never]);
    assert_eq!(listings[0].maker, Maker::Rule(RuleId(0)));
}

//! The vectors: operations on rspamd's own scripts, with their replies and what they left in Redis.

use serde_json::Value;

use base::Timestamp;
use rules::limits::rspamd::{Dynamics, Hash, Shape};

/// `%.14g`, as Lua writes a number.
fn lua_text(number: f64) -> String {
    let text = format!("{number:.13e}");
    let (mantissa, exponent) = text.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    let trim = |text: &str| {
        let whole = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
        whole.to_owned()
    };
    match exponent {
        -4..14 => trim(&format!("{number:.*}", (13 - exponent).unsigned_abs() as usize)),
        _ => format!("{}e{}{:02}", trim(mantissa), if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    }
}

/// A verdict's multipliers as far as they go in rspamd's shipped settings.
fn dynamics(operation: &Value, is_on: bool) -> Dynamics {
    let factor = |name: &str| operation[name].as_f64().unwrap();
    let (rate_max, burst_max) = if is_on { (5.0, 10.0) } else { (1.0, 1.0) };
    Dynamics { rate: factor("mr"), burst: factor("mb"), rate_max, burst_max }
}

/// Reply and stored fields after an operation, as text.
fn play(hash: &mut Hash, operation: &Value, shape: Shape, is_old: bool, is_dynamic: bool) -> String {
    let now = Timestamp::from_millis(operation["now"].as_u64().unwrap());
    let recipients = operation["n"].as_u64().unwrap() as u32;
    let reply = match operation["op"].as_str().unwrap() {
        "check" => {
            let reply =
                if is_old { hash.check_3_4(now, recipients, shape) } else { hash.check(now, recipients, shape) };
            let texts = [reply.level, reply.dynamic_rate, reply.dynamic_burst, reply.leaked].map(lua_text);
            format!("{},{}", u8::from(reply.is_over), texts.join(","))
        }
        "update" => {
            let reply = if is_old {
                hash.update_3_4(now, recipients, dynamics(operation, true))
            } else {
                hash.update(now, recipients, dynamics(operation, is_dynamic))
            };
            [reply.level, reply.dynamic_rate, reply.dynamic_burst].map(lua_text).join(",")
        }
        "cleanup" => hash.cleanup(now, recipients).to_string(),
        other => panic!("{other}"),
    };
    let [l, b, dr, db, p] = hash.fields().map(|text| format!("{text:?}"));
    let p = if is_old { "null" } else { &p };
    format!("{reply} l {l} b {b} dr {dr} db {db} p {p}")
}

/// The same of the vector.
fn wanted(operation: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let reply = match operation["reply"].as_array() {
        Some(parts) => parts.iter().map(text).collect::<Vec<_>>().join(","),
        None => text(&operation["reply"]),
    };
    let state = &operation["state"];
    let [l, b, dr, db, p] = ["l", "b", "dr", "db", "p"].map(|field| &state[field]);
    format!("{reply} l {l} b {b} dr {dr} db {db} p {p}")
}

fn check(file: &str, is_old: bool, least: usize) {
    let Ok(shared) = std::env::var("RATTER_SHARED") else {
        println!("RATTER_SHARED is not set: {file} was not looked at, this test shows nothing");
        return;
    };
    let text = std::fs::read_to_string(format!("{shared}/reference/rspamd/{file}")).unwrap();
    let (mut hash, mut is_dynamic) = (Hash::default(), false);
    let mut shape = Shape::new(0.0, 0.0);
    let mut played = 0;
    for line in text.lines() {
        let operation: Value = serde_json::from_str(line).unwrap();
        if operation["new"].is_string() {
            hash = Hash::default();
            is_dynamic = operation["dyn"] == true;
            shape = Shape::new(operation["burst"].as_f64().unwrap(), operation["rate_per_s"].as_f64().unwrap());
        }
        // What a table keeps is all there is of it.
        let mut words = [0; Hash::WORDS];
        hash.write(&mut words);
        hash = Hash::from_words(&words);
        assert_eq!(play(&mut hash, &operation, shape, is_old, is_dynamic), wanted(&operation), "{played}: {line}");
        played += 1;
    }
    assert!(played >= least, "{played} operations");
}

#[test]
fn replies_and_stored_texts_are_those_of_4_1_5() {
    check("vectors-rspamd-4.1.5.jsonl", false, 1200);
}

#[test]
fn replies_and_stored_texts_are_those_of_3_4() {
    check("vectors-rspamd-3.4.jsonl", true, 400);
}

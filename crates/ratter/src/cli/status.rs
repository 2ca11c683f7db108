use std::path::Path;

use console::api::{ActionStatus, MirrorStatus, Status};

use super::client::Client;
use super::show::{Show, printable, table};
use super::{Failure, Outcome};

/// `ratter status`: how the running node is.
pub(crate) fn status(config: Option<&Path>, show: &Show) -> Result<Outcome, Failure> {
    let Some(status) = Client::of(config)?.get::<Status>("/v1/status")? else { return Ok(Outcome::NothingFound) };
    show.value(&status, text)?;
    Ok(Outcome::Done)
}

fn text(status: &Status) -> String {
    let mut parts = vec![format!(
        "{} runs Ratter {} since {}, serial {}",
        status.node, status.version, status.started, status.serial
    )];
    // A fault of a file is shown with its line and a caret below it.
    let shown = |warning: &String| warning.lines().map(printable).collect::<Vec<_>>().join("\n  ");
    parts.extend(status.warnings.iter().map(|warning| format!("! {}", shown(warning))));
    parts.push(table(
        ["LIST", "CODE", "LISTINGS"],
        status.lists.iter().map(|list| {
            [list.name.clone(), list.code.clone().unwrap_or_else(|| "local".to_owned()), list.listings.to_string()]
        }),
    ));
    if status.exceptions > 0 {
        parts.push(format!(
            "{} exceptions let somebody pass or refuse him, whatever the lists say: `ratter why` shows those about a subject, `getWL` \
             and `getBL` of weakforced's API all of them",
            status.exceptions
        ));
    }
    parts.push(table(["INPUT OR GATE", "STATE", "COUNTED"], inputs(status)));
    if !status.reporters.is_empty() {
        parts.push(super::reporter::shown(&status.reporters));
    }
    if !status.actions.is_empty() {
        parts.push(table(["ACTION", "STATE", "COUNTED"], status.actions.iter().map(action)));
    }
    let engine = &status.engine;
    parts.push(format!(
        "{} attempts counted, {} told twice, {} the same wrong password again; {} listings made by rules",
        engine.counted, engine.duplicates, engine.repeated, engine.listings
    ));
    if let Some(until) = &engine.paused_until {
        parts.push(format!("! counting is paused until {until}: the password database seems to be down"));
    }
    let store = &status.store;
    parts.push(match &store.failing {
        None => {
            let past = store.past_from.as_ref().map(|from| format!(", the past is known from {from} on"));
            format!("store {}, {} events not kept{}", store.path, store.shed, past.unwrap_or_default())
        }
        Some(fault) => format!("! store {} cannot write: {fault}", store.path),
    });
    parts.join("\n\n")
}

fn inputs(status: &Status) -> Vec<[String; 3]> {
    let sensors = status.sensors.iter().map(|s| {
        let shed = if s.shed > 0 { format!(", {} shed", s.shed) } else { String::new() };
        [s.path.clone(), s.state.clone(), format!("{} lines, {} events{shed}", s.lines, s.events)]
    });
    let gates = status.gates.iter().map(|g| {
        let counted = format!("{} asked, {} reported, {} malformed", g.asked, g.reported, g.malformed);
        [format!("{} {}", g.name, g.listen), "listening".to_owned(), counted]
    });
    let dnsbl = status.dnsbl.iter().map(|d| {
        let counted = format!("{} queries, {} listed, {} denied; {} keys", d.queries, d.listed, d.denied, d.keys);
        let tls = d.tls.iter().map(|address| format!("tls {address}"));
        let listen: Vec<_> = d.listen.iter().cloned().chain(tls).collect();
        [format!("dns {} {}", d.origin, listen.join(" ")), "listening".to_owned(), counted]
    });
    let transfers = status.dnsbl.iter().flat_map(|d| &d.transfers).map(|t| {
        let counted = format!(
            "{} whole zones, {} differences, {} refused; {} announced, {} unheard",
            t.whole, t.incremental, t.refused, t.notified, t.unheard
        );
        ["secondaries".to_owned(), "served".to_owned(), counted]
    });
    let files = status.dnsbl.iter().flat_map(|d| &d.files).map(|zone| {
        let state = match (&zone.fault, zone.entries) {
            (Some(_), Some(_)) => "as it was",
            (Some(_), None) => "not served",
            (None, _) => "served",
        };
        [format!("zone {}", zone.name), state.to_owned(), format!("{} entries", zone.entries.unwrap_or_default())]
    });
    let mirrors = status.dnsbl.iter().flat_map(|d| &d.mirrors).map(mirror);
    sensors.chain(gates).chain(dnsbl).chain(transfers).chain(files).chain(mirrors).collect()
}

/// A mirrored zone; what keeps it from being up to date stands among the warnings.
fn mirror(zone: &MirrorStatus) -> [String; 3] {
    let state = match (&zone.fault, zone.serial) {
        (Some(_), Some(_)) => "as it was",
        (_, None) => "not served",
        (None, Some(_)) => "served",
    };
    let held = zone.serial.map(|serial| format!("serial {serial}, {} records", zone.records));
    let came = zone.since.iter().map(|since| format!("since {since}"));
    let from = zone.from.iter().map(|from| format!("from {from}"));
    let told = held.into_iter().chain([came.chain(from).collect::<Vec<_>>().join(" ")]);
    [
        format!("mirror {}", zone.name),
        state.to_owned(),
        told.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "),
    ]
}

fn action(action: &ActionStatus) -> [String; 3] {
    let state = match (&action.fault, action.behind_ms) {
        (Some(_), behind) => format!("failing, {} s behind", behind.div_ceil(1000)),
        (None, 0) => "up to date".to_owned(),
        (None, behind) => format!("{behind} ms behind"),
    };
    let more = [
        (action.entries as u64, "entries"),
        (action.waiting as u64, "held back"),
        (action.left_out as u64, "left out"),
        (action.shed, "shed"),
    ];
    let more = more.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
    let counted = format!("{} done, {} failed{}", action.done, action.failed, more.collect::<String>());
    [format!("{} {}", action.name, action.what), state, counted]
}

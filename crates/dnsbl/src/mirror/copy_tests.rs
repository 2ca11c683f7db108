use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A zone as anybody would write it down.
type Model = BTreeMap<Vec<u8>, Vec<(u16, Vec<u8>)>>;

fn key(labels: &[u8]) -> Box<[u8]> {
    labels.iter().flat_map(|label| [1, *label]).collect()
}

fn change(is_added: bool, kind: u16, data: u8) -> Change {
    // Long data, so that a few names fill a piece.
    Change { is_added, kind, ttl: 60, data: vec![data; 700].into() }
}

fn check(copy: &Copy, model: &Model) {
    let held: Model = copy
        .entries()
        .map(|entry| (entry.key.to_vec(), entry.records().map(|record| (record.kind, record.data.to_vec())).collect()))
        .collect();
    let sorted = |zone: &Model| {
        zone.iter()
            .map(|(key, records)| {
                let mut records = records.clone();
                records.sort();
                (key.clone(), records)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(sorted(&held), sorted(model));
    assert_eq!(copy.len(), model.values().map(Vec::len).sum::<usize>());
    for (a, b) in (0..6).flat_map(|a| (0..7).map(move |b| (a, b))) {
        let asked = if b == 6 { key(&[a]) } else { key(&[a, b]) };
        let is_below = model.keys().any(|name| name.starts_with(&asked));
        match copy.look(&asked) {
            Look::Here(entry) => assert!(entry.key == &*asked && model.contains_key(&*asked)),
            Look::Above => assert!(is_below && !model.contains_key(&*asked)),
            Look::Nothing => assert!(!is_below),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn changes_are_those_of_a_map(
        rounds in prop::collection::vec(prop::collection::vec((0u8..6, 0u8..7, 1u16..3, 0u8..3), 0..30), 1..12),
    ) {
        let (mut copy, mut model) = (Copy::default(), Model::new());
        for round in rounds {
            let before = copy.clone();
            let old = model.clone();
            let mut changes = Changes::new();
            for (a, b, kind, data) in round {
                let name = if b == 6 { key(&[a]) } else { key(&[a, b]) };
                let records = model.entry(name.to_vec()).or_default();
                let wanted = (kind, vec![data; 700]);
                let is_there = records.iter().position(|record| *record == wanted);
                match is_there {
                    Some(at) => drop(records.remove(at)),
                    None => records.push(wanted),
                }
                if model[&*name].is_empty() {
                    model.remove(&*name);
                }
                changes.entry(name).or_default().push(change(is_there.is_none(), kind, data));
            }
            copy = copy.with(&changes).unwrap();
            check(&copy, &model);
            check(&before, &old);
            check(&copy.packed(), &model);
        }
    }
}

#[test]
fn what_is_not_there_cannot_go() {
    let copy = Copy::default();
    let gone = Changes::from([(key(b"a"), vec![change(false, 1, 1)])]);
    assert_eq!(copy.with(&gone).unwrap_err(), NotThere);
    assert!(matches!(copy.look(&key(b"a")), Look::Nothing));
}

#[test]
fn many_small_pieces_are_packed() {
    let names = || (0..4000u32).map(|n| Box::from(n.to_be_bytes()));
    let mut copy = Copy::default().with(&names().map(|name| (name, vec![change(true, 1, 1)])).collect()).unwrap();
    let pieces = copy.pieces.len();
    // What stays is a name in each piece.
    for (_, name) in names().enumerate().filter(|(at, _)| at % 12 > 0) {
        copy = copy.with(&Changes::from([(name, vec![change(false, 1, 1)])])).unwrap();
    }
    assert_eq!(copy.len(), names().step_by(12).count());
    assert!(pieces > 300 && copy.pieces.len() <= 4 * (copy.bytes() / PIECE_BYTES) + SPARE_PIECES + 1);
}

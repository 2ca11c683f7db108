use super::*;

const LIST: ListId = ListId::new(1);

fn step(serial: u64) -> Step {
    Step { serial, network: "192.0.2.1".parse().unwrap(), list: LIST, was_listed: serial.is_multiple_of(2) }
}

fn single(serial: u64) -> (u64, What) {
    (serial, What::Single(Some(step(serial))))
}

/// The changes 41 to 43, a start at 50, 51 and 52, a start without changes at 90, and one at 100.
fn numbers() -> Vec<(u64, What)> {
    let starts = [(50, 43), (90, 52), (100, 90)].map(|(serial, last)| (serial, What::Start(last)));
    let mut numbers: Vec<_> = [41, 42, 43, 51, 52].map(single).into_iter().chain(starts).collect();
    numbers.sort_unstable_by_key(|(serial, _)| core::cmp::Reverse(*serial));
    numbers
}

fn steps(before: &Before) -> Vec<u64> {
    before.steps.iter().map(|step| step.serial).collect()
}

#[test]
fn the_changes_go_back_over_starts() {
    let before = walk(numbers(), 100, 0, 1000);
    assert_eq!((before.whole_from, steps(&before)), (41, vec![42, 43, 51, 52]), "what was before 41 is not there");
    assert_eq!(before.unknown, [(43, 50), (52, 90), (90, 100)]);
    let before = walk(numbers(), 100, 50, 1000);
    assert_eq!((before.whole_from, steps(&before)), (50, vec![51, 52]), "certain from 50 on");
    let before = walk(numbers(), 100, 0, 1);
    assert_eq!((before.whole_from, steps(&before)), (51, vec![52]), "no more than one");
    assert_eq!(walk(numbers(), 101, 0, 1000).whole_from, 101, "a start that is not in the file");
}

#[test]
fn where_one_is_missing_nothing_before_is_certain() {
    let all: Vec<u64> = numbers().iter().map(|(serial, _)| *serial).collect();
    for missing in &all {
        let mut numbers = numbers();
        numbers.retain(|(serial, _)| serial != missing);
        let before = walk(numbers, 100, 0, 1000);
        let wanted =
            if *missing == 41 { 42 } else { all.iter().copied().filter(|one| one > missing).min().unwrap_or(100) };
        assert_eq!(before.whole_from, wanted, "without {missing}");
    }
}

#[test]
fn whole_lists_are_steps_or_renew_their_list() {
    let network = |text: &str| text.parse::<Network>().unwrap();
    let came = vec![(network("192.0.2.7"), true), (network("2001:db8::/48"), false)];
    let kept = unpacked(&packed(&came)).unwrap();
    assert_eq!(kept, came);
    let whole = packed(&came);
    for cut in 1..whole.len() {
        assert!(unpacked(&whole[..cut]).is_none_or(|steps| steps == came[..1] && cut == 6), "{cut}");
    }
    for (at, byte) in [(0, 9), (1, 33), (7, 129)] {
        let mut odd = whole.clone();
        odd[at] = byte;
        assert_eq!(unpacked(&odd), None, "{at}");
    }
    let numbers = vec![
        (9, What::Start(8)),
        (8, What::Bulk(Some(LIST), Some(came))),
        (7, What::Bulk(Some(LIST), None)),
        (6, What::Bulk(None, None)),
        single(5),
    ];
    let before = walk(numbers, 9, 0, 1000);
    assert_eq!((before.whole_from, &before.renewed[..]), (5, &[(LIST, 7)][..]));
    let was: Vec<_> = before.steps.iter().map(|step| (step.serial, step.network, step.was_listed)).collect();
    assert_eq!(was, [(8, network("192.0.2.7"), false), (8, network("2001:db8::/48"), true)]);
}

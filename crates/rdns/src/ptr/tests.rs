//! The machine against a simulated resolver that loses, delays, reorders and lies; and scripts of single cases.

use std::collections::{BTreeMap, BTreeSet};

use core::net::Ipv4Addr;
use core::time::Duration;

use base::{Address, Timestamp};
use proptest::prelude::*;

use super::*;

const TTL: Duration = Duration::from_mins(5);

fn address(n: u8) -> Address {
    Address::new(Ipv4Addr::new(192, 0, 2, n).into())
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_secs(1000 + second)
}

fn names(names: &[&str]) -> Answer {
    Answer::Names(names.iter().map(|name| (*name).into()).collect(), TTL)
}

/// Runs a machine with so many servers to the end of one search, each question answered in turn after the seconds given.
fn run(servers: usize, script: &[(u64, Answer)]) -> (Vec<(Question, usize, u64)>, Option<Found>) {
    let mut machine = Machine::new(Settings { servers, ..Settings::default() });
    let (mut asked, mut script, mut now) = (Vec::new(), script.iter(), at(0));
    machine.handle(now, Input::Wanted { address: address(1), afresh: false });
    for _ in 0..100 {
        match machine.poll_output(now) {
            Some(Output::Ask { id, question, server }) => {
                asked.push((question, server, now.since(at(0)).as_secs()));
                let Some((seconds, answer)) = script.next() else { return (asked, None) };
                now = now.plus(Duration::from_secs(*seconds));
                machine.handle(now, Input::Answered(id, answer.clone()));
            }
            Some(Output::Tell(_, found)) => return (asked, Some(found)),
            None => {
                now = machine.next_deadline().expect("it waits for something");
                machine.handle(now, Input::Tick);
            }
        }
    }
    panic!("the search does not end");
}

#[test]
fn what_answers_come_to() {
    use Answer::{Addresses, Failed, Nothing};
    let here = |n| Addresses(vec![address(n)], TTL);
    let named = |name: &str, confirmed| Found::Named { name: name.into(), confirmed };
    let short = Nothing(Duration::from_secs(20));
    // Servers, answers (after 0 s each), what is found, and how many questions that took.
    let cases: Vec<(usize, Vec<Answer>, Found)> = vec![
        (1, vec![names(&["Mail.Example.org."]), here(1)], named("mail.example.org", true)),
        (1, vec![names(&["mail.example.org"]), here(2)], named("mail.example.org", false)),
        (1, vec![names(&["mail.example.org"]), Nothing(TTL)], named("mail.example.org", false)),
        (1, vec![names(&["a.example", "b.example"]), here(2), here(1)], named("b.example", true)),
        (1, vec![names(&["a.example", "b.example"]), here(2), here(3)], named("a.example", false)),
        (1, vec![names(&["a.example"]), Failed, Failed, Failed], named("a.example", false)),
        (1, vec![names(&["a.example"]), Failed, here(1)], named("a.example", true)),
        (1, vec![short.clone(), short.clone()], Found::NoName),
        (2, vec![short.clone(), short.clone()], Found::NoName),
        // One server says nothing is there and the other cannot tell, or knows better.
        (2, vec![short.clone(), Failed, Failed, Failed], Found::Unknown),
        (2, vec![short.clone(), Failed, short.clone()], Found::NoName),
        (2, vec![short, names(&["a.example"]), here(1)], named("a.example", true)),
        (1, vec![Failed, Failed, Failed], Found::Unknown),
        (3, vec![Failed, Failed, names(&["a.example"]), here(1)], named("a.example", true)),
        // An answer to another question, or one that is no name, tells nothing.
        (1, vec![here(1), here(1), here(1)], Found::Unknown),
        (1, vec![names(&["."]), names(&[]), names(&["two words"])], Found::Unknown),
    ];
    for (servers, answers, wanted) in cases {
        let script: Vec<_> = answers.iter().map(|answer| (0, answer.clone())).collect();
        let (asked, found) = run(servers, &script);
        assert_eq!((found.as_ref(), asked.len()), (Some(&wanted), answers.len()), "{servers} {answers:?}");
    }
}

#[test]
fn that_there_is_no_name_is_asked_twice_apart() {
    let nothing = |seconds| Answer::Nothing(Duration::from_secs(seconds));
    let places = |servers, ttl| {
        let (asked, _) = run(servers, &[(0, nothing(ttl)), (0, nothing(ttl))]);
        asked.iter().map(|(_, server, second)| (*server, *second)).collect::<Vec<_>>()
    };
    assert_eq!(places(2, 20), [(0, 0), (1, 0)], "of two servers each is asked at once");
    assert_eq!(places(1, 20), [(0, 0), (0, 20)], "one server is asked when it has forgotten its answer");
    assert_eq!(places(1, 0), [(0, 0), (0, 1)]);
    assert_eq!(places(1, 86_400), [(0, 0), (0, 300)]);
}

#[test]
fn silence_is_waited_for_and_asked_again() {
    let (asked, found) = run(2, &[(9, Answer::Failed), (9, Answer::Failed), (9, Answer::Failed)]);
    // Each answer comes after the timeout of 3 s, when the question has been given up.
    assert_eq!(found, Some(Found::Unknown));
    assert_eq!(asked.iter().map(|(_, server, _)| *server).collect::<Vec<_>>(), [0, 1, 0]);
}

#[test]
fn one_search_serves_all_who_want_it_and_what_was_found_is_remembered() {
    let mut machine = Machine::new(Settings::default());
    let want = |afresh| Input::Wanted { address: address(1), afresh };
    machine.handle(at(0), want(false));
    machine.handle(at(0), want(false));
    let Some(Output::Ask { id, .. }) = machine.poll_output(at(0)) else { panic!("a question") };
    assert_eq!(machine.poll_output(at(0)), None);
    machine.handle(at(1), Input::Answered(id, names(&["a.example"])));
    let Some(Output::Ask { id, .. }) = machine.poll_output(at(1)) else { panic!("a question") };
    machine.handle(at(1), Input::Answered(id, Answer::Addresses(vec![address(1)], TTL)));
    let found = Found::Named { name: "a.example".into(), confirmed: true };
    let tell = Some(Output::Tell(address(1), found));
    assert_eq!((machine.poll_output(at(1)), machine.poll_output(at(1))), (tell.clone(), None));
    machine.handle(at(300), want(false));
    assert_eq!(machine.poll_output(at(300)), tell);
    machine.handle(at(300), want(true));
    assert!(matches!(machine.poll_output(at(300)), Some(Output::Ask { .. })), "afresh");
    let counters = machine.counters();
    assert_eq!((counters.wanted, counters.joined, counters.remembered, counters.asked), (4, 1, 1, 3));
}

#[test]
fn beyond_the_limit_nothing_is_known() {
    let mut machine = Machine::new(Settings { in_flight_max: 2, ..Settings::default() });
    let many = JOBS_MAX as u32 + 5;
    for n in 0..many {
        machine.handle(at(0), Input::Wanted { address: Address::new(Ipv4Addr::from_bits(n).into()), afresh: false });
    }
    let mut outputs = Vec::new();
    while let Some(output) = machine.poll_output(at(0)) {
        outputs.push(output);
    }
    let told = outputs.iter().filter(|output| matches!(output, Output::Tell(_, Found::Unknown))).count();
    assert_eq!((told, outputs.len() - told, machine.counters().shed), (5, 2, 5));
}

/// What the simulated DNS says of an address in truth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Truth {
    Confirmed,
    Unconfirmed,
    NoName,
    Lame,
}

/// What becomes of one question.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Answered {
        after: u64,
    },
    Twice {
        after: u64,
    },
    Lost,
    Refused,
    /// The answer to another question comes.
    Odd,
}

fn truth_of(n: u8) -> Truth {
    [Truth::Confirmed, Truth::Unconfirmed, Truth::NoName, Truth::Lame][usize::from(n % 4)]
}

fn answer_to(question: &Question) -> Answer {
    let n = |address: &Address| match address.ip() {
        core::net::IpAddr::V4(v4) => v4.octets()[3],
        core::net::IpAddr::V6(_) => unreachable!("only IPv4 is asked for"),
    };
    match question {
        Question::Names(address) => match truth_of(n(address)) {
            Truth::Confirmed | Truth::Unconfirmed => names(&[&format!("h{}.example", n(address))]),
            Truth::NoName => Answer::Nothing(TTL),
            Truth::Lame => Answer::Failed,
        },
        Question::Addresses { name, .. } => {
            let n: u8 = name[1..name.find('.').unwrap()].parse().unwrap();
            let shown = if truth_of(n) == Truth::Confirmed { n } else { n.wrapping_add(1) };
            Answer::Addresses(vec![address(shown)], TTL)
        }
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => (0_u64..6000).prop_map(|after| Fate::Answered { after }),
        1 => (0_u64..6000).prop_map(|after| Fate::Twice { after }),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Refused),
        1 => Just(Fate::Odd),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_loss_delay_or_nonsense_makes_a_wrong_finding(
        wants in prop::collection::vec((0_u64..20_000, 0_u8..12, any::<bool>()), 1..40),
        fates in prop::collection::vec(fate(), 1..60),
        servers in 1_usize..4,
        in_flight_max in 1_usize..5,
    ) {
        let mut machine = Machine::new(Settings { servers, in_flight_max, ..Settings::default() });
        // What arrives when, in the order of time; the number keeps apart what arrives at once.
        let mut mail: BTreeMap<(Timestamp, usize), Input> = BTreeMap::new();
        for (number, (millis, n, afresh)) in wants.iter().enumerate() {
            let when = at(0).plus(Duration::from_millis(*millis));
            mail.insert((when, number), Input::Wanted { address: address(*n), afresh: *afresh });
        }
        let (mut number, mut now) = (wants.len(), at(0));
        let mut fates = fates.iter().cycle();
        let (mut told, mut open) = (BTreeSet::new(), BTreeSet::new());
        loop {
            while let Some(output) = machine.poll_output(now) {
                match output {
                    Output::Ask { id, question, server } => {
                        prop_assert!(server < servers);
                        open.insert(id);
                        let mut send = |after: u64, answer| {
                            number += 1;
                            mail.insert((now.plus(Duration::from_millis(after)), number), Input::Answered(id, answer));
                        };
                        let odd = match &question {
                            Question::Names(_) => Answer::Addresses(vec![address(0)], TTL),
                            Question::Addresses { .. } => names(&["liar.example"]),
                        };
                        match *fates.next().unwrap() {
                            Fate::Answered { after } => send(after, answer_to(&question)),
                            Fate::Twice { after } => {
                                send(after, answer_to(&question));
                                send(after + 1, answer_to(&question));
                            }
                            Fate::Lost => {}
                            Fate::Refused => send(1, Answer::Failed),
                            Fate::Odd => send(1, odd),
                        }
                    }
                    Output::Tell(address, found) => {
                        let core::net::IpAddr::V4(v4) = address.ip() else { unreachable!() };
                        let truth = truth_of(v4.octets()[3]);
                        match found {
                            Found::Named { confirmed: true, .. } => prop_assert_eq!(truth, Truth::Confirmed),
                            Found::Named { confirmed: false, .. } => {
                                prop_assert!(matches!(truth, Truth::Confirmed | Truth::Unconfirmed));
                            }
                            Found::NoName => prop_assert_eq!(truth, Truth::NoName),
                            Found::Unknown => {}
                        }
                        told.insert(address);
                    }
                }
            }
            let next = mail.keys().next().map(|(when, _)| *when).into_iter().chain(machine.next_deadline()).min();
            let Some(next) = next else { break };
            now = next;
            let due = mail.first_key_value().is_some_and(|((when, _), _)| *when <= now);
            let input = if due { mail.pop_first().map(|(_, input)| input).unwrap() } else { Input::Tick };
            machine.handle(now, input);
        }
        let wanted: BTreeSet<_> = wants.iter().map(|(_, n, _)| address(*n)).collect();
        prop_assert_eq!(told, wanted, "everybody is told something in the end");
    }
}

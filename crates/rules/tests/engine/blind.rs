//! A node that is told of failures alone cannot know who is at home where.

use crate::play::play;

/// Five wrong passwords at three logins within an hour.
fn office(day: u32) -> String {
    ["alice", "bob", "carol", "alice", "bob"]
        .iter()
        .enumerate()
        .map(|(number, login)| format!("{} fail {login} 203.0.113.1 -> 1\n", day * 86_400 + 300 * number as u32))
        .collect::<Vec<_>>()
        .concat()
}

#[test]
fn an_office_is_not_published_where_nobody_tells_of_its_logins() {
    let first = "0 fail zoe 198.51.100.1 -> 1\n";
    play(
        "on the first day it is taken for what it looks like",
        &format!("{first}{}1h lists 203.0.113.1 -> auth", office(0)),
    );
    play("after a day without any success", &format!("{first}{}25h lists 203.0.113.1 -> -", office(1)));
    play(
        "after a day with one",
        &format!("{first}1h ok zoe 198.51.100.1 -> news\n{}25h lists 203.0.113.1 -> auth", office(1)),
    );
    let guesses = |many: u32| {
        let one = |n: u32| format!("{} fail user{n} 203.0.113.1 -> 1\n", 86_400 + 60 * n);
        (0..many).map(one).collect::<String>()
    };
    play(
        "whoever guesses ten times as much is published all the same",
        &format!("{first}{}26h lists 203.0.113.1 -> auth", guesses(50)),
    );
}

/// What a log tells as a number of attempts may be one password that a program offers again.
#[test]
fn one_of_several_attempts_at_an_owned_login_is_not_held_against_the_address() {
    play(
        "of the login all count, and against the address all but one",
        "0 ok alice 198.51.100.1 -> news
         1 fail alice 203.0.113.9 total=5 -> 5
         2 lists 203.0.113.9 -> -
         3 fail bob 203.0.113.8 total=5 -> 5
         4 lists 203.0.113.8 -> blocked
         5 fail alice 203.0.113.7 -> 1
         6 before alice 203.0.113.6 -> tarpit 60",
    );
}

use super::*;
use crate::Keys;

/// Plays a script and writes down what each word brought.
///
/// `g`, `f`, `a`: one attempt told by gate, front, password process; with `r` behind it one that we refused; with `=5`
/// the total so far; with `:2` for another password. `ok`: a success. `+900`: so many milliseconds pass, and what is
/// due counts.
fn play(session: Session, script: &str) -> String {
    let (mut sessions, mut now, mut words) = (Sessions::default(), Timestamp::from_secs(1_000_000), Vec::new());
    for word in script.split_whitespace() {
        words.push(play_word(&mut sessions, session, &mut now, word));
    }
    words.join(" ")
}

fn play_word(sessions: &mut Sessions, session: Session, now: &mut Timestamp, word: &str) -> String {
    if let Some(millis) = word.strip_prefix('+') {
        *now = now.plus(Duration::from_millis(millis.parse().unwrap()));
        return core::iter::from_fn(|| sessions.pop_due(*now)).count().to_string();
    }
    let login = CanonicalLogin::new("alice");
    if word == "ok" {
        return format!("-{}", sessions.succeeded(session, login.as_ref()));
    }
    let channel = match &word[..1] {
        "g" => Channel::Gate,
        "f" => Channel::Front,
        _ => Channel::Auth,
    };
    let (tally, guess) = match (&word[1..], word.get(2..).and_then(|number| number.parse().ok())) {
        ("r", _) => (Tally::Refused, 0),
        (rest, Some(total)) if rest.starts_with('=') => (Tally::Total(total), 0),
        (rest, Some(guess)) if rest.starts_with(':') => (Tally::One, u32::from(guess)),
        _ => (Tally::One, 0),
    };
    let login = login.as_ref();
    match sessions
        .failed(*now, &Report { session, channel, tally, guess, at: *now, address: None, login, password: None })
        .0
    {
        News::Attempts(new) => new.to_string(),
        News::Refused(new) => format!("r{new}"),
        News::Held => "h".into(),
        News::Nothing => "0".into(),
    }
}

#[test]
fn an_attempt_counts_once_in_every_order() {
    let key = Keys::new([1; 16]).number(1);
    let cases = [
        // One channel alone.
        ("g g g", "1 1 1"),
        ("f=5", "5"),
        ("f=0", "0"),
        ("a +999 +1", "h 0 1"),
        // Several, in every order.
        ("g f", "1 0"),
        ("f g", "1 0"),
        ("g f g f", "1 0 1 0"),
        ("g g f f", "1 1 0 0"),
        ("g a f", "1 0 0"),
        ("a g f", "h 1 0"),
        ("a f g +2000", "h 1 0 0"),
        ("a +1000 g f", "h 1 0 0"),
        ("g a:1 a:2 +1000 g", "1 0 h 1 0"),
        ("a:1 a:2 f=2 +1000", "h h 2 0"),
        ("a:1 a:2 g +1000 g", "h h 1 1 0"),
        // Our own refusals are no guesses, whoever tells them.
        ("g g g g gr f=5", "1 1 1 1 r1 0"),
        ("gr a f", "r1 0 0"),
        ("a gr +1000", "h r1 0"),
        ("a ar +1000", "h r1 1"),
        ("f=5 g g g g gr", "5 0 0 0 0 0"),
        // A chain of password databases.
        ("a ok +1000", "h -1 0"),
        ("a ok a +1000", "h -1 0 0"),
        ("a a +1000", "h 0 1"),
        ("a a g +1000", "h 0 1 0"),
        ("g a a +1000", "1 0 0 0"),
        ("a +1000 a +1000", "h 1 h 1"),
        ("g ok", "1 -0"),
        ("a +1000 ok", "h 1 -0"),
    ];
    for (script, wanted) in cases {
        assert_eq!(play(Session::Named(key), script), wanted, "{script}");
        assert_eq!(play(Session::Pseudo(key), script), wanted, "{script}, without a name");
    }
}

#[test]
fn a_session_with_a_name_knows_more_than_one_without() {
    let key = Keys::new([1; 16]).number(1);
    let cases = [
        ("g +5000 f", "1 0 0", "1 0 0"),
        ("g +5001 f", "1 0 1", "1 0 0"),
        ("g +3000 g +3000 f f", "1 0 1 0 0 0", "1 0 1 0 0 0"),
        ("g g +5001 f f=2", "1 1 0 1 2", "1 1 0 0 0"),
        // A total is of one connection; an address without names for its connections has several.
        ("f=2 f=5", "2 5", "2 3"),
        ("g f=1 g f=1 f=1", "1 0 1 0 1", "1 0 1 0 0"),
        ("g +600000 f", "1 0 1", "1 0 0"),
        ("g +600001 f", "1 0 1", "1 0 1"),
    ];
    for (script, pseudo, named) in cases {
        assert_eq!(play(Session::Pseudo(key), script), pseudo, "{script}, without a name");
        assert_eq!(play(Session::Named(key), script), named, "{script}");
    }
}

#[test]
fn a_session_that_never_ends_is_counted_to_the_last() {
    for session in [Session::Pseudo, Session::Named] {
        let session = session(Keys::new([1; 16]).number(1));
        let mut sessions = Sessions::default();
        let mut now = Timestamp::from_secs(1_000_000);
        for attempt in 0..200_000 {
            now = now.plus(Duration::from_millis(1));
            let tally = if attempt % 2 == 0 { Tally::Refused } else { Tally::One };
            let (channel, guess) = (Channel::Gate, 0);
            let report = Report { session, channel, tally, guess, at: now, address: None, login: None, password: None };
            let (news, _) = sessions.failed(now, &report);
            let wanted = if attempt % 2 == 0 { News::Refused(1) } else { News::Attempts(1) };
            assert_eq!(news, wanted, "attempt {attempt}");
        }
    }
}

#[test]
fn everything_is_bounded() {
    let keys = Keys::new([1; 16]);
    let mut sessions = Sessions::default();
    let now = Timestamp::from_secs(1_000_000);
    let mut report = Report {
        session: Session::Named(keys.number(0)),
        channel: Channel::Auth,
        tally: Tally::One,
        guess: 0,
        at: now,
        address: None,
        login: None,
        password: None,
    };
    let (mut held, mut pressed_out) = (0, 0);
    for number in 0..3 * SESSIONS_MAX as u64 {
        report.session = Session::Named(keys.number(number));
        let (news, out) = sessions.failed(now, &report);
        held += usize::from(news == News::Held);
        pressed_out += usize::from(out.is_some());
    }
    assert_eq!((held, held - pressed_out), (3 * SESSIONS_MAX, HELD_MAX));
    assert!(sessions.young.len() + sessions.old.len() <= SESSIONS_MAX);
    assert!(sessions.shed > SESSIONS_MAX as u64);
    assert_eq!(core::iter::from_fn(|| sessions.pop_due(now.plus(HOLD))).count(), HELD_MAX);
}

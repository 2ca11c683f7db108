//! Filters and what becomes of them.

use base::EventKind;

use super::{Import, fail2ban};

const COMMON: &str =
    "[DEFAULT]\n_daemon = \\S*\n__pid_re = (?:\\[\\d+\\])\n__prefix_line = <lt_file/x>\n[lt_file]\nx = y\n";

fn import(text: &str) -> Import {
    let mut read = |path: &str| match path {
        "f/my.conf" => Some(text.to_owned()),
        "f/common.conf" => Some(COMMON.to_owned()),
        _ => None,
    };
    fail2ban("f/my.conf", Some(EventKind::LoginFailed), &mut read).unwrap()
}

/// What becomes of one line of `failregex`: `PROGRAM REGEX`, or the reason why not.
fn one(line: &str) -> String {
    let text = format!("[INCLUDES]\nbefore = common.conf\n[Definition]\n_daemon = app(?:d)?\nfailregex = {line}\n");
    let import = import(&text);
    match (import.patterns.as_slice(), import.left_out.as_slice()) {
        ([one], []) => format!("{} {}", one.program.as_deref().unwrap_or("-"), one.regex),
        ([], [one]) => one.why.clone(),
        other => format!("{other:?}"),
    }
}

#[test]
fn lines_of_filters() {
    const A: &str = "(?P<address>[0-9A-Fa-f:.]+)";
    const END: &str = r"(?:[\s,;)\]>'\x22]|$)";
    let cases = [
        ("^%(__prefix_line)slogin failed from <HOST> for .*$", format!("app(?:d)? ^login failed from {A} for .*$")),
        (
            "^%(__prefix_line)s\\s*login failed: <F-USER>.*</F-USER>, <ADDR>$",
            format!("app(?:d)? ^login failed: (?P<login>.*), {A}$"),
        ),
        ("^ Failed SMTP login from <HOST>", format!("- ^Failed SMTP login from {A}{END}")),
        ("^\\[error\\] from <HOST>:\\d+ x", r"- ^\[error\] from (?P<address>\d+\.\d+\.\d+\.\d+):\d+ x".to_owned()),
        ("^(?P<what>a|b) from (?:::f{4,6}:)?<HOST>$", format!("- ^(?:a|b) from {A}$")),
        ("for <F-USER>[^[<]*</F-USER> \\<<HOST>\\>$", format!("- for (?P<login>[^\\[<]*) <{A}>$")),
        ("user <F-ALT_USER>\\S+</F-ALT_USER> from <HOST>\\Z", format!(r"- user (?P<login>\S+) from {A}\z")),
        (r"^relay=\[(?:(?:IPv6:)?<IP6>|<IP4>)\] x", format!(r"- ^relay=\[(?:IPv6:)?{A}\] x")),
        (r"^<HOST> a\d{,3} x{2} {[^}]+}$", format!(r"- ^{A} a\d{{0,3}} x{{2}} \{{[^}}]+\}}$")),
        (r"^a <HOST>\b", format!("- ^a {A}{END}")),
        (r"^from <HOST>(?::<F-PORT/>)? x", r"- ^from (?P<address>\d+\.\d+\.\d+\.\d+)(?::\d+)? x".to_owned()),
        ("^x []a] <HOST>$", format!(r"- ^x [\]a] {A}$")),
        // What cannot be said, or may not.
        (
            "^%(__prefix_line)slogin failed for .* from <HOST> port",
            "a client could choose the address: `.*` matches whatever a client wrote".to_owned(),
        ),
        ("^(?:(?!x)a)+ <HOST>$", "a look-around `(?!…)` cannot be matched in linear time".to_owned()),
        ("^(?!x)a <HOST>$|^b$", "a look-around `(?!…)` cannot be matched in linear time".to_owned()),
        ("^(?P<u>x)(?P=u) <HOST>$", "a reference to another group cannot be matched in linear time".to_owned()),
        ("^(x)\\1 <HOST>$", "a backreference cannot be matched in linear time".to_owned()),
        ("^<F-NOFAIL>x</F-NOFAIL> <HOST>$", "<F-NOFAIL> counts only together with other lines".to_owned()),
        ("^<HOST> and <ADDR>$", "it names more than one address".to_owned()),
        ("^nothing$", "it names nobody".to_owned()),
        ("^<F-ID>x</F-ID>$", "<F-ID> counts something else than an address".to_owned()),
        ("^from <CIDR>$", "<CIDR> is no single address".to_owned()),
        ("a%(__prefix_line)s <HOST>$", "`__prefix_line` does not stand at the beginning".to_owned()),
        ("^x( <HOST>$", "the regular expression cannot be read: `(` unclosed group".to_owned()),
    ];
    for (line, wanted) in cases {
        assert_eq!(one(line), wanted, "{line}");
    }
}

/// What stands behind the content of `prefregex`, and stamps of which fail2ban leaves the brackets.
#[test]
fn content_between() {
    let import = import(
        "[Definition]\nprefregex = ^\\[\\]\\s+x <F-CONTENT>.+</F-CONTENT> denied$\n\
         failregex = ^from <HOST>$\n            ^by <HOST> of\n",
    );
    let shown: Vec<_> = import.patterns.iter().map(|one| one.regex.as_str()).collect();
    let start = r"^\[(?P<time>[^\]]+)\]\s+x ";
    let wanted = ["from (?P<address>[0-9A-Fa-f:.]+) denied$", "by (?P<address>[0-9A-Fa-f:.]+) of.* denied$"];
    assert_eq!(shown, wanted.map(|rest| format!("{start}{rest}")));
}

/// A pattern of several lines that names nobody would count every such line against a login.
#[test]
fn lines_that_name_nobody_by_themselves() {
    let text = "[INCLUDES]\nbefore = common.conf\n[Definition]\n_daemon = app\n\
        prefregex = ^<F-MLFID>%(__prefix_line)s</F-MLFID><F-CONTENT>.+</F-CONTENT>$\n\
        failregex = ^user <F-USER>\\w+</F-USER> is locked$\n            ^from <HOST>$\n";
    let import = import(text);
    let shown: Vec<_> = import.patterns.iter().map(|one| one.regex.as_str()).collect();
    assert_eq!(shown, ["^(?:)from (?P<address>[0-9A-Fa-f:.]+)$"]);
    assert_eq!(import.left_out[0].why, "whom it is about stands in another line");
}

/// A look-ahead that stands in no group is what `unless` says.
#[test]
fn what_must_not_follow() {
    let import = import("[Definition]\nfailregex = ^a <HOST> failed:(?! lost| \\(no\\)) x(?!y)\nignoreregex = ^z\n");
    let [one] = import.patterns.as_slice() else { panic!("{import:?}") };
    assert_eq!(one.regex, r"^a (?P<address>[0-9A-Fa-f:.]+) failed: x");
    let wanted = r"^z|^a [0-9A-Fa-f:.]+ failed:(?: lost| \(no\))|^a [0-9A-Fa-f:.]+ failed: x(?:y)";
    assert_eq!(one.unless.as_deref(), Some(wanted));
}

#[test]
fn options_and_what_a_filter_adds_to_the_prefix() {
    let text = "[INCLUDES]\nbefore = common.conf\n[Definition]\n_daemon = app\n\
        __prefix_line = %(known/__prefix_line)s(?:\\w{14}: )?\n\
        failregex = ^%(__prefix_line)s<mdre-<mode>> <HOST>$\nmdre-normal = one\nmdre-all = two\nmode = normal\n";
    let regex = |path: &str| {
        let mut read = |path: &str| match path {
            "f/my.conf" => Some(text.to_owned()),
            "f/common.conf" => Some(COMMON.to_owned()),
            _ => None,
        };
        fail2ban(path, Some(EventKind::LoginFailed), &mut read).map(|import| import.patterns[0].regex.clone())
    };
    let wanted = |word: &str| Ok(format!(r"^(?:\w{{14}}: )?{word} (?P<address>[0-9A-Fa-f:.]+)$"));
    assert_eq!(regex("f/my.conf"), wanted("one"));
    assert_eq!(regex("f/my.conf[mode=all]"), wanted("two"));
    assert_eq!(regex("f/my.conf[logtype=short, mode=\"all\"]"), wanted("two"));
    assert!(regex("f/my.conf[all]").is_err());
}

/// fail2ban takes the stamp out of a line; our patterns see one in brackets.
#[test]
fn a_stamp_in_brackets_stands_in_the_expression() {
    let import = import(
        "[Definition]\nfailregex = ^ Relay attempt from IP address <HOST>\nignoreregex = ^x\ndatepattern = ^\\[%%d/%%b/%%Y %%H:%%M:%%S\\]\n",
    );
    let [one] = import.patterns.as_slice() else { panic!("{import:?}") };
    let regex = regex::Regex::new(&one.regex).unwrap();
    assert!(regex.is_match("[21/Nov/2026 07:44:14] Relay attempt from IP address 198.51.100.7"), "{regex}");
    assert!(!regex.is_match("[21/Nov/2026 07:44:14] x Relay attempt from IP address 198.51.100.7"), "{regex}");
    assert_eq!(one.unless.as_deref(), Some("^x"));
}

#[test]
fn a_whole_filter() {
    let import = import(
        "# comment\n[INCLUDES]\nbefore = common.conf\nafter = my.local\n\n[Definition]\n_daemon = app\n\
         prefregex = ^%(__prefix_line)s<pre-<mode>> <F-CONTENT>.+</F-CONTENT>$\npre-auth = auth%%:\n\n\
         failregex = ^failed from <HOST>$\n            <mdre-<mode>>\n            # no line\n  open <HOST>\n\n\
         mdre-auth = ^one <HOST>$\n            ^two <HOST>$\nmdre-other = ^x$\n\n\
         ignoreregex = from 192\\.0\\.2\\.\n              ^(?=x)\n\n[Init]\nmode = auth\n",
    );
    let shown: Vec<_> =
        import.patterns.iter().map(|p| (p.name.as_str(), p.origin.as_str(), p.regex.as_str())).collect();
    let wanted = [
        ("my-1", "f/my.conf:11", "^auth%: failed from (?P<address>[0-9A-Fa-f:.]+)$"),
        ("my-2", "f/my.conf:12", "^auth%: one (?P<address>[0-9A-Fa-f:.]+)$"),
        ("my-3", "f/my.conf:12", "^auth%: two (?P<address>[0-9A-Fa-f:.]+)$"),
    ];
    assert_eq!(shown, wanted);
    assert_eq!(import.patterns[0].unless.as_deref(), Some("from 192\\.0\\.2\\."));
    let left: Vec<_> = import.left_out.iter().map(|left| left.origin.as_str()).collect();
    assert_eq!(left, ["f/my.conf:21", "f/my.conf:14"]);
}

#[test]
fn files_without_sense_are_survived() {
    let mut nothing = |_: &str| None;
    assert!(fail2ban("a", Some(EventKind::LoginFailed), &mut nothing).is_err());
    let loops = [
        "[Definition]\nfailregex = %(a)s <HOST>\na = %(b)s\nb = %(a)s%(a)s\n",
        "[INCLUDES]\nbefore = a\n[Definition]\nfailregex = ^<HOST>$\n",
        "failregex = ^<HOST>$",
        "[Definition]\nfailregex =\n",
        "[\n]\n=\n = \n\t\n",
    ];
    for text in loops {
        let mut read = |_: &str| Some(text.to_owned());
        // Whatever it says, it says it.
        drop(fail2ban("a", Some(EventKind::LoginFailed), &mut read));
    }
}

proptest::proptest! {
    #[test]
    fn any_filter_is_survived(text in "(\\[[A-Za-z]{0,12}\\]\n|(failregex|prefregex|a|b) = [ -~]{0,40}\n| [ -~]{0,30}\n|(%\\(a\\)s|<HOST>|<F-USER>|</F-USER>|<b>|\\^|\\$|\n|\\\\)){0,12}") {
        let text = format!("[Definition]\nfailregex = {text}");
        let mut read = |_: &str| Some(text.clone());
        drop(fail2ban("a", Some(EventKind::LoginFailed), &mut read));
    }
}

/// What a daemon writes before any text of a client is narrower than some filters say.
#[test]
fn what_daemons_are_known_to_write() {
    let translated = |name: &str, text: &str| {
        let path = format!("f/{name}.conf");
        let mut read = |asked: &str| match asked {
            "f/common.conf" => Some(COMMON.to_owned()),
            _ => (asked == path)
                .then(|| format!("[INCLUDES]\nbefore = common.conf\n[Definition]\n_daemon = x\n{text}\n")),
        };
        fail2ban(&path, Some(EventKind::LoginFailed), &mut read).unwrap()
    };
    let reject = "prefregex = ^%(__prefix_line)s(?:\\w+: (?:milter-)?reject:|(?:improper command pipelining|too many errors) after \\S+) <F-CONTENT>.+</F-CONTENT>$\n\
        failregex = ^[A-Z]{4} from [^[]*\\[<HOST>\\](?::\\d+)?: 5";
    let import = translated("postfix", reject);
    assert_eq!(import.left_out, []);
    let regex = &import.patterns[0].regex;
    assert!(
        regex.contains(r"(?P<session>\w+): (?:milter-)?reject:") && regex.contains(r"(?P<host>[\w.-]*)\["),
        "{regex}"
    );
    // Of another daemon nothing is known.
    let other = translated("other", reject);
    assert_eq!(other.patterns, []);
    // Dovecot's worker by its number; not by a login, as 2.4 has it.
    let worker = "failregex = ^%(__prefix_line)sauth(?:-worker)?(?:\\([^\\)]+\\))?: refused <HOST>$\n            ^%(__prefix_line)s.* <HOST> %(__prefix_line)s";
    let import = translated("dovecot", worker);
    assert!(import.patterns[0].regex.starts_with(r"^auth(?:-worker)?(?:\(\d+\))?: refused "), "{import:?}");
    assert_eq!(import.left_out[0].text, "^%(__prefix_line)s.* <HOST> %(__prefix_line)s");
}

/// Rejections of mail are no failed logins; one expression may tell of several kinds.
#[test]
fn events_are_chosen_by_the_text() {
    const A: &str = "(?P<address>[0-9A-Fa-f:.]+)";
    let events = |line: &str| {
        let text = format!("[Definition]\nfailregex = {line}\n");
        let mut read = |_: &str| Some(text.clone());
        let import = fail2ban("f/my.conf", None, &mut read).unwrap();
        assert_eq!(import.left_out, [], "{line}");
        import.patterns.iter().map(|one| format!("{} {}", one.kind, one.regex)).collect::<Vec<_>>()
    };
    let cases = [
        ("^login failed from <HOST>$", vec!["login-failed ^login failed from A$"]),
        ("^<HOST> unknown user, password$", vec!["login-failed ^A unknown user, password$"]),
        ("^odd from <HOST>$", vec!["login-failed ^odd from A$"]),
        ("^<HOST> Relay access denied$", vec!["relay-denied ^A Relay access denied$"]),
        ("^<HOST> no MAIL in SMTP connection$", vec!["connect ^A no MAIL in SMTP connection$"]),
        (
            "^(?:reject:|too many errors) <HOST> x: (?:Service unavailable|(?:Client host|Command) rejected|Relay access denied|match|[Uu](?:ser unknown|ndeliverable address))\\b",
            vec![
                "spam-seen ^(?:reject:|too many errors) A x: (?:Service unavailable)\\b",
                "protocol-abuse ^(?:reject:|too many errors) A x: (?:(?:Client host|Command) rejected|match)\\b",
                "relay-denied ^(?:reject:|too many errors) A x: (?:Relay access denied)\\b",
                "unknown-recipient ^(?:reject:|too many errors) A x: (?:[Uu](?:ser unknown|ndeliverable address))\\b",
            ],
        ),
        (
            "^<HOST> rejected RCPT (relay not permitted|[|)]Unknown user)$",
            vec![
                "relay-denied ^A rejected RCPT (relay not permitted)$",
                "unknown-recipient ^A rejected RCPT ([|)]Unknown user)$",
            ],
        ),
        (
            "^<HOST> rejected(?: relay not permitted| Unknown user)?$",
            vec!["relay-denied ^A rejected(?: relay not permitted| Unknown user)?$"],
        ),
    ];
    for (line, wanted) in cases {
        let wanted: Vec<String> = wanted.iter().map(|text| text.replacen('A', A, 1)).collect();
        assert_eq!(events(line), wanted, "{line}");
    }
}

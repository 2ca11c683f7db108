//! What daemons write before any text of a client, where a filter describes it by more than they write.
//!
//! A filter may say `\S+` where Postfix writes one of its commands; in a pattern that could be anybody's text. Here is what
//! the daemon really writes there, by its source. Each is narrower than what it replaces, so that nothing is found which
//! the filter would not find.

/// The name of a filter, what stands in it, and what the daemon writes.
const KNOWN: &[(&str, &str, &str)] = &[
    // A queue id, or `NOQUEUE`.
    ("postfix", r"\w+: (?:milter-)?reject:", r"(?P<session>\w+): (?:milter-)?reject:"),
    ("postfix", r"(?:improper command pipelining|too many errors) after \S+", COMMANDS_AFTER),
    ("postfix", r"[A-Z]{4} from ", "(?:DATA|BDAT|EHLO|HELO|ETRN|MAIL|RCPT|VRFY|AUTH|NOOP|RSET|QUIT) from "),
    // A reverse name that is a valid host name, or `unknown`.
    ("postfix", r"[^\[]*\[(?P<address>", r"(?P<host>[\w.-]*)\[(?P<address>"),
    // The number of the worker; what Dovecot 2.4 writes in these parentheses begins with a login.
    ("dovecot", r"auth(?:-worker)?(?:\([^\)]+\))?: ", r"auth(?:-worker)?(?:\(\d+\))?: "),
    ("dovecot", r"conn \w+:auth(?:-worker)? \([^\)]+\): ", r"conn unix:auth(?:-worker)? \(pid=\d+,uid=\d+\): "),
    ("dovecot", r"pam_[a-z]+(?:", r"pam_(?:unix|sss|ldap|krb5|winbind)(?:"),
    // What syslog writes, Ratter has read already.
    ("exim", r"(?: \[\d+\]| \w+ exim\[\d+\]:)? ", r"(?:\[\d+\] )?"),
];

const COMMANDS_AFTER: &str = "(?:improper command pipelining|too many errors) after \
    (?:CONNECT|EHLO|HELO|STARTTLS|AUTH|MAIL|RCPT|DATA|BDAT|END-OF-MESSAGE|RSET|NOOP|VRFY|ETRN|HELP|QUIT|XCLIENT|XFORWARD|UNKNOWN)";

/// The same of what stands in the filter itself, where a guard has to be put otherwise to be safe.
const GUARDS: &[(&str, &str, &str)] = &[
    // The first `ip=` is not Courier's if the login holds another: the one that ends the line is.
    (
        "courier-auth",
        r"(?:(?!ip=)(?:user=<F-USER>[^,]*</F-USER>|\w+=[^,]*), )*ip=\[<HOST>\]",
        r"(?:user=<F-USER>.*</F-USER>, )?(?:method=[A-Z0-9-]+, )?ip=\[<HOST>\](?:, port=\[\d+\])?$",
    ),
    ("courier-auth", r"user=[^,]+, ip=\[<HOST>\]$", r"user=<F-USER>.*</F-USER>, ip=\[<HOST>\]$"),
    // What stands behind a comma may be more of the login.
    ("vsftpd", r#"FAIL LOGIN: Client "<HOST>"(?:\s*$|,)"#, r#"FAIL LOGIN: Client "<HOST>"\s*$"#),
];

/// The expression of the filter at `path`, with what its daemon writes.
pub(super) fn narrowed(regex: String, path: &str) -> String {
    replaced(KNOWN, regex, path)
}

/// The text of the filter at `path`, with guards that an expression of linear time has.
pub(super) fn unguarded(text: String, path: &str) -> String {
    replaced(GUARDS, text, path)
}

fn replaced(table: &[(&str, &str, &str)], text: String, path: &str) -> String {
    let name = super::stem(path);
    table.iter().filter(|(filter, ..)| *filter == name).fold(text, |text, (_, theirs, ours)| text.replace(theirs, ours))
}

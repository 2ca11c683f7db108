use base::Timestamp;
use jiff::tz::TimeZone;

use super::{events, shown};
use crate::reader::{Reader, Timing};

/// Checks lines that stand behind `Nov 21 07:44:14 mx `.
fn check(cases: &[(&str, &str)]) {
    for (line, wanted) in cases {
        assert_eq!(events(&format!("Nov 21 07:44:14 mx {line}")), *wanted, "{line}");
    }
}

#[test]
fn dovecot_logins() {
    check(&[
        (
            "dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1, mpid=8, TLS, session=<AbC/+9>",
            "login-ok imap front 1 198.51.100.7 alice AbC/+9",
        ),
        (
            "dovecot[12]: pop3-login: Logged in: user=<a@example.org>, method=PLAIN, rip=2001:db8::7, lip=2001:db8::1, mpid=8, secured, session=<S>",
            "login-ok pop3 front 1 2001:db8::7 a@example.org S",
        ),
        (
            "dovecot: submission-login: Login: user=<alice>, rip=198.51.100.7",
            "login-ok submission front 1 198.51.100.7 alice -",
        ),
        (
            "dovecot: managesieve-login: Login: user=<alice>, method=X, rip=198.51.100.7, session=<>",
            "login-ok managesieve front 1 198.51.100.7 alice -",
        ),
        (
            "dovecot-eu: imap-login: Login: user=<alice>, rip=::ffff:198.51.100.7",
            "login-ok imap front 1 198.51.100.7 alice -",
        ),
        ("imap-login: Info: Login: user=<alice>, rip=198.51.100.7", "login-ok imap front 1 198.51.100.7 alice -"),
        ("imap-login(77): Info: Login: user=<alice>, rip=198.51.100.7", "login-ok imap front 1 198.51.100.7 alice -"),
        (
            "dovecot: imap-login: proxy(alice): started proxying to 192.0.2.9:143: user=<alice>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1, session=<S>",
            "login-ok imap front 1 198.51.100.7 alice S",
        ),
        (
            "dovecot: imap-login: proxy(alice,192.0.2.9:143): Started proxying to 192.0.2.9 (0.012 secs): user=<alice>, method=PLAIN, rip=198.51.100.7, session=<S>",
            "login-ok imap front 1 198.51.100.7 alice S",
        ),
        ("dovecot: imap-login: Anonymous login: user=<anonymous>, rip=198.51.100.7", ""),
        ("dovecot: imap(alice)<8><S>: Info: Disconnected: Logged out in=9 out=470", ""),
        ("dovecot: imap-login: Login: user=<alice>, method=PLAIN, TLS, session=<S>", ""),
        ("dovecot: imap-login: Login: user=<alice>, rip=mail.example.org", ""),
        ("dovecot: imap-login: Debug: Login: user=<alice>, rip=198.51.100.7", ""),
    ]);
}

/// What stands in parentheses, and what it means.
#[test]
fn dovecot_reasons() {
    let cases = [
        ("auth failed, 1 attempts in 2 secs", "login-failed imap front =1"),
        ("auth failed, 5 attempts", "login-failed imap front =5"),
        ("auth failed, 99999 attempts in 2 secs", "login-failed imap front =65535"),
        ("auth failed, x attempts in 2 secs", ""),
        ("proxy dest auth failed", "login-failed imap front =1"),
        ("tried to use disallowed plaintext auth", "protocol-abuse imap front 1"),
        ("tried to use disabled plaintext auth", "protocol-abuse imap front 1"),
        ("tried to use unsupported auth mechanism", "protocol-abuse imap front 1"),
        ("no auth attempts in 10 secs", "connect imap front 1"),
        ("disconnected before auth was ready, waited 0 secs", "connect imap front 1"),
        ("client didn't finish SASL auth, waited 0 secs", "connect imap front 1"),
        ("disconnected while authenticating, waited 63 secs", ""),
        ("aborted authentication", ""),
        ("auth service reported temporary failure", ""),
        ("auth process communication failure", ""),
        ("internal failure, 1 successful auths", ""),
        ("authorization failed, 1 attempts in 2 secs", ""),
        ("user disabled", ""),
        ("password expired", ""),
        ("login disabled", ""),
        ("cert required, client didn't start TLS", ""),
    ];
    let forms = [
        ("Disconnected: Inactivity (", ")"),
        ("Disconnected (", ")"),
        ("Aborted login (", ")"),
        ("Remote closed connection (", ")"),
        ("Disconnected: a: a: (reason: some reason) (", ")"),
        ("Login aborted: Connection closed: read(size=653) failed: Connection reset by peer (", ") (some_code)"),
    ];
    for (reason, wanted) in cases {
        for (open, close) in forms {
            let line = format!(
                "dovecot: imap-login: {open}{reason}{close}: user=<bob>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1, TLS handshaking: SSL_accept() failed: error:1408F10B:SSL routines, session=<S>"
            );
            let wanted = if wanted.is_empty() { String::new() } else { format!("{wanted} 198.51.100.7 bob S") };
            check(&[(&line, &wanted)]);
        }
    }
}

#[test]
fn dovecot_login_lines_of_other_shapes() {
    check(&[
        (
            "dovecot: pop3-login: Aborted login (tried to use disallowed plaintext auth): rip=198.51.100.7, lip=192.0.2.1, session=<S>",
            "protocol-abuse pop3 front 1 198.51.100.7 - S",
        ),
        (
            "dovecot: pop3-login: Aborted login (auth failed, 2 attempts): rip=198.51.100.7",
            "login-failed pop3 front =2 198.51.100.7 - -",
        ),
        (
            "dovecot: imap-login: Disconnected (no auth attempts in 10 secs): user=<>, rip=198.51.100.7, TLS",
            "connect imap front 1 198.51.100.7 - -",
        ),
        (
            "dovecot: imap-login: Disconnected: Too many invalid commands. (auth failed, 1 attempts in 2 secs): user=<a b>, rip=198.51.100.7, session=<webmail-77> ",
            "login-failed imap front =1 198.51.100.7 a b webmail-77",
        ),
        (
            "dovecot: imap-login: Authenticate PLAIN failed: Aborted: user=<>, method=PLAIN, rip=198.51.100.7, session=<S>",
            "",
        ),
        (
            "dovecot: imap-login: Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10): user=<a>, rip=198.51.100.7",
            "",
        ),
        (
            "dovecot: imap-login: proxy(alice): Login failed to 192.0.2.9:143 (alice): Authentication failed: user=<alice>, method=PLAIN, rip=198.51.100.7",
            "",
        ),
        ("dovecot: imap-login: Error: Timeout waiting for handshake from auth server", ""),
        ("dovecot: imap-login: ", ""),
        ("dovecot: -login: Login: user=<alice>, rip=198.51.100.7", "login-ok  front 1 198.51.100.7 alice -"),
    ]);
}

#[test]
fn dovecot_databases() {
    check(&[
        (
            "dovecot: auth: passwd-file(alice,198.51.100.7,<S>): Password mismatch",
            "login-failed dovecot auth 1 198.51.100.7 alice S",
        ),
        (
            "dovecot: auth: passwd-file(alice,198.51.100.7,<>): unknown user",
            "login-failed dovecot auth 1 198.51.100.7 alice -",
        ),
        ("dovecot: auth: sql(alice,2001:db8::7): Unknown user", "login-failed dovecot auth 1 2001:db8::7 alice -"),
        (
            "dovecot: auth: ldap(alice,198.51.100.7,master,<S>): invalid credentials",
            "login-failed dovecot auth 1 198.51.100.7 alice S",
        ),
        (
            "dovecot: auth: cram-md5(?,198.51.100.7,<S>): Password mismatch",
            "login-failed dovecot auth 1 198.51.100.7 - S",
        ),
        (
            "dovecot: auth: checkpassword(a,198.51.100.7,<S>): Login failed (status=1)",
            "login-failed dovecot auth 1 198.51.100.7 a S",
        ),
        (
            "auth: Info: sql(alice,198.51.100.7): Password mismatch (SHA1 of given password: 911596)",
            "login-failed dovecot auth 1 198.51.100.7 alice - #80911596",
        ),
        (
            "auth: Info: sql(alice,198.51.100.7): unknown user (SHA1 of given password: 0123456789abcdef0123456789abcdef01234567)",
            "login-failed dovecot auth 1 198.51.100.7 alice - #81234567",
        ),
        ("auth: Info: sql(alice,198.51.100.7): unknown user (SHA1 of given password: xyz)", ""),
        (
            "auth: Info: sql(alice,198.51.100.7): unknown user (given password: se(cr)et)",
            "login-failed dovecot auth 1 198.51.100.7 alice -",
        ),
        (
            "dovecot: dovecot: auth(default): pam(alice,198.51.100.7): pam_authenticate() failed: User not known to the underlying authentication module: 2 Time(s)",
            "login-failed dovecot auth 1 198.51.100.7 alice -",
        ),
        (
            "dovecot: auth-worker(77): pam(alice,198.51.100.7,<S>): pam_authenticate() failed: Authentication failure (password mismatch?)",
            "login-failed dovecot auth 1 198.51.100.7 alice S",
        ),
        (
            "dovecot: auth-worker(77): pam(alice,198.51.100.7): pam_authenticate() failed: Authentication failure (Password mismatch?) (given password: x)",
            "login-failed dovecot auth 1 198.51.100.7 alice -",
        ),
        (
            "dovecot: auth-worker(77): pam(alice,198.51.100.7): pam_authenticate() failed: Permission denied",
            "login-failed dovecot auth 1 198.51.100.7 alice -",
        ),
        (
            "dovecot: auth-worker(77): conn unix:auth-worker (pid=7,uid=9): auth-worker<5>: sql(alice,198.51.100.7,<S>): unknown user",
            "login-failed dovecot auth 1 198.51.100.7 alice S",
        ),
        (
            "auth-worker(77): Info: conn unix:/run/dovecot/auth-worker (uid=9): auth-worker<5>: lua(alice,198.51.100.7,<S>): Password mismatch",
            "login-failed dovecot auth 1 198.51.100.7 alice S",
        ),
        (
            "auth(alice,198.51.100.7,sasl:plain)<S>: Info: passwd-file: Password mismatch",
            "login-failed dovecot auth 1 198.51.100.7 alice S",
        ),
        (
            "dovecot: auth(alice,2001:db8::7,sasl:login)<S>: passwd-file: unknown user",
            "login-failed dovecot auth 1 2001:db8::7 alice S",
        ),
        (
            "dovecot: auth(alice,198.51.100.7,sasl:plain): ldap: Password mismatch (for LDAP bind)",
            "login-failed dovecot auth 1 198.51.100.7 alice -",
        ),
        (
            "dovecot: auth(alice,198.51.100.7)<>: pam: pam_authenticate() failed: Authentication failure (Password mismatch?)",
            "login-failed dovecot auth 1 198.51.100.7 alice -",
        ),
        (
            "dovecot: auth-worker(alice,198.51.100.7,sasl:plain)<S>: sql: Password mismatch (SHA1 of given password: 91)",
            "login-failed dovecot auth 1 198.51.100.7 alice S #91",
        ),
        (
            "dovecot: auth(alice,198.51.100.7,sasl:plain)<S>: sql: Password mismatch (given password: x)",
            "login-failed dovecot auth 1 198.51.100.7 alice S",
        ),
    ]);
}

#[test]
fn dovecot_chains_of_databases() {
    check(&[
        (
            "dovecot: auth: passwd-file(alice,198.51.100.7,<S>): Password mismatch (SHA1 of given password: 911596) - trying the next passdb",
            "login-failed dovecot auth 1 198.51.100.7 alice S #80911596",
        ),
        (
            "dovecot: auth: passwd-file(alice,198.51.100.7,<S>): Password mismatch (given password: a) b (c) - trying the next passdb",
            "login-failed dovecot auth 1 198.51.100.7 alice S",
        ),
        (
            "dovecot: auth: sql(alice,198.51.100.7,<S>): unknown user  - trying the next passdb",
            "login-failed dovecot auth 1 198.51.100.7 alice S",
        ),
        (
            "dovecot: auth: sql(alice,198.51.100.7,<S>): unknown user ",
            "login-failed dovecot auth 1 198.51.100.7 alice S",
        ),
        (
            "dovecot: auth: ldap(alice,198.51.100.7,<S>): Password mismatch (for LDAP bind) (SHA1 of given password: 911596) - trying the next passdb",
            "login-failed dovecot auth 1 198.51.100.7 alice S #80911596",
        ),
        (
            "dovecot: auth: ldap(alice,198.51.100.7,<S>): invalid credentials (given password: x) - trying the next passdb",
            "login-failed dovecot auth 1 198.51.100.7 alice S",
        ),
        (
            "dovecot: auth-worker(77): pam(alice,198.51.100.7,<S>): pam_authenticate() failed: Authentication failure (Password mismatch?) (given password: x) - trying the next passdb",
            "login-failed dovecot auth 1 198.51.100.7 alice S",
        ),
        (
            "dovecot: auth-worker(77): conn unix:auth-worker (pid=7,uid=9): auth-worker<5>: sql(alice,198.51.100.7,<S>): unknown user (SHA1 of given password: 911596) - trying the next passdb",
            "login-failed dovecot auth 1 198.51.100.7 alice S #80911596",
        ),
        (
            "dovecot: auth(alice,198.51.100.7,sasl:plain)<S>: sql: Password mismatch (SHA1 of given password: 911596) - trying the next passdb",
            "login-failed dovecot auth 1 198.51.100.7 alice S #80911596",
        ),
        (
            "auth(alice,198.51.100.7,sasl:plain)<S>: Info: sql: unknown user  - trying the next passdb",
            "login-failed dovecot auth 1 198.51.100.7 alice S",
        ),
        ("dovecot: auth: passwd(alice,198.51.100.7,<S>): unknown user - trying the next userdb", ""),
        (
            "dovecot: auth: plain(alice,198.51.100.7,<S>): Attempted login with password having illegal chars",
            "login-failed dovecot auth 1 198.51.100.7 alice S",
        ),
        (
            "dovecot: auth(alice,198.51.100.7,sasl:plain)<S>: Attempted login with password having illegal chars",
            "login-failed dovecot auth 1 198.51.100.7 alice S",
        ),
    ]);
}

#[test]
fn vpopmail_logins_behind_which_ipv6_stands() {
    check(&[
        (
            "vpopmail[7]: vchkpw-pop3: password fail bob@x.example:2001:db8::7",
            "login-failed smtp front 1 2001:db8::7 bob@x.example -",
        ),
        (
            "vpopmail[7]: vchkpw-smtp: (PLAIN) login success bob@x.example:2001:db8::7",
            "login-ok smtp front 1 2001:db8::7 bob@x.example -",
        ),
        (
            "vpopmail[7]: vchkpw-pop3: password fail bob@x.example:::ffff:198.51.100.7",
            "login-failed smtp front 1 198.51.100.7 bob@x.example -",
        ),
        // Any of its colons might end the login.
        ("vpopmail[7]: vchkpw-pop3: invalid user/domain characters a:2001:db8::7", ""),
    ]);
}

#[test]
fn cyrus_where_there_is_no_login() {
    check(&[(
        r#"cyrus/imap[7]: event=login.bad r.clienthost="[198.51.100.7]" u.username=~null~ login.mech=CRAM-MD5 error="SASL(-13): user not found""#,
        "login-failed cyrus front 1 198.51.100.7 - -",
    )]);
}

#[test]
fn dovecot_policy() {
    check(&[
        (
            "dovecot: auth: policy(alice,198.51.100.7,<S>): Authentication failure due to policy server refusal",
            "login-failed dovecot auth refused 198.51.100.7 alice S",
        ),
        (
            "dovecot: auth: policy(alice,198.51.100.7,<S>): Authentication failure due to policy server refusal: Go away, blocked",
            "login-failed dovecot auth refused 198.51.100.7 alice S",
        ),
        ("dovecot: auth: policy(alice,198.51.100.7,<S>): Policy check action is drop connection", ""),
        (
            "auth(alice,198.51.100.7,sasl:plain)<S>: Info: policy: Authentication failure due to policy server refusal: late no",
            "login-failed dovecot auth refused 198.51.100.7 alice S",
        ),
        ("auth(alice,198.51.100.7,sasl:plain)<S>: Info: policy: Policy check action is tarpit 3 second(s)", ""),
        (
            "auth(alice,198.51.100.7,sasl:plain)<S>: Error: policy: Policy server HTTP error: Absolute request timeout expired",
            "",
        ),
    ]);
}

#[test]
fn dovecot_databases_that_tell_nothing() {
    check(&[
        ("dovecot: auth: passwd-file(alice): Password mismatch", ""),
        ("dovecot: auth: passwd-file(alice,mail.example.org): Password mismatch", ""),
        ("dovecot: auth: Debug: sql(alice,198.51.100.7): Password mismatch", ""),
        ("dovecot: auth: sql(alice,198.51.100.7): Password mismatch of some other kind", ""),
        (
            "dovecot: auth-worker(7): pam(alice,198.51.100.7): pam_authenticate() failed: Authentication service cannot retrieve authentication info",
            "",
        ),
        ("dovecot: auth-worker(7): pam(alice,198.51.100.7): pam_authenticate() failed: System error", ""),
        ("dovecot: auth-worker(7): pam(alice,198.51.100.7): pam_acct_mgmt() failed: User account has expired", ""),
        ("dovecot: auth: Error: sql(alice,198.51.100.7,<S>): Password query failed: timeout", ""),
        (
            "dovecot: auth: plain(?,198.51.100.7,<S>): Username character disallowed by auth_username_chars: 0x2c (username: a, b)",
            "login-failed dovecot auth 1 198.51.100.7 a, b S",
        ),
        ("dovecot: auth: Error: auth client 0 disconnected with 1 pending requests: EOF", ""),
        ("dovecot: auth: ", ""),
        ("dovecot: auth(", ""),
        ("dovecot: auth: conn unix:auth-worker (pid=7,uid=9): Connection closed", ""),
    ]);
}

#[test]
fn dovecot_pam_modules() {
    let head = "pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot";
    for tag in ["auth: ", "dovecot-auth: ", "dovecot: ", "auth[7]: ", "dovecot: auth: ", "dovecot: auth-worker: "] {
        let cases = [
            (format!("{tag}{head} ruser=alice rhost=198.51.100.7"), "login-failed dovecot auth 1 198.51.100.7 alice -"),
            (
                format!("{tag}{head} ruser=alice rhost=198.51.100.7 "),
                "login-failed dovecot auth 1 198.51.100.7 alice -",
            ),
            (
                format!("{tag}{head} ruser=alice rhost=2001:db8::7  user=alice"),
                "login-failed dovecot auth 1 2001:db8::7 alice -",
            ),
            (
                format!("{tag}{head} ruser=alice rhost=198.51.100.7 user=alice"),
                "login-failed dovecot auth 1 198.51.100.7 alice -",
            ),
            (format!("{tag}{head} ruser= rhost=198.51.100.7"), "login-failed dovecot auth 1 198.51.100.7 - -"),
            (format!("{tag}{head} ruser=alice rhost=198.51.100.7  service=bob"), ""),
            (format!("{tag}{head} ruser=alice rhost=mail.example.org"), ""),
            (format!("{tag}pam_unix(dovecot:auth): check pass; user unknown"), ""),
            (format!("{tag}pam_unix(dovecot:session): session opened for user alice"), ""),
        ];
        for (line, wanted) in cases {
            check(&[(&line, wanted)]);
        }
    }
}

#[test]
fn postfix_sasl() {
    check(&[
        (
            "postfix/smtpd[7]: warning: unknown[198.51.100.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
            "login-failed smtp front 1 198.51.100.7 - -",
        ),
        (
            "postfix/submission/smtpd[7]: warning: a.example[198.51.100.7]: SASL PLAIN authentication failed:",
            "login-failed submission front 1 198.51.100.7 - -",
        ),
        (
            "postfix/smtps/smtpd[7]: warning: a.example[2001:db8::7]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=a, b",
            "login-failed submission front 1 2001:db8::7 a, b -",
        ),
        (
            "postfix-out/submission/smtpd[7]: warning: a_b.example[198.51.100.7]:55729: SASL login authentication failed: authentication failure, sasl_username=(unavailable)",
            "login-failed submission front 1 198.51.100.7 - -",
        ),
        (
            "postfix-in/smtpd[7]: warning: unknown[198.51.100.7]: SASL LOGIN authentication failed: another step is needed in authentication",
            "login-failed smtp front 1 198.51.100.7 - -",
        ),
        (
            "postfix/smtpd[7]: warning: unknown[198.51.100.7]: SASL X authentication failed: Invalid authentication mechanism",
            "connect smtp front 1 198.51.100.7 - -",
        ),
        (
            "postfix/smtpd[7]: warning: unknown[198.51.100.7]: SASL LOGIN authentication failed: Connection lost to authentication server",
            "",
        ),
        ("postfix/smtpd[7]: warning: unknown[198.51.100.7]: SASL LOGIN authentication failed: generic failure", ""),
        (
            "postfix/smtpd[7]: warning: unknown[198.51.100.7]: SASL LOGIN authentication failed: Temporary authentication failure",
            "",
        ),
        ("postfix/smtpd[7]: warning: unknown[unknown]: SASL LOGIN authentication failed: x", ""),
        (
            "postfix/smtpd[7]: warning: hostname a.example does not resolve to address 198.51.100.7",
            "connect smtp front 1 198.51.100.7 - -",
        ),
        ("postfix/smtpd[7]: warning: SASL authentication failure: cannot connect to saslauthd server", ""),
        (
            "postfix/submission/smtpd[7]: 3F1A29B0C4: client=unknown[198.51.100.7], sasl_method=PLAIN, sasl_username=alice@example.org",
            "login-ok submission front 1 198.51.100.7 alice@example.org -",
        ),
        (
            "postfix/smtpd[7]: 4Xyz01abZz: client=a.example[198.51.100.7]:2525, sasl_method=LOGIN, sasl_username=alice, sasl_sender=bob@example.org",
            "login-ok smtp front 1 198.51.100.7 alice -",
        ),
        (
            "postfix/smtpd[7]: NOQUEUE: client=a.example[198.51.100.7], sasl_method=LOGIN, sasl_username=alice",
            "login-ok smtp front 1 198.51.100.7 alice -",
        ),
        ("postfix/smtpd[7]: 3F1A29B0C4: client=a.example[198.51.100.7]", ""),
        ("postfix/smtpd[7]: connect from a.example[198.51.100.7]", ""),
        ("postfix/qmgr[7]: 3F1A29B0C4: client=unknown[198.51.100.7], sasl_method=PLAIN, sasl_username=a", ""),
        ("smtpd[7]: warning: unknown[198.51.100.7]: SASL LOGIN authentication failed: x", ""),
    ]);
}

/// Recipients and a HELO that imitate what follows them; an at sign stands in all of them.
#[test]
fn imitations_in_quotes() {
    let exim = |rest: &str| {
        let mut reader = Reader::new(TimeZone::UTC, Timing::Replay).with_service("exim").unwrap();
        let mut texts = Vec::new();
        let line = format!("2026-11-21 07:44:14 {rest}");
        reader.read(line.as_bytes(), Timestamp::from_secs(1_795_247_055), &mut |event| texts.push(shown(&event)));
        texts.join(" + ")
    };
    let denied = "relay-denied smtp front 1 198.51.100.7 - -";
    let cases = [
        (
            r#"H=(x) [198.51.100.7] F=<a@b> rejected RCPT <"H=(y) [192.0.2.66] rejected RCPT"@e.f>: relay not permitted"#,
            denied,
        ),
        (r#"H=[198.51.100.7] rejected RCPT <"H=(y) [192.0.2.66] rejected RCPT"@e.f>: relay not permitted"#, denied),
        (
            r#"H=(x) [198.51.100.7] F=<a@b> rejected MAIL <"a\" rejected "@e.f>: bad"#,
            "protocol-abuse smtp front 1 198.51.100.7 - -",
        ),
        // The true address is the second: the first stands in HELO.
        (
            r#"H=(x) [192.0.2.66] F=<a@b> rejected RCPT <"H=(y) [198.51.100.7] F=<"@x>: relay not permitted"@y> rejected RCPT <d@e>: relay not permitted"#,
            "",
        ),
        (
            r#"H=(x) [192.0.2.66] F=<a@b> rejected RCPT <"H=(y) [198.51.100.7] F=<s@t> rejected RCPT <"@x>: relay"@y>: relay not permitted"#,
            "",
        ),
        (
            r#"H=(x) [192.0.2.66] F=<a@b> rejected RCPT <"q"@x>: relay) [198.51.100.7] rejected RCPT <d@e>: relay not permitted"#,
            "",
        ),
        (
            "H=(x) [198.51.100.7] F=<quota@b.c> rejected MAIL <quota@b.c>: bad sender",
            "protocol-abuse smtp front 1 198.51.100.7 - -",
        ),
    ];
    for (line, wanted) in cases {
        assert_eq!(exim(line), wanted, "{line}");
    }
    let id = "sm-mta[1]: 4ALA0abc012345: ruleset=check_rcpt, ";
    let lines = [
        (
            r#"arg1=<"x, relay=h [192.0.2.66], reject=550"@b.c>, relay=[198.51.100.7], reject=550 5.7.1 Relaying denied"#,
            denied,
        ),
        (
            r#"arg1=<"x, relay=h [192.0.2.66], reject=550"@b.c>, relay=h [198.51.100.7] (may be forged), reject=550 5.7.1 <"x, relay=h [192.0.2.66], reject=550"@b.c>... Relaying denied"#,
            denied,
        ),
        (
            r#"arg1=<"q"@x>, relay=[192.0.2.66], reject=550 Relaying denied, relay=[198.51.100.7], reject=550 5.7.1 Relaying denied"#,
            "",
        ),
        (
            r#"arg1=<"q" x@y>, relay=[192.0.2.66], reject=550 x, relay=[198.51.100.7], reject=550 5.7.1 Relaying denied"#,
            "",
        ),
    ];
    for (rest, wanted) in lines {
        check(&[(&format!("{id}{rest}"), wanted)]);
    }
}

//! Lines into which a client wrote addresses that are not its own.
//!
//! The true client is always 203.0.113.5; every other address in a line was written by it.

use base::limits::LINE_BYTES_MAX;

use super::addresses;
use crate::text::steps;

const TRUE: &str = "203.0.113.5";

/// Texts that a client may give for a login, a password, a mechanism or a certificate's name.
pub(super) const TEXTS: &[&str] = &[
    "a, rip=198.51.100.9, x",
    "a>, rip=198.51.100.9, x",
    "a>, method=PLAIN, rip=198.51.100.9, lip=192.0.2.1, TLS, session=<q",
    "a>, method=PLAIN, rip=198.51.100.9, lip=192.0.2.1, TLS, session=<q>",
    "a>, method=PLAIN, rip=198.51.100.9",
    ">, rip=198.51.100.9, session=<",
    "a> rip=198.51.100.9",
    "<a>, rip=198.51.100.9, <b>",
    ": user=<bob>, rip=198.51.100.9, session=<q>",
    "): Login: user=<bob>, rip=198.51.100.9, session=<q>",
    "(auth failed, 9 attempts in 9 secs): user=<bob>, method=PLAIN, rip=198.51.100.9, lip=192.0.2.1, session=<q>",
    "): started proxying to 192.0.2.9:143: user=<bob>, method=PLAIN, rip=198.51.100.9",
    "a,198.51.100.9",
    "a,198.51.100.9,<q>",
    "a,198.51.100.9,<q>): Password mismatch",
    "a,198.51.100.9): unknown user",
    "a,198.51.100.9,<q>): unknown user (given password: x)",
    "a): sql(b,198.51.100.9): unknown user",
    "a): sql(b,198.51.100.9,<q>): Password mismatch (given password: z",
    "a): pam(b,198.51.100.9): pam_authenticate() failed: Authentication failure (Password mismatch?)",
    "a): pam(b,198.51.100.9): pam_authenticate() failed: Authentication failure (Password mismatch?",
    "a): checkpassword(b,198.51.100.9): Login failed (status=1",
    "a): sql(b,198.51.100.9): unknown user (SHA1 of given password: 91",
    "a,198.51.100.9,<q>): Authentication failure due to policy server refusal",
    "a,198.51.100.9,<q>): Authentication failure due to policy server refusal: y",
    "a): policy(b,198.51.100.9): Authentication failure due to policy server refusal: ",
    "default): sql(b,198.51.100.9): unknown user",
    "default): sql(b,198.51.100.9): unknown user (given password: ",
    "default): policy(b,198.51.100.9): Authentication failure due to policy server refusal: ",
    "77): Info: sql(b,198.51.100.9): unknown user (given password: z",
    "a,198.51.100.9,sasl:plain)<q>: Info: sql: unknown user",
    "a,198.51.100.9,sasl:plain)<q>: Info: sql: unknown user (given password: z",
    "a,198.51.100.9,sasl:plain): sql: unknown user (given password: z",
    "a,198.51.100.9,sasl:plain)<q>: policy: Authentication failure due to policy server refusal: ",
    "a)<q>: Info: b(c,198.51.100.9): unknown user",
    "conn unix:auth-worker (pid=1,uid=1): auth-worker<1>: sql(b,198.51.100.9): unknown user",
    "x>: sql(b,198.51.100.9): unknown user",
    "a rhost=198.51.100.9",
    "a rhost=198.51.100.9 ",
    "a rhost=198.51.100.9  user=a",
    "a rhost=198.51.100.9  user=a rhost=198.51.100.9",
    "Q rhost=203.0.113.5 rhost=198.51.100.9  user=Q",
    "Q rhost=203.0.113.5 rhost=198.51.100.9 user=Q",
    " rhost=198.51.100.9",
    "a  user=a rhost=198.51.100.9",
    "a rhost=198.51.100.9 user=",
    "a, sasl_username=b[198.51.100.9]: SASL LOGIN authentication failed: x",
    "b[198.51.100.9]: SASL LOGIN authentication failed: x, sasl_username=c",
    "LOGIN authentication failed: x, sasl_username=c[198.51.100.9]",
    "a, orig_client=b[198.51.100.9]",
    "a: client=b[198.51.100.9], sasl_method=PLAIN, sasl_username=c",
    "warning: b[198.51.100.9]: SASL LOGIN authentication failed: x",
    "[198.51.100.9]",
    "198.51.100.9",
    "::ffff:198.51.100.9",
    "a\u{a0}, rip=198.51.100.9",
    "\u{202e}, rip=198.51.100.9",
    "Nov 21 07:44:14 mx dovecot: imap-login: Login: user=<bob>, rip=198.51.100.9",
    "dovecot: auth: sql(b,198.51.100.9): unknown user",
    "/CN=a>, rip=198.51.100.9",
    "/CN=a, rip=198.51.100.9, session=<q",
    "TLS: Received invalid SSL certificate: x: /CN=a>, rip=198.51.100.9, TLS",
    ",,,,,,,,,,,,,,,,<<<<<<<<>>>>>>>>):):):):)<)<)<(((((((",
];

/// What daemons write around such a text, which stands for `@` (the login) and, in the second place, for `^` (a password, a
/// mechanism, a certificate's name).
pub(super) const FORMS: &[&str] = &[
    "dovecot: imap-login: Login: user=<@>, method=PLAIN, rip=203.0.113.5, lip=192.0.2.1, mpid=7, TLS, session=<S>",
    "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<@>, method=PLAIN, rip=203.0.113.5, lip=192.0.2.1, TLS, session=<S>",
    "imap-login: Info: Login aborted: Connection closed (auth failed, 1 attempts in 0 secs) (auth_failed): user=<@>, method=PLAIN, rip=203.0.113.5, lip=192.0.2.1",
    "dovecot: imap-login: Aborted login (auth failed, 1 attempts): user=<@>, rip=203.0.113.5",
    "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<@>, method=PLAIN, rip=203.0.113.5, lip=192.0.2.1, TLS: Received invalid SSL certificate: self signed certificate: ^, session=<S>",
    "dovecot: imap-login: Disconnected (no auth attempts in 2 secs): user=<>, rip=203.0.113.5, lip=192.0.2.1, TLS handshaking: Received invalid SSL certificate: self signed certificate: ^, session=<S>",
    "dovecot: imap-login: proxy(@): started proxying to 192.0.2.9:143: user=<@>, method=PLAIN, rip=203.0.113.5, lip=192.0.2.1, session=<S>",
    "dovecot: imap-login: proxy(@): Login failed to 192.0.2.9:143: x: user=<@>, method=PLAIN, rip=203.0.113.5, lip=192.0.2.1, session=<S>",
    "dovecot: auth: passwd-file(@,203.0.113.5,<S>): Password mismatch",
    "dovecot: auth: passwd-file(@,203.0.113.5,<S>): unknown user (given password: ^)",
    "dovecot: auth: sql(@,203.0.113.5): Password mismatch (SHA1 of given password: 911596) - trying the next passdb",
    "dovecot: auth: sql(@,203.0.113.5,<S>): unknown user (given password: ^) - trying the next passdb",
    "dovecot: auth(@,203.0.113.5,sasl:plain)<S>: sql: unknown user (given password: ^) - trying the next passdb",
    "dovecot: auth: sql(@,203.0.113.5): Password mismatch (SHA1 of given password: 911596)",
    "dovecot: auth-worker(7): pam(@,203.0.113.5): pam_authenticate() failed: Authentication failure (Password mismatch?)",
    "dovecot: auth-worker(7): pam(@,203.0.113.5): pam_authenticate() failed: Authentication failure (Password mismatch?) (given password: ^)",
    "auth-worker(7): Info: conn unix:auth-worker (pid=7,uid=9): auth-worker<5>: sql(@,203.0.113.5,<S>): unknown user",
    "auth-worker(7): Info: conn unix:auth-worker (pid=7,uid=9): auth-worker<5>: sql(@,203.0.113.5,<S>): unknown user (given password: ^)",
    "dovecot: auth: policy(@,203.0.113.5,<S>): Authentication failure due to policy server refusal: late no",
    "dovecot: auth: policy(@,203.0.113.5,<S>): Policy check action is drop connection",
    "dovecot: auth: plain(?,203.0.113.5,<S>): Username character disallowed by auth_username_chars: 0x2c (username: @)",
    "dovecot: auth: plain(?,203.0.113.5,<S>): Attempted master login with no master passdbs (trying to log in as user: @)",
    "dovecot: auth: sql(b,203.0.113.5,<S>): Master user logging in as @",
    "dovecot: auth: Error: sql(@,203.0.113.5,<S>): Password query failed: syntax error at '@'",
    "auth(@,203.0.113.5,sasl:plain)<S>: Info: passwd-file: Password mismatch",
    "auth(@,203.0.113.5,sasl:plain)<S>: Info: sql: Password mismatch (given password: ^)",
    "auth(@,203.0.113.5,sasl:plain)<S>: Info: pam: pam_authenticate() failed: Authentication failure (Password mismatch?)",
    "auth(@,203.0.113.5,sasl:plain)<S>: Info: policy: Policy check action is drop connection",
    "auth(@,203.0.113.5,sasl:plain)<S>: Info: policy: Authentication failure due to policy server refusal: no",
    "auth(@,203.0.113.5,sasl:plain): Info: sql: unknown user",
    "dovecot: auth(@,203.0.113.5)<>: sql: unknown user (SHA1 of given password: 91)",
    "auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=@ rhost=203.0.113.5",
    "auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=@ rhost=203.0.113.5  user=@",
    "auth: pam_sss(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=@ rhost=203.0.113.5 user=@",
    "dovecot: imap(@)<7><S>: Disconnected: Logged out in=1 out=2",
    "dovecot: lmtp(@)<7><S>: msgid=<@>: saved mail to INBOX",
    "postfix/smtpd[7]: warning: a.example[203.0.113.5]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=@",
    "postfix/smtpd[7]: warning: a.example[203.0.113.5]: SASL ^ authentication failed: Invalid authentication mechanism, sasl_username=@",
    "postfix/smtpd[7]: 3F1A: client=a.example[203.0.113.5], sasl_method=PLAIN, sasl_username=@",
    "postfix/smtpd[7]: 3F1A: client=a.example[203.0.113.5], sasl_method=PLAIN, sasl_username=b, sasl_sender=@",
    "postfix/smtpd[7]: 3F1A: client=a.example[203.0.113.5]",
    "postfix/smtpd[7]: NOQUEUE: reject: RCPT from a.example[203.0.113.5]: 554 5.7.1 <@>: Relay access denied; from=<@> to=<^> proto=ESMTP helo=<@>",
    "postfix/cleanup[7]: 3F1A: message-id=<@>",
    "postfix/cleanup[7]: 3F1A: warning: header Subject: @ from a.example[203.0.113.5]; from=<@>",
    "postfix/smtpd[7]: warning: non-SMTP command from a.example[203.0.113.5]: @",
    "postfix/smtpd[7]: warning: hostname a.example does not resolve to address 203.0.113.5: @",
];

/// The line of a form.
pub(super) fn line(form: &str, login: &str, other: &str) -> String {
    format!("Nov 21 07:44:14 mx {}", form.replace('@', login).replace('^', other))
}

#[test]
fn no_text_of_a_client_chooses_the_address() {
    let (mut lines, mut found) = (0, 0);
    for form in FORMS {
        for login in TEXTS {
            for other in TEXTS {
                let line = line(form, login, other);
                let addresses = addresses(&line);
                assert!(addresses.iter().all(|address| address == TRUE), "{addresses:?} in {line}");
                lines += 1;
                found += addresses.len();
                if !form.contains('^') {
                    break;
                }
            }
        }
    }
    println!("{lines} hostile lines, the true address in {found}, none in {}, a wrong one in 0", lines - found);
    assert!(lines > 5000 && found > lines / 4);
}

/// A login process' line tells the true address whatever the login is, because the login stands on one side of it only.
#[test]
fn no_login_hides_the_address_of_a_login_process() {
    let form = "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<@>, method=PLAIN, rip=203.0.113.5, lip=192.0.2.1, TLS, session=<S>";
    for login in TEXTS.iter().filter(|login| !login.contains("SSL certificate")) {
        assert_eq!(addresses(&line(form, login, "")), [TRUE], "{login}");
    }
}

/// The bytes that a long hostile text makes the grammars look at are a small multiple of the text, and twice the text is
/// twice the work; so is the longest line that is read.
#[test]
fn work_is_linear() {
    for form in FORMS {
        let work = |text: &str, bytes: usize| {
            let places = form.bytes().filter(|byte| b"@^".contains(byte)).count().max(1);
            let hostile = text.repeat((bytes - form.len() - 64) / (places * text.len()));
            let line = line(form, &hostile, &hostile);
            assert!(line.len() < LINE_BYTES_MAX, "it is read");
            steps::take();
            addresses(&line);
            (steps::take(), line.len())
        };
        for text in TEXTS {
            let ((small, _), (large, length)) = (work(text, 1 << 12), work(text, 1 << 13));
            assert!(large <= 12 * length, "{large} steps for {length} bytes: {form} {text}");
            assert!(large <= 2 * small + small / 2 + 4096, "{small} steps, then {large}: {form} {text}");
        }
        let (steps, length) = work("a>, rip=198.51.100.9): )<q>: rhost=198.51.100.9 ", LINE_BYTES_MAX);
        assert!(steps <= 12 * length, "{steps} steps for {length} bytes: {form}");
    }
}

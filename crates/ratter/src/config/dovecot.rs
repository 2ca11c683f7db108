//! `[gate.dovecot]`: the server of Dovecot's auth policy protocol.

use core::fmt;
use core::net::SocketAddr;

use super::ask::{self, AskPolicy, AskingGate};
use super::diagnose::Fault;
use super::forms::{Form, Mismatch, socket, text};
use super::gates::{Fail, fail};
use super::listeners::{is_public, reason};
use super::probe::Transport;
use super::reader::Section;

/// The server of Dovecot's auth policy protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DovecotGate {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Password of HTTP Basic authentication, with any user name; none asks for none.
    pub password: Option<Secret>,
    /// The value that the header must have; none asks for none.
    pub api_key: Option<Secret>,
    /// The name of that header.
    pub api_header: String,
    /// `auth_policy_hash_nonce` of Dovecot, by which constant password hashes are recognised.
    pub nonce: Option<String>,
    /// What a client is told that is refused because of a block; empty tells it nothing.
    pub message: String,
    /// What it answers when nothing can be told.
    pub fail: Fail,
    /// What it does about addresses that are on other people's lists; none asks none.
    pub ask: Option<AskPolicy>,
}

/// A password or key, which no output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// The secret itself, for comparing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Longest secret, in bytes; a file that is longer holds something else.
const SECRET_BYTES_MAX: usize = 1024;

/// Longest message to clients, in bytes: mail programs show one line.
const MESSAGE_BYTES_MAX: usize = 200;

pub(super) fn read(section: &Section<'_>) -> Option<DovecotGate> {
    let listen = section.setting("listen", &socket());
    let password = secret(section, "password", "password-file");
    let api_key = secret(section, "api-key", "api-key-file");
    let api_header = section.setting("api-header", &header_name());
    let nonce = section.optional("nonce", &text("the nonce that Dovecot has", SECRET_BYTES_MAX));
    let message = section.optional("message", &text("a sentence for clients that are refused", MESSAGE_BYTES_MAX));
    let fail = fail(section);
    let ask = section.part("ask", |section| Some(ask::policy(section, AskingGate::Dovecot)));

    let listen = listen?;
    section.desk.listens(section.place("listen"), listen, Transport::Tcp);
    let is_open = ["password", "password-file", "api-key", "api-key-file"].iter().all(|key| !section.has(key));
    if is_open && is_public(listen.ip()) {
        let fault = Fault::warning(section.place("listen"), "anybody can ask and report to [gate.dovecot]");
        let hint = "listen on 127.0.0.1, or set `password-file` and give Dovecot the same password";
        section.desk.report(fault.label("reachable from outside, without a password").hint(hint.to_owned()));
    }
    Some(DovecotGate {
        listen,
        password,
        api_key,
        api_header: api_header?,
        nonce,
        message: message.unwrap_or_default(),
        fail,
        ask,
    })
}

/// A secret from `key`, or from the file that `file_key` names.
pub(super) fn secret(section: &Section<'_>, key: &'static str, file_key: &'static str) -> Option<Secret> {
    let inline = section.optional(key, &text("a secret", SECRET_BYTES_MAX));
    let file = secret_file(section, file_key);
    if section.has(key) && section.has(file_key) {
        let fault = Fault::error(section.key_place(file_key), format!("`{key}` and `{file_key}` at the same time"));
        section.desk.report(fault.also(section.key_place(key), "the other").hint("keep one of them".to_owned()));
    }
    if section.has(file_key) { file } else { inline.map(|secret| Secret(secret.into())) }
}

/// A secret from the file that `file_key` names; none if there is no such key, or a fault.
pub(super) fn secret_file(section: &Section<'_>, file_key: &'static str) -> Option<Secret> {
    let path = section.optional(file_key, &section.desk.path("/etc/ratter/secret"))?;
    let fault = |label: String| {
        let fault = section.wrong(file_key, format!("no secret can be read from `{}`", path.display()));
        section.desk.report(fault.label(label));
        None
    };
    match section.desk.probe.read(&path, SECRET_BYTES_MAX) {
        Err(error) => fault(reason(&error)),
        Ok(bytes) => match core::str::from_utf8(&bytes).map(|text| text.trim_end_matches(['\r', '\n'])) {
            Err(_) => fault("no UTF-8 text".into()),
            Ok("") => fault("empty".into()),
            Ok(secret) if secret.chars().any(char::is_control) => fault("more than one line".into()),
            Ok(secret) => Some(Secret(secret.into())),
        },
    }
}

/// A name of an HTTP header (RFC 9110 section 5.6.2).
pub(super) fn header_name() -> Form<'static, String> {
    Form::of_text("the name of an HTTP header, such as `X-API-Key`", |name| {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        match name.split_once(':') {
            Some((bare, _)) if !bare.is_empty() && bare.bytes().all(is_token) => {
                Err(Mismatch::new("a header with its value").hint(format!("write `\"{bare}\"`")))
            }
            None if !name.is_empty() && name.len() <= 64 && name.bytes().all(is_token) => Ok(name.to_owned()),
            _ => Err(Mismatch::new("no name of a header")),
        }
    })
}

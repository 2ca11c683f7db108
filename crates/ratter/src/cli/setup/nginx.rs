//! nginx' mail proxy: `auth_http`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::bail;
use gates::io::Place;

use super::{Asked, Planned, Recipe, asked, heading};
use crate::cli::Failure;
use crate::config::HttpGate;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The file that is written, for an `include` inside `mail { … }`
    #[arg(long, value_name = "FILE", default_value = "/etc/nginx/ratter-mail.conf")]
    file: PathBuf,

    /// Where nginx listens for IMAP, for the probe
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:143")]
    imap: SocketAddr,
}

pub(super) fn recipe(arguments: &Arguments, asked: &Asked<'_>) -> Result<Recipe, Failure> {
    let gate = asked.config.gates.http.as_ref().filter(|gate| !gate.backends.is_empty());
    let Some(gate) = gate else {
        let hint = "nginx asks the HTTP gate, which must know the servers behind: add to the configuration\n\n[gate.http]\n\
                    listen = [\"127.0.0.1:4005\"]\n\n[gate.http.nginx]\nimap = \"127.0.0.1:1143\"\n";
        return Err(Failure::Usage(format!("ratter: {hint}")));
    };
    let file = std::path::absolute(&arguments.file).map_err(anyhow::Error::from)?;
    let text = settings(gate).map_err(Failure::Usage)?;
    let server = arguments.imap;
    let steps = vec![
        format!("Inside `mail {{ … }}` of nginx.conf:\n\n    include {};\n\nand `nginx -s reload`.", file.display()),
        "nginx tells the servers behind it who the client is, by the PROXY protocol. They must expect it, from nginx alone. \
         In Dovecot:\n\nhaproxy_trusted_networks = 127.0.0.0/8\nservice imap-login {\n  inet_listener imap {\n    \
         haproxy = yes\n  }\n}"
            .to_owned(),
        "nginx does not tell how a login went: Dovecot does, by its auth policy (`ratter setup dovecot`) or its log."
            .to_owned(),
    ];
    Ok(Recipe {
        name: "nginx",
        // It may hold a key; nginx reads it as root.
        files: vec![Planned { path: file, mode: 0o600, text: heading("#", "nginx") + &text }],
        commands: Vec::new(),
        steps,
        probe: Box::new(move |client| {
            let before = asked::count(client, "http")?;
            let login = "a1 LOGIN ratter-probe no-such-password";
            let said = asked::talk(server, &[login])?;
            if !asked::rose(client, "http", before)? {
                bail!(
                    "nginx answered `{}` without asking Ratter: does it include the file, and was it reloaded?",
                    said[1]
                );
            }
            Ok(format!("nginx asks Ratter: it asked about a login at {server} before it answered"))
        }),
    })
}

fn settings(gate: &HttpGate) -> Result<String, String> {
    let place = match gate.listen.first() {
        Some(Place::Tcp(address)) => address.to_string(),
        Some(Place::Unix(path)) => format!("unix:{}:", path.display()),
        None => return Err("ratter: [gate.http] listens nowhere".to_owned()),
    };
    let mut lines = vec![format!("auth_http {place}/v1/nginx;")];
    match (&gate.api_key, &gate.password) {
        (Some(key), _) => lines.push(format!("auth_http_header {} {};", gate.api_header, quoted(key.expose()))),
        (None, Some(_)) => {
            return Err("ratter: nginx sends a key, no password: set `api-key-file` in [gate.http]".to_owned());
        }
        (None, None) => {}
    }
    lines.push("proxy_protocol on;".to_owned());
    lines.push("proxy_pass_error_message on;".to_owned());
    Ok(lines.join("\n") + "\n")
}

/// A text as nginx takes it; a `$` would be a variable in other places, and is none here.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

//! nginx' mail proxy: `auth_http`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use gates::io::Place;

use super::{Asked, Planned, Recipe, Wait, asked, heading};
use crate::cli::Failure;
use crate::config::{AskingGate, Fail, HttpGate};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The file that is written, for an `include` inside `mail { … }`
    #[arg(long, value_name = "FILE", default_value = "/etc/nginx/ratter-mail.conf")]
    file: PathBuf,

    /// The file with the server that asks Ratter and goes on without it, for an `include` inside `http { … }`
    #[arg(long, value_name = "FILE", default_value = "/etc/nginx/conf.d/ratter-http.conf")]
    http_file: PathBuf,

    /// Where that server listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4011")]
    front: SocketAddr,

    /// Where nginx listens for IMAP, for the probe
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:143")]
    imap: SocketAddr,

    #[command(flatten)]
    wait: Wait,
}

pub(super) fn recipe(arguments: &Arguments, asked: &Asked<'_>) -> Result<Recipe, Failure> {
    let gate = asked.config.gates.http.as_ref().filter(|gate| !gate.backends.is_empty());
    let Some(gate) = gate else {
        let hint = "nginx asks the HTTP gate, which must know the servers behind: add to the configuration\n\n[gate.http]\n\
                    listen = [\"127.0.0.1:4005\"]\n\n[gate.http.nginx]\nimap = \"127.0.0.1:1143\"\n";
        return Err(Failure::Usage(format!("ratter: {hint}")));
    };
    let file = std::path::absolute(&arguments.file).map_err(anyhow::Error::from)?;
    let front = (gate.fail == Fail::Open).then_some(arguments.front);
    let text = settings(gate, front).map_err(Failure::Usage)?;
    let http_file = std::path::absolute(&arguments.http_file).map_err(anyhow::Error::from)?;
    let server = arguments.imap;
    let steps = vec![
        match front {
            Some(front) => format!(
                "By itself nginx lets nobody in while Ratter is stopped, and keeps each login waiting for 60 s while it hangs. So nginx \
                 asks a server of its own at {front}, which goes on without Ratter. It stands in {}: Debian includes that \
                 folder; elsewhere, inside `http {{ … }}` of nginx.conf:\n\n    include {};",
                http_file.display(),
                http_file.display()
            ),
            None => "`fail = \"closed\"` in [gate.http]: nobody can log in while Ratter is away.".to_owned(),
        },
        format!("Inside `mail {{ … }}` of nginx.conf:\n\n    include {};\n\nand `nginx -s reload`.", file.display()),
        "nginx tells the servers behind it who the client is, by the PROXY protocol. They must expect it, from nginx alone. \
         In Dovecot:\n\nhaproxy_trusted_networks = 127.0.0.0/8\nservice imap-login {\n  inet_listener imap {\n    \
         haproxy = yes\n  }\n}"
            .to_owned(),
        served(gate),
        "nginx does not tell how a login went: Dovecot does, by its auth policy (`ratter setup dovecot`) or its log."
            .to_owned(),
    ];
    // It may hold a key; nginx reads it as root.
    let mut files = vec![Planned { path: file, mode: 0o600, text: heading("#", "nginx") + &text }];
    files.extend(front.map(|front| Planned {
        path: http_file,
        mode: 0o644,
        text: heading("#", "nginx") + &front_server(gate, front, arguments.wait.of(asked.config, AskingGate::Http)),
    }));
    Ok(Recipe {
        name: "nginx",
        files,
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

/// The protocols with a server behind them: a login by another one could go nowhere.
fn backends(gate: &HttpGate) -> impl Iterator<Item = (&'static str, SocketAddr)> {
    let backends = [("imap", gate.backends.imap), ("pop3", gate.backends.pop3), ("smtp", gate.backends.smtp)];
    backends.into_iter().filter_map(|(protocol, server)| Some((protocol, server?)))
}

fn served(gate: &HttpGate) -> String {
    let names = backends(gate).map(|(protocol, _)| protocol).collect::<Vec<_>>().join(", ");
    format!(
        "[gate.http.nginx] names servers for: {names}. Whoever logs in by another protocol gets \"Temporary server problem\": let nginx \
         listen for no other, or add its server there."
    )
}

/// The server between nginx' mail proxy and Ratter. A request holds a client's password: nothing of it is logged.
fn front_server(gate: &HttpGate, front: SocketAddr, wait: Duration) -> String {
    let map = |name: &str, part: fn(SocketAddr) -> String| {
        let lines = backends(gate).map(|(protocol, server)| format!("    {protocol} {};\n", part(server)));
        format!("map $http_auth_protocol ${name} {{\n{}}}\n", lines.collect::<String>())
    };
    // Connecting and sending is done by the kernel, also for a process that hangs; what is left is for the answer.
    let step = wait / 5;
    let place = match gate.listen.first() {
        Some(Place::Unix(path)) => format!("unix:{}:", path.display()),
        Some(Place::Tcp(address)) => address.to_string(),
        None => String::new(),
    };
    map("ratter_server", |server| server.ip().to_string())
        + &map("ratter_port", |server| server.port().to_string())
        + &FRONT
            .replace("@FRONT@", &front.to_string())
            .replace("@RATTER@", &place)
            .replace("@STEP@", &step.as_millis().max(1).to_string())
            .replace("@ANSWER@", &(3 * step).as_millis().max(1).to_string())
}

const FRONT: &str = r#"server {
    listen @FRONT@;
    access_log off;
    location = /v1/nginx {
        proxy_pass http://@RATTER@/v1/nginx;
        proxy_connect_timeout @STEP@ms;
        proxy_send_timeout @STEP@ms;
        proxy_read_timeout @ANSWER@ms;
        proxy_intercept_errors on;
        error_page 500 502 503 504 = @open;
    }
    # Ratter is away: the server behind checks the password as ever.
    location @open {
        add_header Auth-Status OK;
        add_header Auth-Server $ratter_server;
        add_header Auth-Port $ratter_port;
        return 200 "";
    }
    location / {
        return 404;
    }
}
"#;

fn settings(gate: &HttpGate, front: Option<SocketAddr>) -> Result<String, String> {
    let place = match (front, gate.listen.first()) {
        (_, None) => return Err("ratter: [gate.http] listens nowhere".to_owned()),
        (Some(front), _) => front.to_string(),
        (None, Some(Place::Tcp(address))) => address.to_string(),
        (None, Some(Place::Unix(path))) => format!("unix:{}:", path.display()),
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

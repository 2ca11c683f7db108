//! `ratter report`: takes what others send by mail, from an alias, to the node's listener for reports.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use sensors::reports::SUBMISSION_BYTES_MAX;
use serde_json::Value;
use tokio::net::TcpStream;

use super::show::Show;
use super::{Failure, Outcome};
use crate::config;

/// Where the node takes reports if no configuration says.
const LISTENER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 4006));

/// How long the node may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);

/// Most of a mail that is read; the report stands before the attachments.
const MAIL_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    form: Form,
}

#[derive(clap::Subcommand)]
enum Form {
    /// Report what an X-ARF mail on standard input says; made for an alias
    Mail(MailArguments),
}

#[derive(clap::Args)]
struct MailArguments {
    /// File with the key of the reporter whose mails these are
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,

    /// Where the node takes reports, if not where the configuration says: `[reports] listen`
    #[arg(long, value_name = "ADDRESS:PORT")]
    to: Option<SocketAddr>,
}

/// `ratter report mail`: one mail from standard input.
pub(crate) fn report(config: Option<&Path>, arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    let Form::Mail(arguments) = &arguments.form;
    let to = match arguments.to {
        Some(to) => to,
        None => config::reports_listener(config).map_err(Failure::Usage)?.unwrap_or(LISTENER),
    };
    let key = key(&arguments.key_file)?;
    let mut mail = Vec::new();
    std::io::stdin().take(MAIL_BYTES_MAX).read_to_end(&mut mail).context("no mail on standard input")?;
    mail.truncate(SUBMISSION_BYTES_MAX);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("the system gives no event loop")?;
    let answer = runtime.block_on(async { tokio::time::timeout(ANSWER_TIME_MAX, send(to, &key, mail)).await });
    let (status, answer) = match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(Failure::TryAgain(error)),
        Err(_) => return Err(Failure::TryAgain(anyhow!("{to} does not answer"))),
    };
    let reason = answer.get("reason").and_then(Value::as_str).unwrap_or("no reason given").to_owned();
    match status {
        StatusCode::OK => {
            show.value(&answer, |_| "reported".to_owned())?;
            Ok(Outcome::Done)
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Err(Failure::TryAgain(anyhow!(reason))),
        _ => Err(anyhow!("{reason} ({status})").into()),
    }
}

/// The key in the file.
#[expect(clippy::disallowed_methods, reason = "this is the binary, and the file is the caller's own")]
fn key(path: &Path) -> Result<String, Failure> {
    let wrong = |why: &dyn std::fmt::Display| Failure::Usage(format!("ratter: {}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let key = text.trim();
    if key.is_empty() || key.chars().any(char::is_control) { Err(wrong(&"no key in it")) } else { Ok(key.to_owned()) }
}

#[expect(clippy::disallowed_methods, reason = "the binary may spawn, and this task ends with its connection")]
async fn send(to: SocketAddr, key: &str, mail: Vec<u8>) -> anyhow::Result<(StatusCode, Value)> {
    let stream = TcpStream::connect(to).await.with_context(|| format!("nobody takes reports at {to}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // The connection ends with its only request; what it has to say is told by the request itself.
    drop(tokio::task::spawn(connection));
    let request = Request::post("/v1/reports")
        .header("host", to.to_string())
        .header("content-type", "message/rfc822")
        .header("authorization", format!("Bearer {key}"))
        .body(Full::new(Bytes::from(mail)))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await.context("the node broke off")?.to_bytes();
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

//! The command line's side of the control socket: HTTP/1.1 over a unix socket, one request a connection.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use console::api::{Fault, FaultKind};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::{Failure, Outcome};
use crate::config;

/// How long a node may take to answer a question; streams have no such limit.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// How long an import or an export may take: ten million networks take some seconds.
const STREAM_TIME_MAX: Duration = Duration::from_mins(10);

/// The control socket of the configured node.
pub(crate) struct Client {
    socket: PathBuf,
}

impl Client {
    /// The client for the node of that configuration. Only the place of the socket is taken from it, so that a
    /// node can be asked while its new configuration still has faults.
    pub(crate) fn of(config: Option<&Path>) -> Result<Self, Failure> {
        Ok(Self { socket: config::control_socket(config).map_err(Failure::Usage)? })
    }

    /// Asks for `path` and reads the answer; `None` when there is nothing there.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        read(self.exchange(Method::GET, path, Bytes::new(), ANSWER_TIME_MAX)?)
    }

    /// Sends `body` to `path` and reads the answer; `None` when there is nothing there.
    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<Option<T>, Failure> {
        let body = serde_json::to_vec(body).context("the request is no JSON")?;
        read(self.exchange(Method::POST, path, body.into(), ANSWER_TIME_MAX)?)
    }

    /// Sends a stream to `path` and reads the answer; `None` when there is nothing there.
    pub(crate) fn upload<T: DeserializeOwned>(&self, path: &str, stream: Vec<u8>) -> Result<Option<T>, Failure> {
        read(self.exchange(Method::POST, path, stream.into(), STREAM_TIME_MAX)?)
    }

    /// Fetches the stream at `path`; `None` when there is nothing there.
    pub(crate) fn download(&self, path: &str) -> Result<Option<Bytes>, Failure> {
        self.exchange(Method::GET, path, Bytes::new(), STREAM_TIME_MAX)
    }

    /// Calls `on_line` with each line of the stream at `path` until it says stop or the node ends.
    pub(crate) fn stream(
        &self,
        path: &str,
        mut on_line: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> Result<Outcome, Failure> {
        block_on(async {
            let mut response = self.send(Method::GET, path, Bytes::new()).await?;
            let mut pending = Vec::new();
            while let Some(frame) = response.body_mut().frame().await {
                let Ok(data) = frame.context("the node has gone")?.into_data() else { continue };
                pending.extend_from_slice(&data);
                while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                    on_line(&pending[..end])?;
                    pending.drain(..=end);
                }
            }
            Ok(Outcome::Done)
        })
    }

    fn exchange(&self, method: Method, path: &str, body: Bytes, patience: Duration) -> Result<Option<Bytes>, Failure> {
        block_on(async {
            let answer = async {
                let response = self.send(method, path, body).await?;
                let status = response.status();
                let body = response.into_body().collect().await.context("the node broke off")?.to_bytes();
                Ok::<_, anyhow::Error>((status, body))
            };
            let (status, body) = tokio::time::timeout(patience, answer)
                .await
                .map_err(|_| anyhow!("the node does not answer within {} s", patience.as_secs()))??;
            if status.is_success() {
                return Ok(Some(body));
            }
            match serde_json::from_slice::<Fault>(&body) {
                Ok(Fault { kind: FaultKind::Absent, .. }) => Ok(None),
                Ok(Fault { kind: FaultKind::Bad, message }) => Err(Failure::Usage(format!("ratter: {message}"))),
                Ok(Fault { kind: FaultKind::Refused, message }) => Err(anyhow!(message).into()),
                Err(_) => Err(anyhow!("the node answered {status}").into()),
            }
        })
    }

    #[expect(clippy::disallowed_methods, reason = "the binary may spawn, and this task ends with its connection")]
    async fn send(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<Response<Incoming>> {
        let stream = match UnixStream::connect(&self.socket).await {
            Ok(stream) => stream,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => bail!(
                "no permission for {}: run this as root or as a member of the group that owns it",
                self.socket.display()
            ),
            Err(_) => bail!("no node answers at {}: start one with `ratter run`", self.socket.display()),
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // The connection ends with its only request; what it has to say is told by the request itself.
        drop(tokio::task::spawn(connection));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "ratter")
            .header("content-type", "application/json")
            .body(Full::new(body))?;
        Ok(sender.send_request(request).await?)
    }
}

fn read<T: DeserializeOwned>(body: Option<Bytes>) -> Result<Option<T>, Failure> {
    let value = body.map(|body| serde_json::from_slice(&body)).transpose();
    Ok(value.context("the node's answer is not what was asked for")?)
}

fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("the system gives no event loop")?;
    runtime.block_on(work)
}

/// `text` for use in a query string: everything but unreserved characters escaped (RFC 3986 section 2.3).
pub(crate) fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn subjects_in_a_query_string() {
        assert_eq!(super::escaped("login:a b&c/\u{e4}"), "login%3Aa%20b%26c%2F%C3%A4");
    }
}

use core::time::Duration;

use crate::datasets::Form;

/// Longest head of a request, in bytes.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Most headers of a request.
const HEADERS_MAX: usize = 64;

/// Longest that a request for changes waits for one.
pub const WAIT_MAX: Duration = Duration::from_mins(1);

/// How a body is packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

/// What a client wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Request {
    pub(crate) list: String,
    pub(crate) form: Form,
    /// The changes after this one are wanted, not the whole list.
    pub(crate) since: Option<u64>,
    /// How long to wait for a change.
    pub(crate) wait: Duration,
    pub(crate) key: Option<String>,
    /// What the client has.
    pub(crate) known: Option<String>,
    pub(crate) coding: Coding,
    pub(crate) is_head: bool,
    /// The client takes bodies in chunks, and more requests may follow.
    pub(crate) stays: bool,
    /// The client knows chunks.
    pub(crate) is_1_1: bool,
}

/// What is wrong with a request; after it the connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wrong {
    Malformed(&'static str),
    NotFound,
    Method,
}

impl Request {
    /// Reads a head that is there whole.
    pub(crate) fn parse(head: &[u8]) -> Result<Self, Wrong> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut headers);
        if !matches!(parsed.parse(head), Ok(httparse::Status::Complete(_))) {
            return Err(Wrong::Malformed("no HTTP"));
        }
        let is_head = match parsed.method {
            Some("GET") => false,
            Some("HEAD") => true,
            _ => return Err(Wrong::Method),
        };
        let header = |name: &str| {
            let found = parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.and_then(|header| core::str::from_utf8(header.value).ok()).map(str::trim)
        };
        // A body would be taken for the next request by whoever does not read it.
        if header("transfer-encoding").is_some() || header("content-length").is_some_and(|length| length != "0") {
            return Err(Wrong::Malformed("a request with a body"));
        }
        let is_1_1 = parsed.version == Some(1);
        let (path, query) =
            parsed.path.unwrap_or_default().split_once('?').unwrap_or_else(|| (parsed.path.unwrap_or_default(), ""));
        let list = path.strip_prefix("/feed/").filter(|list| !list.is_empty()).ok_or(Wrong::NotFound)?;
        let mut request = Self {
            list: list.to_owned(),
            form: Form::Plain,
            since: None,
            wait: Duration::ZERO,
            key: header("authorization").and_then(bearer).map(str::to_owned),
            known: header("if-none-match").map(str::to_owned),
            coding: header("accept-encoding").map_or(Coding::Identity, coding),
            is_head,
            stays: is_1_1 && !header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
            is_1_1,
        };
        for (name, value) in
            query.split('&').filter(|pair| !pair.is_empty()).map(|p| p.split_once('=').unwrap_or((p, "")))
        {
            request.take(name, value)?;
        }
        if request.since.is_some() && !matches!(request.form, Form::Plain | Form::Csv | Form::Ndjson) {
            return Err(Wrong::Malformed("changes come as plain, csv or ndjson"));
        }
        Ok(request)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Wrong> {
        match name {
            "format" => self.form = Form::from_name(value).ok_or(Wrong::Malformed("no such format"))?,
            "since" => self.since = Some(value.parse().map_err(|_| Wrong::Malformed("`since` is no serial"))?),
            "wait" => {
                let seconds = value.strip_suffix('s').unwrap_or(value).parse();
                let wait =
                    Duration::from_secs(seconds.map_err(|_| Wrong::Malformed("`wait` is no number of seconds"))?);
                self.wait = wait.min(WAIT_MAX);
            }
            _ => return Err(Wrong::Malformed("an unknown parameter")),
        }
        Ok(())
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// The best coding that the client takes (RFC 9110 section 12.5.3).
fn coding(accepted: &str) -> Coding {
    let takes = |wanted: &str| {
        accepted.split(',').any(|item| {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            let is_none = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
            name.trim().eq_ignore_ascii_case(wanted) && !is_none
        })
    };
    if takes("zstd") {
        Coding::Zstd
    } else if takes("gzip") {
        Coding::Gzip
    } else {
        Coding::Identity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(target: &str, headers: &str) -> Result<Request, Wrong> {
        Request::parse(format!("GET {target} HTTP/1.1\r\n{headers}\r\n").as_bytes())
    }

    #[test]
    fn what_is_asked_for() {
        let request = parse("/feed/auth?format=ndjson&since=7&wait=30s", "Authorization: bearer abc\r\n").unwrap();
        assert_eq!((request.list.as_str(), request.form, request.since), ("auth", Form::Ndjson, Some(7)));
        assert_eq!((request.wait, request.key.as_deref()), (Duration::from_secs(30), Some("abc")));
        assert!(request.stays && !request.is_head);
        assert_eq!(parse("/feed/auth?since=1&wait=9999", "").unwrap().wait, WAIT_MAX);
        assert!(!parse("/feed/auth", "Connection: Close\r\n").unwrap().stays);
    }

    #[test]
    fn what_is_wrong() {
        let cases =
            ["/feed/a?since=x", "/feed/a?wait=1m", "/feed/a?format=zip", "/feed/a?key=k", "/feed/a?since=1&format=rpz"];
        for target in cases {
            assert!(matches!(parse(target, ""), Err(Wrong::Malformed(_))), "{target}");
        }
        assert_eq!(parse("/feed/", ""), Err(Wrong::NotFound));
        assert_eq!(parse("/", ""), Err(Wrong::NotFound));
        assert!(matches!(parse("/feed/a", "Content-Length: 5\r\n"), Err(Wrong::Malformed(_))));
        assert_eq!(Request::parse(b"PUT /feed/a HTTP/1.1\r\n\r\n"), Err(Wrong::Method));
        assert!(matches!(Request::parse(b"GET\r\n\r\n"), Err(Wrong::Malformed(_))));
    }

    #[test]
    fn codings() {
        let cases = [
            ("gzip, deflate, br, zstd", Coding::Zstd),
            ("gzip;q=1.0, zstd;q=0", Coding::Gzip),
            ("GZIP", Coding::Gzip),
            ("br", Coding::Identity),
            ("zstd;q=0, gzip;q=0.0", Coding::Identity),
        ];
        for (accepted, wanted) in cases {
            assert_eq!(coding(accepted), wanted, "{accepted}");
        }
    }
}

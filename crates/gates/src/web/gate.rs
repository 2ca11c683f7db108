use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use base::{Timestamp, Verdict};
use rules::{Door, Stage};
use serde::Deserialize;
use serde_json::{Value, json};

use super::nginx::{self, Asked, Backends, Told};
use super::{OPENAPI, query};
use crate::dovecot::Access;
use crate::http::{Kind, Reply, Request, Service, Status, write_failure};
use crate::line::{self, Malformed, Verb, Word};

crate::counting::counts! {
    /// Requests without the password or header that is asked for.
    Unauthorized = "unauthorized",
    /// Requests for a path that does not exist, or by the wrong method.
    UnknownPath = "unknown_path",
    /// Questions of nginx.
    Nginx = "nginx",
    /// Questions of nginx for a protocol without a server behind it.
    NginxNowhere = "nginx_nowhere",
    /// Passwords that were judged.
    Passwords = "passwords",
    /// Requests about a password that were not understood.
    PasswordsMalformed = "passwords_malformed",
}

/// Judges passwords.
pub trait Passwords: Send + Sync {
    /// What is said of a password, as JSON; none if there is no such profile. `about` are words about its owner.
    fn judge(&self, password: &str, about: &[&str], profile: &str) -> Option<Value>;
}

/// How the gate is set up.
#[derive(Clone, Default)]
pub struct Settings {
    /// Who may ask.
    pub access: Access,
    /// Where nginx goes on; without any there is no `auth_http`.
    pub backends: Backends,
    /// Who judges passwords; none where they would come over a network that others can read.
    pub passwords: Option<Arc<dyn Passwords>>,
}

/// The gate, as an HTTP service.
pub struct Gate {
    settings: Settings,
    lines: line::Gate,
    counters: Counters,
}

/// What there is to ask, with its path and method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Route {
    Check,
    Report,
    Password,
    Nginx,
    OpenApi,
}

impl Route {
    const ALL: [(&'static str, &'static str, Self); 5] = [
        ("/v1/check", "GET", Self::Check),
        ("/v1/report", "POST", Self::Report),
        ("/v1/password", "POST", Self::Password),
        ("/v1/nginx", "GET", Self::Nginx),
        ("/v1/openapi.json", "GET", Self::OpenApi),
    ];
}

impl Service for Gate {
    fn answer(&self, now: Timestamp, request: &Request<'_>, reply: &mut Reply<'_>) {
        if Access::is_of_page(request) {
            return self.fail(reply, Count::Unauthorized, Status::Forbidden, "a browser may not post here");
        }
        if !self.settings.access.admits(request) {
            return self.fail(reply, Count::Unauthorized, Status::Unauthorized, "Unauthorized");
        }
        let known = Route::ALL.iter().find(|(path, ..)| *path == request.path());
        let Some((_, method, route)) = known.filter(|(.., route)| self.has(*route)) else {
            return self.fail(reply, Count::UnknownPath, Status::NotFound, "Not found");
        };
        let is_head = *method == "GET" && request.method() == "HEAD";
        if request.method() != *method && !is_head {
            let status = Status::MethodNotAllowed { allow: method };
            return self.fail(reply, Count::UnknownPath, status, "Method not allowed");
        }
        match route {
            Route::Check => self.check(now, request, reply),
            Route::Report => self.report(now, request, reply),
            Route::Password => self.password(request, reply),
            Route::Nginx => self.nginx(now, request, reply),
            Route::OpenApi => reply.body.extend_from_slice(OPENAPI.as_bytes()),
        }
    }
}

impl Gate {
    /// A gate in front of `door`.
    pub fn new(settings: Settings, door: Arc<dyn Door>) -> Self {
        Self { settings, lines: line::Gate::new(door), counters: Counters::default() }
    }

    /// What was counted so far, besides questions and reports.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What somebody should look at.
    pub fn warning(&self) -> Option<&'static str> {
        (self.counters.get(Count::NginxNowhere) > 0).then_some(
            "nginx asks about logins by a protocol without a server in [gate.http.nginx], and they are refused for now: name its \
             server there (`imap`, `pop3`, `smtp`), or let nginx serve it no more",
        )
    }

    /// Questions and reports, and their answers.
    pub fn asked(&self) -> &line::Counters {
        self.lines.counters()
    }

    fn has(&self, route: Route) -> bool {
        match route {
            Route::Password => self.settings.passwords.is_some(),
            Route::Nginx => !self.settings.backends.is_empty(),
            Route::Check | Route::Report | Route::OpenApi => true,
        }
    }

    fn check(&self, now: Timestamp, request: &Request<'_>, reply: &mut Reply<'_>) {
        match asked(request, Verb::Check) {
            Ok(question) if self.lines.waits(now, &question, reply.waited) => reply.is_later = true,
            Ok(question) => write_answer(request, reply, self.lines.decide(now, &question)),
            Err(malformed) => write_answer(request, reply, self.lines.not_understood(malformed)),
        }
    }

    fn report(&self, now: Timestamp, request: &Request<'_>, reply: &mut Reply<'_>) {
        let verb = match request.query("result") {
            Some("ok") => Ok(Verb::Ok),
            Some("failed") => Ok(Verb::Failed),
            _ => Err(Malformed::Outcome),
        };
        let answer = match verb.and_then(|verb| asked(request, verb)) {
            Ok(report) => self.lines.decide(now, &report),
            Err(malformed) => self.lines.not_understood(malformed),
        };
        write_answer(request, reply, answer);
    }

    fn password(&self, request: &Request<'_>, reply: &mut Reply<'_>) {
        /// What is sent about a password.
        #[derive(Deserialize)]
        struct Body {
            password: String,
            #[serde(default)]
            about: Vec<String>,
            #[serde(default)]
            profile: Option<String>,
        }
        let judged = self.settings.passwords.as_ref().and_then(|passwords| {
            let body: Body = serde_json::from_slice(request.body()).ok()?;
            let about: Vec<_> = body.about.iter().map(String::as_str).collect();
            let profile = body.profile.as_deref().unwrap_or("mail");
            catch_unwind(AssertUnwindSafe(|| passwords.judge(&body.password, &about, profile))).ok().flatten()
        });
        let Some(judged) = judged else {
            let reason = "a JSON object with the text `password` is wanted; `about`, an array of texts, and `profile` (mail, nist) \
                          may be in it";
            return self.fail(reply, Count::PasswordsMalformed, Status::BadRequest, reason);
        };
        self.counters.add(Count::Passwords);
        reply.body.extend_from_slice(judged.to_string().as_bytes());
    }

    fn nginx(&self, now: Timestamp, request: &Request<'_>, reply: &mut Reply<'_>) {
        let asked = Asked::of(request);
        let ask = |stage| self.lines.ask(now, &asked.question(stage)).verdict;
        if self.lines.is_worth_waiting(now, &asked.question(Stage::Before), reply.waited) {
            reply.is_later = true;
            return;
        }
        let verdict: Verdict = ask(Stage::Before);
        let told = nginx::told(&self.settings.backends, &asked, verdict, || ask(Stage::After));
        self.counters.add(Count::Nginx);
        self.lines.count_verdict(verdict);
        if told == Told::Nowhere {
            self.counters.add(Count::NginxNowhere);
        }
        nginx::write(reply, told);
    }

    fn fail(&self, reply: &mut Reply<'_>, count: Count, status: Status, reason: &str) {
        self.counters.add(count);
        reply.status = status;
        write_failure(reply.body, reason);
    }
}

/// A question or report in the query of the target.
fn asked<'a>(request: &Request<'a>, verb: Verb) -> Result<line::Request<'a>, Malformed> {
    if line::NAMES.iter().any(|name| request.repeats(name)) {
        return Err(Malformed::Repeated);
    }
    let value = |name| match request.query(name) {
        None | Some("") => Ok(None),
        Some(value) => query::decode(value).map(Some).ok_or(Malformed::Escape),
    };
    let told = value("address")?;
    let address = told.as_deref().and_then(|text| text.parse().ok());
    let (login, service, session) = (value("login")?, value("service")?, value("session")?);
    // A bad address hides no login.
    if address.is_none() && login.is_none() {
        return Err(if told.is_some() { Malformed::Address } else { Malformed::Nobody });
    }
    let stage = line::stage(request.query("stage"));
    Ok(line::Request { verb, address, login, service, session, stage })
}

fn write_answer(request: &Request<'_>, reply: &mut Reply<'_>, answer: line::Answer) {
    let line::Answer { status, word, reason } = answer;
    let (verdict, reason) = match word {
        Word::Pass => ("pass", reason.to_owned()),
        Word::Tarpit => ("tarpit", reason.to_owned()),
        Word::Refuse => ("refuse", reason.to_owned()),
        Word::Defer => ("defer", reason.to_owned()),
        Word::Error(malformed) => {
            reply.status = Status::BadRequest;
            ("error", malformed.to_string())
        }
    };
    let accepts_text = || request.header("accept").is_some_and(|accept| accept.trim_ascii().starts_with(b"text/plain"));
    let is_text = match request.query("format") {
        Some("text") => true,
        Some("json") => false,
        _ => accepts_text(),
    };
    if is_text {
        reply.kind = Kind::Text;
        reply.body.extend_from_slice(status.to_string().as_bytes());
    } else {
        let answer = json!({"status": status, "verdict": verdict, "reason": reason});
        reply.body.extend_from_slice(answer.to_string().as_bytes());
    }
}

#[cfg(test)]
mod tests;

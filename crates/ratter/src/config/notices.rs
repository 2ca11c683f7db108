//! `[[action.mail]]`, `[[action.webhook]]`, `[[action.command]]`: who is told of what was decided.

use core::ops::RangeInclusive;
use core::time::Duration;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ::actions::io::{Client, Command, Form as MailForm, HookForm, Mailing, PLACEHOLDERS, Via, Webhook};
use ::actions::notice::{Interest, LetterPace, Owners, Preset, Reporter, Sender, Stopped, Target};
use base::{ListId, ListSet};

use super::actions::any_list;
use super::diagnose::Fault;
use super::dovecot::secret_file;
use super::forms::{Form, Mismatch, domain, duration, mail_address, name, number, socket, text, word};
use super::lists::Lists;
use super::reader::Section;

/// The program that every mail server brings along.
const SENDMAIL: &str = "/usr/sbin/sendmail";

/// How long what follows the first letter is gathered, if nobody says.
const DIGEST: Duration = Duration::from_hours(1);

/// A digest more often than each minute is none, and one less often than each week is read by nobody.
const DIGESTS: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(7 * 24);

/// Letters an hour, if nobody says.
const HOURLY: usize = 20;

/// Most letters an hour.
const HOURLY_MAX: u64 = 1000;

/// Most people that one mail goes to.
const TO_MAX: usize = 20;

/// How long a program may take, if nobody says.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);

/// How long it may take at most: the notices behind it wait.
const COMMAND_LIMITS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(5);

/// Most arguments of a program.
const ARGUMENTS_MAX: usize = 32;

/// Longest argument, and longest name of an organisation, in bytes.
const TEXT_BYTES_MAX: usize = 1000;

/// Mails that are written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mail {
    /// Its name in `ratter status` and in metrics.
    pub name: String,
    /// What is mailed, by whom and to whom.
    pub mailing: Mailing,
}

/// A web address that is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hook {
    /// Its name in `ratter status` and in metrics.
    pub name: String,
    /// What it is told.
    pub interest: Interest,
    /// How.
    pub webhook: Webhook,
    /// The certificates that are trusted in the place of the system's.
    pub ca_file: Option<PathBuf>,
}

impl Hook {
    /// What posts to it.
    ///
    /// # Errors
    /// There is no certificate to trust.
    pub fn client(&self) -> Result<Client, String> {
        if self.webhook.target.is_tls { Client::trusting(self.ca_file.as_deref()) } else { Ok(Client::plain()) }
    }
}

/// A program that is run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hooked {
    /// Its name in `ratter status` and in metrics.
    pub name: String,
    /// What it is told.
    pub interest: Interest,
    /// The program.
    pub command: Command,
}

/// What notices say of this node.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    /// Its name.
    pub(super) node: &'a str,
    /// Which rules count attempts to log in, by their id.
    pub(super) login_rules: &'a [bool],
    /// What rules stop for what a login sent, by their id.
    pub(super) sender_rules: &'a [Option<Stopped>],
}

impl About<'_> {
    fn reporter(&self, org: Option<String>, contact: &str) -> Reporter {
        let node = self.node.to_owned();
        let org = org.unwrap_or_else(|| node.clone());
        Reporter { node, org, contact: contact.to_owned(), login_rules: self.login_rules.to_vec() }
    }
}

/// What a mail or a body is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Notice(Preset),
    Owner,
    Arf,
    Xarf,
}

/// Of what is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Matter {
    Login,
    Permanent,
    Address,
}

pub(super) fn mail(section: &Section<'_>, lists: &Lists, about: About<'_>) -> Option<Mail> {
    let name = section.required("name", &name());
    let from = section.optional("from", &mail_address());
    let sendmail = section.optional("sendmail", &section.desk.path(SENDMAIL));
    let smtp = section.optional("smtp", &socket());
    let notice = Kind::Notice(Preset::Generic);
    let kinds = [("notice", notice), ("owner", Kind::Owner), ("arf", Kind::Arf), ("xarf", Kind::Xarf)];
    let kind = section.optional("form", &word(kinds)).unwrap_or(notice);
    let (to, domains) = recipients(section, kind);
    let org = organisation(section, kind);
    let digest = section.optional("digest", &duration(DIGESTS));
    let hourly = section.optional("hourly", &number(2..=HOURLY_MAX));
    let interest = interest(section, lists, kind);
    if sendmail.is_some() && smtp.is_some() {
        let fault = section.wrong("smtp", "a mail leaves by one way").label("the other is `sendmail`");
        section.desk.report(fault.hint("keep one of them".to_owned()));
    }
    let from = from.unwrap_or_else(|| format!("ratter@{}", about.node));
    let form = match kind {
        Kind::Notice(_) => MailForm::Notice,
        Kind::Owner => MailForm::Owner(Owners { domains, rules: about.sender_rules.to_vec() }),
        Kind::Arf => MailForm::Arf(about.reporter(org, &from)),
        Kind::Xarf => MailForm::Xarf(about.reporter(org, &from)),
    };
    let via = smtp.map_or_else(|| Via::Sendmail(sendmail.unwrap_or_else(|| SENDMAIL.into())), Via::Smtp);
    let pace = LetterPace {
        digest: digest.unwrap_or(DIGEST),
        hourly_max: hourly.unwrap_or(HOURLY),
        has_digests: form == MailForm::Notice,
    };
    let sender = Sender { node: about.node.to_owned(), from, to };
    Some(Mail { name: name?, mailing: Mailing { interest, pace, form, sender, via } })
}

/// To whom mail goes: to those that are named, or to the owners of logins in the domains that are.
fn recipients(section: &Section<'_>, kind: Kind) -> (Vec<String>, Vec<String>) {
    let useless = |key, label: &str| {
        if section.has(key) {
            let fault = Fault::error(section.key_place(key), format!("`{key}` has no effect"));
            section.desk.report(fault.label(label));
        }
    };
    if kind == Kind::Owner {
        let domains = section.required_each("domains", &domain()).into_iter();
        let domains = domains.map(|domain| domain.value.to_ascii_lowercase()).collect();
        drop(section.optional_each("to", &mail_address()));
        useless("to", "owners are written to, and nobody else");
        return (Vec::new(), domains);
    }
    let to: Vec<String> = section.required_each("to", &mail_address()).into_iter().map(|to| to.value).collect();
    drop(section.optional_each("domains", &domain()));
    useless("domains", "only owners are told apart by domain");
    if to.len() > TO_MAX {
        let fault = section.wrong("to", format!("more than {TO_MAX} people"));
        section.desk.report(fault.hint("write to a list".to_owned()));
    }
    (to, Vec::new())
}

pub(super) fn webhook(section: &Section<'_>, lists: &Lists, about: About<'_>) -> Option<Hook> {
    let name = section.required("name", &name());
    let target = section.required("url", &target());
    let presets = Preset::NAMES.map(|(name, preset)| (name, Kind::Notice(preset)));
    let kinds = presets.into_iter().chain([("xarf", Kind::Xarf)]);
    let kind = section.optional("form", &word(kinds)).unwrap_or(Kind::Notice(Preset::Generic));
    let org = organisation(section, kind);
    let contact = section.optional("contact", &mail_address());
    let secret = secret_file(section, "secret-file");
    let token = secret_file(section, "token-file");
    let ca_file = section.optional("ca-file", &section.desk.path("/etc/ratter/ca.pem"));
    let interest = interest(section, lists, kind);
    let contact = contact.unwrap_or_else(|| format!("abuse@{}", about.node));
    let form = match kind {
        Kind::Notice(preset) => HookForm::Notice(preset),
        Kind::Owner | Kind::Arf | Kind::Xarf => HookForm::Xarf(about.reporter(org, &contact)),
    };
    let exposed = |secret: Option<super::Secret>| secret.map(|secret| secret.expose().to_owned());
    let (secret, token) = (exposed(secret), exposed(token));
    let webhook = Webhook { target: target?, form, node: about.node.to_owned(), secret, token };
    let hook = Hook { name: name?, interest, webhook, ca_file };
    if let Err(why) = hook.client() {
        let key = if section.has("ca-file") { "ca-file" } else { "url" };
        section.desk.report(section.wrong(key, "no certificate of the server could be trusted").label(why));
    }
    Some(hook)
}

pub(super) fn command(section: &Section<'_>, lists: &Lists) -> Option<Hooked> {
    let name = section.required("name", &name());
    let run = section.required_each("run", &argument());
    let limit = section.optional("limit", &duration(COMMAND_LIMITS));
    let interest = interest(section, lists, Kind::Notice(Preset::Generic));
    let mut words = run.into_iter().map(|word| word.value);
    let path = PathBuf::from(words.next()?);
    if !path.is_absolute() {
        let fault = section.wrong("run", "a program is named by its whole path").label("the first of these");
        section.desk.report(fault.hint("no shell looks for it; write `/usr/bin/logger`".to_owned()));
    }
    let is_there = match section.desk.probe.can_follow(&path) {
        Ok(is_there) => is_there,
        Err(error) => error.kind() != ErrorKind::NotFound,
    };
    if path.is_absolute() && !is_there {
        let fault = Fault::warning(section.place("run"), format!("there is no program `{}`", path.display()));
        section.desk.report(fault.label("the first of these"));
    }
    let arguments: Vec<String> = words.collect();
    if is_code(&path, &arguments) {
        let fault =
            section.wrong("run", "what strangers write would be run as commands").label("a placeholder in code");
        let hint = "let it stand as an argument of its own: `run = [\"/bin/sh\", \"-c\", \"echo \\\"$1\\\"\", \"sh\", \"{subject}\"]`";
        section.desk.report(fault.hint(hint.to_owned()));
    }
    if arguments.len() > ARGUMENTS_MAX {
        section.desk.report(section.wrong("run", format!("more than {ARGUMENTS_MAX} arguments")));
    }
    let limit = limit.unwrap_or(COMMAND_LIMIT);
    Some(Hooked { name: name?, interest, command: Command { path, arguments, limit } })
}

/// Programs that take code as an argument; with versions behind their names.
const INTERPRETERS: [&str; 14] =
    ["ash", "bash", "busybox", "dash", "env", "fish", "ksh", "lua", "node", "perl", "php", "python", "ruby", "sh"];

/// Whether a placeholder stands in code that an interpreter runs: a login may hold what ends a word there.
fn is_code(path: &Path, arguments: &[String]) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let takes_code = |option: &str| {
        let letters = option.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
        letters.is_some_and(|letters| letters.ends_with(['c', 'e', 'E', 'r']))
    };
    let has_placeholder = |word: &str| PLACEHOLDERS.iter().any(|placeholder| word.contains(placeholder));
    INTERPRETERS.contains(&name)
        && arguments
            .windows(2)
            .any(|pair| matches!(pair, [option, code] if takes_code(option) && has_placeholder(code)))
}

/// Of what is told: of logins and of what has no end, if nobody says.
fn interest(section: &Section<'_>, lists: &Lists, kind: Kind) -> Interest {
    let matters = [("login", Matter::Login), ("permanent", Matter::Permanent), ("address", Matter::Address)];
    let on = section.optional_each("on", &word(matters));
    let chosen = section.optional_each("lists", &any_list(lists));
    let chosen: Option<ListSet> = chosen.map(|lists| lists.into_iter().map(|list| list.value).collect());
    let lists = chosen.unwrap_or(ListSet::EMPTY.with(ListId::BLOCKED));
    if let Kind::Arf | Kind::Xarf = kind {
        if section.has("on") {
            let fault = section.wrong("on", "reports are about addresses, and nothing else");
            section.desk.report(fault.label("not with this `form`"));
        }
        return Interest { lists, logins: false, endless: false, addresses: true };
    }
    let wants =
        |matter| on.as_ref().map_or(matter != Matter::Address, |on| on.iter().any(|placed| placed.value == matter));
    if kind == Kind::Owner {
        if section.has("on") {
            let fault = section.wrong("on", "owners are told of their logins, and of nothing else");
            section.desk.report(fault.label("not with this `form`"));
        }
        return Interest { lists, logins: true, endless: false, addresses: false };
    }
    let (logins, endless, addresses) = (wants(Matter::Login), wants(Matter::Permanent), wants(Matter::Address));
    Interest { lists, logins, endless, addresses }
}

fn organisation(section: &Section<'_>, kind: Kind) -> Option<String> {
    let org = section.optional("org", &text("the name of an organisation", TEXT_BYTES_MAX));
    if org.is_some() && matches!(kind, Kind::Notice(_) | Kind::Owner) {
        let fault = section.wrong("org", "`org` has no effect").label("only reports name an organisation");
        section.desk.report(fault.hint("it goes with `form = \"xarf\"`".to_owned()));
    }
    org
}

fn target() -> Form<'static, Target> {
    Form::of_text("a web address, such as `https://hooks.example.org/ratter`", |text| {
        text.parse::<Target>().map_err(|error| Mismatch::new(error.to_string()))
    })
}

/// An argument of a program, in which braces stand around known words only.
fn argument() -> Form<'static, String> {
    Form::of_text("a path or an argument, such as `{subject}`", |text| {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Mismatch::new(format!("{} bytes long, {TEXT_BYTES_MAX} are allowed", text.len())));
        }
        if text.chars().any(char::is_control) {
            return Err(Mismatch::new("has control characters in it"));
        }
        super::forms::template(text, &PLACEHOLDERS)
    })
}

//! The configuration: one TOML file, read into plain data, or all that is wrong with it at once.
//!
//! ```text
//! text ──syntax──> TOML tree ──reader, forms──> one file for each section ──> Config
//!                                   │                     │                     │
//!                                   └────── faults ───────┴─────────────────────┴──> diagnose: file, line, caret, hint
//! ```
//!
//! Defaults stand in `default.toml`, which is also what runs when there is no file; they are read by the same code. Every
//! key is documented in `docs/configuration.md`, and a test compares the two.

mod accounts;
mod actions;
mod ask;
mod asking;
mod console;
mod diagnose;
mod dnsbl;
mod dovecot;
mod exports;
mod feed;
mod find;
mod forms;
mod gates;
mod http;
mod kernel;
mod limits;
mod listeners;
mod lists;
mod login;
mod maps;
mod node;
mod notices;
mod patterns;
mod probe;
mod publish;
mod reader;
mod removal;
mod reports;
mod resolver;
mod rules;
mod saslauthd;
mod sending;
mod sensors;
mod syntax;
mod units;
mod words;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ::rules::Rule;
use ::rules::limits::Limit;
use ::sensors::patterns::Pattern;
use toml::de::DeTable;

pub use self::accounts::Accounts;
pub use self::actions::{Actions, MapFile};
pub use self::ask::{AskEffect, AskPolicy, AskedList, AskingGate, asked_by};
pub use self::console::Console;
pub use self::diagnose::{Fault, Faults, Severity};
pub use self::dnsbl::{Combined, CookieSecrets, Dnsbl, NameServer, StaticZone, Statics, TlsListener};
pub(crate) use self::dnsbl::{SHRINK_DEFAULT, unread};
pub use self::dovecot::{DovecotGate, Secret};
pub use self::exports::ExportFile;
pub use self::feed::Feed;
pub use self::find::{Ports, Source, control_socket, find, parse_duration, reports_listener};
pub use self::gates::{Fail, Gates, LineGate, MailGate};
pub use self::http::HttpGate;
pub use self::limits::Limits;
pub use self::listeners::Listening;
pub(crate) use self::listeners::{is_public, reason};
pub use self::lists::List;
pub use self::login::LoginGuard;
pub use self::maps::MapGate;
pub use self::node::{LogFormat, Node};
pub(crate) use self::node::{WITHOUT_COUNTRIES, WITHOUT_SYSTEMS, unreadable};
pub use self::notices::{Hook, Hooked, Mail};
pub use self::probe::{Machine, Probe, Transport, Tries};
pub use self::publish::Publish;
pub use self::removal::{KEPT, Removal};
pub use self::reports::Reports;
pub use self::resolver::Resolver;
pub(crate) use self::sensors::missing;
pub use self::sensors::{FileSensor, Journal, RspamdSensor, Start, Syslog};
pub use self::units::show as show_duration;

use self::forms::boolean;
use self::lists::Lists;
use self::notices::About;
use self::reader::{Desk, Section};
use self::rules::Shipped;

/// The configuration that is in force without a file, and the defaults of those that are in one.
pub const DEFAULT: &str = include_str!("default.toml");

/// Longest configuration file, in bytes.
const FILE_BYTES_MAX: usize = 1024 * 1024;

/// A whole configuration, valid in itself and on this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// This server.
    pub node: Node,
    /// How logins are guarded.
    pub login: LoginGuard,
    /// What bounds memory and disk.
    pub limits: Limits,
    /// How reverse names are asked for.
    pub resolver: Resolver,
    /// The log files that are followed.
    pub sensors: Vec<FileSensor>,
    /// The systemd journals that are followed.
    pub journals: Vec<Journal>,
    /// The listeners for syslog messages.
    pub syslogs: Vec<Syslog>,
    /// Where rspamd's exports are taken, if they are.
    pub rspamd: Option<RspamdSensor>,
    /// The operator's own formats of log lines, in the order in which they are tried.
    pub patterns: Vec<Pattern>,
    /// The listener for reports of others, if it is wanted.
    pub reports: Option<Reports>,
    /// Other people's lists; the place of one is that of [`::dnsbl::ask::Lists`].
    pub asks: Vec<AskedList>,
    /// The protocols by which mail servers ask.
    pub gates: Gates,
    /// The rules; the place of one is its [`base::RuleId`].
    pub rules: Vec<Rule>,
    /// The lists; the place of one is its [`base::ListId`], and the first is always `blocked`.
    pub lists: Vec<List>,
    /// How much may be sent; the place of a limit is its [`::rules::limits::LimitId`].
    pub sending: Vec<Limit>,
    /// What is done about accounts that seem to be stolen.
    pub accounts: Accounts,
    /// The DNS zone, if lists are published.
    pub dnsbl: Option<Dnsbl>,
    /// The listener for subscribers to lists, if it is wanted.
    pub feed: Option<Feed>,
    /// How much published lists may change before a person looks.
    pub publish: Publish,
    /// The page on which people take themselves off, if it is wanted.
    pub removal: Option<Removal>,
    /// What is done outside when the book changes.
    pub actions: Actions,
    /// The console, if it is wanted.
    pub console: Option<Console>,
    /// Everywhere that it listens.
    pub listening: Vec<Listening>,
    /// What somebody should look at, though it keeps nothing from running.
    pub warnings: Faults,
}

impl Config {
    /// How many gates and other listeners may each hold as many connections as `[limits]` says.
    pub fn listeners(&self) -> usize {
        listeners(&self.gates, self.reports.as_ref(), self.rspamd.as_ref())
    }
}

fn listeners(gates: &Gates, reports: Option<&Reports>, rspamd: Option<&RspamdSensor>) -> usize {
    gates.places().len() + usize::from(reports.is_some()) + usize::from(rspamd.is_some())
}

/// Reads the file at `path`.
pub fn load_file(path: &Path, probe: &dyn Probe) -> Result<Config, Faults> {
    let refused = |text: String, fault: Fault| Err(Faults::new(path.display().to_string(), text, vec![fault]));
    let bytes = match probe.read(path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) => {
            let fault = Fault::error(0..0, "the configuration file cannot be read").label(reason(&error));
            let hint = (error.kind() == io::ErrorKind::NotFound)
                .then(|| "without `--config`, Ratter runs with a built-in configuration".to_owned());
            return refused(String::new(), fault.hint(hint));
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => load(Some(path), &text, probe),
        Err(error) => {
            let start = error.utf8_error().valid_up_to();
            // What comes before the odd byte is unchanged, so that its place is right in the lossy text too.
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let fault = Fault::error(start..start + char::REPLACEMENT_CHARACTER.len_utf8(), "not UTF-8");
            refused(text, fault.label("not a character of UTF-8").hint("save the file as UTF-8".to_owned()))
        }
    }
}

/// Reads `text`, which is that of the file at `path`; without a path it has the name of the built-in configuration, and
/// relative paths in it start at the current folder.
pub fn load(path: Option<&Path>, text: &str, probe: &dyn Probe) -> Result<Config, Faults> {
    let (config, faults, _) = read(path, text, probe);
    let file = path.map_or_else(|| "default.toml (built in)".to_owned(), |path| path.display().to_string());
    let faults = Faults::new(file, text.to_owned(), faults);
    match config {
        Some(config) if faults.errors() == 0 => Ok(Config { warnings: faults, ..config }),
        _ => Err(faults),
    }
}

/// Sections of which `default.toml` has none, with what is required in them.
const OTHER_SECTIONS: &str = "[[login.alias]]\n[[sensor.journal]]\n[[sensor.syslog]]\n[sensor.rspamd]\n[[pattern]]\n[[ask]]\ncodes = [{}]\n\
     [gate.http.ask]\n[gate.http.nginx]\n[gate.line.ask]\n[gate.map.ask]\n[gate.postfix.ask]\n[gate.milter.ask]\n[gate.saslauthd]\n\
     [gate.dovecot.ask]\n[[action.export]]\n[[action.map]]\n[[action.mail]]\n[[action.webhook]]\n[[action.command]]\n[action.nft]\n\
     [reports]\n[[reporter]]\n[dnsbl.access]\n[[dnsbl.zone]]\n[[dnsbl.transfer.allow]]\n[[dnsbl.transfer.notify]]\n[dnsbl.static]\n\
     [dnsbl.tls]\n[[dnsbl.mirror]]\n[feed]\n[removal]\n";

/// Every key there is, such as `rule.distinct.of`, with its default as `default.toml` writes it.
pub fn keys() -> BTreeMap<String, Option<&'static str>> {
    let (_, _, keys) = read(None, DEFAULT, &Machine { tries: Tries::Nothing });
    let (_, _, others) = read(None, OTHER_SECTIONS, &Machine { tries: Tries::Nothing });
    let default = |(key, place): (String, Option<_>)| (key, place.map(|place| &DEFAULT[place]));
    others.into_iter().chain(keys).map(default).collect()
}

type Keys = BTreeMap<String, Option<core::ops::Range<usize>>>;

fn read(path: Option<&Path>, text: &str, probe: &dyn Probe) -> (Option<Config>, Vec<Fault>, Keys) {
    if text.len() > FILE_BYTES_MAX {
        let fault = Fault::error(0..0, format!("the configuration is longer than {FILE_BYTES_MAX} bytes"));
        return (None, vec![fault], Keys::new());
    }
    let folder = path.and_then(Path::parent).map(PathBuf::from).unwrap_or_default();
    let (tree, errors) = DeTable::parse_recoverable(text);
    let syntax = syntax::read(text, errors);
    if !syntax.tree_holds {
        return (None, syntax.faults, Keys::new());
    }
    let defaults = DeTable::parse(DEFAULT).expect("default.toml is valid, or no test would pass").into_inner();
    let desk = Desk::new(probe, &folder);
    let config = Section::root(&desk, tree.get_ref(), Some(&defaults)).read(|file| {
        let config = read_file(file, &defaults);
        // The built-in configuration shows what there is.
        if let (Some(_), Some(config)) = (path, &config) {
            sending::check(file, config);
        }
        config
    });
    let keys = desk.keys();
    let mut faults = desk.finish();
    // What a value without quotes would have been wrong with beside that is not worth a second fault on its line.
    let line_of = |fault: &Fault| text.get(..fault.place.start).map_or(0, |before| before.matches('\n').count());
    let broken: Vec<_> = syntax.faults.iter().map(line_of).collect();
    faults.retain(|fault| !broken.contains(&line_of(fault)));
    faults.extend(syntax.faults);
    (config, faults, keys)
}

fn read_file(file: &Section<'_>, defaults: &DeTable<'_>) -> Option<Config> {
    let node = file.always("node", node::read);
    let login = file.always("login", login::read);
    let resolver = file.always("resolver", resolver::read);
    let publish = file.always("publish", publish::read);
    let accounts = file.always("accounts", accounts::read);
    let state = node.as_ref().map(|node| node.state.as_path());
    let sensors = file.part("sensor", |section| Some(sensors::read(section, state))).unwrap_or_default();
    let patterns = patterns::read(file);
    let reports = reports::read(file);
    let asks = ask::read(file);
    let wants_shipped = file.always("rules", |section| section.setting("shipped", &boolean()));
    let (lists, rules) = read_rules(file, defaults, wants_shipped == Some(true));
    let gates = file.part("gate", |section| Some(gates::read(section, &lists))).unwrap_or_default();
    asking::check(file, &asks);
    let listeners = listeners(&gates, reports.as_ref(), sensors.rspamd.as_ref());
    let limits = file.always("limits", |section| limits::read(section, listeners));
    let sending = read_sending(file, defaults);
    let name = node.as_ref().map(|node| node.name.as_str());
    let dnsbl = file.part("dnsbl", |section| dnsbl::read(section, name, &lists));
    let feed = file.part("feed", feed::read);
    feed::check(file);
    let removal = file.part("removal", removal::read);
    let published: Vec<&str> = lists.published().collect();
    removal::check(file, removal.as_ref(), &published);
    let login_rules: Vec<bool> = rules.iter().map(|rule| rules::is_about_logins(rule.on)).collect();
    let sender_rules = rules::stopped_senders(&rules);
    let about = About { node: name.unwrap_or("localhost"), login_rules: &login_rules, sender_rules: &sender_rules };
    let has_console = file.has("console");
    let statics = dnsbl.as_ref().and_then(|dnsbl| dnsbl.statics.as_ref());
    let actions = file.part("action", |section| Some(actions::read(section, &lists, has_console, about, statics)));
    let console = file.part("console", console::read);
    Some(Config {
        node: node?,
        login: login?,
        limits: limits?,
        resolver: resolver?,
        sensors: sensors.files,
        journals: sensors.journals,
        syslogs: sensors.syslogs,
        rspamd: sensors.rspamd,
        patterns,
        reports,
        asks,
        gates,
        rules,
        sending,
        accounts: accounts?,
        lists: lists.into_lists(),
        dnsbl,
        feed,
        publish: publish?,
        removal,
        actions: actions.unwrap_or_default(),
        console,
        listening: file.desk.listening(),
        warnings: Faults::new(String::new(), String::new(), Vec::new()),
    })
}

/// The limits of the file; the shipped ones if it has none.
fn read_sending(file: &Section<'_>, defaults: &DeTable<'_>) -> Vec<Limit> {
    let given = sending::read(file);
    if file.has("limit") {
        return given;
    }
    let desk = Desk::new(file.desk.probe, Path::new(""));
    sending::read(&Section::root(&desk, defaults, None))
}

/// The lists and rules of the file, with the shipped ones as far as they are wanted.
fn read_rules(file: &Section<'_>, defaults: &DeTable<'_>, wants_shipped: bool) -> (Lists, Vec<Rule>) {
    let desk = Desk::new(file.desk.probe, Path::new(""));
    let pack = Section::root(&desk, defaults, None);
    let shipped_lists = Lists::read(&pack);
    let shipped_rules = rules::read(&pack, &shipped_lists, Shipped { rules: &[], lists: &shipped_lists });
    let shipped = Shipped { rules: if wants_shipped { &shipped_rules } else { &[] }, lists: &shipped_lists };
    let given = Lists::read(file);
    if file.has("list") {
        let rules = rules::read(file, &given, shipped);
        (given, rules)
    } else {
        let rules = rules::read(file, &shipped_lists, shipped);
        (shipped_lists, rules)
    }
}

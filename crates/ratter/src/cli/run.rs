use std::convert::Infallible;
use std::io::{self, IsTerminal as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::Context;
use gates::io::HandedOver;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use super::{Failure, Outcome, show};
use crate::config::{Config, Listening, Source};
use crate::{config, hangup, logging, memory, node};

/// Open files besides the gates' connections: DNS by TCP, console, logs and store.
const FILES_BESIDE_GATES: u64 = 1024;

/// The variables of the environment in which a process tells the one that takes its place of the sockets that it leaves open:
/// those at which it listens, and those of clients.
const SOCKETS: &str = "RATTER_SOCKETS";
const CLIENTS: &str = "RATTER_CLIENTS";

/// Why a node has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It was told to.
    Stop,
    /// It is to be started with the configuration as it is now.
    Anew,
}

/// `ratter run`: a node in the foreground, until a signal ends it.
pub(crate) fn run(path: Option<&Path>) -> Result<Outcome, Failure> {
    memory::use_one_arena();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("the system gives no event loop")?;
    // Before anything else, because a reload that comes during the start would end the node, and counts when it is done.
    let hung_up = runtime.block_on(async { signal(SignalKind::hangup()) }).context("signals cannot be awaited")?;
    let held = inherited();
    let ports = if held.is_empty() { config::Ports::Tried } else { config::Ports::TriedBeside(&held) };
    let (mut config, source) = config::find(path, ports).map_err(Failure::Usage)?;
    logging::start(config.node.log);
    fit_open_files(&mut config);
    for warning in config.warnings.iter() {
        warn!("{}: {}", warning.title, warning.label);
    }
    let mut running = node::start(&config)?;
    gates::io::close_inherited();
    show::line(&welcome(&config, &source))?;
    let result = runtime.block_on(serve(path, &config, &running, hung_up));
    // Streams to watchers would otherwise keep the runtime waiting.
    runtime.shutdown_background();
    let end = result?;
    // Without the sockets clients are refused until the new process listens.
    let handed_over = if end == End::Anew { running.hand_over().unwrap_or_default() } else { HandedOver::default() };
    drop(running);
    info!("stopped");
    match end {
        End::Stop => Ok(Outcome::Done),
        End::Anew => start_anew(&handed_over).map(|never| match never {}).map_err(Failure::Other),
    }
}

/// Where the sockets listen that the process before has handed over.
#[expect(clippy::disallowed_methods, reason = "one process tells the next there; it is no setting")]
fn inherited() -> Vec<Listening> {
    let [sockets, clients] = [SOCKETS, CLIENTS].map(|name| std::env::var(name).unwrap_or_default());
    let places = gates::io::inherit(&sockets, &clients).into_iter();
    places.map(|place| Listening { place, transport: config::Transport::Tcp }).collect()
}

/// Takes the place of this process with a new one that has the same arguments. All is written by then, as after any end, so
/// that nothing of the old configuration can be left. DNS is away for as long as a start takes; clients of gates wait for it at
/// sockets that stay open, also those who are connected.
fn start_anew(handed_over: &HandedOver) -> anyhow::Result<Infallible> {
    let mut arguments = std::env::args_os();
    let program = arguments.next().context("the program has no name")?;
    info!(connections = handed_over.clients(), "starting anew");
    // Without them those who are connected come again.
    let clients = handed_over.clients_named().unwrap_or_default();
    hangup::ignore();
    let told = [(SOCKETS, handed_over.sockets_named()), (CLIENTS, clients)];
    let failure = Command::new(program).args(arguments).envs(told).exec();
    Err(failure).context("the node cannot be started anew")
}

/// Takes as many open files as the system allows: the usual soft limit of 1024 is for programs that use `select`. Where even so
/// there are too few, gates hold fewer connections, so that the console and the store keep theirs.
fn fit_open_files(config: &mut Config) {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        warn!(%error, "the limit of open files cannot be raised");
    }
    let (Some(maximum), listeners @ 1..) = (limit.maximum, config.listeners() as u64) else { return };
    let most = (maximum - FILES_BESIDE_GATES.min(maximum / 2)) / listeners;
    if most < config.limits.connections as u64 {
        warn!(maximum, "the system allows too few open files for [limits] connections; each gate holds at most {most}");
        config.limits.connections = most as usize;
    }
}

/// Waits for SIGHUP. A configuration with a fault is told of, and the node goes on as it is; without one it is started anew.
/// In a terminal the signal says that the terminal was closed.
async fn hung_up(path: Option<&Path>, config: &Config, mut hangup: Signal) -> End {
    let is_terminal = io::stdin().is_terminal();
    loop {
        hangup.recv().await;
        if is_terminal {
            return End::Stop;
        }
        // What cannot be had is found out while the node still has what it holds.
        let found = config::find(path, config::Ports::TriedBeside(&config.listening));
        let judged = found.and_then(|(found, _)| judge(&found, config));
        match judged {
            Ok(()) => return End::Anew,
            Err(faults) => error!("the configuration has a fault, and the node goes on with the one it has:\n{faults}"),
        }
    }
}

/// What keeps a configuration from being taken by the node that runs with another one.
fn judge(found: &Config, running: &Config) -> Result<(), String> {
    node::judge_dnsbl(found).map_err(|fault| format!("{fault:#}"))?;
    let places = node::judge_places(found, Some(running));
    if places.errors() > 0 {
        return Err(places.to_string());
    }
    if !places.is_empty() {
        warn!("somebody's files stand where others shall be written:\n{places}");
    }
    Ok(())
}

/// Serves the control socket, the metrics and the page for removals until a signal comes.
async fn serve(path: Option<&Path>, config: &Config, running: &node::Running, hangup: Signal) -> anyhow::Result<End> {
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be awaited")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be awaited")?;
    let control = console::io::serve_control(
        &config.node.control,
        Arc::clone(&running.node) as Arc<dyn console::Node>,
        running.happenings.clone(),
    );
    let metrics = async {
        match &config.console {
            None => std::future::pending().await,
            Some(console) => {
                let node = Arc::clone(&running.node) as Arc<dyn console::Node>;
                console::io::serve_metrics(console.listen, node).await
            }
        }
    };
    let removal = async {
        match (&config.removal, node::RemovalDesk::new(config, &running.node)) {
            (Some(settings), Some(desk)) => console::io::serve_removal(settings.listen, desk).await,
            (_, _) => std::future::pending().await,
        }
    };
    tokio::pin!(metrics, removal);
    tokio::select! {
        _ = terminate.recv() => info!(signal = "SIGTERM", "stopping"),
        _ = interrupt.recv() => info!(signal = "SIGINT", "stopping"),
        end = hung_up(path, config, hangup) => {
            info!(signal = "SIGHUP", is_started_anew = end == End::Anew, "stopping");
            return Ok(end);
        }
        ended = control => {
            ended?;
        }
        ended = &mut metrics => {
            error!("metrics are not served any more");
            ended.context("metrics cannot be served")?;
        }
        ended = &mut removal => {
            error!("the page for removals is not served any more");
            ended.context("the page for removals cannot be served")?;
        }
    }
    Ok(End::Stop)
}

/// What listens where, and, for a newcomer, what to try.
fn welcome(config: &Config, source: &Source) -> String {
    let mut lines = vec![format!("Ratter {} on {}, {source}", env!("CARGO_PKG_VERSION"), config.node.name)];
    lines.push(format!("  state      {}", config.node.state.display()));
    lines.push(format!("  control    {}", config.node.control.display()));
    lines.extend(config.sensors.iter().map(|sensor| format!("  reads      {}", sensor.path.display())));
    lines.extend(config.journals.iter().map(|journal| format!("  reads      {}", journal.path())));
    for syslog in &config.syslogs {
        let listen = [syslog.udp.map(|udp| format!("udp {udp}")), syslog.tcp.map(|tcp| format!("tcp {tcp}"))];
        let listen = listen.into_iter().chain([syslog.unix.as_ref().map(|unix| unix.display().to_string())]);
        let listen: Vec<_> = listen.flatten().collect();
        lines.push(format!("  syslog     {}", listen.join(", ")));
    }
    for (name, places) in config.gates.places() {
        let places: Vec<_> = places.iter().map(ToString::to_string).collect();
        lines.push(format!("  {name:<10} {}", places.join(" ")));
    }
    if let Some(dnsbl) = &config.dnsbl {
        let listen: Vec<_> = dnsbl.listen.iter().map(ToString::to_string).collect();
        lines.push(format!("  dns        {} for {}", listen.join(" "), dnsbl.origin));
        lines.extend(dnsbl.tls.iter().map(|tls| {
            let listen: Vec<_> = tls.listen.iter().map(ToString::to_string).collect();
            format!("  dns tls    {}", listen.join(" "))
        }));
    }
    lines.extend(config.removal.iter().map(|removal| format!("  removals   http://{}/", removal.listen)));
    lines.extend(config.console.iter().map(|console| format!("  metrics    http://{}/metrics", console.listen)));
    if matches!(source, Source::BuiltIn) {
        lines.push(TO_TRY.to_owned());
    }
    lines.join("\n")
}

/// Three things that work when pasted into a second terminal in the same folder.
const TO_TRY: &str = r#"
Three things to try in a second terminal, in this folder:

  1. let somebody guess passwords:
     sed "s/^[^ ]*/$(date +%FT%T%:z)/" contrib/samples/mail.log >> state/sample.log

  2. ask why he is refused:
     ./target/release/ratter why 198.51.100.77

  3. ask the blocklist about him:
     dig @127.0.0.1 -p 5300 +short 77.100.51.198.auth.bl.example.org A 77.100.51.198.auth.bl.example.org TXT
"#;

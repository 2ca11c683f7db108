use std::convert::Infallible;
use std::io::{self, IsTerminal as _};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::Context;
use gates::io::{HandedOver, Listener, Place, Spot};
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
    // They would be in the way of a wider address, or of a narrower one.
    gates::io::keep_inherited(|spot| config.listening.iter().any(|wanted| wanted.is_at(spot)));
    let mut running = node::start(&config)?;
    let pages = Pages::listen(&config)?;
    gates::io::close_inherited();
    dnsbl::io::close_inherited();
    show::line(&welcome(&config, &source))?;
    let result = runtime.block_on(serve(path, &config, &running, &pages, hung_up));
    // Streams to watchers would otherwise keep the runtime waiting.
    runtime.shutdown_background();
    let end = result?;
    // Without the sockets clients are refused until the new process listens.
    let handed_over = if end == End::Anew { running.hand_over().unwrap_or_default() } else { HandedOver::default() };
    let node = Arc::clone(&running.node);
    drop(running);
    info!("stopped");
    match end {
        End::Stop => Ok(Outcome::Done),
        End::Anew => start_anew(&node, &pages, handed_over).map(|never| match never {}).map_err(Failure::Other),
    }
}

/// Where the sockets listen that the process before has handed over.
#[expect(clippy::disallowed_methods, reason = "one process tells the next there; it is no setting")]
fn inherited() -> Vec<Listening> {
    let [sockets, clients] = [SOCKETS, CLIENTS].map(|name| std::env::var(name).unwrap_or_default());
    let listening = |spot| match spot {
        Spot::Stream(place) => Listening { place, transport: config::Transport::Tcp },
        Spot::Datagrams(address) => Listening { place: Place::Tcp(address), transport: config::Transport::Udp },
    };
    gates::io::inherit(&sockets, &clients).into_iter().map(listening).collect()
}

/// The listeners of the metrics and of the page for removals.
struct Pages {
    metrics: Option<TcpListener>,
    removal: Option<TcpListener>,
}

impl Pages {
    fn listen(config: &Config) -> anyhow::Result<Self> {
        let listener = |listen: SocketAddr, what: &str| match gates::io::take(&Place::Tcp(listen)) {
            Some(Listener::Tcp(listener)) => Ok(listener),
            Some(Listener::Unix(_)) | None => {
                TcpListener::bind(listen).with_context(|| format!("{what}: cannot listen at {listen}"))
            }
        };
        let metrics = config.console.as_ref().map(|console| listener(console.listen, "metrics cannot be served"));
        let removal = config.removal.as_ref().map(|it| listener(it.listen, "the page for removals cannot be served"));
        Ok(Self { metrics: metrics.transpose()?, removal: removal.transpose()? })
    }

    /// Their sockets, for the program that takes the place of this one.
    fn sockets(&self) -> io::Result<Vec<(Spot, OwnedFd)>> {
        let socket = |listener: &TcpListener| {
            Ok((Spot::Stream(Place::Tcp(listener.local_addr()?)), gates::io::lasting(listener)?))
        };
        self.metrics.iter().chain(&self.removal).map(socket).collect()
    }
}

/// Takes the place of this process with a new one that has the same arguments. All is written by then, as after any end, so
/// that nothing of the old configuration can be left. Whoever asks meanwhile waits at sockets that stay open, and clients of
/// gates stay connected.
fn start_anew(node: &node::Node, pages: &Pages, mut handed_over: HandedOver) -> anyhow::Result<Infallible> {
    let mut arguments = std::env::args_os();
    let program = arguments.next().context("the program has no name")?;
    info!(connections = handed_over.clients(), "starting anew");
    // Without them clients are refused until the new process listens.
    handed_over.add_sockets(pages.sockets().unwrap_or_default());
    handed_over.add_sockets(node.hand_over_dns().unwrap_or_default());
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
        let faults = match judged.map(|()| can_start(&config.node.state)) {
            Ok(Ok(())) => return End::Anew,
            Ok(Err(fault)) => {
                format!("nothing is wrong with the configuration, but the node cannot be started anew: {fault:#}")
            }
            Err(faults) => {
                format!("the configuration has a fault, and the node goes on with the one it has:\n{faults}")
            }
        };
        error!("{faults}");
    }
}

/// Whether a new process would come as far as this one: it is there, and can write what a start writes.
fn can_start(state: &Path) -> anyhow::Result<()> {
    let program = std::env::args_os().next().context("the program has no name")?;
    let said = Command::new(&program).arg("--version").stdin(Stdio::null()).output();
    let said = said.with_context(|| format!("{} cannot be run", Path::new(&program).display()))?;
    anyhow::ensure!(said.status.success(), "{} --version: {}", Path::new(&program).display(), said.status);
    Ok(store::can_open(state, true)?)
}

/// What keeps a configuration from being taken by the node that runs with another one.
fn judge(found: &Config, running: &Config) -> Result<(), String> {
    node::judge_dnsbl(found).map_err(|fault| format!("{fault:#}"))?;
    if found.node.state != running.node.state {
        store::can_open(&found.node.state, false).map_err(|fault| fault.to_string())?;
    }
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
async fn serve(
    path: Option<&Path>,
    config: &Config,
    running: &node::Running,
    pages: &Pages,
    hangup: Signal,
) -> anyhow::Result<End> {
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be awaited")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be awaited")?;
    let control = console::io::serve_control(
        &config.node.control,
        Arc::clone(&running.node) as Arc<dyn console::Node>,
        running.happenings.clone(),
    );
    let metrics = async {
        match &pages.metrics {
            None => std::future::pending().await,
            Some(listener) => {
                let node = Arc::clone(&running.node) as Arc<dyn console::Node>;
                console::io::serve_metrics(listener.try_clone()?, node).await
            }
        }
    };
    let removal = async {
        match (&pages.removal, node::RemovalDesk::new(config, &running.node)) {
            (Some(listener), Some(desk)) => console::io::serve_removal(listener.try_clone()?, desk).await,
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

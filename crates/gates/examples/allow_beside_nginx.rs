//! CPU time of the server per `allow`, beside nginx returning the same answer as a constant.
//!
//! ```text
//! cargo run --release -p ratter-gates --features io --example allow_beside_nginx [rounds] [seconds]
//! ```
//!
//! Both servers are pinned to one processor and the load to another; it is a closed loop on 1 and on 16 keep-alive
//! connections with a question as Dovecot sends it. Rounds alternate between them, the figures are medians, and the CPU
//! time is what the system says of the server (`/proc/PID/stat`). Then each is asked at half of the rate that the slower reached,
//! evenly, by clients that go before all other processes of their processor, and the time of an answer is told from the moment it
//! was asked for; beside them a server that only reads and writes, whose times are the machine's. Needs nginx, root, taskset and chrt.

#![expect(clippy::disallowed_methods, reason = "a measurement reads clocks and files")]
#![expect(clippy::print_stdout, reason = "it prints its figures")]

use core::time::Duration;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base::Timestamp;
use gates::alone::Alone;
use gates::dovecot::{Gate, PasswordHash, Settings};
use gates::http::Http;
use gates::io::{Limits, Listener, Server as GateServer};
use gates::session::Protocol as _;

const BODY: &str = r#"{"attrs":{"stage":"before"},"device_id":"","login":"carol","protocol":"imap","pwhash":"0810","remote":"198.51.100.7","session_id":"ZvNih8RgDIV/AAAB","tls":false}"#;
const ANSWER: &str = r#"{"status":0,"msg":"","r_attrs":{}}"#;

fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(since.as_millis() as u64)
}

/// A server in a process of its own; it ends with the value.
struct Server {
    name: &'static str,
    process: Child,
    /// The process that does the work.
    worker: u32,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx' worker ends with its master only if that is asked to end.
        _ = Command::new("kill").arg(self.process.id().to_string()).status();
        _ = self.process.wait();
    }
}

fn pinned(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}

fn ratter() -> io::Result<Server> {
    let mut process = pinned(&std::env::current_exe()?).arg("--serve").stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).read_line(&mut line)?;
    let address = line.trim().parse().map_err(io::Error::other)?;
    let worker = process.id();
    Ok(Server { name: "ratter", process, worker, address })
}

/// The least that a server can do: a thread that reads and writes. What it takes is the machine's.
fn echo() -> io::Result<Server> {
    let mut process = pinned(&std::env::current_exe()?).arg("--echo").stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).read_line(&mut line)?;
    let address = line.trim().parse().map_err(io::Error::other)?;
    let worker = process.id();
    Ok(Server { name: "echo", process, worker, address })
}

/// Answers whatever is read at once by the same bytes.
fn serve_echo() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    for stream in listener.incoming() {
        let (mut stream, answer) = (stream?, answer.clone());
        stream.set_nodelay(true)?;
        thread::spawn(move || {
            let mut space = [0; 4096];
            while stream.read(&mut space).is_ok_and(|read| read > 0) && stream.write_all(answer.as_bytes()).is_ok() {}
        });
    }
    Ok(())
}

/// Puts this process, and the threads that it will have, before all others of the machine, or back among them: what an answer
/// waits for a client's turn is not the server's time.
fn go_first(is_first: bool) -> io::Result<()> {
    let policy: &[&str] = if is_first { &["--fifo", "--pid", "10"] } else { &["--other", "--pid", "0"] };
    let status = Command::new("chrt").args(policy).arg(std::process::id().to_string()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("chrt wants root")) }
}

/// Hundredths of a second that the machine's host gave to others, of all its processors, since the start.
fn stolen() -> io::Result<u64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let mut fields = stat.lines().next().unwrap_or_default().split_ascii_whitespace();
    Ok(fields.nth(8).and_then(|ticks| ticks.parse().ok()).unwrap_or_default())
}

fn nginx(folder: &Path) -> io::Result<Server> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let config = format!(
        "worker_processes 1; daemon off; pid nginx.pid; error_log stderr crit;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path body; proxy_temp_path proxy;\n\
         fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
         server {{ listen {address}; location / {{ default_type application/json; return 200 '{ANSWER}'; }} }} }}\n"
    );
    fs::write(folder.join("nginx.conf"), config)?;
    let process = pinned(Path::new("nginx")).arg("-p").arg(folder).args(["-c", "nginx.conf"]).spawn()?;
    let master = process.id();
    let mut server = Server { name: "nginx", process, worker: master, address };
    for _ in 0..100 {
        thread::sleep(Duration::from_millis(20));
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap_or_default();
        if let Some(worker) = children.split_whitespace().next() {
            server.worker = worker.parse().map_err(io::Error::other)?;
            return Ok(server);
        }
    }
    Err(io::Error::other("nginx has no worker"))
}

/// What `/proc/PID/stat` counts in: a hundredth of a second (`USER_HZ`).
const TICK_NS: u64 = 10_000_000;

/// CPU time of a process, in nanoseconds, with that of its threads that have ended: each connection has one of its own.
fn cpu_ns(process: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).unwrap_or_default();
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Ok(ticks.sum::<u64>() * TICK_NS)
}

/// A question as Dovecot sends it.
fn question() -> String {
    format!(
        "POST /?command=allow HTTP/1.1\r\nHost: 127.0.0.1:4001\r\nDate: Sat, 21 Nov 2026 07:44:21 GMT\r\n\
         User-Agent: dovecot/auth-policy-client\r\nContent-Length: {}\r\nConnection: Keep-Alive\r\n\
         Content-Type: application/json\r\n\r\n{BODY}",
        BODY.len()
    )
}

/// Nanoseconds for one question without a socket: from its bytes to the bytes of the answer.
fn codec_ns(rounds: u32) -> f64 {
    let http = Http::new(Arc::new(Gate::new(settings(), Arc::new(Alone::open()))));
    let (question, mut connection) = (question(), http.session(None));
    let started = Instant::now();
    for _ in 0..rounds {
        connection.space()[..question.len()].copy_from_slice(question.as_bytes());
        connection.filled(question.len());
        connection.serve(Timestamp::EPOCH);
        assert!(connection.output().ends_with(ANSWER.as_bytes()));
        connection.written();
    }
    started.elapsed().as_nanos() as f64 / f64::from(rounds)
}

fn settings() -> Settings {
    Settings { password_hash: Some(PasswordHash::new("localrandomstring")), ..Settings::default() }
}

/// One client's connection.
struct Client {
    stream: TcpStream,
    request: String,
}

impl Client {
    fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request: question() })
    }

    /// One question and its answer.
    fn ask(&mut self) -> io::Result<()> {
        let (mut reply, mut length) = ([0; 1024], 0);
        self.stream.write_all(self.request.as_bytes())?;
        while !reply[..length].ends_with(ANSWER.as_bytes()) {
            match self.stream.read(&mut reply[length..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => length += count,
            }
        }
        Ok(())
    }
}

/// Asks on one connection until the time is over; how often.
fn ask(address: SocketAddr, until: Instant) -> io::Result<u64> {
    let mut client = Client::connect(address)?;
    let mut asked = 0;
    while Instant::now() < until {
        client.ask()?;
        asked += 1;
    }
    Ok(asked)
}

/// Asks at an even rate on one connection until the time is over; how long each answer took.
fn ask_evenly(address: SocketAddr, every: Duration, until: Instant) -> io::Result<Vec<Duration>> {
    let mut client = Client::connect(address)?;
    let (mut took, mut due) = (Vec::new(), Instant::now());
    while due < until {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        client.ask()?;
        took.push(sent.elapsed());
        due += every;
    }
    Ok(took)
}

/// Microseconds that the median and the slowest hundredth of the answers take at that rate.
fn latency(server: &Server, rate: f64, connections: usize, span: Duration) -> io::Result<[f64; 2]> {
    let (address, until) = (server.address, Instant::now() + span);
    let every = Duration::from_secs_f64(connections as f64 / rate);
    let clients = (0..connections).map(|at| {
        thread::spawn(move || {
            // They do not all ask at the same moment.
            thread::sleep(every * at as u32 / connections as u32);
            ask_evenly(address, every, until)
        })
    });
    let mut took = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        took.extend(client.join().map_err(|_| io::Error::other("a client panicked"))??);
    }
    took.sort_unstable();
    Ok([took.len() / 2, took.len() * 99 / 100].map(|at| took[at].as_secs_f64() * 1e6))
}

/// One round: microseconds of CPU per request, and requests per second.
fn round(server: &Server, connections: usize, span: Duration) -> io::Result<(f64, f64)> {
    let before = cpu_ns(server.worker)?;
    let started = Instant::now();
    let address = server.address;
    let clients: Vec<_> = (0..connections).map(|_| thread::spawn(move || ask(address, started + span))).collect();
    let mut asked = 0;
    for client in clients {
        asked += client.join().map_err(|_| io::Error::other("a client panicked"))??;
    }
    let cpu = cpu_ns(server.worker)? - before;
    Ok((cpu as f64 / asked as f64 / 1000.0, asked as f64 / started.elapsed().as_secs_f64()))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let http = Http::new(Arc::new(Gate::new(settings(), Arc::new(Alone::open()))));
    let spoken = vec![(http, vec![Listener::Tcp(listener)])];
    let _server = GateServer::start("dovecot-gate", spoken, clock, Limits::default())?;
    loop {
        thread::park();
    }
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--serve") => return serve(),
        Some("--echo") => return serve_echo(),
        _ => {}
    }
    let number = |at: usize, default: u64| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rounds, span) = (number(0, 7), Duration::from_secs(number(1, 2)));
    let folder = tempfile::tempdir()?;
    let servers = [ratter()?, nginx(folder.path())?, echo()?];
    // The load is pinned with all threads that it will have.
    Command::new("taskset").args(["-cp", "1", &std::process::id().to_string()]).stdout(Stdio::null()).status()?;
    println!("codec alone: {:.0} ns/request", median((0..rounds).map(|_| codec_ns(200_000)).collect()));
    for connections in [1, 16] {
        let mut figures = [const { Vec::new() }; 3];
        let mut rates = [const { Vec::new() }; 3];
        for _ in 0..rounds {
            for (at, server) in servers.iter().enumerate() {
                let (cpu_us, rate) = round(server, connections, span)?;
                figures[at].push(cpu_us);
                rates[at].push(rate);
            }
        }
        let (figures, rates) = (figures.map(median), rates.map(median));
        print!("{connections:>2} connections:");
        for ((server, figure), rate) in servers.iter().zip(figures).zip(rates) {
            print!(" {} {figure:.2} us/request ({rate:.0}/s),", server.name);
        }
        println!(" ratio {:.2}", figures[0] / figures[1]);
        // Half of what the slower of the two can do, the same for all: an answer waits longer the busier the processor is.
        let rate = rates[0].min(rates[1]);
        go_first(true)?;
        for server in &servers {
            let before = stolen()?;
            let mut rounds = (0..rounds).map(|_| latency(server, rate / 2.0, connections, span));
            let [medians, slowest] =
                rounds.try_fold([Vec::new(), Vec::new()], |[mut medians, mut slowest], round| {
                    let [median, p99] = round?;
                    medians.push(median);
                    slowest.push(p99);
                    io::Result::Ok([medians, slowest])
                })?;
            println!(
                "   {} at half of {rate:.0}/s: p50 {:.0} us, p99 {:.0} us ({} ms stolen by the host)",
                server.name,
                median(medians),
                median(slowest),
                10 * (stolen()? - before)
            );
        }
        go_first(false)?;
    }
    Ok(())
}

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::Timestamp;
use dnsbl::datasets::{Header, Kind, Options, Source, read};
use dnsbl::io::Server;
use dnsbl::serve::{Name, Responder, Zones};
use dnsbl::statics::{Compiled, Content, Sharing, Statics};

use super::files::{World, ZONES};
use crate::common::{book, settings};

/// How long a reply may take before the question is asked again: datagrams get lost.
const PATIENCE: Duration = Duration::from_millis(700);

/// Asks all messages at once, each again until it is answered; no reply at all is an empty one.
fn ask(server: SocketAddr, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect(server).unwrap();
    let mut replies = vec![Vec::new(); messages.len()];
    for _ in 0..3 {
        let mut waiting = 0;
        for (message, _) in messages.iter().zip(&replies).filter(|(_, reply)| reply.is_empty()) {
            socket.send(message).unwrap();
            waiting += 1;
        }
        let end = Instant::now() + PATIENCE;
        let mut buffer = [0; 4096];
        while waiting > 0 {
            let left = end.saturating_duration_since(Instant::now());
            socket.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
            let Ok(length) = socket.recv(&mut buffer) else { break };
            let id = usize::from(u16::from_be_bytes([buffer[0], buffer[1]]));
            waiting -= usize::from(replies[id].is_empty());
            replies[id] = buffer[..length].to_vec();
        }
        if waiting == 0 {
            break;
        }
    }
    replies
}

/// Debian's rbldnsd with the world's files.
pub(super) struct Peer {
    child: Child,
    address: SocketAddr,
    _files: tempfile::TempDir,
}

impl Peer {
    pub(super) fn start(world: &World) -> Self {
        let files = tempfile::tempdir().unwrap();
        std::fs::set_permissions(files.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        for (name, text) in &world.files {
            std::fs::write(files.path().join(name), text).unwrap();
        }
        let address = ratter_tests::place::free_port();
        let mut command = Command::new("rbldnsd");
        command.arg("-n").args(["-b", &format!("127.0.0.1/{}", address.port())]).arg("-w").arg(files.path());
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            command.args(["-u", "rbldns"]);
        }
        // Zones below others come first for it.
        for (zone, datasets) in ZONES.iter().rev() {
            command.args(datasets.iter().map(|(kind, file)| format!("{zone}:{kind}:{file}")));
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.expect("rbldnsd is installed (Debian: rbldnsd)");
        let peer = Self { child, address, _files: files };
        let message = crate::common::query("set.test. SOA");
        let is_up = || {
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).is_ok_and(|socket| {
                socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
                socket.send_to(&message, address).is_ok() && socket.recv(&mut [0; 512]).is_ok()
            })
        };
        assert!((0..250).any(|_| is_up()), "rbldnsd answers within five seconds");
        peer
    }

    pub(super) fn ask(&self, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
        ask(self.address, messages)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Our server with the same files.
pub(super) struct Ours {
    server: Server,
}

impl Ours {
    pub(super) fn start(world: &World) -> Self {
        let texts: HashMap<&str, &str> = world.files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let name = |zone: &str| Name::parse(zone).unwrap();
        let statics = Statics::new(ZONES.iter().map(|(zone, _)| (name(zone), Sharing::Alone))).unwrap();
        for (zone, datasets) in ZONES {
            let compile = |(kind, file): &(&str, &str)| {
                let source = Source { name: file, bytes: texts[file].as_bytes(), modified: 1_700_000_000 };
                let now = Timestamp::from_secs(2_000_000_000);
                let dataset = read(
                    Kind::from_name(kind).unwrap(),
                    &[source],
                    now,
                    Options { may_be_wide: true, ..Options::default() },
                );
                Arc::new(Compiled::new(&dataset.unwrap_or_else(|report| panic!("{report}"))))
            };
            let datasets: Vec<_> = datasets.iter().map(compile).collect();
            let content = Content::new(&name(zone), Sharing::Alone, &datasets, &Header::default()).unwrap();
            assert!(statics.set(&name(zone), Arc::new(content)));
        }
        let responder = Responder::new(Zones::new(&settings()).unwrap()).with_statics(Arc::new(statics));
        let listen = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
        Self { server: Server::start(&listen, Arc::new(responder), &Arc::new(book()), 1).unwrap() }
    }

    pub(super) fn ask(&self, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
        ask(self.server.local_addrs()[0], messages)
    }
}

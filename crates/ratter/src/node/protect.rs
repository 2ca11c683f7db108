//! Who is never listed, kept fresh: the configured networks and logins, this machine's own addresses, allow files, and the
//! addresses from which named domains send (SPF).
//!
//! What cannot be read or asked for keeps what was known of it before, over restarts too: a domain's last good addresses
//! stand in a file of the state folder.
#![expect(clippy::disallowed_methods, reason = "the node reads its own machine and the files that it is given")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use ::resolver::io::{Servers, system_servers};
use ::resolver::spf::Walk;
use anyhow::Context;
use base::{Address, Login, Network};
use listings::{NeverList, Protection};
use tracing::{info, warn};

use super::Node;
use super::address_files::AddressFiles;
use super::sensing::Sensor;
use crate::clock;
use crate::config::{self, Config};

/// How often files and interfaces are looked at; a file is read when its time or length is another.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often domains are asked; what cannot be asked is tried again as soon.
const ASK_EVERY: Duration = Duration::from_hours(1);

/// How long the thread sleeps between two looks whether it shall stop.
const STEP: Duration = Duration::from_millis(200);

/// Most networks of all allow files together; what comes beyond is left out and told.
const ALLOWED_MAX: usize = 2_000_000;

/// Longest line of an allow file that is looked at.
const LINE_MAX: u64 = 4096;

/// File of the state folder with the last good addresses of each domain: `domain network` lines.
const SENDERS_FILE: &str = "allow-senders.txt";

/// What protects, by what it is in words.
type Groups = BTreeMap<String, (BTreeSet<Network>, bool)>;

/// What is known of all sources.
pub(super) struct Sources {
    networks: Vec<Network>,
    canaries: Vec<Network>,
    logins: Vec<Login>,
    files: Vec<PathBuf>,
    domains: Vec<String>,
    state: PathBuf,
    /// When each file was written that was read, and how long it was.
    read: BTreeMap<PathBuf, Option<(SystemTime, u64)>>,
    groups: Groups,
    /// What files tell of addresses: kept fresh with the others.
    address_files: AddressFiles,
}

impl Sources {
    /// Reads all that needs no network.
    pub(super) fn read(config: &Config) -> Self {
        let node = &config.node;
        let mut sources = Self {
            networks: node.never_list.clone(),
            canaries: node.canaries.clone(),
            logins: node.never_logins.clone(),
            files: node.allow_files.clone(),
            domains: node.allow_senders.clone(),
            state: node.state.clone(),
            read: BTreeMap::new(),
            groups: Groups::new(),
            address_files: AddressFiles::open(node),
        };
        sources.recall();
        sources.look();
        sources
    }

    /// What files tell of addresses.
    pub(super) const fn address_files(&self) -> &AddressFiles {
        &self.address_files
    }

    /// The never-list of what is known now.
    pub(super) fn never_list(&self) -> NeverList {
        let configured: Arc<str> = "the configuration".into();
        let configured = self.networks.iter().map(|network| Protection {
            network: *network,
            by: Arc::clone(&configured),
            is_everywhere: true,
        });
        let others = self.groups.iter().flat_map(|(by, (networks, is_everywhere))| {
            let by: Arc<str> = by.as_str().into();
            networks.iter().map(move |network| Protection {
                network: *network,
                by: Arc::clone(&by),
                is_everywhere: *is_everywhere,
            })
        });
        NeverList::with(configured.chain(others), self.logins.iter().cloned())
            .with_canaries(self.canaries.iter().copied())
    }

    /// Reads the interfaces and files again; whether anything is another than before.
    fn look(&mut self) -> bool {
        let mut is_new = false;
        match interfaces() {
            Ok(own) => is_new |= self.know("an address of this machine", own, true),
            Err(error) => warn!(%error, "this machine's own addresses cannot be read"),
        }
        for file in self.files.clone() {
            let seen = fs::metadata(&file).and_then(|meta| Ok((meta.modified()?, meta.len()))).ok();
            if self.read.insert(file.clone(), seen) == Some(seen) {
                continue;
            }
            match allowed(&file) {
                Ok(networks) => is_new |= self.know(&format!("allow file {}", file.display()), networks, false),
                Err(error) => {
                    warn!(file = %file.display(), %error, "the allow file cannot be read: what it said before holds");
                }
            }
        }
        is_new
    }

    fn know(&mut self, by: &str, networks: BTreeSet<Network>, is_everywhere: bool) -> bool {
        let entry = (networks, is_everywhere);
        if self.groups.get(by) == Some(&entry) {
            return false;
        }
        self.groups.insert(by.to_owned(), entry);
        true
    }

    /// Asks each domain whence it sends; whether anything is another than before.
    async fn ask(&mut self, servers: &Servers) -> bool {
        let mut is_new = false;
        for domain in self.domains.clone() {
            let mut walk = Walk::new(&domain);
            while let Some(question) = walk.question() {
                let reply = servers.ask(&question, 0).await;
                walk.told(&reply);
            }
            match walk.networks() {
                Ok(networks) => is_new |= self.know(&by_domain(&domain), networks.into_iter().collect(), false),
                Err(fault) => warn!(%domain, ?fault, "the domain's senders are not known: what was known before holds"),
            }
        }
        if is_new && let Err(error) = self.remember() {
            warn!(%error, "the senders of the allowed domains are not kept over a restart");
        }
        is_new
    }

    /// Writes what the domains said last.
    fn remember(&self) -> std::io::Result<()> {
        let lines = self.domains.iter().flat_map(|domain| {
            let networks = self.groups.get(&by_domain(domain)).map(|(networks, _)| networks);
            networks.into_iter().flatten().map(move |network| format!("{domain} {network}\n"))
        });
        let (path, next) = (self.state.join(SENDERS_FILE), self.state.join(format!("{SENDERS_FILE}.new")));
        fs::write(&next, lines.collect::<String>())?;
        fs::rename(next, path)
    }

    /// Reads what the domains said last.
    fn recall(&mut self) {
        let text = fs::read_to_string(self.state.join(SENDERS_FILE)).unwrap_or_default();
        let mut known: BTreeMap<&str, BTreeSet<Network>> = BTreeMap::new();
        for (domain, network) in text.lines().filter_map(|line| line.split_once(' ')) {
            known.entry(domain).or_default().extend(network.parse::<Network>().ok());
        }
        for (domain, networks) in known {
            if self.domains.iter().any(|asked| asked == domain) {
                self.know(&by_domain(domain), networks, false);
            }
        }
    }
}

fn by_domain(domain: &str) -> String {
    format!("the SPF of {domain}")
}

/// Starts the thread that keeps the never-list fresh.
pub(super) fn start(mut sources: Sources, resolver: &config::Resolver, node: &Arc<Node>) -> anyhow::Result<Sensor> {
    let servers = if resolver.servers.is_empty() { system_servers() } else { Ok(resolver.servers.clone()) };
    let servers = servers.and_then(|servers| Servers::new(&servers, resolver.timeout, resolver.in_flight));
    if let (Err(error), false) = (&servers, sources.domains.is_empty()) {
        warn!(%error, "domains cannot be asked whence they send");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no event loop")?;
    let node = Arc::downgrade(node);
    Sensor::start(move |stop: &AtomicBool| {
        let mut waited = ASK_EVERY;
        let mut looked = Duration::ZERO;
        while !stop.load(Ordering::Relaxed) {
            let mut is_new = false;
            if looked >= LOOK_EVERY {
                looked = Duration::ZERO;
                is_new |= sources.look();
                sources.address_files.look();
            }
            if waited >= ASK_EVERY {
                waited = Duration::ZERO;
                if let Ok(servers) = &servers {
                    is_new |= runtime.block_on(sources.ask(servers));
                }
            }
            if is_new {
                let Some(node) = node.upgrade() else { return };
                node.protect(sources.never_list());
            }
            std::thread::sleep(STEP);
            (waited, looked) = (waited + STEP, looked + STEP);
        }
    })
}

impl Node {
    /// Puts a fresh never-list in force, and takes off the lists what it protects.
    fn protect(&self, never: NeverList) {
        let gone = self.book.protect(clock::now(), never);
        for listing in &gone {
            info!(subject = %listing.subject, list = self.names.list(listing.list), "protected now, and off the list");
        }
        if !gone.is_empty() {
            self.store.wake();
        }
    }
}

/// The addresses of this machine's interfaces, as the kernel's tables have them.
fn interfaces() -> std::io::Result<BTreeSet<Network>> {
    let v4 = fs::read_to_string("/proc/net/fib_trie")?;
    // Without IPv6 the file is missing.
    let v6 = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let host = |address: IpAddr| Network::containing(Address::new(address), if address.is_ipv4() { 32 } else { 128 });
    Ok(own_v4(&v4).chain(own_v6(&v6)).map(host).filter(|own| !is_for_documentation(*own)).collect())
}

/// Whether the address is one that nobody has (RFC 5737, RFC 3849): machines that are tried out have them, and every
/// example lists them.
fn is_for_documentation(own: Network) -> bool {
    const NETWORKS: [&str; 4] = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"];
    NETWORKS.iter().filter_map(|text| text.parse::<Network>().ok()).any(|network| network.overlaps(own))
}

/// Lines of `fib_trie`: an address, and below it `/32 host LOCAL` where it is this machine's.
fn own_v4(text: &str) -> impl Iterator<Item = IpAddr> {
    let pairs = text.lines().zip(text.lines().skip(1));
    pairs.filter_map(|(address, kind)| {
        let is_own = kind.trim() == "/32 host LOCAL";
        is_own.then(|| address.trim().strip_prefix("|-- ")?.parse().ok()).flatten()
    })
}

/// Lines of `if_inet6`: 32 hexadecimal digits, and more.
fn own_v6(text: &str) -> impl Iterator<Item = IpAddr> {
    text.lines().filter_map(|line| {
        let bits = u128::from_str_radix(line.split_whitespace().next()?, 16).ok()?;
        Some(IpAddr::V6(bits.into()))
    })
}

/// The networks of an allow file.
fn allowed(file: &Path) -> std::io::Result<BTreeSet<Network>> {
    read_allowed(BufReader::new(fs::File::open(file)?))
}

/// Each line begins with an address or network; what stands behind a blank, `;` or `,` is not looked at. So plain lists
/// and the files of dnswl.org for rsync are read, whatever server they are for. Other lines are passed over.
fn read_allowed(mut from: impl BufRead) -> std::io::Result<BTreeSet<Network>> {
    let mut networks = BTreeSet::new();
    let mut line = Vec::new();
    while std::io::Read::take(&mut from, LINE_MAX).read_until(b'\n', &mut line)? > 0 {
        if line.last() != Some(&b'\n') && line.len() as u64 == LINE_MAX {
            from.skip_until(b'\n')?;
        }
        let first = line.split(|byte| byte.is_ascii_whitespace() || matches!(byte, b';' | b',')).next();
        let network = first.and_then(|text| std::str::from_utf8(text).ok()?.parse::<Network>().ok());
        // A file that protects everybody is a mistake.
        networks.extend(network.filter(|network| network.length() > 0));
        if networks.len() > ALLOWED_MAX {
            return Err(std::io::Error::other(format!("more than {ALLOWED_MAX} networks")));
        }
        line.clear();
    }
    Ok(networks)
}

#[cfg(test)]
mod tests {
    use super::{is_for_documentation, own_v4, own_v6, read_allowed};

    #[test]
    fn own_addresses_are_read_from_the_kernels_tables() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     \
                    +-- 127.0.0.0/8 2 0 2\n           |-- 127.0.0.1\n              /32 host LOCAL\n     \
                    |-- 20.0.0.7\n        /32 host LOCAL\n     |-- 20.0.0.255\n        /32 link BROADCAST\n";
        assert_eq!(own_v4(trie).map(|ip| ip.to_string()).collect::<Vec<_>>(), ["127.0.0.1", "20.0.0.7"]);
        let v6 = "00000000000000000000000000000001 01 80 10 80       lo\n20010db8000000000000000000000005 02 40 00 80 eth0\n\n";
        assert_eq!(own_v6(v6).map(|ip| ip.to_string()).collect::<Vec<_>>(), ["::1", "2001:db8::5"]);
        assert!(!super::interfaces().unwrap().is_empty(), "this machine has loopback at least");
        assert!(
            is_for_documentation("192.0.2.7".parse().unwrap()) && !is_for_documentation("20.0.0.7".parse().unwrap())
        );
    }

    #[test]
    fn allow_files_of_several_kinds_are_read() {
        let text = b"# dnswl\n\n20.0.0.0/24;5;2;example.com;123\n20.0.1.7/32 permit_auth_destination\n20.0.2.7/32 :127.0.10.2:x\n\
                     2a00::/32,any\n$SOA 300 a b\n:1:text\n0.0.0.0/0\nno network\n20.0.3.9";
        let long = [b"20.0.4.4 ".to_vec(), vec![b'x'; 10_000], b"\n20.0.5.5\n".to_vec()].concat();
        let networks =
            |text: &[u8]| read_allowed(text).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(networks(text), "20.0.0.0/24 20.0.1.7 20.0.2.7 20.0.3.9 2a00::/32");
        assert_eq!(networks(&long), "20.0.4.4 20.0.5.5");
        assert_eq!(networks(b"\xff\xfe\n"), "");
    }
}

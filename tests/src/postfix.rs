//! A Postfix of a test: its own configuration, queue and port, and clients that it believes to come from anywhere.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::place::{Place, free_port};
use crate::process::{Process, program, run, text_of, write};
use crate::wait;

/// How long an answer may take: Postfix itself waits seconds for services that are gone.
const ANSWER: Duration = Duration::from_mins(1);

/// The user and group `nobody`, which mail is delivered as.
const NOBODY: u32 = 65534;

/// A running Postfix. It delivers mail for `bob@example.org` to a file, knows nobody else there, and takes mail for other
/// domains from 198.51.100.0/24 only, which it throws away.
#[derive(Debug)]
pub struct Postfix {
    process: Process,
    place: Place,
    /// Where clients connect.
    pub smtp: SocketAddr,
}

impl Postfix {
    /// Starts one with additional lines in `main.cf`, and waits until it answers.
    pub fn start(more: &str) -> Self {
        let (place, smtp) = (Place::new("postfix"), free_port());
        for folder in ["conf", "queue", "data", "mail"] {
            make_folder(&place.join(folder));
        }
        let user = run(Command::new("id").args(["-u", "postfix"])).with_code(0).out.trim().parse().expect("a number");
        chown(place.join("data"), Some(user), None).expect("tests run as root");
        chown(place.join("mail"), Some(NOBODY), Some(NOBODY)).expect("tests run as root");
        write(&place.join("conf/main.cf"), &main_cf(&place, more));
        write(&place.join("conf/master.cf"), &format!("{smtp} inet n - n - 400 smtpd\n{MASTER}"));
        let conf = place.join("conf");
        run(Command::new(program("postfix", "postfix")).arg("-c").arg(&conf).arg("check")).with_code(0);
        let mut command = Command::new(PathBuf::from("/usr/lib/postfix/sbin/master"));
        command.arg("-c").arg(&conf).arg("-d");
        let process = Process::start("postfix", place.path(), &command);
        wait::within(ANSWER, "Postfix listens", || TcpStream::connect(smtp).ok());
        Self { process, place, smtp }
    }

    /// The folder of its configuration.
    pub fn folder(&self) -> PathBuf {
        self.place.join("conf")
    }

    /// The value of a parameter, in one line.
    pub fn setting(&self, name: &str) -> String {
        let said = run(Command::new("postconf").arg("-c").arg(self.folder()).args(["-h", name])).with_code(0).out;
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Lets it read its configuration again, and waits until new connections are served by it.
    pub fn reload(&self) {
        run(Command::new("postfix").arg("-c").arg(self.folder()).arg("reload")).with_code(0);
        wait::within(ANSWER, "Postfix reloads", || self.log().contains("reload -- version").then_some(()));
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        text_of(&self.place.join("maillog"))
    }

    /// All mail that bob has got.
    pub fn mail(&self) -> String {
        text_of(&self.place.join("mail/bob"))
    }

    /// A client from `address`, logged in as `login` if that is not empty, that has said hello.
    pub fn client(&self, address: &str, login: &str) -> Smtp {
        let stream = TcpStream::connect(self.smtp).expect("Postfix listens");
        stream.set_read_timeout(Some(ANSWER)).expect("a socket");
        let mut client = Smtp(BufReader::new(stream));
        client.answer();
        client.say("EHLO client.example");
        let login = if login.is_empty() { String::new() } else { format!(" LOGIN={login}") };
        client.say(&format!("XCLIENT NAME=client.example ADDR={address}{login}"));
        client.say("EHLO client.example");
        client
    }

    /// How many messages wait in a queue, such as `hold`.
    pub fn queued(&self, queue: &str) -> usize {
        run(Command::new("find").arg(self.place.join("queue").join(queue)).args(["-type", "f"])).out.lines().count()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.process.end();
    }
}

fn make_folder(path: &std::path::Path) {
    fs::create_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn main_cf(place: &Place, more: &str) -> String {
    let place = place.path().display();
    format!(
        "compatibility_level = 3.6\nqueue_directory = {place}/queue\ndata_directory = {place}/data\n\
         maillog_file = {place}/maillog\nmaillog_file_prefixes = /tmp\ninet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\nmyhostname = mx.example.org\nmydestination =\nmynetworks = 198.51.100.0/24\n\
         virtual_mailbox_domains = example.org\nvirtual_mailbox_base = {place}/mail\n\
         virtual_mailbox_maps = inline:{{bob@example.org=bob}}\nvirtual_uid_maps = static:{NOBODY}\n\
         virtual_gid_maps = static:{NOBODY}\ndefault_transport = discard:\nsmtpd_authorized_xclient_hosts = 127.0.0.1\n\
         smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\nsmtpd_client_connection_count_limit = 0\n\
         smtpd_error_sleep_time = 0\nsmtpd_hard_error_limit = 1000\n{more}\n"
    )
}

const MASTER: &str = "cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
virtual unix - n n - - virtual
discard unix - - n - - discard
anvil unix - - n - 1 anvil
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
";

/// An SMTP client.
#[derive(Debug)]
pub struct Smtp(BufReader<TcpStream>);

impl Smtp {
    /// Says a line; the last line of the answer. Empty if the server has closed the connection.
    pub fn say(&mut self, line: &str) -> String {
        // Where the server has gone already the answer says so.
        drop(self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()));
        self.answer()
    }

    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).is_err() || line.as_bytes().get(3) != Some(&b'-') {
                return line.trim_end().to_owned();
            }
        }
    }

    /// Sends a mail; the answer to its end, or the first one that refuses it.
    pub fn mail(&mut self, recipients: &[&str], headers: &str) -> String {
        let mut steps = vec!["MAIL FROM:<alice@example.net>".to_owned()];
        steps.extend(recipients.iter().map(|recipient| format!("RCPT TO:<{recipient}>")));
        for step in &steps {
            let answer = self.say(step);
            if !answer.starts_with("250") {
                self.say("RSET");
                return answer;
            }
        }
        let answer = self.say("DATA");
        if !answer.starts_with("354") {
            return answer;
        }
        self.say(&format!("Subject: test\r\n{headers}\r\nHello.\r\n."))
    }
}

//! A private rspamd from the system's packages, with nothing but the modules that a test configures.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use crate::place::{Place, free_port};
use crate::process::{Process, program, run, text_of, write};

/// A mail of which rspamd thinks nothing.
const MAIL: &str = "From: a@example.org\nTo: b@example.org\nSubject: x\n\nx\n";

/// How Debian's configuration has it log, in one line.
const LOG_FORMAT: &str = "id: <$mid>,$if_qid{ qid: <$>,}$if_ip{ ip: $,}$if_user{ user: $,}$if_smtp_from{ from: <$>,} \
     (default: $is_spam ($action): [$scores] [$symbols_scores_params]), len: $len, time: $time_real, dns req: $dns_req, \
     digest: <$digest>$if_smtp_rcpts{, rcpts: <$>}$if_mime_rcpts{, mime_rcpts: <$>}$if_filename{, file: $}\
     $if_forced_action{, forced: $}$if_settings_id{, settings_id: $}";

/// A running rspamd.
#[derive(Debug)]
pub struct Rspamd {
    process: Process,
    place: Place,
    /// Where it is asked by HTTP.
    pub http: SocketAddr,
    /// Where it is a milter.
    pub milter: SocketAddr,
}

impl Rspamd {
    /// Where one that will run in `place` writes its log, for the configuration of who shall follow it.
    pub fn log_in(place: &Place) -> PathBuf {
        place.join("rspamd.log")
    }

    /// Starts one with further configuration.
    pub fn start_in(place: Place, more: &str) -> Self {
        let (http, milter) = (free_port(), free_port());
        let folder = place.path().display();
        // Its list of domains would be compiled for a minute; what is tested here needs none.
        write(&place.join("tlds"), "org\n");
        let config = format!(
            r#"
options {{
  pidfile = "{folder}/rspamd.pid"; tempdir = "{folder}"; hs_cache_dir = "{folder}"; url_tld = "{folder}/tlds";
  control_socket = "{folder}/control"; disable_hyperscan = true; map_watch_interval = 1s; filters = "";
  dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }}
}}
logging {{ type = "file"; filename = "{folder}/rspamd.log"; level = "info"; log_format = "{LOG_FORMAT}"; }}
worker "normal" {{ bind_socket = "{http}"; count = 1; }}
worker "rspamd_proxy" {{
  bind_socket = "{milter}"; milter = yes; count = 1; timeout = 120s;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
modules {{ path = "/usr/share/rspamd/plugins/"; }}
lua = "/usr/share/rspamd/rules/rspamd.lua";
actions {{ reject = 15; }}
{more}
"#
        );
        let path = place.join("rspamd.conf");
        write(&path, &config);
        let mut command = Command::new(program("rspamd", "rspamd"));
        command.args(["-f", "-i", "-c"]).arg(&path);
        let process = Process::start("rspamd", place.path(), &command);
        Self { process, place, http, milter }
    }

    /// What it thinks of a mail from this address; empty while it does not answer.
    pub fn check(&mut self, address: &str) -> String {
        self.process.must_run();
        let (ip, url) = (format!("IP: {address}"), format!("http://{}/checkv2", self.http));
        run(Command::new(program("curl", "curl")).args(["-s", "-H", &ip, "--data-binary", MAIL, &url])).out
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        text_of(&Self::log_in(&self.place))
    }
}

impl Drop for Rspamd {
    fn drop(&mut self) {
        // Killed, it would leave its workers behind.
        self.process.end();
    }
}

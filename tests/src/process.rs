//! Programs that a test starts. Each ends with the test: by its process id when the [`Process`] is dropped, and by the
//! kernel when the test program itself is killed.

use std::fs::{self, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// How long a program may take to end after it was asked to.
const END: Duration = Duration::from_secs(20);

/// How much of a program's output is shown when a test fails, in bytes.
const SHOWN_BYTES: usize = 6_000;

/// A running program whose output goes to files.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    output: [PathBuf; 2],
}

impl Process {
    /// Starts a program; its output is added to `NAME.out` and `NAME.err` in `dir`.
    ///
    /// The call must come from the thread that lives as long as the program shall: the kernel ends the program with
    /// that thread, so that nothing is left when a test is killed.
    pub fn start(name: &str, dir: &Path, command: &Command) -> Self {
        let output = [dir.join(format!("{name}.out")), dir.join(format!("{name}.err"))];
        let open = |path: &PathBuf| OpenOptions::new().create(true).append(true).open(path).expect("an output file");
        let mut tied = Command::new(program("setpriv", "util-linux"));
        tied.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
        tied.current_dir(command.get_current_dir().unwrap_or(dir));
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => tied.env(key, value),
                None => tied.env_remove(key),
            };
        }
        tied.stdin(Stdio::null()).stdout(open(&output[0])).stderr(open(&output[1]));
        let child = tied.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { child, name: name.to_owned(), output }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the program wrote to standard output so far.
    pub fn stdout(&self) -> String {
        text_of(&self.output[0])
    }

    /// What the program wrote to standard error so far.
    pub fn stderr(&self) -> String {
        text_of(&self.output[1])
    }

    /// How the program ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the program is our child")
    }

    /// Panics with the program's words if it has ended.
    pub fn must_run(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} has ended ({status}):\n{}", self.name, self.words());
        }
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) {
        // A process id that was given back may be somebody else's by now.
        self.must_run();
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// Waits until it ends by itself or by a signal that was sent.
    pub fn wait(&mut self) -> ExitStatus {
        wait::within(END, &format!("the end of {}", self.name), || self.ended())
    }

    /// Ends it as a power cut would, and waits until it is gone.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        let status = self.wait();
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{} ended by itself:\n{}", self.name, self.words());
    }

    /// Asks it to end, and waits a while for that; what is left is killed when this is dropped. Never panics, so that
    /// it can be called while a test fails.
    pub fn end(&mut self) {
        let is_over = |child: &mut Child| child.try_wait().is_ok_and(|status| status.is_some());
        if !is_over(&mut self.child) && kill_process(Pid::from_child(&self.child), Signal::TERM).is_ok() {
            wait::try_within(END, || is_over(&mut self.child).then_some(()));
        }
    }

    /// The last of what it wrote, for the message of a failure.
    fn words(&self) -> String {
        let mut words = String::new();
        for path in &self.output {
            let text = text_of(path);
            let mut start = text.len().saturating_sub(SHOWN_BYTES);
            while !text.is_char_boundary(start) {
                start += 1;
            }
            words.push_str(&text[start..]);
        }
        words
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "the words of a program explain why its test failed")]
            {
                eprintln!("--- {} wrote ---\n{}", self.name, self.words());
            }
        }
        // Both fail only when the program is gone already, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a finished command said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

impl Said {
    /// The one JSON value that it wrote to standard output.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("not the JSON expected: {error}\n{self:?}"))
    }

    /// Itself, if it ended with this exit code; panics otherwise.
    #[expect(clippy::return_self_not_must_use, reason = "often the exit code is all that a test wants to know")]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "another exit code: {self:?}");
        self
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Said {
        code: status.code().unwrap_or_else(|| panic!("{command:?} ended by a signal: {status}")),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// Where a program of the system is. Panics with the name of its Debian package if it is missing: a test that cannot
/// run has failed.
pub fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|dir| dir.join(name)).find(|file| file.is_file()).unwrap_or_else(
        || panic!("`{name}` is missing: `apt-get install {package}`, or `sh tests/install-packages.sh` for all"),
    )
}

/// The text of a file; empty if there is none.
#[expect(clippy::disallowed_methods, reason = "the tests read what the programs wrote")]
pub fn text_of(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Writes a file.
#[expect(clippy::disallowed_methods, reason = "the tests write what the programs read")]
pub fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

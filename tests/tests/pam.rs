//! `ratter-pam` in a real PAM stack: a listed address is refused before its password is looked at, and wrong passwords count.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use ratter_tests::place::free_port;
use ratter_tests::process::{program, run, write};
use ratter_tests::ratter::{Config, Node, helper};

/// A service of PAM for this test alone, which is gone when it is dropped.
struct Service(PathBuf);

impl Service {
    /// The password database is whether the remote user is called `knows-it`, because no test changes the system's own.
    fn new(name: &str, gate: &str) -> Self {
        let helper = helper("ratter-pam");
        let ask = format!("pam_exec.so quiet {} --wait 5s", helper.display());
        let text = format!(
            "auth requisite {ask} {gate}\nauth [success=1 default=ignore] pam_succeed_if.so quiet ruser = knows-it\n\
             auth requisite {ask} --failed {gate}\nauth required pam_permit.so\naccount required {ask} {gate}\n"
        );
        let path = PathBuf::from("/etc/pam.d").join(name);
        write(&path, &text);
        Self(path)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

#[test]
fn a_listed_address_is_refused_and_wrong_passwords_count() {
    let gate = free_port();
    let node = Node::start(&Config::new().with(&format!("[gate.line]\nlisten = [\"{gate}\"]")));
    let name = format!("ratter-test-{}", std::process::id());
    let _service = Service::new(&name, &gate.to_string());
    let login = |address: &str, who: &str| {
        let mut command = Command::new(program("pamtester", "pamtester"));
        command.args(["-I", &format!("rhost={address}"), "-I", &format!("ruser={who}")]);
        command.args([&name, "alice", "authenticate", "acct_mgmt"]);
        run(&mut command).code == 0
    };
    assert!(login("198.51.100.7", "knows-it"));
    node.cli(&["list", "203.0.113.5", "--reason", "test"]).with_code(0);
    assert!(!login("203.0.113.5", "knows-it"));
    for _ in 0..5 {
        assert!(!login("203.0.113.9", "guesses"));
    }
    node.wait_listed("203.0.113.9", "blocked");
    assert!(!login("203.0.113.9", "knows-it"));
    assert!(login("mail.example.org", "knows-it"), "a name is no address, and nobody is refused for it");
}

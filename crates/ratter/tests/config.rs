//! The configuration from outside: what is read, and how every fault of it is shown.
//!
//! The cases of faults stand in `config_faults/*.md`, each as a piece of a configuration and what is printed for it.
//! `RATTER_BLESS=1 cargo test -p ratter --test config` writes what is printed now into them, to be read in the diff.
#![expect(clippy::disallowed_methods, reason = "tests read their cases and make their files")]
#![expect(clippy::unwrap_used, reason = "a helper of tests may fail like a test")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dnsbl::access::{Permit, Policy, Refusal};
use proptest::prelude::*;
use ratter::config::{
    Config, DEFAULT, Faults, LogFormat, Machine, Probe, Start, Transport, Tries, keys, load, load_file,
};
use rules::{Effect, Of, Profile, Then, Trigger};

/// Least number of cases in all, and of faults in the case that has them all at once.
const CASES_MIN: usize = 40;
const FAULTS_AT_ONCE_MIN: usize = 10;

/// A machine on which everything works.
struct Willing;

impl Probe for Willing {
    fn read(&self, path: &Path, _: usize) -> io::Result<Vec<u8>> {
        let is_keys = path.ends_with("tsig.keys");
        let key = b"hmac-sha256:mirror:c2VjcmV0IG9mIG91ciBvd24sIDMyIG9jdGV0cyBsb25n\n";
        Ok(if is_keys { key.to_vec() } else { b"from-the-file\n".to_vec() })
    }
    fn is_private(&self, _: &Path) -> io::Result<bool> {
        Ok(true)
    }
    fn can_follow(&self, _: &Path) -> io::Result<bool> {
        Ok(true)
    }
    fn can_write_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn can_write_in(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn can_bind(&self, _: SocketAddr, _: Transport) -> io::Result<()> {
        Ok(())
    }
    fn can_bind_unix(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn knows_time_zone(&self, _: &str) -> bool {
        true
    }
}

/// A folder with the files that cases speak of, and a port that is taken.
struct Scene {
    folder: tempfile::TempDir,
    taken: TcpListener,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        write("mail.log", b"");
        write("secret", b"swordfish\n");
        write("long-key", b"0123456789abcdef0123\n");
        write("empty", b"\n");
        write("two-lines", b"one\ntwo\n");
        write("binary", b"\xff\xfe");
        write("long", &[b'x'; 2000]);
        write("open-keys", b"hmac-sha256:mirror:c2VjcmV0IG9mIG91ciBvd24sIDMyIG9jdGV0cyBsb25n\n");
        write("keys", b"# ours\nhmac-sha256:mirror:c2VjcmV0IG9mIG91ciBvd24sIDMyIG9jdGV0cyBsb25n\n");
        write("bad-keys", b"hmac-md5:mirror:c2VjcmV0\nhmac-sha256:a:c2VjcmV0\n\nc2VjcmV0\n");
        write("cookies", b"0123456789abcdef\n");
        write("list", b"127.0.0.2\n");
        for private in ["keys", "bad-keys", "cookies"] {
            fs::set_permissions(folder.path().join(private), fs::Permissions::from_mode(0o640)).unwrap();
        }
        fs::create_dir(folder.path().join("folder")).unwrap();
        // Ephemeral ports have five digits, which keeps the carets of the cases where they are.
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { folder, taken }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ratter.toml")
    }

    /// What is printed for `text`, without what differs from run to run.
    fn print(&self, text: &str) -> String {
        let port = self.taken.local_addr().unwrap().port().to_string();
        assert_eq!(port.len(), 5, "the carets of the cases stand for five digits");
        let node = if text.contains("node]") { "" } else { "\n[node]\nstate = \"state\"\n" };
        let text = format!("{text}{node}").replace("PORT5", &port);
        let faults = match load(Some(&self.path()), &text, &Machine { tries: Tries::Ports }) {
            Ok(config) => config.warnings,
            Err(faults) => faults,
        };
        let folder = format!("{}/", self.folder.path().display());
        faults.render(false).replace(&folder, "").replace(&port, "PORT5")
    }
}

/// The cases of one file: for each the text between the fences of its `toml` block and of its `text` block.
fn cases(text: &str) -> Vec<(&str, &str)> {
    let block = |part: &'static str| {
        let open = format!("```{part}\n");
        move |text: &str| {
            let start = text.find(&open)? + open.len();
            Some((start, start + text[start..].find("\n```\n")? + 1))
        }
    };
    let (toml, shown) = (block("toml"), block("text"));
    let mut rest = text;
    let mut cases = Vec::new();
    while let Some((start, end)) = toml(rest) {
        let input = &rest[start..end];
        rest = &rest[end..];
        let (start, end) = shown(rest).unwrap_or_else(|| panic!("no ```text after:\n{input}"));
        cases.push((input, &rest[start..end]));
        rest = &rest[end..];
    }
    cases
}

/// How many rules are shipped.
const SHIPPED: usize = 33;

#[test]
fn every_fault_is_shown_with_file_line_caret_and_hint() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config_faults");
    let bless = std::env::var_os("RATTER_BLESS").is_some();
    let scene = Scene::new();
    let (mut count, mut most_errors, mut differing) = (0, 0, Vec::new());
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut blessed = text.clone();
        for (input, wanted) in cases(&text) {
            let got = scene.print(input);
            count += 1;
            most_errors = most_errors.max(got.lines().filter(|line| line.starts_with("error:")).count());
            if got.trim_end() != wanted.trim_end() {
                let case = format!("{input}```\n\n```text\n");
                blessed = blessed.replace(&format!("{case}{wanted}"), &format!("{case}{}\n", got.trim_end()));
                differing.push(format!("{}:\n{input}\nwanted:\n{wanted}\ngot:\n{got}", file.display()));
            }
        }
        if bless {
            fs::write(&file, blessed).unwrap();
        }
    }
    assert!(bless || differing.is_empty(), "{}", differing.join("\n\n"));
    assert!(count >= CASES_MIN, "{count} cases are left");
    assert!(most_errors >= FAULTS_AT_ONCE_MIN, "no case has {FAULTS_AT_ONCE_MIN} faults at once");
}

#[test]
fn files_that_cannot_be_read_are_shown_as_faults() {
    let scene = Scene::new();
    let folder = format!("{}/", scene.folder.path().display());
    let show = |name: &str| {
        let path = scene.folder.path().join(name);
        load_file(&path, &Machine { tries: Tries::Ports }).unwrap_err().to_string().replace(&folder, "")
    };
    let missing = show("nowhere.toml");
    assert!(missing.contains("nowhere.toml") && missing.contains("no such file"), "{missing}");
    assert!(show("folder").contains("is a directory"));
    fs::write(scene.path(), b"[node]\nname = \"m\xfcller\"\n").unwrap();
    let latin = show("ratter.toml");
    assert!(latin.contains("ratter.toml:2:10") && latin.contains("not UTF-8"), "{latin}");
    fs::write(scene.path(), vec![b'#'; 2 * 1024 * 1024]).unwrap();
    assert!(show("ratter.toml").contains("file too large"));
}

fn days(days: u64) -> Duration {
    Duration::from_hours(24 * days)
}

fn good(text: &str) -> Config {
    load(Some(Path::new("/etc/ratter/ratter.toml")), text, &Willing).unwrap_or_else(|faults| panic!("{text}\n{faults}"))
}

#[test]
fn the_built_in_configuration_is_whole() {
    let config = load(None, DEFAULT, &Willing).unwrap();
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    assert_eq!(config.node.state, Path::new("./state"));
    assert_eq!(config.node.control, Path::new("./state/control.sock"));
    assert_eq!(config.gates.dovecot.as_ref().unwrap().listen.to_string(), "127.0.0.1:4001");
    assert_eq!(config.console.unwrap().listen.to_string(), "127.0.0.1:9053");
    let dnsbl = config.dnsbl.as_ref().unwrap();
    assert_eq!((dnsbl.origin.as_str(), dnsbl.contact.as_str()), ("bl.example.org", "hostmaster@bl.example.org"));
    assert_eq!(dnsbl.listen, ["127.0.0.1:5300".parse().unwrap()]);
    assert_eq!((config.sensors.len(), config.sensors[0].from), (1, Start::Start));
    let rules: Vec<_> = config.rules.iter().map(|rule| &*rule.name).collect();
    assert_eq!(rules[..4], ["login-attacked", "address-guesses", "many-logins", "blocked-again"]);
    assert_eq!(rules.len(), SHIPPED);
    let lists: Vec<_> =
        config.lists.iter().map(|list| (list.name.as_str(), list.code.map(|code| code.octets()[3]))).collect();
    let wanted = [
        ("blocked", None),
        ("dyna", Some(36)),
        ("noptr", Some(37)),
        ("spam", Some(38)),
        ("auth", Some(43)),
        ("null", Some(44)),
    ];
    assert_eq!(lists, wanted);
    let Effect::List { list, span } = config.rules[3].effect else { panic!("{:?}", config.rules[3]) };
    assert_eq!((list.index(), span, config.rules[3].on), (4, days(7), Trigger::Blocked));
    assert_eq!(config.rules[3].distinct.unwrap().of, Of::Guess);
    let minutes = Duration::from_mins;
    assert_eq!(config.rules[0].effect, Effect::Block { span: minutes(10), then: Then::Tarpit(minutes(1)) });
    assert_eq!(config.rules[1].effect, Effect::Block { span: minutes(5), then: Then::Refuse });
}

#[test]
fn the_least_configuration_has_defaults_but_no_parts() {
    let config = good("[node]\nstate = \"/var/lib/ratter\"\n");
    assert!(
        config.sensors.is_empty()
            && config.gates.dovecot.is_none()
            && config.dnsbl.is_none()
            && config.console.is_none()
    );
    assert_eq!((config.rules.len(), config.lists.len(), config.node.log), (SHIPPED, 6, LogFormat::Text));
    assert_eq!((config.login.profile, config.login.tarpits, config.login.tarpits_per_address), (Profile::Smart, 50, 5));
    assert_eq!(config.login.known_addresses, Some(days(30)));
    assert_eq!(config.limits.subjects, 1_000_000);
}

#[test]
fn a_file_adds_to_the_shipped_rules_or_replaces_them() {
    let own = "name = \"address-guesses\"\non = \"login-failed\"\nby = \"address\"\ncount = 9\nwithin = \"1m\"\nblock.for = \"5m\"\n";
    let node = "[node]\nstate = \"/s\"\n";
    let config = good(&format!("{node}[[rule]]\n{own}"));
    assert_eq!((config.rules.len(), config.rules[1].count), (SHIPPED, 9));
    let config = good(&format!("{node}[[rule]]\n{}", own.replace("address-guesses", "mine")));
    assert_eq!((config.rules.len(), &*config.rules[SHIPPED].name), (SHIPPED + 1, "mine"));
    let config = good(&format!("{node}[rules]\nshipped = false\n[[rule]]\n{own}"));
    assert_eq!(config.rules.len(), 1);
    // The shipped rules find their list at another place.
    let config = good(&format!("{node}[[list]]\nname = \"auth\"\ncode = \"127.0.0.43\"\nlifetime = \"2d\"\n"));
    assert_eq!((config.lists.len(), config.rules.len()), (2, 16), "rules of lists that are not there are left out");
    assert!(matches!(config.rules[2].effect, Effect::List { list, .. } if list.index() == 1));
    // Without `for`, a listing lasts as long as its list says.
    let text = "[[list]]\nname = \"auth\"\nlifetime = \"2d\"\n[[rule]]\nlist.on = \"auth\"\n";
    let config = good(&format!("{node}{text}{}", own.replace("block.for = \"5m\"\n", "")));
    assert!(matches!(config.rules[1].effect, Effect::List { span, .. } if span == days(2)));
}

#[test]
fn paths_start_at_the_file_and_secrets_stay_hidden() {
    let config = good(
        "[node]\nstate = \"state\"\nnever-list = [\"192.0.2.0/24\", \"login:Alice\"]\n\
         [gate.dovecot]\npassword-file = \"secret\"\n[login]\nknown-addresses = \"off\"\n",
    );
    assert_eq!(config.node.control, Path::new("/etc/ratter/state/control.sock"));
    assert_eq!((config.node.never_list.len(), config.node.never_logins[0].as_str()), (1, "alice"));
    assert_eq!(config.login.known_addresses, None);
    let gate = config.gates.dovecot.unwrap();
    assert_eq!(gate.password.as_ref().unwrap().expose(), "from-the-file");
    assert!(!format!("{gate:?}").contains("from-the-file"));
}

/// The rows of the tables in `docs/configuration.md`: each key below the section that its heading names, with its default.
fn documented() -> BTreeMap<String, String> {
    let mut section = "";
    let mut keys = BTreeMap::new();
    for line in include_str!("../../../docs/configuration.md").lines() {
        if line.starts_with('#') {
            section = line.split('`').nth(1).unwrap_or_default().trim_matches(['[', ']']);
        } else if let Some(row) = line.strip_prefix("| `").filter(|_| !section.is_empty()) {
            let (key, rest) = row.split_once('`').unwrap();
            let default = rest.split('|').nth(2).unwrap().trim();
            assert!(
                keys.insert(format!("{section}.{key}"), default.to_owned()).is_none(),
                "{section}.{key} is there twice"
            );
        }
    }
    keys
}

#[test]
fn every_key_is_documented_with_its_default() {
    let documented = documented();
    let known = keys();
    let names = |keys: Vec<&String>| keys.into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(names(documented.keys().collect()), names(known.keys().collect()));
    for (key, default) in known {
        if let Some(default) = default {
            assert_eq!(documented[&key], format!("`{default}`"), "the default of {key}");
        }
    }
}

#[test]
fn zones_take_over_what_they_do_not_say_themselves() {
    let text = r#"
[node]
state = "/s"
name = "n.example.net"
[dnsbl]
origin = "bl.example.org"
listen = ["127.0.0.1:5300"]
[dnsbl.access]
free = ["192.0.2.0/26"]
refused = ["192.0.2.0/24"]
ignored = ["198.51.100.0/24"]
replies = "9/s"
[[dnsbl.zone]]
name = "auth"
slip = 5
ignored = []
[[dnsbl.zone]]
name = "spam"
policy = "key"
replies = "7/s"
free = ["192.0.2.0/24"]
"#;
    let config = good(text);
    let dnsbl = config.dnsbl.as_ref().unwrap();
    let seen: Vec<String> = dnsbl
        .access
        .iter()
        .map(|(_, rules)| {
            let networks: Vec<_> =
                rules.networks.iter().map(|(network, permit)| format!("{network} {permit:?}")).collect();
            let limit = rules.limit.unwrap();
            format!("{} {}; {}", limit.per_second, limit.slip, networks.join(", "))
        })
        .collect();
    let wanted = [
        "9 2; 192.0.2.0/26 Free, 192.0.2.0/24 Refuse, 198.51.100.0/24 Ignore",
        "9 5; 192.0.2.0/26 Free, 192.0.2.0/24 Refuse",
        "7 2; 192.0.2.0/24 Free, 192.0.2.0/26 ByPolicy, 198.51.100.0/24 Ignore",
    ];
    assert_eq!(seen, wanted);
    let warnings = config.warnings.to_string();
    assert!(warnings.contains("`spam` wants a key, and `all` tells what is on it without one"), "{warnings}");
    let nameless = good(&text.replace("name = \"n.example.net\"\n", "").replace("127.0.0.1:", "192.0.2.53:"));
    assert!(nameless.warnings.to_string().contains("is called `localhost.`"), "{}", nameless.warnings);
}

#[test]
fn a_zone_that_names_no_policy_has_that_of_all_zones() {
    let access = |own: &str, all: &str| {
        let text = format!(
            "[node]\nstate = \"/s\"\nname = \"n.example.net\"\n[dnsbl]\norigin = \"bl.example.org\"\n\
             listen = [\"127.0.0.1:5300\"]\n[dnsbl.access]\n{all}\n[[dnsbl.zone]]\n{own}\n"
        );
        let config = good(&text);
        let (_, rules) = config.dnsbl.as_ref().unwrap().access.last().unwrap();
        let free = rules.networks.iter().filter(|(_, permit)| *permit == Permit::Free).count();
        let warnings = config.warnings.to_string().matches("without one").count();
        (rules.policy, rules.refusal, free, warnings)
    };
    let all = "policy = \"key\"\nrefusal = \"code\"\nfree = [\"192.0.2.0/24\"]";
    let below = "policy = \"open-below\"\nrate = \"5/s\"";
    let [codes, refused] = [Refusal::Codes, Refusal::Refused];
    let cases = [
        ("name = \"pol\"\nlists = [\"auth\", \"spam\"]", all, (Policy::Key, codes, 1, 0)),
        ("name = \"dyna\"\nreplies = \"100/s\"", all, (Policy::Key, codes, 1, 0)),
        ("name = \"dyna\"\nfree = []", all, (Policy::Key, codes, 0, 0)),
        ("name = \"dyna\"\nrefusal = \"refused\"", all, (Policy::Key, refused, 1, 0)),
        // Whoever opens one is told what it tells.
        ("name = \"pol\"\npolicy = \"open\"\nlists = [\"auth\", \"spam\"]", all, (Policy::Open, codes, 0, 2)),
        ("name = \"all\"\npolicy = \"open\"", all, (Policy::Open, codes, 0, 5)),
        ("name = \"dyna\"", below, (Policy::OpenBelow(5), refused, 0, 0)),
        ("name = \"dyna\"\nrate = \"9/s\"", below, (Policy::OpenBelow(9), refused, 0, 0)),
    ];
    for (own, all, wanted) in cases {
        assert_eq!(access(own, all), wanted, "{own}");
    }
}

#[test]
fn every_example_of_the_guide_is_valid() {
    let guide = include_str!("../../../docs/configuration.md");
    let examples: Vec<_> = guide.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 3);
    for example in examples {
        let node = if example.contains("[node]") { "" } else { "[node]\nstate = \"/s\"\n" };
        let config = good(&format!("{example}{node}"));
        assert!(config.warnings.is_empty(), "{example}\n{}", config.warnings);
    }
    let installed = good(include_str!("../../../contrib/ratter.toml"));
    assert!(installed.warnings.is_empty(), "{}", installed.warnings);
}

/// Whatever is wrong, it is a fault within the text, and showing it works.
fn survives(text: &str) -> Result<(), TestCaseError> {
    let faults: Faults = match load(None, text, &Willing) {
        Ok(config) => config.warnings,
        Err(faults) => {
            prop_assert!(faults.errors() > 0);
            faults
        }
    };
    for fault in faults.iter() {
        prop_assert!(fault.place.end <= text.len() && fault.place.start <= fault.place.end);
    }
    prop_assert!(!faults.render(true).is_empty() && !faults.render(false).is_empty());
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        survives(&String::from_utf8_lossy(&bytes))?;
    }

    /// The built-in configuration with pieces cut out, doubled and replaced: most of it still makes sense.
    #[test]
    fn any_mutilation_is_survived(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..40, "[\\PC\n]{0,12}"), 1..6),
    ) {
        let mut text: Vec<char> = DEFAULT.chars().collect();
        for (place, length, new) in cuts {
            let start = place.index(text.len() + 1);
            let end = (start + length).min(text.len());
            text.splice(start..end, new.chars());
        }
        survives(&text.into_iter().collect::<String>())?;
    }

    /// Any value in the place of any other.
    #[test]
    fn any_value_is_survived(
        line in any::<prop::sample::Index>(),
        value in prop::sample::select(vec![
            "0", "-1", "1e400", "nan", "true", "[]", "[1]", "{}", "{ a = 1 }", "\"\"", "\"\\u0000\"", "\"\\U0001F400\"",
            "99999999999999999999999999999999999999999999", "0xffff_ffff_ffff_ffff_f", "2026-11-21T07:44:14Z", "\"-\"",
            "\"999999999999999w\"", "[[[]]]", "\"::\"", "\"login:\"", "'''\n\n'''", "\"//\"", "\".\"", "\"@\"", "\":0\"",
        ]),
    ) {
        let mut lines: Vec<String> = DEFAULT.lines().map(str::to_owned).collect();
        let keys: Vec<usize> = (0..lines.len()).filter(|index| lines[*index].contains(" = ")).collect();
        let line = keys[line.index(keys.len())];
        let key = lines[line].split(" = ").next().unwrap().to_owned();
        lines[line] = format!("{key} = {value}");
        survives(&lines.join("\n"))?;
    }
}

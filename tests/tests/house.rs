//! The house rules that a compiler does not know: which room may see which, what a dependency must say of itself, how
//! long a file may be. Each failure names the line and what to do.

#![expect(clippy::disallowed_methods, reason = "a test of the tree reads the tree")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each room may depend on (`ARCHITECTURE.md`, "The rooms"). Only the binary sees every room.
const ARROWS: [(&str, &[&str]); 15] = [
    ("base", &[]),
    ("sensors", &["base"]),
    ("listings", &["base"]),
    ("resolver", &["base"]),
    ("rdns", &["base", "resolver"]),
    ("rules", &["base", "listings"]),
    ("store", &["base", "listings", "rules"]),
    ("dnsbl", &["base", "listings", "resolver"]),
    ("gates", &["base", "rules"]),
    ("actions", &["base", "listings"]),
    ("console", &["base"]),
    ("passwords", &[]),
    ("checkpassword", &[]),
    (
        "ratter",
        &[
            "base",
            "sensors",
            "listings",
            "resolver",
            "rdns",
            "rules",
            "store",
            "dnsbl",
            "gates",
            "actions",
            "console",
            "passwords",
        ],
    ),
    ("sim", &["base", "rules"]),
];

/// Rooms whose core may not know of threads, sockets and runtimes: those stand behind the feature `io`.
const PURE_ROOMS: [&str; 8] = ["base", "sensors", "rdns", "rules", "dnsbl", "gates", "actions", "passwords"];

/// Most lines of a source file, its tests included.
const FILE_LINES_MAX: usize = 700;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package stands in the workspace").to_owned()
}

fn manifest(path: &Path) -> toml::Table {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Rust files of the project that git would take.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![top().join("crates"), top().join("tests"), top().join("bench")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a folder can be read").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 50, "the search for sources has gone wrong: {} found", found.len());
    found
}

#[test]
fn no_room_sees_a_room_that_it_may_not() {
    let folders = fs::read_dir(top().join("crates")).expect("there are crates");
    let mut faults = Vec::new();
    for folder in folders {
        let folder = folder.expect("a folder can be read").path();
        let room = folder.file_name().expect("it has a name").to_string_lossy().into_owned();
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            faults.push(format!("crates/{room} is no room that ARCHITECTURE.md knows"));
            continue;
        };
        let manifest = manifest(&folder.join("Cargo.toml"));
        let dependencies = manifest["dependencies"].as_table().expect("it is a table");
        for dependency in dependencies.keys() {
            let is_room = ARROWS.iter().any(|(name, _)| name == dependency);
            if is_room && !allowed.contains(&dependency.as_str()) {
                faults.push(format!("crates/{room} sees `{dependency}`, which it may not"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn pure_cores_know_no_runtime() {
    let mut faults = Vec::new();
    for room in PURE_ROOMS {
        let manifest = manifest(&top().join("crates").join(room).join("Cargo.toml"));
        for (name, value) in manifest["dependencies"].as_table().expect("it is a table") {
            let is_optional = value.get("optional").and_then(toml::Value::as_bool).unwrap_or(false);
            if ["tokio", "socket2", "libc", "rustix", "rusqlite", "axum", "hyper"].contains(&name.as_str())
                && !is_optional
            {
                faults.push(format!("crates/{room} depends on `{name}` outside its feature `io`"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_dependency_says_what_for_and_why_this_one() {
    let text = fs::read_to_string(top().join("Cargo.toml")).expect("there is a manifest");
    let block = text.split("[workspace.dependencies]").nth(1).expect("there is the section");
    let block = block.split("\n[").next().expect("it ends somewhere");
    let mut faults = Vec::new();
    let mut previous = "";
    for line in block.lines() {
        let is_ours = line.contains("path = \"crates/");
        if line.contains(" = ") && !line.starts_with('#') && !is_ours && !previous.starts_with("# ") {
            faults.push(format!("no comment above `{line}`"));
        }
        previous = line;
    }
    for member in manifest(&top().join("Cargo.toml"))["workspace"]["members"].as_array().expect("there are members") {
        let path = top().join(member.as_str().expect("a path")).join("Cargo.toml");
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = manifest(&path).get(section).and_then(|s| s.as_table().cloned()) else { continue };
            for (name, value) in dependencies {
                if value.get("workspace").is_none() {
                    faults.push(format!("{}: `{name}` has no comment in the workspace's manifest", path.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_file_is_longer_than_it_may_be() {
    let mut faults = Vec::new();
    for path in sources() {
        let lines = fs::read_to_string(&path).expect("it can be read").lines().count();
        if lines > FILE_LINES_MAX {
            faults.push(format!("{} has {lines} lines: what second thing lives in it?", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn unsafe_code_stands_where_it_is_announced() {
    // One file per system call family, and the counting allocators of the tests that prove how much memory is taken.
    const ANNOUNCED: [&str; 7] = [
        "crates/dnsbl/src/io/mmsg.rs",
        "crates/gates/src/io/inherited.rs",
        "crates/gates/src/io/wake.rs",
        "crates/checkpassword/src/fd.rs",
        "crates/ratter/src/hangup.rs",
        "crates/ratter/src/memory.rs",
        "crates/sensors/src/io/turns.rs",
    ];
    const COUNTING: [&str; 2] = ["tests/alloc.rs", "tests/memory.rs"];
    let top = top();
    let mut faults = Vec::new();
    for path in sources() {
        let name = path.strip_prefix(&top).expect("it is below").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("it can be read");
        let is_allowed = ANNOUNCED.contains(&name.as_str())
            || COUNTING.iter().any(|test| name.ends_with(test))
            || name.contains("/examples/");
        let needle = concat!("unsafe", " ");
        if text.contains(needle) && !is_allowed && !name.ends_with("tests/house.rs") {
            faults.push(format!("{name} has unsafe code"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The whole tree of dependencies as `cargo metadata` knows it, without asking the network.
fn packages() -> BTreeMap<String, String> {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .current_dir(top())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("there are packages");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    packages.iter().map(|package| (text(&package["name"]), text(&package["license"]))).collect()
}

#[test]
fn no_dependency_is_banned_or_copyleft() {
    let deny = manifest(&top().join("deny.toml"));
    let allowed = deny["licenses"]["allow"].as_array().expect("it is a list");
    let banned = deny["bans"]["deny"].as_array().expect("it is a list");
    let mut faults = Vec::new();
    for (name, licence) in packages() {
        if banned.iter().any(|entry| entry["crate"].as_str() == Some(&name)) {
            faults.push(format!("`{name}` is banned by deny.toml"));
        }
        // `A OR B` needs one that is allowed, `A AND B` all of them; brackets only group alternatives in practice.
        let is_allowed = |licence: &str| allowed.iter().any(|entry| entry.as_str() == Some(licence));
        let fits = licence
            .replace(['(', ')'], "")
            .split(" AND ")
            .all(|part| part.replace('/', " OR ").split(" OR ").any(|l| is_allowed(l.trim())));
        if !fits {
            faults.push(format!("`{name}` has the licence `{licence}`"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_metric_is_documented() {
    let of = |file: &str| fs::read_to_string(top().join("crates/ratter/src/node").join(file)).expect("it can be read");
    let files = [
        "metrics.rs",
        "accounts.rs",
        "asking.rs",
        "exported.rs",
        "gates.rs",
        "gates/shown.rs",
        "reports.rs",
        "dns.rs",
        "feed.rs",
        "actions.rs",
        "tls.rs",
    ];
    let code = files.map(of).concat();
    let docs = fs::read_to_string(top().join("docs/metrics.md")).expect("it can be read");
    let mut faults = Vec::new();
    let mut known = 0;
    for (kind, suffix) in [("Metric::counter(", "_total"), ("Metric::gauge(", "")] {
        for place in code.split(kind).skip(1) {
            let name = place.trim_start().trim_start_matches('"').split('"').next().expect("a name in quotes");
            known += 1;
            let documented = [format!("`ratter_{name}{suffix}`"), format!("`ratter_{name}{suffix}{{")];
            if !documented.iter().any(|text| docs.contains(text)) {
                faults.push(format!("docs/metrics.md does not know ratter_{name}{suffix}"));
            }
        }
    }
    assert!(known > 10, "the search for metrics has gone wrong: {known} found");
    assert_eq!(docs.matches("| `ratter_").count(), known, "docs/metrics.md knows metrics that are gone");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_row_of_the_standards_names_tests_that_are_there() {
    let page = fs::read_to_string(top().join("docs/standards.md")).expect("it can be read");
    let code: String = sources().iter().map(|path| fs::read_to_string(path).expect("it can be read")).collect();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.contains("shown by"));
    let (mut faults, mut known) = (Vec::new(), 0);
    for word in rows.flat_map(|row| row.split('`').skip(1).step_by(2)) {
        // Tests have names of small letters; keys, commands and addresses have other ones, or stand in links.
        let is_name =
            word.contains('_') && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if is_name {
            known += 1;
            if !code.contains(&format!("fn {word}(")) {
                faults.push(format!("docs/standards.md names the test `{word}`, which is not there"));
            }
        }
    }
    assert!(known > 40, "the search for tests has gone wrong: {known} found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn links_between_documents_lead_somewhere() {
    let top = top();
    let mut pages = vec![top.join("README.md"), top.join("ARCHITECTURE.md"), top.join("tests/README.md")];
    let docs = fs::read_dir(top.join("docs")).expect("there are documents");
    pages.extend(docs.map(|entry| entry.expect("it can be read").path()).filter(|path| path.is_file()));
    let mut faults = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).expect("it can be read");
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            let is_ours = !target.is_empty() && !target.contains("://");
            if is_ours && !page.parent().expect("it stands in a folder").join(target).exists() {
                faults.push(format!("{} links to {target}, which is not there", page.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

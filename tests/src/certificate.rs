//! Certificates that the tests make for their servers.

use std::path::Path;
use std::process::Command;

use crate::process::{program, run};

/// Makes a certificate for `name` and for others, such as `DNS:a.example,IP:127.0.0.1`, which signs itself, and its key.
pub fn make(name: &str, others: &str, key: &Path, certificate: &Path) {
    let mut make = Command::new(program("openssl", "openssl"));
    make.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]);
    make.args(["-subj", &format!("/CN={name}"), "-addext", &format!("subjectAltName={others}")]);
    make.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    run(make.arg("-keyout").arg(key).arg("-out").arg(certificate)).with_code(0);
}

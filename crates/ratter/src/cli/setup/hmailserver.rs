//! hMailServer (Windows): event handlers in VBScript, which ask over HTTP.

use std::path::PathBuf;

use anyhow::bail;
use base::base64;
use gates::io::Place;

use super::{Asked, MARK, Planned, Recipe, Wait};
use crate::cli::Failure;
use crate::config::AskingGate;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// How the Windows machine reaches the HTTP gate, such as `http://192.0.2.5:4005` [default: where it listens]
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Ask this zone by DNS instead, such as auth.bl.example.org; wrong logins are then not reported
    #[arg(long, value_name = "ZONE", conflicts_with = "url")]
    zone: Option<String>,

    /// The code with which the zone lists an address
    #[arg(long, value_name = "CODE", default_value = "127.0.0.43")]
    code: std::net::Ipv4Addr,

    /// The file that is written
    #[arg(long, value_name = "FILE", default_value = "EventHandlers.vbs")]
    file: PathBuf,

    #[command(flatten)]
    wait: Wait,
}

pub(super) fn recipe(arguments: &Arguments, asked: &Asked<'_>) -> Result<Recipe, Failure> {
    let body = match &arguments.zone {
        Some(zone) if is_name(zone) => over_dns(arguments, zone, asked)?,
        Some(zone) => return Err(Failure::Usage(format!("ratter: `{}` is no zone", zone.escape_debug()))),
        None => over_http(arguments, asked)?,
    };
    let file = std::path::absolute(&arguments.file).map_err(anyhow::Error::from)?;
    let heading = format!("' {MARK} hmailserver`, which replaces it as a whole: keep what is yours elsewhere.\n");
    // Windows' editors want both line ends.
    let text = (heading + &body).replace('\n', "\r\n");
    Ok(Recipe {
        name: "hmailserver",
        files: vec![Planned { path: file, mode: 0o600, text }],
        commands: Vec::new(),
        steps: reach(&body).into_iter().chain([
            "Copy it to C:\\Program Files (x86)\\hMailServer\\Events\\EventHandlers.vbs; where you have handlers of your own, \
             copy the two procedures into yours."
                .to_owned(),
            "In hMailServer Administrator: Settings, Advanced, Scripts: enable, language VBScript, Check syntax, Reload scripts."
                .to_owned(),
        ]).collect(),
        probe: Box::new(|_| bail!("hMailServer runs on another machine: connect to it, and look at `ratter status`")),
    })
}

fn over_http(arguments: &Arguments, asked: &Asked<'_>) -> Result<String, Failure> {
    let hint = "hMailServer asks the HTTP gate: add to the configuration\n\n[gate.http]\nlisten = [\"192.0.2.5:4005\"]\n\
                api-key-file = \"/etc/ratter/http.key\"\n";
    let gate = asked.config.gates.http.as_ref().ok_or_else(|| Failure::Usage(format!("ratter: {hint}")))?;
    let tcp = gate.listen.iter().find_map(|place| match place {
        Place::Tcp(address) => Some(format!("http://{address}")),
        Place::Unix(_) => None,
    });
    let url = arguments.url.clone().or(tcp).ok_or_else(|| Failure::Usage(format!("ratter: {hint}")))?;
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if !is_plain(&url) || !(url.starts_with("http://") || url.starts_with("https://")) {
        return Err(Failure::Usage(format!("ratter: `{}` is no URL", url.escape_debug())));
    }
    let header =
        |name: &str, value: &str| format!("    http.setRequestHeader \"{name}\", \"{}\"\n", value.replace('"', "\"\""));
    let key = match (&gate.api_key, &gate.password) {
        (Some(key), _) => header(&gate.api_header, key.expose()),
        (None, Some(password)) => {
            let credentials = base64::encode(format!("ratter:{}", password.expose()).as_bytes());
            header("Authorization", &format!("Basic {credentials}"))
        }
        (None, None) => String::new(),
    };
    let wait = arguments.wait.of(asked.config, AskingGate::Http).as_millis().to_string();
    Ok(HTTP.replace("@WAIT@", &wait).replace("@URL@", url.trim_end_matches('/')).replace("    @KEY@\n", &key))
}

/// The script that asks by DNS. A code that the zone never answers with would let everybody in, and nobody would notice.
fn over_dns(arguments: &Arguments, zone: &str, asked: &Asked<'_>) -> Result<String, Failure> {
    let code = arguments.code;
    if code.octets()[0] != 127 || code.octets()[..3] == [127, 255, 255] || code == std::net::Ipv4Addr::LOCALHOST {
        return Err(Failure::Usage(format!(
            "ratter: {code} is no code of a list: those are of 127.0.0.0/8, from 127.0.0.2 on"
        )));
    }
    let name = zone.trim_end_matches('.').to_ascii_lowercase();
    if let Some(dnsbl) = &asked.config.dnsbl
        && let Some(label) = name.strip_suffix(&format!(".{}", dnsbl.origin))
    {
        let codes: Vec<_> = asked.config.lists.iter().filter(|list| list.name == label).map(|list| list.code).collect();
        match codes.first() {
            Some(Some(own)) if *own != code => {
                return Err(Failure::Usage(format!(
                    "ratter: {zone} lists with {own}, and never with {code}: add `--code {own}`"
                )));
            }
            Some(None) => return Err(Failure::Usage(format!("ratter: the list `{label}` is not published"))),
            Some(Some(_)) | None => {}
        }
    }
    Ok(DNS.replace("@ZONE@", zone).replace("@CODE@", &code.to_string()))
}

/// What to say about the address in the script, where another machine cannot reach it.
fn reach(script: &str) -> Option<String> {
    let (_, url) = script.split_once("http.open method, \"")?;
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '"']).next()?;
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().ok();
    let why = match ip {
        Some(ip) if ip.is_unspecified() => "stands for every address of this machine and is none to connect to",
        Some(ip) if ip.is_loopback() => "is reached from this machine alone",
        _ if host == "localhost" => "is reached from this machine alone",
        _ => return None,
    };
    Some(format!(
        "The script asks {host}, which {why}: make it again with `--url http://ADDRESS:PORT`, as Windows reaches it."
    ))
}

fn is_name(zone: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    zone.len() <= 200 && zone.trim_end_matches('.').split('.').all(is_label)
}

/// What an answer is waited for: hMailServer serves nobody else on that thread meanwhile.
const HTTP: &str = r#"
' What Ratter answers; empty if it is silent, so that the client goes on.
Function RatterAsks(method, path)
    On Error Resume Next
    Dim http
    Set http = CreateObject("MSXML2.ServerXMLHTTP.6.0")
    ' In milliseconds: to find the address, to connect, to send, and for the answer.
    http.setTimeouts @WAIT@, @WAIT@, @WAIT@, @WAIT@
    http.open method, "@URL@" & path & "&format=text", False
    @KEY@
    http.send
    If Err.Number = 0 Then
        If http.status = 200 Then RatterAsks = Trim(http.responseText)
    End If
End Function

' A text for a URL: letters and digits as they are, all else escaped.
Function RatterEscaped(text)
    Dim i, c
    For i = 1 To Len(text)
        c = AscW(Mid(text, i, 1)) And &HFFFF&
        If (c >= 48 And c <= 57) Or (c >= 65 And c <= 90) Or (c >= 97 And c <= 122) Then
            RatterEscaped = RatterEscaped & ChrW(c)
        ElseIf c < 128 Then
            RatterEscaped = RatterEscaped & "%" & Right("0" & Hex(c), 2)
        Else
            RatterEscaped = RatterEscaped & "_"
        End If
    Next
End Function

Sub OnClientConnect(oClient)
    ' Below zero is refused, for good or for now: dropping the connection is all that there is here.
    If Left(RatterAsks("GET", "/v1/check?address=" & RatterEscaped(oClient.IPAddress)), 1) = "-" Then Result.Value = 1
End Sub

Sub OnClientLogon(oClient)
    Dim how
    how = "failed"
    If oClient.Authenticated Then how = "ok"
    RatterAsks "POST", "/v1/report?result=" & how & "&address=" & RatterEscaped(oClient.IPAddress) & "&login=" & RatterEscaped(oClient.Username)
End Sub
"#;

const DNS: &str = r#"
' Whether the zone answers with exactly this code; anything else, and any error, lets the client go on.
Function RatterLists(address)
    On Error Resume Next
    Dim parts, said, lines, line, i
    RatterLists = False
    parts = Split(address, ".")
    If UBound(parts) <> 3 Then Exit Function
    For i = 0 To 3
        If Not IsNumeric(parts(i)) Then Exit Function
    Next
    Set said = CreateObject("WScript.Shell").Exec("nslookup -type=A -timeout=1 -retry=1 " & _
        parts(3) & "." & parts(2) & "." & parts(1) & "." & parts(0) & ".@ZONE@.")
    If Err.Number <> 0 Then Exit Function
    lines = Split(said.StdOut.ReadAll, vbLf)
    ' The first address is that of the resolver.
    For i = 3 To UBound(lines)
        line = Trim(Replace(lines(i), vbCr, ""))
        If Right(line, Len("@CODE@") + 1) = " @CODE@" Then RatterLists = True
    Next
End Function

Sub OnClientConnect(oClient)
    If RatterLists(oClient.IPAddress) Then Result.Value = 1
End Sub
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_is_left_open() {
        for (script, places) in [(HTTP, &["@URL@", "@KEY@", "@WAIT@"][..]), (DNS, &["@ZONE@", "@CODE@"])] {
            let filled = places.iter().fold(script.to_owned(), |text, place| text.replace(place, "x"));
            assert!(!filled.contains('@'), "{filled}");
            assert!(places.iter().all(|place| script.contains(place)));
            assert!(script.contains("Sub OnClientConnect(oClient)"));
        }
    }

    #[test]
    fn addresses_that_windows_does_not_reach_are_told() {
        for (url, wanted) in [
            ("http://127.0.0.1:4005", true),
            ("http://0.0.0.0:4005", true),
            ("http://[::]:4005", true),
            ("http://[::1]:4005", true),
            ("http://localhost:4005", true),
            ("http://192.0.2.5:4005", false),
            ("http://[2001:db8::5]:4005", false),
            ("https://gate.example.org:443", false),
        ] {
            assert_eq!(reach(&HTTP.replace("@URL@", url)).is_some(), wanted, "{url}");
        }
        assert_eq!(reach(DNS), None);
    }

    #[test]
    fn zones() {
        for (zone, wanted) in
            [("auth.bl.example.org", true), ("a_b.c.", true), ("a..b", false), ("a b", false), ("\" & x", false)]
        {
            assert_eq!(is_name(zone), wanted, "{zone}");
        }
    }
}

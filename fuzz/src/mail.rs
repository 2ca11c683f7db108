//! What mail servers ask about mail: Postfix' policy delegation, and milter.

use std::sync::Arc;

use base::{ListId, ListSet, Timestamp};
use gates::alone::{Alone, per_login};
use gates::policy::{Node, Refusal, Settings};
use gates::session::Protocol;
use gates::{Messages, milter, postfix};
use rules::limits::LimitEffect;

use crate::Target;

const NOW: Timestamp = Timestamp::from_secs(1_795_247_055);

pub(crate) fn targets() -> Vec<Target> {
    vec![policy(), milter()]
}

pub(crate) fn node() -> (Node, Settings) {
    let limit = per_login(10, &["1 / 1min"], LimitEffect::Hold);
    let alone = Alone::new(vec![limit], || NOW).with_lists(ListSet::EMPTY.with(ListId::new(1)));
    let node = Node {
        messages: Some(Arc::new(Messages::default())),
        names: ["blocked", "dyna"].map(str::to_owned).into(),
        reads_log: false,
        ..alone.node()
    };
    let refuse_lists = ListSet::EMPTY;
    (node, Settings { refusal: Refusal::Reject, refuse_lists, mark_lists: ListSet::EMPTY.with(ListId::new(1)) })
}

/// Has a session read the input in two pieces; what it answers.
pub(crate) fn answers<P: Protocol>(protocol: &P, input: &[u8]) -> Vec<u8> {
    let mut session = protocol.session(None);
    let (first, second) = input.split_at(input.len() / 3);
    let output = [first, second].map(|piece| session.converse(NOW, piece, usize::MAX)).concat();
    session.ended(NOW);
    output
}

fn policy() -> Target {
    let at = |state: &str| {
        format!(
            "request=smtpd_access_policy\nprotocol_state={state}\nclient_address=203.0.113.7\nsender=alice@example.org\n\
             recipient=bob@example.net\nrecipient_count=2\nqueue_id=Q1\ninstance=2bf5.6b014d5e.addba.0\n\
             sasl_username=alice@example.org\n\n"
        )
    };
    let seeds = [at("CONNECT"), at("RCPT").repeat(3), at("RCPT") + &at("DATA") + &at("END-OF-MESSAGE") + &at("MAIL")];
    let (node, settings) = node();
    let gate = Arc::new(postfix::Gate::new(node, settings));
    Target::new("gate-policy", seeds.map(String::into_bytes).into(), move |input| {
        let output = answers(&gate, input);
        assert!(output.is_empty() || output.starts_with(b"action=") && output.ends_with(b"\n\n"));
        assert!(!output.windows(9).any(|word| word == b"action=OK"), "it skips other checks");
    })
}

fn milter() -> Target {
    let packet = |packet: &[u8]| [&(packet.len() as u32).to_be_bytes(), packet].concat();
    let packets: [&[u8]; 10] = [
        b"O\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff",
        b"Cclient.example\x004\x9cA203.0.113.7\0",
        b"DM{auth_authen}\0alice\0",
        b"M<alice@example.org>\0",
        b"DR{rcpt_mailer}\0error\0{rcpt_host}\x005.1.1\0",
        b"R<bob@example.net>\0",
        b"LX-Ratter-Verdict\0pass\0",
        b"DEi\0Q1\0",
        b"E",
        b"A",
    ];
    let seeds = vec![packets.map(packet).concat(), packet(packets[0])];
    let (node, settings) = node();
    let gate = Arc::new(milter::Gate::new(node, settings));
    Target::new("gate-milter", seeds, move |input| {
        let mut rest = &answers(&gate, input)[..];
        while !rest.is_empty() {
            let whole = rest.split_first_chunk::<4>().and_then(|(length, packet)| {
                let length = u32::from_be_bytes(*length) as usize;
                (length > 0).then(|| packet.split_at_checked(length)).flatten()
            });
            let Some((_, after)) = whole else { panic!("an answer is no packet") };
            rest = after;
        }
    })
}

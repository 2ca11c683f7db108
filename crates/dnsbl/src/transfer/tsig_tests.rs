use super::*;
use crate::transfer::key::Algorithm;

const NOW: u64 = 1_795_000_000;

fn key(name: &str, secret: u8, algorithm: Algorithm) -> Key {
    Key::new(name, algorithm, &[secret; 32]).unwrap()
}

/// A query for `a. SOA` with an OPT record.
fn query() -> Vec<u8> {
    let mut out = vec![7, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, b'a', 0, 0, 6, 0, 1];
    out.extend_from_slice(&[0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0]);
    out
}

/// The error code of the refusal, 0 if there is none.
fn fault(checked: &Checked<'_>) -> u16 {
    match checked {
        Checked::Signed { .. } => 0,
        Checked::Refused { message, record } => {
            u16::from_be_bytes(Signature::find(&refusal(message, record)).unwrap().error)
        }
        Checked::Malformed => panic!("malformed"),
    }
}

#[test]
fn requests_and_answers() {
    for algorithm in [Algorithm::HmacSha256, Algorithm::HmacSha512] {
        let keys = [key("other", 1, algorithm), key("Mirror.Example", 2, algorithm)];
        let mut message = query();
        let asker = sign_request(&keys[1], &mut message, NOW);
        assert_eq!(message.len(), query().len() + asker.record_bytes());
        // A forwarder gave it another identity.
        message[0] = 0xff;
        let Checked::Signed { message: stripped, mut session } = check(&keys, &message, NOW + 299) else { panic!() };
        assert_eq!((&stripped[1..], session.key.name()), (&query()[1..], keys[1].name()));
        let mut answer = stripped;
        answer[2] |= 0x80;
        session.sign(&mut answer, NOW);
        assert!(asker.is_answer(&answer, NOW) && !asker.is_answer(&answer, NOW + 301));
        assert!(!asker.is_answer(&query(), NOW));
        answer[3] ^= 1;
        assert!(!asker.is_answer(&answer, NOW));
    }
}

#[test]
fn what_is_not_believed() {
    let algorithm = Algorithm::HmacSha256;
    let ours = [key("mirror", 2, algorithm)];
    let signed = |key: &Key| {
        let mut message = query();
        sign_request(key, &mut message, NOW);
        message
    };
    let good = signed(&ours[0]);
    let mut changed = good.clone();
    changed[13] = b'b';
    let cases = [
        ("good", good.clone(), NOW, None),
        ("capital letters", signed(&key("MIRROR", 2, algorithm)), NOW, None),
        ("unknown key", signed(&key("foreign", 2, algorithm)), NOW, Some(Fault::Key)),
        ("another algorithm", signed(&key("mirror", 2, Algorithm::HmacSha512)), NOW, Some(Fault::Key)),
        ("another secret", signed(&key("mirror", 3, algorithm)), NOW, Some(Fault::Signature)),
        ("changed", changed, NOW, Some(Fault::Signature)),
        ("late", good.clone(), NOW + 301, Some(Fault::Time)),
        ("early", good, NOW - 301, Some(Fault::Time)),
    ];
    for (what, message, now, wanted) in cases {
        let checked = check(&ours, &message, now);
        assert_eq!(fault(&checked), wanted.map_or(0, |fault| fault as u16), "{what}");
        if let Checked::Refused { message, record } = checked {
            let answer = refusal(&message, &record);
            assert_eq!((answer[2] & 0x80, answer[3] & 15, answer[11]), (0x80, 9, 1), "{what}");
            let signature = Signature::find(&answer).unwrap();
            assert_eq!(signature.mac.is_empty(), wanted != Some(Fault::Time), "{what}");
            if wanted == Some(Fault::Time) {
                assert_eq!((seconds(signature.time), signature.other), (NOW, &time_bytes(now)[..]));
                let Session { last, .. } = sign_request(&ours[0], &mut query(), NOW);
                assert!(Session { key: &ours[0], last, is_first: true }.is_answer(&answer, NOW));
            }
        }
    }
}

#[test]
fn malformed_records_are_no_signatures() {
    let keys = [key("mirror", 2, Algorithm::HmacSha256)];
    let mut good = query();
    sign_request(&keys[0], &mut good, NOW);
    for length in 0..good.len() {
        assert!(matches!(check(&keys, &good[..length], NOW), Checked::Malformed), "{length}");
    }
    for at in 12..good.len() {
        let mut bad = good.clone();
        bad[at] = !bad[at];
        assert!(!matches!(check(&keys, &bad, NOW), Checked::Signed { .. }), "octet {at}");
    }
    assert!(matches!(check(&keys, &query(), NOW), Checked::Malformed));
}

#[test]
fn each_message_of_a_stream_covers_the_one_before() {
    let keys = [key("mirror", 2, Algorithm::HmacSha512)];
    let mut request = query();
    sign_request(&keys[0], &mut request, NOW);
    let Checked::Signed { mut session, .. } = check(&keys, &request, NOW) else { panic!() };
    let mut last = session.last.clone();
    for number in 0..3 {
        let mut message = query();
        session.sign(&mut message, NOW + number);
        let signature = Signature::find(&message).unwrap();
        let mut digest = keys[0].begin();
        digest.update(&64u16.to_be_bytes());
        digest.update(&last);
        digest.update(&query());
        if number == 0 {
            digest.update(&signature.variables(&keys[0]));
        } else {
            digest.update(&time_bytes(NOW + number));
            digest.update(&FUDGE.to_be_bytes());
        }
        last = digest.finish();
        assert_eq!(signature.mac, last, "message {number}");
    }
}

impl Session<'_> {
    /// Signs a message behind others that went without a signature, as some servers do; not the first one.
    pub(crate) fn sign_over(&mut self, unsigned: &[u8], message: &mut Vec<u8>, now: u64) {
        let mut digest = self.key.begin();
        digest.update(&(self.last.len() as u16).to_be_bytes());
        for part in [&self.last, unsigned, message, &time_bytes(now)] {
            digest.update(part);
        }
        digest.update(&FUDGE.to_be_bytes());
        self.last = digest.finish();
        let terms = Terms { time: time_bytes(now), error: 0, other: &[] };
        let (key, algorithm, id) = (self.key.canonical(), self.key.algorithm().wire(), [message[0], message[1]]);
        put_tsig(message, &Record { key, algorithm, fudge: FUDGE.to_be_bytes(), mac: &self.last, id, terms: &terms });
        let count = additional_count(message);
        set_count(message, count + 1);
    }
}

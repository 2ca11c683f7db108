//! The machine's questions, asked of real servers.

use core::time::Duration;

use base::Address;
use resolver::io::Servers;
use resolver::{Data, Reply};

use super::Ask;
use crate::ptr::{Answer, NAMES_MAX, Question};

/// How long nothing is taken to hold if the answer does not say.
const NOTHING_FOR: Duration = Duration::from_mins(1);

impl Ask for Servers {
    async fn ask(&self, question: &Question, server: usize) -> Answer {
        let asked = match question {
            Question::Names(address) => resolver::Question::Names(address.ip()),
            Question::Addresses { name, is_v6: true } => resolver::Question::V6(name),
            Question::Addresses { name, is_v6: false } => resolver::Question::V4(name),
        };
        match self.ask(&asked, server).await {
            Reply::Records { data, ttl } => answer(question, data, ttl),
            Reply::NoName(ttl) | Reply::Empty { is_proven: true, ttl } => Answer::Nothing(ttl.unwrap_or(NOTHING_FOR)),
            Reply::Empty { is_proven: false, .. } | Reply::ServerFailed | Reply::Refused | Reply::Silent => {
                Answer::Failed
            }
        }
    }
}

/// What the records of an answer come to; aliases on the way (RFC 2317) are passed over.
fn answer(question: &Question, data: Vec<Data>, ttl: Duration) -> Answer {
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    for data in data {
        match data {
            Data::Name(name) if names.len() < NAMES_MAX => names.push(name),
            Data::Name(_) | Data::Alias(_) | Data::Text(_) => {}
            Data::Address(address) => addresses.push(Address::new(address)),
        }
    }
    match question {
        Question::Names(_) if !names.is_empty() => Answer::Names(names, ttl),
        Question::Addresses { .. } if !addresses.is_empty() => Answer::Addresses(addresses, ttl),
        Question::Names(_) | Question::Addresses { .. } => Answer::Failed,
    }
}

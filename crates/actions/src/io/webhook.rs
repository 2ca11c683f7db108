use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use serde_json::Value;

use super::courier::{Delivery, Outcome};
use super::http::{Client, Refused};
use crate::notice::{Notice, Preset, Reporter, Target, body, signature, xarf};
use crate::{Pace, Words};

/// A web address is told within 50 ms, of all that came by then, and at most twenty times a second.
pub const WEBHOOK_PACE: Pace = Pace { settle: Duration::from_millis(10), rest: Duration::from_millis(50) };

/// What is posted and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Webhook {
    /// Where.
    pub target: Target,
    /// What.
    pub form: HookForm,
    /// The node's name.
    pub node: String,
    /// What bodies are signed with.
    pub secret: Option<String>,
    /// What the server knows us by: `Authorization: Bearer …`.
    pub token: Option<String>,
}

/// What is posted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HookForm {
    /// A notice, in the form of some program.
    Notice(Preset),
    /// A report of abuse (X-ARF version 4).
    Xarf(Reporter),
}

/// Posts notices.
pub struct WebhookDelivery {
    webhook: Webhook,
    words: Arc<Words>,
    client: Client,
}

impl WebhookDelivery {
    /// Posts with that client.
    pub const fn new(webhook: Webhook, words: Arc<Words>, client: Client) -> Self {
        Self { webhook, words, client }
    }

    /// The body; none if there is nothing to be reported.
    fn body(&self, notice: &Notice) -> Option<Value> {
        match &self.webhook.form {
            HookForm::Notice(preset) => Some(body(*preset, notice, &self.webhook.node, &self.words)),
            HookForm::Xarf(reporter) => reporter.can_report(notice).then(|| xarf(reporter, notice)),
        }
    }
}

impl Delivery for WebhookDelivery {
    fn deliver(&mut self, now: Timestamp, notice: &Notice) -> Outcome {
        let Some(body) = self.body(notice) else { return Outcome::Done };
        let Webhook { target, form, secret, token, .. } = &self.webhook;
        let (id, mut target, mut body, mut method) = (notice.id(), target.clone(), body, "POST");
        match form {
            // A room's event is put under the name of its transaction, which makes a second time harmless.
            HookForm::Notice(Preset::Matrix) => {
                method = "PUT";
                target.path = format!("{}/send/m.room.message/{id}", target.path.trim_end_matches('/'));
            }
            HookForm::Notice(Preset::Ntfy) => {
                let path = target.path.trim_end_matches('/');
                let (before, topic) = path.rsplit_once('/').unwrap_or(("", path));
                let (before, topic) = (format!("{before}/"), topic.to_owned());
                if let Some(fields) = body.as_object_mut() {
                    fields.insert("topic".to_owned(), Value::String(topic));
                }
                target.path = before;
            }
            HookForm::Notice(Preset::Generic | Preset::Slack | Preset::Alertmanager) | HookForm::Xarf(_) => {}
        }
        let body = body.to_string();
        let mut fields = vec![("Content-Type", "application/json".to_owned()), ("Idempotency-Key", id)];
        if let Some(secret) = secret {
            fields.push(("X-Ratter-Timestamp", now.as_secs().to_string()));
            fields.push(("X-Ratter-Signature", format!("sha256={}", signature(secret, now, body.as_bytes()))));
        }
        if let Some(token) = token {
            fields.push(("Authorization", format!("Bearer {token}")));
        }
        match self.client.send(method, &target, &fields, body.as_bytes()) {
            Ok(()) => Outcome::Done,
            Err(Refused::Later(why)) => Outcome::Later(why),
            Err(Refused::Never(why)) => Outcome::Never(why),
        }
    }
}

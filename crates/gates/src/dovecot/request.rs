use core::fmt;
use std::borrow::Cow;

use base::Address;
use rules::Stage;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Body of `allow` or `report`, as Dovecot 2.3, Dovecot 2.4 and clients of weakforced send it.
///
/// Nothing but the JSON itself can be wrong with it: an absent field is empty, a field of the wrong type or form is taken
/// as absent (and [`Request::is_odd`] says so), an unknown one is ignored, and of one given twice the last counts.
/// A text is borrowed from the body unless it holds escapes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request<'a> {
    /// The login, as the client gave it or as Dovecot made it canonical; empty if it had forbidden characters.
    pub login: Cow<'a, str>,
    /// The client's address, folded to IPv4 where mapped; none if empty (a local socket) or no address.
    pub remote: Option<Address>,
    /// See [`super::PasswordHash`].
    pub pwhash: Cow<'a, str>,
    /// Whether the login succeeded. As for weakforced, only `true` is: the text `"true"` is not.
    pub success: bool,
    /// Whether our answer made the outcome. In Dovecot's `auth_policy_log_only` mode it is set although the login
    /// succeeded.
    pub policy_reject: bool,
    /// Why a login failed, from Dovecot 2.4.
    pub fail_type: FailType,
    /// The service: `imap`, `pop3`, `smtp`, …
    pub protocol: Cow<'a, str>,
    /// Dovecot's name for the client's connection; empty for Postfix' SASL.
    pub session: Cow<'a, str>,
    /// From `attrs.stage`; without it every question counts as one before the password was checked.
    pub stage: Stage,
    /// Whether a field had the wrong type or form.
    pub is_odd: bool,
}

/// Why a login failed, as Dovecot 2.4 says it in `fail_type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailType {
    /// Empty, absent, or a word that is not known.
    Unsaid,
    /// The password was wrong.
    Credentials,
    /// The login does not exist.
    Account,
    /// The mail server itself failed.
    Internal,
    /// The account or its password has expired.
    Expired,
    /// The account is disabled.
    Disabled,
    /// We refused it.
    Policy,
}

/// The body is no JSON object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the body is no JSON object")]
pub struct NotJson;

impl<'a> Request<'a> {
    /// Reads the body of a request.
    pub fn parse(body: &'a str) -> Result<Self, NotJson> {
        serde_json::from_str(body).map_err(|_| NotJson)
    }

    const fn empty() -> Self {
        Self {
            login: Cow::Borrowed(""),
            remote: None,
            pwhash: Cow::Borrowed(""),
            success: false,
            policy_reject: false,
            fail_type: FailType::Unsaid,
            protocol: Cow::Borrowed(""),
            session: Cow::Borrowed(""),
            stage: Stage::Before,
            is_odd: false,
        }
    }

    /// The text of a field; of another type it is odd and empty.
    fn text(&mut self, value: Loose<'a>) -> Cow<'a, str> {
        match value {
            Loose::Text(text) => text,
            Loose::Null => Cow::Borrowed(""),
            Loose::Bool(_) | Loose::Stage(_) | Loose::Other => {
                self.is_odd = true;
                Cow::Borrowed("")
            }
        }
    }

    fn flag(&mut self, value: &Loose<'a>) -> bool {
        self.is_odd |= !matches!(value, Loose::Bool(_) | Loose::Null);
        matches!(value, Loose::Bool(true))
    }

    fn set(&mut self, field: Field, value: Loose<'a>) {
        match field {
            Field::Login => self.login = self.text(value),
            Field::Pwhash => self.pwhash = self.text(value),
            Field::Protocol => self.protocol = self.text(value),
            Field::SessionId => self.session = self.text(value),
            Field::Success => self.success = self.flag(&value),
            Field::PolicyReject => self.policy_reject = self.flag(&value),
            Field::FailType => self.fail_type = fail_type(&self.text(value)),
            Field::Remote => {
                let text = self.text(value);
                self.remote = text.parse().ok();
                self.is_odd |= self.remote.is_none() && !text.is_empty();
            }
            Field::Attrs => match value {
                Loose::Stage(stage) => self.stage = stage,
                Loose::Null => {}
                Loose::Text(_) | Loose::Bool(_) | Loose::Other => self.is_odd = true,
            },
            Field::Other => {}
        }
    }
}

fn fail_type(text: &str) -> FailType {
    match text {
        "credentials" => FailType::Credentials,
        "account" => FailType::Account,
        "internal" => FailType::Internal,
        "expired" => FailType::Expired,
        "disabled" => FailType::Disabled,
        "policy" => FailType::Policy,
        // Dovecot 2.3 sends `UNSUPPORTED_VARIABLE_fail_type` where it is configured as for 2.4.
        _ => FailType::Unsaid,
    }
}

/// The fields that are looked at.
#[derive(Clone, Copy, Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    Login,
    Remote,
    Pwhash,
    Success,
    PolicyReject,
    FailType,
    Protocol,
    SessionId,
    Attrs,
    #[serde(other)]
    Other,
}

/// A value of any type, as much of it as is of use.
enum Loose<'a> {
    Text(Cow<'a, str>),
    Bool(bool),
    /// An object: what its member `stage` says.
    Stage(Stage),
    Null,
    Other,
}

impl<'de> Deserialize<'de> for Request<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RequestVisitor)
    }
}

struct RequestVisitor;

impl<'de> Visitor<'de> for RequestVisitor {
    type Value = Request<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut request = Request::empty();
        while let Some(field) = map.next_key()? {
            if matches!(field, Field::Other) {
                map.next_value::<IgnoredAny>()?;
            } else {
                request.set(field, map.next_value()?);
            }
        }
        Ok(request)
    }
}

impl<'de> Deserialize<'de> for Loose<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Loose::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Loose::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Loose::Bool(value))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Loose::Null)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Loose::Other)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Loose::Other)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Loose::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut stage = Stage::Before;
        while let Some(attribute) = map.next_key()? {
            match attribute {
                Attribute::Stage => stage = map.next_value::<AttributeValue>()?.0,
                Attribute::Other => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(Loose::Stage(stage))
    }
}

/// The attributes that are looked at.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Attribute {
    Stage,
    #[serde(other)]
    Other,
}

/// The stage that an attribute's value says. Only a text marks one; a list, which weakforced allows as well, does not.
struct AttributeValue(Stage);

impl<'de> Deserialize<'de> for AttributeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let is_after = match Loose::deserialize(deserializer)? {
            Loose::Text(text) => text == "after",
            Loose::Bool(_) | Loose::Stage(_) | Loose::Null | Loose::Other => false,
        };
        Ok(Self(if is_after { Stage::After } else { Stage::Before }))
    }
}

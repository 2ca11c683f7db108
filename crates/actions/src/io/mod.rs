//! The threads that carry actions out.

#![expect(clippy::disallowed_methods, reason = "this is the shell that owns files and threads")]

mod command;
mod courier;
mod file;
mod http;
mod kernel;
mod mail;
mod map;
mod netlink;
mod program;
mod queue;
mod smtp;
mod told;
mod webhook;
mod worker;

pub use command::{COMMAND_PACE, Command, CommandDelivery, PLACEHOLDERS};
pub use courier::{Courier, Delivery, Outcome};
pub use file::{FileError, replace};
pub use http::Client;
pub use kernel::{KERNEL_PACE, Kernel, KernelAction, remove_table};
pub use mail::{Form, MAIL_PACE, MailAction, Mailing, Via};
pub use map::{Claim, MAP_PACE, MapAction, Served, Shelf};
pub use queue::QUEUED_MAX;
pub use webhook::{HookForm, WEBHOOK_PACE, Webhook, WebhookDelivery};
pub use worker::{Surroundings, Worker};

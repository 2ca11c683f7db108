//! The actions of a node: started together, told of changes together, and shown together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::actions::io::{
    COMMAND_PACE, CommandDelivery, Courier, Delivery, KERNEL_PACE, Kernel, KernelAction, MAIL_PACE, MAP_PACE,
    MailAction, MapAction, Shelf, Surroundings, Via, WEBHOOK_PACE, WebhookDelivery, Worker,
};
use ::actions::notice::{Interest, Notice};
use ::actions::{Action, Health, Pace, Words};
use anyhow::{Context, anyhow};
use base::{ListSet, Timestamp};
use console::MapText;
use console::api::ActionStatus;
use console::metrics::Metric;
use listings::{Book, Entry};

use super::exports;
use super::names::Names;
use super::outside::Outside;
use crate::clock;
use crate::config::{Config, ExportFile, Hook, Hooked, Mail, MapFile};

/// What is done outside when the book changes.
pub(super) struct Actions {
    all: Vec<One>,
    /// What tells the maps of this run from those of an earlier one.
    started: Timestamp,
}

struct One {
    worker: Worker,
    what: String,
    shelf: Option<Arc<Shelf>>,
}

impl Actions {
    /// Starts the actions that are configured. Each is told the book as it is now.
    pub(super) fn start(config: &Config, names: &Names, book: &Arc<Book>, now: Timestamp) -> anyhow::Result<Self> {
        let words = Arc::new(Words {
            lists: names.lists().map(|(_, info)| info.name.clone()).collect(),
            rules: super::convert::rule_names(config),
        });
        let start = Start {
            config,
            words,
            surroundings: Surroundings { book: Arc::clone(book), clock: clock::now },
            state: &config.node.state,
            outside: Outside::open(config),
            now,
        };
        let actions = &config.actions;
        let maps = actions.maps.iter().map(|map| start.map(map));
        let exports = actions.exports.iter().map(|export| start.export(export));
        let mails = actions.mails.iter().map(|mail| start.mail(mail));
        let hooks = actions.webhooks.iter().map(|hook| start.webhook(hook));
        let commands = actions.commands.iter().map(|command| start.command(command));
        let kernel = actions.kernel.iter().map(|kernel| start.kernel(kernel));
        let all = maps
            .chain(exports)
            .chain(mails)
            .chain(hooks)
            .chain(commands)
            .chain(kernel)
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { all, started: now })
    }

    /// Tells each of changes to the book, and waits for none.
    pub(super) fn push(&self, entries: &[Entry]) {
        for one in &self.all {
            one.worker.push(entries);
        }
    }

    /// Tells each of something that is no change of the book.
    pub(super) fn tell(&self, notice: &Notice) {
        for one in &self.all {
            one.worker.tell(notice);
        }
    }

    /// Lets each do, once, what is still to be done.
    pub(super) fn stop(&self) {
        for one in &self.all {
            one.worker.stop();
        }
    }

    /// The served map of that name.
    pub(super) fn map(&self, name: &str) -> Option<MapText> {
        let one = self.all.iter().find(|one| one.shelf.is_some() && one.worker.name() == name)?;
        let served = one.shelf.as_ref()?.get()?;
        Some(MapText { text: served.text, etag: format!("\"{}-{}\"", self.started.as_millis(), served.version) })
    }

    pub(super) fn status(&self, now: Timestamp) -> Vec<ActionStatus> {
        let status = |one: &One| {
            let health = one.worker.health();
            ActionStatus {
                name: one.worker.name().to_owned(),
                what: one.what.clone(),
                behind_ms: behind_ms(&health, now),
                fault: health.fault,
                done: health.done,
                failed: health.failed,
                shed: health.shed,
                waiting: health.waiting,
                entries: health.entries,
                left_out: health.left_out,
            }
        };
        self.all.iter().map(status).collect()
    }

    /// What the administrator should look at.
    pub(super) fn warnings(&self) -> Vec<String> {
        let warning = |one: &One| {
            let (name, health) = (one.worker.name(), one.worker.health());
            health.fault.or(health.remark).map(|fault| format!("action {name}: {fault}"))
        };
        self.all.iter().filter_map(warning).collect()
    }

    pub(super) fn metrics(&self, now: Timestamp) -> Vec<Metric> {
        if self.all.is_empty() {
            return Vec::new();
        }
        let by = |value: &dyn Fn(&Health) -> u64| {
            let values = self.all.iter().map(|one| (one.worker.name().to_owned(), value(&one.worker.health())));
            values.collect::<Vec<_>>()
        };
        let queued = self.all.iter().map(|one| (one.worker.name().to_owned(), one.worker.queued() as u64));
        vec![
            Metric::counter("action_done", "Times that an action was carried out, by action", 0)
                .by("action", by(&|health| health.done)),
            Metric::counter("action_failed", "Attempts that failed, by action", 0)
                .by("action", by(&|health| health.failed)),
            Metric::counter("action_shed", "Changes that found no room in an action's queue, by action", 0)
                .by("action", by(&|health| health.shed)),
            Metric::gauge("action_behind_ms", "Milliseconds since the oldest change that is not carried out", 0)
                .by("action", by(&|health| behind_ms(health, now))),
            Metric::gauge("action_failing", "1 while the last attempt failed, by action", 0)
                .by("action", by(&|health| u64::from(health.fault.is_some()))),
            Metric::gauge("action_queued", "Changes that wait in an action's queue", 0).by("action", queued),
            Metric::gauge("action_entries", "Listings that an action keeps outside", 0)
                .by("action", by(&|health| health.entries as u64)),
            Metric::gauge("action_waiting", "Notices that wait to be told, by action", 0)
                .by("action", by(&|health| health.waiting as u64)),
            Metric::gauge("action_left_out", "Listings that an action cannot tell, or has no room for", 0)
                .by("action", by(&|health| health.left_out as u64)),
        ]
    }
}

/// What actions start with.
struct Start<'a> {
    config: &'a Config,
    words: Arc<Words>,
    surroundings: Surroundings,
    state: &'a Path,
    outside: Arc<Outside>,
    now: Timestamp,
}

impl Start<'_> {
    fn map(&self, map: &MapFile) -> anyhow::Result<One> {
        let shelf = map.is_served.then(Arc::default);
        let MapFile { name, path, style, lists, .. } = map;
        let what = format!("{} map {}", style.format.name(), path.display());
        let outside = Arc::clone(&self.outside);
        let claim = Box::new(move |path: &Path| outside.claim(path));
        let action = MapAction::new(path.clone(), claim, *lists, style.clone(), Arc::clone(&self.words), shelf.clone());
        let one = self.worker(name, what, Box::new(action), *lists, MAP_PACE)?;
        Ok(One { shelf, ..one })
    }

    fn export(&self, export: &ExportFile) -> anyhow::Result<One> {
        let started = exports::start(self.config, export, &self.surroundings);
        let worker = started.with_context(|| format!("the export {} has no thread", export.name))?;
        Ok(One { worker, what: exports::what(self.config, export), shelf: None })
    }

    fn mail(&self, mail: &Mail) -> anyhow::Result<One> {
        let Mail { name, mailing } = mail;
        let via = match &mailing.via {
            Via::Sendmail(path) => path.display().to_string(),
            Via::Smtp(server) => server.to_string(),
        };
        let what = format!("mail to {} by {via}", mailing.sender.to.join(", "));
        let lists = mailing.interest.lists;
        let action = MailAction::new(mailing.clone(), Arc::clone(&self.words), self.kept(name), self.now);
        self.worker(name, what, Box::new(action), lists, MAIL_PACE)
    }

    fn webhook(&self, hook: &Hook) -> anyhow::Result<One> {
        let client = hook.client().map_err(|why| anyhow!("the webhook {}: {why}", hook.name))?;
        let what = format!("webhook of {}", hook.webhook.target);
        let delivery = WebhookDelivery::new(hook.webhook.clone(), Arc::clone(&self.words), client);
        self.courier(&hook.name, what, hook.interest, Box::new(delivery), WEBHOOK_PACE)
    }

    fn command(&self, hooked: &Hooked) -> anyhow::Result<One> {
        let what = format!("command {}", hooked.command.path.display());
        let delivery = CommandDelivery::new(hooked.command.clone(), Arc::clone(&self.words));
        self.courier(&hooked.name, what, hooked.interest, Box::new(delivery), COMMAND_PACE)
    }

    fn kernel(&self, kernel: &Kernel) -> anyhow::Result<One> {
        let lists = kernel.mail_lists.union(kernel.all_lists);
        let what = "sets of nftables, table inet ratter".to_owned();
        self.worker("nft", what, Box::new(KernelAction::new(kernel.clone())), lists, KERNEL_PACE)
    }

    fn courier(
        &self,
        name: &str,
        what: String,
        interest: Interest,
        delivery: Box<dyn Delivery>,
        pace: Pace,
    ) -> anyhow::Result<One> {
        let action = Courier::new(interest, delivery, self.kept(name), self.now);
        self.worker(name, what, Box::new(action), interest.lists, pace)
    }

    fn worker(
        &self,
        name: &str,
        what: String,
        action: Box<dyn Action>,
        lists: ListSet,
        pace: Pace,
    ) -> anyhow::Result<One> {
        let worker = Worker::start(name, action, lists, pace, self.surroundings.clone());
        let worker = worker.with_context(|| format!("the action {name} has no thread"))?;
        Ok(One { worker, what, shelf: None })
    }

    /// Where it is kept up to when an action has told everything.
    fn kept(&self, name: &str) -> PathBuf {
        self.state.join(format!("told.{name}"))
    }
}

fn behind_ms(health: &Health, now: Timestamp) -> u64 {
    // What has just begun to wait is behind too.
    health.behind_since.map_or(0, |since| u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX).max(1))
}

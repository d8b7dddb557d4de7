//! The township's platform → commands, carried out one at a time, each answered once.
//!
//! A connection of its own to the platform's broker, as `<gateway>-commands`, with a session that
//! outlives it. The way of a command:
//!
//! 1. [`link`] takes it from the broker, which keeps it until it is answered,
//! 2. `gatehouse_core::command` reads and judges it, [`keys`] finds out whose it is,
//! 3. [`ids`] writes down that it begins: from here on it is never begun again,
//! 4. [`hands`] carries it out,
//! 5. the answer is written down, sent, and only when the broker has it the command is let go.
//!
//! What takes minutes, `bundle.install`, does not keep the others waiting: it is let go when it has
//! begun, and answered when it is done; [`fetching`] gets the bundle.
//!
//! If the power fails: before 3, the broker hands the command out again; between 3 and 5, the answer is
//! that nobody knows, but a bundle that was being fetched is fetched on; after it, the answer goes out
//! from the disk. Only who is believed is remembered,
//! so that nobody uses up somebody else's id. Every command and its outcome is in the audit log.

pub mod fetching;
pub mod hands;
mod ids;
pub mod keys;
mod link;
mod noting;
pub mod report;

use std::io;
use std::path::Path;
use std::time::Duration;

use gatehouse_core::command::memory::{Line, Turn};
use gatehouse_core::command::task::{InstallArgs, Task};
use gatehouse_core::command::{Circumstances, Command, Received, Refusal, Reply};
use gatehouse_core::reading::{TimeQuality, Timestamp};
use rumqttc::Publish;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::{Identity, UplinkConfig};
use crate::retry::Retry;
use crate::tls::Credentials;
use fetching::Order;
use hands::Hands;
use ids::Ids;
use keys::Keys;
use link::{Link, Sign};
use noting::Noting;

/// One command at most in so long, whoever sends how many.
const PACE: Duration = Duration::from_millis(50);
/// A broker that does not answer by then is asked on a new connection.
const PATIENCE: Duration = Duration::from_secs(20);
const GOODBYE: Duration = Duration::from_secs(1);

/// Reads all that is needed and starts to listen. Ends at `stop`, with the command that is under way.
///
/// # Errors
/// A file that the configuration names, or the memory of commands in `folder`, cannot be used.
pub fn start(
    config: &UplinkConfig,
    identity: &Identity,
    folder: &Path,
    clock: Clock,
    hands: Hands,
    audit: Audit,
    stop: CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let credentials = Credentials::read(&config.url, &config.access)?;
    let is_mutual = credentials.tls.is_some() && config.access.cert_file.is_some();
    let base = format!("gatehouse/v1/{}/{}", identity.township, identity.id);
    let (finished, done) = mpsc::channel(1);
    let mut downlink = Downlink {
        under_way: None,
        finished,
        done,
        is_mutual,
        credentials,
        client_id: format!("{}-commands", identity.id),
        commands_topic: format!("{base}/commands"),
        replies_topic: format!("{base}/replies"),
        keys: Keys::read(&config.command_keys)?,
        trust_clock: config.trust_clock,
        clock,
        ids: None,
        hands,
        noting: Noting::new(audit),
        next: Instant::now(),
        stop,
    };
    let order = downlink.hands.fetching.order();
    let ids = Ids::open(folder, downlink.known_time(), order.as_ref().map(|o| &*o.command.id))?;
    if let Some(order) = order.filter(|order| ids.is_open(&order.command.id)) {
        downlink.go_on(order);
    }
    downlink.ids = Some(ids);
    let retry = Retry::new(config.retry_min.0, config.retry_max.0);
    Ok(tokio::spawn(downlink.run(retry).instrument(tracing::info_span!("downlink"))))
}

struct Downlink {
    credentials: Credentials,
    /// Whether the way that a command comes says already who sends.
    is_mutual: bool,
    client_id: String,
    commands_topic: String,
    replies_topic: String,
    keys: Keys,
    trust_clock: bool,
    clock: Clock,
    /// Away only while a line is written.
    ids: Option<Ids>,
    hands: Hands,
    noting: Noting,
    /// No command before this time.
    next: Instant,
    /// The id of the command that takes minutes; one at a time.
    under_way: Option<String>,
    /// What came of it.
    finished: mpsc::Sender<Finished>,
    done: mpsc::Receiver<Finished>,
    stop: CancellationToken,
}

/// A command that took minutes, who sent it, and what came of it.
struct Finished {
    command: Command,
    who: String,
    result: Result<Value, Refusal>,
}

/// What became of a command.
struct Outcome {
    /// None as long as it is carried out.
    reply: Option<Reply>,
    /// It is in the memory, so that it is known when the broker has the answer.
    is_remembered: bool,
    /// The broker has had this answer.
    is_told: bool,
}

impl Outcome {
    /// It is not remembered.
    fn turned_away(reply: Reply) -> Self {
        Self { reply: Some(reply), is_remembered: false, is_told: false }
    }

    /// It will be answered.
    fn later() -> Self {
        Self { reply: None, is_remembered: true, is_told: false }
    }
}

impl Downlink {
    async fn run(mut self, mut retry: Retry) {
        let (mut forget, mut was_up) = (false, true);
        while !self.stop.is_cancelled() {
            let end = self.session(forget, &mut retry).await;
            let Err(why) = end else { return };
            forget = why.is_none();
            let why = why.unwrap_or_else(|| "the broker sent a packet that is too large".into());
            let pause = retry.pause();
            if std::mem::take(&mut was_up) || retry.is_quarrel() {
                tracing::warn!(why, ?pause, "commands cannot be heard");
            } else {
                tracing::debug!(why, ?pause, "commands still cannot be heard");
            }
            let _stopped = self.stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }

    /// One connection. Ends well only at a stop; an error without words means that what the broker holds
    /// cannot be read by anybody.
    async fn session(&mut self, forget: bool, retry: &mut Retry) -> Result<(), Option<String>> {
        let mut link = Link::open(&self.credentials, &self.client_id, forget);
        let stop = self.stop.clone();
        let hello = async {
            expect(&mut link, &Sign::Connected).await?;
            if !link.subscribe(&self.commands_topic) {
                return Err(Some("the client takes no subscription".to_owned()));
            }
            expect(&mut link, &Sign::Subscribed(true)).await
        };
        match stop.run_until_cancelled(hello).await {
            None => return Ok(()),
            Some(done) => done?,
        }
        retry.connected();
        tracing::info!(endpoint = %self.credentials.endpoint, "commands are heard");
        let untold = self.ids.as_ref().map(Ids::untold).unwrap_or_default();
        for reply in untold {
            self.tell(&mut link, reply, true).await?;
        }
        loop {
            if stop.run_until_cancelled(sleep_until(self.next)).await.is_none() {
                link.close(GOODBYE).await;
                return Ok(());
            }
            // Cancel-safe all of them: two channels and a token.
            tokio::select! {
                sign = link::next(&mut link.signs) => match sign {
                    Sign::Lost(why) => return Err(Some(why)),
                    Sign::TooLarge => return Err(None),
                    Sign::Connected | Sign::Subscribed(_) | Sign::Confirmed => {}
                },
                Some(publish) = link.commands.recv() => {
                    self.next = Instant::now() + PACE;
                    self.command(&mut link, publish).await?;
                }
                Some(finished) = self.done.recv() => {
                    self.under_way = None;
                    let Finished { command, who, result } = finished;
                    let reply = self.answer(&command, &who, result).await;
                    self.tell(&mut link, reply, true).await?;
                }
                () = stop.cancelled() => {
                    link.close(GOODBYE).await;
                    return Ok(());
                }
            }
        }
    }

    /// One command, from its first byte to its last answer.
    async fn command(&mut self, link: &mut Link, publish: Publish) -> Result<(), Option<String>> {
        let outcome = match Received::read(&publish.payload) {
            Err(reply) => {
                self.noting.unreadable(&reply);
                Outcome::turned_away(*reply)
            }
            Ok(received) => self.received(&received).await,
        };
        // The broker hands out again what it was not told of in time; the platform has its answer.
        let Outcome { reply, is_remembered, is_told } = outcome;
        if let Some(reply) = reply.filter(|_| !(publish.dup && is_told)) {
            self.tell(link, reply, is_remembered).await?;
        }
        if link.acknowledge(&publish) {
            Ok(())
        } else {
            Err(Some("the client takes no acknowledgement".to_owned()))
        }
    }

    /// Judges a command, and carries it out if it is new.
    async fn received(&mut self, received: &Received) -> Outcome {
        let command = &received.command;
        let id = command.id.clone();
        let judged = self.judge(received);
        let (who, until, task) = match judged {
            Ok(judged) => judged,
            Err(refusal) => {
                self.noting.refused(command, &refusal);
                return Outcome::turned_away(Reply::refused(Some(id), refusal));
            }
        };
        let turn = match &self.ids {
            Some(ids) => ids.turn(&id, until, &received.payload),
            None => Turn::Refused(no_memory("its file is in use")),
        };
        let begun = match turn {
            Turn::New(line) => self.write(line).await,
            Turn::Again { .. } if self.under_way.as_ref() == Some(&id) => return Outcome::later(),
            Turn::Again { reply, is_told } => {
                return Outcome { reply: Some(reply), is_remembered: true, is_told };
            }
            Turn::Refused(refusal) => Err(refusal),
        };
        if let Err(refusal) = begun {
            self.noting.refused(command, &refusal);
            return Outcome::turned_away(Reply::refused(Some(id), refusal));
        }
        let result = match task {
            Task::Install(args) if self.under_way.is_none() => {
                self.begin(Order { command: command.clone(), who }, args);
                return Outcome::later();
            }
            Task::Install(_) => {
                Err(Refusal::Busy { reason: "a bundle is being installed".to_owned() })
            }
            task => self.hands.carry_out(task, &who).await,
        };
        let reply = self.answer(command, &who, result).await;
        Outcome { reply: Some(reply), is_remembered: true, is_told: false }
    }

    /// Begins what takes minutes.
    fn begin(&mut self, order: Order, args: InstallArgs) {
        self.under_way = Some(order.command.id.clone());
        let (fetching, finished) = (self.hands.fetching.clone(), self.finished.clone());
        tokio::spawn(async move {
            let Order { command, who } = order.clone();
            let result = fetching.install(args, order).await;
            // Nobody is there any more: what was being fetched goes on at the next start, and what was
            // being installed is `interrupted` then.
            drop(finished.send(Finished { command, who, result }).await);
        });
    }

    /// Goes on with what was being fetched when the gateway ended.
    fn go_on(&mut self, order: Order) {
        if let Ok(Task::Install(args)) = Task::read(order.command.command, &order.command.args) {
            tracing::info!(id = order.command.id, "a bundle was being fetched; that goes on");
            self.begin(order, args);
        }
    }

    /// Notes what came of a command and writes its answer down.
    async fn answer(
        &mut self,
        command: &Command,
        who: &str,
        result: Result<Value, Refusal>,
    ) -> Reply {
        self.noting.carried_out(command, who, &result);
        let reply = match result {
            Ok(result) => Reply::done(command.id.clone(), Some(result)),
            Err(refusal) => Reply::refused(Some(command.id.clone()), refusal),
        };
        // When the disk does not take the answer it is known for as long as this process lives, and
        // after that it is not known whether it was done.
        let mut remembered = reply.clone();
        if let Some(result) = remembered.result.as_mut().and_then(Value::as_object_mut) {
            result.remove(hands::JPEG);
        }
        if let Err(refusal) = self.write(Line::Answered(remembered)).await {
            tracing::error!(%refusal, "the answer to a command was not written down");
        }
        reply
    }

    /// Who sends it, until when its id counts, and what is to be done.
    fn judge(&self, received: &Received) -> Result<(String, Timestamp, Task), Refusal> {
        let around = Circumstances {
            now: self.clock.now(),
            is_clock_known: self.known_time().is_some(),
            is_mutual: self.is_mutual,
        };
        let who = match received.judge(around)? {
            Some(signature) => format!("platform:{}", self.keys.verify(&signature)?),
            None => "platform".to_owned(),
        };
        let command = &received.command;
        Ok((who, command.until()?, Task::read(command.command, &command.args)?))
    }

    /// Now, when that can be believed.
    fn known_time(&self) -> Option<Timestamp> {
        let is_known = self.trust_clock || self.clock.quality() != TimeQuality::Unknown;
        is_known.then(|| self.clock.now())
    }

    /// Sends an answer, and comes back when the broker has it.
    async fn tell(
        &mut self,
        link: &mut Link,
        reply: Reply,
        is_remembered: bool,
    ) -> Result<(), Option<String>> {
        let payload = serde_json::to_vec(&reply).unwrap_or_default();
        if !link.publish(&self.replies_topic, payload) {
            return Err(Some("the client takes no answer".to_owned()));
        }
        expect(link, &Sign::Confirmed).await?;
        if let Some(id) = reply.id.filter(|_| is_remembered)
            && let Err(refusal) = self.write(Line::Told { id }).await
        {
            tracing::warn!(%refusal, "an answer may be sent twice");
        }
        Ok(())
    }

    /// Writes a step down, on a thread that may wait for the disk.
    async fn write(&mut self, line: Line) -> Result<(), Refusal> {
        let Some(mut ids) = self.ids.take() else { return Err(no_memory("its file is lost")) };
        let now = self.known_time();
        let written = tokio::task::spawn_blocking(move || {
            let written = ids.write(line, now);
            (ids, written)
        });
        let (ids, written) =
            written.await.map_err(|error| no_memory(&io::Error::other(error).to_string()))?;
        self.ids = Some(ids);
        written.map_err(|error| no_memory(&error.to_string()))
    }
}

/// What a command cannot be carried out without.
fn no_memory(why: &str) -> Refusal {
    Refusal::Failed { reason: format!("it cannot be written down that it begins: {why}") }
}

/// Waits for a sign that must come.
async fn expect(link: &mut Link, expected: &Sign) -> Result<(), Option<String>> {
    let come = async {
        loop {
            let sign = link.next().await;
            if sign == *expected {
                return Ok(());
            }
            match sign {
                Sign::Lost(why) => return Err(Some(why)),
                Sign::TooLarge => return Err(None),
                Sign::Subscribed(false) => {
                    let why =
                        "the broker refuses the subscription to commands; check its access list";
                    return Err(Some(why.to_owned()));
                }
                Sign::Connected | Sign::Subscribed(true) | Sign::Confirmed => {}
            }
        }
    };
    let late = || Err(Some("the broker does not answer".to_owned()));
    timeout(PATIENCE, come).await.unwrap_or_else(|_| late())
}

//! The driver: events from sockets and clocks to the role, its effects to sockets and clocks.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gatepass_core::{
    client::{Client, Outcome, Script},
    ids::{Addr, ConnId, RoomId},
    message::{Credentials, Message, Reply, Request, RequestBody, ToPlayer, ToRoom},
    role::{Command, Cx, Effect, Effects, Event, Role, Timer},
};
use tokio::{
    io::AsyncWriteExt,
    net::tcp::OwnedWriteHalf,
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use super::{
    Dial, HttpConnection, HttpError, Moment, Options, Refused, RoomConnection, System, Trouble, What,
    gamecloud, gtarcade, http, speech,
};
use crate::drive::OsEntropy;

/// A server that takes none of the few bytes a player sends within this time is as good as gone.
const WRITE_MAX: Duration = Duration::from_secs(5);
/// Before a player tries again, lest everybody whom a server in trouble turned away comes back at once: after the
/// first failure, and at most. It doubles with each failure in a row.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// What connections have heard and the role has not yet been told.
const INBOX: usize = 64;

/// Plays a script to its end and reports what happens on the way.
///
/// When `leave` is ready, a player who is in a room leaves it; it is looked at only while he is in one. Dropping
/// the future closes all its connections.
pub async fn play(
    script: Script,
    options: &Options,
    leave: impl Future<Output = ()>,
    mut report: impl FnMut(Moment),
) -> Outcome {
    let (sender, mut inbox) = mpsc::channel(INBOX);
    let mut driver = Driver {
        client: Client::new(script, ConnId(1)),
        options,
        entropy: OsEntropy::new(),
        effects: Effects::new(),
        queue: VecDeque::new(),
        timers: BTreeMap::new(),
        lines: BTreeMap::new(),
        kept: Arc::default(),
        tasks: JoinSet::new(),
        inbox: sender,
        room: RoomId::default(),
        started: Instant::now(),
        asked: BTreeMap::new(),
        pause: Duration::ZERO,
    };
    let mut leave = pin!(leave);
    let mut left = false;
    driver.feed(Event::Command(Command::Start), &mut report).await;
    loop {
        match driver.client.outcome() {
            Outcome::Underway | Outcome::Live => {}
            ended => return ended,
        }
        let timer = driver.timers.iter().min_by_key(|(name, at)| (**at, **name)).map(|(n, at)| (*n, *at));
        let due = timer.map_or_else(|| Instant::now() + Duration::from_secs(3600), |(_, at)| at);
        tokio::select! {
            biased;
            // Before he is in there is nothing to leave: the wish waits until he is.
            () = &mut leave, if !left && driver.client.outcome() == Outcome::Live => {
                left = true;
                driver.feed(Event::Command(Command::Leave), &mut report).await;
            }
            Some(incoming) = inbox.recv() => driver.hear(incoming, &mut report).await,
            () = sleep_until(due) => {
                if let Some((name, _)) = timer {
                    driver.timers.remove(&name);
                    driver.feed(Event::Fired(name), &mut report).await;
                }
            }
        }
    }
}

/// What a connection's task has to say.
struct Incoming {
    conn: ConnId,
    news: News,
}

enum News {
    /// A part of what was asked is done.
    Step(What),
    Opened(OwnedWriteHalf),
    Heard(Message, Option<Refused>),
    Lost(Trouble),
}

/// A connection to a RoomServer: the half that writes, and the task that reads.
struct Line {
    writer: Option<OwnedWriteHalf>,
    reader: AbortHandle,
}

struct Driver<'a> {
    client: Client,
    options: &'a Options,
    entropy: OsEntropy,
    effects: Effects,
    queue: VecDeque<Event>,
    timers: BTreeMap<Timer, Instant>,
    lines: BTreeMap<ConnId, Line>,
    /// The HTTP connection that is kept between requests.
    kept: Arc<Mutex<Option<HttpConnection>>>,
    tasks: JoinSet<()>,
    inbox: mpsc::Sender<Incoming>,
    /// The room of the last assignment, which the greeting does not repeat.
    room: RoomId,
    started: Instant,
    /// When the last thing was sent or begun on a connection.
    asked: BTreeMap<ConnId, Instant>,
    /// What the next request waits for: nothing, unless something has failed since the last success.
    pause: Duration,
}

impl Driver<'_> {
    async fn feed(&mut self, event: Event, report: &mut impl FnMut(Moment)) {
        self.queue.push_back(event);
        while let Some(event) = self.queue.pop_front() {
            self.step(event);
            // Taken out of `self` for the time of the loop, so that the buffer's memory is kept.
            let mut effects = std::mem::take(&mut self.effects);
            for effect in effects.drain() {
                self.carry_out(effect, report).await;
            }
            self.effects = effects;
        }
    }

    fn step(&mut self, event: Event) {
        let cx = &mut Cx { settings: &self.options.settings, entropy: &mut self.entropy };
        let _ = self.client.step(cx, event, &mut self.effects);
    }

    async fn hear(&mut self, Incoming { conn, news }: Incoming, report: &mut impl FnMut(Moment)) {
        let event = match news {
            News::Step(what) => {
                self.report(conn, what, report);
                self.asked.insert(conn, Instant::now());
                return;
            }
            News::Opened(writer) => {
                let Some(line) = self.lines.get_mut(&conn) else { return };
                line.writer = Some(writer);
                self.report(conn, What::Connected, report);
                Event::Opened { conn, addr: Addr::default() }
            }
            News::Heard(msg, refused) => {
                if refused.is_some() {
                    self.failed();
                } else {
                    self.pause = Duration::ZERO;
                }
                if let Message::Reply(Reply::Room { room, .. }) = &msg {
                    self.room = *room;
                }
                if let Some(what) = describe(&msg, refused) {
                    self.report(conn, what, report);
                }
                Event::Received { conn, msg }
            }
            News::Lost(trouble) => {
                self.failed();
                self.lines.remove(&conn);
                self.report(conn, What::Lost(trouble), report);
                Event::Lost(conn)
            }
        };
        self.feed(event, report).await;
    }

    async fn carry_out(&mut self, effect: Effect, report: &mut impl FnMut(Moment)) {
        match effect {
            Effect::Send { conn, msg: Message::Request(request) } => self.ask(conn, request),
            Effect::Send { conn, msg: Message::ToRoom(msg) } => self.say(conn, &msg, report).await,
            Effect::Connect { conn, endpoint } => self.connect(conn, endpoint.to_string()),
            Effect::Arm { timer, after } => {
                self.timers.insert(timer, Instant::now() + after);
            }
            Effect::Disarm(timer) => {
                self.timers.remove(&timer);
            }
            Effect::Close(conn) => {
                if let Some(line) = self.lines.remove(&conn) {
                    line.reader.abort();
                }
            }
            // No client sends what servers say, asks services or holds other connections than its own.
            _ => {}
        }
    }

    fn failed(&mut self) {
        let (first, max) = PAUSES;
        self.pause = (self.pause * 2).clamp(first, max);
    }

    fn ask(&mut self, conn: ConnId, request: Request) {
        let begin = Instant::now() + self.pause;
        self.asked.insert(conn, begin);
        let (server, dial) = (self.options.server.clone(), self.options.dial);
        let system = self.options.system.clone();
        let kept = self.options.keep_alive.then(|| Arc::clone(&self.kept));
        let inbox = self.inbox.clone();
        self.tasks.spawn(async move {
            sleep_until(begin).await;
            let answered = match (&system, &request.body) {
                (System::Gtarcade { payload }, RequestBody::Login(Credentials::Signed { .. })) => {
                    gtarcade::log_in(&server, payload, dial).await
                }
                (System::Gamecloud { index }, RequestBody::Login(Credentials::Signed { identity, .. })) => {
                    let step = |what| async {
                        let _ = inbox.send(Incoming { conn, news: News::Step(what) }).await;
                    };
                    gamecloud::log_in(index, identity, dial, step).await
                }
                _ => exchange(&request, &server, dial, kept).await,
            };
            let news = match answered {
                Ok((reply, refused)) => News::Heard(Message::Reply(reply), refused),
                Err(trouble) => News::Lost(trouble),
            };
            // A driver that is gone has no more questions.
            let _ = inbox.send(Incoming { conn, news }).await;
        });
    }

    fn connect(&mut self, conn: ConnId, endpoint: String) {
        self.asked.insert(conn, Instant::now());
        let (dial, room, inbox) = (self.options.dial, self.room, self.inbox.clone());
        let reader = self.tasks.spawn(async move {
            if let Err(trouble) = listen(conn, &endpoint, dial, room, &inbox).await {
                let _ = inbox.send(Incoming { conn, news: News::Lost(trouble) }).await;
            }
        });
        self.lines.insert(conn, Line { writer: None, reader });
    }

    async fn say(&mut self, conn: ConnId, msg: &ToRoom, report: &mut impl FnMut(Moment)) {
        self.asked.insert(conn, Instant::now());
        let Some(writer) = self.lines.get_mut(&conn).and_then(|line| line.writer.as_mut()) else { return };
        let mut bytes = Vec::new();
        let written = match speech::to_room(msg, &mut bytes) {
            Ok(()) => match timeout(WRITE_MAX, writer.write_all(&bytes)).await {
                Ok(written) => written.map_err(Trouble::from),
                Err(_) => Err(Trouble::Closed),
            },
            Err(error) => Err(error.into()),
        };
        if let Err(trouble) = written {
            if let Some(line) = self.lines.remove(&conn) {
                line.reader.abort();
            }
            self.report(conn, What::Lost(trouble), report);
            self.queue.push_back(Event::Lost(conn));
        }
    }

    fn report(&mut self, conn: ConnId, what: What, report: &mut impl FnMut(Moment)) {
        let now = Instant::now();
        // Each question has one answer; what comes unasked, as the end of a session does, took no time.
        let asked = self.asked.remove(&conn);
        report(Moment { at: now - self.started, took: asked.map(|at| now - at), what });
    }
}

/// One request and its answer.
async fn exchange(
    request: &Request,
    server: &str,
    dial: Dial,
    kept: Option<Arc<Mutex<Option<HttpConnection>>>>,
) -> Result<(Reply, Option<Refused>), Trouble> {
    let (target, cookie, asked) = speech::request(&request.body)?;
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    http::write_request(&target, server, cookie.as_deref(), kept.is_some(), &mut bytes);
    let idle = kept.as_deref().and_then(|kept| lock(kept).take());
    if let (Some(kept), Some(mut connection)) = (&kept, idle) {
        match connection.exchange(&bytes).await {
            Ok(response) => {
                let reply = speech::reply(asked, &response)?;
                keep(kept, connection);
                return Ok(reply);
            }
            // The server had given it up in the meantime: as if it had never been kept.
            Err(HttpError::Closed | HttpError::Io(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut connection = HttpConnection::new(dial.reach(server).await?);
    let reply = speech::reply(asked, &connection.exchange(&bytes).await?)?;
    if let Some(kept) = &kept {
        keep(kept, connection);
    }
    Ok(reply)
}

fn keep(kept: &Mutex<Option<HttpConnection>>, connection: HttpConnection) {
    if connection.is_reusable() {
        *lock(kept) = Some(connection);
    }
}

fn lock(kept: &Mutex<Option<HttpConnection>>) -> MutexGuard<'_, Option<HttpConnection>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connects to a RoomServer and passes on what it says, to the end.
async fn listen(
    conn: ConnId,
    endpoint: &str,
    dial: Dial,
    room: RoomId,
    inbox: &mpsc::Sender<Incoming>,
) -> Result<(), Trouble> {
    let (reader, writer) = dial.reach(endpoint).await?.into_split();
    let mut reader = RoomConnection::new(reader);
    let mut news = News::Opened(writer);
    loop {
        if inbox.send(Incoming { conn, news }).await.is_err() {
            return Ok(());
        }
        let (msg, refused) = loop {
            if let Some(heard) = speech::to_player(&reader.frame().await?, room)? {
                break heard;
            }
        };
        news = News::Heard(Message::ToPlayer(msg), refused);
    }
}

/// A message as something that happened.
fn describe(msg: &Message, refused: Option<Refused>) -> Option<What> {
    if let Some(refused) = refused {
        return Some(What::Refused(refused));
    }
    match msg {
        Message::Reply(Reply::LoggedIn { name, account, newbie, password, .. }) => Some(What::LoggedIn {
            account: *account,
            name: *name,
            newbie: *newbie,
            password: password.clone(),
        }),
        Message::Reply(Reply::Room { endpoint, room, scene, .. }) => {
            Some(What::Assigned { endpoint: *endpoint, room: *room, scene: *scene })
        }
        Message::ToPlayer(ToPlayer::Admitted { account, name, .. }) => {
            Some(What::Admitted { account: *account, name: *name })
        }
        Message::ToPlayer(ToPlayer::Echo) => Some(What::Heartbeat),
        Message::ToPlayer(ToPlayer::LoggedOut) => Some(What::LoggedOut),
        _ => None,
    }
}

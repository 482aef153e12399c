//! Questions to services of another process, over one link: [`Services`] asks, `serve` answers.
//!
//! Frames as everywhere, commands of gatepass' own. The first frame is a greeting with the shared key. Many
//! questions are under way at once; an answer carries the name of its question. When the link breaks, every
//! question that is out gets [`Outage::Down`]: whether it was heard is not known, and roles expect that.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gatepass_core::{
    ids::CallId,
    message::{Answer, Ask, Asker, Question},
    role::{Event, Outage},
    wire::frame::{FRAME_MAX, Frame},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use crate::{
    accounts::{Job, Waiter},
    codec::{OWN, decode_own, encode_own},
    drive::RoleId,
    gate::{Gate, Pass},
    key::SharedKey,
    peer::{self, Again, Peer, Session},
    shell::{self, Shell},
};

const HELLO: u16 = OWN + 100;
const WELCOME: u16 = OWN + 101;
const ASK: u16 = OWN + 102;
const ANSWER: u16 = OWN + 103;

/// Bytes that may wait for a slow server.
pub(crate) const LINK_QUEUE_MAX: usize = 16 << 20;
/// Time to connect to a server.
pub(crate) const CONNECT: Duration = Duration::from_secs(3);
/// Time to say who one is.
const GREETING: Duration = Duration::from_secs(5);
/// Questions under way on one link.
const OUTSTANDING_MAX: usize = 65_536;
/// Askers of one link: its roles.
const ROLES: u64 = 16;

#[derive(Serialize, Deserialize)]
struct Hello {
    key: String,
}

#[derive(Serialize, Deserialize)]
struct Asked {
    role: u8,
    call: CallId,
    ask: Ask,
}

#[derive(Serialize, Deserialize)]
struct Answered {
    role: u8,
    call: CallId,
    answer: Result<Answer, Failure>,
}

/// [`Outage`] on the wire.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Failure {
    Down,
    Overloaded,
}

/// Where this process finds the services it does not have.
#[derive(Debug)]
pub struct Services {
    key: SharedKey,
    clients: Vec<Arc<Client>>,
    cache: Option<Arc<Client>>,
    center: Option<Arc<Client>>,
    accounts: Option<Arc<Client>>,
}

impl Services {
    /// Services at these addresses; equal addresses share a link.
    #[must_use]
    pub fn new(key: SharedKey, cache: Option<&str>, center: Option<&str>, accounts: Option<&str>) -> Self {
        let mut clients: BTreeMap<String, Arc<Client>> = BTreeMap::new();
        let mut client = |address: Option<&str>| {
            let address = address?;
            let new = || Arc::new(Client::new(address.to_owned()));
            Some(Arc::clone(clients.entry(address.to_owned()).or_insert_with(new)))
        };
        let (cache, center, accounts) = (client(cache), client(center), client(accounts));
        Self { key, clients: clients.into_values().collect(), cache, center, accounts }
    }

    /// The key of the deployment.
    #[must_use]
    pub const fn shared_key(&self) -> &SharedKey {
        &self.key
    }

    /// All links.
    #[must_use]
    pub fn clients(&self) -> &[Arc<Client>] {
        &self.clients
    }

    pub(crate) fn accounts(&self) -> Option<&Client> {
        self.accounts.as_deref()
    }

    pub(crate) fn of(&self, ask: &Ask) -> Option<&Client> {
        match ask {
            Ask::Cache(_) => self.cache.as_deref(),
            Ask::Center(_) => self.center.as_deref(),
            Ask::Accounts(_) => self.accounts.as_deref(),
        }
    }
}

/// A link to services of another process.
#[derive(Debug)]
pub struct Client {
    address: String,
    state: Mutex<State>,
    /// Notified when a link has ended.
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    peer: Option<Arc<Peer>>,
    closed: bool,
    outstanding: BTreeSet<(RoleId, CallId)>,
}

impl Client {
    fn new(address: String) -> Self {
        Self { address, state: Mutex::default(), ended: Notify::new() }
    }

    /// Where the other process is.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether the link is up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.lock().peer.is_some()
    }

    /// Sends a question.
    pub(crate) fn ask(&self, role: RoleId, call: CallId, ask: &Ask) -> Result<(), Outage> {
        let mut state = self.lock();
        let State { peer, outstanding, .. } = &mut *state;
        let peer = peer.as_ref().ok_or(Outage::Down)?;
        if outstanding.len() >= OUTSTANDING_MAX {
            return Err(Outage::Overloaded);
        }
        let asked = Asked { role: role as u8, call, ask: ask.clone() };
        if !peer.queue(|bytes| encode_own(ASK, &asked, bytes)) {
            return Err(Outage::Overloaded);
        }
        outstanding.insert((role, call));
        peer.wake();
        Ok(())
    }

    /// Closes the link after what is queued is written, and asks nothing any more.
    pub(crate) async fn close(&self) {
        let peer = {
            let mut state = self.lock();
            state.closed = true;
            state.peer.clone()
        };
        let Some(peer) = peer else { return };
        peer.close();
        peer.wake();
        self.ended.notified().await;
    }

    /// Keeps the link, until it is closed.
    pub(crate) async fn run(self: Arc<Self>, key: SharedKey, shell: Arc<Shell>) {
        let mut again = Again::default();
        while !self.lock().closed {
            if let Ok(Ok(mut stream)) = timeout(CONNECT, TcpStream::connect(&self.address)).await {
                peer::tune_link(&stream);
                let peer = Arc::new(Peer::new(LINK_QUEUE_MAX));
                let hello = Hello { key: key.expose().to_owned() };
                peer.queue(|bytes| encode_own(HELLO, &hello, bytes));
                let mut session = Asking { client: &self, peer: &peer, shell: &shell };
                let since = Instant::now();
                peer::run(&mut stream, &peer, &mut session).await;
                self.down(&shell);
                again.lasted(since.elapsed());
            }
            again.pause().await;
        }
        // Whoever ended the link waits for this.
        std::future::pending::<()>().await;
    }

    fn down(&self, shell: &Shell) {
        let mut state = self.lock();
        if state.peer.take().is_some() {
            tracing::warn!(address = %self.address, "the link to services is lost");
        }
        let outstanding = std::mem::take(&mut state.outstanding);
        drop(state);
        self.ended.notify_one();
        for (role, call) in outstanding {
            shell.feed(role, Event::Answered { call, answer: Err(Outage::Down) });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Both fields are valid at any moment; a question too much in the set only gets an outage.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The asking end of a link.
struct Asking<'a> {
    client: &'a Client,
    peer: &'a Arc<Peer>,
    shell: &'a Shell,
}

impl Session for Asking<'_> {
    fn frame_max(&self) -> usize {
        FRAME_MAX
    }

    fn frame(&mut self, frame: Frame<'_>) {
        match frame.cmd {
            WELCOME => {
                tracing::info!(address = %self.client.address, "linked to services");
                self.client.lock().peer = Some(Arc::clone(self.peer));
            }
            ANSWER => {
                let Some(Answered { role, call, answer }) = decode_own(frame.body) else { return };
                let Some(role) = RoleId::of_asker(Asker(role.into())) else { return };
                // An answer to nothing that was asked is nobody's.
                if self.client.lock().outstanding.remove(&(role, call)) {
                    let answer = answer.map_err(|failure| match failure {
                        Failure::Down => Outage::Down,
                        Failure::Overloaded => Outage::Overloaded,
                    });
                    self.shell.feed(role, Event::Answered { call, answer });
                }
            }
            _ => {}
        }
    }
}

/// The answering side: accepts processes that ask, for ever.
pub(crate) async fn serve(listener: TcpListener, gate: Arc<Gate>, shell: Arc<Shell>, key: SharedKey) {
    // Zero is this process itself.
    let links = AtomicU64::new(1);
    loop {
        let (stream, from) = peer::accept(&listener).await;
        peer::tune_link(&stream);
        match gate.enter(from.ip()) {
            Ok(pass) => {
                let link = links.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(asker(stream, pass, link, Arc::clone(&shell), key.clone()));
            }
            Err(rule) => shell.metrics().limited(rule),
        }
    }
}

async fn asker(mut stream: TcpStream, _pass: Pass, link: u64, shell: Arc<Shell>, key: SharedKey) {
    let peer = Arc::new(Peer::new(LINK_QUEUE_MAX));
    let mut session = Answering { peer: &peer, shell: &shell, link, key };
    let strangers = async {
        sleep(GREETING).await;
        if peer.is_verified() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        _ = peer::run(&mut stream, &peer, &mut session) => {}
        () = strangers => {}
    }
    shell.asker(link, None);
}

/// The answering end of a link.
struct Answering<'a> {
    peer: &'a Arc<Peer>,
    shell: &'a Shell,
    link: u64,
    key: SharedKey,
}

impl Session for Answering<'_> {
    fn frame_max(&self) -> usize {
        shell::frame_max(self.peer)
    }

    fn frame(&mut self, frame: Frame<'_>) {
        if !self.peer.is_verified() {
            let hello: Option<Hello> = if frame.cmd == HELLO { decode_own(frame.body) } else { None };
            if hello.is_some_and(|hello| self.key.fits(&hello.key)) {
                self.peer.set_verified(true);
                self.shell.asker(self.link, Some(Arc::clone(self.peer)));
                self.peer.queue(|bytes| encode_own(WELCOME, &(), bytes));
            } else {
                tracing::warn!("a peer without the shared key wanted to ask services");
                self.peer.close();
            }
            return;
        }
        if frame.cmd != ASK {
            return;
        }
        let Some(Asked { role, call, ask }) = decode_own::<Asked>(frame.body) else { return };
        let service = match &ask {
            Ask::Cache(_) => RoleId::Cache,
            Ask::Center(_) => RoleId::Center,
            Ask::Accounts(_) => return self.accounts(role, call, ask),
        };
        if u64::from(role) < ROLES && self.shell.with_node(|node| node.has(service)) {
            let from = Asker(self.link * ROLES + u64::from(role));
            self.shell.feed(service, Event::Asked(Question { from, call, ask }));
        } else {
            send_answer(self.peer, role, call, Err(Outage::Down));
        }
    }
}

impl Answering<'_> {
    fn accounts(&self, role: u8, call: CallId, ask: Ask) {
        let Ask::Accounts(ask) = ask else { return };
        let waiter = Waiter::Link { peer: Arc::clone(self.peer), role, call };
        self.shell.accounts(Job { waiter, ask });
    }
}

/// The link and the role behind an asker of another process.
pub(crate) const fn split_asker(asker: u64) -> (u64, u8) {
    (asker / ROLES, (asker % ROLES) as u8)
}

/// Reads a frame as either end of a link does, and writes what was read.
pub(crate) fn rewrite(frame: &Frame<'_>, out: &mut Vec<u8>) {
    fn again<M: Serialize + DeserializeOwned>(frame: &Frame<'_>, out: &mut Vec<u8>) {
        if let Some(msg) = decode_own::<M>(frame.body) {
            encode_own(frame.cmd, &msg, out);
        }
    }
    match frame.cmd {
        HELLO => again::<Hello>(frame, out),
        ASK => again::<Asked>(frame, out),
        ANSWER => again::<Answered>(frame, out),
        _ => {}
    }
}

/// Queues an answer to another process.
pub(crate) fn send_answer(peer: &Peer, role: u8, call: CallId, answer: Result<Answer, Outage>) {
    let answer = answer.map_err(|outage| match outage {
        Outage::Down => Failure::Down,
        Outage::Overloaded => Failure::Overloaded,
    });
    // A peer whose queue is full is cut off, and asks again over a new link.
    peer.queue(|bytes| encode_own(ANSWER, &Answered { role, call, answer }, bytes));
}

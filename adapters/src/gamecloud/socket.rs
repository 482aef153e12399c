//! One session of engine.io: what it has and what it hears, over whatever transport.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use gatepass_core::{
    ids::SessionKey,
    wire::gamecloud::{
        call::{Call, Request},
        engine::{BODY_MAX, Kind, Packet, write_body},
        reply::{self, Code},
        socket::{self, DISCONNECTED, Said},
    },
};
use tokio::sync::Notify;

use super::{
    Gamecloud, Origin, Side,
    calls::{AFTERWARDS, Done, GREETINGS, is_login},
    sockets::Link,
};
use crate::gate::Pass;

/// Packets that may wait for a client, and their bytes.
const WAITING_MAX: usize = 256;
const WAITING_BYTES_MAX: usize = 256 * 1024;
/// A client says something within this time, if only a ping.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(45);
/// After its last request a client that has not logged in is sent away, and one that has.
const IDLE_UNKNOWN: Duration = Duration::from_secs(30);
const IDLE_KNOWN: Duration = Duration::from_secs(600);
/// A poll waits so long at most: it ends before anything between thinks it dead.
const POLL: Duration = Duration::from_secs(20);
/// And so long while a WebSocket is tried, as in the original: the client waits for the end of the poll, but it may
/// also begin one before it knows that it is not to.
const POLL_PROBED: Duration = Duration::from_millis(100);
/// One that has ended is forgotten after this time, whether its client came for the last packets or not.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A session of engine.io.
pub(super) struct Socket {
    /// What its client calls it by.
    pub(super) id: SessionKey,
    pub(super) ip: IpAddr,
    pub(super) side: Side,
    state: Mutex<State>,
    /// There is something for the transport: packets, or the end.
    pub(super) wake: Notify,
    /// Requests are worked on one after another.
    turn: tokio::sync::Mutex<()>,
    _pass: Pass,
}

struct State {
    waiting: VecDeque<String>,
    bytes: usize,
    /// A WebSocket carries everything; before, polls do.
    upgraded: bool,
    /// A WebSocket is there, perhaps only to be tried.
    attached: bool,
    /// A poll waits for packets.
    polled: bool,
    /// The WebSocket is tried: the client changes to it when no poll waits any more.
    probed: bool,
    heard: Instant,
    asked: Option<Instant>,
    session: Option<SessionKey>,
    ended: Option<Instant>,
}

/// What a poll gets.
pub(super) enum Poll {
    /// A body.
    Body(String),
    /// Nothing yet: it is to wait so long, and then to end with nothing.
    Wait(Duration),
    /// There is another poll, or nothing any more.
    Wrong,
}

impl Socket {
    pub(super) fn new(id: SessionKey, ip: IpAddr, side: Side, pass: Pass, upgraded: bool) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            bytes: 0,
            upgraded,
            attached: upgraded,
            polled: false,
            probed: false,
            heard: Instant::now(),
            asked: None,
            session: None,
            ended: None,
        };
        Self {
            id,
            ip,
            side,
            state: Mutex::new(state),
            wake: Notify::new(),
            turn: tokio::sync::Mutex::new(()),
            _pass: pass,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every state is a valid one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a packet. A client that does not come for its packets is given up.
    pub(super) fn queue(&self, packet: String) {
        let mut state = self.state();
        if state.ended.is_some() {
            return;
        }
        if state.waiting.len() >= WAITING_MAX || state.bytes + packet.len() > WAITING_BYTES_MAX {
            state.waiting.clear();
            state.ended = Some(Instant::now());
        } else {
            state.bytes += packet.len();
            state.waiting.push_back(packet);
        }
        drop(state);
        self.wake.notify_waiters();
    }

    /// Tells the client that it is over, and then it is.
    pub(super) fn kick(&self) {
        self.queue(DISCONNECTED.into());
        self.end();
    }

    /// It is over; what is queued may still go out.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ended.get_or_insert_with(Instant::now);
        drop(state);
        self.wake.notify_waiters();
    }

    /// The session it has.
    pub(super) fn session(&self) -> Option<SessionKey> {
        self.state().session
    }

    /// A session has ended: if it is this one's, so has this.
    pub(super) fn session_ended(&self, key: SessionKey) {
        if self.session() == Some(key) {
            self.kick();
        }
    }

    /// Begins a poll, or looks again. See [`Socket::poll_over`].
    pub(super) fn poll(&self, first: bool) -> Poll {
        let mut state = self.state();
        if state.upgraded || first && state.polled {
            return Poll::Wrong;
        }
        state.polled = false;
        let mut body = String::new();
        while let Some(packet) = state.waiting.front() {
            // A length has at most six digits.
            if !body.is_empty() && body.len() + packet.len() + 7 > BODY_MAX {
                break;
            }
            write_body(packet, &mut body);
            state.bytes -= packet.len();
            state.waiting.pop_front();
        }
        if !body.is_empty() {
            return Poll::Body(body);
        }
        if state.ended.is_some() {
            return Poll::Wrong;
        }
        state.polled = true;
        Poll::Wait(if state.probed { POLL_PROBED } else { POLL })
    }

    /// The poll has its answer, or its client has gone.
    pub(super) fn poll_over(&self) {
        self.state().polled = false;
    }

    /// Takes a WebSocket, if there is none.
    pub(super) fn attach(&self) -> bool {
        let mut state = self.state();
        let taken = state.ended.is_none() && !state.attached;
        state.attached |= taken;
        taken
    }

    /// The WebSocket is gone, and with it the client if it had changed to it.
    pub(super) fn detach(&self) {
        let mut state = self.state();
        state.attached = false;
        state.probed = false;
        let over = state.upgraded;
        drop(state);
        if over {
            self.end();
        }
    }

    /// What goes out over the WebSocket now, and whether that is all there will ever be.
    pub(super) fn take(&self) -> (VecDeque<String>, bool) {
        let mut state = self.state();
        if !state.upgraded {
            return (VecDeque::new(), state.ended.is_some());
        }
        state.bytes = 0;
        (std::mem::take(&mut state.waiting), state.ended.is_some())
    }

    /// Whether it can be forgotten; if it has been silent too long it ends.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let state = self.state();
        if let Some(ended) = state.ended {
            let carried = state.waiting.is_empty() && !state.attached;
            return carried || now.duration_since(ended) > LAST_WORDS;
        }
        let silent = now.duration_since(state.heard) > SILENCE_MAX;
        let idle = match (state.asked, state.session) {
            // It has asked for nothing: clients that ask over HTTP have one too. It counts, and it pings.
            (None, _) => false,
            (Some(asked), None) => now.duration_since(asked) > IDLE_UNKNOWN,
            (Some(asked), Some(_)) => now.duration_since(asked) > IDLE_KNOWN,
        };
        drop(state);
        if silent {
            self.end();
        } else if idle {
            self.kick();
        }
        false
    }
}

impl Gamecloud {
    /// A packet came. An error if its client leaves or has broken the rules; then it is over.
    pub(super) async fn hear(&self, socket: &Link, packet: Packet<'_>, by_websocket: bool) -> Result<(), ()> {
        let admitted = self.sockets.admit(socket.ip).and_then(|()| match socket.side {
            // Who guessed at an administrator's key is not heard here either.
            Side::Index => self.askers.request(socket.ip),
            Side::Logic => Ok(()),
        });
        if let Err(rule) = admitted {
            // Others of the same address may have said too much: nobody is sent away for that, and whoever asks is told.
            self.shell.metrics().limited(rule);
            if packet.kind == Kind::Message
                && let Ok(Said::Request { number, .. }) = socket::read(packet.data)
            {
                socket.queue(socket::acknowledged(number, &reply::refused(Code::TOO_MANY)));
            }
            return Ok(());
        }
        {
            let mut state = socket.state();
            if state.ended.is_some() {
                return Err(());
            }
            state.heard = Instant::now();
        }
        match packet.kind {
            Kind::Ping => {
                if packet.data == "probe" && by_websocket {
                    // The answer is the WebSocket's own; here only the poll is told to end.
                    socket.state().probed = true;
                    socket.wake.notify_waiters();
                } else {
                    socket.queue(format!("{}{}", Kind::Pong, packet.data));
                    self.look_after(socket).await;
                }
                Ok(())
            }
            Kind::Upgrade if by_websocket => {
                socket.state().upgraded = true;
                socket.wake.notify_waiters();
                Ok(())
            }
            Kind::Message => self.hear_message(socket, packet.data).await,
            Kind::Pong | Kind::Noop => Ok(()),
            Kind::Open | Kind::Close | Kind::Upgrade => Err(()),
        }
    }

    /// Only a cache of this process says when a session ends; of another, whoever pings hears of it at the latest.
    async fn look_after(&self, socket: &Link) {
        let from = Origin { side: socket.side, ip: socket.ip };
        if let Some(session) = socket.session()
            && self.has_ended(session, from).await
        {
            socket.session_ended(session);
        }
    }

    async fn hear_message(&self, socket: &Link, message: &str) -> Result<(), ()> {
        match socket::read(message).map_err(|_| ())? {
            Said::Connect => Ok(()),
            Said::Disconnect => Err(()),
            Said::Request { number, request } => self.hear_request(socket, &request, Some(number)).await,
            Said::Notify(request) => self.hear_request(socket, &request, None).await,
        }
    }

    async fn hear_request(&self, socket: &Link, request: &Request, number: Option<u64>) -> Result<(), ()> {
        let _turn = socket.turn.lock().await;
        let from = Origin { side: socket.side, ip: socket.ip };
        let login = {
            let json = request.json().map_err(|_| ())?;
            Call::read(&json).is_ok_and(|call| is_login(from.side, &call))
        };
        let before = {
            let mut state = socket.state();
            state.asked = Some(Instant::now());
            // A newer login of the same account ends the session: that is no reason to send the client away.
            if login { state.session.take() } else { state.session }
        };
        let Done { answer, session, over } = self.call(request, from, before.filter(|_| !login)).await;
        let acknowledged = number.map(|number| socket::acknowledged(number, &answer));
        if session.is_some() {
            for (kind, info) in GREETINGS {
                socket.queue(socket::pushed(&reply::pushed(kind, info)));
            }
            acknowledged.into_iter().for_each(|packet| socket.queue(packet));
            let (kind, info) = AFTERWARDS;
            socket.queue(socket::pushed(&reply::pushed(kind, info)));
        } else {
            acknowledged.into_iter().for_each(|packet| socket.queue(packet));
        }
        if login {
            self.hold(socket, before, session, from).await;
        } else if over {
            socket.kick();
        }
        Ok(())
    }

    /// Has the socket follow the session of a login, or, if that was refused, the one it had.
    async fn hold(&self, socket: &Link, before: Option<SessionKey>, now: Option<SessionKey>, from: Origin) {
        if let (Some(before), Some(_)) = (before, now) {
            self.shell.unwatch_session(before);
        }
        let Some(session) = now.or(before) else { return };
        socket.state().session = Some(session);
        let watching = std::sync::Arc::clone(socket);
        self.shell.watch_session(session, Box::new(move || watching.session_ended(session)));
        // It may have ended before anybody watched.
        if self.has_ended(session, from).await {
            socket.kick();
        }
        // So may the socket, and then nobody is to be told.
        if socket.state().ended.is_some() {
            self.shell.unwatch_session(session);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::gate::{Gate, GateLimits};

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn socket(upgraded: bool) -> (Arc<Gate>, Socket) {
        let limits = GateLimits { connections: 1, connections_per_address: None, rate_per_address: None };
        let gate = Gate::new(limits);
        let pass = gate.enter(HOME).expect("a place");
        (gate, Socket::new(SessionKey::new([1; 16]), HOME, Side::Logic, pass, upgraded))
    }

    fn body(socket: &Socket) -> Option<String> {
        let polled = socket.poll(true);
        socket.poll_over();
        match polled {
            Poll::Body(body) => Some(body),
            Poll::Wait(_) | Poll::Wrong => None,
        }
    }

    #[test]
    fn silence_and_idleness_have_an_end() {
        let (_gate, it) = socket(false);
        let start = Instant::now();
        let asked = |asked, session| {
            let mut state = it.state();
            (state.asked, state.session, state.ended) = (asked, session, None);
            state.heard = start;
            state.waiting.clear();
        };
        let ends = |seconds| {
            let over = it.is_over(start + Duration::from_secs(seconds));
            assert!(!over, "not before its last words");
            it.state().ended.is_some()
        };
        asked(None, None);
        assert!(!ends(44));
        assert!(ends(46) && body(&it).is_none(), "whoever is silent is told nothing");
        asked(Some(start), None);
        assert!(!ends(29));
        assert!(ends(31) && body(&it).as_deref() == Some("2:41"), "whoever is idle is told");
        asked(Some(start), Some(SessionKey::new([2; 16])));
        it.state().heard = start + Duration::from_secs(600);
        assert!(!ends(599));
        assert!(ends(601));
        assert!(it.is_over(start + Duration::from_secs(700)), "nobody came for it");
    }

    #[test]
    fn only_the_end_of_its_own_session_is_its_end() {
        let (_gate, it) = socket(false);
        it.state().session = Some(SessionKey::new([2; 16]));
        it.session_ended(SessionKey::new([3; 16]));
        assert!(body(&it).is_none());
        it.session_ended(SessionKey::new([2; 16]));
        assert_eq!(body(&it).as_deref(), Some("2:41"));
        it.queue("more".into());
        assert!(body(&it).is_none() && it.is_over(Instant::now()));
    }

    #[test]
    fn a_client_that_takes_nothing_is_given_up() {
        let (_gate, it) = socket(true);
        for _ in 0..=WAITING_MAX {
            it.queue("4x".into());
        }
        let (packets, last) = it.take();
        assert!(packets.is_empty() && last);
        let (_gate, it) = socket(true);
        it.queue("x".repeat(WAITING_BYTES_MAX));
        assert_eq!(it.take().0.len(), 1);
        it.queue("x".repeat(WAITING_BYTES_MAX + 1));
        assert!(it.take().1);
    }

    #[test]
    fn a_poll_waits_alone_and_ends_when_the_transport_changes() {
        let (_gate, it) = socket(false);
        assert!(matches!(it.poll(true), Poll::Wait(POLL)));
        assert!(matches!(it.poll(true), Poll::Wrong), "a second one");
        assert!(it.attach() && !it.attach());
        it.state().probed = true;
        assert!(matches!(it.poll(false), Poll::Wait(POLL_PROBED)));
        it.state().upgraded = true;
        assert!(matches!(it.poll(true), Poll::Wrong));
        it.detach();
        assert!(it.take().1, "without its WebSocket it is over");
    }
}

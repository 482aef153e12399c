//! The LoginServer's front: `GET /msg?…` in, one frame out, and `POST /gtarcade` ([`crate::gtarcade`]).
//! Everything else is turned away before it costs much.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use gatepass_core::{
    ids::ConnId,
    message::{Reply, Request as Message},
    verify::{gtarcade::Games, verifier::Verifier},
    wire::http::{PATH, TARGET_MAX},
};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE, COOKIE, HeaderValue, SET_COOKIE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};

use crate::{
    codec,
    gate::{Gate, Pass, addr_of},
    gtarcade,
    metrics::Asked,
    peer,
    shell::Shell,
    write_timeout::WriteTimeout,
};

/// Bytes of a request's head, and of what is read ahead of it.
const HEAD_MAX: usize = 8_192;
/// Headers of a request.
const HEADERS_MAX: usize = 32;

/// The times of an HTTP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpTimes {
    /// A request's head must arrive within this time, counted from the connection or the request before: so it
    /// is also how long a connection may be idle.
    pub head: Duration,
    /// A request is answered within this time, whatever happens. The LoginServer's own limit is shorter. An answer that
    /// its client does not read is waited for as long again.
    pub request: Duration,
}

/// Accepts clients, for ever. Connections end when `stop` changes.
pub(crate) async fn serve(
    listener: TcpListener,
    gate: Arc<Gate>,
    shell: Arc<Shell>,
    times: HttpTimes,
    games: Option<Games>,
    stop: watch::Receiver<bool>,
) {
    let games = games.map(Arc::new);
    let builder = builder(times.head, HEAD_MAX, HEADERS_MAX);
    loop {
        let (stream, from) = peer::accept(&listener).await;
        match gate.enter(from.ip()) {
            Ok(pass) => {
                let (gate, shell, games) = (Arc::clone(&gate), Arc::clone(&shell), games.clone());
                let client = Client { gate, shell, times, games, from };
                tokio::spawn(connection(stream, client, pass, builder.clone(), stop.clone()));
            }
            Err(rule) => shell.metrics().limited(rule),
        }
    }
}

async fn connection(
    stream: TcpStream,
    client: Client,
    _pass: Pass,
    builder: http1::Builder,
    stop: watch::Receiver<bool>,
) {
    let patience = client.times.request;
    let service = service_fn(|request| client.answer(request));
    let connection = builder.serve_connection(io(stream, patience), service);
    run(connection, http1::Connection::graceful_shutdown, stop, patience).await;
}

/// How every front speaks HTTP: a head that is bounded in time, bytes and headers.
pub(crate) fn builder(head: Duration, head_max: usize, headers_max: usize) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(head_max)
        .max_headers(headers_max)
        // An answer is small: to join it to its head costs less than to write two pieces.
        .writev(false)
        .auto_date_header(false);
    builder
}

/// A connection as hyper takes it. A peer that does not read its answers is waited for this long.
pub(crate) fn io(stream: TcpStream, patience: Duration) -> TokioIo<WriteTimeout<TcpStream>> {
    TokioIo::new(WriteTimeout::new(stream, patience))
}

/// Runs a connection to its end, or until `stop` changes: then what is asked already is answered within `patience`.
/// How a connection ends is the client's business; what it was refused, it has been told.
pub(crate) async fn run<C: Future>(
    connection: C,
    shut_down: impl FnOnce(Pin<&mut C>),
    mut stop: watch::Receiver<bool>,
    patience: Duration,
) {
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        _ = connection.as_mut() => {}
        _ = stop.changed() => {
            shut_down(connection.as_mut());
            let _ = timeout(patience, connection).await;
        }
    }
}

struct Client {
    gate: Arc<Gate>,
    shell: Arc<Shell>,
    times: HttpTimes,
    /// GTarcade's games, if any may log in.
    games: Option<Arc<Games>>,
    from: SocketAddr,
}

impl Client {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let started = Instant::now();
        let ip: IpAddr = self.from.ip();
        if let Err(rule) = self.gate.request(ip) {
            self.shell.metrics().limited(rule);
            return Ok(empty(StatusCode::TOO_MANY_REQUESTS));
        }
        if let Some(games) = &self.games
            && request.uri().path() == gtarcade::PATH
        {
            return Ok(self.gtarcade(games, request, started).await);
        }
        if let Some(turned_away) = turn_away(&request) {
            return Ok(turned_away);
        }
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        let cookie = request.headers().get(COOKIE).and_then(|cookie| cookie.to_str().ok());
        let message = codec::request(target, cookie, addr_of(ip));
        let asked = Asked::of(&message.body);
        let Some(reply) = self.ask(message).await else {
            return Ok(empty(StatusCode::SERVICE_UNAVAILABLE));
        };
        let (body, cookie) = codec::reply(asked, &reply);
        self.shell.metrics().answered(asked, &reply, started.elapsed());
        Ok(answered(body.into(), cookie, "application/octet-stream"))
    }

    /// A login on a payload of GTarcade.
    async fn gtarcade(
        &self,
        games: &Games,
        request: Request<Incoming>,
        started: Instant,
    ) -> Response<Full<Bytes>> {
        if request.method() != Method::POST {
            return not_allowed("POST");
        }
        let Ok(body) = timeout(self.times.request, gtarcade::read(request.into_body())).await else {
            return empty(StatusCode::REQUEST_TIMEOUT);
        };
        let body = body.as_ref().map(|body| &body[..]).map_err(|why| *why);
        let message = gtarcade::request(games, body, addr_of(self.from.ip()));
        let Some(reply) = self.ask(message).await else {
            return empty(StatusCode::SERVICE_UNAVAILABLE);
        };
        let (body, cookie) = gtarcade::reply(&reply);
        self.shell.metrics().vouched(games.name(), &reply, started.elapsed());
        answered(body, cookie, "application/json")
    }

    /// Asks the LoginServer, which answers sooner than the request may take, unless the process is ending.
    async fn ask(&self, message: Message) -> Option<Reply> {
        let conn = self.shell.next_conn();
        let waiting = match self.shell.request(conn, message) {
            Ok(reply) => return Some(reply),
            Err(waiting) => waiting,
        };
        let mut guard = Unanswered { shell: &self.shell, conn, lost: true };
        let reply = timeout(self.times.request, waiting).await.ok()?.ok()?;
        guard.lost = false;
        Some(reply)
    }
}

/// A response with an answer of the LoginServer.
fn answered(body: Bytes, cookie: Option<String>, kind: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) {
        headers.insert(SET_COOKIE, cookie);
    }
    response
}

fn not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// A request that waits. Dropped when its client goes away: then the LoginServer forgets it.
pub(crate) struct Unanswered<'a> {
    pub(crate) shell: &'a Shell,
    pub(crate) conn: ConnId,
    /// Cleared when the answer is there.
    pub(crate) lost: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.shell.request_over(self.conn, self.lost);
    }
}

/// The answer to a request that is not for the LoginServer.
fn turn_away(request: &Request<Incoming>) -> Option<Response<Full<Bytes>>> {
    if request.uri().path() != PATH {
        return Some(empty(StatusCode::NOT_FOUND));
    }
    if request.method() != Method::GET {
        return Some(not_allowed("GET"));
    }
    let long = request.uri().path_and_query().is_some_and(|target| target.as_str().len() > TARGET_MAX);
    long.then(|| empty(StatusCode::URI_TOO_LONG))
}

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

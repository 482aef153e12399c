//! Requests over HTTP: calls, what is issued, and polls and WebSockets of engine.io.

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use gatepass_core::wire::gamecloud::{
    call::{CallFault, REQUEST_MAX, Request as Call},
    engine::{BODY_MAX, Kind, read_body, write_body},
    reply::{self, Code},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, CONNECTION, CONTENT_TYPE, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT,
        SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE, VARY,
    },
    server::conn::http1,
    service::service_fn,
};
use sha1::{Digest, Sha1};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};

use super::{Gamecloud, Origin, Side, socket::Poll, sockets::Link};
use crate::{
    gate::{Gate, Pass},
    http::{self, empty},
    peer,
};

/// Where calls go.
const CALLS: &str = "/index.html";
/// Where sessions of engine.io are.
const SOCKETS: &str = "/socket.io/";
/// Bytes of a request's head: a query may hold all that a body may.
const HEAD_MAX: usize = REQUEST_MAX + 8_192;
/// Headers of a request.
const HEADERS_MAX: usize = 64;
/// What a WebSocket's key is hashed with, by RFC 6455.
const WEBSOCKET: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

type Answer = Response<Full<Bytes>>;

pub(super) async fn serve(
    gamecloud: Arc<Gamecloud>,
    side: Side,
    listener: TcpListener,
    gate: Arc<Gate>,
    stop: watch::Receiver<bool>,
) {
    let builder = http::builder(gamecloud.times.head, HEAD_MAX, HEADERS_MAX);
    loop {
        let (stream, from) = peer::accept(&listener).await;
        match gate.enter(from.ip()) {
            Ok(pass) => {
                let client = Client {
                    gamecloud: Arc::clone(&gamecloud),
                    gate: Arc::clone(&gate),
                    from: Origin { side, ip: from.ip().to_canonical() },
                    stop: stop.clone(),
                };
                tokio::spawn(connection(stream, client, pass, builder.clone()));
            }
            Err(rule) => gamecloud.shell.metrics().limited(rule),
        }
    }
}

async fn connection(stream: TcpStream, client: Client, _pass: Pass, builder: http1::Builder) {
    let (stop, patience) = (client.stop.clone(), client.gamecloud.times.request);
    let service = service_fn(|request| client.answer(request));
    let connection = builder.serve_connection(http::io(stream, patience), service).with_upgrades();
    http::run(connection, http1::UpgradeableConnection::graceful_shutdown, stop, patience).await;
}

struct Client {
    gamecloud: Arc<Gamecloud>,
    gate: Arc<Gate>,
    from: Origin,
    stop: watch::Receiver<bool>,
}

impl Client {
    async fn answer(&self, mut request: Request<Incoming>) -> Result<Answer, Infallible> {
        let ip: IpAddr = self.from.ip;
        let origin = request.headers().get(ORIGIN).cloned();
        let mut response = if let Err(rule) = self.gate.request(ip) {
            self.gamecloud.shell.metrics().limited(rule);
            empty(StatusCode::TOO_MANY_REQUESTS)
        } else if *request.method() == Method::OPTIONS {
            text("OK")
        } else if request.uri().path() == SOCKETS {
            self.socket(&mut request).await.unwrap_or_else(Fault::answer)
        } else {
            self.call(request).await
        };
        allow_everybody(&mut response, origin);
        Ok(response)
    }

    /// A call, or something to be issued.
    async fn call(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path().to_owned();
        let call = match *request.method() {
            Method::GET => Call::from_query(request.uri().query().unwrap_or_default()),
            Method::POST => self.read(request).await,
            _ => return empty(StatusCode::METHOD_NOT_ALLOWED),
        };
        let known = path == CALLS || self.gamecloud.verifiers.at(&path).is_some();
        let call = match call {
            _ if !known => return not_found(),
            Ok(call) => call,
            // A client has to get JSON, or it fails itself.
            Err(_) => return json(reply::refused(Code::ILLEGAL_DATA)),
        };
        if path == CALLS {
            return json(self.gamecloud.call(&call, self.from, None).await.answer);
        }
        self.gamecloud.issue(&path, &call, self.from).map_or_else(not_found, json)
    }

    /// The body of a call: JSON, or a form.
    async fn read(&self, request: Request<Incoming>) -> Result<Call, CallFault> {
        let form = request
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        let body = self.body(&mut request.into_body(), REQUEST_MAX).await;
        let body = body.ok_or(CallFault::TooLong { len: REQUEST_MAX + 1 })?;
        if !form {
            return Call::from_json(&body);
        }
        Call::from_query(std::str::from_utf8(&body).map_err(|_| CallFault::NotText)?)
    }

    /// A whole body, in time and not longer than this.
    async fn body(&self, body: &mut Incoming, max: usize) -> Option<Bytes> {
        let whole = timeout(self.gamecloud.times.head, Limited::new(body, max).collect()).await;
        Some(whole.ok()?.ok()?.to_bytes())
    }

    async fn socket(&self, request: &mut Request<Incoming>) -> Result<Answer, Fault> {
        let query = Query(request.uri().query().unwrap_or_default().to_owned());
        if query.get("EIO") != Some("3") || query.get("j").is_some() {
            return Err(Fault::BadRequest);
        }
        let websocket = match query.get("transport") {
            Some("polling") => false,
            Some("websocket") => true,
            _ => return Err(Fault::Transport),
        };
        let link = match query.get("sid") {
            Some(sid) => {
                Some(self.gamecloud.sockets.find(sid, self.from.ip, self.from.side).ok_or(Fault::Unknown)?)
            }
            None => None,
        };
        match (request.method(), websocket, link) {
            (&Method::GET, true, link) => self.upgrade(request, link),
            (&Method::GET, false, link) => {
                let link = link.map_or_else(|| self.open(false), Ok)?;
                let answer = poll(&link).await;
                self.gamecloud.sockets.forget_if_over(&link, &self.gamecloud.shell);
                answer
            }
            (&Method::POST, false, Some(link)) => {
                let body = self.body(request.body_mut(), BODY_MAX).await;
                self.heard(&link, body.ok_or(Fault::BadRequest)?).await
            }
            _ => Err(Fault::Method),
        }
    }

    fn open(&self, websocket: bool) -> Result<Link, Fault> {
        let opened = self.gamecloud.sockets.open(self.from.ip, self.from.side, websocket);
        opened.map_err(|rule| {
            self.gamecloud.shell.metrics().limited(rule);
            Fault::Full
        })
    }

    /// The packets of a poll's body.
    async fn heard(&self, link: &Link, body: Bytes) -> Result<Answer, Fault> {
        let Ok(packets) = read_body(&body) else {
            link.end();
            return Err(Fault::BadRequest);
        };
        for packet in packets {
            if self.gamecloud.hear(link, packet, false).await.is_err() {
                link.end();
                break;
            }
        }
        Ok(text("ok"))
    }

    fn upgrade(&self, request: &mut Request<Incoming>, link: Option<Link>) -> Result<Answer, Fault> {
        let headers = request.headers();
        let says = |name, word: &str| {
            let value = headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
            value.is_some_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
        };
        let asked =
            says(UPGRADE, "websocket") && says(CONNECTION, "upgrade") && says(SEC_WEBSOCKET_VERSION, "13");
        let key =
            headers.get(SEC_WEBSOCKET_KEY).filter(|key| asked && key.len() <= 64).ok_or(Fault::BadRequest)?;
        let accept = STANDARD.encode(Sha1::new().chain_update(key).chain_update(WEBSOCKET).finalize());
        let accept = HeaderValue::try_from(accept).map_err(|_| Fault::BadRequest)?;
        let link = match link {
            Some(link) if link.attach() => link,
            Some(_) => return Err(Fault::BadRequest),
            None => self.open(true)?,
        };
        let upgrade = hyper::upgrade::on(request);
        let gamecloud = Arc::clone(&self.gamecloud);
        tokio::spawn(gamecloud.websocket(link, upgrade, self.stop.clone()));
        let mut response = empty(StatusCode::SWITCHING_PROTOCOLS);
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        Ok(response)
    }
}

/// Waits for packets.
async fn poll(link: &Link) -> Result<Answer, Fault> {
    struct Polling<'a>(&'a Link);
    impl Drop for Polling<'_> {
        fn drop(&mut self) {
            self.0.poll_over();
        }
    }
    let mut polling = None;
    loop {
        let woken = link.wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let wait = match link.poll(polling.is_none()) {
            Poll::Body(body) => return Ok(text(body)),
            Poll::Wrong => return Err(Fault::BadRequest),
            Poll::Wait(wait) => wait,
        };
        let (_, since) = polling.get_or_insert_with(|| (Polling(link), Instant::now()));
        if timeout(wait.saturating_sub(since.elapsed()), woken).await.is_err() {
            let mut body = String::new();
            write_body(&Kind::Noop.to_string(), &mut body);
            return Ok(text(body));
        }
    }
}

/// Why a request is none of engine.io, as its clients are told.
#[derive(Clone, Copy)]
enum Fault {
    Transport,
    Unknown,
    Method,
    BadRequest,
    Full,
}

impl Fault {
    fn answer(self) -> Answer {
        let (code, message) = match self {
            Self::Transport => (0, "Transport unknown"),
            Self::Unknown => (1, "Session ID unknown"),
            Self::Method => (2, "Bad handshake method"),
            Self::BadRequest => (3, "Bad request"),
            Self::Full => (4, "Forbidden"),
        };
        let mut response = json(format!("{{\"code\":{code},\"message\":\"{message}\"}}"));
        *response.status_mut() = match self {
            Self::Full => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::BAD_REQUEST,
        };
        response
    }
}

/// A query whose values need no unescaping.
struct Query(String);

impl Query {
    fn get(&self, name: &str) -> Option<&str> {
        let pairs = self.0.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(own, _)| *own == name).map(|(_, value)| value).next()
    }
}

/// What browsers ask before they let a page of another origin read an answer. Nothing here depends on cookies.
fn allow_everybody(response: &mut Answer, origin: Option<HeaderValue>) {
    let headers = response.headers_mut();
    // What is allowed depends on who asks: nobody may keep it for another.
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    let everything = HeaderValue::from_static("*");
    if let Some(origin) = origin {
        // Clients of socket.io ask with credentials, and then a star is not taken.
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    } else {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, everything.clone());
    }
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Content-Type, Accept"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
}

fn json(body: String) -> Answer {
    typed(body, "application/json; charset=utf-8")
}

fn text(body: impl Into<String>) -> Answer {
    typed(body.into(), "text/plain; charset=UTF-8")
}

fn typed(body: String, kind: &'static str) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn not_found() -> Answer {
    let mut response = text("Sorry cant find the path!");
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

//! The operator's port: is it alive, is it ready and if not why, and the metrics.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use gatepass_core::{
    cache::Cache,
    role::{Cx, Entropy},
};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioTimer;
use serde::Serialize;
use tokio::net::TcpListener;

use crate::{
    drive::Node,
    gate::Gate,
    http::{self, empty},
    peer,
    service::Client,
    shell::Shell,
};

/// What the operator's port looks at.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    pub(crate) shell: Arc<Shell>,
    pub(crate) services: Vec<Arc<Client>>,
    pub(crate) http: Option<Arc<Gate>>,
    pub(crate) room: Option<Arc<Gate>>,
}

/// The answer of `/readyz`.
#[derive(Debug, Serialize)]
struct Ready {
    ready: bool,
    reasons: Vec<String>,
    /// What does not work, though the rest does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<&'static str>,
}

/// Told while the cache does not know what an earlier one took. To end the process now would begin the wait anew.
const DOUBTS: &str = "logins with anything signed are refused until whatever was used before a crash is too old; a restart begins this anew";

/// Head of an operator's request, and an answer to somebody who does not read it.
const HEAD: Duration = Duration::from_secs(10);
/// Operators and scrapers at once.
pub(crate) const CONNECTIONS_MAX: usize = 64;
/// How often recorded times are folded into their buckets, and what is too old to be remembered is wiped.
const UPKEEP: Duration = Duration::from_secs(5);

/// Keeps the metrics small between scrapes, for ever.
pub(crate) async fn upkeep(shell: Arc<Shell>) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        shell.metrics().upkeep();
        shell.forget();
    }
}

/// Serves operators, for ever.
pub(crate) async fn serve(listener: TcpListener, gate: Arc<Gate>, admin: Admin) {
    loop {
        let (stream, from) = peer::accept(&listener).await;
        let Ok(pass) = gate.enter(from.ip()) else { continue };
        let admin = admin.clone();
        tokio::spawn(async move {
            let _pass = pass;
            let service = service_fn(|request| {
                let response = admin.answer(&request);
                async move { Ok::<_, Infallible>(response) }
            });
            // How an operator's connection ends is nobody's concern.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(http::io(stream, HEAD), service)
                .await;
        });
    }
}

impl Admin {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        match request.uri().path() {
            "/livez" if self.shell.is_broken() => empty(StatusCode::INTERNAL_SERVER_ERROR),
            "/livez" => text("ok\n".into(), "text/plain; charset=utf-8"),
            "/readyz" => self.ready(),
            "/metrics" if self.shell.is_broken() => empty(StatusCode::INTERNAL_SERVER_ERROR),
            "/metrics" => {
                let inside = |gate: &Option<Arc<Gate>>| gate.as_ref().map_or(0, |gate| gate.inside());
                let timers = self.shell.with_node(Node::timers);
                self.shell.metrics().sizes(inside(&self.http), inside(&self.room), timers);
                text(self.shell.metrics().render(), "text/plain; version=0.0.4; charset=utf-8")
            }
            _ => empty(StatusCode::NOT_FOUND),
        }
    }

    fn ready(&self) -> Response<Full<Bytes>> {
        let reasons = self.reasons();
        let ready = reasons.is_empty();
        let doubts =
            !self.shell.is_broken() && self.shell.with_node(|node| node.cache().is_some_and(Cache::doubts));
        let limits = if doubts { vec![DOUBTS] } else { vec![] };
        // Two fields of simple types always serialise.
        let body = serde_json::to_string(&Ready { ready, reasons, limits }).unwrap_or_default();
        let mut response = text(body, "application/json");
        if !ready {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    }

    fn reasons(&self) -> Vec<String> {
        if self.shell.is_broken() {
            return vec!["a role has broken an invariant".into()];
        }
        let mut reasons = Vec::new();
        if self.shell.is_draining() {
            reasons.push("draining".into());
        }
        self.shell.with_node(|node| {
            if let Some(room) = node.room() {
                let cx = Cx { settings: node.settings(), entropy: &mut NoEntropy };
                if !room.serves(&cx) {
                    reasons.push("the room server holds no lease".into());
                }
                if !room.is_linked() {
                    reasons.push("the room server is not registered at RCenter".into());
                }
            }
        });
        for service in self.services.iter().filter(|service| !service.is_up()) {
            reasons.push(format!("the link to services at {} is down", service.address()));
        }
        reasons
    }
}

/// Looking at a role draws nothing.
struct NoEntropy;

impl Entropy for NoEntropy {
    fn bits(&mut self) -> [u8; 16] {
        [0; 16]
    }
}

fn text(body: String, kind: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

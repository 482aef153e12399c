//! Questions to a portal: one GET, with an end and a bound.

use std::time::Duration;

use bytes::Bytes;
use gatepass_core::verify::{gamecloud::tx::ANSWER_MAX, verifier::Question};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, Uri, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

/// A portal answers within this time, or has not answered. Shorter than a client waits.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most of a question's head.
const ANSWER_HEAD_MAX: usize = 16_384;

/// Asks. Nothing if there is no whole answer in time, or one that is not about success of HTTP.
pub(super) async fn ask(question: &Question) -> Option<Vec<u8>> {
    // Neither the question nor what came of it is logged: it holds the player's key.
    timeout(PATIENCE, get(&question.url)).await.ok().flatten()
}

async fn get(url: &str) -> Option<Vec<u8>> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"))?.clone();
    let stream = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80))).await.ok()?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(ANSWER_HEAD_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.ok()?;
    let target = uri.path_and_query()?.as_str();
    let request = Request::get(target).header(HOST, authority.as_str()).body(Empty::<Bytes>::new()).ok()?;
    let driver = tokio::spawn(connection);
    let answer = async {
        let response = sender.send_request(request).await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await.ok()?;
        Some(body.to_bytes().to_vec())
    }
    .await;
    driver.abort();
    answer
}

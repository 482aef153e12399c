//! As much HTTP as the original client speaks: a `GET`, and an answer with a length.

use std::{fmt, io, ops::Range};

use gatepass_core::wire::{
    frame::{FRAME_MAX, HEADER_LEN},
    http::request_line,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Longest head of an answer.
const HEAD_MAX: usize = 16 * 1024;
/// Longest body: one frame.
const BODY_MAX: usize = FRAME_MAX + HEADER_LEN;
/// Most headers of an answer.
const HEADERS_MAX: usize = 64;
/// Bytes read at once.
const CHUNK: usize = 4 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub enum HttpError {
    /// The connection could not be made, or failed.
    Io(io::Error),
    /// The server closed the connection in the middle, or before it said anything.
    Closed,
    /// What came is not HTTP, or more than an answer may be.
    Malformed(&'static str),
    /// An answer, but not a good one.
    Status(u16),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Closed => f.write_str("the server closed the connection without an answer"),
            Self::Malformed(what) => write!(f, "not an answer of a LoginServer: {what}"),
            Self::Status(status) => write!(f, "HTTP status {status}: is this a LoginServer?"),
        }
    }
}

impl std::error::Error for HttpError {}

impl From<io::Error> for HttpError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Appends a whole request: the line, the headers of the original client in its order, the empty line.
///
/// `cookie` is the value of the `Cookie` header. Without `keep_alive` the server is asked to close, as that
/// client always does.
pub fn write_request(target: &str, host: &str, cookie: Option<&str>, keep_alive: bool, out: &mut Vec<u8>) {
    let mut put = |text: &str| out.extend_from_slice(text.as_bytes());
    put(&request_line(target));
    put("\r\nAccept-Encoding: identity\r\nHost: ");
    put(host);
    put("\r\nUser-Agent: gatepass/");
    put(env!("CARGO_PKG_VERSION"));
    if let Some(cookie) = cookie {
        put("\r\nCookie: ");
        put(cookie);
    }
    put(if keep_alive { "\r\nConnection: keep-alive\r\n\r\n" } else { "\r\nConnection: close\r\n\r\n" });
}

/// An answer, borrowed from the connection it came on.
#[derive(Debug)]
pub struct Response<'a> {
    /// The first `Set-Cookie` header, which is the one that the original client reads.
    pub set_cookie: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// A connection to a LoginServer, with its buffer.
#[derive(Debug)]
pub struct HttpConnection {
    stream: TcpStream,
    input: Vec<u8>,
    filled: usize,
    /// Bytes of the answer that was read last.
    done: usize,
    reusable: bool,
}

/// What the head of an answer says.
struct Head {
    status: u16,
    len: usize,
    body: Option<usize>,
    cookie: Option<Range<usize>>,
    close: bool,
}

impl HttpConnection {
    /// Takes over a connection.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, input: vec![0; CHUNK], filled: 0, done: 0, reusable: true }
    }

    /// Whether another request may be sent on it.
    #[must_use]
    pub const fn is_reusable(&self) -> bool {
        self.reusable
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// See [`HttpError`]; the connection is of no more use then.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Response<'_>, HttpError> {
        self.input.copy_within(self.done..self.filled, 0);
        self.filled -= std::mem::take(&mut self.done);
        let reusable = std::mem::replace(&mut self.reusable, false);
        self.stream.write_all(request).await?;
        let head = self.read_head().await?;
        let body = self.read_body(&head).await?;
        self.done = body.end;
        self.reusable = reusable && !head.close;
        if !(200..300).contains(&head.status) {
            return Err(HttpError::Status(head.status));
        }
        let text = |range| std::str::from_utf8(&self.input[range]).ok();
        Ok(Response { set_cookie: head.cookie.and_then(text), body: &self.input[body] })
    }

    async fn read_head(&mut self) -> Result<Head, HttpError> {
        loop {
            if let Some(head) = parse_head(&self.input[..self.filled])? {
                // An interim answer comes before the one that counts.
                if !(100..200).contains(&head.status) {
                    return Ok(head);
                }
                self.input.copy_within(head.len..self.filled, 0);
                self.filled -= head.len;
                continue;
            }
            if self.filled > HEAD_MAX {
                return Err(HttpError::Malformed("its head is too long"));
            }
            if self.read().await? == 0 {
                return Err(HttpError::Closed);
            }
        }
    }

    /// Reads until the body is whole; where it lies.
    async fn read_body(&mut self, head: &Head) -> Result<Range<usize>, HttpError> {
        if head.body.is_some_and(|len| len > BODY_MAX) {
            return Err(HttpError::Malformed("its body is too long"));
        }
        loop {
            let there = self.filled - head.len;
            match head.body {
                Some(len) if there >= len => return Ok(head.len..head.len + len),
                None if there > BODY_MAX => return Err(HttpError::Malformed("its body is too long")),
                _ => {}
            }
            if self.read().await? == 0 {
                // Without a length the end of the connection is the end of the body.
                return if head.body.is_none() { Ok(head.len..self.filled) } else { Err(HttpError::Closed) };
            }
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        if self.input.len() - self.filled < CHUNK / 2 {
            self.input.resize(self.input.len() + CHUNK, 0);
        }
        let n = self.stream.read(&mut self.input[self.filled..]).await?;
        self.filled += n;
        Ok(n)
    }
}

fn parse_head(input: &[u8]) -> Result<Option<Head>, HttpError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(input).map_err(|_| HttpError::Malformed("its head does not parse"))?;
    let httparse::Status::Complete(len) = parsed else { return Ok(None) };
    let mut head = Head {
        status: response.code.unwrap_or(0),
        len,
        body: None,
        cookie: None,
        close: response.version == Some(0),
    };
    for header in response.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            let length = std::str::from_utf8(header.value).ok().and_then(|text| text.trim().parse().ok());
            head.body = Some(length.ok_or(HttpError::Malformed("its length is no number"))?);
        } else if is("transfer-encoding") {
            return Err(HttpError::Malformed("it is sent in chunks"));
        } else if is("connection") {
            head.close = header.value.eq_ignore_ascii_case(b"close");
        } else if is("set-cookie") && head.cookie.is_none() {
            let start = header.value.as_ptr().addr() - input.as_ptr().addr();
            head.cookie = Some(start..start + header.value.len());
        }
    }
    head.close |= head.body.is_none();
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Answers each connection with the given bytes, in pieces of `step`.
    async fn ask(answer: &'static [u8], step: usize) -> Result<(Option<String>, Vec<u8>, bool), HttpError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut request = [0; 1024];
            let n = stream.read(&mut request).await.expect("reads");
            assert!(request[..n].starts_with(b"GET /msg?c=2 HTTP/1.1\r\n"), "the line comes first");
            for piece in answer.chunks(step) {
                stream.write_all(piece).await.expect("writes");
                tokio::task::yield_now().await;
            }
        });
        let stream = TcpStream::connect(addr).await.expect("connects");
        let mut connection = HttpConnection::new(stream);
        let mut request = Vec::new();
        write_request("/msg?c=2", "localhost", Some("session=a"), true, &mut request);
        let result = match connection.exchange(&request).await {
            Ok(Response { set_cookie, body }) => Ok((set_cookie.map(str::to_owned), body.to_vec())),
            Err(error) => Err(error),
        };
        server.await.expect("no panic");
        result.map(|(cookie, body)| (cookie, body, connection.is_reusable()))
    }

    #[tokio::test]
    async fn an_answer_is_read_however_it_is_cut() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: session=x; Path=/\r\n\
            Set-Cookie: session=y;\r\n\r\nhello";
        for step in [1, 7, 1000] {
            let (cookie, body, reusable) = ask(answer, step).await.expect("an answer");
            assert_eq!(cookie.as_deref(), Some("session=x; Path=/"));
            assert_eq!(body, b"hello");
            assert!(reusable);
        }
    }

    #[tokio::test]
    async fn the_end_of_the_connection_ends_a_body_without_a_length() {
        let (_, body, reusable) = ask(b"HTTP/1.0 200 OK\r\n\r\nhello", 3).await.expect("an answer");
        assert_eq!((&body[..], reusable), (&b"hello"[..], false));
    }

    #[tokio::test]
    async fn interim_answers_are_skipped() {
        let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        assert_eq!(ask(answer, 5).await.expect("an answer").1, b"ok");
    }

    #[tokio::test]
    async fn what_is_no_good_answer_is_an_error() {
        assert!(matches!(ask(b"", 1).await, Err(HttpError::Closed)));
        assert!(matches!(ask(b"\x02\x00\x00\x00\x10\x00", 9).await, Err(HttpError::Malformed(_))));
        let cut = ask(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", 9).await;
        assert!(matches!(cut, Err(HttpError::Closed)));
        let huge = ask(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", 99).await;
        assert!(matches!(huge, Err(HttpError::Malformed(_))));
        let status = ask(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 99).await;
        assert!(matches!(status, Err(HttpError::Status(503))));
    }
}

//! A connection that gives up on a client that does not say what it speaks, or does not read: it would hold
//! its place, or its buffers, for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// How long a client may read nothing at all while there is something for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a client may take until it is known what it speaks: until then no other timer runs.
const GREETING: Duration = Duration::from_secs(10);

/// What an HTTP/2 client says first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream that fails when its client is silent at first, or when writes are blocked for too long.
pub(crate) struct Impatient<K> {
    stream: TcpStream,
    /// Kept for as long as the stream is open.
    _kept: K,
    /// Runs until it is known what the client speaks.
    greeting: Option<Greeting>,
    /// Runs while a write is blocked.
    blocked: Option<Pin<Box<Sleep>>>,
    /// Whether anything was written.
    begun: bool,
}

/// How much of the preface has come, and until when the rest must.
struct Greeting {
    until: Pin<Box<Sleep>>,
    matched: usize,
}

impl Greeting {
    /// Whether these bytes settle what the client speaks.
    fn is_over(&mut self, bytes: &[u8]) -> bool {
        let rest = PREFACE.get(self.matched..).unwrap_or_default();
        let same = bytes.iter().zip(rest).take_while(|(a, b)| a == b).count();
        self.matched += same;
        same < bytes.len() || self.matched == PREFACE.len()
    }
}

impl<K> Impatient<K> {
    /// Wraps a stream; `kept` goes when it is closed.
    pub(crate) fn new(stream: TcpStream, kept: K) -> Self {
        let until = Box::pin(tokio::time::sleep(GREETING));
        Self {
            stream,
            _kept: kept,
            greeting: Some(Greeting { until, matched: 0 }),
            blocked: None,
            begun: false,
        }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.begun = true;
        if written.is_ready() {
            self.blocked = None;
            return written;
        }
        let blocked = self.blocked.get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
        ready!(blocked.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<K: Unpin> AsyncRead for Impatient<K> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let Some(greeting) = &mut self.greeting else { return read };
        if read.is_pending() {
            ready!(greeting.until.as_mut().poll(cx));
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not speak")));
        }
        if greeting.is_over(buf.filled().get(before..).unwrap_or_default()) {
            self.greeting = None;
        }
        read
    }
}

impl<K: Unpin> AsyncWrite for Impatient<K> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(cx, written)
    }

    /// Not until something was written: HTTP/2 asks before to learn whether to copy what is small, and an answer of less
    /// than a kilobyte then goes out in one piece, and not in two.
    fn is_write_vectored(&self) -> bool {
        self.begun
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let mut stream = Impatient::new(accepted, ());
        let begun = tokio::time::Instant::now();
        let chunk = vec![0_u8; 1 << 20];
        let error = loop {
            if let Err(error) = stream.write_all(&chunk).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_within_the_preface_is_given_up() {
        for said in [&b""[..], b"P", b"PRI * HTTP/2.0"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (accepted, _) = listener.accept().await.unwrap();
            client.write_all(said).await.unwrap();
            let mut stream = Impatient::new(accepted, ());
            let error = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{said:?}");
        }
    }

    #[test]
    fn what_is_spoken_is_known_by_the_first_bytes_that_tell() {
        let of = |parts: &[&[u8]]| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _inside = runtime.enter();
            let until = Box::pin(tokio::time::sleep(GREETING));
            let mut greeting = Greeting { until, matched: 0 };
            parts.iter().map(|part| greeting.is_over(part)).collect::<Vec<_>>()
        };
        assert_eq!(of(&[b"G"]), [true]);
        assert_eq!(of(&[b"P", b"OST / HTTP/1.1"]), [false, true]);
        assert_eq!(of(&[b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r\n"]), [false, true]);
    }
}

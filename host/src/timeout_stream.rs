//! A TCP stream that times out when the client sends no protocol preface, or when it does not read. Such a client would
//! otherwise keep its connection slot and its buffers for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// Limit of time in which a pending write must make progress.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Limit of time in which the client must send enough to tell HTTP/1 from HTTP/2. No other timer runs until then.
const PREFACE_TIMEOUT: Duration = Duration::from_secs(10);

/// The first bytes of an HTTP/2 connection.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream that fails when the client's first bytes, or progress of a write, take too long.
pub(crate) struct TimeoutStream<G> {
    stream: TcpStream,
    /// Dropped when the stream is closed.
    _guard: G,
    /// Present until the protocol is detected.
    preface: Option<Preface>,
    /// Runs while a write is pending.
    write_timeout: Option<Pin<Box<Sleep>>>,
    /// Whether a write was attempted.
    has_written: bool,
}

/// How many bytes of the HTTP/2 preface were received, and the timer for the rest.
struct Preface {
    timeout: Pin<Box<Sleep>>,
    matched: usize,
}

impl Preface {
    /// Takes the next bytes and returns whether the protocol is detected.
    fn is_detected_by(&mut self, bytes: &[u8]) -> bool {
        let rest = PREFACE.get(self.matched..).unwrap_or_default();
        let same = bytes.iter().zip(rest).take_while(|(a, b)| a == b).count();
        self.matched += same;
        same < bytes.len() || self.matched == PREFACE.len()
    }
}

impl<G> TimeoutStream<G> {
    /// Wraps a stream. The guard is dropped when the stream is closed.
    pub(crate) fn new(stream: TcpStream, guard: G) -> Self {
        let timeout = Box::pin(tokio::time::sleep(PREFACE_TIMEOUT));
        Self {
            stream,
            _guard: guard,
            preface: Some(Preface { timeout, matched: 0 }),
            write_timeout: None,
            has_written: false,
        }
    }

    /// Starts the write timeout when the write is pending, and stops it otherwise.
    fn limit<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.has_written = true;
        if write.is_ready() {
            self.write_timeout = None;
            return write;
        }
        let timeout = self.write_timeout.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_TIMEOUT)));
        ready!(timeout.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<G: Unpin> AsyncRead for TimeoutStream<G> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let Some(preface) = &mut self.preface else { return read };
        if read.is_pending() {
            ready!(preface.timeout.as_mut().poll(cx));
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client sends no request")));
        }
        if preface.is_detected_by(buf.filled().get(before..).unwrap_or_default()) {
            self.preface = None;
        }
        read
    }
}

impl<G: Unpin> AsyncWrite for TimeoutStream<G> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.limit(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.limit(cx, write)
    }

    /// Returns false before the first write. The HTTP/2 implementation asks once at its start and then copies small
    /// frames together, so that a response of less than a kilobyte is one write instead of two.
    fn is_write_vectored(&self) -> bool {
        self.has_written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flush = Pin::new(&mut self.stream).poll_flush(cx);
        self.limit(cx, flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shutdown = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.limit(cx, shutdown)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn client_that_does_not_read_times_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let mut stream = TimeoutStream::new(accepted, ());
        let start = tokio::time::Instant::now();
        let chunk = vec![0_u8; 1 << 20];
        let error = loop {
            if let Err(error) = stream.write_all(&chunk).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= WRITE_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn client_that_stops_within_the_preface_times_out() {
        for sent in [&b""[..], b"P", b"PRI * HTTP/2.0"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (accepted, _) = listener.accept().await.unwrap();
            client.write_all(sent).await.unwrap();
            let mut stream = TimeoutStream::new(accepted, ());
            let error = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{sent:?}");
        }
    }

    #[test]
    fn protocol_is_detected_at_the_first_byte_that_differs_or_completes_the_preface() {
        let detected = |parts: &[&[u8]]| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _context = runtime.enter();
            let timeout = Box::pin(tokio::time::sleep(PREFACE_TIMEOUT));
            let mut preface = Preface { timeout, matched: 0 };
            parts.iter().map(|part| preface.is_detected_by(part)).collect::<Vec<_>>()
        };
        assert_eq!(detected(&[b"G"]), [true]);
        assert_eq!(detected(&[b"P", b"OST / HTTP/1.1"]), [false, true]);
        assert_eq!(detected(&[b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r\n"]), [false, true]);
    }
}

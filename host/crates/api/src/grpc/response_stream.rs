//! Streams of answers: one task fills each, a client that does not read is cut off, and one that leaves
//! ends the task.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt as _;
use tessera_core::{Error, ErrorKind, Result};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::Stream;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

use crate::grpc::error::refuse;
use crate::grpc::trace::Trace;
use crate::state::panicked;
use crate::subscriptions::STALL;

/// The stream that a client reads.
pub(crate) struct ResponseStream<A> {
    news: mpsc::Receiver<A>,
    /// The status with which the stream ends; `None` for success.
    end: Option<oneshot::Receiver<Option<Status>>>,
    _pump: AbortOnDropHandle<()>,
}

/// Where a task puts what a client shall read.
pub(crate) struct StreamSender<A> {
    to: mpsc::Sender<A>,
    /// How long a client may not read.
    stall: Duration,
}

impl<A> StreamSender<A> {
    /// Hands one message over; waits until the client has room for it.
    pub(super) async fn send(&self, message: A) -> Result<()> {
        match tokio::time::timeout(self.stall, self.to.send(message)).await {
            // A client that left has dropped the stream, and with it the task that sends.
            Ok(Ok(()) | Err(_)) => Ok(()),
            Err(_) => {
                let seconds = self.stall.as_secs();
                let message = format!("nothing was read for {seconds} seconds; resume after the last cursor");
                Err(Error::new(ErrorKind::RateLimited, "SLOW_READER", message))
            }
        }
    }
}

impl<A: Send + 'static> ResponseStream<A> {
    /// A stream that `pump` fills until it returns, or until the client's deadline.
    pub(super) fn pumped<Pumped>(trace: &Trace, pump: impl FnOnce(StreamSender<A>) -> Pumped) -> Self
    where
        Pumped: Future<Output = Result<()>> + Send + 'static,
    {
        Self::start(trace, STALL, pump)
    }

    fn start<Pumped>(trace: &Trace, stall: Duration, pump: impl FnOnce(StreamSender<A>) -> Pumped) -> Self
    where
        Pumped: Future<Output = Result<()>> + Send + 'static,
    {
        let (to, news) = mpsc::channel(1);
        let (sender, end) = oneshot::channel();
        let pumped = AssertUnwindSafe(pump(StreamSender { to, stall })).catch_unwind();
        let deadline = trace.timeout.map(|timeout| tokio::time::Instant::from_std(trace.begun) + timeout);
        let request_id = trace.request_id.clone();
        let task = tokio::spawn(async move {
            let ended = match deadline {
                Some(at) => tokio::time::timeout_at(at, pumped).await,
                None => Ok(pumped.await),
            };
            let error = match ended {
                Ok(Ok(Ok(()))) => None,
                Ok(Ok(Err(error))) => Some(error),
                Ok(Err(panic)) => Some(panicked(&*panic)),
                Err(_) => Some(passed()),
            };
            // Nobody is left to tell when the client has gone.
            let _ = sender.send(error.map(|error| refuse(&error, &request_id)));
        });
        Self { news, end: Some(end), _pump: AbortOnDropHandle::new(task) }
    }
}

fn passed() -> Error {
    Error::new(
        ErrorKind::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "the client's deadline for the stream passed",
    )
}

impl<A> Stream for ResponseStream<A> {
    type Item = Result<A, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = ready!(self.news.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(message)));
        }
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        let status = ready!(Pin::new(end).poll(cx)).unwrap_or(None);
        self.end = None;
        Poll::Ready(status.map(Err))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_stream::StreamExt as _;
    use tonic::Code;

    use super::*;

    fn trace(timeout: Option<Duration>) -> Trace {
        let mut trace = Trace::of(&tonic::codegen::http::Extensions::new());
        trace.timeout = timeout;
        trace
    }

    async fn end(mut stream: ResponseStream<u8>) -> (Vec<u8>, Option<Code>) {
        let mut read = Vec::new();
        while let Some(next) = stream.next().await {
            match next {
                Ok(message) => read.push(message),
                Err(status) => return (read, Some(status.code())),
            }
        }
        (read, None)
    }

    #[tokio::test]
    async fn a_stream_ends_as_its_task_does() {
        let well = ResponseStream::pumped(&trace(None), |news| async move {
            news.send(1).await?;
            news.send(2).await
        });
        assert_eq!(end(well).await, (vec![1, 2], None));
        let refused = ResponseStream::pumped(&trace(None), |news| async move {
            news.send(1).await?;
            Err(Error::unauthenticated("no more"))
        });
        assert_eq!(end(refused).await, (vec![1], Some(Code::Unauthenticated)));
        let broken = ResponseStream::<u8>::pumped(&trace(None), |_| async move { panic!("broken") });
        assert_eq!(end(broken).await, (vec![], Some(Code::Internal)));
    }

    #[tokio::test]
    async fn a_stream_ends_at_the_clients_deadline() {
        let stream =
            ResponseStream::<u8>::pumped(&trace(Some(Duration::from_millis(20))), |news| async move {
                std::future::pending::<()>().await;
                drop(news);
                Ok(())
            });
        assert_eq!(end(stream).await, (vec![], Some(Code::DeadlineExceeded)));
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_cut_off() {
        let stall = Duration::from_millis(20);
        let stream = ResponseStream::start(&trace(None), stall, |news| async move {
            loop {
                news.send(7).await?;
            }
        });
        tokio::time::sleep(stall * 10).await;
        assert_eq!(end(stream).await, (vec![7], Some(Code::ResourceExhausted)));
    }

    #[tokio::test]
    async fn a_client_that_leaves_ends_the_task() {
        let token = Arc::new(());
        let copy = Arc::clone(&token);
        let stream = ResponseStream::<u8>::pumped(&trace(None), |news| async move {
            std::future::pending::<()>().await;
            drop((copy, news));
            Ok(())
        });
        drop(stream);
        while Arc::strong_count(&token) > 1 {
            tokio::task::yield_now().await;
        }
    }
}

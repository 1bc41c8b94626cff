//! Response streams. One task sends the messages of each stream; a slow reader is disconnected, and a dropped stream
//! aborts its task.

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

use crate::grpc::error::status_of;
use crate::grpc::trace::Trace;
use crate::state::panic_error;
use crate::subscriptions::SLOW_READER_TIMEOUT;

/// The stream that a client reads.
pub(crate) struct ResponseStream<A> {
    messages: mpsc::Receiver<A>,
    /// The status with which the stream ends; `None` for success.
    end: Option<oneshot::Receiver<Option<Status>>>,
    _task: AbortOnDropHandle<()>,
}

/// Sends messages to the client of a stream.
pub(crate) struct StreamSender<A> {
    to: mpsc::Sender<A>,
    /// How long a send may take.
    timeout: Duration,
}

impl<A> StreamSender<A> {
    /// Sends a message; waits until the connection has taken it, from when on its bytes count for the connection.
    pub(super) async fn send(&self, message: A) -> Result<()> {
        let taken = async {
            self.to.send(message).await.ok()?;
            self.to.reserve().await.ok().map(drop)
        };
        match tokio::time::timeout(self.timeout, taken).await {
            // A client that disconnected has dropped the stream, which aborts the task.
            Ok(_) => Ok(()),
            Err(_) => {
                let seconds = self.timeout.as_secs();
                let message =
                    format!("the client read nothing for {seconds} seconds; resume after the last cursor");
                Err(Error::new(ErrorKind::RateLimited, "SLOW_READER", message))
            }
        }
    }
}

impl<A: Send + 'static> ResponseStream<A> {
    /// Starts the task of a stream: `run` sends its messages until it returns, or until the client's deadline.
    pub(super) fn spawn<Run>(trace: &Trace, run: impl FnOnce(StreamSender<A>) -> Run) -> Self
    where
        Run: Future<Output = Result<()>> + Send + 'static,
    {
        Self::spawn_with_timeout(trace, SLOW_READER_TIMEOUT, run)
    }

    fn spawn_with_timeout<Run>(
        trace: &Trace,
        timeout: Duration,
        run: impl FnOnce(StreamSender<A>) -> Run,
    ) -> Self
    where
        Run: Future<Output = Result<()>> + Send + 'static,
    {
        let (to, messages) = mpsc::channel(1);
        let (sender, end) = oneshot::channel();
        let running = AssertUnwindSafe(run(StreamSender { to, timeout })).catch_unwind();
        let deadline =
            trace.timeout.map(|timeout| tokio::time::Instant::from_std(trace.started_at) + timeout);
        let request_id = trace.request_id.clone();
        let task = tokio::spawn(async move {
            let result = match deadline {
                Some(at) => tokio::time::timeout_at(at, running).await,
                None => Ok(running.await),
            };
            let error = match result {
                Ok(Ok(Ok(()))) => None,
                Ok(Ok(Err(error))) => Some(error),
                Ok(Err(panic)) => Some(panic_error(&*panic)),
                Err(_) => Some(deadline_exceeded()),
            };
            // Fails only if the client has disconnected.
            let _ = sender.send(error.map(|error| status_of(&error, &request_id)));
        });
        Self { messages, end: Some(end), _task: AbortOnDropHandle::new(task) }
    }
}

fn deadline_exceeded() -> Error {
    Error::new(
        ErrorKind::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "the client's deadline for the stream has passed",
    )
}

impl<A> Stream for ResponseStream<A> {
    type Item = Result<A, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = ready!(self.messages.poll_recv(cx)) {
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
        let mut messages = Vec::new();
        while let Some(next) = stream.next().await {
            match next {
                Ok(message) => messages.push(message),
                Err(status) => return (messages, Some(status.code())),
            }
        }
        (messages, None)
    }

    #[tokio::test]
    async fn stream_ends_with_the_result_of_its_task() {
        let succeeded = ResponseStream::spawn(&trace(None), |sender| async move {
            sender.send(1).await?;
            sender.send(2).await
        });
        assert_eq!(end(succeeded).await, (vec![1, 2], None));
        let failed = ResponseStream::spawn(&trace(None), |sender| async move {
            sender.send(1).await?;
            Err(Error::unauthenticated("no more"))
        });
        assert_eq!(end(failed).await, (vec![1], Some(Code::Unauthenticated)));
        let panicked = ResponseStream::<u8>::spawn(&trace(None), |_| async move { panic!("broken") });
        assert_eq!(end(panicked).await, (vec![], Some(Code::Internal)));
    }

    #[tokio::test]
    async fn stream_ends_at_the_client_deadline() {
        let stream =
            ResponseStream::<u8>::spawn(&trace(Some(Duration::from_millis(20))), |sender| async move {
                std::future::pending::<()>().await;
                drop(sender);
                Ok(())
            });
        assert_eq!(end(stream).await, (vec![], Some(Code::DeadlineExceeded)));
    }

    #[tokio::test]
    async fn slow_reader_is_disconnected() {
        let timeout = Duration::from_millis(20);
        let stream = ResponseStream::spawn_with_timeout(&trace(None), timeout, |sender| async move {
            loop {
                sender.send(7).await?;
            }
        });
        tokio::time::sleep(timeout * 10).await;
        assert_eq!(end(stream).await, (vec![7], Some(Code::ResourceExhausted)));
    }

    #[tokio::test]
    async fn dropped_stream_aborts_its_task() {
        let token = Arc::new(());
        let copy = Arc::clone(&token);
        let stream = ResponseStream::<u8>::spawn(&trace(None), |sender| async move {
            std::future::pending::<()>().await;
            drop((copy, sender));
            Ok(())
        });
        drop(stream);
        while Arc::strong_count(&token) > 1 {
            tokio::task::yield_now().await;
        }
    }
}

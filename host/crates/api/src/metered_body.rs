//! Bodies that count their bytes: the received bytes of a request, and the unsent bytes of a response.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::BoxError;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tessera_core::Result;

use crate::connection::UnreadPart;
use crate::in_flight::InFlight;

/// A response is handed to the connection in parts of this size, so that a slow client keeps little more than that
/// outside of the count. It is the size of an HTTP/2 frame.
const PART: usize = 16 << 10;

/// The length of the prefix of a gRPC message.
const PREFIX: usize = 5;

/// The counted bytes of a request's body.
#[derive(Debug)]
enum Count {
    /// All bytes.
    Bytes(usize),
    /// The length of the present message, from its prefix on: the decoder reserves it at once. And that of the first
    /// one: a unary RPC keeps it while it waits for the end.
    Messages { prefix: Vec<u8>, left: usize, first: Option<usize>, max: usize },
}

/// The body of a request; ends with an error when its bytes are refused.
#[derive(Debug)]
pub(crate) struct RequestBody<B> {
    inner: B,
    count: Count,
    in_flight: InFlight,
}

impl<B> RequestBody<B> {
    /// Counts all bytes.
    pub(crate) fn of_bytes(inner: B, in_flight: InFlight) -> Self {
        Self { inner, count: Count::Bytes(0), in_flight }
    }

    /// Counts gRPC messages. The decoder refuses those of more than `max` bytes.
    pub(crate) fn of_messages(inner: B, in_flight: InFlight, max: usize) -> Self {
        Self { inner, count: Count::Messages { prefix: Vec::new(), left: 0, first: None, max }, in_flight }
    }
}

impl Count {
    /// Counts received data.
    fn add(&mut self, mut data: &[u8], in_flight: &InFlight) -> Result<()> {
        match self {
            Self::Bytes(received) => {
                *received += data.len();
                in_flight.receive(*received)
            }
            Self::Messages { prefix, left, first, max } => {
                while !data.is_empty() {
                    let (skipped, rest) = data.split_at((*left).min(data.len()));
                    *left -= skipped.len();
                    let (head, rest) = rest.split_at((PREFIX - prefix.len()).min(rest.len()));
                    prefix.extend(head);
                    data = rest;
                    if let [_, length @ ..] = &**prefix
                        && let Ok(length) = <[u8; 4]>::try_from(length)
                    {
                        *left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                        prefix.clear();
                        if *left <= *max {
                            in_flight.receive(first.unwrap_or_default().saturating_add(*left))?;
                            first.get_or_insert(*left);
                        }
                    }
                }
                Ok(())
            }
        }
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx)).map(|frame| frame.map_err(Into::into));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && let Err(error) = this.count.add(data, &this.in_flight)
        {
            let message = error.message().to_owned();
            this.in_flight.refuse(error);
            return Poll::Ready(Some(Err(message.into())));
        }
        if frame.is_none() || this.inner.is_end_stream() {
            this.in_flight.end_body();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The body of a response, in parts that count until they are sent.
#[derive(Debug)]
pub(crate) struct ResponseBody<B> {
    inner: B,
    /// Data of the inner body that was not handed on yet.
    rest: Bytes,
    in_flight: InFlight,
    /// Present while the connection does not ask for the next part, though there may be one.
    wait: Option<UnreadPart>,
}

/// A part of a response in the buffers of the connection, which drops it when it is sent.
struct Part {
    data: Bytes,
    in_flight: InFlight,
    _wait: UnreadPart,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.in_flight.sent(self.data.len());
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn new(inner: B, in_flight: InFlight) -> Self {
        let wait = Some(in_flight.connection().begin_wait());
        Self { inner, rest: Bytes::new(), in_flight, wait }
    }

    fn next_part(&mut self) -> Bytes {
        let data = self.rest.split_to(self.rest.len().min(PART));
        let connection = self.in_flight.connection();
        self.wait = Some(connection.begin_wait());
        Bytes::from_owner(Part { data, in_flight: self.in_flight.clone(), _wait: connection.begin_wait() })
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            // Until the inner body has data, the client does not wait.
            this.wait.take();
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    Ok(data) => {
                        this.in_flight.buffer(data.len());
                        this.rest = data;
                    }
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        Poll::Ready(Some(Ok(Frame::data(this.next_part()))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, rest) = (self.inner.size_hint(), self.rest.len() as u64);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use http_body_util::{BodyExt as _, Full};

    use super::*;
    use crate::connection::Connection;
    use crate::in_flight::{ByteBudget, MAX_PUBLIC_REQUEST};

    fn message(length: usize) -> Vec<u8> {
        let mut message = vec![0];
        message.extend(u32::try_from(length).unwrap().to_be_bytes());
        message
    }

    #[tokio::test]
    async fn message_is_refused_at_its_prefix() {
        for (sent, is_refused) in [
            (message(MAX_PUBLIC_REQUEST), false),
            (message(MAX_PUBLIC_REQUEST + 1), true),
            ([message(3), vec![1; 3], message(MAX_PUBLIC_REQUEST + 1)].concat(), true),
            ([message(1), vec![1], message(MAX_PUBLIC_REQUEST)].concat(), true),
            ([message(3), vec![1; 3], message(1 << 30)].concat(), false),
        ] {
            for size in [1, 3, sent.len()] {
                let in_flight = InFlight::default();
                let chunks: Vec<_> =
                    sent.chunks(size).map(|chunk| Ok::<_, BoxError>(Bytes::copy_from_slice(chunk))).collect();
                let body = axum::body::Body::from_stream(tokio_stream::iter(chunks));
                let body = RequestBody::of_messages(body, in_flight.clone(), 1 << 20);
                assert_eq!(body.collect().await.is_err(), is_refused, "{sent:?} in chunks of {size}");
                assert_eq!(in_flight.take_refusal().is_some(), is_refused);
            }
        }
    }

    #[tokio::test]
    async fn stream_counts_until_its_parts_are_sent() {
        let budget = ByteBudget::new(0, 0);
        let connection = Connection::of(&axum::http::Extensions::new());
        let in_flight = InFlight::new(&budget, connection.clone());
        in_flight.stream();
        let content = Bytes::from(vec![7; 16 << 20]);
        let mut body = ResponseBody::new(Full::new(content), in_flight.clone());
        let other = InFlight::new(&budget, connection);
        let (first, second) = (body.frame().await.unwrap(), body.frame().await.unwrap());
        other.respond(PART + 1).unwrap_err();
        drop(first);
        other.respond(PART + 1).unwrap_err();
        drop(second);
        other.respond(PART * 2).unwrap();
        assert!(!body.is_end_stream());
    }

    #[tokio::test(start_paused = true)]
    async fn response_counts_until_its_last_part_is_sent() {
        let budget = ByteBudget::new(0, 0);
        let connection = Connection::of(&axum::http::Extensions::new());
        let in_flight = InFlight::new(&budget, connection.clone());
        let content = vec![7; 10 << 20];
        in_flight.respond(content.len()).unwrap();
        let mut body = ResponseBody::new(Full::new(Bytes::from(content)), in_flight);
        assert_eq!(body.size_hint().exact(), Some(10 << 20));
        let other = InFlight::new(&budget, connection.clone());
        other.respond(10 << 20).unwrap_err();
        let (mut parts, mut bytes) = (Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            let part = frame.unwrap().into_data().unwrap();
            bytes += part.len();
            assert!(part.len() <= PART);
            parts.push(part);
        }
        assert_eq!(bytes, 10 << 20);
        drop(body);
        let last = parts.pop();
        parts.clear();
        other.respond(10 << 20).unwrap_err();
        let timeout = Duration::from_secs(90);
        tokio::time::sleep(timeout).await;
        connection.stalled(timeout).now_or_never().unwrap();
        drop(last);
        other.respond(10 << 20).unwrap();
        assert!(connection.stalled(timeout).now_or_never().is_none());
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Serves gRPC calls on the connections of a channel: of a port one at a time, for ever, of a socket
//! the only one.
//! A connection that ends takes its calls with it, and all of them are gone, with what they had
//! read given back, before the next connection is looked at.

use crate::channel::{Channel, Connection, Port, STALL};
use crate::grpc::{self, Frame, PREFIX};
use crate::status::{Code, Result, Status};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::future::poll_fn;
use h2::server::SendResponse;
use h2::RecvStream;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use tokio::task::JoinSet;

pub type Answer = Pin<Box<dyn Future<Output = Result<Frame>> + Send>>;

pub trait Service: Send + Sync + 'static {
    /// Dropping the answer cancels the call.
    fn call(self: Arc<Self>, path: &str, message: Bytes) -> Answer;
}

const MAX_STREAMS: u32 = 1024;
const MAX_HEADER_LIST: u32 = 16 << 10;
pub const MAX_FRAME: u32 = 256 << 10;
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;
/// Request bodies in memory at one time, all calls together.
const MAX_BODIES: usize = 64 << 20;

/// Returns only when the port itself fails.
pub async fn serve<P: Port, S: Service>(port: P, service: Arc<S>) -> io::Result<Infallible> {
    let mut channel = Channel::new(port);
    loop {
        let mut connection = channel.next_connection().await?;
        debug!("channel: connected");
        match serve_connection(&mut connection, &service).await {
            Ok(()) => debug!("channel: disconnected"),
            Err(error) => info!("channel: connection dropped: {error}"),
        }
        connection.expel().await;
    }
}

/// Serves a port whose host comes once; it has to say soon that it speaks HTTP/2.
pub async fn serve_once<P: Port, S: Service>(port: P, service: Arc<S>) -> io::Result<()> {
    let mut channel = Channel::new(port);
    let mut connection = tokio::time::timeout(STALL, channel.next_connection()).await??;
    serve_connection(&mut connection, &service)
        .await
        .map_err(|error| io::Error::new(io::ErrorKind::Other, error))
}

async fn serve_connection<P: Port, S: Service>(
    connection: &mut Connection<'_, P>,
    service: &Arc<S>,
) -> std::result::Result<(), h2::Error> {
    let mut http = h2::server::Builder::new()
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST)
        .max_frame_size(MAX_FRAME)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake::<_, Frame>(connection)
        .await?;
    let bodies = Arc::new(AtomicUsize::new(0));
    let mut calls = JoinSet::new();
    let result = loop {
        tokio::select! {
            accepted = http.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    calls.spawn(serve_call(request, respond, service.clone(), bodies.clone()));
                }
                Some(Err(error)) => break Err(error),
                None => break Ok(()),
            },
            Some(_) = calls.join_next(), if !calls.is_empty() => (),
        }
    };
    drop(http);
    calls.shutdown().await;
    result
}

async fn serve_call<S: Service>(
    request: Request<RecvStream>,
    mut respond: SendResponse<Frame>,
    service: Arc<S>,
    bodies: Arc<AtomicUsize>,
) {
    let refusal = if request.method() != Method::POST {
        Some(StatusCode::METHOD_NOT_ALLOWED)
    } else if !grpc::is_grpc(request.headers()) {
        Some(StatusCode::UNSUPPORTED_MEDIA_TYPE)
    } else {
        None
    };
    if let Some(code) = refusal {
        let mut response = Response::new(());
        *response.status_mut() = code;
        let _ = respond.send_response(response, true);
        return;
    }
    let result = tokio::select! {
        result = run(request, service, bodies) => result,
        // The client has reset the stream; nobody waits for an answer.
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
    };
    // An error here means that the stream is gone; the frame has then given itself back.
    let _ = match result {
        Ok(frame) => send(respond, frame),
        Err(status) => {
            debug!("answered {status}");
            let mut response = Response::new(());
            put_content_type(response.headers_mut());
            grpc::put_status(response.headers_mut(), &status);
            respond.send_response(response, true).map(drop)
        }
    };
}

fn send(mut respond: SendResponse<Frame>, frame: Frame) -> std::result::Result<(), h2::Error> {
    let mut response = Response::new(());
    put_content_type(response.headers_mut());
    let mut stream = respond.send_response(response, false)?;
    stream.send_data(frame, false)?;
    stream.send_trailers(grpc::ok_trailers())
}

fn put_content_type(headers: &mut HeaderMap) {
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
}

async fn run<S: Service>(
    request: Request<RecvStream>,
    service: Arc<S>,
    bodies: Arc<AtomicUsize>,
) -> Result<Frame> {
    let (head, mut body) = request.into_parts();
    let call = async {
        let (message, _budget) = read_message(&mut body, &bodies).await?;
        service.call(head.uri.path(), message).await
    };
    match grpc::timeout(&head.headers)? {
        None => call.await,
        Some(limit) => tokio::time::timeout(limit, call)
            .await
            .unwrap_or_else(|_| Err(Status::deadline("the deadline of the call has passed"))),
    }
}

/// Memory reserved for a request body.
struct Budget<'a> {
    bodies: &'a AtomicUsize,
    size: usize,
}

impl<'a> Budget<'a> {
    fn reserve(bodies: &'a AtomicUsize, size: usize) -> Result<Budget<'a>> {
        if bodies.fetch_add(size, Ordering::Relaxed) + size > MAX_BODIES {
            bodies.fetch_sub(size, Ordering::Relaxed);
            return Err(Status::new(
                Code::ResourceExhausted,
                "too many bytes of requests are in progress",
            ));
        }
        Ok(Budget { bodies, size })
    }
}

impl Drop for Budget<'_> {
    fn drop(&mut self) {
        self.bodies.fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// Reads the one message of a unary call, without a copy when it came in one frame.
async fn read_message<'a>(
    body: &mut RecvStream,
    bodies: &'a AtomicUsize,
) -> Result<(Bytes, Budget<'a>)> {
    let mut head = [0; PREFIX];
    let mut filled = 0;
    let mut first = Bytes::new();
    while filled < PREFIX {
        first = match next_chunk(body).await? {
            Some(chunk) => chunk,
            None => return Err(Status::invalid("the request has no complete message")),
        };
        let count = first.len().min(PREFIX - filled);
        head[filled..filled + count].copy_from_slice(&first[..count]);
        first.advance(count);
        filled += count;
    }
    let length = grpc::parse_prefix(&head)?;
    let budget = Budget::reserve(bodies, length)?;
    let message = if first.len() >= length {
        first
    } else {
        let mut whole = BytesMut::with_capacity(length);
        whole.extend_from_slice(&first);
        while whole.len() < length {
            match next_chunk(body).await? {
                Some(chunk) => whole.extend_from_slice(&chunk),
                None => return Err(Status::invalid("the message of the request is cut short")),
            }
        }
        whole.freeze()
    };
    if message.len() > length {
        return Err(Status::invalid(
            "a unary request carries more than one message",
        ));
    }
    while let Some(chunk) = next_chunk(body).await? {
        if !chunk.is_empty() {
            return Err(Status::invalid(
                "a unary request carries more than one message",
            ));
        }
    }
    Ok((message, budget))
}

async fn next_chunk(body: &mut RecvStream) -> Result<Option<Bytes>> {
    match body.data().await {
        None => Ok(None),
        Some(Ok(chunk)) => {
            let _ = body.flow_control().release_capacity(chunk.len());
            Ok(Some(chunk))
        }
        Some(Err(error)) => Err(Status::new(
            Code::Cancelled,
            format!("the request stream broke: {error}"),
        )),
    }
}

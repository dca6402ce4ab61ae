// SPDX-License-Identifier: Apache-2.0
//! Ports and a gRPC client for the tests.
#![allow(dead_code)]

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use prost::Message;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::sync::mpsc;
use virtcontainers_agent::channel::{Port, PREFACE};

/// A port whose host is one stream after another.
pub struct TestPort {
    current: Option<DuplexStream>,
    next: mpsc::UnboundedReceiver<DuplexStream>,
}

/// The host side: each call of `connect` is a host that comes.
pub struct Host(mpsc::UnboundedSender<DuplexStream>);

pub fn port() -> (TestPort, Host) {
    let (sender, next) = mpsc::unbounded_channel();
    let port = TestPort {
        current: None,
        next,
    };
    (port, Host(sender))
}

impl Host {
    pub fn connect(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(1 << 16);
        self.0.send(far).unwrap();
        near
    }
}

impl Port for TestPort {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let stream = match &mut self.current {
            Some(stream) => stream,
            None => return Poll::Ready(Ok(0)),
        };
        let mut buf = ReadBuf::new(buf);
        match Pin::new(stream).poll_read(cx, &mut buf) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(result) => result?,
        }
        if buf.filled().is_empty() {
            self.current = None;
        }
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.current {
            Some(stream) => Pin::new(stream).poll_write(cx, buf),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_return(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.next.poll_recv(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(stream)) => {
                self.current = Some(stream);
                Poll::Ready(Ok(()))
            }
            // The test has dropped the host: the port is broken for good.
            Poll::Ready(None) => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: u32,
    pub message: String,
    pub reason: Option<String>,
}

#[derive(Clone)]
pub struct Client(SendRequest<Bytes>);

impl Client {
    pub async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Client {
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Client(client)
    }

    pub async fn call<R: Message + Default>(
        &self,
        method: &str,
        request: impl Message,
    ) -> Result<R, Failure> {
        let path = match method.contains('/') {
            true => method.to_string(),
            false => format!("/grpc.AgentService/{method}"),
        };
        let body = frame(&request.encode_to_vec());
        let answer = self.send(&path, &[], body).await.unwrap()?;
        Ok(R::decode(answer).unwrap())
    }

    /// The outer error is one of HTTP/2, the inner one that of gRPC.
    pub async fn send(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Result<Bytes, Failure>, h2::Error> {
        let mut request = http::Request::post(format!("http://agent{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut client = self.0.clone().ready().await?;
        let (response, mut stream) = client.send_request(request.body(()).unwrap(), false)?;
        // The answer to a request that is refused early may come before all is sent.
        let _ = stream.send_data(body, true);
        let response = response.await?;
        assert_eq!(response.status(), 200);
        if let Some(failure) = failure(response.headers()) {
            return Ok(Err(failure));
        }
        let mut body = response.into_body();
        let mut answer = BytesMut::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            answer.extend_from_slice(&chunk);
        }
        let trailers = body.trailers().await?.unwrap();
        assert_eq!(failure(&trailers).map(|failure| failure.code), Some(0));
        Ok(Ok(answer.freeze().slice(5..)))
    }

    pub fn raw(&self) -> SendRequest<Bytes> {
        self.0.clone()
    }
}

pub fn failure(headers: &http::HeaderMap) -> Option<Failure> {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap().to_string())
    };
    Some(Failure {
        code: text("grpc-status")?.parse().unwrap(),
        message: text("grpc-message").unwrap_or_default(),
        reason: text("virtcontainers-error"),
    })
}

pub fn frame(message: &[u8]) -> Bytes {
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(message.len() as u32);
    body.put_slice(message);
    body.freeze()
}

/// Opens a connection by hand and reads what the server says first, to the last byte.
pub async fn shake_hands(stream: &mut DuplexStream) {
    stream.write_all(PREFACE).await.unwrap();
    stream
        .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
        .await
        .unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.unwrap();
        const SETTINGS: u8 = 4;
        const ACK: u8 = 1;
        if head[3] == SETTINGS && head[4] == ACK {
            // The window of the connection is announced behind it.
            let mut update = [0; 13];
            stream.read_exact(&mut update).await.unwrap();
            assert_eq!(update[3], 8);
            return;
        }
    }
}

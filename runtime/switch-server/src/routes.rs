//! Which gRPC service a request is for.

use std::convert::Infallible;
use std::task::{Context, Poll};

use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};

/// The services of one port. A path that belongs to none is answered with UNIMPLEMENTED, as gRPC asks for.
#[derive(Clone)]
pub(crate) struct Routes {}

impl Service<http::Request<Body>> for Routes {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let status = Status::unimplemented(format!("{} is not served here", request.uri().path()));
        Box::pin(async move { Ok(status.into_http()) })
    }
}

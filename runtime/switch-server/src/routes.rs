//! Which gRPC service a request is for.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use vouch_p4runtime::gnmi::g_nmi_server::GNmiServer;
use vouch_p4runtime::p4::v1::p4_runtime_server::P4RuntimeServer;

use crate::device::Device;
use crate::{gnmi, service};

/// The largest request that is taken: a pipeline configuration can have several megabytes.
const MAX_REQUEST: usize = 64 * 1024 * 1024;

/// P4Runtime and gNMI of one switch. A path that belongs to neither is answered with UNIMPLEMENTED, as gRPC asks for.
///
/// A client in the same process can use this in the place of a connection: `P4RuntimeClient::new(routes)`.
#[derive(Clone)]
pub struct Routes {
    p4runtime: P4RuntimeServer<service::Service>,
    gnmi: GNmiServer<gnmi::Service>,
}

impl Routes {
    pub(crate) fn new(device: &Arc<Device>) -> Routes {
        let p4runtime = P4RuntimeServer::new(service::Service { device: device.clone() });
        Routes {
            p4runtime: p4runtime.max_decoding_message_size(MAX_REQUEST).max_encoding_message_size(MAX_REQUEST),
            gnmi: GNmiServer::new(gnmi::Service { device: device.clone() }),
        }
    }
}

impl Service<http::Request<Body>> for Routes {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Neither service ever makes a caller wait before the call.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match request.uri().path().split('/').nth(1) {
            Some("p4.v1.P4Runtime") => self.p4runtime.call(request),
            Some("gnmi.gNMI") => self.gnmi.call(request),
            Some(_) | None => {
                let status = Status::unimplemented(format!("{} is not served here", request.uri().path()));
                Box::pin(async move { Ok(status.into_http()) })
            }
        }
    }
}

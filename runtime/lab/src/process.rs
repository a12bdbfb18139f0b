//! A program of its own inside this process: a runtime that can be killed at any point, or stopped like by SIGSTOP.
//!
//! What runs in it knows nothing of it, so that an agent or a switch can be treated as operators and fate treat them, without
//! a line for that in the product. It has one thread: while that is stopped nothing in it moves, and what is sent to its
//! sockets waits in the kernel.

use std::future::Future;
use std::io;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

/// How long a thread may take until it has come out of what it is doing.
const PATIENCE: Duration = Duration::from_secs(5);

/// A program that runs.
#[derive(Debug)]
pub struct Process {
    /// Taken when it ends.
    runtime: Option<Runtime>,
}

/// A stopped [`Process`]; it goes on when this is dropped.
#[derive(Debug)]
pub struct Stopped {
    _go_on: mpsc::Sender<()>,
}

impl Process {
    /// An empty one of this name.
    pub fn new(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build()?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Run something short in it, such as what starts the program.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
        self.handle()?.spawn(work).await.map_err(io::Error::other)
    }

    /// Stop it where it is, like SIGSTOP.
    pub async fn stop(&self) -> io::Result<Stopped> {
        let (go_on, until) = mpsc::channel::<()>();
        let (stopping, stopped) = tokio::sync::oneshot::channel();
        self.handle()?.spawn(async move {
            // Whoever no longer waits for it has dropped the other end, which ends the wait below.
            let _ = stopping.send(());
            // Blocks the only thread, which is what it is for.
            let _ = until.recv();
        });
        stopped.await.map_err(io::Error::other)?;
        Ok(Stopped { _go_on: go_on })
    }

    /// Kill it, like SIGKILL: every task ends where it waits, every socket closes. Returns when nothing of it is left.
    pub async fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for threads must not hold up this one.
            let ended = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE));
            // A panic in there has been reported by the panic hook.
            let _ = ended.await;
        }
    }

    fn handle(&self) -> io::Result<&Handle> {
        self.runtime.as_ref().map(Runtime::handle).ok_or_else(|| io::Error::other("the process has ended"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// A process that echoes what comes in at the address.
    async fn echo() -> (Process, std::net::SocketAddr) {
        let process = Process::new("echo").unwrap();
        let serve = async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await
            });
            address
        };
        let address = process.run(serve).await.unwrap();
        (process, address)
    }

    #[tokio::test]
    async fn what_is_stopped_does_nothing_until_it_goes_on() {
        let (process, address) = echo().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut answer = [0; 1];
        stream.write_all(b"a").await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
        let stopped = process.stop().await.unwrap();
        stream.write_all(b"b").await.unwrap();
        let early = tokio::time::timeout(Duration::from_millis(50), stream.read_exact(&mut answer)).await;
        assert!(early.is_err());
        drop(stopped);
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"b");
    }

    #[tokio::test]
    async fn what_is_killed_is_gone_with_its_sockets() {
        let (process, address) = echo().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        process.kill().await;
        // The end, or a reset: either way nobody is there.
        assert!(matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_)));
        TcpListener::bind(address).await.expect("the address is free again");
    }
}

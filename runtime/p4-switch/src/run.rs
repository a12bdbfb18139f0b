//! The switch itself: built as the arguments say, run until a signal.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use vouch_switch::PacketTrace;
use vouch_switch_server::{Builder, Certificate, Identity, Port, ServerHandle, ServerTlsConfig, SwitchServer};

use crate::arguments::{Arguments, Format, Interface};
use crate::captured::CapturedPort;
use crate::notifications::{Notifications, PacketListener};
use crate::{Failure, files, log, thrift, translations};

/// The newest version of BMv2's JSON format that p4c writes.
const JSON_VERSION: &str = "2.23";

/// Be a switch until SIGINT or SIGTERM.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.json_version {
        println!("{JSON_VERSION}");
        return Ok(());
    }
    log::start(arguments)?;
    for warning in arguments.warnings() {
        eprintln!("p4-switch: {warning}");
    }
    for (option, why) in arguments.ignored() {
        eprintln!("p4-switch: {option} is ignored: {why}");
    }
    tokio::runtime::Runtime::new()?.block_on(serve(arguments))
}

async fn serve(arguments: &Arguments) -> Result<(), Failure> {
    // Before anything is opened, so that a signal always ends all of it.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let notifications = notifications(arguments).await?;
    let builder = builder(arguments, &notifications)?;
    let builder = match &arguments.dp_grpc_server_addr {
        None => ports(builder, arguments)?,
        Some(address) => {
            let listener = TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"))?;
            say(&format!("Ports are served on {}", listener.local_addr()?));
            builder.packet_stream(listener)
        }
    };
    let switch = builder.build()?;
    let server = switch
        .listen(arguments.grpc_server_addr.as_str())
        .await
        .map_err(|error| format!("{}: {error}", arguments.grpc_server_addr))?;
    say(&format!("Server listening on {}", server.local_addr()));
    let services = Arc::new(services(&server, arguments, &notifications));
    let published = notifications.publish(&services);
    let thrift = match arguments.thrift_port {
        None => None,
        Some(port) => match thrift(port, services).await {
            Err(error) if arguments.thrift_by_default => {
                eprintln!("p4-switch: there are no Thrift services: {error}");
                None
            }
            other => Some(other?),
        },
    };
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!("{name}: stopping");
    drop((thrift, published));
    server.shutdown().await;
    Ok(())
}

/// Open the places where what happens is told.
async fn notifications(arguments: &Arguments) -> Result<Notifications, Failure> {
    let (device, events) = (arguments.device_id, arguments.nanolog.as_ref());
    let opened = Notifications::open(device, arguments.notifications_addr.as_ref(), events).await;
    let notifications = match opened {
        Err(error) if arguments.notifies_by_default => {
            eprintln!("p4-switch: there are no notifications: {error}");
            Notifications::open(device, None, events).await?
        }
        other => other?,
    };
    for (what, address) in
        [("Notifications", notifications.notices_address()), ("Events", notifications.events_address())]
    {
        if let Some(address) = address {
            say(&format!("{what} are published at {address}"));
        }
    }
    Ok(notifications)
}

/// What BMv2's clients may ask of the same switch.
fn services(server: &ServerHandle, arguments: &Arguments, notifications: &Notifications) -> thrift::Services {
    let interface = |it: &Interface| {
        let interface = thrift::Interface { name: it.name.clone(), capture: None };
        Some((u16::try_from(it.port).ok()?, interface))
    };
    let about = thrift::About {
        interfaces: arguments.interfaces.iter().filter_map(interface).collect(),
        swaps: !arguments.disable_swap,
        open: opener(arguments),
        notifications: notifications.notices_address(),
        events: notifications.events_address(),
    };
    thrift::Services::new(server.control(), about)
}

/// Let BMv2's clients in.
async fn thrift(port: u16, services: Arc<thrift::Services>) -> Result<thrift::Server, Failure> {
    let served = thrift::Server::listen(port, services).await;
    let served = served.map_err(|error| format!("--thrift-port {port}: {error}"))?;
    say(&format!("Thrift server listening on {}", served.address()));
    Ok(served)
}

/// How a client's interface becomes a port, where ports are interfaces.
fn opener(arguments: &Arguments) -> Option<Box<thrift::Open>> {
    if arguments.use_files.is_some() || arguments.dp_grpc_server_addr.is_some() {
        return None;
    }
    Some(Box::new(|interface: &thrift::Interface| {
        let port = open(&interface.name).map_err(|error| error.to_string())?;
        Ok(match &interface.capture {
            None => Arc::new(port),
            Some(path) => {
                let captured = CapturedPort::in_one_file(port, Path::new(path));
                Arc::new(captured.map_err(|error| error.to_string())?)
            }
        })
    }))
}

/// Everything but the ports.
fn builder(arguments: &Arguments, notifications: &Notifications) -> Result<Builder, Failure> {
    let mut builder = SwitchServer::builder()
        .device_id(arguments.device_id)
        .drop_port(arguments.drop_port)
        .priority_queues(arguments.priority_queues)
        .zero_invalid(arguments.ret_zero_on_invalid_hdr_read)
        .bmv2_compat(arguments.bmv2_compat)
        .forwarding_threads(arguments.forwarding_threads())
        .on_forwarding_thread(|| {
            #[cfg(target_os = "linux")]
            if let Err(error) = crate::turns::take_short_turns() {
                tracing::debug!(%error, "frames wait while others have their turns");
            }
        });
    builder = match arguments.cpu_port {
        Some(port) => builder.cpu_port(port),
        None => builder.without_cpu_port(),
    };
    if let (Some(program), false) = (&arguments.program, arguments.no_p4) {
        builder = builder.program(read(program)?);
    }
    if arguments.grpc_server_ssl {
        builder = builder.tls(tls(arguments)?);
    }
    if let Some(path) = &arguments.translations {
        builder = translations::read(path)?.into_iter().fold(builder, Builder::translate);
    }
    // Files have no links that go up or down, and BMv2 does not tell of them either.
    let ports = arguments.use_files.is_none();
    Ok(traced(notifications.hear(builder, ports), arguments, notifications))
}

/// Have packets traced for whoever wants to know.
fn traced(builder: Builder, arguments: &Arguments, notifications: &Notifications) -> Builder {
    let compat = arguments.bmv2_compat;
    let wanted = if compat { log::tells_of_packets() } else { tracing::enabled!(tracing::Level::TRACE) };
    let logged = (arguments.log_console || arguments.log_file.is_some()) && wanted;
    let (format, subscribers) = (arguments.trace, notifications.packets());
    let always = format.is_some() || logged;
    if !always && subscribers.is_none() {
        return builder;
    }
    let listener = subscribers.clone();
    let wanted = move || always || subscribers.as_ref().is_some_and(PacketListener::is_wanted);
    builder.tracer_while(wanted, move |trace| {
        if logged && compat {
            trace.in_bmv2s_words().iter().for_each(|(rank, line)| log::tell(*rank, line));
        } else if logged {
            tracing::trace!("{trace}");
        }
        if let Some(format) = format {
            print(format, trace);
        }
        if let Some(listener) = &listener {
            listener.hear(trace);
        }
    })
}

/// A port for each interface, or for its files.
fn ports(mut builder: Builder, arguments: &Arguments) -> Result<Builder, Failure> {
    if let Some(wait) = arguments.use_files {
        let wait = Duration::from_secs(u64::try_from(wait).unwrap_or(0));
        for (interface, port) in arguments.interfaces.iter().zip(files::open(&arguments.interfaces, wait)?) {
            builder = builder.port(interface.port, port);
        }
        return Ok(builder);
    }
    for interface in &arguments.interfaces {
        say(&format!("Adding interface {} as port {}", interface.name, interface.port));
        let port = open(&interface.name).map_err(|error| format!("port {}: {error}", interface.port))?;
        builder = match &arguments.pcap {
            None => builder.port(interface.port, port),
            Some(directory) => builder.port(interface.port, CapturedPort::new(port, directory, &interface.name)?),
        };
    }
    Ok(builder)
}

#[cfg(target_os = "linux")]
fn open(interface: &str) -> Result<impl Port, Failure> {
    Ok(crate::interface::InterfacePort::open(interface)?.gathering())
}

#[cfg(not(target_os = "linux"))]
fn open(_: &str) -> Result<Arc<dyn Port>, Failure> {
    Err("interfaces can be ports only on Linux; use --use-files".into())
}

fn tls(arguments: &Arguments) -> Result<ServerTlsConfig, Failure> {
    let pem = |path: &Option<std::path::PathBuf>| path.as_deref().map(read).transpose();
    let (Some(certificate), Some(key)) = (pem(&arguments.grpc_server_cert)?, pem(&arguments.grpc_server_key)?) else {
        return Err("TLS takes a certificate and its key".into());
    };
    let tls = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
    Ok(match pem(&arguments.grpc_server_cacert)? {
        Some(authority) if arguments.grpc_server_with_client_auth => {
            tls.client_ca_root(Certificate::from_pem(authority))
        }
        _ => tls,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn print(format: Format, trace: &PacketTrace<'_>) {
    match format {
        Format::Text => say(&trace.to_string()),
        Format::Json => say(&trace.to_json().to_string()),
    }
}

/// A line on stdout, at once: scripts wait for some. Whoever closed it has seen enough.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

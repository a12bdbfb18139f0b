//! Command lines as people and scripts have them for the reference.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use p4_switch::arguments::{Arguments, Command, Format, Interface, Level, parse};

fn words(line: &str) -> impl Iterator<Item = OsString> {
    line.split_whitespace().map(OsString::from)
}

fn run(line: &str) -> Arguments {
    match parse(words(line)) {
        Ok(Command::Run(arguments)) => *arguments,
        other => panic!("{line}: {other:?}"),
    }
}

fn refusal(line: &str) -> String {
    let error = parse(words(line)).map(drop).expect_err("the line is wrong");
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn interface(port: u32, name: &str) -> Interface {
    Interface { port, name: name.to_owned() }
}

#[test]
fn the_lines_of_simple_switch_grpc_are_understood() {
    let arguments = run("simple_switch_grpc --no-p4 --device-id 3 -i 1@veth0 -i2@veth2 --interface 64@tap.4 \
         --log-console -Ldebug --pcap=/tmp --thrift-port 9091 --notifications-addr ipc:///tmp/x.ipc -- \
         --grpc-server-addr 127.0.0.1:50001 --cpu-port 255 --drop-port 100");
    assert!(arguments.no_p4 && arguments.program.is_none());
    assert_eq!(arguments.device_id, 3);
    assert_eq!(arguments.interfaces, [interface(1, "veth0"), interface(2, "veth2"), interface(64, "tap.4")]);
    assert_eq!((arguments.log_console, arguments.log_level), (true, Level::Debug));
    assert_eq!(arguments.pcap, Some(PathBuf::from("/tmp")));
    assert_eq!(arguments.grpc_server_addr, "127.0.0.1:50001");
    assert_eq!((arguments.cpu_port, arguments.drop_port), (Some(255), 100));
    assert!(arguments.ignored().is_empty());
    let told = arguments.notifications_addr.map(|address| address.to_string());
    assert_eq!(told.as_deref(), Some("ipc:///tmp/x.ipc"));
    assert_eq!(arguments.thrift_port, Some(9091));

    let arguments = run("simple_switch_grpc router.json -i 0@a");
    assert_eq!(arguments.program, Some(PathBuf::from("router.json")));
    assert_eq!((arguments.device_id, arguments.cpu_port, arguments.drop_port), (0, None, 511));
    assert_eq!(arguments.grpc_server_addr, "0.0.0.0:9559");
    assert_eq!((arguments.pcap, arguments.use_files, arguments.trace), (None, None, None));
    assert_eq!((arguments.notifications_addr, arguments.nanolog), (None, None));
}

#[test]
fn so_are_those_of_simple_switch_and_of_runners_of_tests() {
    let arguments = run("simple_switch --log-file switch.log --log-flush --use-files 0 --thrift-port 9090 \
         --device-id 0 -i 0@pcap0 -i 1@pcap1 program.json");
    assert_eq!(arguments.use_files, Some(0));
    assert_eq!(arguments.log_file, Some(PathBuf::from("switch.log")));
    assert_eq!(arguments.program, Some(PathBuf::from("program.json")));
    // Where its receivers look unless they are told.
    let told = arguments.notifications_addr.map(|address| address.to_string());
    assert_eq!(told.as_deref(), Some("ipc:///tmp/bmv2-0-notifications.ipc"));
    let arguments = run("simple_switch_grpc --pcap --dump-packet-data 100 -i 1@s1-eth1 program.json -- --enable-swap");
    assert_eq!(arguments.pcap, Some(PathBuf::from(".")));
    let ignored: Vec<_> = arguments.ignored().into_iter().map(|(option, _)| option).collect();
    assert_eq!(ignored, ["--dump-packet-data"]);
    // As the p4lang tutorials have it.
    let arguments = run("simple_switch_grpc -i 1@s1-eth1 --pcap /tmp/pcaps --device-id 0 program.json --log-console");
    assert_eq!(arguments.pcap, Some(PathBuf::from("/tmp/pcaps")));
    assert_eq!(arguments.program, Some(PathBuf::from("program.json")));
    // As p4c's own runner does: an option and its value in one word.
    let line = ["simple_switch", "-i 0@pcap0", "program.json"].map(OsString::from);
    let Ok(Command::Run(arguments)) = parse(line) else { panic!("the reference takes it") };
    assert_eq!(arguments.interfaces, [interface(0, "pcap0")]);
    // What a packet reads of a header that it has made invalid.
    let arguments = run("simple_switch --no-p4 --ret-zero-on-invalid-hdr-read --warn-on-invalid-hdr-read");
    assert!(arguments.ret_zero_on_invalid_hdr_read && !run("simple_switch --no-p4").ret_zero_on_invalid_hdr_read);
    let ignored: Vec<_> = arguments.ignored().into_iter().map(|(option, _)| option).collect();
    assert_eq!(ignored, ["--warn-on-invalid-hdr-read"]);
    // The reference takes the beginning of an option for the option.
    assert_eq!(run("simple_switch_grpc --no-p4 --grpc-server-a :1").grpc_server_addr, ":1");
}

#[test]
fn the_name_decides() {
    let plain = run("p4-switch --no-p4");
    assert_eq!((plain.bmv2_compat, plain.grpc_server_addr.as_str()), (false, "0.0.0.0:9559"));
    let grpc = run("/opt/links/simple_switch_grpc --no-p4");
    assert_eq!((grpc.bmv2_compat, grpc.grpc_server_addr.as_str()), (true, "0.0.0.0:9559"));
    let simple = run("simple_switch --no-p4");
    assert_eq!((simple.bmv2_compat, simple.grpc_server_addr.as_str()), (true, "127.0.0.1:0"));
    assert_eq!(run("simple_switch --no-p4 --grpc-server-addr :1").grpc_server_addr, ":1");
    // Where simple_switch_CLI looks unless it is told; whoever names a port wants that one.
    let thrift = |arguments: &Arguments| (arguments.thrift_port, arguments.thrift_by_default);
    assert_eq!(
        (thrift(&plain), thrift(&grpc), thrift(&simple)),
        ((None, false), (Some(9090), true), (Some(9090), true))
    );
    assert_eq!(thrift(&run("simple_switch --no-p4 --thrift-port 9090")), (Some(9090), false));
    let swaps = |line: &str| !run(line).disable_swap;
    assert!(swaps("p4-switch --no-p4") && swaps("simple_switch_grpc --no-p4"));
    assert!(!swaps("simple_switch --no-p4") && swaps("simple_switch --no-p4 --enable-swap"));
}

#[test]
fn links_by_bmv2s_names_are_made_and_made_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let links = folder.path().join("links");
    let line = ["p4-switch", "install-as-bmv2", links.to_str().expect("a plain path")].map(OsString::from);
    let Ok(Command::Install(install)) = parse(line) else { panic!("it is a command") };
    for program in ["/old/p4-switch", "/new/p4-switch"] {
        install.carry_out(Path::new(program)).expect("the links are made");
        for name in ["simple_switch_grpc", "simple_switch"] {
            assert_eq!(links.join(name).read_link().expect("it is a link"), PathBuf::from(program));
        }
    }
    std::fs::remove_file(links.join("simple_switch")).expect("it is there");
    std::fs::write(links.join("simple_switch"), "BMv2 itself").expect("the file is written");
    let error = install.carry_out(Path::new("/new/p4-switch")).expect_err("it is somebody else's");
    assert!(error.to_string().contains("links/simple_switch: File exists"), "{error}");
}

#[test]
fn our_own_options() {
    assert_eq!(run("p4-switch --no-p4 --trace").trace, Some(Format::Text));
    assert_eq!(run("p4-switch --no-p4 --trace=json").trace, Some(Format::Json));
    let Ok(Command::Trace(trace)) = parse(words("p4-switch trace a.json b.pcap --port 7 --json")) else {
        panic!("it is a command of its own");
    };
    assert_eq!((trace.program, trace.packets), (PathBuf::from("a.json"), PathBuf::from("b.pcap")));
    assert_eq!((trace.port, trace.json), (7, true));
}

#[test]
fn tls_and_its_gaps() {
    let tls = "--grpc-server-ssl --grpc-server-cert c.pem --grpc-server-key k.pem";
    let arguments = run(&format!("x --no-p4 -- {tls} --grpc-server-cacert a.pem --grpc-server-with-client-auth"));
    assert!(arguments.grpc_server_ssl && arguments.grpc_server_with_client_auth);
    assert_eq!(arguments.warnings(), [""; 0]);
    let arguments = run("x --no-p4 r.json --grpc-server-cert c.pem");
    assert_eq!(
        arguments.warnings(),
        [
            "the program is ignored, since --no-p4 was given",
            "certificates are ignored, since --grpc-server-ssl was not given"
        ]
    );
    assert_eq!(refusal("x --no-p4 --grpc-server-ssl"), "error: --grpc-server-ssl takes --grpc-server-cert");
    assert_eq!(
        refusal(&format!("x --no-p4 {tls} --grpc-server-with-client-auth")),
        "error: --grpc-server-with-client-auth takes --grpc-server-cacert"
    );
}

#[test]
fn ports_in_a_stream_take_the_place_of_interfaces() {
    let arguments = run("x --no-p4 -i 1@veth0 -- --dp-grpc-server-addr 127.0.0.1:50052");
    assert_eq!(arguments.dp_grpc_server_addr.as_deref(), Some("127.0.0.1:50052"));
    assert_eq!(arguments.warnings(), ["interfaces are ignored, since --dp-grpc-server-addr was given"]);
    assert_eq!(
        refusal("x --no-p4 --dp-grpc-server-addr 127.0.0.1:50052 --use-files 0"),
        "error: the argument '--dp-grpc-server-addr <HOST:PORT>' cannot be used with '--use-files <SECONDS>'"
    );
}

#[test]
fn mistakes_are_named() {
    assert_eq!(refusal("x"), "error: name a program, or --no-p4 to start without one");
    assert_eq!(
        refusal("x --no-p4 -i veth0"),
        "error: invalid value 'veth0' for '--interface <PORT@INTERFACE>': expected PORT@INTERFACE, as in 1@veth0"
    );
    assert_eq!(
        refusal("x --no-p4 -i a@b"),
        "error: invalid value 'a@b' for '--interface <PORT@INTERFACE>': the port before `@` is not a number"
    );
    assert_eq!(
        refusal("x --no-p4 --log-console --log-file f"),
        "error: the argument '--log-console' cannot be used with '--log-file <FILE>'"
    );
    assert_eq!(refusal("x --no-p4 -L loud"), "error: invalid value 'loud' for '--log-level <LEVEL>'");
    assert_eq!(
        refusal("x --no-p4 --cpu-port 0"),
        "error: invalid value '0' for '--cpu-port <PORT>': 0 is not in 1..=4294967295"
    );
}
